/* SPDX-License-Identifier: MIT */
/*
 * The io_uring backend. Nothing outside this file and its two siblings (uring_items.c, uring_buffers.c) knows that
 * io_uring exists.
 *
 * The ring is set up with IORING_SETUP_DEFER_TASKRUN (Linux 6.1): without it, completions run as task work of
 * the thread that armed the request and interrupt whatever that thread does, so that the host's own
 * epoll_wait would fail with EINTR. The price is that the ring belongs to one thread. Requests die with it
 * (-ECANCELED), so when another thread comes to wait, the ring is made anew and everything is armed again; no
 * item is ever reported because of a cancellation.
 *
 * Children are watched by POLL_ADD on their pidfds, never by WAITID: each pending WAITID sits on the parent's
 * one wait queue, and every exit would wake all of them.
 */
#include "watch/uring.h"
#include "clock.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * For an ordinary user a ring counts as locked memory (RLIMIT_MEMLOCK), and the kernel gives that of closed rings back at its
 * leisure: so a shortage may be over in a moment.
 */
static int queue_init(struct io_uring *ring)
{
	enum { ATTEMPTS = 100 };
	const struct timespec between = { .tv_nsec = 1000 * 1000L };
	int r = -ENOMEM;

	for (int attempt = 0; attempt < ATTEMPTS && r == -ENOMEM; attempt++) {
		struct io_uring_params parameters = {
			.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			         IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE,
			.cq_entries = COMPLETIONS,
		};

		if (attempt > 0)
			nanosleep(&between, NULL);
		r = io_uring_queue_init_params(SUBMISSIONS, ring, &parameters);
	}
	return r;
}

/* Thread ids are used again; these numbers are not, and cost no system call. */
static uint64_t this_thread(void)
{
	static _Atomic uint64_t last;
	static __thread uint64_t number;

	if (number == 0)
		number = atomic_fetch_add(&last, 1) + 1;
	return number;
}

static int setup_ring(struct uring_watch *self)
{
	int r = queue_init(&self->ring);

	if (r < 0)
		return r;
	r = sys_above_streams(self->ring.ring_fd);
	if (r < 0) {
		self->ring.ring_fd = self->ring.enter_ring_fd = -1;
		io_uring_queue_exit(&self->ring);
		return r;
	}
	self->ring.ring_fd = self->ring.enter_ring_fd = r;
	self->ring_is_open = true;
	self->kick_item.armed = false;
	self->signalling = false;
	self->owner = this_thread();
	/* A fork must not see the ring: it is memory shared with the kernel, and would be with the copy. */
	r = io_uring_ring_dontfork(&self->ring);
	if (r < 0) {
		io_uring_queue_exit(&self->ring);
		self->ring_is_open = false;
	}
	return r;
}

static void probe(struct uring_watch *self)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&self->ring);

	if (!probe)
		return;
	self->has_futex = io_uring_opcode_supported(probe, SYS_RING_FUTEX_WAIT);
	self->has_waitid = io_uring_opcode_supported(probe, SYS_RING_WAITID);
	self->has_multishot = io_uring_opcode_supported(probe, SYS_RING_READ_MULTISHOT);
	io_uring_free_probe(probe);
}

static int uring_open(struct watch **ret_watch, int kick)
{
	struct uring_watch *self = calloc(1, sizeof *self);

	if (!self)
		return -ENOMEM;
	self->outer = self->signal = -1;
	self->kick_item.descriptor = kick;
	self->kick_item.events = POLLIN;
	TAILQ_INIT(&self->armed);
	TAILQ_INIT(&self->starved);

	int r = setup_ring(self);
	if (r < 0) {
		free(self);
		/* EINVAL: io_uring is there, but older than Linux 6.1. */
		return r == -EINVAL ? -ENOSYS : r;
	}
	probe(self);
	self->kick_item.armed = uring_submit_item(self, &self->kick_item) == 0; /* the first of many */
	*ret_watch = &self->base;
	return 0;
}

static void release_descriptors(struct uring_watch *self)
{
	if (self->outer >= 0)
		close(self->outer);
	if (self->signal >= 0)
		close(self->signal);
}

static void uring_close(struct watch *watch)
{
	struct uring_watch *self = uring_of(watch);

	if (self->ring_is_open)
		io_uring_queue_exit(&self->ring);
	uring_release_buffer_ring(self);
	release_descriptors(self);
}

