/* SPDX-License-Identifier: MIT */
#include "scenario.h"

#include <limits.h>

static struct pidring *engine;

/* The exit code is not known before the start and while the process runs; then it stays. */
SCENARIO(exit_code, known_from_the_end_on)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	int code = 55;

	engine = open_engine();
	process = new_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_exit_code(process, &code), -EAGAIN);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_exit_code(process, &code), -EAGAIN);
	check_int(code, 55);
	latch_release(&latch);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	for (int i = 0; i < 3; i++) {
		code = 55;
		check_int(pidring_process_exit_code(process, &code), 0);
		check_int(code, 0);
	}
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* Asking for it reaps a child that has ended. */
SCENARIO(exit_code, asking_reaps)
{
	struct pidring_process *process;
	static int three = 3;
	int code = 55;

	engine = open_engine();
	process = start_function(engine, return_argument, &three);
	wait_ended(process);
	check_int(process_state(pidring_process_pid(process)), 'Z');
	check_int(pidring_process_exit_code(process, &code), 0);
	check_int(code, 3);
	check_int(process_state(pidring_process_pid(process)), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* Closed: an error. No place for the result: another. */
SCENARIO(exit_code, closed_or_without_result)
{
	struct pidring_process *process;
	int code = 55;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	check_int(pidring_process_exit_code(process, NULL), -EINVAL);
	check_int(join_code(process), 0);
	check_int(pidring_process_exit_code(process, NULL), -EINVAL);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_exit_code(process, &code), -EBADF);
	check_int(code, 55);
	pidring_process_free(process);
	close_engine(engine);
}

static int ask_about_the_family(void *sibling)
{
	int code;

	check_int(pidring_process_exit_code(*(struct pidring_process **)sibling, &code), -EAGAIN);
	check_int(pidring_process_exit_code(pidring_current_process(), &code), -EAGAIN);
	check_int(pidring_process_exit_code(pidring_parent_process(), &code), -EAGAIN);
	return 0;
}

/* It is not known of the current process, of the parent, and of a process that another one started. */
SCENARIO(exit_code, unknown_of_others)
{
	struct pidring_process *sibling;
	int code;

	engine = open_engine();
	check_int(pidring_process_exit_code(pidring_current_process(), &code), -EAGAIN);
	sibling = start_function(engine, sleep_forever, NULL);
	check_int(finish(start_function(engine, ask_about_the_family, &sibling)), 0);
	kill_and_free(sibling);
	close_engine(engine);
}

/* The name of an exit code is that of the signal, with a minus. */
SCENARIO(exit_code, names)
{
	check_text(pidring_exit_code_name(-SIGTERM), "-SIGTERM");
	check_text(pidring_exit_code_name(-SIGKILL), "-SIGKILL");
	check_text(pidring_exit_code_name(-SIGHUP), "-SIGHUP");
	check_text(pidring_exit_code_name(-SIGSEGV), "-SIGSEGV");
	check_text(pidring_exit_code_name(-SIGUSR2), "-SIGUSR2");
	check_text(pidring_exit_code_name(-SIGSYS), "-SIGSYS");
}

/* Of doubles one name is shown. */
SCENARIO(exit_code, names_of_doubles)
{
	check_text(pidring_exit_code_name(-6), "-SIGABRT");
	check_text(pidring_exit_code_name(-SIGCHLD), "-SIGCHLD");
	check_text(pidring_exit_code_name(-SIGIO), "-SIGPOLL");
}

/* Of the real-time signals the first and the last have names. */
SCENARIO(exit_code, names_of_real_time_signals)
{
	check_text(pidring_exit_code_name(-SIGRTMIN), "-SIGRTMIN");
	check_text(pidring_exit_code_name(-SIGRTMAX), "-SIGRTMAX");
	check_text(pidring_exit_code_name(-40), NULL);
	check_text(pidring_exit_code_name(-SIGRTMIN - 1), NULL);
}

/* 1 to 31 all have names, different ones; codes that are no signal have none. */
SCENARIO(exit_code, names_cover_the_signals)
{
	for (int number = 1; number <= 31; number++) {
		const char *name = pidring_exit_code_name(-number);

		check(name != NULL && strncmp(name, "-SIG", 4) == 0);
		for (int other = 1; other < number; other++)
			check(strcmp(name, pidring_exit_code_name(-other)) != 0);
	}
	check_text(pidring_exit_code_name(0), NULL);
	check_text(pidring_exit_code_name(1), NULL);
	check_text(pidring_exit_code_name(15), NULL);
	check_text(pidring_exit_code_name(-32), NULL);
	check_text(pidring_exit_code_name(-65), NULL);
	check_text(pidring_exit_code_name(INT_MIN), NULL);
	check_text(pidring_exit_code_name(INT_MAX), NULL);
}
