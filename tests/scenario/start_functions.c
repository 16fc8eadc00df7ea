/* SPDX-License-Identifier: MIT */
/* Functions as children: forks of their parent with its streams flushed, placed elsewhere, or run in the parent. */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <sys/stat.h>

static struct pidring *engine;

static int print_word(void *word)
{
	printf("%s", (const char *)word);
	return 0;
}

SUBPROGRAM(print_around_a_start)
{
	engine = open_engine();
	printf("before,");
	check_int(finish(start_function(engine, print_word, "child,")), 0);
	printf("after");
	close_engine(engine);
	return 0;
}

/* Standard output is flushed before a function is started, so nothing is written twice. */
SCENARIO(start_functions, standard_output_is_flushed_before)
{
	const char *output;

	check_int(run_subprogram("print_around_a_start", NULL, &output), 0);
	check_text(output, "before,child,after");
}

/* Streams for reading are not flushed: that would move the offset that they share with the child. */
SCENARIO(start_functions, input_offsets_are_left_alone)
{
	FILE *file = tmpfile();
	off_t offset;

	check(file != NULL);
	for (int i = 0; i < 100; i++)
		fputs("line\n", file);
	rewind(file);
	check_int(fgetc(file), 'l');
	offset = lseek(fileno(file), 0, SEEK_CUR);
	engine = open_engine();
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(lseek(fileno(file), 0, SEEK_CUR), offset);
	close_engine(engine);
	fclose(file);
}

/* Without a target the child does nothing and ends with 0. */
SCENARIO(start_functions, no_target_ends_with_zero)
{
	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .name = "idle" })), 0);
	close_engine(engine);
}

static int check_argument(void *argument)
{
	check(argument == &engine);
	return 5;
}

/* The argument is handed on as it is. */
SCENARIO(start_functions, argument_is_handed_on)
{
	engine = open_engine();
	check_int(finish(start_function(engine, check_argument, &engine)), 5);
	close_engine(engine);
}

static int some_value = 1;
static pid_t starter_group, starter_session;

static void on_signal(int number)
{
	(void)number;
}

static int look_around(void *descriptor)
{
	struct sigaction action;
	sigset_t mask;
	char directory[256];

	check_int(some_value, 2);
	some_value = 3;
	check_int(getpgrp(), starter_group);
	check_int(getsid(0), starter_session);
	check(descriptor_is_open(*(int *)descriptor));
	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, "/usr");
	check_int(umask(0), 031);
	check_int(sigaction(SIGUSR1, NULL, &action), 0);
	check(action.sa_handler == on_signal);
	check_int(sigaction(SIGUSR2, NULL, &action), 0);
	check(action.sa_handler == SIG_IGN);
	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	for (int number = 1; number < NSIG; number++)
		check_int(sigismember(&mask, number), number == SIGHUP);
	return 0;
}

/* A function child is a fork: memory, descriptors, directory, umask, group and signals are its parent's. */
SCENARIO(start_functions, function_child_is_a_fork)
{
	struct sigaction catching = { .sa_handler = on_signal }, ignoring = { .sa_handler = SIG_IGN };
	sigset_t only_hangup, after;
	int descriptor = open("/dev/null", O_RDONLY);

	sigemptyset(&only_hangup);
	sigaddset(&only_hangup, SIGHUP);
	engine = open_engine();
	some_value = 2;
	starter_group = getpgrp();
	starter_session = getsid(0);
	check_int(chdir("/usr"), 0);
	umask(031);
	sigaction(SIGUSR1, &catching, NULL);
	sigaction(SIGUSR2, &ignoring, NULL);
	sigprocmask(SIG_SETMASK, &only_hangup, NULL);
	check_int(finish(start_function(engine, look_around, &descriptor)), 0);
	check_int(some_value, 2);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number < NSIG; number++)
		check_int(sigismember(&after, number), number == SIGHUP);
	close(descriptor);
	close_engine(engine);
}

static int check_own_session(void *unused)
{
	(void)unused;
	check_int(getsid(0), getpid());
	check_int(getpgrp(), getpid());
	return 0;
}

static int check_own_group(void *session)
{
	check_int(getpgrp(), getpid());
	check_int(getsid(0), *(pid_t *)session);
	return 0;
}

static int check_placed(void *unused)
{
	char directory[64];

	(void)unused;
	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, "/");
	check_int(umask(0), 017);
	return 0;
}

/* A function can be given a session, a group, a directory and a umask of its own. */
SCENARIO(start_functions, function_child_can_be_placed)
{
	pid_t session = getsid(0);
	mode_t mask = umask(022);

	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .target = check_own_session,
	                                                                 .new_session = true })),
	          0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = check_own_group,
	                                                                 .argument = &session,
	                                                                 .new_group = true })),
	          0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = check_placed,
	                                                                 .working_directory = "/",
	                                                                 .set_umask = true,
	                                                                 .umask = 017 })),
	          0);
	check_int(umask(mask), 022);
	close_engine(engine);
}

static int libc_fork_hooks;

static void count_atfork(void)
{
	libc_fork_hooks++;
}

static int return_atfork_count(void *unused)
{
	(void)unused;
	return libc_fork_hooks;
}

/* On request a function is started by libc's fork, which runs the handlers of pthread_atfork. */
SCENARIO(start_functions, libc_fork_runs_its_handlers)
{
	struct pidring_process *process;

	engine = open_engine();
	check_int(pthread_atfork(NULL, NULL, count_atfork), 0);
	process = start_process(engine,
	                        (struct pidring_options){ .target = return_atfork_count, .libc_fork = true });
	check_int(pidring_process_birth(process), PIDRING_BIRTH_FORK);
	check_int(finish(process), 1);
	close_engine(engine);
}

static int count_calls(void *count)
{
	return ++*(int *)count;
}

/* run calls the target here, as often as wanted, as long as the process is not started. */
SCENARIO(start_functions, run_calls_the_target_here)
{
	struct pidring_process *process;
	int calls = 0;
	int code = 0;

	engine = open_engine();
	process = new_function(engine, count_calls, &calls);
	check_int(pidring_process_run(process, &code), 0);
	check_int(code, 1);
	check_int(pidring_process_run(process, NULL), 0);
	check_int(calls, 2);
	check_int(pidring_process_pid(process), -ESRCH);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_run(process, &code), -EINVAL);
	check_int(join_code(process), 3);
	check_int(pidring_process_run(process, &code), -EINVAL);
	check_int(calls, 2);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_run(process, &code), -EBADF);
	pidring_process_free(process);
	close_engine(engine);
}

/* run without a target gives 0; a program cannot be run here. */
SCENARIO(start_functions, run_needs_no_target_but_no_program)
{
	struct pidring_process *idle, *program;
	int code = 9;

	engine = open_engine();
	idle = new_process(engine, (struct pidring_options){ .name = "idle" });
	program = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL } });
	check_int(pidring_process_run(idle, &code), 0);
	check_int(code, 0);
	check_int(pidring_process_run(program, &code), -EINVAL);
	pidring_process_free(idle);
	pidring_process_free(program);
	close_engine(engine);
}
