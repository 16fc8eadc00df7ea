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

/* Others have, as many as were known at once. */
void init_end_others_ended(struct init *init);

/* It is time to kill those who were born since the last time. */
void init_end_kill_again(struct init *init);

/* The time of the phase is over. */
void init_end_time_over(struct init *init);

#endif
