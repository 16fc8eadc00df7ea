/* SPDX-License-Identifier: MIT */
/*
 * The raw floor: the system calls that the library needs, in its order, and nothing around them. What is
 * above it is the library's own cost.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FLOOR_SLOTS 64

/* One child, from its clone to its reaping. */
struct floor_child {
	uint32_t word; /* 1 until the child has left the memory: the kernel clears and wakes it */
	int error;     /* of the child's execve */
	int pidfd;
	pid_t pid;
	char *stack;
	char *const *argv;
};

/* As many as may be on their way at once, with their stacks touched. The same array each time. */
struct floor_child *floor_children(void);

/* A program, in three steps: created, running, reaped. Each ends in bench_fail if it fails. */
void floor_start(struct floor_child *child, char *const argv[]);
void floor_settle(struct floor_child *child);
void floor_reap(struct floor_child *child);

/* A function that returns 0 at once, in a copy of the caller made by clone3. */
void floor_start_function(struct floor_child *child);

/* Takes the status of an ended child from its pidfd, with its rusage, without blocking, and compares. `code`
 * and `status` are si_code and si_status as they have to be. */
void floor_take_status(int pidfd, int code, int status);

#endif
