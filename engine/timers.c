/* SPDX-License-Identifier: MIT */
/* A binary heap in an array; every timer knows its place. */
#include "timers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int timers_reserve(struct timers *timers, size_t total)
{
	enum { FIRST_ROOM = 16 };
	size_t room = timers->room > 0 ? timers->room : FIRST_ROOM;

	if (total <= timers->room)
		return 0;
	while (room < total)
		room *= 2;
	struct timer **heap = reallocarray(timers->heap, room, sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	timers->heap = heap;
	timers->room = room;
	return 0;
}

void timers_release(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ 0 };
}

void timers_forget(struct timers *timers)
{
	timers->count = 0;
}

static void put(struct timers *timers, struct timer *timer, size_t index)
{
	timers->heap[index] = timer;
	timer->index = index;
}

static void rise(struct timers *timers, struct timer *timer)
{
	size_t index = timer->index;

	while (index > 0 && timers->heap[(index - 1) / 2]->moment > timer->moment) {
		size_t parent = (index - 1) / 2;
		put(timers, timers->heap[parent], index);
		index = parent;
	}
	put(timers, timer, index);
}

static void sink(struct timers *timers, struct timer *timer)
{
	size_t index = timer->index;

	for (;;) {
		size_t child = 2 * index + 1;
		if (child + 1 < timers->count &&
		    timers->heap[child + 1]->moment < timers->heap[child]->moment)
			child++;
		if (child >= timers->count || timers->heap[child]->moment >= timer->moment)
			break;
		put(timers, timers->heap[child], index);
		index = child;
	}
	put(timers, timer, index);
}

/* The last one fills the gap, and may belong further up or further down. */
static void take_out(struct timers *timers, struct timer *timer)
{
	struct timer *last = timers->heap[--timers->count];
	size_t gap = timer->index;

	timer->moment = INT64_MAX;
	if (last == timer)
		return;
	put(timers, last, gap);
	rise(timers, last);
	sink(timers, last);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t moment)
{
	bool was_set = timer->moment != INT64_MAX;

	if (moment == INT64_MAX) {
		if (was_set)
			take_out(timers, timer);
		return;
	}
	timer->moment = moment;
	if (!was_set)
		put(timers, timer, timers->count++);
	rise(timers, timer);
	sink(timers, timer);
}

int64_t timers_next(const struct timers *timers)
{
	return timers->count > 0 ? timers->heap[0]->moment : INT64_MAX;
}

void timers_run(struct timers *timers, int64_t now)
{
	while (timers_next(timers) <= now) {
		struct timer *timer = timers->heap[0];

		take_out(timers, timer);
		timer->due(timer->process);
	}
}
