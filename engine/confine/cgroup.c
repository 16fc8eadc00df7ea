/* SPDX-License-Identifier: MIT */
/* Making and removing a control group. cgroup_members.c has who is in it, cgroup_files.c its files. */
#include "confine/cgroup.h"

#include "confine/hierarchy.h"
#include "explain.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- making --- */

static int make_directory(int parent, const char *name)
{
	return mkdirat(parent, name, 0755) < 0 ? -errno : 0;
}

/* Names of an engine that has been killed may still be there. */
static int make_named(int parent, const char *name, char *ret_name, size_t size)
{
	enum { ATTEMPTS = 10000 };
	static unsigned number;
	int r = -EEXIST;

	if (name) {
		snprintf(ret_name, size, "%s", name);
		return strlen(name) < size ? make_directory(parent, name) : -ENAMETOOLONG;
	}
	for (int i = 0; i < ATTEMPTS && r == -EEXIST; i++) {
		snprintf(ret_name, size, "pidring-%d-%u", (int)getpid(), ++number);
		r = make_directory(parent, ret_name);
	}
	return r;
}

static char *append(const char *path, const char *name)
{
	char *whole = NULL;

	return asprintf(&whole, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name) < 0 ? NULL : whole;
}

static int open_all(struct pidring_cgroup *cgroup, const struct hierarchy_place *place, const char *name)
{
	cgroup->path = append(place->below, name);
	if (!cgroup->path)
		return -ENOMEM;
	int directory = openat(place->directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	cgroup->directory = sys_above_streams(directory < 0 ? -errno : directory);
	if (cgroup->directory < 0)
		return cgroup->directory;
	int events = openat(cgroup->directory, "cgroup.events", O_RDONLY | O_CLOEXEC);
	cgroup->events = sys_above_streams(events < 0 ? -errno : events);
	return cgroup->events < 0 ? cgroup->events : 0;
}

static void release(struct pidring_cgroup *cgroup)
{
	if (cgroup->above)
		cgroup_unreference(cgroup->above);
	cgroup_close(cgroup);
	free(cgroup->path);
	free(cgroup);
}

static int make_in(const struct hierarchy_place *place, const char *wanted, struct pidring_cgroup *cgroup)
{
	char name[NAME_MAX + 1];
	int r = make_named(place->directory, wanted, name, sizeof name);

	if (r < 0)
		return explain(r, "cannot make the control group '%s' in '%s': %s", name, place->below,
		               strerror(-r));
	r = open_all(cgroup, place, name);
	if (r == 0)
		return 0;
	unlinkat(place->directory, name, AT_REMOVEDIR);
	return explain(r, "cannot open the control group '%s' in '%s': %s", name, place->below, strerror(-r));
}

int cgroup_make(struct pidring_cgroup **ret_cgroup, const char *parent, const char *name)
{
	struct hierarchy_place place;
	struct pidring_cgroup *cgroup = calloc(1, sizeof *cgroup);

	if (!cgroup)
		return explain(-ENOMEM, "no memory for a control group");
	cgroup->references = 1;
	cgroup->directory = cgroup->events = -1;
	int r = hierarchy_open(parent, &place);
	if (r == 0) {
		r = make_in(&place, name, cgroup);
		hierarchy_close(&place);
	}
	if (r < 0) {
		release(cgroup);
		return r;
	}
	*ret_cgroup = cgroup;
	return 0;
}

void cgroup_reference(struct pidring_cgroup *cgroup)
{
	cgroup->references++;
}

void cgroup_unreference(struct pidring_cgroup *cgroup)
{
	if (--cgroup->references == 0)
		release(cgroup);
}

int cgroup_descriptor(const struct pidring_cgroup *cgroup)
{
	return cgroup->directory;
}

bool cgroup_was_killed(const struct pidring_cgroup *cgroup)
{
	return cgroup->killed;
}

/* --- those below --- */

int cgroup_open_list(DIR **ret_list, int directory)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy < 0 ? NULL : fdopendir(copy);
	int r = list ? 0 : -errno;

	if (!list)
		sys_close(&copy);
	else
		*ret_list = list;
	return r;
}

bool cgroup_is_below(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* --- removing --- */

static int remove_directory(int at, const char *name)
{
	/* Somebody else may have been first. */
	return unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* Those below first. */
static int remove_below(int directory)
{
	DIR *stream;
	int r = cgroup_open_list(&stream, directory);

	if (r < 0)
		return r;
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): an error that was 0 would be none */
	for (struct dirent *entry; r == 0 && (entry = readdir(stream));) {
		if (!cgroup_is_below(entry))
			continue;
		int child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child < 0 && errno == ENOENT)
			continue;
		r = child < 0 ? -errno : remove_below(child);
		if (child < 0)
			break;
		close(child);
		if (r == 0)
			r = remove_directory(directory, entry->d_name);
	}
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
	closedir(stream);
	return r;
}

/* By its parent's own descriptor: the mount may have been moved. */
static int remove_itself(const struct pidring_cgroup *cgroup)
{
	int parent = openat(cgroup->directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = parent < 0 ? -errno : remove_directory(parent, strrchr(cgroup->path, '/') + 1);

	if (parent >= 0)
		close(parent);
	return r;
}

int cgroup_remove(struct pidring_cgroup *cgroup)
{
	int r = cgroup_read_populated(cgroup->events);

	/* Somebody has removed it, and perhaps its parent, too. */
	if (cgroup_is_gone(r))
		return 0;
	if (r > 0)
		return -EBUSY;
	r = remove_below(cgroup->directory);
	return r < 0 ? r : remove_itself(cgroup);
}

void cgroup_close(struct pidring_cgroup *cgroup)
{
	sys_close(&cgroup->directory);
	sys_close(&cgroup->events);
}
