/* SPDX-License-Identifier: MIT */
/* A subreaper's own children, also those that are being born or serve, are never taken for orphans, and are in no orphan's
 * way. */
#define _GNU_SOURCE
#include "subreaper.h"

#include <pthread.h>
#include <stdatomic.h>

#include "servers.h"

/* --- those that have ended --- */

SCENARIO(orphans_own_children, own_children_keep_their_codes)
{
	enum { OWN = 200 };
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	struct pidring_process *own[OWN];
	static int codes[OWN];
	int exits = 0, orphans = 0;

	make_orphans(engine, (struct brood){ true, latch, OWN, 44 });
	for (int i = 0; i < OWN; i++) {
		codes[i] = i;
		own[i] = start_function(engine, return_argument, &codes[i]);
		latch_release(&latch);
	}
	/* The one that left the orphans is freed by now, and has no event. */
	while (exits < OWN || orphans < OWN) {
		struct pidring_event event;

		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		if (event.type == PIDRING_ORPHAN_ENDED) {
			check_int(event.code, 44);
			orphans++;
		} else {
			check_int(event.type, PIDRING_EXITED);
			check(!event.unknown);
			exits++;
		}
	}
	for (int i = 0; i < OWN; i++) {
		struct pidring_exit_record record = { .size = sizeof(record) };

		check_int(join_code(own[i]), i);
		check_int(pidring_process_exit_record(own[i], &record), 0);
		check_int(record.reaper, PIDRING_REAPED_HERE);
		check(record.usage_known);
		pidring_process_free(own[i]);
	}
	latch_close(&latch);
	close_engine(engine);
}

/* A child of an engine that nobody asks has ended first: it does not hide who comes after it, and loses nothing. */
SCENARIO(orphans_own_children, another_engines_child_is_in_nobodys_way)
{
	static int eleven = 11;
	struct pidring *engine = open_subreaper(), *other = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process;
	struct pidring_event event;

	make_orphans(engine, (struct brood){ true, latch, 3, 4 });
	process = start_function(other, return_argument, &eleven);
	wait_ended(process);
	for (int i = 0; i < 3; i++)
		latch_release(&latch);
	expect_orphans(engine, 3, 4);
	check_int(pidring_wait(other, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.process == process);
	check_int(event.code, 11);
	check_int(finish(process), 11);
	latch_close(&latch);
	close_engine(other);
	close_engine(engine);
}

/* So many of them that they are not seen to in one look: it goes on without anything else happening. */
SCENARIO(orphans_own_children, behind_very_many)
{
	enum { MANY = 600 };
	struct pidring *engine = open_subreaper_with((struct pidring_engine_options){ .descriptors = 2000 });
	struct pidring *other = open_engine();
	static struct pidring_process *processes[MANY];
	struct pidring_event event;

	for (int i = 0; i < MANY; i++)
		processes[i] = start_function(other, NULL, NULL);
	pid_t pid = fork();
	check(pid >= 0);
	if (pid == 0)
		_exit(7);
	for (int i = 0; i < MANY; i++)
		wait_ended(processes[i]);
	check_int(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	event = next_orphan(engine);
	check_int(event.pid, pid);
	check_int(event.code, 7);
	for (int i = 0; i < MANY; i++)
		check_int(finish(processes[i]), 0);
	close_engine(other);
	close_engine(engine);
}

/* A child that was let go of is pidring's for all that. */
SCENARIO(orphans_own_children, a_freed_child_is_no_orphan)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();

	pidring_process_free(start_function(engine, wait_for_latch, &latch));
	latch_release(&latch);
	while (!has_no_children())
		check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 10 * MILLISECONDS), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* --- those that are being born --- */

static void *start_many_times(void *argument)
{
	enum { STARTS = 60 };
	struct pidring *engine = argument;

	for (int i = 0; i < STARTS; i++) {
		bool fails = i % 3 == 0;
		struct pidring_process *process =
			new_process(engine, (struct pidring_options){
						    .argv = (const char *[]){ "sh", "-c", "exit 21", NULL },
						    .program = fails ? "/dev/null" : "/bin/sh",
						    .asynchronous = i % 2 == 0,
					    });
		int result = pidring_process_start(process);

		if (result == 0) {
			check_int(join_code(process), fails ? 126 : 21);
		} else {
			check(fails);
			check_int(result, -EACCES);
		}
		pidring_process_free(process);
	}
	return NULL;
}

/* Children that are being born in other threads are never taken for strangers, also if they end at once. */
SCENARIO(orphans_own_children, births_under_way)
{
	enum { THREADS = 3, ORPHANS = 100 };
	struct pidring *engine = open_subreaper(), *other = open_engine();
	struct latch latch = latch_open();
	pthread_t threads[THREADS];

	make_orphans(engine, (struct brood){ true, latch, ORPHANS, 33 });
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_create(&threads[i], NULL, start_many_times, other), 0);
	for (int i = 0; i < ORPHANS; i++) {
		latch_release(&latch);
		check_int(next_orphan(engine).code, 33);
	}
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_join(threads[i], NULL), 0);
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 0), 0);
	check(has_no_children());
	latch_close(&latch);
	close_engine(other);
	close_engine(engine);
}

