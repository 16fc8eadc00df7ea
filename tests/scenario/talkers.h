/* SPDX-License-Identifier: MIT */
/* What the scenarios of standard streams share: a child that uses all three, and what it has written to memory. */
#ifndef PIDRING_TESTS_TALKERS_H
#define PIDRING_TESTS_TALKERS_H

#include "scenario.h"

/* A target: says what it reads, up to the end, and something on stderr. The program is "scenarios --sub places_talk". */
int talk(void *argument);
/* Shows one place for both kinds of target; what it gets as options says which. */
void for_both(void (*show)(struct pidring *engine, struct pidring_options options));
/* What is in the memfd of a stream, in a buffer that the next call overwrites. */
const char *memory_of(struct pidring_process *process, int stream);

#endif
