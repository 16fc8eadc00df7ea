/* SPDX-License-Identifier: MIT */
/* Input that the engine writes to a process, from a queue. */
#ifndef PIDRING_INPUT_H
#define PIDRING_INPUT_H

#include "process.h"

/* All with the family's lock held. Nothing happens to a process without such input. */

/* If the settings ask for it. -ENOMEM. */
int input_new(struct pidring_process *process);
void input_free(struct pidring_process *process);
/* The process has been started. */
void input_begin(struct pidring_process *process);
void input_process_ended(struct pidring_process *process);
/* How many bytes were left when it was closed. */
size_t input_unwritten(const struct pidring_process *process);
/* Nobody will write any more. */
void input_drop(struct pidring_process *process);
/* In a fork, where the descriptor is closed already. */
void input_forget(struct pidring_process *process);

#endif
