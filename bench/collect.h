/* SPDX-License-Identifier: MIT */
/*
 * The work of the rows about output: so many children are started, everything that they write is read, and every
 * exit status is looked at. Each contender does it as its users would; all end in bench_fail if anything is wrong.
 */
#ifndef BENCH_COLLECT_H
#define BENCH_COLLECT_H

#include <stddef.h>

enum {
	COLLECT_MOST_CHILDREN = 1000,
	COLLECT_KEPT_BYTES = 1024,       /* of each child's output; what is more is counted and dropped */
	COLLECT_BUFFER_SIZE = 64 * 1024, /* what the others read into, as much as a pipe holds */
};

/* What is to be done; set for all contenders of a row. */
struct collect_task {
	char *const *arguments;
	unsigned count;
	size_t bytes; /* that each child writes */
};

void collect_set(const struct collect_task *task);
const struct collect_task *collect_task(void);

/* --- for the contenders --- */

void collect_begin(void);
/* Output of a child has come. */
void collect_take(unsigned child, const char *data, size_t length);
/* A child has ended. */
void collect_end(unsigned child, int exit_code);
/* Everything must have come. */
void collect_check(void);
/* Into which all that read one piece after the other may read. */
char *collect_buffer(void);

/* --- the contenders --- */

/* pidring_start_many, then events. */
void collect_with_library(void);
/* The same with .asynchronous: nobody waits for the programs to run. */
void collect_with_library_asynchronously(void);
/* posix_spawn, an epoll set of all pipes, waitpid. */
void collect_with_epoll(void);
/* posix_spawn, read until the end, waitpid; one child after the other. */
void collect_with_blocking_loop(void);
/* In shared objects of their own, collect_libuv.so and collect_glib.so, opened in their worlds alone: the mappings of
 * a library would weigh on every fork in the others. */
void collect_with_another(void);

#endif
