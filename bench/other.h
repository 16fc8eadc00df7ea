/* SPDX-License-Identifier: MIT */
/* What programs use today. Every function ends in bench_fail if it fails. */
#ifndef BENCH_OTHER_H
#define BENCH_OTHER_H

#include <sys/types.h>

typedef pid_t (*other_start)(char *const argv[]);

pid_t other_posix_spawn(char *const argv[]);
pid_t other_vfork(char *const argv[]);
pid_t other_fork(char *const argv[]);
/* A function that returns 0 at once. */
pid_t other_fork_function(void);
/* Any function. */
pid_t other_fork_call(int (*function)(void *argument), void *argument);

/* waitpid, and the child must have ended with 0. */
void other_reap(pid_t pid);

#endif
