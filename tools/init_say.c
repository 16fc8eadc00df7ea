/* SPDX-License-Identifier: MIT */
#include "init_say.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long the reader of an error may take to make room. */
#define ERROR_PATIENCE 1000

static const char *message_prefix = "pidring-init: ";
static int message_verbosity = INIT_WARNING;

void init_say_set(const char *prefix, int verbosity)
{
	message_prefix = prefix;
	message_verbosity = verbosity;
}

/* A write that fails in these two ways also sends a signal to its thread, which is blocked here and would be read, and
 * forwarded, as if somebody had sent it. The thread's own comes before the process's. */
static void take_back(int signal_number)
{
	const struct timespec at_once = { 0 };
	sigset_t only;

	sigemptyset(&only);
	sigaddset(&only, signal_number);
	sigtimedwait(&only, NULL, &at_once);
}

int init_write(int descriptor, const char *data, size_t length, int patience)
{
	struct pollfd item = { .fd = descriptor, .events = POLLOUT };

	/* A pipe or terminal that is ready takes as much as a page without blocking. */
	if (poll(&item, 1, patience) == 0)
		return -EAGAIN;
	if (write(descriptor, data, length) >= 0)
		return 0;
	if (errno == EPIPE)
		take_back(SIGPIPE);
	else if (errno == EFBIG)
		take_back(SIGXFSZ);
	return -errno;
}

void init_say(enum init_level level, const char *format, ...)
{
	char text[1024];
	size_t length;
	va_list arguments;
	int needed;

	if ((int)level > message_verbosity)
		return;
	length = (size_t)snprintf(text, sizeof(text) / 2, "%s", message_prefix);
	va_start(arguments, format);
	needed = vsnprintf(text + length, sizeof(text) - length - 1, format, arguments);
	va_end(arguments);
	if (needed < 0)
		return;
	length += strlen(text + length);
	text[length++] = '\n';
	init_write(STDERR_FILENO, text, length, level == INIT_ERROR ? ERROR_PATIENCE : 0);
}
