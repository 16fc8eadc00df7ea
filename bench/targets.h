/* SPDX-License-Identifier: MIT */
#ifndef BENCH_TARGETS_H
#define BENCH_TARGETS_H

#include <stddef.h>

/* The median of `contender` is to be at most `limit` of the median of `beside`. */
struct bench_target {
	const char *row;
	const char *contender;
	const char *beside;
	double limit;
};

/* Ended by a target without a row. */
extern const struct bench_target bench_targets[];

#endif
