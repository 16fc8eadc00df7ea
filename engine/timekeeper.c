/* SPDX-License-Identifier: MIT */
/*
 * Joins wait on sentinels, not in an engine, and yet deadlines and the steps of stopping are to be heeded then.
 *
 * Of all threads that wait in here, one at a time is the keeper: it wakes up for the earliest timer of all
 * engines, the others sleep on. All have the bell among what they poll, an eventfd that is rung when there is no
 * keeper, or one who would wake up too late: then whoever comes first becomes the keeper. So with the lock
 * released, there is no timer, or nobody waits here, or the keeper wakes up in time, or the bell is ringing.
 *
 * The only thread of a process needs no bell: nobody can set a timer while it waits.
 */
#include "timekeeper.h"

#include "clock.h"
#include "engine.h"
#include "family.h"
#include "stop.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/single_threaded.h>
#include <unistd.h>

/* Guarded by the family's lock. */
static struct {
	int bell;             /* -1: none */
	unsigned sleepers;    /* who hear it */
	bool awake;           /* the thread that has the lock is one of them, and will see to it */
	const void *keeper;   /* NULL: none */
	int64_t keeper_wakes; /* at this moment at the latest */
} keeping = { .bell = -1 };

/* Without a bell (there was no descriptor left for it) a sleeper looks up so often, in nanoseconds. */
enum { NAP = 50 * 1000 * 1000 };

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_timer(void)
{
	struct pidring *engine;
	int64_t next = INT64_MAX;

	LIST_FOREACH(engine, &family.engines, link)
	next = earlier(next, engine_next_timer(engine));
	return next;
}

static void run_timers(void)
{
	struct pidring *engine;

	LIST_FOREACH(engine, &family.engines, link)
	engine_run_timers(engine);
}

void timekeeper_run(void)
{
	run_timers();
	stop_due_trees();
}

static bool is_kept(void)
{
	return keeping.keeper && keeping.keeper_wakes <= next_timer();
}

void timekeeper_notice(void)
{
	if (keeping.sleepers == 0 || keeping.awake || next_timer() == INT64_MAX || is_kept())
		return;
	eventfd_write(keeping.bell, 1);
}

static void close_bell(void)
{
	if (keeping.bell >= 0)
		close(keeping.bell);
	keeping.bell = -1;
}

void timekeeper_retire(void)
{
	/* Otherwise the last sleeper does. */
	if (keeping.sleepers == 0)
		close_bell();
}

void timekeeper_forget(bool shared)
{
	if (shared)
		keeping.bell = -1;
	close_bell();
	keeping.sleepers = 0;
	keeping.awake = false;
	keeping.keeper = NULL;
}

static bool has_bell(void)
{
	if (keeping.bell < 0)
		keeping.bell = watch_above_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	return keeping.bell >= 0;
}

/* Sleeps once. Returns the result of poll, less the bell. */
static int sleep_by_bell(struct pollfd *items, size_t count, int64_t deadline)
{
	struct pollfd *bell = &items[count];

	*bell = (struct pollfd){ .fd = keeping.bell, .events = POLLIN };
	if (!is_kept() && next_timer() != INT64_MAX) {
		keeping.keeper = items;
		keeping.keeper_wakes = deadline = earlier(deadline, next_timer());
	}
	keeping.sleepers++;
	family_leave();
	int r = watch_sentinels(items, count + 1, deadline);
	family_enter();
	keeping.sleepers--;
	if (keeping.keeper == items)
		keeping.keeper = NULL;
	if (r > 0 && bell->revents) {
		eventfd_t value;
		eventfd_read(keeping.bell, &value);
		r--;
	}
	return r;
}

static int sleep_alone(struct pollfd *items, size_t count, int64_t until)
{
	family_leave();
	int r = watch_sentinels(items, count, until);
	family_enter();
	return r;
}

static bool is_over(int64_t deadline)
{
	return clock_remaining(deadline) == 0;
}

static int wait_alone(struct pollfd *items, size_t count, int64_t deadline, int64_t nap)
{
	int r;

	do {
		timekeeper_run();
		int64_t until = earlier(earlier(deadline, next_timer()), clock_deadline(nap));
		r = sleep_alone(items, count, until);
	} while (r == 0 && !is_over(deadline));
	return r;
}

static int wait_by_bell(struct pollfd *items, size_t count, int64_t deadline)
{
	int r;

	do {
		keeping.awake = true;
		run_timers();
		keeping.awake = false;
		stop_due_trees();
		r = sleep_by_bell(items, count, deadline);
	} while (r == 0 && !is_over(deadline));
	/* The bell that this thread has taken, or the time that it has kept, is another's now. */
	timekeeper_notice();
	if (LIST_EMPTY(&family.engines))
		timekeeper_retire();
	return r;
}

int timekeeper_wait(struct pollfd *items, size_t count, int64_t deadline)
{
	if (deadline == 0 || LIST_EMPTY(&family.engines)) {
		timekeeper_run();
		return sleep_alone(items, count, deadline);
	}
	if (__libc_single_threaded)
		return wait_alone(items, count, deadline, INT64_MAX);
	if (!has_bell())
		return wait_alone(items, count, deadline, NAP);
	int r = wait_by_bell(items, count, deadline);
	/* One descriptor more than the limit of descriptors (poll(2)). */
	return r == -EINVAL ? wait_alone(items, count, deadline, NAP) : r;
}
