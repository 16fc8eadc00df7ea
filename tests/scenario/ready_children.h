/* SPDX-License-Identifier: MIT */
/* Children of the one engine that say when they are ready. */
#ifndef PIDRING_TESTS_READY_CHILDREN_H
#define PIDRING_TESTS_READY_CHILDREN_H

#include "scenario.h"

extern struct pidring *engine;
/* A child that is ready says so here, and has it open until its end. */
extern struct latch ready;

/* Targets: */
int ignore_term(void *unused);
int obey(void *unused);

/* Makes the latch if there is none, starts a child and waits until it is ready. */
struct pidring_process *start_ready(int (*target)(void *), struct pidring_options options);
/* Closes the engine and the latch. */
void close_all(void);

#endif
