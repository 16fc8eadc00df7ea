/* SPDX-License-Identifier: MIT */
/*
 * One start by one method, of which three times are taken, all from the moment at which the caller begins to make the
 * object (if there are objects): until start returns to the caller, until the target runs its first instruction, and
 * until the child is reaped.
 */
#ifndef BENCH_METHOD_H
#define BENCH_METHOD_H

#include "harness.h"
#include "pidring.h"

#include <sys/types.h>

enum {
	METHOD_BLOCKED = 0,
	METHOD_FIRST = 1,
	METHOD_REAPED = 2,
};

/* What the library has in this world: an engine, one with a server, or one with parked children as well; in the bare
 * world nothing. All of it before the world grows. */
void method_open(enum bench_world world);
void method_close(enum bench_world world);

void method_measure_bare(pid_t (*start)(void), int64_t *ret_times);
void method_measure_library(const struct pidring_options *options, enum pidring_birth birth,
                            int64_t *ret_times);

/* Three rows of one run. */
#define METHOD_ROW(kind, condition, row_measure, measure_name, measure_title, row_title, row_rounds, ...) \
	{                                                                                                 \
		.name = "method-" kind "-" measure_name "-" condition,                                    \
		.title = row_title ": " measure_title, .together = "method-" kind "-" condition,          \
		.measure = (row_measure), .contenders = contenders, .baseline = baseline,                 \
		.rounds = (row_rounds), .conditions = { __VA_ARGS__ }, .rehearsed = true,                 \
		.grown_last = true, .set_up = set_up, .tear_down = tear_down                              \
	}
#define METHOD_ROWS(kind, condition, row_title, row_rounds, ...)                                             \
	METHOD_ROW(kind, condition, METHOD_BLOCKED, "blocked", "the caller's time in start", row_title,      \
	           row_rounds, __VA_ARGS__),                                                                 \
		METHOD_ROW(kind, condition, METHOD_FIRST, "first", "until its first instruction", row_title, \
	                   row_rounds, __VA_ARGS__),                                                         \
		METHOD_ROW(kind, condition, METHOD_REAPED, "reaped", "start to reaped", row_title,           \
	                   row_rounds, __VA_ARGS__)

/* Memory at several sizes, as the plots show it, and many descriptors. `title` names the target. */
#define METHOD_ALL_ROWS(kind, title)                                                                        \
	METHOD_ROWS(kind, "one-core", title ", one core", 600, 1, 10, 0),                                   \
		METHOD_ROWS(kind, "two-cores", title ", two cores", 400, 2, 10, 0),                         \
		METHOD_ROWS(kind, "descriptors-one-core", title ", 10,000 descriptors open, one core", 200, \
	                    1, 10000, 0),                                                                   \
		METHOD_ROWS(kind, "descriptors-two-cores", title ", 10,000 descriptors open, two cores",    \
	                    200, 2, 10000, 0),                                                              \
		METHOD_ROWS(kind, "256mb-one-core", title ", 256 MB resident, one core", 60, 1, 10, 256),   \
		METHOD_ROWS(kind, "1gb-one-core", title ", 1 GB resident, one core", 25, 1, 10, 1024),      \
		METHOD_ROWS(kind, "1gb-two-cores", title ", 1 GB resident, two cores", 25, 2, 10, 1024),    \
		METHOD_ROWS(kind, "2gb-one-core", title ", 2 GB resident, one core", 15, 1, 10, 2048)

#endif
