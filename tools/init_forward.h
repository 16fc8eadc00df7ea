/* SPDX-License-Identifier: MIT */
/* Signals on their way from pidring-init to those they are for. */
#ifndef PIDRING_INIT_FORWARD_H
#define PIDRING_INIT_FORWARD_H

#include "init.h"

/* A signal has come, from the kernel or from somebody: rewrites it and forwards it, now or when its delay is over. */
void init_forward(struct init *init, int received, bool by_kernel);

/* Forwards those whose delay is over. */
void init_forward_due(struct init *init);

/* When the next one is due; PIDRING_FOREVER: none waits. */
int64_t init_forward_next(const struct init *init);

/* Sends a signal to those who get signals, also when the program has ended. A count, 0, or a negated errno. */
int init_forward_send(struct init *init, int signal_number);

#endif
