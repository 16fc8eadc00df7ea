/* SPDX-License-Identifier: MIT */
/* The end: when it begins, whom it takes with it, and when it is over. */
#ifndef PIDRING_INIT_END_H
#define PIDRING_INIT_END_H

#include "init.h"

/* Whether a signal that has come is to begin the end. */
bool init_end_is_meant(const struct init *init, int received);

/* Such a one has come, and was sent on as `sent`; SIGTERM is sent to all here. */
void init_end_asked(struct init *init, int sent);

/* The program has ended. */
void init_end_program_ended(struct init *init);

/* Somebody else has. */
void init_end_other_ended(struct init *init);

/* The time of the phase is over. */
void init_end_time_over(struct init *init);

#endif
