/* SPDX-License-Identifier: MIT */
#include "init_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "init_say.h"
#include "init_values.h"

/* What could not be written is counted, and told as soon as there is room again: an init does not wait for readers. */
__attribute__((format(printf, 2, 3))) static void put(struct init_status *status, const char *format, ...)
{
	char text[512];
	int length = 0;
	va_list arguments;

	if (status->descriptor < 0)
		return;
	if (status->dropped > 0)
		length = snprintf(text, sizeof(text), "{\"event\":\"dropped\",\"lines\":%llu}\n",
		                  (unsigned long long)status->dropped);
	va_start(arguments, format);
	length += vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
	va_end(arguments);
	if (init_write(status->descriptor, text, (size_t)length, 0) < 0)
		status->dropped++;
	else
		status->dropped = 0;
}

/* One datagram. Nobody is waited for, and nobody needs to be there. */
static void notify(const struct init_status *status, const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = status->socket ? strlen(status->socket) : 0;
	int descriptor;

	if (length < 2 || length > sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, status->socket, length);
	/* An abstract name. */
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return;
	if (sendto(descriptor, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
	           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		init_say(INIT_WARNING, "cannot tell the service manager: %s", strerror(errno));
	close(descriptor);
}

static int copy(int descriptor)
{
	return descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* Both may have been handed over as one. */
static void close_handed_over(int one, int other)
{
	if (one > STDERR_FILENO)
		close(one);
	if (other > STDERR_FILENO && other != one)
		close(other);
}

int init_status_take(struct init_status *status)
{
	int lines = status->descriptor, ready = status->ready_descriptor;

	status->descriptor = copy(lines);
	if (status->descriptor < 0 && lines >= 0)
		return -errno;
	status->ready_descriptor = copy(ready);
	if (status->ready_descriptor < 0 && ready >= 0)
		return -errno;
	close_handed_over(lines, ready);
	return 0;
}

void init_status_ready(struct init_status *status, pid_t pid)
{
	char text[64];

	snprintf(text, sizeof(text), "READY=1\nSTATUS=running, pid %d", (int)pid);
	notify(status, text);
	put(status, "{\"event\":\"started\",\"pid\":%d}\n", (int)pid);
	if (status->ready_descriptor < 0)
		return;
	init_write(status->ready_descriptor, "\n", 1, 0);
	close(status->ready_descriptor);
	status->ready_descriptor = -1;
}

/* A failure before any step is one of its preparation. */
void init_status_failed(struct init_status *status, const struct pidring_failure *failure)
{
	enum pidring_step step = failure->step == PIDRING_STEP_NONE ? PIDRING_STEP_PREPARE : failure->step;
	const char *name = strerrorname_np(failure->error);

	put(status, "{\"event\":\"failed\",\"step\":\"%s\",\"error\":\"%s\"}\n", pidring_step_name(step),
	    name ? name : "unknown");
}

void init_status_stopping(struct init_status *status)
{
	notify(status, "STOPPING=1\nSTATUS=stopping");
	put(status, "{\"event\":\"stopping\"}\n");
}

void init_status_signal(struct init_status *status, int received, int sent, const char *target, int result)
{
	if (sent == 0)
		put(status, "{\"event\":\"signal\",\"received\":%d,\"sent\":0}\n", received);
	else if (result < 0)
		put(status,
		    "{\"event\":\"signal\",\"received\":%d,\"sent\":%d,\"to\":\"%s\",\"error\":\"%s\"}\n",
		    received, sent, target, strerrorname_np(-result));
	else
		put(status, "{\"event\":\"signal\",\"received\":%d,\"sent\":%d,\"to\":\"%s\"}\n", received,
		    sent, target);
}

void init_status_ended(struct init_status *status, const char *name, pid_t pid,
                       const struct pidring_event *event)
{
	if (event->unknown)
		put(status, "{\"event\":\"%s\",\"pid\":%d,\"error\":\"ENODATA\"}\n", name, (int)pid);
	else if (event->code < 0)
		put(status, "{\"event\":\"%s\",\"pid\":%d,\"signal\":%d}\n", name, (int)pid, -event->code);
	else
		put(status, "{\"event\":\"%s\",\"pid\":%d,\"code\":%d}\n", name, (int)pid, event->code);
}

void init_status_exit(struct init_status *status, int code)
{
	put(status, "{\"event\":\"exit\",\"code\":%d}\n", code);
}
