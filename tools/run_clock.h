/* SPDX-License-Identifier: MIT */
#ifndef PIDRING_RUN_CLOCK_H
#define PIDRING_RUN_CLOCK_H

#include <stdint.h>
#include <time.h>

#define RUN_MILLISECOND INT64_C(1000000)
#define RUN_SECOND      INT64_C(1000000000)

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline int64_t run_clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * RUN_SECOND + now.tv_nsec;
}

#endif
