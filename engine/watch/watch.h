/* SPDX-License-Identifier: MIT */
/*
 * How things become known: a descriptor is ready, bytes have been read, a word is zero, a child has stopped, time
 * has passed. One interface, two backends.
 *
 * One thread at a time arms, disarms and waits, and it need not be always the same one; only watch_kick is
 * for any thread. An item is reported once for each time it is armed, but one that reads, which is reported
 * whenever there are chunks, and once more at its end.
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

/* Bytes that were read. The memory is the watch's, to be given back by watch_release_chunk. */
struct watch_chunk {
	STAILQ_ENTRY(watch_chunk) link;
	unsigned char *bytes;
	size_t length;
	int tag;      /* the caller's */
	bool in_ring; /* the watch's: the kernel may write into it */
};

STAILQ_HEAD(watch_chunk_list, watch_chunk);

struct watch_item {
	int descriptor;       /* -1: it is the word that matters */
	short events;         /* POLLIN, POLLOUT, or 0 if only the going of its other end matters */
	bool reads;           /* what can be read is read, again and again, until its end */
	bool stops;           /* it is a pidfd, and what matters is that the child has stopped or gone on */
	const uint32_t *word; /* becomes settled (sys.h): a shared futex that the kernel changes and wakes */
	void *owner;          /* the caller's */

	struct watch_chunk_list chunks; /* of one that reads: what has come, for the caller to take */
	int result; /* of one that reads, once it is not armed any more: 0 at the end of the file, else a negated
	               errno; -ECANCELED: it was disarmed */
	siginfo_t *
		information; /* of one for stops: filled when it is reported; si_pid 0: there will be no more */

	bool armed;     /* the watch's, like all that follows: armed, and not over */
	bool forgotten; /* disarmed, but still in the kernel's hands */
	bool is_looked_at;
	bool by_poll;     /* it reads, but the ring cannot do that by itself */
	bool starved;     /* waits to be handed to the ring */
	bool is_reported; /* until the caller has looked at it, who takes this back */
	TAILQ_ENTRY(watch_item) link, report_link;
};

TAILQ_HEAD(watch_item_list, watch_item);

/* AUTOMATIC: io_uring if it can be had. -ENOSYS, -EPERM: not here. */
int watch_open(struct watch **ret_watch, enum pidring_backend wanted, size_t output_memory);
void watch_close(struct watch *watch);
/* In a fork: closes the descriptors of the inherited one, without disturbing the original's. */
void watch_abandon(struct watch *watch);
/* And, at leisure, the memory of an abandoned one. */
void watch_free(struct watch *watch);

enum pidring_backend watch_backend(const struct watch *watch);
/* What a backend can do by itself. */
struct watch_abilities {
	bool words; /* waited for, not looked at by timer */
	bool stops; /* the same */
	bool reads; /* without a system call for each */
};

struct watch_abilities watch_abilities(const struct watch *watch);

struct watch_counts {
	uint64_t bytes, ring_reads, call_reads, shortages;
};

struct watch_counts watch_counts(const struct watch *watch);

int watch_arm(struct watch *watch, struct watch_item *item);
/* The item is armed, and its events are others now. */
int watch_change(struct watch *watch, struct watch_item *item);
/* True: it is disarmed. False: the kernel still holds the item, or a report of it has not been taken, so it must stay
 * until it is reported; its descriptor may be closed and its word used for something else. One that reads may have
 * chunks then. */
bool watch_disarm(struct watch *watch, struct watch_item *item);
void watch_release_chunk(struct watch *watch, struct watch_chunk *chunk);

/* How a wait may be ended by a signal handler. */
struct watch_interruption {
	const sigset_t *mask; /* in place during the wait; NULL: the thread's own */
};

/* Waits for at least one item, the alarm or a kick; returns how many items were stored, 0 if there was none, and
 * -EINTR after a signal. `interruption` is NULL if a signal is no reason: then it may go unreported. */
int watch_wait(struct watch *watch, struct watch_item **ret_items, size_t capacity, int64_t timeout,
               const struct watch_interruption *interruption);
/* From `moment` (CLOCK_MONOTONIC nanoseconds; INT64_MAX: never) on, watch_wait returns at once, and the descriptor
 * below is readable. For the thread whose turn it is. */
