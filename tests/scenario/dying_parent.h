/* SPDX-License-Identifier: MIT */
/* What the scenarios of the end of a parent share: a main program that has a child and dies, and what both say meanwhile. */
#ifndef PIDRING_TESTS_DYING_PARENT_H
#define PIDRING_TESTS_DYING_PARENT_H

#include "scenario.h"

/* --- the side of the parent and its child --- */

/* To stdout. */
void say(const char *line);
/* A target: says "ready", answers each byte of stdin with "alive", and says which signal ended it. It ends when stdin
 * does. */
int answer_for_ever(void *argument);

/* --- the side of the scenario --- */

struct parent {
	pid_t pid;
	int to;   /* stdin of the parent and its child */
	int from; /* stdout of both */
};

/* Runs `scenarios --sub NAME [mode]`. */
struct parent start_parent(const char *name, const char *mode);
void read_line(int descriptor, char *line, size_t size);
void expect_line(struct parent *parent, const char *expected);
/* Both lines, in whichever order they come. */
void expect_started_and_ready(struct parent *parent);
void expect_alive(struct parent *parent);
/* Waits for the orphans; none may have failed a check. */
void reap_orphans(void);
/* Until nobody holds the other end, and all have ended. */
void expect_silence(struct parent *parent);
/* When this returns, every death signal has been sent. */
void reap_parent(struct parent *parent);
/* The same after this signal. */
void end_parent(struct parent *parent, int signal_number);
void close_parent(struct parent *parent);

#endif
