/* SPDX-License-Identifier: MIT */
/*
 * The io_uring backend. Nothing outside this file knows that io_uring exists.
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
#include "clock.h"
#include "sys/sys.h"
#include "watch/watch.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	SUBMISSIONS = 128,
	COMPLETIONS = 1024,  /* more are kept by the kernel (IORING_FEAT_NODROP) */
	DEFERRED_BATCH = 20, /* so many completions run per io_uring_enter when one is waited for */
};

struct uring_watch {
	struct watch base;
	struct io_uring ring;
	bool ring_is_open;
	pid_t owner; /* the thread that may use the ring: the one that made it */
	bool has_futex;
	int outer;       /* an epoll over signal and kick, for other loops; -1 until asked for */
	int signal;      /* an eventfd that the kernel writes when the ring has work; -1 likewise */
	bool signalling; /* the present ring does that */
	struct watch_item_list armed; /* all items whose request is in the ring */
	struct watch_item kick_item, timer_item;
	struct watch_words words;
};

static struct uring_watch *of(struct watch *watch)
{
	return (struct uring_watch *)watch;
}

/*
 * For an ordinary user a ring counts as locked memory (RLIMIT_MEMLOCK), and the kernel gives that of closed rings back at its
 * leisure: so a shortage may be over in a moment.
 */
static int queue_init(struct io_uring *ring)
{
	enum { ATTEMPTS = 100 };
	const struct timespec between = { .tv_nsec = 1000 * 1000 };
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

static int setup_ring(struct uring_watch *self)
{
	int r = queue_init(&self->ring);

	if (r < 0)
		return r;
	self->ring_is_open = true;
	self->kick_item.armed = false;
	self->signalling = false;
	self->owner = sys_thread_id();
	/* A fork must not see the ring: it is memory shared with the kernel, and would be with the copy. */
	r = io_uring_ring_dontfork(&self->ring);
	if (r < 0) {
		io_uring_queue_exit(&self->ring);
		self->ring_is_open = false;
	}
	return r;
}

static int next_submission(struct uring_watch *self, struct io_uring_sqe **ret_sqe)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

	if (!sqe) {
		int r = io_uring_submit(&self->ring);
		if (r < 0)
			return r;
		sqe = io_uring_get_sqe(&self->ring);
	}
	*ret_sqe = sqe;
	return sqe ? 0 : -EBUSY;
}

static int submit_item(struct uring_watch *self, struct watch_item *item)
{
	struct io_uring_sqe *sqe;
	int r = next_submission(self, &sqe);

	if (r < 0)
		return r;
	if (item->forgotten) {
		/* Its descriptor or word is another's by now; all it needs is to be reported. */
		io_uring_prep_nop(sqe);
	} else if (item->descriptor >= 0) {
		io_uring_prep_poll_add(sqe, item->descriptor, POLLIN);
	} else {
		io_uring_prep_rw(SYS_RING_FUTEX_WAIT, sqe, SYS_FUTEX2_32_BITS_SHARED, item->word, 0, 1);
		sqe->addr3 = UINT32_MAX; /* any wake-up */
	}
	io_uring_sqe_set_data(sqe, item);
	return 0;
}

static bool probe_futex(struct io_uring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool supported = probe && io_uring_opcode_supported(probe, SYS_RING_FUTEX_WAIT);

	io_uring_free_probe(probe);
	return supported;
}

static int uring_open(struct watch **ret_watch, int kick)
{
	struct uring_watch *self = calloc(1, sizeof *self);

	if (!self)
		return -ENOMEM;
	self->outer = self->signal = -1;
	self->kick_item.descriptor = kick;
	TAILQ_INIT(&self->armed);
	watch_words_init(&self->words);

	int r = setup_ring(self);
	if (r < 0) {
		free(self);
		/* EINVAL: io_uring is there, but older than Linux 6.1. */
		return r == -EINVAL ? -ENOSYS : r;
	}
	self->has_futex = probe_futex(&self->ring);
	self->kick_item.armed = submit_item(self, &self->kick_item) == 0; /* the first of many */
	*ret_watch = &self->base;
	return 0;
}

static void release_descriptors(struct uring_watch *self)
{
	if (self->outer >= 0)
		close(self->outer);
	if (self->signal >= 0)
		close(self->signal);
	watch_words_release(&self->words);
}

