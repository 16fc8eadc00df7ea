/* SPDX-License-Identifier: MIT */
/* Deadlines, and stopping step by step. All with the family's lock held. */
#ifndef PIDRING_STOP_H
#define PIDRING_STOP_H

#include <stdbool.h>

struct pidring_process;

/* It has been started: sets the deadline of its options. */
void deadline_begin(struct pidring_process *process);
/* It has ended: what only concerned itself is over; its group may be stopped further. */
void stop_at_end(struct pidring_process *process);
/* Nothing is to happen to it any more. */
void stop_forget(struct pidring_process *process);

/* Whether there are steps to come, for itself or its group. */
bool stop_is_under_way(const struct pidring_process *process);

/* What the timers call. */
void deadline_due(struct pidring_process *process);
void stop_due(struct pidring_process *process);

#endif
