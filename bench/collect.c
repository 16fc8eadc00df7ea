/* SPDX-License-Identifier: MIT */
#include "collect.h"

#include "harness.h"

#include <string.h>

static struct collect_task task;
static size_t received[COLLECT_MOST_CHILDREN];
static char kept[COLLECT_MOST_CHILDREN][COLLECT_KEPT_BYTES];
static unsigned ended;

void collect_set(const struct collect_task *new_task)
{
	if (new_task->count > COLLECT_MOST_CHILDREN)
		bench_fail("too many children to collect from", 0);
	task = *new_task;
}

const struct collect_task *collect_task(void)
{
	return &task;
}

void collect_begin(void)
{
	memset(received, 0, task.count * sizeof(*received));
	ended = 0;
}

void collect_take(unsigned child, const char *data, size_t length)
{
	size_t at = received[child];

	if (at < COLLECT_KEPT_BYTES)
		memcpy(kept[child] + at, data,
		       length < COLLECT_KEPT_BYTES - at ? length : COLLECT_KEPT_BYTES - at);
	received[child] += length;
}

void collect_end(unsigned child, int exit_code)
{
	(void)child;
	if (exit_code != 0)
		bench_fail("a child did not end with 0", 0);
	ended++;
}

void collect_check(void)
{
	if (ended != task.count)
		bench_fail("another number of children ended than were started", 0);
	for (unsigned child = 0; child < task.count; child++) {
		if (received[child] != task.bytes)
			bench_fail("other output came than was written", 0);
	}
}

char *collect_buffer(void)
{
	static char buffer[COLLECT_BUFFER_SIZE];

	return buffer;
}
