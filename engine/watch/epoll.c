/* SPDX-License-Identifier: MIT */
/* The epoll backend: for kernels and sandboxes without io_uring. */
#include "clock.h"
#include "watch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct epoll_watch {
	struct watch base;
	int epoll;
};

static struct epoll_watch *of(struct watch *watch)
{
	return (struct epoll_watch *)watch;
}

static int add(struct epoll_watch *self, int descriptor, struct watch_item *item)
{
	struct epoll_event event = { .data.ptr = item };

	/* The bits are the same as poll's. */
	event.events = item ? (uint32_t)item->events : EPOLLIN;
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
	close(of(watch)->epoll);
}

static int epoll_open(struct watch **ret_watch, int kick)
{
	struct epoll_watch *self = calloc(1, sizeof *self);

	if (!self)
		return -ENOMEM;
	self->epoll = watch_above_streams(epoll_create1(EPOLL_CLOEXEC));
	int r = self->epoll;
	if (r < 0) {
		free(self);
		return r;
	}
	r = add(self, kick, NULL);
	if (r < 0) {
		close(self->epoll);
		free(self);
		return r;
	}
	*ret_watch = &self->base;
	return 0;
}

static struct watch_abilities epoll_abilities(const struct watch *watch)
{
	(void)watch;
	return (struct watch_abilities){ 0 };
}

static int epoll_arm(struct watch *watch, struct watch_item *item)
{
	struct epoll_watch *self = of(watch);

	if (item->descriptor < 0 || item->stops) {
		watch_looks_add(&watch->looks, item);
		return 0;
	}
	if (item->reads)
		fcntl(item->descriptor, F_SETFL, O_NONBLOCK);
	return add(self, item->descriptor, item);
}

static int epoll_change(struct watch *watch, struct watch_item *item)
{
	struct epoll_event event = { .events = (uint32_t)item->events, .data.ptr = item };

	return epoll_ctl(of(watch)->epoll, EPOLL_CTL_MOD, item->descriptor, &event) < 0 ? -errno : 0;
}

static bool epoll_disarm(struct watch *watch, struct watch_item *item)
{
	drop(of(watch), item->descriptor);
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

/* One that reads stays in the set until its end. With its other end gone there is no more to come, so all is read
 * at once. */
static void read_some(struct epoll_watch *self, struct watch_item *item, uint32_t events)
{
	while (watch_read(&self->base, item) && events & EPOLLHUP)
		;
	if (!item->armed)
		drop(self, item->descriptor);
}

static void take_event(struct epoll_watch *self, const struct epoll_event *event)
{
	struct watch_item *item = event->data.ptr;

	if (!item) {
		watch_take_kick(&self->base);
	} else if (event->data.ptr == &self->base.timer) {
		/* Set anew before the wait is over. */
	} else if (item->reads) {
		read_some(self, item, event->events);
	} else {
		drop(self, item->descriptor);
		watch_end(&self->base, item, 0);
	}
}

static int epoll_wait_once(struct watch *watch, int64_t timeout,
                           const struct watch_interruption *interruption)
{
	struct epoll_watch *self = of(watch);
	struct epoll_event events[BATCH];
	int got = pwait(self->epoll, events, BATCH, timeout, interruption ? interruption->mask : NULL);

	for (int i = 0; i < got; i++)
		take_event(self, &events[i]);
	return got < 0 ? got : 0;
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
	.close = epoll_abandon,
	.abandon = epoll_abandon,
	.abilities = epoll_abilities,
	.arm = epoll_arm,
	.change = epoll_change,
	.disarm = epoll_disarm,
	.wait = epoll_wait_once,
	.descriptor = epoll_descriptor,
	.wants_look = epoll_wants_look,
};
