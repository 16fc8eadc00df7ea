/* SPDX-License-Identifier: MIT */
/* How copies of the host end: by exit(), which is for their own children alone, or by returning from a target. */
#define _GNU_SOURCE
#include "copies.h"

struct echo {
	int to_child[2];
	int from_child[2];
};

static int echo_forever(void *argument)
{
	struct echo *echo = argument;
	char byte;

	while (read(echo->to_child[0], &byte, 1) == 1)
		check_int(write(echo->from_child[1], &byte, 1), 1);
	return 0;
}

static void check_answers(struct echo *echo)
{
	char byte = 'x';

	check_int(write(echo->to_child[1], &byte, 1), 1);
	check_int(read(echo->from_child[0], &byte, 1), 1);
	check_int(byte, 'x');
}

static void report_finalizer(void *argument)
{
	latch_release(argument);
}

/* A copy that ends with exit() signals no daemon of the original's, waits for none of its children and runs
 * none of its finalizers. */
SCENARIO(forks_ends, exit_of_a_copy_touches_nobody)
{
	struct pidring *engine = open_engine();
	struct latch finalized = latch_open();
	struct echo echo;
	struct pidring_process *daemon;
	struct pidring_process *ordinary;
	int64_t finalizer = pidring_add_finalizer(report_finalizer, &finalized, 10);
	pid_t copy;

	check(finalizer > 0);
	open_pipe(echo.to_child);
	open_pipe(echo.from_child);
	daemon = start_process(
		engine,
		(struct pidring_options){ .target = echo_forever, .argument = &echo, .daemon = PIDRING_YES });
	ordinary = start_function(engine, sleep_forever, NULL);
	for (enum copy_by by = BY_FORK; by <= BY_SYSTEM_CALL; by++) {
		copy = make_copy(by);
		if (copy == 0)
			exit(0);
		check_copy_ended_well(copy);
		check_answers(&echo);
		check_int(pidring_process_is_alive(daemon), 1);
		check_int(pidring_process_is_alive(ordinary), 1);
	}
	check(!is_readable(finalized.reader));
	check_int(pidring_cancel_finalizer(finalizer), 0);
	kill_and_free(ordinary);
	check_int(pidring_process_terminate(daemon), 0);
	check_int(finish(daemon), -SIGTERM);
	close(echo.to_child[0]);
	close(echo.to_child[1]);
	close(echo.from_child[0]);
	close(echo.from_child[1]);
	latch_close(&finalized);
	close_engine(engine);
}

static int report_when_done(void *argument)
{
	struct latch *latches = argument;

	latch_wait(&latches[0]);
	latch_release(&latches[1]);
	return 0;
}

/* A copy's own children are its own at its exit: daemons are terminated, the others waited for. */
SCENARIO(forks_ends, exit_of_a_copy_ends_its_own_children)
{
	struct original *original = make_original();
	struct latch latches[2] = { latch_open(), latch_open() };
	int daemon_lives[2];
	char byte;
	pid_t copy;

	open_pipe(daemon_lives);
	copy = make_copy(BY_FORK);
	if (copy == 0) {
		start_process(original->engine,
		              (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
		start_function(original->engine, report_when_done, latches);
		latch_release(&latches[0]);
		exit(0);
	}
	check_copy_ended_well(copy);
	check(is_readable(latches[1].reader));
	close(daemon_lives[1]);
	check_int(read(daemon_lives[0], &byte, 1), 0);
	close(daemon_lives[0]);
	latch_close(&latches[0]);
	latch_close(&latches[1]);
	end_original(original);
}

static int end_in_two_processes(void *argument)
{
	pid_t copy = make_copy(BY_FORK);
	int status = -1;

	(void)argument;
	if (copy == 0)
		return 5;
	check_int(waitpid(copy, &status, 0), copy);
	check(WIFEXITED(status));
	check_int(WEXITSTATUS(status), 5);
	return 6;
}

/* A copy that returns from the target ends as the child would: with the target's result. */
SCENARIO(forks_ends, copy_returns_from_the_target)
{
	struct pidring *engine = open_engine();

	check_int(finish(start_function(engine, end_in_two_processes, NULL)), 6);
	close_engine(engine);
}
