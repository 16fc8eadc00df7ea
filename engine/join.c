/* SPDX-License-Identifier: MIT */
/* Waiting without events: for one process, for all of several, for any of a set. */
#include "clock.h"
#include "explain.h"
#include "family.h"
#include "process.h"
#include "timekeeper.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

int process_join_parent(struct pidring_process *process, int64_t timeout)
{
	int pidfd = process->pidfd;

	if (pidfd < 0)
		return 0;
	int r = watch_sentinel(pidfd, clock_deadline(timeout));
	if (r == 0)
		return explain(-ETIMEDOUT, "the parent process was still running when the time-out was over");
	return r > 0 ? 0 : explain(r, "waiting for the parent process failed: %s", strerror(-r));
}

/* With the lock held: why it cannot be joined. */
static int check_join(const struct pidring_process *process)
{
	if (process->kind == PROCESS_PARENT)
		return 0;
	if (process->closed)
		return explain_closed(process);
	if (!process_is_ours(process))
		return explain_foreign(process, "joined");
	if (process->state == PROCESS_INITIAL || process->state == PROCESS_STARTING)
		return explain_not_started(process);
	return 0;
}

/* Waits without the lock; the users keep the pidfd. Returns 0 when it has ended. */
static int wait_for_end(struct pidring_process *process, int64_t deadline)
{
	struct pollfd items[1 + TIMEKEEPER_ITEMS] = { { .fd = process->pidfd, .events = POLLIN } };
	bool ended = false;
	int r = 0;

	process->references++;
	process->users++;
	while (!ended && r == 0) {
		r = timekeeper_wait(items, 1, deadline);
		ended = process_look(process);
		if (ended || r < 0)
			break;
		if (r == 0) {
			r = -ETIMEDOUT;
			break;
		}
		/* It has ended, but the kernel does not hand it out: a tracer looks at it first (ptrace(2)).
		 */
		family_leave();
		watch_pause();
		family_enter();
		r = 0;
	}
	process->users--;
	process_release_pidfd(process);
	process_unreference(process);
	return ended ? 0 : r;
}

static int join(struct pidring_process *process, int64_t deadline)
{
	int r = check_join(process);

	if (r < 0 || process->state == PROCESS_ENDED)
		return r;
	if (deadline == 0) {
		process->references++;
		timekeeper_run();
		bool ended = process_look(process);
		if (!ended)
			explain(-ETIMEDOUT, "process '%s' is still running", process->name);
		process_unreference(process);
		return ended ? 0 : -ETIMEDOUT;
	}
	r = wait_for_end(process, deadline);
	return r == -ETIMEDOUT ? explain(r, "the process was still running when the time-out was over") : r;
}

int pidring_process_join(struct pidring_process *process, int64_t timeout)
{
	if (!process)
		return explain_null("pidring_process_join");
	if (process->kind == PROCESS_PARENT)
		return process_join_parent(process, timeout);
	process_enter(process);
	int r = join(process, clock_deadline(timeout));
	family_leave();
	return r;
}

/* join_all works through the list, so children of the parent kind wait on their sentinel without the lock. */
static int join_one_of_many(struct pidring_process *process, int64_t deadline)
{
	if (process->kind == PROCESS_PARENT)
		return process_join_parent(process, clock_remaining(deadline));
	process_enter(process);
	int r = join(process, deadline);
	family_leave();
	return r;
}

int pidring_join_all(struct pidring_process *const *processes, size_t count, int64_t timeout)
{
	int64_t deadline = clock_deadline(timeout);
	int result = 0;

	if (!processes && count > 0)
		return explain(-EINVAL, "pidring_join_all: processes is NULL, but count is %zu", count);
	for (size_t i = 0; i < count; i++) {
		if (!processes[i])
			return explain(-EINVAL, "pidring_join_all: processes[%zu] is NULL", i);
		process_enter(processes[i]);
		int r = check_join(processes[i]);
		family_leave();
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < count; i++) {
		/* Past the deadline the rest is still looked at once. */
		int r = join_one_of_many(processes[i], result == 0 ? deadline : 0);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}

/* --- waiting for any --- */

/* With the lock held: takes the process's descriptor for the wait. */
static int hold_for_wait(struct pidring_process *process, int *ret_descriptor)
{
	process_localize(process);
	if (process->closed && process->kind != PROCESS_PARENT)
		return explain_closed(process);
	if (process->pidfd < 0 || process->state == PROCESS_STARTING)
		return explain_not_started(process);
	process->references++;
	process->users++;
	*ret_descriptor = process->pidfd;
	return 0;
}

static void let_go_of(struct pidring_process *process)
{
	process->users--;
	process_release_pidfd(process);
	process_unreference(process);
}

static int hold_items(struct pidring_wait_item *items, size_t count, struct pollfd *polls, size_t *ret_held)
{
	for (*ret_held = 0; *ret_held < count; ++*ret_held) {
		struct pidring_wait_item *item = &items[*ret_held];
		int descriptor = item->descriptor;
		int r = item->process ? hold_for_wait(item->process, &descriptor) : 0;

		if (r < 0)
			return r;
		if (descriptor < 0)
			return explain(-EBADF, "pidring_wait_any: items[%zu].descriptor is %d", *ret_held,
			               descriptor);
		polls[*ret_held] = (struct pollfd){ .fd = descriptor, .events = POLLIN };
	}
	return 0;
}

static int mark_ready(struct pidring_wait_item *items, size_t count, const struct pollfd *polls)
{
	int ready = 0;

	for (size_t i = 0; i < count; i++)
		if (polls[i].revents & POLLNVAL)
			return explain(-EBADF,
			               "pidring_wait_any: items[%zu].descriptor is %d, which is not open", i,
			               polls[i].fd);
	for (size_t i = 0; i < count; i++) {
		items[i].ready = polls[i].revents != 0;
		ready += items[i].ready;
	}
	return ready;
}

int pidring_wait_any(struct pidring_wait_item *items, size_t count, int64_t timeout)
{
	int64_t deadline = clock_deadline(timeout);
	size_t held = 0;

	if (!items && count > 0)
		return explain(-EINVAL, "pidring_wait_any: items is NULL, but count is %zu", count);
	if (count == 0 && timeout == PIDRING_FOREVER)
		return explain(-EINVAL, "pidring_wait_any: nothing to wait for, and for ever");

	struct pollfd *polls = calloc(count + TIMEKEEPER_ITEMS, sizeof *polls);
	if (!polls)
		return explain(-ENOMEM, "no memory to wait for %zu items", count);
	family_enter();
	int r = hold_items(items, count, polls, &held);
	if (r == 0)
		r = timekeeper_wait(polls, count, deadline);
	family_leave();
	if (r == -EINVAL)
		r = explain(r, "pidring_wait_any: %zu items are more than the limit of descriptors", count);
	if (r >= 0)
		r = mark_ready(items, count, polls);
	family_enter();
	for (size_t i = 0; i < held; i++)
		if (items[i].process)
			let_go_of(items[i].process);
	family_leave();
	free(polls);
	return r;
}
