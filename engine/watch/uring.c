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
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
	pid_t owner; /* the thread that may use the ring: the one that made it */
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

static void take_completions(struct uring_watch *self);

static int next_submission(struct uring_watch *self, struct io_uring_sqe **ret_sqe)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

	if (!sqe) {
		int r = io_uring_submit(&self->ring);
		if (r < 0)
			return r;
		/* Bytes that were read must not come to stand behind an overflow. */
		if (io_uring_cq_ready(&self->ring) > COMPLETIONS / 2)
			take_completions(self);
		sqe = io_uring_get_sqe(&self->ring);
	}
	*ret_sqe = sqe;
	return sqe ? 0 : -EBUSY;
}

static void prepare_read(struct io_uring_sqe *sqe, const struct watch_item *item)
{
	io_uring_prep_rw(SYS_RING_READ_MULTISHOT, sqe, item->descriptor, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
}

static void prepare_stop(struct io_uring_sqe *sqe, const struct watch_item *item)
{
	io_uring_prep_rw(SYS_RING_WAITID, sqe, item->descriptor, NULL, P_PIDFD, 0);
	sqe->file_index = WSTOPPED | WCONTINUED;
	sqe->addr2 = (uint64_t)(uintptr_t)item->information;
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
	} else if (item->reads && !item->by_poll) {
		prepare_read(sqe, item);
	} else if (item->stops) {
		prepare_stop(sqe, item);
	} else if (item->descriptor >= 0) {
		io_uring_prep_poll_add(sqe, item->descriptor, (unsigned)item->events);
	} else {
		io_uring_prep_rw(SYS_RING_FUTEX_WAIT, sqe, SYS_FUTEX2_32_BITS_SHARED, item->word, 0, 1);
		sqe->addr3 = UINT32_MAX; /* any wake-up */
	}
	io_uring_sqe_set_data(sqe, item);
	return 0;
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
}

static void release_buffer_ring(struct uring_watch *self)
{
	if (self->buffer_ring)
		munmap(self->buffer_ring, self->buffer_ring_size);
	self->buffer_ring = NULL;
}

static void uring_close(struct watch *watch)
{
	struct uring_watch *self = of(watch);

	if (self->ring_is_open)
		io_uring_queue_exit(&self->ring);
	release_buffer_ring(self);
	release_descriptors(self);
}

/* The mappings did not come along (setup_ring): only the descriptor is here. */
static void uring_abandon(struct watch *watch)
{
	struct uring_watch *self = of(watch);

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

/* --- buffers that the kernel chooses from --- */

static unsigned power_of_two(size_t least)
{
	unsigned power = 1;

	while (power < least)
		power *= 2;
	return power;
}

static int map_buffer_ring(struct uring_watch *self)
{
	unsigned entries = power_of_two(self->base.buffers.count);
	size_t size = entries * sizeof(struct io_uring_buf);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	/* As the ring itself: shared with the kernel, so not with a fork. */
	madvise(memory, size, MADV_DONTFORK);
	self->buffer_ring = memory;
	self->buffer_ring_size = size;
	self->buffer_entries = entries;
	self->most_in_ring = FIRST_BUFFERS;
	return 0;
}

/* In a new ring: what was in the old one's hands is free again. */
static void take_buffers_back(struct uring_watch *self)
{
	struct watch_buffers *buffers = &self->base.buffers;

	for (size_t i = 0; i < buffers->count; i++) {
		struct watch_chunk *chunk = &buffers->chunks[i];
		if (!chunk->in_ring)
			continue;
		chunk->in_ring = false;
		STAILQ_INSERT_TAIL(&buffers->free, chunk, link);
	}
	self->buffers_in_ring = 0;
}

static int register_buffer_ring(struct uring_watch *self)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uint64_t)(uintptr_t)self->buffer_ring,
		.ring_entries = self->buffer_entries,
		.bgid = BUFFER_GROUP,
	};

	take_buffers_back(self);
	io_uring_buf_ring_init(self->buffer_ring);
	return io_uring_register_buf_ring(&self->ring, &registration, 0);
}

/* Some are kept for what the ring cannot read by itself. */
static size_t most_buffers(const struct uring_watch *self)
{
	return self->base.buffers.count - self->base.buffers.count / 4;
}

static void provide_buffers(struct uring_watch *self)
{
	struct watch_buffers *buffers = &self->base.buffers;
	int mask = io_uring_buf_ring_mask(self->buffer_entries);
	size_t most = self->most_in_ring < most_buffers(self) ? self->most_in_ring : most_buffers(self);
	int added = 0;

	if (!self->buffer_ring)
		return;
	while (self->buffers_in_ring < most) {
		struct watch_chunk *chunk = watch_buffers_take(buffers);
		if (!chunk)
			break;
		chunk->in_ring = true;
		io_uring_buf_ring_add(self->buffer_ring, chunk->bytes, WATCH_BUFFER_SIZE,
		                      (unsigned short)(chunk - buffers->chunks), mask, added++);
		self->buffers_in_ring++;
	}
	if (added > 0)
		io_uring_buf_ring_advance(self->buffer_ring, added);
}

