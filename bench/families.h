/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FAMILIES_H
#define BENCH_FAMILIES_H

#include "harness.h"

extern const struct bench_row program_rows[];
extern const struct bench_row burst_rows[];
extern const struct bench_row asynchronous_rows[];
extern const struct bench_row function_rows[];
extern const struct bench_row method_function_rows[];
extern const struct bench_row method_program_rows[];
extern const struct bench_row rate_rows[];
extern const struct bench_row table_rows[];
extern const struct bench_row watch_rows[];
extern const struct bench_row confined_rows[];
extern const struct bench_row run_rows[];
extern const struct bench_row output_rows[];

#endif
