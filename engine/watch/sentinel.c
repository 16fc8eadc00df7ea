/* SPDX-License-Identifier: MIT */
/* Waiting for sentinels without an engine: a join, a wait for any of a few. */
#include "clock.h"
#include "watch/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

static int poll_until(struct pollfd *items, size_t count, int64_t deadline)
{
	for (;;) {
		int64_t remaining = clock_remaining(deadline);
		struct timespec timeout = { .tv_sec = remaining / CLOCK_SECOND,
			                    .tv_nsec = remaining % CLOCK_SECOND };
		int r = ppoll(items, count, remaining == INT64_MAX ? NULL : &timeout, NULL);

		if (r > 0)
			return r;
		if (r == 0 && clock_remaining(deadline) == 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* A thread that is cancelled here would never give back what it holds. */
int watch_sentinels(struct pollfd *items, size_t count, int64_t deadline)
{
	int cancelability;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	int r = poll_until(items, count, deadline);
	pthread_setcancelstate(cancelability, NULL);
	return r;
}

bool watch_let_signals_in(const sigset_t *mask)
{
	struct timespec at_once = { 0 };

	return ppoll(NULL, 0, &at_once, mask) < 0 && errno == EINTR;
}

int watch_sentinel(int descriptor, int64_t deadline)
{
	struct pollfd item = { .fd = descriptor, .events = POLLIN };

	return watch_sentinels(&item, 1, deadline);
}

void watch_pause(void)
{
	int cancelability;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	poll(NULL, 0, 1);
	pthread_setcancelstate(cancelability, NULL);
}
