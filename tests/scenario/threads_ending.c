/* SPDX-License-Identifier: MIT */
/* What outlives the thread that made it: children, whatever their death signal, and what an engine watches. */
#define _GNU_SOURCE
#include "crew.h"
#include "expected_ends.h"

/* --- a thread that starts and ends --- */

struct starter {
	struct pidring_process *process;
	pid_t thread_id;
};

static void *start_and_end(void *argument)
{
	struct starter *starter = argument;

	starter->thread_id = own_thread_id();
	check_int(pidring_process_start(starter->process), 0);
	return NULL;
}

static void start_in_a_passing_thread(struct pidring_process *process)
{
	struct starter starter = { .process = process };

	end_thread(start_thread(start_and_end, &starter));
	wait_thread_gone(starter.thread_id);
}

/* Any thread may join what another, which is gone, has started. */
SCENARIO(threads_ending, starter_ends_and_another_joins)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = new_function(engine, seven_after_latch, &latch);

	start_in_a_passing_thread(process);
	check_int(pidring_process_is_alive(process), 1);
	latch_release(&latch);
	check_int(finish(process), 7);
	latch_close(&latch);
	close_engine(engine);
}

struct echo {
	int to_child[2];
	int from_child[2];
};

static struct echo open_echo(void)
{
	struct echo echo;

	open_pipe(echo.to_child);
	open_pipe(echo.from_child);
	return echo;
}

static void close_echo(struct echo *echo)
{
	close(echo->to_child[0]);
	close(echo->to_child[1]);
	close(echo->from_child[0]);
	close(echo->from_child[1]);
}

static int echo_forever(void *argument)
{
	struct echo *echo = argument;
	char byte;

	while (read(echo->to_child[0], &byte, 1) == 1)
		check_int(write(echo->from_child[1], &byte, 1), 1);
	return 0;
}

/* The child is there and nothing is on its way to end it. */
static void check_answers(struct echo *echo)
{
	char answer = 0;

	for (char byte = 'a'; byte <= 'e'; byte++) {
		struct pollfd entry = { .fd = echo->from_child[0], .events = POLLIN };

		check_int(write(echo->to_child[1], &byte, 1), 1);
		check_int(poll(&entry, 1, 30000), 1);
		check_int(read(echo->from_child[0], &answer, 1), 1);
		check_int(answer, byte);
	}
}

static void check_lives_without_its_thread(struct pidring_options options)
{
	struct pidring *engine = open_engine();
	struct echo echo = open_echo();
	struct pidring_process *process;

	if (options.argv == NULL) {
		options.target = echo_forever;
		options.argument = &echo;
	} else {
		options.stdin_to = PIDRING_STREAM_DESCRIPTOR;
		options.stdin_descriptor = echo.to_child[0];
		options.stdout_to = PIDRING_STREAM_DESCRIPTOR;
		options.stdout_descriptor = echo.from_child[1];
	}
	process = new_process(engine, options);
	start_in_a_passing_thread(process);
	check_answers(&echo);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_terminate(process), 0);
	check_int(finish(process), -SIGTERM);
	close_echo(&echo);
	close_engine(engine);
}

/* A daemon's death signal is tied to the process: it survives the thread that started it. */
SCENARIO(threads_ending, daemon_function_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){ .daemon = PIDRING_YES });
}

/* The same for a program. */
SCENARIO(threads_ending, daemon_program_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){
		.argv = (const char *const[]){ "cat", NULL },
		.daemon = PIDRING_YES,
	});
}

/* The same for an ordinary function with a death signal that cannot be missed. */
SCENARIO(threads_ending, death_signal_function_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){ .death_signal = SIGKILL });
}

/* The same for an asynchronously started program. */
SCENARIO(threads_ending, death_signal_program_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){
		.argv = (const char *const[]){ "cat", NULL },
		.death_signal = SIGKILL,
		.asynchronous = true,
	});
}

enum { GROUP = 100 };

struct group_start {
	struct pidring_process *processes[GROUP];
	pid_t thread_id;
};

