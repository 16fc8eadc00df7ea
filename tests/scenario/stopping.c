/* SPDX-License-Identifier: MIT */
/* Deadlines, and stopping step by step. */
#define _GNU_SOURCE
#include "scenario.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static struct pidring *engine;

/* A child that is ready says so here, and has it open until its end. */
static struct latch ready;

/* --- children --- */

static int ignore_term(void *unused)
{
	(void)unused;
	signal(SIGTERM, SIG_IGN);
	latch_release(&ready);
	return sleep_forever(NULL);
}

static int obey(void *unused)
{
	latch_release(&ready);
	return sleep_forever(unused);
}

static void end_with_seven(int unused)
{
	(void)unused;
	_exit(7);
}

static int end_with_seven_on_usr1(void *unused)
{
	signal(SIGUSR1, end_with_seven);
	return ignore_term(unused);
}

/* It and two children of its own, all of them deaf to SIGTERM. */
static int family_that_ignores_term(void *unused)
{
	signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			ignore_term(NULL);
	return ignore_term(unused);
}

/* The leader ends, its child stays. */
static int leave_one_behind(void *unused)
{
	(void)unused;
	if (fork() == 0)
		ignore_term(NULL);
	return 0;
}

/* Its writer has been closed. */
static void latch_gone(void)
{
	close(ready.reader);
	ready.reader = 0;
}

static struct pidring_process *start_ready(int (*target)(void *), struct pidring_options options)
{
	options.target = target;
	if (ready.reader == 0)
		ready = latch_open();
	struct pidring_process *process = start_process(engine, options);
	latch_wait(&ready);
	return process;
}

/* --- ladders --- */

static const struct pidring_stop_step term_then_kill[] = { { SIGTERM, 20 * MILLISECONDS }, { SIGKILL, 0 } };
static const struct pidring_stop_step only_kill[] = { { SIGKILL, 0 } };
/* Nothing happens before a long time is over. */
static const struct pidring_stop_step patient[] = { { 0, 3600 * 1000 * MILLISECONDS }, { SIGKILL, 0 } };

#define STEPS(array)                                                           \
	(struct pidring_stop_options)                                          \
	{                                                                      \
		.size = sizeof(struct pidring_stop_options), .steps = (array), \
		.step_count = sizeof(array) / sizeof((array)[0])               \
	}

static int stop(struct pidring_process *process, struct pidring_stop_options options)
{
	return pidring_process_stop(process, &options);
}

static struct pidring_exit_record record_of(struct pidring_process *process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };

	check_int(pidring_process_exit_record(process, &record), 0);
	return record;
}

static void check_end(struct pidring_process *process, int code, int stop_signal, bool deadline_passed)
{
	struct pidring_exit_record record = record_of(process);

	check_int(record.code, code);
	check_int(record.stop_signal, stop_signal);
	check_int(record.deadline_passed, deadline_passed);
	pidring_process_free(process);
}

/* Fetches events until this one has come, which must be a process's next. */
static void await(enum pidring_event_type type, struct pidring_process *process)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, type);
	check(event.process == process);
}

static void close_all(void)
{
	close_engine(engine);
	latch_close(&ready);
}

/* The first signal goes out at once, nobody needs to wait. */
SCENARIO(stopping, first_signal_at_once)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(pidring_process_stop(process, NULL), 0);
	wait_ended(process);
	check_int(join_code(process), -SIGTERM);
	/* SIGTERM and SIGCONT go out together. */
	check_int(record_of(process).stop_signal, SIGTERM);
	check_int(record_of(process).deadline_passed, false);
	pidring_process_free(process);
	close_all();
}

