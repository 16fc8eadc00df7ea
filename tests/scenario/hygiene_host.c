/* SPDX-License-Identifier: MIT */
/* Nothing of the host's is touched: its children, signals, directory, limits and output. */
#define _GNU_SOURCE
#include "busy_engine.h"

#include <sys/stat.h>

/* A child that the host made itself is never reaped by the library. */
SCENARIO(hygiene_host, children_of_the_host)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	int status = 0;
	pid_t own = fork();

	check(own >= 0);
	if (own == 0)
		_exit(42);
	check_int(waitid(P_PID, (id_t)own, &(siginfo_t){ 0 }, WEXITED | WNOWAIT | __WALL), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(finish(start_program(engine, "true", NULL)), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_join_all(NULL, 0, 0), 0);
	close_engine(engine);
	check_int(waitpid(own, &status, WNOHANG | __WALL), own);
	check_int(WEXITSTATUS(status), 42);
}

static void use_everything(void)
{
	struct pidring_process *running[3];
	struct pidring *engine = busy_engine(running);
	const char *const missing[] = { "/nonexistent/program", NULL };
	struct pidring_process *failing = new_process(engine, (struct pidring_options){ .argv = missing });

	check_int(pidring_process_start(failing), -ENOENT);
	pidring_process_free(failing);
	pidring_current_process();
	end_busy_engine(engine, running);
}

/* Dispositions, working directory, umask and limits of the host stay as they are. */
SCENARIO(hygiene_host, host_stays_as_it_is)
{
	struct sigaction before[65];
	struct sigaction after;
	struct rlimit limit_before;
	struct rlimit limit_after;
	char directory_before[4096];
	char directory_after[4096];
	mode_t mask = umask(027);

	check(getcwd(directory_before, sizeof(directory_before)) != NULL);
	check_int(getrlimit(RLIMIT_NOFILE, &limit_before), 0);
	for (int number = 1; number < 65; number++)
		sigaction(number, NULL, &before[number]);
	use_everything();
	for (int number = 1; number < 65; number++) {
		if (sigaction(number, NULL, &after) < 0)
			continue;
		check(after.sa_handler == before[number].sa_handler);
		check_int(after.sa_flags, before[number].sa_flags);
	}
	check(getcwd(directory_after, sizeof(directory_after)) != NULL);
	check_text(directory_after, directory_before);
	check_int(getrlimit(RLIMIT_NOFILE, &limit_after), 0);
	check_int(limit_after.rlim_cur, limit_before.rlim_cur);
	check_int(umask(mask), 027);
}

static volatile sig_atomic_t children_signals;

static void count_child_signal(int signal_number)
{
	(void)signal_number;
	children_signals++;
}

/* SIGCHLD comes to the host's handler as for any other child. */
SCENARIO(hygiene_host, sigchld_reaches_the_host)
{
	struct pidring *engine = open_engine();

	check(signal(SIGCHLD, count_child_signal) != SIG_ERR);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check(children_signals >= 1);
	children_signals = 0;
	check_int(finish(start_program(engine, "true", NULL)), 0);
	check(children_signals >= 1);
	close_engine(engine);
}

SUBPROGRAM(hygiene_silent)
{
	struct pidring *engine;
	struct pidring_process *process;

	use_everything();
	engine = open_engine();
	process = start_function(engine, sleep_forever, NULL);
	check_int(pidring_process_join(NULL, 0), -EINVAL);
	check_int(pidring_process_close(process), -EBUSY);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_process_signal(process, 12345), -EINVAL);
	kill_and_free(process);
	start_process(engine, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
	return 0;
}

/* The library prints nothing, whatever fails. */
SCENARIO(hygiene_host, library_is_silent)
{
	const char *output;

	check_int(run_subprogram("hygiene_silent", NULL, &output), 0);
	check_text(output, "");
}
