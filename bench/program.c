/* SPDX-License-Identifier: MIT */
/* A program, from start to reaped, in small and large callers. */
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

static int64_t measure_library(void)
{
	int64_t start = bench_now();
	struct pidring_process *process = library_new_program(arguments, false);

	library_start(process);
	library_join(process);
	library_finish(process, 0);
	return bench_now() - start;
}

static int64_t measure_library_events(void)
{
	int64_t start = bench_now();
	struct pidring_process *process = library_new_program(arguments, false);

	library_start(process);
	library_wait_for_end(process, 0);
	library_finish(process, 0);
	return bench_now() - start;
}

static int64_t measure_floor(void)
{
	struct floor_child *child = floor_children();
	int64_t start = bench_now();

	floor_start(child, arguments);
	floor_settle(child);
	floor_reap(child);
	return bench_now() - start;
}

static int64_t measure_other(other_start start_program)
{
	int64_t start = bench_now();

	other_reap(start_program(arguments));
	return bench_now() - start;
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

#define ROW(row_name, row_title, row_program, row_rounds, ...)                                        \
	{                                                                                             \
		.name = (row_name), .title = (row_title), .contenders = contenders,                   \
		.baseline = "posix_spawn", .conditions = { __VA_ARGS__ }, .rounds = (row_rounds),     \
		.rehearsed = true, .program = (row_program), .set_up = set_up, .tear_down = tear_down \
	}

/* 10 descriptors are what a small program has, with some to spare. */
const struct bench_row program_rows[] = {
	ROW("program-noop-one-core", "a no-op, start to reaped, one core", PROGRAM_NO_OP, 1000, 1, 10, 0),
	ROW("program-noop-two-cores", "a no-op, start to reaped, two cores", PROGRAM_NO_OP, 1000, 2, 10, 0),
	ROW("program-noop-descriptors-one-core", "a no-op, 10,000 descriptors open, one core", PROGRAM_NO_OP,
	    300, 1, 10000, 0),
	ROW("program-noop-descriptors-two-cores", "a no-op, 10,000 descriptors open, two cores",
	    PROGRAM_NO_OP, 300, 2, 10000, 0),
	ROW("program-noop-256mb-one-core", "a no-op, 256 MB resident, one core", PROGRAM_NO_OP, 100, 1, 10,
	    256),
	ROW("program-noop-256mb-two-cores", "a no-op, 256 MB resident, two cores", PROGRAM_NO_OP, 100, 2, 10,
	    256),
	ROW("program-noop-2gb-one-core", "a no-op, 2 GB resident, one core", PROGRAM_NO_OP, 25, 1, 10, 2048),
	ROW("program-noop-2gb-two-cores", "a no-op, 2 GB resident, two cores", PROGRAM_NO_OP, 25, 2, 10,
	    2048),
	ROW("program-true-one-core", "/bin/true, start to reaped, one core", "/bin/true", 300, 1, 10, 0),
	ROW("program-true-two-cores", "/bin/true, start to reaped, two cores", "/bin/true", 300, 2, 10, 0),
	ROW("program-true-descriptors-one-core", "/bin/true, 10,000 descriptors open, one core", "/bin/true",
	    150, 1, 10000, 0),
	ROW("program-true-descriptors-two-cores", "/bin/true, 10,000 descriptors open, two cores",
	    "/bin/true", 150, 2, 10000, 0),
	ROW("program-true-256mb-one-core", "/bin/true, 256 MB resident, one core", "/bin/true", 60, 1, 10,
	    256),
	ROW("program-true-256mb-two-cores", "/bin/true, 256 MB resident, two cores", "/bin/true", 60, 2, 10,
	    256),
	ROW("program-true-2gb-one-core", "/bin/true, 2 GB resident, one core", "/bin/true", 25, 1, 10, 2048),
	ROW("program-true-2gb-two-cores", "/bin/true, 2 GB resident, two cores", "/bin/true", 25, 2, 10,
	    2048),
	{ 0 },
};