/* The others follow after their wait, not earlier. */
SCENARIO(stopping, next_signal_after_its_wait)
{
	struct pidring_process *process;
	int64_t begin;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	begin = now();
	check_int(stop(process, STEPS(term_then_kill)), 0);
	await(PIDRING_EXITED, process);
	check(now() - begin >= 20 * MILLISECONDS);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* Steps without a wait follow at once; signal 0 sends nothing. */
SCENARIO(stopping, steps_without_a_wait)
{
	static const struct pidring_stop_step steps[] = {
		{ 0, 0 }, { SIGTERM, 0 }, { 0, 0 }, { SIGUSR1, 0 }
	};
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(end_with_seven_on_usr1, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(steps)), 0);
	wait_ended(process);
	check_int(join_code(process), 7);
	check_end(process, 7, SIGUSR1, false);
	close_all();
}

/* A ladder may consist of waits alone. */
SCENARIO(stopping, first_step_may_wait)
{
	static const struct pidring_stop_step steps[] = { { 0, 20 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_process *process;
	int64_t begin;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	begin = now();
	check_int(stop(process, STEPS(steps)), 0);
	check_int(join_code(process), -SIGKILL);
	check(now() - begin >= 20 * MILLISECONDS);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* One that is stopped (SIGSTOP) is continued, and acts upon SIGTERM then. */
SCENARIO(stopping, stopped_process_is_continued)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(pidring_process_signal(process, SIGSTOP), 0);
	while (process_state(pidring_process_pid(process)) != 'T')
		poll(NULL, 0, 1);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(join_code(process), -SIGTERM);
	check_end(process, -SIGTERM, SIGTERM, false);
	close_all();
}

/* The process's own steps are the default. */
SCENARIO(stopping, steps_of_the_process)
{
	struct pidring_process *process;
	struct pidring_stop_options nothing = { .size = sizeof(nothing) };

	engine = open_engine();
	process = start_ready(ignore_term,
	                      (struct pidring_options){ .stop_steps = only_kill, .stop_step_count = 1 });
	check_int(stop(process, nothing), 0);
	check_int(join_code(process), -SIGKILL);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* A stop that is under way is replaced by another, whose steps are copied. */
SCENARIO(stopping, replaced_by_another)
{
	struct pidring_stop_step steps[] = { { SIGTERM, 20 * MILLISECONDS }, { SIGUSR1, 0 } };
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(end_with_seven_on_usr1, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(patient)), 0);
	check_int(stop(process, STEPS(steps)), 0);
	steps[1].signal_number = SIGKILL;
	check_int(join_code(process), 7);
	check_end(process, 7, SIGUSR1, false);

	process = start_ready(end_with_seven_on_usr1, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(term_then_kill)), 0);
	check_int(stop(process, STEPS(patient)), 0);
	check_int(pidring_process_join(process, 60 * MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_process_is_alive(process), 1);
	kill_and_free(process);
	close_all();
}

/* A process that has ended is stopped. */
SCENARIO(stopping, after_the_end)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_process_set_deadline(process, 0), 0);
	check_int(join_code(process), 0);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_process_set_deadline(process, 0), 0);
	await(PIDRING_EXITED, process);
	check_int(pidring_outstanding(engine), 0);
	check_end(process, 0, 0, false);
	close_engine(engine);
}

static int leave_a_stubborn_member(void *argument)
{
	struct latch *latch = argument;

	if (fork() == 0) {
		signal(SIGTERM, SIG_IGN);
		latch_release(latch);
		for (;;)
			pause();
	}
	for (;;)
		pause();
	return 0;
}

/* The leader obeys, somebody in its group does not: `last` waits for the end of the stop. */
SCENARIO(stopping, last_comes_after_the_group)
{
	const struct pidring_stop_step steps[] = { { SIGTERM, 100 * MILLISECONDS }, { SIGKILL, 0 } };
	struct latch latch = latch_open();
	struct pidring_event event = { 0 };
	struct pidring_process *process;

	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = leave_a_stubborn_member,
	                                                          .argument = &latch,
	                                                          .new_group = true,
	                                                          .stop_group = true,
	                                                          .stop_steps = steps,
	                                                          .stop_step_count = 2 });
	latch_wait(&latch);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, -SIGTERM);
	check(!event.last);
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_GROUP_STOPPED);
	check_int(event.code, SIGKILL);
	check(event.last);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	latch_close(&latch);
	close_engine(engine);
}

