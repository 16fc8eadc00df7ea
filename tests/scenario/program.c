/* SPDX-License-Identifier: MIT */
/* What a program begins with: environment, place, signals, and the old limit of descriptors. */
#define _GNU_SOURCE
#include "program_helpers.h"

#include <sys/stat.h>

static struct pidring *engine;

/* --- environment --- */

/* Without a word about it a program has the caller's environment, as it is at the start. */
SCENARIO(program, environment_is_inherited_at_the_start)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	setenv("PIDRING_TEST", "at construction", 1);
	process = new_process(engine, (struct pidring_options){ .argv = SHELL("echo $PIDRING_TEST"),
	                                                        .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                        .stdout_descriptor = ends[1] });
	setenv("PIDRING_TEST", "at the start", 1);
	check_int(pidring_process_start(process), 0);
	close(ends[1]);
	check_text(read_all(ends[0]), "at the start\n");
	check_int(finish(process), 0);
	close(ends[0]);
	close_engine(engine);
}

/* A whole environment replaces the caller's. */
SCENARIO(program, environment_can_be_replaced)
{
	setenv("PIDRING_TEST", "from here", 1);
	check_output(
		(struct pidring_options){ .argv = ARGV("/usr/bin/env"), .environment = ARGV("B=2", "A=1") },
		"B=2\nA=1\n");
}

/* It may be empty. */
SCENARIO(program, environment_can_be_empty)
{
	check_output((struct pidring_options){ .argv = ARGV("/usr/bin/env"),
	                                       .environment = (const char *[]){ NULL } },
	             "");
}

/* Single variables are set and removed on top of the caller's. */
SCENARIO(program, environment_can_be_changed)
{
	setenv("PIDRING_OLD", "old", 1);
	setenv("PIDRING_GONE", "gone", 1);
	setenv("PIDRING_KEPT", "kept", 1);
	check_output((struct pidring_options){ .argv = SHELL("echo $PIDRING_OLD ${PIDRING_GONE-unset} "
	                                                     "$PIDRING_KEPT $PIDRING_NEW [$PIDRING_EMPTY]"),
	                                       .extra_environment = ARGV(
						       "PIDRING_OLD=new", "PIDRING_GONE", "PIDRING_NEW=a=b",
						       "PIDRING_EMPTY=", "PIDRING_NEVER_WAS") },
	             "new unset kept a=b []\n");
}

/* The same on top of a whole environment; names that only begin alike are not touched. */
SCENARIO(program, environment_can_be_replaced_and_changed)
{
	setenv("PIDRING_TEST", "from here", 1);
	check_output((struct pidring_options){ .argv = SHELL("echo $A $AB ${B-unset} ${PIDRING_TEST-unset}"),
	                                       .environment = ARGV("A=1", "AB=2", "B=3"),
	                                       .extra_environment = ARGV("A=9", "B") },
	             "9 2 unset unset\n");
	check_output((struct pidring_options){ .argv = ARGV("/usr/bin/env"),
	                                       .environment = ARGV("AB=2"),
	                                       .extra_environment = ARGV("A") },
	             "AB=2\n");
}

/* --- place --- */

/* A working directory of its own. */
SCENARIO(program, working_directory)
{
	check_output((struct pidring_options){ .argv = ARGV("/bin/pwd"), .working_directory = "/usr/bin" },
	             "/usr/bin\n");
}

/* A umask of its own; the caller's is not touched. */
SCENARIO(program, umask)
{
	mode_t old = umask(022);

	check_output((struct pidring_options){ .argv = SHELL("umask"), .set_umask = true, .umask = 0137 },
	             "0137\n");
	check_output((struct pidring_options){ .argv = SHELL("umask"), .set_umask = true, .umask = 0 },
	             "0000\n");
	check_output((struct pidring_options){ .argv = SHELL("umask") }, "0022\n");
	check_int(umask(old), 022);
}