static void uring_close(struct watch *watch)
{
	struct uring_watch *self = of(watch);

	if (self->ring_is_open)
		io_uring_queue_exit(&self->ring);
	release_descriptors(self);
	free(self);
}

/* The mappings did not come along (setup_ring): only the descriptor is here. */
static void uring_abandon(struct watch *watch)
{
	struct uring_watch *self = of(watch);

	if (self->ring_is_open)
		close(self->ring.ring_fd);
	release_descriptors(self);
}

static bool uring_waits_for_words(const struct watch *watch)
{
	return of((struct watch *)watch)->has_futex;
}

static int arm_timer(struct uring_watch *self)
{
	int timer = watch_words_timer(&self->words);

	if (timer < 0)
		return timer;
	if (self->timer_item.armed)
		return 0;
	self->timer_item.descriptor = timer;
	int r = submit_item(self, &self->timer_item);
	self->timer_item.armed = r == 0;
	return r;
}

static int arm_by_timer(struct uring_watch *self, struct watch_item *item)
{
	int r = arm_timer(self);

	if (r < 0)
		return r;
	watch_words_add(&self->words, item);
	return 0;
}

/*
 * Another loop cannot poll the ring itself: completions of a ring with DEFER_TASKRUN wake only
 * io_uring_enter, but they do write a registered eventfd. Registering is for the ring's thread alone, hence
 * not when the descriptor is asked for.
 */
static int start_signalling(struct uring_watch *self)
{
	if (self->signal < 0 || self->signalling)
		return 0;
	int r = io_uring_register_eventfd(&self->ring, self->signal);
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
		return submit_item(self, item);
	TAILQ_REMOVE(&self->armed, item, link);
	int r = arm_by_timer(self, item);
	if (r < 0)
		TAILQ_INSERT_TAIL(&self->armed, item, link);
	return r;
}

static int rearm_all(struct uring_watch *self)
{
	struct watch_item *item, *next;
	int r = 0;

	self->timer_item.armed = false;
	if (self->words.timer >= 0)
		r = arm_timer(self);
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
	/* First, so that a fork in between does not close a number that is another's by then. */
	self->ring_is_open = false;
	io_uring_queue_exit(&self->ring);
}

static int arm_kick(struct uring_watch *self)
{
	if (self->kick_item.armed)
		return 0;
	int r = submit_item(self, &self->kick_item);
	self->kick_item.armed = r == 0;
	return r;
}