/* Nobody of the group is left when the leader ends: that is the end of the stop, without a wait. */
SCENARIO(stopping, an_empty_group_is_stopped)
{
	const struct pidring_stop_step steps[] = { { SIGTERM, PIDRING_FOREVER }, { SIGKILL, 0 } };
	struct pidring_event event = { 0 };
	struct pidring_process *process;

	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = sleep_forever,
	                                                          .new_group = true,
	                                                          .stop_group = true,
	                                                          .stop_steps = steps,
	                                                          .stop_step_count = 2 });
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.last);
	pidring_process_free(process);
	close_engine(engine);
}

/* A process whose program is not yet known to run can be stopped. */
SCENARIO(stopping, asynchronous_start)
{
	struct pidring_process *process;
	int code;

	engine = open_engine();
	process = start_process(engine,
	                        (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
	                                                  .asynchronous = true,
	                                                  .new_session = true,
	                                                  .stop_group = true });
	check_int(pidring_process_stop(process, NULL), 0);
	code = join_code(process);
	check_int(code, -SIGTERM);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- what drives it --- */

/* A join alone does. */
SCENARIO(stopping, driven_by_join)
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
SCENARIO(stopping, driven_by_join_all)
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

SCENARIO(stopping, driven_by_wait_any)
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
SCENARIO(stopping, driven_by_wait_any_of_two_engines)
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
SCENARIO(stopping, driven_by_descriptor)
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
SCENARIO(stopping, from_another_thread_during_a_join)
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
SCENARIO(stopping, from_another_thread_during_a_wait)
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
SCENARIO(stopping, keeper_of_the_time_leaves)
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

SCENARIO(stopping, crowd_of_joins)
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
SCENARIO(stopping, join_without_descriptors)
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
SCENARIO(stopping, driven_by_the_exit_function)
{
	engine = open_engine();
	ready = latch_open();
	check_int(finish(start_function(engine, leave_to_exit_function, NULL)), 5);
	close_all();
}

/* --- groups --- */

/* All of a group get the signals, and no longer exist afterwards. */
SCENARIO(stopping, whole_group)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(term_then_kill);

	engine = open_engine();
	process = start_ready(family_that_ignores_term, (struct pidring_options){ .new_group = true });
	latch_wait(&ready);
	latch_wait(&ready);
	close(ready.writer);
	options.group = true;
	check_int(stop(process, options), 0);
	check_int(join_code(process), -SIGKILL);
	/* The grandchildren had it open. */
	check_text(read_all(ready.reader), "");
	check_end(process, -SIGKILL, SIGKILL, false);
	latch_gone();
	close_engine(engine);
}

static void wait_for_end_of_grandchild(void)
{
	struct pidring_event event;

	while (!is_readable(ready.reader))
		check(pidring_wait(engine, &event, 1, 5 * MILLISECONDS) >= 0);
	check_text(read_all(ready.reader), "");
}

/* A leader that ends, at whatever step, does not save the others. */
SCENARIO(stopping, group_whose_leader_has_ended)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(term_then_kill);

	engine = open_engine();
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_session = true });
	close(ready.writer);
	check_int(join_code(process), 0);
	check(!is_readable(ready.reader));
	options.group = true;
	check_int(stop(process, options), 0);
	wait_for_end_of_grandchild();
	/* What was sent after its end is not in its record. */
	check_end(process, 0, 0, false);
	latch_gone();
	close_engine(engine);
}

static int end_on_term_and_leave_one(void *unused)
{
	if (fork() == 0)
		ignore_term(NULL);
	latch_release(&ready);
	return sleep_forever(unused);
}

