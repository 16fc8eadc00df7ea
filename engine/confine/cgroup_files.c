/* SPDX-License-Identifier: MIT */
/* The files of a control group: written, read, and why they are not there. */
#include "confine/cgroup.h"
#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cgroup_check_name(const char *name)
{
	if (!name || !*name || *name == '.' || strchr(name, '/'))
		return explain(-EINVAL, "'%s' is no name of a file of a control group",
		               name ? name : "(NULL)");
	return 0;
}

/* Whether a word stands among those that blanks separate. */
static bool has_word(char *text, const char *word, size_t length)
{
	char *rest = NULL;

	for (char *at = strtok_r(text, " \n", &rest); at; at = strtok_r(NULL, " \n", &rest))
		if (strlen(at) == length && strncmp(at, word, length) == 0)
			return true;
	return false;
}

static int open_file(const struct pidring_cgroup *cgroup, const char *name, int flags)
{
	int descriptor = openat(cgroup->directory, name, flags | O_CLOEXEC | O_NOFOLLOW);

	return sys_above_streams(descriptor < 0 ? -errno : descriptor);
}

static ssize_t read_piece(int descriptor, char *piece, size_t size)
{
	ssize_t length;

	do
		length = read(descriptor, piece, size);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : length;
}

static bool is_enabled(const struct pidring_cgroup *cgroup, const char *controller, size_t length)
{
	enum { MANY = 1024 };
	char text[MANY];
	int descriptor = open_file(cgroup, "cgroup.controllers", O_RDONLY);

	if (descriptor < 0)
		return false;
	ssize_t count = read_piece(descriptor, text, sizeof text - 1);
	close(descriptor);
	text[count > 0 ? count : 0] = 0;
	return has_word(text, controller, length);
}

/* The part before the first dot is the controller's name. */
static int explain_missing(const struct pidring_cgroup *cgroup, const char *name)
{
	size_t length = strcspn(name, ".");

	if (strncmp(name, "cgroup.", strlen("cgroup.")) == 0)
		return explain(-EOPNOTSUPP, "control groups have no file '%s' on this kernel", name);
	if (!name[length] || is_enabled(cgroup, name, length))
		return explain(-EINVAL, "the control group '%s' has no file '%s'", cgroup->path, name);
	return explain(-EOPNOTSUPP,
	               "'%s' cannot be used: the controller '%.*s' is not enabled in the control group '%s'",
	               name, (int)length, name, cgroup->path);
}

static int explain_file(const struct pidring_cgroup *cgroup, const char *what, const char *name, int error)
{
	if (error == -ENOENT)
		return explain_missing(cgroup, name);
	return explain(error, "cannot %s '%s' of the control group '%s': %s", what, name, cgroup->path,
	               strerror(-error));
}

static int write_file(const struct pidring_cgroup *cgroup, const char *name, const char *value)
{
	size_t length = strlen(value);
	ssize_t written;
	int descriptor = open_file(cgroup, name, O_WRONLY);

	if (descriptor < 0)
		return descriptor;
	do
		written = write(descriptor, value, length);
	while (written < 0 && errno == EINTR);
	int r = written < 0 ? -errno : 0;
	close(descriptor);
	return r;
}

int cgroup_write(const struct pidring_cgroup *cgroup, const char *name, const char *value)
{
	int cancelability;
	int r = cgroup_check_name(name);

	if (r < 0)
		return r;
	if (!value)
		return explain(-EINVAL, "the value for '%s' is NULL", name);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	r = write_file(cgroup, name, value);
	pthread_setcancelstate(cancelability, NULL);
	if (r == 0)
		return 0;
	if (r == -ENOENT)
		return explain_missing(cgroup, name);
	return explain(r, "cannot write '%s' to '%s' of the control group '%s': %s", value, name,
	               cgroup->path, strerror(-r));
}

/* All of it counts, what there is room for is kept. */
static ssize_t read_file(int descriptor, char *buffer, size_t size)
{
	enum { PIECE = 4096 };
	char piece[PIECE];
	size_t total = 0;
	ssize_t length;

	while ((length = read_piece(descriptor, piece, sizeof piece)) > 0) {
		size_t room = size > total + 1 ? size - 1 - total : 0;
		size_t kept = (size_t)length < room ? (size_t)length : room;

		if (kept > 0)
			memcpy(buffer + total, piece, kept);
		total += (size_t)length;
	}
	if (size > 0)
		buffer[total < size ? total : size - 1] = 0;
	return length < 0 ? length : (ssize_t)total;
}

ssize_t cgroup_read(const struct pidring_cgroup *cgroup, const char *name, char *buffer, size_t size)
{
	int cancelability;
	ssize_t r = cgroup_check_name(name);

	if (r < 0)
		return r;
	if (!buffer && size > 0)
		return explain(-EINVAL, "the buffer for '%s' is NULL", name);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	int descriptor = open_file(cgroup, name, O_RDONLY);
	r = descriptor < 0 ? descriptor : read_file(descriptor, buffer, size);
	if (descriptor >= 0)
		close(descriptor);
	pthread_setcancelstate(cancelability, NULL);
	return r < 0 ? explain_file(cgroup, "read", name, (int)r) : r;
}

int cgroup_read_populated(int events)
{
	enum { LINES = 256 };
	char text[LINES];
	ssize_t length;

	do
		length = pread(events, text, sizeof text - 1, 0);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	text[length] = 0;
	return strstr(text, "populated 1") != NULL;
}

bool cgroup_is_gone(int result)
{
	return result == -ENODEV || result == -ENOENT;
}

int cgroup_is_populated(const struct pidring_cgroup *cgroup)
{
	int descriptor = open_file(cgroup, "cgroup.events", O_RDONLY);
	int r = descriptor < 0 ? descriptor : cgroup_read_populated(descriptor);

	if (descriptor >= 0)
		close(descriptor);
	if (cgroup_is_gone(r))
		return 0;
	return r < 0 ? explain_file(cgroup, "read", "cgroup.events", r) : r;
}

int64_t cgroup_processor_time(const struct pidring_cgroup *cgroup)
{
	enum { FIRST_LINES = 256 };
	static const char usage[] = "usage_usec ";
	char text[FIRST_LINES];
	int descriptor = open_file(cgroup, "cpu.stat", O_RDONLY);

	if (descriptor < 0)
		return descriptor;
	ssize_t length = read_file(descriptor, text, sizeof text);
	close(descriptor);
	if (length < 0)
		return length;
	return strncmp(text, usage, strlen(usage)) == 0 ? strtoll(text + strlen(usage), NULL, 10) : -ENODATA;
}
