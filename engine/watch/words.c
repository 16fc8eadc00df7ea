/* SPDX-License-Identifier: MIT */
/*
 * Words that no futex in a ring waits for (epoll, or a ring before Linux 6.7): looked at by a timerfd. A
 * program's exec takes some tens of microseconds, so the first look usually finds it done; a slow one is
 * looked at less and less often. Failures do not wait for this: the child ends, and its pidfd tells.
 */
#include "clock.h"
#include "watch/watch.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { FIRST_LOOK = 200 * 1000, SLOWEST_LOOK = 10 * 1000 * 1000 }; /* nanoseconds */

void watch_words_init(struct watch_words *words)
{
	words->timer = -1;
	words->interval = FIRST_LOOK;
	TAILQ_INIT(&words->items);
}

void watch_words_release(struct watch_words *words)
{
	if (words->timer >= 0)
		close(words->timer);
	words->timer = -1;
}

int watch_words_timer(struct watch_words *words)
{
	if (words->timer < 0)
		words->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return words->timer < 0 ? -errno : words->timer;
}

static void wind(struct watch_words *words)
{
	struct itimerspec next = { .it_value.tv_nsec = words->interval };

	timerfd_settime(words->timer, 0, &next, NULL);
}

void watch_words_add(struct watch_words *words, struct watch_item *item)
{
	item->by_timer = true;
	TAILQ_INSERT_TAIL(&words->items, item, link);
	words->interval = FIRST_LOOK;
	wind(words);
}

void watch_words_remove(struct watch_words *words, struct watch_item *item)
{
	item->by_timer = false;
	TAILQ_REMOVE(&words->items, item, link);
}

size_t watch_words_collect(struct watch_words *words, struct watch_item **ret_items, size_t capacity)
{
	struct watch_item *item, *next;
	uint64_t expirations;
	size_t count = 0;

	/* Only to make it unreadable. */
	if (read(words->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
		return 0;
	for (item = TAILQ_FIRST(&words->items); item && count < capacity; item = next) {
		next = TAILQ_NEXT(item, link);
		if (__atomic_load_n(item->word, __ATOMIC_ACQUIRE) != 0)
			continue;
		watch_words_remove(words, item);
		ret_items[count++] = item;
	}
	if (count > 0)
		words->interval = FIRST_LOOK;
	else if (words->interval < SLOWEST_LOOK)
		words->interval *= 2;
	if (!TAILQ_EMPTY(&words->items))
		wind(words);
	return count;
}
