/* SPDX-License-Identifier: MIT */
/* Finalizers and the exit function. */
#ifndef PIDRING_FINALIZE_H
#define PIDRING_FINALIZE_H

#include <stdbool.h>
#include <stdint.h>

/* Runs the exit function of this process, once. Called again by one of its own finalizers (through an exit
 * call), it goes on with what is left. */
void exit_function(void);
/* In a fork, with the family's lock held: nothing registered by the original runs here. */
void finalizers_forget(void);
/* How long daemons are waited for: pidring_set_exit_grace. With the family's lock held. */
int64_t finalize_grace(void);
void finalize_set_grace(int64_t grace);

#endif