/* Before the first item that reads. Without such a ring (before Linux 5.19, or no memory) each is read by a call. */
static bool can_read(struct uring_watch *self)
{
	if (!self->has_multishot)
		return false;
	if (self->buffer_ring)
		return true;
	if (map_buffer_ring(self) < 0)
		return false;
	if (register_buffer_ring(self) < 0) {
		release_buffer_ring(self);
		self->has_multishot = false;
		return false;
	}
	provide_buffers(self);
	return true;
}

static struct watch_chunk *chunk_of(struct uring_watch *self, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return NULL;
	struct watch_chunk *chunk = &self->base.buffers.chunks[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
	chunk->in_ring = false;
	self->buffers_in_ring--;
	return chunk;
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
	take_completions(self);
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
	if (r == 0 && self->buffer_ring)
		r = register_buffer_ring(self);
	if (r == 0)
		provide_buffers(self);
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

static int submit_own(struct uring_watch *self, struct watch_item *item)
{
	int r = submit_item(self, item);

	/* The ring was full, and an ended thread's with the same id. */
	if (r == -EEXIST && replace_ring(self) == 0)
		r = submit_item(self, item);
	return r;
}

static void read_by_poll(struct watch_item *item)
{
	item->by_poll = true;
	item->events = POLLIN;
	fcntl(item->descriptor, F_SETFL, O_NONBLOCK);
}

static int uring_arm(struct watch *watch, struct watch_item *item)
{
	struct uring_watch *self = of(watch);
	int r = own_ring(self);

	if (r < 0)
		return r;
	if ((item->descriptor < 0 && !self->has_futex) || (item->stops && !self->has_waitid)) {
		watch_looks_add(&watch->looks, item);
		return 0;
	}
	if (item->reads && !item->by_poll && !can_read(self))
		read_by_poll(item);
	item->starved = false;
	r = submit_own(self, item);
	if (r == 0)
		TAILQ_INSERT_TAIL(&self->armed, item, link);
	return r;
}

/* If the poll is over already, it will be armed with the new events when it is reported. */
static int uring_change(struct watch *watch, struct watch_item *item)
{
	struct uring_watch *self = of(watch);
	struct io_uring_sqe *sqe;
	int r = own_ring(self);

	if (r == 0)
		r = next_submission(self, &sqe);
	if (r < 0)
		return r;
	io_uring_prep_poll_update(sqe, (uint64_t)(uintptr_t)item, 0, (unsigned)item->events,
	                          IORING_POLL_UPDATE_EVENTS);
	io_uring_sqe_set_data(sqe, &self->ignored_item);
	return 0;
}

/*
 * A pidfd's poll is over when the child is, a word is zero soon: those need not be cancelled. A pipe may never be
 * ready, and the ring would keep it open. Submitted at once: the descriptor may be closed after this, and what the
 * kernel has not seen yet would find another under its number.
 */
static void cancel(struct uring_watch *self, struct watch_item *item)
{
	struct io_uring_sqe *sqe;

	if (own_ring(self) < 0 || next_submission(self, &sqe) < 0)
		return;
	io_uring_prep_cancel(sqe, item, 0);
	io_uring_sqe_set_data(sqe, &self->ignored_item);
	io_uring_submit_and_get_events(&self->ring);
}

static bool uring_disarm(struct watch *watch, struct watch_item *item)
{
	struct uring_watch *self = of(watch);

	if (item->starved) {
		TAILQ_REMOVE(&self->starved, item, link);
		item->starved = false;
		return true;
	}
	item->forgotten = true;
	if (item->reads || item->stops || (item->descriptor >= 0 && !(item->events & POLLIN)))
		cancel(self, item);
	return false;
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

static void end_item(struct uring_watch *self, struct watch_item *item, int result)
{
	TAILQ_REMOVE(&self->armed, item, link);
	watch_end(&self->base, item, result);
}

static void put_off(struct uring_watch *self, struct watch_item *item)
{
	TAILQ_REMOVE(&self->armed, item, link);
	TAILQ_INSERT_TAIL(&self->starved, item, link);
	item->starved = true;
}

static void submit_again(struct uring_watch *self, struct watch_item *item)
{
	if (submit_item(self, item) < 0)
		put_off(self, item);
}

/* The next wait tries again: by then the caller has given buffers back. */
static void starve(struct uring_watch *self, struct watch_item *item)
{
	put_off(self, item);
	if (self->most_in_ring < most_buffers(self))
		self->most_in_ring *= 2;
	else
		self->base.counts.shortages++;
}

/* What the ring cannot read in this way (it says so with one of these) is read by calls. */
static bool is_refusal(int result)
{
	return result == -EBADFD || result == -EINVAL || result == -EOPNOTSUPP || result == -EAGAIN;
}

static void take_read(struct uring_watch *self, struct watch_item *item, const struct io_uring_cqe *cqe)
{
	struct watch_chunk *chunk = chunk_of(self, cqe);

	if (chunk && cqe->res > 0) {
		self->base.counts.ring_reads++;
		watch_append(&self->base, item, chunk, (size_t)cqe->res);
	} else if (chunk) {
		watch_release_chunk(&self->base, chunk);
	}
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	if (item->forgotten || cqe->res == 0) {
		end_item(self, item, item->forgotten ? -ECANCELED : 0);
	} else if (cqe->res == -ENOBUFS) {
		starve(self, item);
	} else if (cqe->res > 0 || cqe->res == -ECANCELED || cqe->res == -EINTR) {
		/* The kernel has let go of it for its own reasons, or with the thread. */
		submit_again(self, item);
	} else if (is_refusal(cqe->res)) {
		read_by_poll(item);
		submit_again(self, item);
	} else {
		end_item(self, item, cqe->res);
	}
}

static void take_poll_to_read(struct uring_watch *self, struct watch_item *item)
{
	if (item->forgotten) {
		end_item(self, item, -ECANCELED);
		return;
	}
	watch_read(&self->base, item);
	if (item->armed)
		submit_again(self, item);
	else
		TAILQ_REMOVE(&self->armed, item, link);
}

static void take_completion(struct uring_watch *self, const struct io_uring_cqe *cqe)
{
	struct watch_item *item = io_uring_cqe_get_data(cqe);

	if (item == &self->ignored_item)
		return;
	if (item == &self->kick_item) {
		watch_take_kick(&self->base);
		item->armed = submit_item(self, item) == 0;
	} else if (!item->by_poll && item->reads) {
		take_read(self, item, cqe);
	} else if (!is_over(item, cqe->res)) {
		submit_again(self, item);
	} else if (item->reads) {
		take_poll_to_read(self, item);
	} else {
		/* ECHILD: nobody is left to stop. */
		if (item->stops && cqe->res < 0)
			item->information->si_pid = 0;
		end_item(self, item, cqe->res);
	}
}

static void take_completions(struct uring_watch *self)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&self->ring, &cqe) == 0) {
		struct io_uring_cqe taken = *cqe;

		/* Seen first: what is submitted meanwhile may come by here again. */
		io_uring_cqe_seen(&self->ring, cqe);
		take_completion(self, &taken);
	}
}

