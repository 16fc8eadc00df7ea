/* SPDX-License-Identifier: MIT */
/* The io_uring backend from inside: shared by the files of its name alone. */
#ifndef PIDRING_WATCH_URING_H
#define PIDRING_WATCH_URING_H

#include "watch/watch.h"

#include <liburing.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
	SUBMISSIONS = 128,
	COMPLETIONS = 1024,  /* more are kept by the kernel (IORING_FEAT_NODROP) */
	DEFERRED_BATCH = 20, /* so many completions run per io_uring_enter when one is waited for */
	MOST_REPORTS = 256,  /* then the caller is to see them first */
	BUFFER_GROUP = 0,
	FIRST_BUFFERS = 8, /* few are kept in the processor's cache */
};

struct uring_watch {
	struct watch base;
	struct io_uring ring;
	bool ring_is_open;
	uint64_t owner; /* the thread that may use the ring: the one that made it */
	bool has_futex, has_waitid, has_multishot;
	int outer;       /* an epoll over signal and kick, for other loops; -1 until asked for */
	int signal;      /* an eventfd that the kernel writes when the ring has work; -1 likewise */
	bool signalling; /* the present ring does that */
	struct watch_item_list armed;   /* all items whose request is in the ring */
	struct watch_item_list starved; /* armed, but not in the ring: no buffer for reading, or no room */
	struct watch_item kick_item, ignored_item;
	struct io_uring_buf_ring *buffer_ring; /* NULL: not made yet */
	size_t buffer_ring_size;
	unsigned buffer_entries; /* a power of two */
	size_t buffers_in_ring, most_in_ring;
};

static inline struct uring_watch *uring_of(struct watch *watch)
{
	return (struct uring_watch *)watch;
}

/* --- the ring: uring.c --- */

/* Before anything touches the ring: it must be this thread's. */
int uring_own_ring(struct uring_watch *self);
/* What fails here leaves no ring, and the next wait tries again: nothing armed is lost. */
int uring_replace_ring(struct uring_watch *self);

/* --- what is asked of it, and its answers: uring_items.c --- */

int uring_submit_item(struct uring_watch *self, struct watch_item *item);
void uring_take_completions(struct uring_watch *self);
/* Hands items to the ring that had to wait for that. */
void uring_feed_the_starved(struct uring_watch *self);
int uring_arm(struct watch *watch, struct watch_item *item);
int uring_change(struct watch *watch, struct watch_item *item);
bool uring_disarm(struct watch *watch, struct watch_item *item);

/* --- buffers that the kernel chooses from: uring_buffers.c --- */

/* Before the first item that reads. Without it (no memory, or an old kernel) each stream is read by calls. */
void uring_make_buffer_ring(struct uring_watch *self);
/* In a new ring. */
void uring_set_up_buffer_ring(struct uring_watch *self);
void uring_release_buffer_ring(struct uring_watch *self);
/* Gives it those that are free. */
void uring_provide_buffers(struct uring_watch *self);
/* The buffer that a completion has filled; NULL: none. */
struct watch_chunk *uring_chunk_of(struct uring_watch *self, const struct io_uring_cqe *cqe);
/* How many it may have. */
size_t uring_most_buffers(const struct uring_watch *self);

#endif