/* The mappings did not come along (setup_ring): only the descriptor is here. */
static void uring_abandon(struct watch *watch)
{
	struct uring_watch *self = uring_of(watch);

	if (self->ring_is_open)
		close(self->ring.ring_fd);
	release_descriptors(self);
}

static struct watch_abilities uring_abilities(const struct watch *watch)
{
	const struct uring_watch *self = (const struct uring_watch *)watch;

	return (struct watch_abilities){
		.words = self->has_futex,
		.stops = self->has_waitid,
		.reads = self->has_multishot,
	};
}

/*
 * Another loop cannot poll the ring itself: completions of a ring with DEFER_TASKRUN wake only
 * io_uring_enter, but they do write a registered eventfd. Registering is for the ring's thread alone, hence
 * not when the descriptor is asked for.
 */
static int start_signalling(struct uring_watch *self)
{
	int signal = __atomic_load_n(&self->signal, __ATOMIC_ACQUIRE);

	if (signal < 0 || self->signalling)
		return 0;
	int r = io_uring_register_eventfd(&self->ring, signal);
	if (r < 0)
		return r;
	self->signalling = true;
	/* For what completed before. */
	eventfd_write(self->signal, 1);
	return 0;
}

/* After a look: the signal is taken back, unless there is more to see. What comes after the taking writes it
 * again. */
