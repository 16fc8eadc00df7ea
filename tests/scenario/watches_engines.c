/* SPDX-License-Identifier: MIT */
/* Engines: closed over running children, many side by side, and which backend each has. */
#define _GNU_SOURCE
#include "expected_ends.h"

/* --- closing --- */

/* An engine may be closed over running children: they run on and are joined, but nothing new starts. */
SCENARIO(watches_engines, closed_over_running_children)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *running = start_function(engine, seven_after_latch, &latch);
	struct pidring_process *initial = new_function(engine, return_zero, NULL);
	struct pidring_process *ended;

	check_no_event(engine);
	ended = start_function(engine, return_zero, NULL);
	wait_ended(ended);
	close_engine(engine);
	check_int(pidring_process_start(initial), -ESHUTDOWN);
	check_int(pidring_process_is_alive(running), 1);
	check_int(pidring_process_join(running, 0), -ETIMEDOUT);
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&latch);
	check_int(finish(running), 7);
	check_int(finish(ended), 0);
	pidring_process_free(initial);
	latch_close(&latch);
}

/* A detached child of a closed engine is reaped all the same. */
SCENARIO(watches_engines, closed_over_detached_children)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, wait_for_latch, &latch);
	siginfo_t information = { 0 };
	pid_t pid = pidring_process_pid(process);

	pidring_process_free(process);
	close_engine(engine);
	latch_release(&latch);
	check_int(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_live_objects(), 0);
	latch_close(&latch);
}

/* Many engines in one process: each tells of its own children only. */
SCENARIO(watches_engines, many_engines)
{
	enum { ENGINES = 20, CHILDREN = 3 };
	struct pidring *engines[ENGINES];
	struct pidring_process *processes[ENGINES][CHILDREN];

	for (int i = 0; i < ENGINES; i++)
		engines[i] = open_engine();
	for (int j = 0; j < CHILDREN; j++)
		for (int i = 0; i < ENGINES; i++)
			processes[i][j] = start_process(
				engines[i], (struct pidring_options){ .target = return_low_byte,
			                                              .argument = (void *)(intptr_t)i,
			                                              .user_data = engines[i] });
	for (int i = ENGINES - 1; i >= 0; i--) {
		for (int j = 0; j < CHILDREN; j++) {
			struct pidring_event event;

			check_int(pidring_wait(engines[i], &event, 1, PIDRING_FOREVER), 1);
			check(event.user_data == engines[i]);
			check_int(event.code, i);
		}
		check_no_event(engines[i]);
		check_int(pidring_outstanding(engines[i]), 0);
	}
	for (int i = 0; i < ENGINES; i++) {
		for (int j = 0; j < CHILDREN; j++)
			check_int(finish(processes[i][j]), i);
		for (int j = 0; j < i; j++)
			check(pidring_fd(engines[i]) != pidring_fd(engines[j]));
	}
	for (int i = 0; i < ENGINES; i++)
		close_engine(engines[i]);
}

/* --- the choice of the backend --- */

static enum pidring_backend backend_of(struct pidring *engine)
{
	struct pidring_features features = { .size = sizeof(features) };

	check_int(pidring_features(engine, &features), 0);
	return features.backend;
}

/* The environment's choice is what the features show. */
SCENARIO(watches_engines, backend_from_the_environment)
{
	const char *wanted = getenv("PIDRING_BACKEND");
	struct pidring *engine = open_engine();
	enum pidring_backend backend = backend_of(engine);

	check(backend == PIDRING_BACKEND_URING || backend == PIDRING_BACKEND_EPOLL);
	if (wanted != NULL && strcmp(wanted, "uring") == 0)
		check_int(backend, PIDRING_BACKEND_URING);
	if (wanted != NULL && strcmp(wanted, "epoll") == 0)
		check_int(backend, PIDRING_BACKEND_EPOLL);
	close_engine(engine);
}

/* The environment goes before the option, and the option before the automatic choice. */
SCENARIO(watches_engines, backend_from_the_option)
{
	struct pidring_engine_options options = { .size = sizeof(options), .backend = PIDRING_BACKEND_EPOLL };
	struct pidring *engine = NULL;
	int result;

	check_int(unsetenv("PIDRING_BACKEND"), 0);
	check_int(pidring_open(&engine, &options), 0);
	check_int(backend_of(engine), PIDRING_BACKEND_EPOLL);
	close_engine(engine);
	options.backend = PIDRING_BACKEND_URING;
	check_int(setenv("PIDRING_BACKEND", "epoll", 1), 0);
	check_int(pidring_open(&engine, &options), 0);
	check_int(backend_of(engine), PIDRING_BACKEND_EPOLL);
	close_engine(engine);
	check_int(unsetenv("PIDRING_BACKEND"), 0);
	result = pidring_open(&engine, &options);
	if (result == -ENOSYS || result == -EPERM)
		skip("io_uring is missing or forbidden here");
	check_int(result, 0);
	check_int(backend_of(engine), PIDRING_BACKEND_URING);
	close_engine(engine);
}

/* Values that mean nothing are refused with a sentence that shows them. */
SCENARIO(watches_engines, wrong_choices)
{
	struct pidring_engine_options options = { .size = sizeof(options),
		                                  .backend = (enum pidring_backend)99 };
	struct pidring *engine = NULL;
	int descriptors = count_descriptors();

	check_int(pidring_open(&engine, &options), -EINVAL);
	options.backend = PIDRING_BACKEND_AUTOMATIC;
	options.size = 3;
	check_int(pidring_open(&engine, &options), -EINVAL);
	check_int(pidring_open(NULL, NULL), -EINVAL);
	check_int(setenv("PIDRING_BACKEND", "kqueue", 1), 0);
	check_int(pidring_open(&engine, NULL), -EINVAL);
	check_contains(pidring_explain(), "kqueue");
	check_int(unsetenv("PIDRING_BACKEND"), 0);
	check_int(setenv("PIDRING_CLONE", "spoon", 1), 0);
	check_int(pidring_open(&engine, NULL), -EINVAL);
	check_contains(pidring_explain(), "spoon");
	check(engine == NULL);
	check_int(count_descriptors(), descriptors);
}
