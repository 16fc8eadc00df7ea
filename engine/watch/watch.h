/* SPDX-License-Identifier: MIT */
/*
 * How things become known: a descriptor is ready, a word is zero. One interface, two backends.
 *
 * One thread at a time arms, disarms and waits, and it need not be always the same one; only watch_kick is
 * for any thread. An item is reported at most once for each time it is armed.
 */
#ifndef PIDRING_WATCH_WATCH_H
#define PIDRING_WATCH_WATCH_H

#include "pidring.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct watch;

struct watch_item {
	int descriptor;               /* becomes readable; -1: it is the word that matters */
	const uint32_t *word;         /* becomes zero: a shared futex that the kernel clears and wakes */
	void *owner;                  /* the caller's */
	bool armed;                   /* the watch's: armed and not reported */
	bool forgotten;               /* the watch's: disarmed, but still in the kernel's hands */
	bool by_timer;                /* the watch's: a word that is looked at by timer */
	TAILQ_ENTRY(watch_item) link; /* the watch's */
};

TAILQ_HEAD(watch_item_list, watch_item);

/* AUTOMATIC: io_uring if it can be had. -ENOSYS, -EPERM: not here. */
int watch_open(struct watch **ret_watch, enum pidring_backend wanted);
void watch_close(struct watch *watch);
/* In a fork: closes the descriptors of the inherited one, without disturbing the original's. */
void watch_abandon(struct watch *watch);
/* And, at leisure, the memory of an abandoned one. */
void watch_free(struct watch *watch);

enum pidring_backend watch_backend(const struct watch *watch);
/* Whether words are waited for, not looked at by timer. */
bool watch_waits_for_words(const struct watch *watch);

int watch_arm(struct watch *watch, struct watch_item *item);
/* True: it is disarmed. False: the kernel still holds the item, which must stay until it is reported; its
 * descriptor may be closed and its word used for something else. */
bool watch_disarm(struct watch *watch, struct watch_item *item);

/* How a wait may be ended by a signal handler. */
struct watch_interruption {
	const sigset_t *mask; /* in place during the wait; NULL: the thread's own */
};

/* Waits for at least one item or a kick; returns how many items were stored, 0 after a kick or in vain, and
 * -EINTR after a signal. `interruption` is NULL if a signal is no reason: then it may go unreported. */
int watch_wait(struct watch *watch, struct watch_item **ret_items, size_t capacity, int64_t timeout,
               const struct watch_interruption *interruption);
/* From `moment` (CLOCK_MONOTONIC nanoseconds; INT64_MAX: never) on, watch_wait returns at once, and the descriptor
 * below is readable. */
void watch_set_alarm(struct watch *watch, int64_t moment);
/* Makes the present or the next watch_wait return. Any thread. */
void watch_kick(struct watch *watch);
/* A descriptor that is readable when watch_wait would not block. */
int watch_descriptor(struct watch *watch);
/* Whether that descriptor needs one more watch_wait before it tells everything. */
bool watch_wants_look(const struct watch *watch);

/* --- for the backends --- */

struct watch {
	const struct watch_operations *operations;
	int kick; /* an eventfd */
};

struct watch_operations {
	enum pidring_backend backend;
	int (*open)(struct watch **ret_watch, int kick);
	void (*close)(struct watch *watch);
	void (*abandon)(struct watch *watch);
	bool (*waits_for_words)(const struct watch *watch);
	int (*arm)(struct watch *watch, struct watch_item *item);
	bool (*disarm)(struct watch *watch, struct watch_item *item);
	int (*wait)(struct watch *watch, struct watch_item **ret_items, size_t capacity, int64_t timeout,
	            const struct watch_interruption *interruption);
	int (*descriptor)(struct watch *watch);
	bool (*wants_look)(const struct watch *watch);
};

extern const struct watch_operations watch_uring;
extern const struct watch_operations watch_epoll;

/* Takes a kick back, so that the eventfd is not readable. */
void watch_take_kick(struct watch *watch);

/* --- words without a futex in the ring: looked at by a timer that slows down while nothing happens --- */

struct watch_words {
	int timer; /* a timerfd; -1 until it is needed */
	int64_t interval;
	struct watch_item_list items;
};

void watch_words_init(struct watch_words *words);
void watch_words_release(struct watch_words *words);
/* Makes sure that the timer is there. Returns its descriptor. */
int watch_words_timer(struct watch_words *words);
void watch_words_add(struct watch_words *words, struct watch_item *item);
void watch_words_remove(struct watch_words *words, struct watch_item *item);
/* The timer has fired: takes out up to `capacity` items whose word is zero, and winds the timer for the rest.
 */
size_t watch_words_collect(struct watch_words *words, struct watch_item **ret_items, size_t capacity);

/* --- sentinels, one or a few at a time, for whoever waits without an engine --- */

struct pollfd;
/* Waits until one of the descriptors is ready. Returns how many, 0 at the deadline, or a negated errno;
 * signals do not end it. */
int watch_sentinels(struct pollfd *items, size_t count, int64_t deadline);
int watch_sentinel(int descriptor, int64_t deadline);
/* Lets pending signals in that the mask allows: whether a handler has run. */
bool watch_let_signals_in(const sigset_t *mask);

/* --- reaping --- */

struct reaped {
	enum pidring_reaper reaper;
	int wait_status;     /* if reaper is not UNKNOWN */
	struct rusage usage; /* if reaper is HERE */
};

/* Takes the exit status from the kernel, if the child has ended. Returns 1, or 0 if it runs. */
int watch_reap(int pidfd, struct reaped *ret_reaped);

#endif
