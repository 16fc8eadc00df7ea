/* SPDX-License-Identifier: MIT */
/* What drives a stop: joins, waits for events, loops of others, and threads that take over from each other. */
#define _GNU_SOURCE
#include "stops.h"

#include <pthread.h>

/* A join alone does. */
SCENARIO(stopping_drivers, driven_by_join)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(term_then_kill)), 0);
	check_int(join_code(process), -SIGKILL);
	check_end(process, -SIGKILL, SIGKILL, false);

	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(term_then_kill)), 0);
	while (pidring_process_join(process, 0) == -ETIMEDOUT)
		poll(NULL, 0, 1);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* And a join of another process. */
SCENARIO(stopping_drivers, driven_by_join_all)
{
	struct pidring_process *processes[2];

	engine = open_engine();
	for (int i = 0; i < 2; i++)
		processes[i] = start_ready(ignore_term, (struct pidring_options){ 0 });
	for (int i = 0; i < 2; i++)
		check_int(stop(processes[i], STEPS(term_then_kill)), 0);
	check_int(pidring_join_all(processes, 2, PIDRING_FOREVER), 0);
	for (int i = 0; i < 2; i++)
		check_end(processes[i], -SIGKILL, SIGKILL, false);
	close_all();
}

SCENARIO(stopping_drivers, driven_by_wait_any)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(term_then_kill)), 0);
	struct pidring_wait_item item = { .process = process };
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
	check(item.ready);
	check_int(join_code(process), -SIGKILL);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* Those who wait for the processes of several engines keep the time of all. */
SCENARIO(stopping_drivers, driven_by_wait_any_of_two_engines)
{
	struct pidring_process *first, *second;
	struct pidring *other;

	engine = open_engine();
	first = start_ready(ignore_term, (struct pidring_options){ 0 });
	other = engine;
	engine = open_engine();
	second = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(stop(second, STEPS(term_then_kill)), 0);
	struct pidring_wait_item items[] = { { .process = first }, { .process = second } };
	check_int(pidring_wait_any(items, 2, PIDRING_FOREVER), 1);
	check(items[1].ready);
	check_int(finish(second), -SIGKILL);
	kill_and_free(first);
	close_engine(other);
	close_all();
}

/* Another loop that polls pidring_fd is woken when there is something to do. */
SCENARIO(stopping_drivers, driven_by_descriptor)
{
	struct pidring_process *process;
	struct pidring_event event;
	int looks = 0;

	engine = open_engine();
	struct pollfd descriptor = { .fd = pidring_fd(engine), .events = POLLIN };
	check(descriptor.fd >= 0);
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(pidring_process_set_deadline(process, 10 * MILLISECONDS), 0);
	check_int(stop(process, STEPS(patient)), 0);
	for (bool ended = false; !ended; looks++) {
		check_int(poll(&descriptor, 1, 20000), 1);
		if (pidring_wait(engine, &event, 1, 0) == 0)
			continue;
		if (event.type == PIDRING_DEADLINE_PASSED)
			check_int(stop(process, STEPS(term_then_kill)), 0);
		ended = event.type == PIDRING_EXITED;
	}
	/* It does not turn in circles meanwhile. */
	check(looks < 100);
	check_end(process, -SIGKILL, SIGKILL, true);
	close_all();
}

static void *stop_soon(void *process)
{
	poll(NULL, 0, 50);
	check_int(stop(process, STEPS(term_then_kill)), 0);
	return NULL;
}

static void *set_deadline_soon(void *process)
{
	poll(NULL, 0, 50);
	check_int(pidring_process_set_deadline(process, 10 * MILLISECONDS), 0);
	return NULL;
}

/* A thread that is joining already heeds what another one begins. */
SCENARIO(stopping_drivers, from_another_thread_during_a_join)
{
	struct pidring_process *process;
	pthread_t thread;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(pthread_create(&thread, NULL, stop_soon, process), 0);
	check_int(join_code(process), -SIGKILL);
	pthread_join(thread, NULL);
	check_end(process, -SIGKILL, SIGKILL, false);

	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(pthread_create(&thread, NULL, set_deadline_soon, process), 0);
	check_int(join_code(process), -SIGTERM);
	pthread_join(thread, NULL);
	check(record_of(process).deadline_passed);
	pidring_process_free(process);
	close_all();
}