SCENARIO(stopping, group_whose_leader_obeys)
{
	static const struct pidring_stop_step steps[] = { { SIGTERM, 500 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(end_on_term_and_leave_one,
	                      (struct pidring_options){ .new_group = true, .stop_group = true });
	latch_wait(&ready);
	close(ready.writer);
	check_int(stop(process, STEPS(steps)), 0);
	check_int(join_code(process), -SIGTERM);
	wait_for_end_of_grandchild();
	check_end(process, -SIGTERM, SIGTERM, false);
	latch_gone();
	close_engine(engine);
}

/* Freeing the object ends all that. */
SCENARIO(stopping, group_is_left_when_the_object_is_freed)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(term_then_kill);
	struct pidring_event event;
	pid_t group;

	engine = open_engine();
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_group = true });
	group = pidring_process_pid(process);
	close(ready.writer);
	check_int(join_code(process), 0);
	options.group = true;
	check_int(stop(process, options), 0);
	pidring_process_free(process);
	check_int(pidring_wait(engine, &event, 1, 60 * MILLISECONDS), 0);
	check(!is_readable(ready.reader));
	check_int(kill(-group, SIGKILL), 0);
	check_text(read_all(ready.reader), "");
	latch_gone();
	close_engine(engine);
}

static void signal_groups(void)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(family_that_ignores_term, (struct pidring_options){ .new_group = true });
	latch_wait(&ready);
	latch_wait(&ready);
	close(ready.writer);
	check_int(pidring_process_signal_group(process, 0), 0);
	check_int(pidring_process_signal_group(process, SIGTERM), 0);
	check_int(pidring_process_signal_group(process, SIGKILL), 0);
	check_int(join_code(process), -SIGKILL);
	check_text(read_all(ready.reader), "");
	latch_gone();
	pidring_process_free(process);
	close_engine(engine);
}

/* A group can be signalled at any time. */
SCENARIO(stopping, group_is_signalled)
{
	signal_groups();
}

/* One that has not made its group yet is alone, and the starter's own group is not meant. */
SCENARIO(stopping, group_that_is_not_there_yet)
{
	struct pidring_process *process;

	engine = open_engine();
	for (int i = 0; i < 50; i++) {
		process = start_process(engine, (struct pidring_options){ .target = sleep_forever,
		                                                          .new_group = i % 2 == 0,
		                                                          .new_session = i % 2 == 1 });
		check_int(pidring_process_signal_group(process, SIGTERM), 0);
		check_int(finish(process), -SIGTERM);
		process = start_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
		                                          .asynchronous = true,
		                                          .new_group = true });
		check_int(pidring_process_signal_group(process, SIGTERM), 0);
		check_int(finish(process), -SIGTERM);
	}
	close_engine(engine);
}

/* When the leader has ended, too, as long as there is anybody. */
SCENARIO(stopping, group_is_signalled_after_the_end)
{
	struct pidring_features features = { .size = sizeof(features) };
	struct pidring_process *process;

	engine = open_engine();
	check_int(pidring_features(engine, &features), 0);
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_group = true });
	close(ready.writer);
	check_int(join_code(process), 0);
	if (features.group_signal)
		check_int(pidring_process_signal_group(process, SIGKILL), 0);
	else
		check_int(kill(-pidring_process_pid(process), SIGKILL), 0);
	check_text(read_all(ready.reader), "");
	latch_gone();
	pidring_process_free(process);

	process = start_process(engine, (struct pidring_options){ .target = return_zero, .new_group = true });
	wait_ended(process);
	check_int(pidring_process_signal_group(process, 0), -ESRCH);
	check_int(pidring_process_signal_group(process, SIGKILL), -ESRCH);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* As before Linux 6.9. */
static void refuse_group_flag(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		skip("no seccomp here");
}

