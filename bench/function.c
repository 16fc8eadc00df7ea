/* SPDX-License-Identifier: MIT */
/* A function that returns 0 at once, from start to reaped. */
#include "families.h"
#include "floor.h"
#include "library.h"
#include "other.h"

/* It needs no stack of its own, and a large pool of touched stacks would have to be copied by every fork. */
static struct floor_child floor_child;

static int return_at_once(void *argument)
{
	(void)argument;
	return 0;
}

static void set_up(const struct bench_row *row, enum bench_world world)
{
	(void)row;
	if (world == BENCH_LIBRARY)
		(void)library_engine();
}

static void tear_down(enum bench_world world)
{
	if (world == BENCH_LIBRARY)
		library_close();
}

static int64_t measure_library(void)
{
	int64_t start = bench_now();
	struct pidring_process *process = library_new_function(return_at_once);

	library_start(process);
	library_join(process);
	library_finish(process, 0);
	return bench_now() - start;
}

static int64_t measure_floor(void)
{
	int64_t start = bench_now();

	floor_start_function(&floor_child);
	floor_reap(&floor_child);
	return bench_now() - start;
}

static int64_t measure_fork(void)
{
	int64_t start = bench_now();

	other_reap(other_fork_function());
	return bench_now() - start;
}

static const struct bench_contender contenders[] = {
	{ .name = "pidring", .measure = measure_library, .world = BENCH_LIBRARY },
	{ .name = "floor", .measure = measure_floor, .world = BENCH_BARE },
	{ .name = "fork", .measure = measure_fork, .world = BENCH_BARE },
	{ 0 },
};

#define ROW(row_name, row_title, row_rounds, ...)                                                           \
	{                                                                                                   \
		.name = (row_name), .title = (row_title), .contenders = contenders, .baseline = "fork",     \
		.conditions = { __VA_ARGS__ }, .rounds = (row_rounds), .rehearsed = true, .set_up = set_up, \
		.tear_down = tear_down                                                                      \
	}

const struct bench_row function_rows[] = {
	ROW("function-one-core", "a function, start to reaped, one core", 1000, 1, 10, 0),
	ROW("function-two-cores", "a function, start to reaped, two cores", 1000, 2, 10, 0),
	ROW("function-descriptors-one-core", "a function, 10,000 descriptors open, one core", 200, 1, 10000,
	    0),
	ROW("function-256mb-one-core", "a function, 256 MB resident, one core", 80, 1, 10, 256),
	{ 0 },
};
