/* SPDX-License-Identifier: MIT */
/* Stops and deadlines under way when the object is freed, the engine closed, or the host forked. */
#define _GNU_SOURCE
#include "stops.h"

#include <pthread.h>

/* A process that is freed while it is stopped is stopped to the end, and so is one with a deadline. */
SCENARIO(stopping_abandoned, freed_during_a_stop)
{
	struct pidring_process *process;
	struct pidring_event event;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(term_then_kill)), 0);
	pidring_process_free(process);
	while (pidring_live_objects() > 0)
		check_int(pidring_wait(engine, &event, 1, 5 * MILLISECONDS), 0);

	process = start_ready(ignore_term, (struct pidring_options){ .deadline = 20 * MILLISECONDS,
	                                                             .stop_steps = term_then_kill,
	                                                             .stop_step_count = 2 });
	pidring_process_free(process);
	while (pidring_live_objects() > 0)
		check_int(pidring_wait(engine, &event, 1, 5 * MILLISECONDS), 0);

	/* With timers set and never run out. */
	process = start_ready(obey, (struct pidring_options){ .deadline = 3600 * 1000 * MILLISECONDS });
	check_int(stop(process, STEPS(patient)), 0);
	kill_and_free(process);
	check_int(pidring_live_objects(), 0);
	close_all();
}

/* With its engine closed nobody goes on. */
SCENARIO(stopping_abandoned, engine_is_closed_during_a_stop)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ .deadline = 40 * MILLISECONDS });
	check_int(stop(process, STEPS(term_then_kill)), 0);
	close_engine(engine);
	check_int(pidring_process_join(process, 80 * MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_process_stop(process, NULL), -ESHUTDOWN);
	check_contains(pidring_explain(), "engine was closed");
	check_int(pidring_process_set_deadline(process, 1), -ESHUTDOWN);
	check_contains(pidring_explain(), "engine was closed");
	kill_and_free(process);
	latch_close(&ready);
}

static void *close_engine_soon(void *unused)
{
	(void)unused;
	poll(NULL, 0, 30);
	close_engine(engine);
	poll(NULL, 0, 30);
	latch_release(&ready);
	return NULL;
}

/* Nor does a join that is under way, which is not disturbed. */
SCENARIO(stopping_abandoned, engine_is_closed_during_a_join)
{
	struct pidring_process *process;
	pthread_t thread;

	engine = open_engine();
	ready = latch_open();
	process = start_function(engine, wait_for_latch, &ready);
	check_int(pidring_process_set_deadline(process, 3600 * 1000 * MILLISECONDS), 0);
	check_int(pthread_create(&thread, NULL, close_engine_soon, NULL), 0);
	check_int(join_code(process), 0);
	pthread_join(thread, NULL);
	pidring_process_free(process);
	latch_close(&ready);
}

/* In the copy of a fork no timer of the original's runs; its own do. */
SCENARIO(stopping_abandoned, timers_of_a_fork)
{
	struct pidring_process *process;
	int status;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ .deadline = 100 * MILLISECONDS,
	                                                             .stop_steps = only_kill,
	                                                             .stop_step_count = 1 });
	pid_t copy = fork();
	if (copy == 0) {
		struct pidring_process *own =
			start_process(engine, (struct pidring_options){ .target = sleep_forever,
		                                                        .deadline = 20 * MILLISECONDS });

		await(PIDRING_DEADLINE_PASSED, own);
		await(PIDRING_EXITED, own);
		pidring_process_free(own);
		pidring_process_free(process);
		close_engine(engine);
		_exit(0);
	}
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);
	check_int(join_code(process), -SIGKILL);
	check_end(process, -SIGKILL, SIGKILL, true);
	close_all();
}