/* Without the kernel's help the group is signalled by its number, as long as that cannot be another's. */
SCENARIO(stopping, group_is_signalled_by_number)
{
	struct pidring_features features = { .size = sizeof(features) };
	struct pidring_process *process;

	refuse_group_flag();
	signal_groups();
	engine = open_engine();
	check_int(pidring_features(engine, &features), 0);
	check_int(features.group_signal, false);
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_group = true });
	close(ready.writer);
	check_int(join_code(process), 0);
	check_int(pidring_process_signal_group(process, SIGKILL), -ESRCH);
	check_int(kill(-pidring_process_pid(process), SIGKILL), 0);
	check_text(read_all(ready.reader), "");
	latch_gone();
	pidring_process_free(process);
	close_engine(engine);
}

/* The group of a process that has none of its own is somebody else's, too. */
SCENARIO(stopping, group_of_others_is_refused)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(only_kill);

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	options.group = true;
	check_int(stop(process, options), -EPERM);
	check_contains(pidring_explain(), "leads no group");
	check_int(pidring_process_signal_group(process, 0), -EPERM);
	check_contains(pidring_explain(), "leads no group");
	check_int(pidring_process_is_alive(process), 1);
	kill_and_free(process);
	close_all();
}

/* --- deadlines --- */

/* The deadline is told, then the process is stopped as its options say, and the record knows. */
SCENARIO(stopping, deadline)
{
	struct pidring_process *process;
	struct pidring_exit_record record;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ .deadline = 30 * MILLISECONDS,
	                                                             .stop_steps = term_then_kill,
	                                                             .stop_step_count = 2 });
	await(PIDRING_DEADLINE_PASSED, process);
	await(PIDRING_EXITED, process);
	check_int(pidring_outstanding(engine), 0);
	record = record_of(process);
	check(record.end_time - record.start_time >= 50 * MILLISECONDS);
	check_end(process, -SIGKILL, SIGKILL, true);
	close_all();
}

/* It stops a program, and its whole group. */
SCENARIO(stopping, deadline_of_a_group)
{
	struct pidring_process *process;
	int ends[2];

	engine = open_engine();
	open_pipe(ends);
	process = start_process(
		engine, (struct pidring_options){
				.argv = (const char *[]){ "sh", "-c", "sleep 1000 & sleep 1000", NULL },
				.stdout_to = PIDRING_STREAM_DESCRIPTOR,
				.stdout_descriptor = ends[1],
				.new_group = true,
				.deadline = 50 * MILLISECONDS,
				.stop_group = true });
	close(ends[1]);
	check_int(join_code(process), -SIGTERM);
	check_text(read_all(ends[0]), "");
	close(ends[0]);
	check(record_of(process).deadline_passed);
	pidring_process_free(process);
	close_engine(engine);
}

/* It can be moved and taken back. */
SCENARIO(stopping, deadline_is_moved)
{
	struct pidring_process *process;
	struct pidring_event event;
	int64_t begin;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ .deadline = 3600 * 1000 * MILLISECONDS });
	check_int(pidring_wait(engine, &event, 1, 5 * MILLISECONDS), 0);
	begin = now();
	check_int(pidring_process_set_deadline(process, 20 * MILLISECONDS), 0);
	await(PIDRING_DEADLINE_PASSED, process);
	check(now() - begin >= 20 * MILLISECONDS);
	await(PIDRING_EXITED, process);
	pidring_process_free(process);

	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(pidring_process_set_deadline(process, 30 * MILLISECONDS), 0);
	check_int(pidring_process_set_deadline(process, PIDRING_FOREVER), 0);
	check_int(pidring_wait(engine, &event, 1, 60 * MILLISECONDS), 0);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_set_deadline(process, -1), 0);
	await(PIDRING_DEADLINE_PASSED, process);
	await(PIDRING_EXITED, process);
	pidring_process_free(process);
	close_all();
}

