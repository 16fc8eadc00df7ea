/* SPDX-License-Identifier: MIT */
/* Many threads in one process: what they may do at the same time. */
#define _GNU_SOURCE
#include "crew.h"
#include "expected_ends.h"

#include <sched.h>

enum { PER_THREAD = 200 };

struct construction {
	struct pidring *engine;
	atomic_bool seen[CREW * PER_THREAD + 1];
};

static void *construct_many(void *argument)
{
	struct construction *shared = argument;

	for (int i = 0; i < PER_THREAD; i++) {
		struct pidring_process *process = new_function(shared->engine, return_zero, NULL);
		unsigned number = 0;

		check_int(pidring_process_identity(process, &number, 1), 1);
		check(number >= 1 && number <= CREW * PER_THREAD);
		check(!atomic_exchange(&shared->seen[number], true));
		pidring_process_free(process);
	}
	return NULL;
}

/* Threads that construct at the same time get different numbers, and none is left out. */
SCENARIO(threads, numbers_are_unique)
{
	static struct construction shared;

	shared.engine = open_engine();
	run_crew(CREW, construct_many, &shared);
	for (int i = 1; i <= CREW * PER_THREAD; i++)
		check(atomic_load(&shared.seen[i]));
	close_engine(shared.engine);
}

static void *fail_a_call(void *argument)
{
	check_int(pidring_process_join(argument, 0), -ESRCH);
	check(strlen(pidring_explain()) > 0);
	return NULL;
}

/* An explanation belongs to the thread whose call failed. */
SCENARIO(threads, explanation_belongs_to_the_thread)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = new_function(engine, return_zero, NULL);

	check_text(pidring_explain(), "");
	end_thread(start_thread(fail_a_call, process));
	check_text(pidring_explain(), "");
	pidring_process_free(process);
	close_engine(engine);
}

/* --- one child, many threads --- */

struct joining {
	struct pidring_process *process;
	struct pidring_exit_record records[16];
	atomic_int next;
	atomic_int arrived;
};

static void *join_and_record(void *argument)
{
	struct joining *shared = argument;
	struct pidring_exit_record *record = &shared->records[atomic_fetch_add(&shared->next, 1)];

	atomic_fetch_add(&shared->arrived, 1);
	check_int(join_code(shared->process), 7);
	record->size = sizeof(*record);
	check_int(pidring_process_exit_record(shared->process, record), 0);
	return NULL;
}

static void check_same_records(const struct joining *shared, int count)
{
	for (int i = 0; i < count; i++) {
		const struct pidring_exit_record *record = &shared->records[i];

		check_int(record->reaper, PIDRING_REAPED_HERE);
		check(record->known);
		check(record->usage_known);
		check_int(record->code, 7);
		check(WIFEXITED(record->wait_status));
		check_int(WEXITSTATUS(record->wait_status), 7);
		check_int(record->end_time, shared->records[0].end_time);
	}
}

/* All threads that join one process get the same record, and exactly one reap made it. */
SCENARIO(threads, all_joiners_get_the_same_record)
{
	enum { JOINERS = 16 };
	struct pidring *engine = open_engine();
	int rounds = small_or_normal(3, 30);

	for (int round = 0; round < rounds; round++) {
		struct latch latch = latch_open();
		struct joining shared = { 0 };
		pthread_t crew[JOINERS];

		shared.process = start_function(engine, seven_after_latch, &latch);
		for (int i = 0; i < JOINERS; i++)
			crew[i] = start_thread(join_and_record, &shared);
		while (atomic_load(&shared.arrived) < JOINERS)
			sched_yield();
		latch_release(&latch);
		for (int i = 0; i < JOINERS; i++)
			end_thread(crew[i]);
		check_same_records(&shared, JOINERS);
		pidring_process_free(shared.process);
		latch_close(&latch);
	}
	close_engine(engine);
}

struct one_start {
	struct pidring_process *process;
	atomic_int started;
	atomic_int refused;
	atomic_int arrived;
};

static void *start_the_same(void *argument)
{
	struct one_start *shared = argument;
	int result;

	atomic_fetch_add(&shared->arrived, 1);
	while (atomic_load(&shared->arrived) < CREW)
		sched_yield();
	result = pidring_process_start(shared->process);
	if (result == 0)
		atomic_fetch_add(&shared->started, 1);
	else if (result == -EALREADY)
		atomic_fetch_add(&shared->refused, 1);
	else
		fail("start: %d", result);
	return NULL;
}

