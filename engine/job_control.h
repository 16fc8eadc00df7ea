/* SPDX-License-Identifier: MIT */
/* Stops and continuations of a process, for those who ask to be told. */
#ifndef PIDRING_JOB_CONTROL_H
#define PIDRING_JOB_CONTROL_H

#include "process.h"

/* All with the family's lock held. Nothing happens to a process whose settings do not ask. */

/* -ENOMEM. */
int job_control_new(struct pidring_process *process);
void job_control_free(struct pidring_process *process);
/* The process has been started. */
void job_control_begin(struct pidring_process *process);
void job_control_process_ended(struct pidring_process *process);
/* The signal of the last stop. */
int job_control_signal(const struct pidring_process *process);
/* Nobody will be told any more. */
void job_control_drop(struct pidring_process *process);

#endif
