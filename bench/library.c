/* SPDX-License-Identifier: MIT */
#include "library.h"

#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS_AT_ONCE = 64,
	PARKING_LOOK = 20 * 1000,             /* nanoseconds from one look to the next */
	PARKING_TIME_LIMIT = 5 * 1000 * 1000, /* microseconds */
};

static struct pidring *engine;

__attribute__((noreturn)) static void fail_with_explanation(const char *what, int error)
{
	(void)fprintf(stderr, "suite: pidring: %s\n", pidring_explain());
	bench_fail(what, -error);
}

static void open_engine(const struct pidring_engine_options *options)
{
	int result = pidring_open(&engine, options);

	if (result < 0)
		fail_with_explanation("pidring_open", result);
}

struct pidring *library_engine(void)
{
	if (engine == NULL)
		open_engine(NULL);
	return engine;
}

void library_open_with_servers(unsigned servers, unsigned parked)
{
	open_engine(&(struct pidring_engine_options){
		.size = sizeof(struct pidring_engine_options),
		.forkserver = true,
		.servers = servers,
		.parked = parked,
	});
}

static struct pidring_features ask_features(void)
{
	struct pidring_features features = { .size = sizeof(features) };
	int result = pidring_features(library_engine(), &features);

	if (result < 0)
		fail_with_explanation("pidring_features", result);
	return features;
}

/* In a process of its own: the suite's process has no engine. */
__attribute__((noreturn)) static void look_for_servers(void)
{
	library_open_with_servers(1, 0);
	_exit(ask_features().forkserver_birth == PIDRING_BIRTH_FORKSERVER ? 0 : 1);
}

const char *library_servers_missing(void)
{
	static int status = -1;
	pid_t pid = 0;

	if (status < 0) {
		pid = fork();
		if (pid == 0)
			look_for_servers();
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			bench_fail("looking for forkservers", errno);
	}
	return status == 0 ? NULL : "there are no forkservers here";
}

void library_await_parked(unsigned count)
{
	const struct timespec pause = { .tv_nsec = PARKING_LOOK };
	int64_t deadline = bench_now() + (int64_t)PARKING_TIME_LIMIT * 1000;

	while (ask_features().parked < count) {
		if (bench_now() > deadline)
			bench_fail("nothing is parked", 0);
		(void)nanosleep(&pause, NULL);
	}
}

void library_check_birth(struct pidring_process *process, enum pidring_birth birth)
{
	if (pidring_process_birth(process) != birth)
		bench_fail("a process came to be in another way", 0);
}

void library_close(void)
{
	int result = engine != NULL ? pidring_close(engine) : 0;

	if (result < 0)
		fail_with_explanation("pidring_close", result);
	engine = NULL;
}

struct pidring_process *library_new(const struct pidring_options *options)
{
	struct pidring_process *process = NULL;
	int result = pidring_process_new(&process, library_engine(), options);

	if (result < 0)
		fail_with_explanation("pidring_process_new", result);
	return process;
}

struct pidring_process *library_new_program(char *const argv[], bool asynchronous)
{
	return library_new(&(struct pidring_options){
		.size = sizeof(struct pidring_options),
		.argv = (const char *const *)argv,
		.asynchronous = asynchronous,
	});
}

struct pidring_process *library_new_writer(char *const argv[], bool asynchronous, void *user_data)
{
	return library_new(&(struct pidring_options){
		.size = sizeof(struct pidring_options),
		.argv = (const char *const *)argv,
		.asynchronous = asynchronous,
		.stdout_to = PIDRING_STREAM_PIPE,
		.user_data = user_data,
	});
}

struct pidring_process *library_new_function(int (*function)(void *argument))
{
	return library_new(&(struct pidring_options){
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