/* Of many threads that start one object, one succeeds and the others hear that it was started. */
SCENARIO(threads, one_object_is_started_once)
{
	struct pidring *engine = open_engine();
	const char *const program[] = { "true", NULL };

	for (int round = 0; round < 20; round++) {
		struct one_start shared = { 0 };

		shared.process = round % 2 == 0
		                         ? new_function(engine, return_zero, NULL)
		                         : new_process(engine, (struct pidring_options){ .argv = program });
		run_crew(CREW, start_the_same, &shared);
		check_int(atomic_load(&shared.started), 1);
		check_int(atomic_load(&shared.refused), CREW - 1);
		check_int(finish(shared.process), 0);
	}
	close_engine(engine);
}

/* --- everything at once --- */

static void ask_everything(struct pidring_process *process)
{
	struct pidring_process *children[64];
	char text[256];

	check_int(pidring_process_is_alive(process), 1);
	check(pidring_process_pid(process) > 0);
	check(pidring_process_sentinel(process) >= 0);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check(pidring_process_describe(process, text, sizeof(text)) > 0);
	check(strstr(text, "started") != NULL);
	check(pidring_active_children(children, 64) >= 1);
}

static void *bustle_about(void *argument)
{
	struct bustle *shared = argument;
	int place = atomic_fetch_add(&shared->next, 1);
	const char *const program[] = { "sleep", "1000", NULL };

	for (int round = 0; round < shared->rounds; round++) {
		struct pidring_process *process;

		if ((place + round) % 2 == 0)
			process = start_function(shared->engine, sleep_forever, NULL);
		else
			process = start_process(shared->engine, (struct pidring_options){ .argv = program });
		ask_everything(process);
		ask_everything(shared->shared_child);
		check_int(pidring_process_terminate(process), 0);
		check_int(finish(process), -SIGTERM);
	}
	return NULL;
}

/* Threads start, ask, signal and join at the same time; each gets the code of its own child. */
SCENARIO(threads, everything_at_once)
{
	struct latch latch = latch_open();
	struct bustle shared = { .engine = open_engine(), .rounds = small_or_normal(3, 25) };

	shared.shared_child = start_function(shared.engine, seven_after_latch, &latch);
	run_crew(CREW, bustle_about, &shared);
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&latch);
	check_int(finish(shared.shared_child), 7);
	check_int(pidring_active_children(NULL, 0), 0);
	latch_close(&latch);
	close_engine(shared.engine);
}

/* --- groups --- */

struct group {
	struct pidring_process *processes[20];
	int codes[20];
	atomic_int arrived;
};

static void *join_the_group(void *argument)
{
	struct group *group = argument;

	atomic_fetch_add(&group->arrived, 1);
	check_int(pidring_join_all(group->processes, 20, PIDRING_FOREVER), 0);
	for (int i = 0; i < 20; i++) {
		int code = -1;

		check_int(pidring_process_exit_code(group->processes[i], &code), 0);
		check_int(code, i);
	}
	return NULL;
}

struct numbered {
	struct latch latch;
	int code;
};

static int code_after_latch(void *argument)
{
	struct numbered *numbered = argument;

	latch_wait(&numbered->latch);
	return numbered->code;
}

/* Threads that join the same twenty children all get all twenty codes. */
SCENARIO(threads, join_all_in_many_threads)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct numbered numbered[20];
	struct group group = { 0 };
	pthread_t crew[4];

	for (int i = 0; i < 20; i++) {
		numbered[i] = (struct numbered){ .latch = latch, .code = i };
		group.processes[i] = start_function(engine, code_after_latch, &numbered[i]);
	}
	for (int i = 0; i < 4; i++)
		crew[i] = start_thread(join_the_group, &group);
	while (atomic_load(&group.arrived) < 4)
		sched_yield();
	for (int i = 0; i < 20; i++)
		latch_release(&latch);
	for (int i = 0; i < 4; i++)
		end_thread(crew[i]);
	for (int i = 0; i < 20; i++)
		pidring_process_free(group.processes[i]);
	latch_close(&latch);
	close_engine(engine);
}
