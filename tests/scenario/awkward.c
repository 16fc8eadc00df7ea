/* SPDX-License-Identifier: MIT */
/* Children that are awkward to read from, alone and by the hundred: not one byte is lost or doubled. */
#define _GNU_SOURCE
#include "streams.h"

#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>

/* --- alone --- */

static void run_alone(const char *kind, uint64_t amount, int code)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	begin_child(&child, engine, awkward(&child, kind, 7, amount));
	fetch_all(engine, 64);
	check_int(statistics_of(engine).output_bytes, amount);
	end_child(&child, amount, 0, code);
	close_engine(engine);
}

SCENARIO(awkward, silent)
{
	run_alone("silent", 0, 0);
}

SCENARIO(awkward, one_byte_at_a_time)
{
	run_alone("bytes", (uint64_t)small_or_normal(1000, 50000), 0);
}

SCENARIO(awkward, pieces_of_all_sizes)
{
	run_alone("pieces", (uint64_t)small_or_normal(100, 10000) * 1000 + 1, 0);
}

SCENARIO(awkward, dies_in_mid_line)
{
	run_alone("broken", 12345, -SIGKILL);
}

/* It has ended, with a full pipe, before anybody looks. */
SCENARIO(awkward, ends_with_a_full_pipe)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	begin_child(&child, engine, awkward(&child, "amount", 3, 64 * KIBIBYTE));
	wait_ended(child.process);
	fetch_all(engine, 64);
	end_child(&child, 64 * KIBIBYTE, 0, 0);
	close_engine(engine);
}

SCENARIO(awkward, nuls)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct pidring_event event;
	size_t nuls = 0;

	begin_child(&child, engine, awkward(&child, "nuls", 1, 10000));
	while (pidring_outstanding(engine) > 0) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		for (size_t i = 0; event.type == PIDRING_OUTPUT && i < event.length; i++)
			nuls += event.data[i] == '\0';
		take_event(&event);
	}
	check_int(nuls, 10000);
	end_child(&child, 10000, 0, 0);
	close_engine(engine);
}

/* A gigabyte goes through the memory of a few pipes. */
SCENARIO(awkward, writes_a_gigabyte)
{
	struct pidring *engine = open_engine();
	uint64_t amount = (uint64_t)small_or_normal(16, 1024) * MEBIBYTE;
	struct child child = { 0 };
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	begin_child(&child, engine, awkward(&child, "amount", 5, amount));
	fetch_all(engine, 64);
	getrusage(RUSAGE_SELF, &after);
	end_child(&child, amount, 0, 0);
	/* 4 MiB are the engine's; a sanitizer adds some of its own. */
	check(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
	close_engine(engine);
}

SCENARIO(awkward, endless)
{
	struct pidring *engine = open_engine();
	uint64_t enough = (uint64_t)small_or_normal(1, 16) * MEBIBYTE;
	struct child child = { 0 };

	begin_child(&child, engine, awkward(&child, "endless", 6, 0));
	while (child.received[0] < enough)
		fetch(engine, 64, PIDRING_FOREVER);
	check_int(pidring_process_kill(child.process), 0);
	fetch_all(engine, 64);
	end_child(&child, child.received[0], 0, -SIGKILL);
	close_engine(engine);
}

/* The end of its output is told, and it lives. */
SCENARIO(awkward, closes_its_output_and_lives)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct pidring_options options = awkward(&child, "closing", 8, 1000);

	options.stdin_to = PIDRING_STREAM_PIPE;
	begin_child(&child, engine, options);
	fetch_until(engine, &child.ended[0], 1);
	check_int(child.received[0], 1000);
	fetch_present(engine);
	check_int(child.exited, 0);
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_process_close_input(child.process), 0);
	fetch_all(engine, 64);
	check_int(child.input_closed, 0);
	end_child(&child, 1000, 0, 0);
	close_engine(engine);
}

SCENARIO(awkward, alternates)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct pidring_options options = awkward(&child, "alternate", 9, 1000001);

	options.stderr_to = PIDRING_STREAM_PIPE;
	begin_child(&child, engine, options);
	fetch_all(engine, 64);
	check_int(child.ended[0], 1);
	check_int(child.ended[1], 1);
	end_child(&child, 1000001, 1000001, 0);
	close_engine(engine);
}

/* Both into one pipe: the order is the child's. */
SCENARIO(awkward, errors_into_output)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct pidring_options options = awkward(&child, "alternate", 9, 10000);

	options.stderr_to = PIDRING_STREAM_STDOUT;
	child.is_unchecked = true;
	begin_child(&child, engine, options);
	fetch_all(engine, 64);
	check_int(child.ended[1], 0);
	end_child(&child, 20000, 0, 0);
	close_engine(engine);
}

