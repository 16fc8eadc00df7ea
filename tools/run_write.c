/* SPDX-License-Identifier: MIT */
#include "run_write.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "run_clock.h"

/* A pipe or terminal that is ready takes as much without blocking. */
#define PIECE ((size_t)4096)

/* How long readers that take nothing may hold up the end, once pidring-run has been asked to stop. */
#define PATIENCE RUN_SECOND

/* How long to wait for the reader: for ever, but only for a moment in all once a stop signal has come. */
static int64_t patience(struct run_writer *writer)
{
	int64_t now;

	if (run_signals_first() == 0)
		return INT64_MAX;
	now = run_clock_now();
	if (writer->patient_until == 0)
		writer->patient_until = now + PATIENCE;
	return writer->patient_until > now ? writer->patient_until - now : 0;
}

static void tell_of_signal(const struct run_writer *writer)
{
	if (run_signals_first() != 0 && writer->on_signal)
		writer->on_signal(writer->context);
}

/* Waits until something can be written. */
static int wait_for_reader(struct run_writer *writer, int descriptor)
{
	for (;;) {
		struct pollfd item = { .fd = descriptor, .events = POLLOUT };
		int64_t timeout = patience(writer);
		struct timespec limit = { .tv_sec = timeout / RUN_SECOND, .tv_nsec = timeout % RUN_SECOND };
		int count = ppoll(&item, 1, timeout == INT64_MAX ? NULL : &limit, &writer->signals->waiting);

		if (count > 0)
			return 0;
		if (count == 0)
			return -ECANCELED;
		if (errno != EINTR)
			return -errno;
		tell_of_signal(writer);
	}
}

static bool never_waits(int descriptor)
{
	struct stat status;

	return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

/* As much as there is room for. -EAGAIN: there is none; -EOPNOTSUPP: it cannot be done like that. */
static ssize_t write_at_once(int descriptor, const char *data, size_t length)
{
	struct iovec piece = { (void *)(uintptr_t)data, length };
	ssize_t count = pwritev2(descriptor, &piece, 1, -1, RWF_NOWAIT);

	if (count >= 0)
		return count;
	/* The last three: old kernels, old files, and system-call filters. */
	if (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS || errno == EPERM || errno == ESPIPE)
		return -EOPNOTSUPP;
	return -errno;
}

static ssize_t write_piece(struct run_writer *writer, int descriptor, const char *data, size_t length)
{
	int result = wait_for_reader(writer, descriptor);
	ssize_t count;

	if (result < 0)
		return result;
	/* Somebody else who writes there may have been faster, so that this blocks after all. */
	run_signals_let_in(writer->signals);
	count = write(descriptor, data, length < PIECE ? length : PIECE);
	if (count < 0)
		count = -errno;
	run_signals_hold_back(writer->signals);
	if (count == -EINTR)
		tell_of_signal(writer);
	return count == -EAGAIN ? -EINTR : count;
}

static ssize_t write_some(struct run_writer *writer, int descriptor, const char *data, size_t length)
{
	ssize_t count;

	if (length > PIECE && never_waits(descriptor)) {
		count = write(descriptor, data, length);
		return count < 0 ? -errno : count;
	}
	count = write_at_once(descriptor, data, length);
	if (count == -EOPNOTSUPP)
		return write_piece(writer, descriptor, data, length);
	if (count != -EAGAIN)
		return count;
	count = wait_for_reader(writer, descriptor);
	return count < 0 ? count : -EINTR;
}

int run_write(struct run_writer *writer, int descriptor, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t count = write_some(writer, descriptor, data, length);

		if (count == -EINTR)
			continue;
		if (count < 0)
			return (int)count;
		data += count;
		length -= (size_t)count;
	}
	return 0;
}
