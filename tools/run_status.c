/* SPDX-License-Identifier: MIT */
#include "run_status.h"

#include <pidring.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run_clock.h"
#include "run_text.h"

#define REDRAW_INTERVAL (100 * RUN_MILLISECOND)

static const char erase[] = "\r\033[K";

/* What cannot be written is dropped: there is nobody left to tell. */
static void write_all(struct run_status *status, const char *data, size_t length)
{
	run_write(status->writer, STDERR_FILENO, data, length);
}

void run_status_open(struct run_status *status, struct run_writer *writer)
{
	const char *terminal = getenv("TERM");

	*status = (struct run_status){ .writer = writer };
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

/* An unfinished line of a job's stays: the status line would be written over it. */
static bool wants_line(const struct run_status *status)
{
	return status->wanted && status->stale && !status->unfinished;
}

int64_t run_status_timeout(const struct run_status *status)
{
	int64_t left;

	if (!wants_line(status))
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

	if (!wants_line(status))
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

void run_status_compose(struct run_text *text, const char *item, size_t item_length, const char *format,
                        va_list arguments)
{
	static const size_t item_columns = 4096;

	text->room--;
	run_text_add(text, "pidring-run: ");
	if (item) {
		run_text_add_item(text, item, item_length, item_columns);
		run_text_add(text, ": ");
	}
	run_text_format_list(text, format, arguments);
	text->room++;
	run_text_add(text, "\n");
}

void run_status_make_way(struct run_status *status)
{
	if (!status->drawn)
		return;
	run_status_clear(status);
	status->stale = true;
}

void run_status_print(struct run_status *status, const char *message, size_t length)
{
	char data[RUN_STATUS_MESSAGE + sizeof(erase)];
	struct run_text text = { data, 0, sizeof(data) };

	if (status->drawn)
		run_text_add(&text, erase);
	if (status->unfinished)
		run_text_add(&text, "\n");
	/* Several messages at once may be longer. */
	if (length > text.room - text.length) {
		write_all(status, text.data, text.length);
		write_all(status, message, length);
	} else {
		run_text_add_bytes(&text, message, length);
		write_all(status, text.data, text.length);
	}
	status->unfinished = false;
	status->drawn = false;
	status->stale = true;
}

void run_status_say(struct run_status *status, const char *item, size_t item_length, const char *format, ...)
{
	char data[RUN_STATUS_MESSAGE];
	struct run_text text = { data, 0, sizeof(data) };
	va_list arguments;

	va_start(arguments, format);
	run_status_compose(&text, item, item_length, format, arguments);
	va_end(arguments);
	run_status_print(status, text.data, text.length);
}
