/* SPDX-License-Identifier: MIT */
/* Starting the program. */
#ifndef PIDRING_INIT_START_H
#define PIDRING_INIT_START_H

#include "init.h"

/* The exit statuses of an init whose program never ran. */
#define INIT_NOT_FOUND 127
#define INIT_NOT_RUN   126

/* Starts it. Returns 0; or says what is wrong, and returns the exit status for that. */
int init_start(struct init *init);

#endif