/* One that ends in time is not told of its deadline, even if nobody looked before that had passed. */
SCENARIO(stopping, deadline_after_the_end)
{
	struct pidring_process *process;
	struct pidring_event event;

	engine = open_engine();
	process = start_process(
		engine, (struct pidring_options){ .target = return_zero, .deadline = 1000 * MILLISECONDS });
	wait_ended(process);
	check_int(pidring_process_set_deadline(process, 1), 0);
	poll(NULL, 0, 5);
	await(PIDRING_EXITED, process);
	check_int(pidring_wait(engine, &event, 1, 10 * MILLISECONDS), 0);
	check_end(process, 0, 0, false);

	/* The timer runs out with the zombie unseen. */
	struct latch latch = latch_open();
	process = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_set_deadline(process, 300 * MILLISECONDS), 0);
	int64_t begin = now();
	latch_release(&latch);
	wait_ended(process);
	bool in_time = now() - begin < 250 * MILLISECONDS;
	poll(NULL, 0, 400);
	if (in_time) {
		await(PIDRING_EXITED, process);
		check_end(process, 0, 0, false);
	} else {
		pidring_process_free(process);
	}
	latch_close(&latch);
	close_engine(engine);
}

/* A deadline that is over when the child has hardly begun. */
SCENARIO(stopping, shortest_deadline)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = sleep_forever, .deadline = 1 });
	check_int(join_code(process), -SIGTERM);
	check(record_of(process).deadline_passed);
	pidring_process_free(process);
	process = start_process(
		engine, (struct pidring_options){ .target = return_zero, .deadline = PIDRING_FOREVER });
	check_int(join_code(process), 0);
	check_end(process, 0, 0, false);
	close_engine(engine);
}

/* --- objects and engines that go --- */

/* A process that is freed while it is stopped is stopped to the end, and so is one with a deadline. */
SCENARIO(stopping, freed_during_a_stop)
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
SCENARIO(stopping, engine_is_closed_during_a_stop)
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
SCENARIO(stopping, engine_is_closed_during_a_join)
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

/* --- what is refused --- */

SCENARIO(stopping, bad_options)
{
	static const struct pidring_stop_step no_signal[] = { { SIGTERM, 0 }, { 65, 0 } };
	static const struct pidring_stop_step negative_signal[] = { { -9, 0 } };
	static const struct pidring_stop_step negative_wait[] = { { SIGTERM, 5 }, { 0, -3 } };
	struct pidring_stop_options nothing = { .size = sizeof(nothing), .step_count = 2 };
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(stop(process, (struct pidring_stop_options){ 0 }), -EINVAL);
	check_contains(pidring_explain(), "pidring_stop_options");
	check_int(stop(process, nothing), -EINVAL);
	check_contains(pidring_explain(), "step_count is 2");
	check_int(stop(process, STEPS(no_signal)), -EINVAL);
	check_contains(pidring_explain(), "steps[1].signal_number is 65");
	check_int(stop(process, STEPS(negative_signal)), -EINVAL);
	check_contains(pidring_explain(), "steps[0].signal_number is -9");
	check_int(stop(process, STEPS(negative_wait)), -EINVAL);
	check_contains(pidring_explain(), "steps[1].wait is -3");
	check_int(pidring_process_signal_group(process, 65), -EINVAL);
	check_contains(pidring_explain(), "no signal 65");
	check_int(pidring_process_stop(NULL, NULL), -EINVAL);
	check_contains(pidring_explain(), "pidring_process_stop");
	check_int(pidring_process_set_deadline(NULL, 0), -EINVAL);
	check_contains(pidring_explain(), "pidring_process_set_deadline");
	check_int(pidring_process_signal_group(NULL, 0), -EINVAL);
	check_contains(pidring_explain(), "pidring_process_signal_group");
	check_int(pidring_process_is_alive(process), 1);
	kill_and_free(process);
	close_all();
}

static void check_refused(struct pidring_process *process, int error)
{
	check_int(pidring_process_stop(process, NULL), error);
	check_int(pidring_process_set_deadline(process, 0), error);
	check_int(pidring_process_signal_group(process, 0), error);
}

static int check_relatives(void *unused)
{
	(void)unused;
	check_refused(pidring_current_process(), -ESRCH);
	check_refused(pidring_parent_process(), -EPERM);
	return 0;
}

