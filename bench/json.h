/* SPDX-License-Identifier: MIT */
/* What was measured, as JSON. */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include "report.h"

/* Everything: conditions, figures, distributions, targets. Returns 0 or a negated errno. */
int json_write(const char *path, const struct bench_result *results, size_t count);

#endif
