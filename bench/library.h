/* SPDX-License-Identifier: MIT */
/* The library as the rows use it. Every function ends in bench_fail, with its explanation, if it fails. */
#ifndef BENCH_LIBRARY_H
#define BENCH_LIBRARY_H

#include "pidring.h"

/* The engine of this row's process; opened by the first call. */
struct pidring *library_engine(void);
void library_close(void);

struct pidring_process *library_new_program(char *const argv[], bool asynchronous);
/* Started by library_start_many; its stdout comes as events. */
struct pidring_process *library_new_writer(char *const argv[], bool asynchronous, void *user_data);
struct pidring_process *library_new_function(int (*function)(void *argument));
void library_start(struct pidring_process *process);
void library_start_many(struct pidring_process *const *processes, size_t count);
void library_join(struct pidring_process *process);
void library_join_all(struct pidring_process *const *processes, size_t count);

/* Fetches events, at least one. */
int library_fetch(struct pidring_event *ret_events, size_t capacity);
/* Fetches without waiting; there must be nothing. What was started last is watched from now on. */
void library_look(void);
/* Fetches events until `count` processes have ended. */
void library_wait_for_ends(size_t count);
/* Fetches events until one process has ended, which must be this one with this code. */
void library_wait_for_end(struct pidring_process *process, int code);

/* Looks at the exit code and frees. */
void library_finish(struct pidring_process *process, int code);

#endif