/* Not more than there are buffers for: each of the others would only be told that there is none. */
static void feed_the_starved(struct uring_watch *self)
{
	size_t buffers = self->buffers_in_ring;
	struct watch_item *item;

	while ((item = TAILQ_FIRST(&self->starved))) {
		bool takes_buffer = item->reads && !item->by_poll;

		if ((takes_buffer && buffers == 0) || submit_item(self, item) < 0)
			return;
		if (takes_buffer)
			buffers--;
		item->starved = false;
		TAILQ_REMOVE(&self->starved, item, link);
		TAILQ_INSERT_TAIL(&self->armed, item, link);
	}
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

static int enter_own(struct uring_watch *self, int64_t timeout, const struct watch_interruption *interruption)
{
	int r = enter(self, timeout, interruption);

	if (r != -EEXIST)
		return r;
	/* Another thread with the same id owned it. */
	r = replace_ring(self);
	return r < 0 ? r : enter(self, timeout, interruption);
}

/* After a full batch there may be more, which costs no wait. */
static void take_batches(struct uring_watch *self)
{
	unsigned ready = io_uring_cq_ready(&self->ring);

	take_completions(self);
	while (ready >= DEFERRED_BATCH && self->base.report_count < MOST_REPORTS) {
		if (io_uring_get_events(&self->ring) < 0)
			break;
		ready = io_uring_cq_ready(&self->ring);
		take_completions(self);
	}
}

static int uring_wait(struct watch *watch, int64_t timeout, const struct watch_interruption *interruption)
{
	struct uring_watch *self = of(watch);
	int r = own_ring(self);

	if (r < 0)
		return r;
	provide_buffers(self);
	feed_the_starved(self);
	/* Room in the queue may have been made by a submission, and that may have found something. Who was fed may leave
	 * buffers for the others. */
	if (!TAILQ_EMPTY(&watch->reports) || (!TAILQ_EMPTY(&self->starved) && self->buffers_in_ring > 0))
		timeout = 0;
	r = enter_own(self, timeout, interruption);
	if (!self->ring_is_open)
		return r;
	take_batches(self);
	/* Requests that were armed again above go out with the next wait, but another loop waits by itself. */
	if (self->signalling && io_uring_sq_ready(&self->ring) > 0) {
		io_uring_submit(&self->ring);
		take_completions(self);
	}
	take_signal(self);
	return r < 0 ? r : 0;
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
