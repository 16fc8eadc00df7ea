/* SPDX-License-Identifier: MIT */
#include "moment.h"

#include "harness.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { NANOSECONDS_A_SECOND = 1000000000 };

static struct timespec *moment;

void moment_open(void)
{
	int descriptor = memfd_create("moment", MFD_CLOEXEC);

	if (descriptor < 0 || ftruncate(descriptor, sizeof(*moment)) < 0)
		bench_fail("memfd_create", errno);
	moment = mmap(NULL, sizeof(*moment), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	if (moment == MAP_FAILED)
		bench_fail("mapping memory", errno);
	if (dup2(descriptor, STDIN_FILENO) < 0)
		bench_fail("dup2", errno);
	(void)close(descriptor);
}

int moment_take(void *argument)
{
	int64_t now = bench_now();
	struct timespec *shared = *(struct timespec **)argument;

	shared->tv_nsec = now % NANOSECONDS_A_SECOND;
	shared->tv_sec = now / NANOSECONDS_A_SECOND;
	return 0;
}

void *moment_argument(void)
{
	return (void *)&moment;
}

size_t moment_argument_length(void)
{
	return sizeof(moment);
}

void moment_clear(void)
{
	*(volatile struct timespec *)moment = (struct timespec){ 0 };
}

int64_t moment_taken(void)
{
	struct timespec taken = *(volatile struct timespec *)moment;

	if (taken.tv_sec == 0)
		bench_fail("the target has not told when it began", 0);
	return (int64_t)taken.tv_sec * NANOSECONDS_A_SECOND + taken.tv_nsec;
}