/* So does one that fetches events. */
SCENARIO(stopping_drivers, from_another_thread_during_a_wait)
{
	struct pidring_process *process;
	pthread_t thread;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(pthread_create(&thread, NULL, stop_soon, process), 0);
	await(PIDRING_EXITED, process);
	pthread_join(thread, NULL);
	check_end(process, -SIGKILL, SIGKILL, false);

	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(pthread_create(&thread, NULL, set_deadline_soon, process), 0);
	await(PIDRING_DEADLINE_PASSED, process);
	await(PIDRING_EXITED, process);
	pthread_join(thread, NULL);
	check(record_of(process).deadline_passed);
	pidring_process_free(process);
	close_all();
}

static void *join_for_ever(void *process)
{
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	return NULL;
}

/* Of several that join, one keeps the time for all; when its own process ends another takes over. */
SCENARIO(stopping_drivers, keeper_of_the_time_leaves)
{
	enum { THREADS = 6 };
	static const struct pidring_stop_step steps[] = { { 0, 150 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_process *others[THREADS], *process;
	struct latch latch = latch_open();
	pthread_t threads[THREADS];

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(steps)), 0);
	for (int i = 0; i < THREADS; i++) {
		others[i] = start_function(engine, wait_for_latch, &latch);
		check_int(pthread_create(&threads[i], NULL, join_for_ever, others[i]), 0);
		poll(NULL, 0, 5);
	}
	for (int i = 0; i < THREADS; i++)
		latch_release(&latch);
	check_int(join_code(process), -SIGKILL);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		check_int(finish(others[i]), 0);
	}
	check_end(process, -SIGKILL, SIGKILL, false);
	latch_close(&latch);
	close_all();
}

/* A crowd in which timers are set, joins begin, time out and end. */
static void *live_through(void *argument)
{
	unsigned number = *(unsigned *)argument;

	for (unsigned round = 0; round < 10; round++) {
		struct pidring_process *process = start_function(engine, sleep_forever, NULL);
		int64_t timeout = (1 + (number * 7 + round * 5) % 23) * MILLISECONDS;

		if (round % 3 == 0)
			check_int(pidring_process_join(process, timeout / 2), -ETIMEDOUT);
		if (round % 2 == 0)
			check_int(pidring_process_set_deadline(process, timeout), 0);
		else
			check_int(stop(process, STEPS(term_then_kill)), 0);
		int code = finish(process);
		check(code == -SIGTERM || code == -SIGKILL);
	}
	return NULL;
}

SCENARIO(stopping_drivers, crowd_of_joins)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	unsigned numbers[THREADS];

	engine = open_engine();
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		check_int(pthread_create(&threads[i], NULL, live_through, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	close_engine(engine);
}

/* Without a descriptor to spare for waking each other up, joins look up now and then. */
SCENARIO(stopping_drivers, join_without_descriptors)
{
	struct pidring_process *process;
	struct rlimit limit, none;
	pthread_t thread;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 4;
	check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	check_int(pthread_create(&thread, NULL, stop_soon, process), 0);
	check_int(join_code(process), -SIGKILL);
	pthread_join(thread, NULL);
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

static int leave_to_exit_function(void *unused)
{
	struct pidring *own = open_engine();
	struct pidring_options options = { .size = sizeof(options), .target = ignore_term };
	struct pidring_process *process;

	(void)unused;
	check_int(pidring_process_new(&process, own, &options), 0);
	check_int(pidring_process_start(process), 0);
	latch_wait(&ready);
	check_int(stop(process, STEPS(term_then_kill)), 0);
	return 5;
}

/* So does the exit function, which waits for all children. */
SCENARIO(stopping_drivers, driven_by_the_exit_function)
{
	engine = open_engine();
	ready = latch_open();
	check_int(finish(start_function(engine, leave_to_exit_function, NULL)), 5);
	close_all();
}
