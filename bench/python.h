/* SPDX-License-Identifier: MIT */
/* Python's multiprocessing, in an interpreter that is told what to measure and measures by itself. */
#ifndef BENCH_PYTHON_H
#define BENCH_PYTHON_H

#include "harness.h"

/* The start methods, as the interpreter is told them. */
#define PYTHON_FORK       'f'
#define PYTHON_FORKSERVER 's'

/* Why there is none, or NULL. Static. */
const char *python_missing(void);

/* Starts the interpreter and puts it under the conditions, when its forkserver runs. Ends in bench_fail. */
void python_open(const struct bench_conditions *conditions);
void python_close(void);

/* One Process by this method; the times are those of method.h. Ends in bench_fail. */
void python_measure(char method, int64_t *ret_times);

#endif
