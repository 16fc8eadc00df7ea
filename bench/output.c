/* SPDX-License-Identifier: MIT */
/* Output: as much as possible from one child, a little from many, and the system calls that the latter takes. */
#include "calls.h"
#include "collect.h"
#include "environment.h"
#include "families.h"
#include "library.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

enum {
	MANY = COLLECT_MOST_CHILDREN,
	REHEARSED_CHILDREN = 128, /* before calls are counted: what is made once has been made then */
};

static char writer[PATH_MAX];
static char bytes_text[32];
static char size_text[32];
static char *arguments[] = { writer, bytes_text, size_text, NULL };
static struct collect_task whole_task;

static void set_task(const struct bench_row *row)
{
	if (environment_beside("writer", writer, sizeof(writer)) == NULL)
		bench_fail("the writer is not beside the suite", ENOENT);
	(void)snprintf(bytes_text, sizeof(bytes_text), "%zu", row->bytes);
	(void)snprintf(size_text, sizeof(size_text), "%u", row->write_size);
	whole_task = (struct collect_task){ arguments, row->count, row->bytes };
	collect_set(&whole_task);
	(void)environment_raise_descriptors();
}

static void (*collect_with_plugin)(void);

static void open_plugin(const char *name)
{
	char path[PATH_MAX];
	void *plugin = NULL;
	void *function = NULL;

	if (environment_beside(name, path, sizeof(path)) == NULL)
		bench_fail("another library's part is not beside the suite", ENOENT);
	plugin = dlopen(path, RTLD_NOW);
	function = plugin != NULL ? dlsym(plugin, "collect_with_another") : NULL;
	if (function == NULL) {
		(void)fprintf(stderr, "suite: %s\n", dlerror());
		bench_fail("another library cannot be had", 0);
	}
	collect_with_plugin = (void (*)(void))function;
}

static void set_up_plugin(enum bench_world world)
{
	if (world == BENCH_LIBUV)
		open_plugin("collect_libuv.so");
	else if (world == BENCH_GLIB)
		open_plugin("collect_glib.so");
}

static void set_up(const struct bench_row *row, enum bench_world world)
{
	set_task(row);
	set_up_plugin(world);
	if (world == BENCH_LIBRARY)
		(void)library_engine();
}

/* Each count has a process, and so an engine, of its own. */
static void set_up_calls(const struct bench_row *row, enum bench_world world)
{
	set_task(row);
	set_up_plugin(world);
}

static void tear_down(enum bench_world world)
{
	if (world == BENCH_LIBRARY)
		library_close();
}

/* --- time --- */

static int64_t measure(void (*collect)(void))
{
	int64_t start = bench_now();

	collect();
	return bench_now() - start;
}

/* --- calls --- */

static void (*counted)(void);

static void rehearse(void)
{
	struct collect_task task = whole_task;

	if (task.count > REHEARSED_CHILDREN)
		task.count = REHEARSED_CHILDREN;
	collect_set(&task);
	counted();
	collect_set(&whole_task);
}

static struct calls count(void (*collect)(void))
{
	struct calls calls;

	counted = collect;
	calls_count(rehearse, collect, &calls);
	return calls;
}

/* Thousandths of a call. */
static int64_t share(int64_t calls)
{
	return calls * BENCH_CALL / whole_task.count;
}

#define MEASURES(name, collect)                           \
	static int64_t measure_##name(void)               \
	{                                                 \
		return measure(collect);                  \
	}                                                 \
	static int64_t count_all_##name(void)             \
	{                                                 \
		struct calls calls = count(collect);      \
                                                          \
		return share(calls.own + calls.children); \
	}                                                 \
	static int64_t count_own_##name(void)             \
	{                                                 \
		return share(count(collect).own);         \
	}                                                 \
	static int64_t count_children_##name(void)        \
	{                                                 \
		return share(count(collect).children);    \
	}

MEASURES(library, collect_with_library)
MEASURES(asynchronously, collect_with_library_asynchronously)
MEASURES(epoll, collect_with_epoll)
MEASURES(plugin, collect_with_plugin)

static int64_t measure_blocking_loop(void)
{
	return measure(collect_with_blocking_loop);
}

