/* SPDX-License-Identifier: MIT */
/* Many no-ops at once, until all are reaped; a sample is the time of one burst shared out to its children. */
#include "environment.h"
#include "families.h"
#include "floor.h"
#include "library.h"
#include "other.h"

static char *arguments[2];
static unsigned burst;

static void set_up(const struct bench_row *row, enum bench_world world)
{
	arguments[0] = (char *)(uintptr_t)environment_program(row->program);
	burst = row->count;
	if (world == BENCH_LIBRARY)
		(void)library_engine();
	else
		(void)floor_children();
}

static void tear_down(enum bench_world world)
{
	if (world == BENCH_LIBRARY)
		library_close();
}

static int64_t share_since(int64_t start)
{
	return (bench_now() - start) / burst;
}

static int64_t measure_library(void)
{
	struct pidring_process *processes[FLOOR_SLOTS];
	int64_t start = bench_now();

	for (unsigned index = 0; index < burst; index++)
		processes[index] = library_new_program(arguments, false);
	library_start_many(processes, burst);
	library_join_all(processes, burst);
	for (unsigned index = 0; index < burst; index++)
		library_finish(processes[index], 0);
	return share_since(start);
}

static int64_t measure_library_events(void)
{
	struct pidring_process *processes[FLOOR_SLOTS];
	int64_t start = bench_now();

	for (unsigned index = 0; index < burst; index++) {
		processes[index] = library_new_program(arguments, true);
		library_start(processes[index]);
	}
	library_wait_for_ends(burst);
	for (unsigned index = 0; index < burst; index++)
		library_finish(processes[index], 0);
	return share_since(start);
}

static int64_t measure_floor(void)
{
	struct floor_child *children = floor_children();
	int64_t start = bench_now();

	for (unsigned index = 0; index < burst; index++)
		floor_start(&children[index], arguments);
	for (unsigned index = 0; index < burst; index++)
		floor_settle(&children[index]);
	for (unsigned index = 0; index < burst; index++)
		floor_reap(&children[index]);
	return share_since(start);
}

static int64_t measure_other(other_start start_program)
{
	pid_t pids[FLOOR_SLOTS];
	int64_t start = bench_now();

	for (unsigned index = 0; index < burst; index++)
		pids[index] = start_program(arguments);
	for (unsigned index = 0; index < burst; index++)
		other_reap(pids[index]);
	return share_since(start);
}

static int64_t measure_posix_spawn(void)
{
	return measure_other(other_posix_spawn);
}

static int64_t measure_vfork(void)
{
	return measure_other(other_vfork);
}

static int64_t measure_fork(void)
{
	return measure_other(other_fork);
}

static const struct bench_contender contenders[] = {
	{ .name = "pidring", .measure = measure_library, .world = BENCH_LIBRARY },
	{ .name = "pidring-events", .measure = measure_library_events, .world = BENCH_LIBRARY },
	{ .name = "floor", .measure = measure_floor, .world = BENCH_BARE },
	{ .name = "posix_spawn", .measure = measure_posix_spawn, .world = BENCH_BARE },
	{ .name = "vfork", .measure = measure_vfork, .world = BENCH_BARE },
	{ .name = "fork", .measure = measure_fork, .world = BENCH_BARE },
	{ 0 },
};

#define ROW(row_name, row_title, row_cores)                                                               \
	{                                                                                                 \
		.name = (row_name), .title = (row_title), .contenders = contenders,                       \
		.baseline = "posix_spawn", .conditions = { .cores = (row_cores), .descriptors = 10 },     \
		.rounds = 60, .rehearsed = true, .program = PROGRAM_NO_OP, .count = 64, .set_up = set_up, \
		.tear_down = tear_down                                                                    \
	}

const struct bench_row burst_rows[] = {
	ROW("burst-one-core", "a burst of 64 no-ops, a child's share, one core", 1),
	ROW("burst-two-cores", "a burst of 64 no-ops, a child's share, two cores", 2),
	{ 0 },
};

_Static_assert(FLOOR_SLOTS >= 64, "every child of a burst has a slot");
