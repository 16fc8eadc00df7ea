/* SPDX-License-Identifier: MIT */
/* Who the program is to run as. Users and groups are those of the files in its root, not of the name services: they are
 * what a container has, and a static program can read them. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init_confine.h"

static void closep(FILE **file)
{
	if (*file)
		fclose(*file);
}

int init_confine_user(struct init_confine *confine, const char *text, struct init_error *error)
{
	size_t length = strcspn(text, ":");

	if (length == 0)
		return init_error_set(error, "there is no user in '%.80s'", text);
	confine->user = strndup(text, length);
	confine->group = text[length] ? text + length + 1 : NULL;
	confine->made.user_name = confine->user;
	confine->used = true;
	return confine->user ? 0 : init_error_set(error, "no memory");
}

int init_confine_groups(struct init_confine *confine, const char *text, struct init_error *error)
{
	(void)error;
	confine->group_list = text;
	confine->used = true;
	return 0;
}

/* Links of the root that lead out of it are followed as if it were / already. */
static int open_below(const char *root, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT };
	int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int descriptor, error;

	if (directory < 0)
		return -errno;
	descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
	error = errno;
	close(directory);
	return descriptor < 0 ? -error : descriptor;
}

/* 0 or a negated errno; *ret_file is NULL if there is no such file. */
static int open_in_root(const struct init_confine *confine, const char *path, FILE **ret_file)
{
	int descriptor;

	*ret_file = NULL;
	if (!confine->made.root) {
		*ret_file = fopen(path, "re");
		return 0;
	}
	descriptor = open_below(confine->made.root, path);
	if (descriptor == -ENOENT || descriptor == -ENOTDIR)
		return 0;
	if (descriptor < 0)
		return descriptor;
	*ret_file = fdopen(descriptor, "re");
	return *ret_file ? 0 : -ENOMEM;
}

static int explain_file(const struct init_confine *confine, const char *path, int result,
                        struct init_error *error)
{
	if (result == -ENOSYS)
		return init_error_set(
			error,
			"names in --root need openat2(2), of Linux 5.6, which is not here: give numbers");
	return init_error_set(error, "cannot read %s in %.80s: %s", path, confine->made.root,
	                      strerror(-result));
}

static int find_group(const struct init_confine *confine, const char *name, size_t length, gid_t *ret_group,
                      struct init_error *error)
{
	__attribute__((cleanup(closep))) FILE *file = NULL;
	struct init_error ignored = { 0 };
	struct group *entry;
	int64_t number;
	int result;

	if (init_read_number(name, length, 0, UINT32_MAX - 1, &number, &ignored) == 0) {
		*ret_group = (gid_t)number;
		return 0;
	}
	result = open_in_root(confine, "/etc/group", &file);
	if (result < 0)
		return explain_file(confine, "/etc/group", result, error);
	while (file && (entry = fgetgrent(file))) {
		if (strlen(entry->gr_name) != length || strncmp(entry->gr_name, name, length) != 0)
			continue;
		*ret_group = entry->gr_gid;
		return 0;
	}
	return init_error_set(error, "there is no group '%.*s'", (int)(length < 80 ? length : 80), name);
}

static int add_group(void *context, const char *name, size_t length, struct init_error *error)
{
	struct init_confine *confine = context;

	if (confine->made.group_count == INIT_GROUPS)
		return init_error_set(error, "there may be %d groups", INIT_GROUPS);
	return find_group(confine, name, length, &confine->groups[confine->made.group_count++], error);
}

static int find_groups(struct init_confine *confine, struct init_error *error)
{
	confine->made.set_groups = true;
	confine->made.groups = confine->groups;
	if (confine->group_list[0] == '\0')
		return 0;
	return init_read_list(confine->group_list, add_group, confine, error);
}

/* The user's home, if the user is in the file. */
static int find_home(struct init_confine *confine, struct init_error *error)
{
	__attribute__((cleanup(closep))) FILE *file = NULL;
	struct init_error ignored = { 0 };
	struct passwd *entry;
	int64_t number = -1;
	bool is_number = init_read_number(confine->user, strlen(confine->user), 0, UINT32_MAX - 1, &number,
	                                  &ignored) == 0;
	int result = open_in_root(confine, "/etc/passwd", &file);

	/* Who is a number needs no file. */
	if (result < 0)
		return is_number ? 0 : explain_file(confine, "/etc/passwd", result, error);
	while (file && (entry = fgetpwent(file))) {
		if (strcmp(entry->pw_name, confine->user) != 0 && (int64_t)entry->pw_uid != number)
			continue;
		confine->home = strdup(entry->pw_dir);
		return 0;
	}
	return 0;
}

int init_confine_finish(struct init_confine *confine, struct init_error *error)
{
	confine->made.size = sizeof(confine->made);
	if (confine->user && find_home(confine, error) < 0)
		return init_error_at(error, "--user");
	if (confine->group) {
		confine->made.set_group = true;
		if (find_group(confine, confine->group, strlen(confine->group), &confine->made.group, error) <
		    0)
			return init_error_at(error, "--user");
	}
	if (confine->group_list && find_groups(confine, error) < 0)
		return init_error_at(error, "--groups");
	return 0;
}
