/* SPDX-License-Identifier: MIT */
/*
 * The hierarchy of version 2 is found by its type, never by its path: it may be mounted anywhere, twice, beside those of
 * version 1, under something else, or from a group below the root on (cgroups(7), proc_pid_mountinfo(5)).
 */
#include "confine/hierarchy.h"

#include "explain.h"
#include "fields.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* linux/magic.h, which older headers have without it. */
enum { CGROUP2_MAGIC = 0x63677270 };

struct mount {
	char *root; /* the group that is seen at the mount point */
	char *point;
};

static void release_mount(struct mount *mount)
{
	free(mount->root);
	free(mount->point);
	*mount = (struct mount){ 0 };
}

/* Blanks, newlines and backslashes stand there as \040 and the like. */
static void decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
}

/* NULL: there is none, or no memory. */
static char *copy_field(const char *line, unsigned index)
{
	const char *field = fields_at(line, index);

	return *field ? strndup(field, fields_length(field)) : NULL;
}

/* 41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw */
static bool read_mount(const char *line, struct mount *ret_mount)
{
	const char *type = strstr(line, " - ");
	struct mount mount = { 0 };

	if (!type || strncmp(type, " - cgroup2 ", strlen(" - cgroup2 ")) != 0)
		return false;
	mount.root = copy_field(line, 3);
	mount.point = copy_field(line, 4);
	if (!mount.root || !mount.point) {
		release_mount(&mount);
		return false;
	}
	decode(mount.root);
	decode(mount.point);
	*ret_mount = mount;
	return true;
}

/* The line of version 2 in /proc/self/cgroup. NULL: there is none. */
static char *find_own(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char *line = NULL, *own = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	while (!own && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::/", strlen("0::/")) == 0)
			own = strdup(line + strlen("0::"));
	}
	free(line);
	fclose(file);
	return own;
}

/* What remains of a path below another; NULL: it is not below it. */
static const char *strip(const char *path, const char *root)
{
	size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != 0))
		return NULL;
	return path[length] ? path + length : "/";
}

static char *without_slashes(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return strndup(path, length);
}

static int open_directory(int at, const char *path)
{
	int directory = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return directory < 0 ? -errno : directory;
}

/* Another file system may be mounted over it. */
static int open_mount(const char *point)
{
	struct statfs status;
	int directory = open_directory(AT_FDCWD, point);

	if (directory < 0)
		return directory;
	if (fstatfs(directory, &status) == 0 && (long)status.f_type == CGROUP2_MAGIC)
		return directory;
	close(directory);
	return -ENOENT;
}

static int open_below(const struct mount *mount, const char *below, struct hierarchy_place *ret_place)
{
	struct hierarchy_place place = { .directory = -1 };
	int directory = open_mount(mount->point);

	if (directory < 0)
		return directory;
	place.below = without_slashes(below);
	if (place.below)
		place.directory = open_directory(directory, place.below[1] ? place.below + 1 : ".");
	close(directory);
	if (place.directory >= 0) {
		*ret_place = place;
		return 0;
	}
	int r = place.below ? place.directory : -ENOMEM;
	hierarchy_close(&place);
	return r;
}

static int try_mount(const struct mount *mount, const char *parent, const char *own,
                     struct hierarchy_place *ret_place)
{
	const char *below = parent ? parent : own ? strip(own, mount->root) : NULL;

	return below ? open_below(mount, below, ret_place) : -ENOENT;
}

/* The first mount that shows it. -ENOSYS: there is none. */
static int search(FILE *mounts, const char *parent, const char *own, struct hierarchy_place *ret_place)
{
	char *line = NULL;
	size_t size = 0;
	int r = -ENOSYS;

	while (r < 0 && getline(&line, &size, mounts) > 0) {
		struct mount mount;
		if (!read_mount(line, &mount))
			continue;
		r = try_mount(&mount, parent, own, ret_place);
		release_mount(&mount);
	}
	free(line);
	return r;
}

int hierarchy_open(const char *parent, struct hierarchy_place *ret_place)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");

	if (!mounts)
		return explain(-ENOSYS, "control groups cannot be looked for: /proc/self/mountinfo: %s",
		               strerror(errno));
	char *own = parent ? NULL : find_own();
	int r = search(mounts, parent, own, ret_place);
	fclose(mounts);
	if (r == -ENOSYS)
		explain(r, "no hierarchy of control groups of version 2 is mounted");
	else if (r < 0)
		explain(r, "the control group '%s' cannot be opened: %s",
		        parent ? parent
		        : own  ? own
		               : "of this process",
		        strerror(-r));
	free(own);
	return r;
}

void hierarchy_close(struct hierarchy_place *place)
{
	if (place->directory >= 0)
		close(place->directory);
	free(place->below);
	*place = (struct hierarchy_place){ .directory = -1 };
}