/* What fails here leaves no ring, and the next wait tries again: nothing armed is lost. */
static int replace_ring(struct uring_watch *self)
{
	drop_ring(self);
	int r = setup_ring(self);
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

/* Before anything touches the ring: it must be this thread's. -EEXIST: it was another's with the same id. */
static int own_ring(struct uring_watch *self)
{
	if (!self->ring_is_open || self->owner != sys_thread_id())
		return replace_ring(self);
	int r = start_signalling(self);
	if (r == 0)
		r = arm_kick(self);
	return r == -EEXIST ? replace_ring(self) : r;
}

static int uring_arm(struct watch *watch, struct watch_item *item)
{
	struct uring_watch *self = of(watch);
	int r = own_ring(self);

	if (r < 0)
		return r;
	item->forgotten = false;
	if (item->descriptor < 0 && !self->has_futex) {
		r = arm_by_timer(self, item);
	} else {
		r = submit_item(self, item);
		/* The ring was full, and an ended thread's with the same id. */
		if (r == -EEXIST && replace_ring(self) == 0)
			r = submit_item(self, item);
		if (r == 0)
			TAILQ_INSERT_TAIL(&self->armed, item, link);
	}
	item->armed = r == 0;
	return r;
}

static bool uring_disarm(struct watch *watch, struct watch_item *item)
{
	if (!item->by_timer) {
		item->forgotten = true;
		return false;
	}
	watch_words_remove(&of(watch)->words, item);
	item->armed = false;
	return true;
}

/* A futex wait that was woken for something else, or cancelled with its thread, has found nothing out. */
static bool is_over(const struct watch_item *item, int result)
{
	if (item->forgotten)
		return true;
	if (item->descriptor >= 0)
		return result != -ECANCELED;
	return __atomic_load_n(item->word, __ATOMIC_ACQUIRE) == 0;
}

/* Returns how many items were stored, at most one. */
static size_t take_completion(struct uring_watch *self, const struct io_uring_cqe *cqe,
                              struct watch_item **ret_item)
{
	struct watch_item *item = io_uring_cqe_get_data(cqe);

	if (item == &self->kick_item) {
		watch_take_kick(&self->base);
		item->armed = submit_item(self, item) == 0;
		return 0;
	}
	if (item == &self->timer_item) {
		/* Collected by the caller, who knows how much room there is. */
		self->timer_item.armed = false;
		return 0;
	}
	if (!is_over(item, cqe->res)) {
		submit_item(self, item);
		return 0;
	}
	TAILQ_REMOVE(&self->armed, item, link);
	*ret_item = item;
	return 1;
}

static size_t take_words(struct uring_watch *self, struct watch_item **ret_items, size_t capacity)
{
	size_t count = watch_words_collect(&self->words, ret_items, capacity);

	arm_timer(self);
	return count;
}

static size_t take_completions(struct uring_watch *self, struct watch_item **ret_items, size_t capacity)
{
	bool timer_was_armed = self->timer_item.armed;
	struct io_uring_cqe *cqe;
	size_t count = 0;

	while (count < capacity && io_uring_peek_cqe(&self->ring, &cqe) == 0) {
		count += take_completion(self, cqe, &ret_items[count]);
		io_uring_cqe_seen(&self->ring, cqe);
	}
	if (timer_was_armed && !self->timer_item.armed)
		count += take_words(self, ret_items + count, capacity - count);
	return count;
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

static int uring_wait(struct watch *watch, struct watch_item **ret_items, size_t capacity, int64_t timeout,
                      const struct watch_interruption *interruption)
{
	struct uring_watch *self = of(watch);
	int r = own_ring(self);

	if (r < 0)
		return r;
	r = enter(self, timeout, interruption);
	if (r == -EEXIST) {
		/* Another thread with the same id owned it. */
		r = replace_ring(self);
		if (r == 0)
			r = enter(self, timeout, interruption);
	}
	if (r < 0)
		return r;

	size_t count = take_completions(self, ret_items, capacity);
	for (size_t last = count; last >= DEFERRED_BATCH && count < capacity; count += last) {
		if (io_uring_get_events(&self->ring) < 0)
			break;
		last = take_completions(self, ret_items + count, capacity - count);
	}
	/* Requests that were armed again above go out with the next wait, but another loop waits by itself.
	 */
	if (self->signalling && io_uring_sq_ready(&self->ring) > 0)
		io_uring_submit(&self->ring);
	take_signal(self);
	return (int)count;
}

static int follow(struct uring_watch *self, int descriptor)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(self->outer, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

static int make_outer(struct uring_watch *self)
{
	self->outer = epoll_create1(EPOLL_CLOEXEC);
	if (self->outer < 0)
		return -errno;
	self->signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->signal < 0)
		return -errno;
	int r = follow(self, self->base.kick);
	return r < 0 ? r : follow(self, self->signal);
}

static int uring_descriptor(struct watch *watch)
{
	struct uring_watch *self = of(watch);

	if (self->outer >= 0)
		return self->outer;
	int r = make_outer(self);
	if (r == 0)
		return self->outer;
	if (self->outer >= 0)
		close(self->outer);
	if (self->signal >= 0)
		close(self->signal);
	self->outer = self->signal = -1;
	return r;
}

/* The eventfd is registered by the thread that the ring belongs to, when it comes by. */
static bool uring_wants_look(const struct watch *watch)
{
	const struct uring_watch *self = (const struct uring_watch *)watch;

	return self->signal >= 0 && !(self->ring_is_open && self->signalling);
}

const struct watch_operations watch_uring = {
	.backend = PIDRING_BACKEND_URING,
	.open = uring_open,
	.close = uring_close,
	.abandon = uring_abandon,
	.waits_for_words = uring_waits_for_words,
	.arm = uring_arm,
	.disarm = uring_disarm,
	.wait = uring_wait,
	.descriptor = uring_descriptor,
	.wants_look = uring_wants_look,
};
