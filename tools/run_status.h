/* SPDX-License-Identifier: MIT */
/* What the user sees on standard error: messages, and on a terminal a status line that makes way for them. */
#ifndef PIDRING_RUN_STATUS_H
#define PIDRING_RUN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run_signals.h"

struct run_status {
	const struct run_signals *signals;
	int64_t patient_until; /* when to stop waiting for a reader; 0: no stop signal has been noticed */
	bool wanted;           /* standard error is a terminal that can do it */
	bool drawn;
	bool stale; /* something has changed since it was drawn */
	int64_t redraw_at;
};

struct run_counts {
	size_t done; /* failed ones among them */
	size_t running;
	size_t failed;
};

/* `signals` must stay: they are let in while a message waits for its reader. */
void run_status_open(struct run_status *status, const struct run_signals *signals);

/* Something has changed: the line is to be redrawn as soon as its turn comes. */
void run_status_changed(struct run_status *status);

/* How long a wait may take, for the line's sake. */
int64_t run_status_timeout(const struct run_status *status);

/* Redraws the line if its turn has come. `item` may be NULL. */
void run_status_refresh(struct run_status *status, const struct run_counts *counts, const char *item,
                        size_t item_length);

void run_status_clear(struct run_status *status);

/* Prints "pidring-run: ITEM: MESSAGE" in one piece; `item` may be NULL. Blocks while nobody reads, until a
 * stop signal comes: then the message is dropped. */
__attribute__((format(printf, 4, 5))) void run_status_say(struct run_status *status, const char *item,
                                                          size_t item_length, const char *format, ...);

#endif