SCENARIO(stopping, needs_a_process_that_was_started_here)
{
	struct pidring_process *process;
	int status;

	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .target = sleep_forever, .new_group = true });
	check_refused(process, -ESRCH);
	check_refused(pidring_current_process(), -ESRCH);
	check_int(pidring_process_start(process), 0);

	pid_t copy = fork();
	if (copy == 0) {
		check_refused(process, -ECHILD);
		_exit(0);
	}
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);

	check_int(pidring_process_kill(process), 0);
	check_int(join_code(process), -SIGKILL);
	check_int(pidring_process_close(process), 0);
	check_refused(process, -EBADF);
	pidring_process_free(process);
	check_int(finish(start_function(engine, check_relatives, NULL)), 0);
	close_engine(engine);
}

/* In the copy of a fork no timer of the original's runs; its own do. */
SCENARIO(stopping, timers_of_a_fork)
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

/* --- many --- */

static size_t how_many(void)
{
	return getenv("PIDRING_TEST_SMALL") != NULL ? 100 : 1000;
}

struct one_of_many {
	struct pidring_process *process;
	int64_t at_least, at_most; /* the moment of its deadline */
	bool cancelled, passed, ended;
};

static void set_deadline_of(struct one_of_many *one, int64_t timeout)
{
	one->at_least = now() + timeout;
	check_int(pidring_process_set_deadline(one->process, timeout), 0);
	one->at_most = now() + timeout;
}

static void start_one_of_many(struct one_of_many *one)
{
	one->process = start_process(
		engine, (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
	                                          .asynchronous = true,
	                                          .user_data = one });
}

static void await_starts(size_t count)
{
	while (count > 0) {
		struct pidring_event event;

		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_STARTED);
		count--;
	}
}

/* Deadlines pass in their order, whatever the order in which they were set, moved and cancelled. */
SCENARIO(stopping, many_deadlines)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 2400 };
	size_t count = how_many(), passed = 0, ended = 0, cancelled = 0;
	struct one_of_many *many = calloc(count, sizeof(*many));
	int64_t latest = 0;

	check_int(pidring_open(&engine, &options), 0);
	for (size_t i = 0; i < count; i++)
		start_one_of_many(&many[i]);
	await_starts(count);
	for (size_t i = 0; i < count; i++)
		set_deadline_of(&many[i], (int64_t)(i * 7919 % 1009) * MILLISECONDS / 10);
	for (size_t i = 0; i < count; i += 3)
		set_deadline_of(&many[i], (int64_t)(i * 104729 % 997) * MILLISECONDS / 10);
	for (size_t i = 0; i < count; i += 10) {
		check_int(pidring_process_set_deadline(many[i].process, PIDRING_FOREVER), 0);
		many[i].cancelled = true;
		cancelled++;
	}
	/* All are over, so what follows is the order of the timers. */
	poll(NULL, 0, 150);
	while (ended < count) {
		struct pidring_event events[64];
		int got = pidring_wait(engine, events, 64, PIDRING_FOREVER);

		check(got > 0);
		for (int i = 0; i < got; i++) {
			struct one_of_many *one = events[i].user_data;

			if (events[i].type == PIDRING_DEADLINE_PASSED) {
				check(!one->cancelled && !one->passed && !one->ended);
				one->passed = true;
				passed++;
				check(one->at_most >= latest);
				if (one->at_least > latest)
					latest = one->at_least;
			} else if (events[i].type == PIDRING_EXITED) {
				check(one->passed || one->cancelled);
				check_int(events[i].code, one->cancelled ? -SIGKILL : -SIGTERM);
				one->ended = true;
				ended++;
			}
		}
		if (passed < count - cancelled)
			continue;
		for (size_t i = 0; i < count; i += 10)
			check_int(pidring_process_kill(many[i].process), 0);
	}
	check_int(passed, count - cancelled);
	for (size_t i = 0; i < count; i++)
		pidring_process_free(many[i].process);
	free(many);
	close_engine(engine);
}
