/* SPDX-License-Identifier: MIT */
/* What the scenarios of the host's own forks share: copies, the original that they leave alone, and all uses of an engine. */
#ifndef PIDRING_TESTS_COPIES_H
#define PIDRING_TESTS_COPIES_H

#include "scenario.h"

/* --- copies --- */

enum copy_by { BY_FORK, BY_FORK_WITHOUT_HANDLERS, BY_SYSTEM_CALL };

/* As fork(); the copy ends after a minute. */
pid_t make_copy(enum copy_by by);
/* Waits for it; it must have ended with 0. */
void check_copy_ended_well(pid_t pid);
/* Runs `body` in a copy, which must end with 0. */
void run_in_copy_made(enum copy_by by, void (*body)(void *), void *argument);
void run_in_copy(void (*body)(void *), void *argument);

/* --- the original --- */

/* What most scenarios have: an engine with a running child and one that is not started. */
struct original {
	struct pidring *engine;
	struct latch latch;
	struct pidring_process *running;
	struct pidring_process *initial;
};

struct original *make_original(void);
/* Whatever the copies did, it is as it was; then everything in it ends. */
void end_original(struct original *original);

/* --- use of an engine --- */

/* The next event is the end of the process, with 0. */
void get_one_end(struct pidring *engine, struct pidring_process *process);
/* Functions, programs, asynchronous starts and failing ones; nothing may be outstanding before. */
void start_all_kinds(struct pidring *engine);
/* The end of a child comes by way of pidring_fd. */
void watch_by_descriptor(struct pidring *engine);

#endif
