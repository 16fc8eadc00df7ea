/* SPDX-License-Identifier: MIT */
/* Stops and continuations of a process, for those who ask to be told. */
#ifndef PIDRING_STOPS_H
#define PIDRING_STOPS_H

#include "process.h"

/* All with the family's lock held. Nothing happens to a process whose settings do not ask. */

/* -ENOMEM. */
int stops_new(struct pidring_process *process);
void stops_free(struct pidring_process *process);
/* The process has been started. */
void stops_begin(struct pidring_process *process);
void stops_process_ended(struct pidring_process *process);
/* The signal of the last stop. */
int stops_signal(const struct pidring_process *process);
/* Nobody will be told any more. */
void stops_drop(struct pidring_process *process);

#endif
