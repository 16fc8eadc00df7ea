/* SPDX-License-Identifier: MIT */
/*
 * The harness: a row is a table of contenders that do the same work under the same conditions.
 *
 * Every row runs in fresh processes of its own, so that the threads, mappings and descriptors of one do not
 * weigh on the next. Within a row the contenders take turns, one operation each a round, in an order that is
 * shuffled from round to round: none of them always inherits the caches that the same neighbour left behind.
 *
 * A row has worlds, each a process under the row's conditions: in one of them lives the library, in another all
 * that it is compared with, but for other libraries, which have one each. An open engine would weigh on the
 * others (fork() runs the library's handlers, waitid(P_ALL) finds its children), and their children on it. Worlds measure in themselves, told
 * to by the row's process, so the telling is not in the time.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_MAXIMUM_CONTENDERS 16
#define BENCH_MAXIMUM_ROUNDS     100000
/* So many times can be taken of one operation. */
#define BENCH_MEASURES 3

/* Performs one operation and returns its nanoseconds, or its calls if they are the row's unit. It checks what it did: a failure ends in bench_fail. */
typedef int64_t (*bench_measure)(void);
/* The same for rows that are measured together: the time of each of the BENCH_MEASURES. */
typedef void (*bench_measure_all)(int64_t *ret_times);

enum bench_world {
	BENCH_BARE = 0,
	BENCH_LIBRARY = 1,
	BENCH_LIBUV = 2,
	BENCH_GLIB = 3,
	BENCH_SERVER = 4,  /* the library with one forkserver */
	BENCH_SERVERS = 5, /* with as many as there are cores in the row */
	BENCH_THREADS = 6, /* the same, for several threads */
	BENCH_CALLERS = 7, /* several processes with a forkserver each */
	BENCH_PARKED = 8,  /* the library with parked children */
	BENCH_PYTHON =
		9, /* an interpreter of Python, which is put under the conditions instead of the world's process */
	BENCH_WORLDS = 10,
};

/* What samples are. */
enum bench_unit {
	BENCH_NANOSECONDS = 0,
	BENCH_CALLS = 1, /* thousandths of a system call */
};

enum { BENCH_CALL = 1000 };

struct bench_contender {
	const char *name;
	bench_measure measure;
	enum bench_world world;
	bench_measure_all measure_all; /* instead of `measure`, in rows that are measured together */
	/* Why it cannot take part here, or NULL; optional. The others are measured without it. */
	const char *(*missing)(void);
};

/* What each world looks like while it measures. */
struct bench_conditions {
	unsigned cores;       /* it and its children are pinned to the first so many; 0: all there are */
	unsigned descriptors; /* open and close-on-exec, beside the few that every process has */
	unsigned megabytes;   /* resident, in pages of the base size */
};

struct bench_row {
	const char *name;  /* what --only looks for */
	const char *title; /* what is measured, in words */
	const struct bench_contender *contenders;
	const char *baseline; /* the contender that ratios are taken to */
	struct bench_conditions conditions;
	enum bench_unit unit;
	unsigned rounds;
	bool rehearsed;  /* before each operation that counts, the same once more */
	bool grown_last; /* the conditions come after set_up: so servers that it makes are small */

	/* Rows of the same text, which follow each other and differ in `measure` alone, share one run; or NULL. */
	const char *together;
	unsigned measure; /* which of the times of an operation it shows */
	bool per_child;   /* a sample is the time that a child took: the table has children a second, too */

	/* For the family's own use. */
	const char *program; /* PROGRAM_NO_OP, or the file to run */
	unsigned count;      /* children in a burst, children watched, jobs at a time */
	size_t bytes;        /* that each child writes */
	unsigned write_size; /* so many at a time */

	/* Why the row cannot run here, or NULL; optional. */
	const char *(*missing)(const struct bench_row *row);
	/* In each world that a contender lives in; optional. */
	void (*set_up)(const struct bench_row *row, enum bench_world world);
	void (*tear_down)(enum bench_world world);
};

/* Ended by a row without a name; so are the contenders of a row. */
struct bench_family {
	const char *name;
	const struct bench_row *rows;
};

struct bench_settings {
	const char *only; /* a part of the names of the rows to run, or NULL */
	unsigned rounds;  /* instead of each row's own; 0: the row's own */
	bool quick;       /* a tenth of the rounds */
};

/* Ended by a family without a name. */
extern const struct bench_family bench_families[];

enum bench_outcome {
	BENCH_MEASURED = 0,
	BENCH_SKIPPED = 1,
	BENCH_FAILED = 2,
};

/* Samples lie round by round: samples[round * contenders + contender], always in the order of the table. */
struct bench_samples {
	enum bench_outcome outcome;
	const char *reason; /* why it was skipped */
	size_t contenders;
	size_t rounds;
	int64_t *samples;
	const char *missing[BENCH_MAXIMUM_CONTENDERS]; /* why a contender has no samples, or NULL */
};

size_t bench_count_contenders(const struct bench_row *row);
/* Why the contender cannot take part here, or NULL. */
const char *bench_missing(const struct bench_contender *contender);
/* How many worlds the row has. */
unsigned bench_count_worlds(const struct bench_row *row);
size_t bench_find_contender(const struct bench_row *row, const char *name);
bool bench_is_selected(const struct bench_row *row, const struct bench_settings *settings);

/* Runs the row in a process of its own. The caller frees ret_samples->samples. */
void bench_run_row(const struct bench_row *row, const struct bench_settings *settings,
                   struct bench_samples *ret_samples);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t bench_now(void);

/* Says what went wrong with which errno (0: none) and ends the world, and with it the row: a row in which
 * anything failed has no figures. */
__attribute__((noreturn)) void bench_fail(const char *what, int error);

#endif
