/* SPDX-License-Identifier: MIT */
/* Moments at which something is to be done: one heap for all processes of an engine. */
#ifndef PIDRING_TIMERS_H
#define PIDRING_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct pidring_process;

struct timer {
	int64_t moment; /* CLOCK_MONOTONIC nanoseconds; INT64_MAX: it is not set */
	size_t index;   /* in the heap, while it is set */
	struct pidring_process *process;
	void (*due)(struct pidring_process *process);
};

struct timers {
	struct timer **heap; /* the earliest first */
	size_t count, room;
};

/* Makes room for `total` timers, so that setting so many cannot fail. -ENOMEM. */
int timers_reserve(struct timers *timers, size_t total);
void timers_release(struct timers *timers);
/* In a fork: none is set. The room stays. */
void timers_forget(struct timers *timers);
/* Sets, moves, or with INT64_MAX takes out. */
void timers_set(struct timers *timers, struct timer *timer, int64_t moment);
/* The earliest moment; INT64_MAX: none. */
int64_t timers_next(const struct timers *timers);
/* Takes out those whose moment has come, one by one, and calls them; they may set and unset any. */
void timers_run(struct timers *timers, int64_t now);

#endif
