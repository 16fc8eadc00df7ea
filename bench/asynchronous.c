/* SPDX-License-Identifier: MIT */
/* How long the caller is held up by a start: the reaping is not in the time. */
#include "environment.h"
#include "families.h"
#include "floor.h"
#include "library.h"
#include "other.h"

static char *arguments[2];

static void set_up(const struct bench_row *row, enum bench_world world)
{
	arguments[0] = (char *)(uintptr_t)environment_program(row->program);
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

static void reap_library(struct pidring_process *process)
{
	library_wait_for_ends(1);
	library_finish(process, 0);
}

static int64_t measure_library(void)
{
	int64_t start = bench_now();
	struct pidring_process *process = library_new_program(arguments, true);
	int64_t elapsed = 0;

	library_start(process);
	elapsed = bench_now() - start;
	reap_library(process);
	return elapsed;
}

static int64_t measure_library_start(void)
{
	struct pidring_process *process = library_new_program(arguments, true);
	int64_t start = bench_now();
	int64_t elapsed = 0;

	library_start(process);
	elapsed = bench_now() - start;
	reap_library(process);
	return elapsed;
}

static int64_t measure_floor(void)
{
	struct floor_child *child = floor_children();
	int64_t start = bench_now();
	int64_t elapsed = 0;

	floor_start(child, arguments);
	elapsed = bench_now() - start;
	floor_settle(child);
	floor_reap(child);
	return elapsed;
}

static int64_t measure_other(other_start start_program)
{
	int64_t start = bench_now();
	pid_t pid = start_program(arguments);
	int64_t elapsed = bench_now() - start;

	other_reap(pid);
	return elapsed;
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
	{ .name = "pidring-start", .measure = measure_library_start, .world = BENCH_LIBRARY },
	{ .name = "floor", .measure = measure_floor, .world = BENCH_BARE },
	{ .name = "posix_spawn", .measure = measure_posix_spawn, .world = BENCH_BARE },
	{ .name = "vfork", .measure = measure_vfork, .world = BENCH_BARE },
	{ .name = "fork", .measure = measure_fork, .world = BENCH_BARE },
	{ 0 },
};

#define ROW(row_name, row_title, row_cores)                                                           \
	{                                                                                             \
		.name = (row_name), .title = (row_title), .contenders = contenders,                   \
		.baseline = "posix_spawn", .conditions = { .cores = (row_cores), .descriptors = 10 }, \
		.rounds = 1000, .rehearsed = true, .program = PROGRAM_NO_OP, .set_up = set_up,        \
		.tear_down = tear_down                                                                \
	}

const struct bench_row asynchronous_rows[] = {
	ROW("asynchronous-one-core", "the caller's time in a start, one core", 1),
	ROW("asynchronous-two-cores", "the caller's time in a start, two cores", 2),
	{ 0 },
};