static struct steady {
	struct pidring *engine;
	atomic_bool enough;
} steady;

/* Each of these has a go-between, who is this process's child, too. */
static void *start_confined(void *unused)
{
	const struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                         .namespaces = PIDRING_NAMESPACE_UTS };
	void *refused = NULL;

	(void)unused;
	while (!atomic_load(&steady.enough)) {
		struct pidring_process *process =
			new_process(steady.engine, (struct pidring_options){ .confinement = &confinement });

		if (pidring_process_start(process) == 0)
			check_int(join_code(process), 0);
		else
			refused = steady.engine;
		pidring_process_free(process);
	}
	return refused;
}

/* However many births follow, of which there is always one under way. */
SCENARIO(orphans_own_children, births_without_end)
{
	enum { THREADS = 4, ORPHANS = 5 };
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	pthread_t threads[THREADS];
	bool refused = false;
	void *result;

	steady.engine = open_engine();
	make_orphans(engine, (struct brood){ true, latch, ORPHANS, 7 });
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_create(&threads[i], NULL, start_confined, NULL), 0);
	for (int i = 0; i < ORPHANS; i++)
		latch_release(&latch);
	expect_orphans(engine, ORPHANS, 7);
	atomic_store(&steady.enough, true);
	for (int i = 0; i < THREADS; i++) {
		check_int(pthread_join(threads[i], &result), 0);
		refused |= result != NULL;
	}
	latch_close(&latch);
	close_engine(steady.engine);
	close_engine(engine);
	if (refused)
		skip("no namespaces here");
}

static struct slow_start {
	struct pidring *engine;
	struct slow_program program;
} slow_start;

static void *start_slowly(void *unused)
{
	(void)unused;
	check_int(finish(start_program(slow_start.engine, slow_start.program.path, NULL)), 0);
	return NULL;
}

/* While the creating of a child takes its time, who has ended may have to wait, and is told when it is over. */
SCENARIO(orphans_own_children, a_slow_birth)
{
	struct latch latch = latch_open();
	struct pidring *engine;
	struct pidring_event event;
	pthread_t thread;
	int orphans = 0;

	slow_start.program = make_slow_program();
	engine = slow_start.engine = open_subreaper();
	make_orphans(engine, (struct brood){ true, latch, 3, 5 });
	check_int(pthread_create(&thread, NULL, start_slowly, NULL), 0);
	for (int i = 0; i < 3; i++)
		latch_release(&latch);
	while (pidring_wait(engine, &event, 1, 50 * MILLISECONDS) == 1)
		orphans += event.type == PIDRING_ORPHAN_ENDED;
	let_go(&slow_start.program);
	expect_orphans(engine, 3 - orphans, 5);
	check_int(pthread_join(thread, NULL), 0);
	remove_slow_program(&slow_start.program);
	latch_close(&latch);
	close_engine(engine);
}

/* --- those that serve --- */

SCENARIO(orphans_own_children, servers_and_parked_children_stay)
{
	struct pidring *engine = open_subreaper_with((struct pidring_engine_options){ .parked = 4 });
	struct latch latch = latch_open();
	static int code = 17;

	need_server(engine);
	wait_parked(engine, 4);
	check_int(pidring_has_children(), 0);
	for (int i = 0; i < 10; i++) {
		struct pidring_process *process = start_served(engine, return_argument, &code, sizeof(code));

		make_orphans(engine, (struct brood){ true, latch, 2, 8 });
		latch_release(&latch);
		latch_release(&latch);
		expect_orphans(engine, 2, 8);
		check_int(finish(process), 17);
		process = start_served_program(engine, (const char *[]){ "sh", "-c", "exit 19", NULL });
		check_int(finish(process), 19);
	}
	check(features_of(engine).servers > 0);
	check_still_serves(engine);
	latch_close(&latch);
	close_engine(engine);
}
