/* SPDX-License-Identifier: MIT */
/* What was measured, as text; and what other reports ask of it. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "harness.h"
#include "statistics.h"

#include <stdio.h>

struct bench_result {
	const struct bench_row *row;
	struct bench_samples samples;
};

/* The row's table, or why there is none. */
void report_row(FILE *file, const struct bench_result *result);

/* The targets of the rows that were selected, and whether they are reached. */
void report_targets(FILE *file, const struct bench_result *results, size_t count);

/* "measured", "skipped" or "failed". Static. */
const char *report_outcome(const struct bench_result *result);
/* The result of the row with this name, or NULL. */
const struct bench_result *report_find(const struct bench_result *results, size_t count, const char *row);
/* Whether there are samples of this contender. */
bool report_is_measured(const struct bench_result *result, const char *contender);
/* The figures of contender `index`, with ratios to the contender `beside`. */
struct bench_figures report_figures(const struct bench_result *result, size_t index, const char *beside);

#endif
