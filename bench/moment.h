/* SPDX-License-Identifier: MIT */
/*
 * The moment in which a target runs its first instruction, told through memory that is shared with all children: those of
 * a server, too, if it is opened before the server is made.
 */
#ifndef BENCH_MOMENT_H
#define BENCH_MOMENT_H

#include <stddef.h>
#include <stdint.h>

/* Makes the memory, and makes it the stdin of this process: the program `stamp` writes to that. Ends in bench_fail. */
void moment_open(void);

/* The target for functions: takes the time in its first line, and returns 0. */
int moment_take(void *argument);
/* What it gets: bytes that mean the same in every child. */
void *moment_argument(void);
size_t moment_argument_length(void);

void moment_clear(void);
/* The time that was taken since then, as bench_now. Ends in bench_fail if none was. */
int64_t moment_taken(void);

#endif
