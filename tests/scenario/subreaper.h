/* SPDX-License-Identifier: MIT */
/* What the scenarios of orphans share: an engine that is a subreaper, and those that are left to it. */
#ifndef PIDRING_TESTS_SUBREAPER_H
#define PIDRING_TESTS_SUBREAPER_H

#include "scenario.h"

/* Without that no engine may be a subreaper. */
void block_sigchld(void);
/* With SIGCHLD blocked. */
struct pidring *open_subreaper_with(struct pidring_engine_options options);
struct pidring *open_subreaper(void);
/* As the kernel has it. */
int is_subreaper(void);

/* --- orphans --- */

struct brood {
	bool waits; /* to be let through the latch, before they end */
	struct latch latch;
	int count;
	int code; /* minus a signal */
};

/* A child of the engine leaves them behind, and is gone when this returns. */
void make_orphans(struct pidring *engine, struct brood brood);
/* The next orphan that is told, whatever comes before. */
struct pidring_event next_orphan(struct pidring *engine);
/* So many, all with this code. */
void expect_orphans(struct pidring *engine, int count, int code);

#endif
