/* SPDX-License-Identifier: MIT */
/* Time, in nanoseconds of CLOCK_MONOTONIC. */
#ifndef PIDRING_CLOCK_H
#define PIDRING_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND INT64_C(1000000000)

static inline int64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

/* The moment at which a time-out is over; INT64_MAX: never. A negative time-out is over at once. */
static inline int64_t clock_deadline(int64_t timeout)
{
	if (timeout <= 0)
		return 0;
	if (timeout == INT64_MAX)
		return INT64_MAX;
	int64_t now = clock_now();
	return timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
}

/* What is left until the deadline; never negative. */
static inline int64_t clock_remaining(int64_t deadline)
{
	if (deadline == 0 || deadline == INT64_MAX)
		return deadline;
	int64_t remaining = deadline - clock_now();
	return remaining > 0 ? remaining : 0;
}

#endif
