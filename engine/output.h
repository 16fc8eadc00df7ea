/* SPDX-License-Identifier: MIT */
/* Output that comes to the engine: read, told as events, and ended some time after its process. */
#ifndef PIDRING_OUTPUT_H
#define PIDRING_OUTPUT_H

#include "process.h"

/* All with the family's lock held. Nothing happens to a process without such output. */

/* If the settings ask for it. -ENOMEM. */
int output_new(struct pidring_process *process);
void output_free(struct pidring_process *process);
/* The process has been started. */
void output_begin(struct pidring_process *process);
void output_process_ended(struct pidring_process *process);
/* Whether something may still come. */
bool output_is_open(const struct pidring_process *process);
/* Whether there is a chunk that was read and not fetched. */
bool output_is_waiting(const struct pidring_process *process);
/* The oldest chunk that was read and not fetched. */
struct watch_chunk *output_take(struct pidring_process *process);
/* How the stream ended: 0 or a negated errno. */
int output_code(const struct pidring_process *process, int stream);
/* Nobody will fetch any more: lets go of everything. */
void output_drop(struct pidring_process *process);
/* In a fork, where the descriptors are closed already. */
void output_forget(struct pidring_process *process);

#endif
