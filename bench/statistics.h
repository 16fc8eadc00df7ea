/* SPDX-License-Identifier: MIT */
/* Order statistics of one row's samples. */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include "harness.h"

struct bench_figures {
	double p10, median, p90, p99; /* nanoseconds */
	double ratio;                 /* median to the baseline's median */
	double paired_ratio; /* median of the ratios of each round: what drifts during the run drops out */
};

/* The figures of contender `index`, beside contender `baseline`. */
void statistics_of(const struct bench_samples *samples, size_t index, size_t baseline,
                   struct bench_figures *ret_figures);

/* From the least sample to the largest, in hundredths of all. */
enum { STATISTICS_PERCENTILES = 101 };

/* How the samples of contender `index` are distributed. */
void statistics_percentiles(const struct bench_samples *samples, size_t index,
                            double ret_percentiles[STATISTICS_PERCENTILES]);

#endif