/* Stopped while it waits for room in the pipe, and continued. */
SCENARIO(awkward, stopped_with_a_full_pipe)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	begin_child(&child, engine, awkward(&child, "amount", 10, MEBIBYTE));
	check_int(pidring_process_signal(child.process, SIGSTOP), 0);
	while (process_state(pidring_process_pid(child.process)) != 'T')
		sched_yield();
	fetch_present(engine);
	check_int(child.exited, 0);
	check_int(pidring_process_signal(child.process, SIGCONT), 0);
	fetch_all(engine, 64);
	end_child(&child, MEBIBYTE, 0, 0);
	close_engine(engine);
}

/* --- many --- */

static const struct {
	const char *kind;
	uint64_t amount;
	int code;
} mixture[] = {
	{ "silent", 0, 0 },        { "amount", 100000, 0 },       { "bytes", 300, 0 },
	{ "amount", 1, 0 },        { "broken", 70000, -SIGKILL }, { "amount", 64 * KIBIBYTE, 0 },
	{ "alternate", 40000, 0 }, { "nuls", 5000, 0 },           { "pieces", 150000, 0 },
};

enum { KINDS = sizeof(mixture) / sizeof(mixture[0]) };

struct crowd {
	struct pidring *engine;
	struct child *children;
	struct pidring_process **processes;
	int count;
};

static struct crowd make_crowd(struct pidring_engine_options options, int count, bool asynchronous)
{
	struct crowd crowd = { .count = count };

	/* A pidfd and two pipes each, and the children's ends until they run. */
	options.descriptors = (uint64_t)count * 6 + 200;
	crowd.engine = open_engine_with(options);
	crowd.children = calloc((size_t)count, sizeof(*crowd.children));
	crowd.processes = calloc((size_t)count, sizeof(*crowd.processes));
	check(crowd.children != NULL && crowd.processes != NULL);
	for (int i = 0; i < count; i++) {
		struct child *child = &crowd.children[i];
		struct pidring_options child_options =
			awkward(child, mixture[i % KINDS].kind, (uint64_t)i, mixture[i % KINDS].amount);

		child_options.stderr_to = PIDRING_STREAM_PIPE;
		child_options.asynchronous = asynchronous;
		make_child(child, crowd.engine, child_options);
		crowd.processes[i] = child->process;
	}
	return crowd;
}

static void start_crowd(struct crowd *crowd)
{
	int started = pidring_start_many(crowd->processes, (size_t)crowd->count);

	check_int(started, crowd->count);
	check_int(pidring_outstanding(crowd->engine), crowd->count);
}

static void end_crowd(struct crowd *crowd)
{
	for (int i = 0; i < crowd->count; i++) {
		bool alternates = strcmp(mixture[i % KINDS].kind, "alternate") == 0;

		check_int(crowd->children[i].ended[0], 1);
		check_int(crowd->children[i].ended[1], 1);
		end_child(&crowd->children[i], mixture[i % KINDS].amount,
		          alternates ? mixture[i % KINDS].amount : 0, mixture[i % KINDS].code);
	}
	close_engine(crowd->engine);
	free(crowd->children);
	free(crowd->processes);
}

SCENARIO(awkward, a_thousand_at_once)
{
	struct crowd crowd =
		make_crowd((struct pidring_engine_options){ 0 }, small_or_normal(60, 1000), false);

	start_crowd(&crowd);
	fetch_all(crowd.engine, 64);
	end_crowd(&crowd);
}

SCENARIO(awkward, a_thousand_asynchronous)
{
	struct crowd crowd =
		make_crowd((struct pidring_engine_options){ 0 }, small_or_normal(60, 1000), true);

	start_crowd(&crowd);
	fetch_all(crowd.engine, 64);
	for (int i = 0; i < crowd.count; i++)
		check_int(crowd.children[i].started, 1);
	end_crowd(&crowd);
}

/* Two buffers for two thousand streams. */
SCENARIO(awkward, a_thousand_in_little_memory)
{
	struct crowd crowd = make_crowd((struct pidring_engine_options){ .output_memory = 128 * KIBIBYTE },
	                                small_or_normal(60, 1000), false);

	start_crowd(&crowd);
	fetch_all(crowd.engine, 64);
	check(statistics_of(crowd.engine).buffer_shortages > 0 || crowd.count < 1000);
	end_crowd(&crowd);
}

