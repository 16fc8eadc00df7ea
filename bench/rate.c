/* SPDX-License-Identifier: MIT */
/*
 * How many children a second: WAVES times WAVE children, those of a wave all started before the first is waited for. Two
 * callers share a wave. A sample is a child's share of the time.
 */
#include "callers.h"
#include "environment.h"
#include "families.h"
#include "floor.h"
#include "library.h"
#include "other.h"

enum {
	WAVE = 64,
	WAVES = 4,
	PARKED = 2 * WAVE,
};

static char *arguments[2];

static int return_at_once(void *argument)
{
	(void)argument;
	return 0;
}

/* --- what a caller does --- */

static pid_t start_vfork(void)
{
	return other_vfork(arguments);
}

static void work_with_others(pid_t (*start)(void), unsigned share)
{
	pid_t pids[WAVE];

	for (unsigned wave = 0; wave < WAVES; wave++) {
		for (unsigned index = 0; index < share; index++)
			pids[index] = start();
		for (unsigned index = 0; index < share; index++)
			other_reap(pids[index]);
	}
}

static void work_fork(unsigned share)
{
	work_with_others(other_fork_function, share);
}

static void work_vfork(unsigned share)
{
	work_with_others(start_vfork, share);
}

static void work_floor(unsigned share)
{
	struct floor_child *children = floor_children();

	for (unsigned wave = 0; wave < WAVES; wave++) {
		for (unsigned index = 0; index < share; index++)
			floor_start(&children[index], arguments);
		for (unsigned index = 0; index < share; index++)
			floor_settle(&children[index]);
		for (unsigned index = 0; index < share; index++)
			floor_reap(&children[index]);
	}
}

static void work_with_library(const struct pidring_options *options, unsigned share)
{
	struct pidring_process *processes[WAVE];

	for (unsigned wave = 0; wave < WAVES; wave++) {
		for (unsigned index = 0; index < share; index++)
			processes[index] = library_new(options);
		library_start_many(processes, share);
		library_join_all(processes, share);
		for (unsigned index = 0; index < share; index++)
			library_finish(processes[index], 0);
	}
}

static void work_function(unsigned share)
{
	work_with_library(
		&(struct pidring_options){
			.size = sizeof(struct pidring_options),
			.target = return_at_once,
			.start_method = PIDRING_FORKSERVER,
		},
		share);
}

static void work_program(enum pidring_start_method method, unsigned share)
{
	work_with_library(
		&(struct pidring_options){
			.size = sizeof(struct pidring_options),
			.argv = (const char *const *)arguments,
			.start_method = method,
		},
		share);
}

static void work_exec(unsigned share)
{
	work_program(PIDRING_EXEC, share);
}

static void work_server_program(unsigned share)
{
	work_program(PIDRING_FORKSERVER, share);
}

/* --- the contenders --- */

static int64_t share_since(int64_t start)
{
	return (bench_now() - start) / (WAVES * WAVE);
}

static int64_t measure_one(caller_work work)
{
	int64_t start = bench_now();

	work(WAVE);
	return share_since(start);
}

static int64_t measure_processes(caller_work work)
{
	int64_t start = bench_now();

	callers_work_as_processes(work, WAVE / 2);
	return share_since(start);
}

static int64_t measure_fork(void)
{
	return measure_one(work_fork);
}

static int64_t measure_vfork(void)
{
	return measure_one(work_vfork);
}

static int64_t measure_floor(void)
{
	return measure_one(work_floor);
}

static int64_t measure_two_fork(void)
{
	return measure_processes(work_fork);
}

static int64_t measure_two_vfork(void)
{
	return measure_processes(work_vfork);
}

static int64_t measure_exec(void)
{
	return measure_one(work_exec);
}

static int64_t measure_function(void)
{
	return measure_one(work_function);
}

static int64_t measure_program(void)
{
	return measure_one(work_server_program);
}

static int64_t measure_two_function(void)
{
	return measure_processes(work_function);
}

static int64_t measure_threads_function(void)
{
	int64_t start = bench_now();

	callers_work_as_threads(work_function, WAVE / 2);
	return share_since(start);
}

