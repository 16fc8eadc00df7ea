/* SPDX-License-Identifier: MIT */
/* The life of an init: it sleeps until somebody sends a signal, ends, or a time is over. */
#ifndef PIDRING_INIT_SUPERVISE_H
#define PIDRING_INIT_SUPERVISE_H

#include "init.h"

/* Returns when everything is over. */
void init_supervise(struct init *init);

#endif
