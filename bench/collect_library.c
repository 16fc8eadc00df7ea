/* SPDX-License-Identifier: MIT */
#include "collect.h"
#include "harness.h"
#include "library.h"

enum { EVENTS_AT_ONCE = 64 };

static struct pidring_process *processes[COLLECT_MOST_CHILDREN];
static unsigned numbers[COLLECT_MOST_CHILDREN];

static void make_processes(bool asynchronous)
{
	const struct collect_task *task = collect_task();

	for (unsigned child = 0; child < task->count; child++) {
		numbers[child] = child;
		processes[child] = library_new_writer(task->arguments, asynchronous, &numbers[child]);
	}
}

/* Whether it was the last of its process. */
static bool take(const struct pidring_event *event)
{
	unsigned child = *(const unsigned *)event->user_data;

	switch (event->type) {
	case PIDRING_OUTPUT:
		collect_take(child, event->data, event->length);
		break;
	case PIDRING_EXITED:
		collect_end(child, event->code);
		break;
	case PIDRING_START_FAILED:
		bench_fail("an asynchronous start", -event->code);
	default:
		break;
	}
	return event->last;
}

static void collect(bool asynchronous)
{
	struct pidring_event events[EVENTS_AT_ONCE];
	const struct collect_task *task = collect_task();
	unsigned done = 0;

	collect_begin();
	make_processes(asynchronous);
	library_start_many(processes, task->count);
	while (done < task->count) {
		int count = library_fetch(events, EVENTS_AT_ONCE);

		for (int index = 0; index < count; index++) {
			if (!take(&events[index]))
				continue;
			pidring_process_free(events[index].process);
			done++;
		}
	}
	collect_check();
}

void collect_with_library(void)
{
	collect(false);
}

void collect_with_library_asynchronously(void)
{
	collect(true);
}