/* --- the rows --- */

static const struct bench_contender one_contenders[] = {
	{ .name = "pidring", .measure = measure_library, .world = BENCH_LIBRARY },
	{ .name = "blocking-loop", .measure = measure_blocking_loop, .world = BENCH_BARE },
	{ .name = "libuv", .measure = measure_plugin, .world = BENCH_LIBUV },
	{ 0 },
};

#define MANY_CONTENDERS(what)                                                                     \
	{                                                                                         \
		{ .name = "pidring", .measure = what##_library, .world = BENCH_LIBRARY },         \
			{ .name = "pidring-async",                                                \
			  .measure = what##_asynchronously,                                       \
			  .world = BENCH_LIBRARY },                                               \
			{ .name = "epoll", .measure = what##_epoll, .world = BENCH_BARE },        \
			{ .name = "libuv", .measure = what##_plugin, .world = BENCH_LIBUV },      \
			{ .name = "glib", .measure = what##_plugin, .world = BENCH_GLIB }, { 0 }, \
	}

static const struct bench_contender many_contenders[] = MANY_CONTENDERS(measure);
static const struct bench_contender all_calls_contenders[] = MANY_CONTENDERS(count_all);
static const struct bench_contender own_calls_contenders[] = MANY_CONTENDERS(count_own);
static const struct bench_contender child_calls_contenders[] = MANY_CONTENDERS(count_children);

static const char *missing(const struct bench_row *row)
{
	struct bench_conditions conditions = { .descriptors = 4 * MANY };

	return environment_missing(&conditions, bench_count_worlds(row));
}

static const char *calls_row_missing(const struct bench_row *row)
{
	const char *reason = missing(row);

	return reason != NULL ? reason : calls_missing();
}

#define ONE(row_name, row_title, row_cores, row_write_size)                                   \
	{                                                                                     \
		.name = "output-" row_name, .title = "256 MiB from one child, " row_title,    \
		.contenders = one_contenders, .baseline = "blocking-loop",                    \
		.conditions = { .cores = (row_cores) }, .rounds = 30, .count = 1,             \
		.bytes = (size_t)256 << 20, .write_size = (row_write_size), .set_up = set_up, \
		.tear_down = tear_down                                                        \
	}

#define MANY_TITLE "1,000 children of 1 KiB each"

#define MANY_ROW(row_name, row_title, row_cores)                                                            \
	{                                                                                                   \
		.name = "output-many-" row_name, .title = MANY_TITLE ", " row_title,                        \
		.contenders = many_contenders, .baseline = "libuv", .conditions = { .cores = (row_cores) }, \
		.rounds = 30, .count = MANY, .bytes = 1 << 10, .write_size = 1 << 10, .missing = missing,   \
		.set_up = set_up, .tear_down = tear_down                                                    \
	}

#define CALLS_ROW(row_name, row_title, row_contenders)                                           \
	{                                                                                        \
		.name = "output-calls" row_name, .title = MANY_TITLE ", " row_title " for each", \
		.contenders = (row_contenders), .baseline = "libuv", .unit = BENCH_CALLS,        \
		.conditions = { .cores = 1 }, .rounds = 2, .count = MANY, .bytes = 1 << 10,      \
		.write_size = 1 << 10, .missing = calls_row_missing, .set_up = set_up_calls      \
	}

const struct bench_row output_rows[] = {
	ONE("64k-one-core", "64 KiB a write, one core", 1, 64 << 10),
	ONE("64k-two-cores", "64 KiB a write, two cores", 2, 64 << 10),
	ONE("4k-one-core", "4 KiB a write, one core", 1, 4 << 10),
	ONE("4k-two-cores", "4 KiB a write, two cores", 2, 4 << 10),
	MANY_ROW("one-core", "one core", 1),
	MANY_ROW("two-cores", "two cores", 2),
	CALLS_ROW("", "system calls", all_calls_contenders),
	CALLS_ROW("-parent", "system calls of the parent", own_calls_contenders),
	CALLS_ROW("-child", "system calls of the child until it runs its program", child_calls_contenders),
	{ 0 },
};
