/* SPDX-License-Identifier: MIT */
/* Counting system calls: every one, by tracing. */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stdint.h>

struct calls {
	int64_t own;      /* of the process that does the work, in all its threads */
	int64_t children; /* of its children until their exec, which is the last one counted */
};

/* Why system calls cannot be counted here, or NULL. */
const char *calls_missing(void);

/* Does `rehearsal`, then `work` in a process of its own, and counts the calls of the latter. Ends in bench_fail. */
void calls_count(void (*rehearsal)(void), void (*work)(void), struct calls *ret_calls);

#endif
