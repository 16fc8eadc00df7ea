/* SPDX-License-Identifier: MIT */
/* Deadlines: they pass in their order, stop the process, and can be moved and taken back. */
#define _GNU_SOURCE
#include "stops.h"

/* The deadline is told, then the process is stopped as its options say, and the record knows. */
SCENARIO(stopping_deadlines, deadline)
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
SCENARIO(stopping_deadlines, deadline_of_a_group)
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
SCENARIO(stopping_deadlines, deadline_is_moved)
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
SCENARIO(stopping_deadlines, deadline_after_the_end)
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
SCENARIO(stopping_deadlines, shortest_deadline)
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

/* --- many --- */

static size_t how_many(void)
{
	return (size_t)small_or_normal(100, 1000);
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
SCENARIO(stopping_deadlines, many_deadlines)
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
