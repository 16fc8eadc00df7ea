/* SPDX-License-Identifier: MIT */
/* An engine in full use, for scenarios that show what it leaves alone. */
#ifndef PIDRING_TESTS_BUSY_ENGINE_H
#define PIDRING_TESTS_BUSY_ENGINE_H

#include "scenario.h"

/* With watched children, a descriptor for loops, an asynchronous start in its past. */
struct pidring *busy_engine(struct pidring_process *running[3]);
void end_busy_engine(struct pidring *engine, struct pidring_process *running[3]);

#endif
