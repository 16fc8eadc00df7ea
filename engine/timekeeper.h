/* SPDX-License-Identifier: MIT */
/* The engines' timers while nobody fetches events: whoever waits for processes keeps the time meanwhile. */
#ifndef PIDRING_TIMEKEEPER_H
#define PIDRING_TIMEKEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pollfd;

/* The room that a timekeeper_wait needs behind the items. */
enum { TIMEKEEPER_ITEMS = 1 };

/* --- all with the family's lock held --- */

/* As watch_sentinels, and does meanwhile what is due in any engine. The lock is released during the wait. */
int timekeeper_wait(struct pollfd *items, size_t count, int64_t deadline);
/* Does what is due in any engine, without waiting; the lock may be released meanwhile. */
void timekeeper_run(void);
/* A timer of an engine has been set. */
void timekeeper_notice(void);
/* The last engine is closed. */
void timekeeper_retire(void);
/* In a fork: those who waited have stayed behind. `shared`: the descriptors are the original's. */
void timekeeper_forget(bool shared);

#endif
