/* SPDX-License-Identifier: MIT */
/* What was measured, as text and as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "harness.h"

#include <stdio.h>

struct bench_result {
	const struct bench_row *row;
	struct bench_samples samples;
};

/* The row's table, or why there is none. */
void report_row(FILE *file, const struct bench_result *result);

/* The targets of the rows that were selected, and whether they are reached. */
void report_targets(FILE *file, const struct bench_result *results, size_t count);

/* Everything. Returns 0 or a negated errno. */
int report_json(const char *path, const struct bench_result *results, size_t count);

#endif
