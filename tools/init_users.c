/* SPDX-License-Identifier: MIT */
/* Who the program is to run as. Users and groups are those of the files in its root, not of the name services: they are
 * what a container has, and a static program can read them. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static FILE *open_in_root(const struct init_confine *confine, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", confine->made.root ? confine->made.root : "", path);
	return fopen(whole, "re");
}

static int find_group(const struct init_confine *confine, const char *name, size_t length, gid_t *ret_group,
                      struct init_error *error)
{
	__attribute__((cleanup(closep))) FILE *file = NULL;
	struct init_error ignored = { 0 };
	struct group *entry;
	int64_t number;

	if (init_read_number(name, length, 0, UINT32_MAX - 1, &number, &ignored) == 0) {
		*ret_group = (gid_t)number;
		return 0;
	}
	file = open_in_root(confine, "/etc/group");
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
static char *find_home(const struct init_confine *confine)
{
	__attribute__((cleanup(closep))) FILE *file = open_in_root(confine, "/etc/passwd");
	struct init_error ignored = { 0 };
	struct passwd *entry;
	int64_t number = -1;

	init_read_number(confine->user, strlen(confine->user), 0, UINT32_MAX - 1, &number, &ignored);
	while (file && (entry = fgetpwent(file)))
		if (strcmp(entry->pw_name, confine->user) == 0 || (int64_t)entry->pw_uid == number)
			return strdup(entry->pw_dir);
	return NULL;
}

int init_confine_finish(struct init_confine *confine, struct init_error *error)
{
	confine->made.size = sizeof(confine->made);
	if (confine->user)
		confine->home = find_home(confine);
	if (confine->group) {
		confine->made.set_group = true;
		if (find_group(confine, confine->group, strlen(confine->group), &confine->made.group, error) <
		    0)
			return -EINVAL;
	}
	return confine->group_list ? find_groups(confine, error) : 0;
}
