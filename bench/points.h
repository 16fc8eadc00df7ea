/* SPDX-License-Identifier: MIT */
/* What was measured, as points for plots: a table of values between tabs, each line of which says all of itself. */
#ifndef BENCH_POINTS_H
#define BENCH_POINTS_H

#include "report.h"

/* The percentiles of all rows whose samples are times. Returns 0 or a negated errno. */
int points_write(const char *path, const struct bench_result *results, size_t count);

#endif
