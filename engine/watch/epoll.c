/* SPDX-License-Identifier: MIT */
/* The epoll backend: for kernels and sandboxes without io_uring. */
#include "clock.h"
#include "watch/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct epoll_watch {
	struct watch base;
	int epoll;
	struct watch_words words;
	struct watch_item words_item; /* stands for the timer */
};

static struct epoll_watch *of(struct watch *watch)
{
	return (struct epoll_watch *)watch;
}

static int add(struct epoll_watch *self, int descriptor, struct watch_item *item)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = item };

	return epoll_ctl(self->epoll, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

/* Always before the descriptor is closed: the entry would outlive it while a forked sibling holds a copy
 * (epoll(7)). */
static void drop(struct epoll_watch *self, int descriptor)
{
	epoll_ctl(self->epoll, EPOLL_CTL_DEL, descriptor, NULL);
}

static void epoll_abandon(struct watch *watch)
{
	struct epoll_watch *self = of(watch);

	watch_words_release(&self->words);
	close(self->epoll);
}

static void epoll_release(struct watch *watch)
{
	epoll_abandon(watch);
	free(watch);
}

static int epoll_open(struct watch **ret_watch, int kick)
{
	struct epoll_watch *self = calloc(1, sizeof *self);

	if (!self)
		return -ENOMEM;
	watch_words_init(&self->words);
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (self->epoll < 0) {
		int r = -errno;
		free(self);
		return r;
	}
	int r = add(self, kick, NULL);
	if (r < 0) {
		epoll_release(&self->base);
		return r;
	}
	*ret_watch = &self->base;
	return 0;
}

static bool epoll_waits_for_words(const struct watch *watch)
{
	(void)watch;
	return false;
}

static int arm_word(struct epoll_watch *self, struct watch_item *item)
{
	bool had_timer = self->words.timer >= 0;
	int timer = watch_words_timer(&self->words);

	if (timer < 0)
		return timer;
	if (!had_timer) {
		int r = add(self, timer, &self->words_item);
		if (r < 0) {
			watch_words_release(&self->words);
			return r;
		}
	}
	watch_words_add(&self->words, item);
	return 0;
}

static int epoll_arm(struct watch *watch, struct watch_item *item)
{
	struct epoll_watch *self = of(watch);
	int r = item->descriptor >= 0 ? add(self, item->descriptor, item) : arm_word(self, item);

	item->armed = r == 0;
	return r;
}

static bool epoll_disarm(struct watch *watch, struct watch_item *item)
{
	struct epoll_watch *self = of(watch);

	if (item->descriptor >= 0)
		drop(self, item->descriptor);
	else
		watch_words_remove(&self->words, item);
	item->armed = false;
	return true;
}

/* epoll_pwait2 came with Linux 5.11; without it, whole milliseconds, rounded up: never too early. */
static int pwait(int epoll, struct epoll_event *events, int capacity, int64_t timeout, const sigset_t *mask)
{
	struct timespec limit = { .tv_sec = timeout / CLOCK_SECOND, .tv_nsec = timeout % CLOCK_SECOND };
	int r = epoll_pwait2(epoll, events, capacity, timeout == INT64_MAX ? NULL : &limit, mask);

	if (r >= 0 || (errno != ENOSYS && errno != EPERM))
		return r < 0 ? -errno : r;

	int64_t milliseconds = timeout / 1000000 + (timeout % 1000000 != 0);
	if (milliseconds > INT_MAX)
		milliseconds = INT_MAX;
	r = epoll_pwait(epoll, events, capacity, timeout == INT64_MAX ? -1 : (int)milliseconds, mask);
	return r < 0 ? -errno : r;
}

enum { BATCH = 64 };

static int epoll_wait_items(struct watch *watch, struct watch_item **ret_items, size_t capacity,
                            int64_t timeout, const struct watch_interruption *interruption)
{
	struct epoll_watch *self = of(watch);
	struct epoll_event events[BATCH];
	int wanted = capacity < BATCH ? (int)capacity : BATCH;
	int got = pwait(self->epoll, events, wanted, timeout, interruption ? interruption->mask : NULL);
	bool look_at_words = false;
	size_t count = 0;

	if (got < 0)
		return got;
	for (int i = 0; i < got; i++) {
		struct watch_item *item = events[i].data.ptr;

		if (!item) {
			watch_take_kick(watch);
		} else if (item == &self->words_item) {
			look_at_words = true;
		} else {
			drop(self, item->descriptor);
			ret_items[count++] = item;
		}
	}
	if (look_at_words)
		count += watch_words_collect(&self->words, ret_items + count, capacity - count);
	return (int)count;
}

static int epoll_descriptor(struct watch *watch)
{
	return of(watch)->epoll;
}

static bool epoll_wants_look(const struct watch *watch)
{
	(void)watch;
	return false;
}

const struct watch_operations watch_epoll = {
	.backend = PIDRING_BACKEND_EPOLL,
	.open = epoll_open,
	.close = epoll_release,
	.abandon = epoll_abandon,
	.waits_for_words = epoll_waits_for_words,
	.arm = epoll_arm,
	.disarm = epoll_disarm,
	.wait = epoll_wait_items,
	.descriptor = epoll_descriptor,
	.wants_look = epoll_wants_look,
};
