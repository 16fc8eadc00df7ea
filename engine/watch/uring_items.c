/* SPDX-License-Identifier: MIT */
/* What is asked of the ring for each item, and what its answers mean. */
#include "sys/sys.h"
#include "watch/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

static int uring_next_submission(struct uring_watch *self, struct io_uring_sqe **ret_sqe)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

	if (!sqe) {
		int r = io_uring_submit(&self->ring);
		if (r < 0)
			return r;
		/* Bytes that were read must not come to stand behind an overflow. */
		if (io_uring_cq_ready(&self->ring) > COMPLETIONS / 2)
			uring_take_completions(self);
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
	sqe->file_index = WSTOPPED | WCONTINUED | __WALL;
	sqe->addr2 = (uint64_t)(uintptr_t)item->information;
}

/* Its owner may change before it is settled: then the kernel does not wait, and the item is handed to it again. */
static void prepare_word(struct io_uring_sqe *sqe, const struct watch_item *item)
{
	uint32_t now = __atomic_load_n(item->word, __ATOMIC_ACQUIRE);
	/* What is settled will not be woken any more: the kernel is to find something else than it expects. */
	uint32_t expected = sys_word_is_settled(&now) ? ~now : now;

	io_uring_prep_rw(SYS_RING_FUTEX_WAIT, sqe, SYS_FUTEX2_32_BITS_SHARED, item->word, 0, expected);
	sqe->addr3 = UINT32_MAX; /* any wake-up */
}

static void read_by_poll(struct watch_item *item)
{
	item->by_poll = true;
	item->events = POLLIN;
	fcntl(item->descriptor, F_SETFL, O_NONBLOCK);
}

int uring_submit_item(struct uring_watch *self, struct watch_item *item)
{
	struct io_uring_sqe *sqe = NULL;
	int r = uring_next_submission(self, &sqe);

	if (r < 0)
		return r;
	if (item->reads && !item->by_poll && !item->forgotten && !self->buffer_ring)
		read_by_poll(item);
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
		prepare_word(sqe, item);
	}
	io_uring_sqe_set_data(sqe, item);
	return 0;
}

int uring_arm(struct watch *watch, struct watch_item *item)
{
	struct uring_watch *self = uring_of(watch);
	int r = uring_own_ring(self);

	if (r < 0)
		return r;
	if ((item->descriptor < 0 && !self->has_futex) || (item->stops && !self->has_waitid)) {
		watch_looks_add(&watch->looks, item);
		return 0;
	}
	if (item->reads)
		uring_make_buffer_ring(self);
	item->starved = false;
	r = uring_submit_item(self, item);
	if (r == 0)
		TAILQ_INSERT_TAIL(&self->armed, item, link);
	return r;
}

/* If the poll is over already, it will be armed with the new events when it is reported. */
int uring_change(struct watch *watch, struct watch_item *item)
{
	struct uring_watch *self = uring_of(watch);
	struct io_uring_sqe *sqe = NULL;
	int r = uring_own_ring(self);

	if (r < 0)
		return r;
	r = uring_next_submission(self, &sqe);
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
	struct io_uring_sqe *sqe = NULL;

	if (uring_own_ring(self) < 0 || uring_next_submission(self, &sqe) < 0)
		return;
	io_uring_prep_cancel(sqe, item, 0);
	io_uring_sqe_set_data(sqe, &self->ignored_item);
	io_uring_submit_and_get_events(&self->ring);
	/* Bytes that were read must not come to stand behind an overflow. */
	if (io_uring_cq_ready(&self->ring) > COMPLETIONS / 2)
		uring_take_completions(self);
}

bool uring_disarm(struct watch *watch, struct watch_item *item)
{
	struct uring_watch *self = uring_of(watch);

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
	return sys_word_is_settled(item->word);
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
	if (uring_submit_item(self, item) < 0)
		put_off(self, item);
}

/* The next wait tries again: by then the caller has given buffers back. */
static void starve(struct uring_watch *self, struct watch_item *item)
{
	put_off(self, item);
	if (self->most_in_ring < uring_most_buffers(self))
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
	struct watch_chunk *chunk = uring_chunk_of(self, cqe);

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
	if (STAILQ_EMPTY(&self->base.buffers.free)) {
		self->base.counts.shortages++;
		put_off(self, item);
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
		item->armed = uring_submit_item(self, item) == 0;
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

void uring_take_completions(struct uring_watch *self)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&self->ring, &cqe) == 0) {
		struct io_uring_cqe taken = *cqe;

		/* Seen first: what is submitted meanwhile may come by here again. */
		io_uring_cqe_seen(&self->ring, cqe);
		take_completion(self, &taken);
	}
}

/* No more at a time than there are buffers: the others would only be turned away again. */
void uring_feed_the_starved(struct uring_watch *self)
{
	struct watch_item *item;
	size_t fed = 0;

	while ((item = TAILQ_FIRST(&self->starved))) {
		bool needs_buffer = item->reads && !item->by_poll;

		if ((needs_buffer && fed >= self->buffers_in_ring) || uring_submit_item(self, item) < 0)
			return;
		fed += needs_buffer;
		item->starved = false;
		TAILQ_REMOVE(&self->starved, item, link);
		TAILQ_INSERT_TAIL(&self->armed, item, link);
	}
}