SCENARIO(awkward, one_event_at_a_time)
{
	struct crowd crowd = make_crowd((struct pidring_engine_options){ 0 }, small_or_normal(40, 300), true);

	start_crowd(&crowd);
	fetch_all(crowd.engine, 1);
	end_crowd(&crowd);
}

/* Never inside a wait: another loop tells when to look. */
SCENARIO(awkward, driven_by_another_loop)
{
	struct crowd crowd = make_crowd((struct pidring_engine_options){ 0 }, small_or_normal(40, 300), true);
	struct pollfd item = { .fd = pidring_fd(crowd.engine), .events = POLLIN };

	start_crowd(&crowd);
	while (pidring_outstanding(crowd.engine) > 0) {
		check_int(poll(&item, 1, -1), 1);
		fetch(crowd.engine, 16, 0);
	}
	end_crowd(&crowd);
}

SCENARIO(awkward, driven_in_little_memory)
{
	struct crowd crowd = make_crowd((struct pidring_engine_options){ .output_memory = 128 * KIBIBYTE },
	                                small_or_normal(20, 100), true);
	struct pollfd item = { .fd = pidring_fd(crowd.engine), .events = POLLIN };

	start_crowd(&crowd);
	while (pidring_outstanding(crowd.engine) > 0) {
		check_int(poll(&item, 1, -1), 1);
		fetch(crowd.engine, 1, 0);
	}
	end_crowd(&crowd);
}

/* --- threads that take turns --- */

enum { TURNS = 3 };

struct turns {
	struct crowd *crowd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int turn;
	bool over;
};

/* Each fetches a few events, and lets the next go on. */
static void *take_turns(void *argument)
{
	struct turns *turns = argument;
	static int next;
	int mine;

	pthread_mutex_lock(&turns->lock);
	mine = next++;
	while (!turns->over) {
		if (turns->turn != mine) {
			pthread_cond_wait(&turns->changed, &turns->lock);
			continue;
		}
		for (int i = 0; i < 3 && !turns->over; i++) {
			fetch(turns->crowd->engine, 5, PIDRING_FOREVER);
			turns->over = pidring_outstanding(turns->crowd->engine) == 0;
		}
		turns->turn = (turns->turn + 1) % TURNS;
		pthread_cond_broadcast(&turns->changed);
	}
	pthread_mutex_unlock(&turns->lock);
	return NULL;
}

static void run_in_turns(struct crowd *crowd)
{
	struct turns turns = { crowd, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };
	pthread_t threads[TURNS];

	start_crowd(crowd);
	for (int i = 0; i < TURNS; i++)
		check_int(pthread_create(&threads[i], NULL, take_turns, &turns), 0);
	for (int i = 0; i < TURNS; i++)
		pthread_join(threads[i], NULL);
	end_crowd(crowd);
}

SCENARIO(awkward, threads_take_turns)
{
	struct crowd crowd = make_crowd((struct pidring_engine_options){ 0 }, small_or_normal(40, 200), true);

	run_in_turns(&crowd);
}

SCENARIO(awkward, threads_take_turns_in_little_memory)
{
	struct crowd crowd = make_crowd((struct pidring_engine_options){ .output_memory = 128 * KIBIBYTE },
	                                small_or_normal(20, 100), false);

	run_in_turns(&crowd);
}

/* More than a ring takes at once, all with something to tell, when another thread takes over. */
static void *fetch_everything(void *argument)
{
	fetch_all(argument, 64);
	return NULL;
}

SCENARIO(awkward, another_thread_takes_a_thousand_over)
{
	struct crowd crowd =
		make_crowd((struct pidring_engine_options){ 0 }, small_or_normal(60, 1000), false);
	pthread_t thread;

	start_crowd(&crowd);
	fetch(crowd.engine, 1, PIDRING_FOREVER);
	check_int(pthread_create(&thread, NULL, fetch_everything, crowd.engine), 0);
	pthread_join(thread, NULL);
	end_crowd(&crowd);
}

static void *fetch_once(void *argument)
{
	fetch(argument, 4, PIDRING_FOREVER);
	return NULL;
}

/* The thread that fetched so far has ended, and a new one may have its number. */
SCENARIO(awkward, each_event_in_a_new_thread)
{
	struct crowd crowd = make_crowd((struct pidring_engine_options){ 0 }, 2 * KINDS, false);

	start_crowd(&crowd);
	while (pidring_outstanding(crowd.engine) > 0) {
		pthread_t thread;

		check_int(pthread_create(&thread, NULL, fetch_once, crowd.engine), 0);
		pthread_join(thread, NULL);
	}
	end_crowd(&crowd);
}
