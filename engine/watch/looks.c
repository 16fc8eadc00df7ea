/* SPDX-License-Identifier: MIT */
/*
 * What no ring waits for (epoll, or a ring before Linux 6.7): words, and stops. Looked at by and by: a program's
 * exec takes some tens of microseconds, so the first look usually finds it done; a slow one is looked at less and
 * less often. Failures do not wait for this: the child ends, and its pidfd tells.
 */
#include "clock.h"
#include "sys/sys.h"
#include "watch/watch.h"

enum { FIRST_LOOK = 200 * 1000, SLOWEST_LOOK = 10 * 1000 * 1000 }; /* nanoseconds */

void watch_looks_init(struct watch_looks *looks)
{
	looks->next = INT64_MAX;
	looks->interval = FIRST_LOOK;
	TAILQ_INIT(&looks->items);
}

void watch_looks_add(struct watch_looks *looks, struct watch_item *item)
{
	item->is_looked_at = true;
	TAILQ_INSERT_TAIL(&looks->items, item, link);
	/* A stop comes at leisure; many of them are looked at all the time. */
	if (!item->stops || looks->next == INT64_MAX)
		looks->interval = item->stops ? SLOWEST_LOOK : FIRST_LOOK;
	looks->next = clock_now() + looks->interval;
}

void watch_looks_remove(struct watch_looks *looks, struct watch_item *item)
{
	item->is_looked_at = false;
	TAILQ_REMOVE(&looks->items, item, link);
	if (TAILQ_EMPTY(&looks->items))
		looks->next = INT64_MAX;
}

static bool has_come(struct watch_item *item)
{
	if (item->stops)
		return watch_stopped(item->descriptor, item->information);
	return sys_word_is_settled(item->word);
}

void watch_looks_run(struct watch *watch)
{
	struct watch_looks *looks = &watch->looks;
	struct watch_item *item, *next;
	bool found = false;

	if (looks->next == INT64_MAX || clock_now() < looks->next)
		return;
	for (item = TAILQ_FIRST(&looks->items); item; item = next) {
		next = TAILQ_NEXT(item, link);
		if (!has_come(item))
			continue;
		watch_looks_remove(looks, item);
		watch_end(watch, item, 0);
		found = found || !item->stops;
	}
	if (found)
		looks->interval = FIRST_LOOK;
	else if (looks->interval < SLOWEST_LOOK)
		looks->interval *= 2;
	if (!TAILQ_EMPTY(&looks->items))
		looks->next = clock_now() + looks->interval;
}
