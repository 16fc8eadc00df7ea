/* SPDX-License-Identifier: MIT */
/* The library as the rows use it. Every function ends in bench_fail, with its explanation, if it fails. */
#ifndef BENCH_LIBRARY_H
#define BENCH_LIBRARY_H

#include "pidring.h"

/* The engine of this row's process; opened by the first call. */
struct pidring *library_engine(void);
void library_close(void);

/* The same, opened otherwise: with so many servers at most and so many children parked. */
void library_open_with_servers(unsigned servers, unsigned parked);
/* Why there are no forkservers here, or NULL. Static. */
const char *library_servers_missing(void);
/* Waits until so many children are parked. */
void library_await_parked(unsigned count);
/* The process must have come to be in this way. */
void library_check_birth(struct pidring_process *process, enum pidring_birth birth);

struct pidring_process *library_new(const struct pidring_options *options);
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
