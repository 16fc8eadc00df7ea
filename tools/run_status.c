/* SPDX-License-Identifier: MIT */
#include "run_status.h"

#include <errno.h>
#include <pidring.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run_clock.h"
#include "run_text.h"

#define REDRAW_INTERVAL (100 * RUN_MILLISECOND)

/* A pipe that is ready takes as much without blocking. */
#define PIECE ((size_t)4096)

/* How long a reader that takes nothing may hold up the end, once pidring-run has been asked to stop. */
#define PATIENCE RUN_SECOND

static const char erase[] = "\r\033[K";

/* How long to wait for the reader: for ever, but only for a moment in all once a stop signal has come. */
static int64_t patience(struct run_status *status)
{
	int64_t now;

	if (run_signals_first() == 0)
		return PIDRING_FOREVER;
	now = run_clock_now();
	if (status->patient_until == 0)
		status->patient_until = now + PATIENCE;
	return status->patient_until > now ? status->patient_until - now : 0;
}

/* Waits until something can be written. False: it is not to be waited for any longer. */
static bool wait_for_reader(struct run_status *status)
{
	for (;;) {
		struct pollfd descriptor = { .fd = STDERR_FILENO, .events = POLLOUT };
		int64_t timeout = patience(status);
		struct timespec limit = { .tv_sec = timeout / RUN_SECOND, .tv_nsec = timeout % RUN_SECOND };
		int count = ppoll(&descriptor, 1, timeout == PIDRING_FOREVER ? NULL : &limit,
		                  &status->signals->waiting);

		if (count >= 0)
			return count > 0;
		if (errno != EINTR)
			return false;
		if (run_signals_first() == 0)
			continue;
		status->patient_until = run_clock_now();
		return false;
	}
}

/* Returns how many bytes were written; 0: none yet; less: there is nobody left to tell. */
static ssize_t write_piece(const struct run_status *status, const char *data, size_t length)
{
	ssize_t count;
	int error;

	/* A job that writes to the same pipe may have been faster, so that this blocks after all. */
	run_signals_let_in(status->signals);
	count = write(STDERR_FILENO, data, length < PIECE ? length : PIECE);
	error = errno;
	run_signals_hold_back(status->signals);
	if (count < 0 && (error == EINTR || error == EAGAIN))
		return 0;
	return count;
}

/* What nobody reads is dropped when a stop signal comes. */
static void write_all(struct run_status *status, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t count;

		if (!wait_for_reader(status))
			return;
		count = write_piece(status, data, length);
		if (count < 0)
			return;
		data += count;
		length -= (size_t)count;
	}
}

void run_status_open(struct run_status *status, const struct run_signals *signals)
{
	const char *terminal = getenv("TERM");

	*status = (struct run_status){ .signals = signals };
	if (!isatty(STDERR_FILENO) || !terminal || terminal[0] == '\0' || strcmp(terminal, "dumb") == 0)
		return;
	status->wanted = true;
	/* Work that is over at once needs no line. */
	status->redraw_at = run_clock_now() + REDRAW_INTERVAL;
}

void run_status_changed(struct run_status *status)
{
	status->stale = true;
}

int64_t run_status_timeout(const struct run_status *status)
{
	int64_t left;

	if (!status->wanted || !status->stale)
		return PIDRING_FOREVER;
	left = status->redraw_at - run_clock_now();
	return left > 0 ? left : 0;
}

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static void draw(struct run_status *status, const struct run_counts *counts, const char *item,
                 size_t item_length)
{
	/* One column stays free: some terminals go to the next line when the last is written. */
	size_t columns = terminal_columns() - 1;
	char plain_data[160];
	struct run_text plain = { plain_data, 0, sizeof(plain_data) };
	char data[4096];
	struct run_text text = { data, 0, sizeof(data) - 1 };

	run_text_format(&plain, "%zu done, %zu running, %zu failed", counts->done, counts->running,
	                counts->failed);
	run_text_add(&text, erase);
	run_text_add_bytes(&text, plain.data, plain.length < columns ? plain.length : columns);
	/* Room for " | " and something that can be recognised. */
	if (item && columns > plain.length + 8) {
		run_text_add(&text, " | ");
		run_text_add_item(&text, item, item_length, columns - plain.length - 3);
	}
	/* What the jobs print then begins at the left edge, not after the line. */
	text.room++;
	run_text_add(&text, "\r");
	write_all(status, text.data, text.length);
}

void run_status_refresh(struct run_status *status, const struct run_counts *counts, const char *item,
                        size_t item_length)
{
	int64_t now;

	if (!status->wanted || !status->stale)
		return;
	now = run_clock_now();
	if (now < status->redraw_at)
		return;
	draw(status, counts, item, item_length);
	status->drawn = true;
	status->stale = false;
	status->redraw_at = now + REDRAW_INTERVAL;
}

void run_status_clear(struct run_status *status)
{
	if (!status->drawn)
		return;
	write_all(status, erase, sizeof(erase) - 1);
	status->drawn = false;
}

void run_status_say(struct run_status *status, const char *item, size_t item_length, const char *format, ...)
{
	static const size_t item_columns = 4096;
	char data[4 * 4096 + 1024];
	struct run_text text = { data, 0, sizeof(data) - 1 };
	va_list arguments;

	if (status->drawn)
		run_text_add(&text, erase);
	run_text_add(&text, "pidring-run: ");
	if (item) {
		run_text_add_item(&text, item, item_length, item_columns);
		run_text_add(&text, ": ");
	}
	va_start(arguments, format);
	run_text_format_list(&text, format, arguments);
	va_end(arguments);
	text.room++;
	run_text_add(&text, "\n");
	write_all(status, text.data, text.length);

	status->drawn = false;
	status->stale = true;
}
