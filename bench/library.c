/* SPDX-License-Identifier: MIT */
#include "library.h"

#include "harness.h"

#include <stdio.h>

enum { EVENTS_AT_ONCE = 64 };

static struct pidring *engine;

__attribute__((noreturn)) static void fail_with_explanation(const char *what, int error)
{
	(void)fprintf(stderr, "suite: pidring: %s\n", pidring_explain());
	bench_fail(what, -error);
}

struct pidring *library_engine(void)
{
	int result = 0;

	if (engine != NULL)
		return engine;
	result = pidring_open(&engine, NULL);
	if (result < 0)
		fail_with_explanation("pidring_open", result);
	return engine;
}

void library_close(void)
{
	int result = engine != NULL ? pidring_close(engine) : 0;

	if (result < 0)
		fail_with_explanation("pidring_close", result);
	engine = NULL;
}

static struct pidring_process *new_process(const struct pidring_options *options)
{
	struct pidring_process *process = NULL;
	int result = pidring_process_new(&process, library_engine(), options);

	if (result < 0)
		fail_with_explanation("pidring_process_new", result);
	return process;
}

struct pidring_process *library_new_program(char *const argv[], bool asynchronous)
{
	return new_process(&(struct pidring_options){
		.size = sizeof(struct pidring_options),
		.argv = (const char *const *)argv,
		.asynchronous = asynchronous,
	});
}

struct pidring_process *library_new_writer(char *const argv[], bool asynchronous, void *user_data)
{
	return new_process(&(struct pidring_options){
		.size = sizeof(struct pidring_options),
		.argv = (const char *const *)argv,
		.asynchronous = asynchronous,
		.stdout_to = PIDRING_STREAM_PIPE,
		.user_data = user_data,
	});
}

struct pidring_process *library_new_function(int (*function)(void *argument))
{
	return new_process(&(struct pidring_options){
		.size = sizeof(struct pidring_options),
		.target = function,
	});
}

void library_start(struct pidring_process *process)
{
	int result = pidring_process_start(process);

	if (result < 0)
		fail_with_explanation("pidring_process_start", result);
}

void library_start_many(struct pidring_process *const *processes, size_t count)
{
	int result = pidring_start_many(processes, count);

	if (result < 0)
		fail_with_explanation("pidring_start_many", result);
	if ((size_t)result != count)
		bench_fail("pidring_start_many started fewer", 0);
}

void library_join(struct pidring_process *process)
{
	int result = pidring_process_join(process, PIDRING_FOREVER);

	if (result < 0)
		fail_with_explanation("pidring_process_join", result);
}

void library_join_all(struct pidring_process *const *processes, size_t count)
{
	int result = pidring_join_all(processes, count, PIDRING_FOREVER);

	if (result < 0)
		fail_with_explanation("pidring_join_all", result);
}

static size_t count_ends(const struct pidring_event *events, int count)
{
	size_t ends = 0;

	for (int index = 0; index < count; index++) {
		if (events[index].type == PIDRING_START_FAILED)
			bench_fail("an asynchronous start", -events[index].code);
		if (events[index].type == PIDRING_EXITED)
			ends++;
	}
	return ends;
}

static int fetch(struct pidring_event *ret_events, size_t capacity, int64_t timeout)
{
	int count = pidring_wait(engine, ret_events, capacity, timeout);

	if (count < 0)
		fail_with_explanation("pidring_wait", count);
	return count;
}

int library_fetch(struct pidring_event *ret_events, size_t capacity)
{
	return fetch(ret_events, capacity, PIDRING_FOREVER);
}

void library_look(void)
{
	struct pidring_event events[EVENTS_AT_ONCE];

	if (fetch(events, EVENTS_AT_ONCE, 0) != 0)
		bench_fail("an event that was not expected", 0);
}

void library_wait_for_ends(size_t count)
{
	struct pidring_event events[EVENTS_AT_ONCE];
	size_t ends = 0;

	while (ends < count)
		ends += count_ends(events, fetch(events, EVENTS_AT_ONCE, PIDRING_FOREVER));
	if (ends != count)
		bench_fail("more processes ended than were started", 0);
}

void library_wait_for_end(struct pidring_process *process, int code)
{
	struct pidring_event events[EVENTS_AT_ONCE];
	int count = 0;

	do {
		count = fetch(events, EVENTS_AT_ONCE, PIDRING_FOREVER);
	} while (count_ends(events, count) == 0);
	if (count != 1 || events[0].process != process || events[0].code != code)
		bench_fail("another event than expected", 0);
}

void library_finish(struct pidring_process *process, int code)
{
	int found = 0;
	int result = pidring_process_exit_code(process, &found);

	if (result < 0)
		fail_with_explanation("pidring_process_exit_code", result);
	if (found != code)
		bench_fail("the child ended with another code", 0);
	pidring_process_free(process);
}