SUBPROGRAM(is_session_leader)
{
	check_int(getsid(0), getpid());
	check_int(getpgrp(), getpid());
	return 0;
}

SUBPROGRAM(is_group_leader)
{
	check_int(getpgrp(), getpid());
	check_int(getsid(0), getsid(getppid()));
	return 0;
}

SUBPROGRAM(is_in_the_parents_group)
{
	check_int(getpgrp(), getpgid(getppid()));
	check_int(getsid(0), getsid(getppid()));
	return 0;
}

/* A session of its own, a group of its own, or neither. */
SCENARIO(program, session_and_group)
{
	check_subprogram("is_session_leader", (struct pidring_options){ .new_session = true });
	check_subprogram("is_group_leader", (struct pidring_options){ .new_group = true });
	check_subprogram("is_in_the_parents_group", (struct pidring_options){ .new_group = false });
}

/* --- signals --- */

static bool is_ignored(int number)
{
	struct sigaction action;

	check_int(sigaction(number, NULL, &action), 0);
	return action.sa_handler == SIG_IGN;
}

static bool is_default(int number)
{
	struct sigaction action;

	check_int(sigaction(number, NULL, &action), 0);
	return action.sa_handler == SIG_DFL;
}

static bool is_blocked(int number)
{
	sigset_t mask;

	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	return sigismember(&mask, number) == 1;
}

SUBPROGRAM(has_fresh_signals)
{
	for (int number = 1; number < NSIG; number++)
		check(!is_blocked(number));
	check(is_default(SIGUSR1));
	check(is_default(SIGUSR2));
	check(is_default(SIGPIPE));
	check(is_default(SIGCHLD));
	check(is_default(SIGRTMIN + 3));
	return 0;
}

SUBPROGRAM(has_kept_signals)
{
	for (int number = 1; number < NSIG; number++)
		check_int(is_blocked(number), number == SIGHUP || number == SIGRTMIN + 2);
	check(is_ignored(SIGUSR2));
	check(is_ignored(SIGRTMIN + 3));
	/* A handler does not survive exec in any case. */
	check(is_default(SIGUSR1));
	return 0;
}

static void on_signal(int number)
{
	(void)number;
}

static void with_unusual_signals(const char *name, struct pidring_options options)
{
	sigset_t blocked, before;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGRTMIN + 3, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGRTMIN + 2);
	sigprocmask(SIG_SETMASK, &blocked, &before);
	check_subprogram(name, options);
	check(is_blocked(SIGHUP) && is_blocked(SIGRTMIN + 2) && !is_blocked(SIGUSR1));
	check(is_ignored(SIGUSR2) && !is_default(SIGUSR1));
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* A program begins with an empty mask and default dispositions. */
SCENARIO(program, signals_are_reset)
{
	with_unusual_signals("has_fresh_signals", (struct pidring_options){ .keep_signals = false });
}

/* Or with the caller's mask and ignored signals. */
SCENARIO(program, signals_can_be_kept)
{
	with_unusual_signals("has_kept_signals", (struct pidring_options){ .keep_signals = true });
}

/* A signal that is pending here is not pending there, and a blocked one here does not kill the child. */
SCENARIO(program, pending_signals_are_not_inherited)
{
	sigset_t blocked, before;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	raise(SIGUSR1);
	check_output((struct pidring_options){ .argv = ARGV("/bin/echo", "alive") }, "alive\n");
	signal(SIGUSR1, SIG_IGN);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* --- the descriptor limit --- */

/* An engine that raised the limit gives programs the old one back; functions keep the raised one. */
SCENARIO(program, gets_the_old_descriptor_limit)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 900 };
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 321;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close_engine(open_engine());
	check_int(pidring_open(&engine, &options), 0);
	check_text(output_of(engine, (struct pidring_options){ .argv = SHELL("ulimit -S -n") }, NULL),
	           "321\n");
	close_engine(engine);
}