void watch_set_alarm(struct watch *watch, int64_t moment);
/* Makes the present or the next watch_wait return. Any thread. */
void watch_kick(struct watch *watch);
/* A descriptor that is readable when watch_wait would not block, once the alarm has been set anew. Any thread, but one
 * at a time with watch_set_alarm. */
int watch_descriptor(struct watch *watch);
/* Whether that descriptor needs one more watch_wait before it tells everything. */
bool watch_wants_look(const struct watch *watch);

/* --- buffers --- */

enum { WATCH_BUFFER_SIZE = 64 * 1024 };

struct watch_buffers {
	size_t wanted; /* bytes */
	size_t count;  /* of chunks; 0: not made yet */
	struct watch_chunk *chunks;
	unsigned char *memory;
	struct watch_chunk_list free;
};

/* Makes them, if they are not there. */
int watch_buffers_make(struct watch_buffers *buffers);
void watch_buffers_release(struct watch_buffers *buffers);
/* NULL: none is free. */
struct watch_chunk *watch_buffers_take(struct watch_buffers *buffers);

/* --- what no ring waits for: looked at by and by, less often while nothing happens --- */

struct watch_looks {
	int64_t next; /* the moment of the next look; INT64_MAX: there is nothing to look at */
	int64_t interval;
	struct watch_item_list items;
};

void watch_looks_init(struct watch_looks *looks);
void watch_looks_add(struct watch_looks *looks, struct watch_item *item);
void watch_looks_remove(struct watch_looks *looks, struct watch_item *item);
/* If it is time: reports what is there to report. */
void watch_looks_run(struct watch *watch);

/* --- for the backends --- */

struct watch {
	const struct watch_operations *operations;
	int kick; /* an eventfd */
	int64_t alarm;
	int timer;         /* a timerfd for other loops: the alarm or the next look; -1 until it is needed */
	int64_t timer_set; /* to this moment */
	struct watch_looks looks;
	struct watch_buffers buffers;
	struct watch_item_list reports;
	size_t report_count;
	struct watch_counts counts;
};

struct watch_operations {
	enum pidring_backend backend;
	int (*open)(struct watch **ret_watch, int kick);
	void (*close)(struct watch *watch);
	void (*abandon)(struct watch *watch);
	struct watch_abilities (*abilities)(const struct watch *watch);
	int (*arm)(struct watch *watch, struct watch_item *item);
	int (*change)(struct watch *watch, struct watch_item *item);
	bool (*disarm)(struct watch *watch, struct watch_item *item);
	/* Reports what has come. 0 or a negated errno. */
	int (*wait)(struct watch *watch, int64_t timeout, const struct watch_interruption *interruption);
	int (*descriptor)(struct watch *watch); /* an epoll */
	bool (*wants_look)(const struct watch *watch);
};

extern const struct watch_operations watch_uring;
extern const struct watch_operations watch_epoll;

/* What a call of libc's returned, above the standard streams, or a negated errno. */
int watch_above_streams(int descriptor);
/* Takes a kick back, so that the eventfd is not readable. */
void watch_take_kick(struct watch *watch);
/* The item is to be handed to the caller. */
void watch_report(struct watch *watch, struct watch_item *item);
/* It is over, and reported. */
void watch_end(struct watch *watch, struct watch_item *item, int result);
/* Reads once, by a system call, into a buffer, if one is free; reports what came of it. True: there may be more. */
bool watch_read(struct watch *watch, struct watch_item *item);
/* Bytes have come: `chunk` is the item's from now on. */
void watch_append(struct watch *watch, struct watch_item *item, struct watch_chunk *chunk, size_t length);

/* Whether the child has stopped or gone on since it was asked last. Takes the news from the kernel. si_pid 0 in
 * *ret_information, and true: there is no such child any more. */
bool watch_stopped(int pidfd, siginfo_t *ret_information);

/* --- sentinels, one or a few at a time, for whoever waits without an engine --- */

struct pollfd;
/* Waits until one of the descriptors is ready. Returns how many, 0 at the deadline, or a negated errno;
 * signals do not end it. */
int watch_sentinels(struct pollfd *items, size_t count, int64_t deadline);
int watch_sentinel(int descriptor, int64_t deadline);
/* A millisecond. */
void watch_pause(void);
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
