/* SPDX-License-Identifier: MIT */
/* Choosing the backend, and what both have in common. */
#include "watch/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct watch_operations *const by_preference[] = { &watch_uring, &watch_epoll };

static bool is_wanted(const struct watch_operations *operations, enum pidring_backend wanted)
{
	return wanted == PIDRING_BACKEND_AUTOMATIC || wanted == operations->backend;
}

int watch_open(struct watch **ret_watch, enum pidring_backend wanted)
{
	int kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = -ENOSYS;

	if (kick < 0)
		return -errno;
	for (size_t i = 0; i < sizeof by_preference / sizeof by_preference[0]; i++) {
		if (!is_wanted(by_preference[i], wanted))
			continue;
		r = by_preference[i]->open(ret_watch, kick);
		if (r < 0)
			continue;
		(*ret_watch)->operations = by_preference[i];
		(*ret_watch)->kick = kick;
		return 0;
	}
	close(kick);
	return r;
}

void watch_close(struct watch *watch)
{
	close(watch->kick);
	watch->operations->close(watch);
}

void watch_abandon(struct watch *watch)
{
	close(watch->kick);
	watch->operations->abandon(watch);
}

void watch_free(struct watch *watch)
{
	free(watch);
}

enum pidring_backend watch_backend(const struct watch *watch)
{
	return watch->operations->backend;
}

bool watch_waits_for_words(const struct watch *watch)
{
	return watch->operations->waits_for_words(watch);
}

int watch_arm(struct watch *watch, struct watch_item *item)
{
	return watch->operations->arm(watch, item);
}

bool watch_disarm(struct watch *watch, struct watch_item *item)
{
	return watch->operations->disarm(watch, item);
}

int watch_wait(struct watch *watch, struct watch_item **ret_items, size_t capacity, int64_t timeout,
               const struct watch_interruption *interruption)
{
	int cancelability;

	/* A thread that is cancelled in there would leave the engine taken for ever. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	int r = watch->operations->wait(watch, ret_items, capacity, timeout, interruption);
	pthread_setcancelstate(cancelability, NULL);
	return r;
}

int watch_descriptor(struct watch *watch)
{
	return watch->operations->descriptor(watch);
}

bool watch_wants_look(const struct watch *watch)
{
	return watch->operations->wants_look(watch);
}

void watch_kick(struct watch *watch)
{
	/* Fails only when the counter is full, and then it is readable already. */
	eventfd_write(watch->kick, 1);
}

void watch_take_kick(struct watch *watch)
{
	eventfd_t value;

	eventfd_read(watch->kick, &value);
}