/* The pool is as full as the engine keeps it when it begins; what is used up is made anew at the same time. */
static int64_t measure_parked(caller_work work)
{
	library_await_parked(PARKED / 2);
	return measure_one(work);
}

static int64_t measure_parked_function(void)
{
	return measure_parked(work_function);
}

static int64_t measure_parked_program(void)
{
	return measure_parked(work_server_program);
}

static const struct bench_contender contenders[] = {
	{ .name = "vfork", .measure = measure_vfork, .world = BENCH_BARE },
	{ .name = "floor", .measure = measure_floor, .world = BENCH_BARE },
	{ .name = "fork-function", .measure = measure_fork, .world = BENCH_BARE },
	{ .name = "2-vfork", .measure = measure_two_vfork, .world = BENCH_BARE },
	{ .name = "2-fork-function", .measure = measure_two_fork, .world = BENCH_BARE },
	{ .name = "pidring-exec", .measure = measure_exec, .world = BENCH_LIBRARY },
	{ .name = "server-function",
	  .measure = measure_function,
	  .world = BENCH_SERVER,
	  .missing = library_servers_missing },
	{ .name = "servers-function",
	  .measure = measure_function,
	  .world = BENCH_SERVERS,
	  .missing = library_servers_missing },
	{ .name = "2-threads-function",
	  .measure = measure_threads_function,
	  .world = BENCH_THREADS,
	  .missing = library_servers_missing },
	{ .name = "2-servers-function",
	  .measure = measure_two_function,
	  .world = BENCH_CALLERS,
	  .missing = library_servers_missing },
	{ .name = "servers-program",
	  .measure = measure_program,
	  .world = BENCH_SERVERS,
	  .missing = library_servers_missing },
	{ .name = "parked-function",
	  .measure = measure_parked_function,
	  .world = BENCH_PARKED,
	  .missing = library_servers_missing },
	{ .name = "parked-program",
	  .measure = measure_parked_program,
	  .world = BENCH_PARKED,
	  .missing = library_servers_missing },
	{ 0 },
};

/* --- worlds --- */

/* Each of two processes has a server of its own. */
static void open_one_server(void)
{
	library_open_with_servers(1, 0);
}

static void open_library(enum bench_world world)
{
	if (world == BENCH_LIBRARY)
		(void)library_engine();
	else if (world == BENCH_SERVER || world == BENCH_CALLERS)
		open_one_server();
	else
		library_open_with_servers(2, world == BENCH_PARKED ? PARKED : 0);
}

/* The second process is made before there is a server, the thread after that: it could not be made any more. */
static void set_up(const struct bench_row *row, enum bench_world world)
{
	(void)row;
	arguments[0] = (char *)(uintptr_t)environment_program(PROGRAM_NO_OP);
	if (world == BENCH_BARE) {
		(void)floor_children();
		callers_make_process(NULL, NULL);
		return;
	}
	if (world == BENCH_CALLERS)
		callers_make_process(open_one_server, library_close);
	open_library(world);
	if (world == BENCH_THREADS)
		callers_make_thread();
}

static void tear_down(enum bench_world world)
{
	if (world == BENCH_BARE || world == BENCH_CALLERS)
		callers_end_process();
	if (world == BENCH_THREADS)
		callers_end_thread();
	if (world != BENCH_BARE)
		library_close();
}

#define ROW(row_name, row_title, row_cores)                                                                 \
	{                                                                                                   \
		.name = (row_name), .title = (row_title), .contenders = contenders, .baseline = "vfork",    \
		.conditions = { .cores = (row_cores), .descriptors = 10 }, .rounds = 30, .per_child = true, \
		.grown_last = true, .set_up = set_up, .tear_down = tear_down                                \
	}

const struct bench_row rate_rows[] = {
	ROW("rate-one-core", "children a second, a child's share of the time, one core", 1),
	ROW("rate-two-cores", "children a second, a child's share of the time, two cores", 2),
	{ 0 },
};

_Static_assert(FLOOR_SLOTS >= WAVE, "every child of a wave has a slot");