/* Daemons of many passing threads all live, and all are found by the thread that ends them. */
SCENARIO(threads_ending, many_passing_threads_start_daemons)
{
	enum { DAEMONS = 20 };
	struct pidring *engine = open_engine();
	struct pidring_process *daemons[DAEMONS];

	for (int i = 0; i < DAEMONS; i++) {
		daemons[i] = new_process(
			engine, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
		start_in_a_passing_thread(daemons[i]);
	}
	check_int(pidring_active_children(NULL, 0), DAEMONS);
	for (int i = 0; i < DAEMONS; i++)
		check_int(pidring_process_terminate(daemons[i]), 0);
	check_int(pidring_join_all(daemons, DAEMONS, PIDRING_FOREVER), 0);
	for (int i = 0; i < DAEMONS; i++)
		check_int(finish(daemons[i]), -SIGTERM);
	close_engine(engine);
}

static void *start_many_and_end(void *argument)
{
	struct group_start *group = argument;

	group->thread_id = own_thread_id();
	check_int(pidring_start_many(group->processes, GROUP), GROUP);
	return NULL;
}

/* Functions and programs, daemons and others, started together by a thread that ends: all live on. */
SCENARIO(threads_ending, passing_thread_starts_many)
{
	struct pidring *engine = open_engine();
	const char *const program[] = { "sleep", "1000", NULL };
	struct group_start group;

	for (int i = 0; i < GROUP; i++) {
		struct pidring_options options = { .daemon = i % 2 == 0 ? PIDRING_YES : PIDRING_INHERITED };

		if (i % 3 == 0)
			options.target = sleep_forever;
		else
			options.argv = program;
		options.asynchronous = i % 3 == 1;
		group.processes[i] = new_process(engine, options);
	}
	end_thread(start_thread(start_many_and_end, &group));
	wait_thread_gone(group.thread_id);
	check_int(pidring_active_children(NULL, 0), GROUP);
	for (int i = 0; i < GROUP; i++)
		check_int(pidring_process_kill(group.processes[i]), 0);
	for (int i = 0; i < GROUP; i++)
		check_int(finish(group.processes[i]), -SIGKILL);
	close_engine(engine);
}

/* --- a thread that watches and ends --- */

struct armer {
	struct pidring *engine;
	struct pidring_process *process;
	pid_t thread_id;
};

static void *start_look_and_end(void *argument)
{
	struct armer *armer = argument;
	struct pidring_event event;

	armer->thread_id = own_thread_id();
	if (armer->engine == NULL)
		armer->engine = open_engine();
	if (pidring_process_pid(armer->process) < 0 && armer->process != NULL)
		check_int(pidring_process_start(armer->process), 0);
	check(pidring_fd(armer->engine) >= 0);
	check_int(pidring_wait(armer->engine, &event, 1, 0), 0);
	return NULL;
}

/* What a thread watched is not lost with it: the next thread gets the event. */
SCENARIO(threads_ending, watching_thread_ends)
{
	for (int round = 0; round < 10; round++) {
		struct latch latch = latch_open();
		struct armer armer = { .engine = open_engine() };
		struct pidring_event event;

		armer.process = new_function(armer.engine, seven_after_latch, &latch);
		end_thread(start_thread(start_look_and_end, &armer));
		if (round % 2 == 0)
			wait_thread_gone(armer.thread_id);
		latch_release(&latch);
		if (round % 3 == 0)
			wait_ended(armer.process);
		check_int(pidring_wait(armer.engine, &event, 1, PIDRING_FOREVER), 1);
		check_event_of(&event, PIDRING_EXITED, armer.process);
		check_int(event.code, 7);
		check_int(pidring_wait(armer.engine, &event, 1, 0), 0);
		check_int(finish(armer.process), 7);
		close_engine(armer.engine);
		latch_close(&latch);
	}
}

/* An engine opened by a thread that has ended serves the others, through its descriptor too. */
SCENARIO(threads_ending, opening_thread_ends)
{
	struct armer armer = { 0 };
	struct pidring_process *process;
	struct pidring_event event;
	int count = 0;

	end_thread(start_thread(start_look_and_end, &armer));
	wait_thread_gone(armer.thread_id);
	process = start_function(armer.engine, return_zero, NULL);
	while (count == 0) {
		struct pollfd entry = { .fd = pidring_fd(armer.engine), .events = POLLIN };

		check_int(poll(&entry, 1, -1), 1);
		count = pidring_wait(armer.engine, &event, 1, 0);
		check(count >= 0);
	}
	check_event_of(&event, PIDRING_EXITED, process);
	check_int(finish(process), 0);
	close_engine(armer.engine);
}

/* A chain of threads, each of which arms one more child and ends; one thread then gets all the ends. */
SCENARIO(threads_ending, many_watching_threads_end)
{
	enum { LINKS = 12 };
	struct latch latch = latch_open();
	struct armer armer = { .engine = open_engine() };
	struct pidring_process *processes[LINKS];
	struct pidring_event events[LINKS];
	int total = 0;

	for (int i = 0; i < LINKS; i++) {
		armer.process = processes[i] = new_function(armer.engine, wait_for_latch, &latch);
		end_thread(start_thread(start_look_and_end, &armer));
		wait_thread_gone(armer.thread_id);
	}
	for (int i = 0; i < LINKS; i++)
		latch_release(&latch);
	while (total < LINKS) {
		int count = pidring_wait(armer.engine, events, LINKS, PIDRING_FOREVER);

		check(count > 0);
		for (int i = 0; i < count; i++)
			check_int(events[i].type, PIDRING_EXITED);
		total += count;
	}
	check_int(total, LINKS);
	check_int(pidring_outstanding(armer.engine), 0);
	for (int i = 0; i < LINKS; i++)
		check_int(finish(processes[i]), 0);
	latch_close(&latch);
	close_engine(armer.engine);
}
