/* SPDX-License-Identifier: MIT */
/* Writing to a pipe without SIGPIPE. */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* linux/fs.h: 6.18 */
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif

enum { UNKNOWN = 0, PRESENT, ABSENT };

static atomic_int no_signal_flag;

static bool is_refusal(ssize_t result)
{
	return result == -EOPNOTSUPP || result == -EINVAL || result == -ENOSYS || result == -EPERM;
}

static ssize_t write_flagged(int descriptor, const void *bytes, size_t length)
{
	struct iovec part = { (void *)bytes, length };
	ssize_t r = pwritev2(descriptor, &part, 1, -1, RWF_NOSIGNAL);

	return r < 0 ? -errno : r;
}

/* SIGPIPE is for the thread that writes, so it alone needs to hold it back; one that was pending before stays. */
static ssize_t write_masked(int descriptor, const void *bytes, size_t length)
{
	const struct timespec at_once = { 0 };
	sigset_t broken_pipe, old, pending;

	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &broken_pipe, &old);
	ssize_t r = write(descriptor, bytes, length);
	r = r < 0 ? -errno : r;
	if (r == -EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

static ssize_t write_once(int descriptor, const void *bytes, size_t length)
{
	if (atomic_load_explicit(&no_signal_flag, memory_order_relaxed) == ABSENT)
		return write_masked(descriptor, bytes, length);

	ssize_t r = write_flagged(descriptor, bytes, length);
	bool refused = is_refusal(r);
	atomic_store_explicit(&no_signal_flag, refused ? ABSENT : PRESENT, memory_order_relaxed);
	return refused ? write_masked(descriptor, bytes, length) : r;
}

ssize_t sys_write_silently(int descriptor, const void *bytes, size_t length)
{
	ssize_t r;

	do
		r = write_once(descriptor, bytes, length);
	while (r == -EINTR);
	return r;
}

bool sys_writes_silently(void)
{
	int ends[2];

	if (atomic_load_explicit(&no_signal_flag, memory_order_relaxed) == UNKNOWN &&
	    pipe2(ends, O_CLOEXEC) == 0) {
		sys_write_silently(ends[1], "", 1);
		close(ends[0]);
		close(ends[1]);
	}
	return atomic_load_explicit(&no_signal_flag, memory_order_relaxed) == PRESENT;
}
