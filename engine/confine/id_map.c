/* SPDX-License-Identifier: MIT */
/* The ids of a new user namespace: written by the parent, who has the power to, while the child waits. */
#include "confine/confinement.h"

#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the kernel takes (UID_GID_MAP_MAX_EXTENTS). */
enum { MOST_ENTRIES = 340, LONGEST_TEXT = 4095 };

static bool overlap(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return a < (uint64_t)b + b_count && b < (uint64_t)a + a_count;
}

static int check_entry(const struct pidring_id_map *map, size_t index, const char *name)
{
	const struct pidring_id_map *entry = &map[index];

	if (entry->count == 0)
		return explain(-EINVAL, "%s[%zu].count is 0", name, index);
	if ((uint64_t)entry->inside + entry->count > UINT32_MAX ||
	    (uint64_t)entry->outside + entry->count > UINT32_MAX)
		return explain(-EINVAL, "%s[%zu] goes beyond the last id: %u ids from %u or %u on", name,
		               index, entry->count, entry->inside, entry->outside);
	for (size_t i = 0; i < index; i++)
		if (overlap(map[i].inside, map[i].count, entry->inside, entry->count) ||
		    overlap(map[i].outside, map[i].count, entry->outside, entry->count))
			return explain(-EINVAL, "%s[%zu] and %s[%zu] overlap", name, i, name, index);
	return 0;
}

static size_t text_length(const struct pidring_id_map *map, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++)
		length +=
			(size_t)snprintf(NULL, 0, "%u %u %u\n", map[i].inside, map[i].outside, map[i].count);
	return length;
}

int id_map_check(const struct pidring_id_map *map, size_t count, const char *name)
{
	int r = 0;

	if (count > MOST_ENTRIES)
		return explain(-E2BIG, "%s has %zu entries, more than %d", name, count, MOST_ENTRIES);
	if (count > 0 && !map)
		return explain(-EINVAL, "%s is NULL, but its count is %zu", name, count);
	for (size_t i = 0; i < count && r == 0; i++)
		r = check_entry(map, i, name);
	if (r == 0 && text_length(map, count) > LONGEST_TEXT)
		return explain(-E2BIG,
		               "%s has %zu entries, which are more than the kernel takes at a time: %d bytes",
		               name, count, LONGEST_TEXT);
	return r;
}

char *id_map_text(struct confinement *confinement, const struct pidring_id_map *map, size_t count)
{
	enum { LINE = 3 * sizeof "4294967295" };
	char *text = confinement_allocate(confinement, count * LINE + 1);
	size_t length = 0;

	for (size_t i = 0; text && i < count; i++)
		length += (size_t)snprintf(text + length, LINE + 1, "%u %u %u\n", map[i].inside,
		                           map[i].outside, map[i].count);
	return text;
}

struct waiting_child {
	pid_t pid; /* in /proc, which may be another PID namespace's */
	int pidfd;
};

/* A number is the child's for certain while that has not ended, which is looked at when the file is open. */
static bool has_ended(const struct waiting_child *child)
{
	struct pollfd item = { .fd = child->pidfd, .events = POLLIN };

	return poll(&item, 1, 0) > 0;
}

/* What /proc calls it stands where /proc tells of its pidfd. */
static int find_number(int pidfd, pid_t *ret_pid)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
	int r = length < 0 ? -errno : 0;
	if (file >= 0)
		close(file);
	if (r < 0)
		return explain(r, "cannot read %s: %s", path, strerror(-r));
	text[length] = '\0';
	const char *line = strstr(text, "\nPid:");
	*ret_pid = line ? (pid_t)strtol(line + sizeof "\nPid:" - 1, NULL, 10) : 0;
	return *ret_pid > 0 ? 0
	                    : explain(-ESRCH, "/proc does not know the child: it is another PID namespace's");
}

/* In one write, or the kernel takes the beginning for the whole. */
static int write_file(const struct waiting_child *child, const char *name, const char *text)
{
	char path[64];
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/%s", child->pid, name);
	int file = open(path, O_WRONLY | O_CLOEXEC);
	if (file >= 0 && has_ended(child))
		r = -ESRCH;
	else if (file < 0 || write(file, text, strlen(text)) < 0)
		r = -errno;
	if (file >= 0)
		close(file);
	return r < 0 ? explain(r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

static int write_default(const struct waiting_child *child, const char *name, unsigned id)
{
	char text[32];

	snprintf(text, sizeof text, "0 %u 1\n", id);
	return write_file(child, name, text);
}

/* Who has no CAP_SETGID may map the own group, but then setgroups(2) must be given up before: it could leave a group that
 * is there to forbid something. */
static int write_groups(const struct confinement *confinement, const struct waiting_child *child)
{
	int r = confinement->group_map ? write_file(child, "gid_map", confinement->group_map) : -EPERM;

	if (r != -EPERM)
		return r;
	r = write_file(child, "setgroups", "deny");
	if (r < 0)
		return r;
	return confinement->group_map ? write_file(child, "gid_map", confinement->group_map)
	                              : write_default(child, "gid_map", getegid());
}

int id_maps_write(const struct confinement *confinement, int pidfd)
{
	struct waiting_child child = { .pidfd = pidfd };
	int r = find_number(pidfd, &child.pid);

	if (r == 0)
		r = confinement->user_map ? write_file(&child, "uid_map", confinement->user_map)
		                          : write_default(&child, "uid_map", geteuid());
	return r < 0 ? r : write_groups(confinement, &child);
}