static void take_signal(struct uring_watch *self)
{
	eventfd_t value;

	if (!self->signalling)
		return;
	eventfd_read(self->signal, &value);
	bool has_work =
		IO_URING_READ_ONCE(*self->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
	if (has_work || io_uring_cq_ready(&self->ring) > 0)
		eventfd_write(self->signal, 1);
}

/*
 * The kernel tears the old ring down at its leisure, so for a while an old FUTEX_WAIT may still stand in line
 * and take the one wake-up that the kernel gives a cleared word. Words that move to a new ring are therefore
 * looked at by timer. Polls have no such trouble: they are level-triggered and may be many.
 */
static int rearm(struct uring_watch *self, struct watch_item *item)
{
	if (item->descriptor >= 0 || item->forgotten)
		return uring_submit_item(self, item);
	TAILQ_REMOVE(&self->armed, item, link);
	watch_looks_add(&self->base.looks, item);
	return 0;
}

static int rearm_all(struct uring_watch *self)
{
	struct watch_item *item, *next;
	int r = 0;

	for (item = TAILQ_FIRST(&self->armed); item && r == 0; item = next) {
		next = TAILQ_NEXT(item, link);
		r = rearm(self, item);
	}
	return r;
}

static void drop_ring(struct uring_watch *self)
{
	if (!self->ring_is_open)
		return;
	/* Bytes that were read are nowhere else. (No more come: requests are carried out by the ring's thread alone,
	 * inside io_uring_enter.) */
	uring_take_completions(self);
	/* First, so that a fork in between does not close a number that is another's by then. */
	self->ring_is_open = false;
	io_uring_queue_exit(&self->ring);
}

static int arm_kick(struct uring_watch *self)
{
	if (self->kick_item.armed)
		return 0;
	int r = uring_submit_item(self, &self->kick_item);
	self->kick_item.armed = r == 0;
	return r;
}

/* What fails here leaves no ring, and the next wait tries again: nothing armed is lost. */
int uring_replace_ring(struct uring_watch *self)
{
	drop_ring(self);
	int r = setup_ring(self);
	if (r == 0 && self->buffer_ring)
		uring_set_up_buffer_ring(self);
	if (r == 0)
		r = start_signalling(self);
	if (r == 0)
		r = arm_kick(self);
	if (r == 0)
		r = rearm_all(self);
	if (r < 0)
		drop_ring(self);
	return r;
}

/* Before anything touches the ring: it must be this thread's. */
int uring_own_ring(struct uring_watch *self)
{
	if (!self->ring_is_open || self->owner != this_thread())
		return uring_replace_ring(self);
	int r = start_signalling(self);
	if (r == 0)
		r = arm_kick(self);
	return r;
}

/* One system call, or two: with requests to submit, io_uring_enter reports their number and not the signal
 * that ended its wait, so a wait that may be interrupted submits first. */
static int enter(struct uring_watch *self, int64_t timeout, const struct watch_interruption *interruption)
{
	struct __kernel_timespec limit = { .tv_sec = timeout / CLOCK_SECOND,
		                           .tv_nsec = timeout % CLOCK_SECOND };
	struct __kernel_timespec *until = timeout == INT64_MAX ? NULL : &limit;
	sigset_t *mask = interruption ? (sigset_t *)interruption->mask : NULL;
	struct io_uring_cqe *cqe;

	if (timeout == 0)
		return io_uring_submit_and_get_events(&self->ring);
	if (interruption && io_uring_sq_ready(&self->ring) > 0) {
		int r = io_uring_submit(&self->ring);
		if (r < 0)
			return r;
	}
	int r = io_uring_submit_and_wait_timeout(&self->ring, &cqe, 1, until, mask);
	return r == -ETIME ? 0 : r;
}

/* After a full batch there may be more, which costs no wait. */
static void take_batches(struct uring_watch *self)
{
	unsigned ready = io_uring_cq_ready(&self->ring);

	uring_take_completions(self);
	while (ready >= DEFERRED_BATCH && self->base.report_count < MOST_REPORTS) {
		if (io_uring_get_events(&self->ring) < 0)
			break;
		ready = io_uring_cq_ready(&self->ring);
		uring_take_completions(self);
	}
}

/* Those that were fed may need no buffer now, so the next in line are fed before anybody sleeps. */
static bool can_feed_more(const struct uring_watch *self)
{
	return !TAILQ_EMPTY(&self->starved) && self->buffers_in_ring > 0;
}

static int uring_wait(struct watch *watch, int64_t timeout, const struct watch_interruption *interruption)
{
	struct uring_watch *self = uring_of(watch);
	int r = uring_own_ring(self);

	if (r < 0)
		return r;
	uring_provide_buffers(self);
	uring_feed_the_starved(self);
	/* Room in the queue may have been made by a submission, and that may have found something. */
	if (!TAILQ_EMPTY(&watch->reports) || can_feed_more(self))
		timeout = 0;
	r = enter(self, timeout, interruption);
	if (!self->ring_is_open)
		return r;
	take_batches(self);
	/* Requests that were armed again above go out with the next wait, but another loop waits by itself. */
	if (self->signalling && io_uring_sq_ready(&self->ring) > 0) {
		io_uring_submit(&self->ring);
		uring_take_completions(self);
	}
	take_signal(self);
	return r < 0 ? r : 0;
}

static int follow(int outer, int descriptor)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(outer, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

static int make_signal(int outer, int kick)
{
	int signal = watch_above_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	int r = signal < 0 ? signal : follow(outer, kick);

	if (r == 0)
		r = follow(outer, signal);
	if (r == 0)
		return signal;
	if (signal >= 0)
		close(signal);
	return r;
}

/* Another thread may be inside the ring meanwhile: it looks at the signal alone. */
static int uring_descriptor(struct watch *watch)
{
	struct uring_watch *self = uring_of(watch);

	if (self->outer >= 0)
		return self->outer;
	int outer = watch_above_streams(epoll_create1(EPOLL_CLOEXEC));
	if (outer < 0)
		return outer;
	int signal = make_signal(outer, watch->kick);
	if (signal < 0) {
		close(outer);
		return signal;
	}
	self->outer = outer;
	__atomic_store_n(&self->signal, signal, __ATOMIC_RELEASE);
	return outer;
}

/* The eventfd is registered by the thread that the ring belongs to, when it comes by. */
static bool uring_wants_look(const struct watch *watch)
{
	const struct uring_watch *self = (const struct uring_watch *)watch;

	if (!TAILQ_EMPTY(&self->starved))
		return true;
	return self->signal >= 0 && !(self->ring_is_open && self->signalling);
}

const struct watch_operations watch_uring = {
	.backend = PIDRING_BACKEND_URING,
	.open = uring_open,
	.close = uring_close,
	.abandon = uring_abandon,
	.abilities = uring_abilities,
	.arm = uring_arm,
	.change = uring_change,
	.disarm = uring_disarm,
	.wait = uring_wait,
	.descriptor = uring_descriptor,
	.wants_look = uring_wants_look,
};
