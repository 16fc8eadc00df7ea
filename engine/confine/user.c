/* SPDX-License-Identifier: MIT */
/*
 * A user by name, from /etc/passwd and /etc/group: those of the root that the process will have. libc's own functions know
 * only those of this process's root, and cannot be linked statically.
 */
#include "confine/confinement.h"

#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_LINE = 1024 * 1024 };

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static void free_memory(void *pointer)
{
	free(*(void **)pointer);
}

/* That there is none is no failure: *ret_file is NULL then. */
static int open_in(FILE **ret_file, const char *root, const char *path)
{
	int descriptor = sys_open_in_root(root ? root : "/", path);

	*ret_file = NULL;
	if (descriptor < 0)
		return descriptor == -ENOENT ? 0 : descriptor;
	*ret_file = fdopen(descriptor, "re");
	if (*ret_file)
		return 0;
	close(descriptor);
	return -ENOMEM;
}

struct entry {
	bool found;
	uid_t user;
	gid_t group;
	char name[256];
};

static bool read_number(const char *text, uid_t *ret_number)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || number >= UINT32_MAX)
		return false;
	*ret_number = (uid_t)number;
	return true;
}

/* Lines of NIS are none of a user's. */
static bool is_it(const struct passwd *line, const char *name, bool by_number, uid_t number)
{
	if (*line->pw_name == '+' || *line->pw_name == '-')
		return false;
	return strcmp(line->pw_name, name) == 0 || (by_number && line->pw_uid == number);
}

/* A number need not be there. */
static int find_user(const char *root, const char *name, struct entry *ret_entry)
{
	__attribute__((cleanup(close_file))) FILE *file = NULL;
	__attribute__((cleanup(free_memory))) char *buffer = NULL;
	struct passwd line, *found;
	uid_t number = 0;
	bool by_number = read_number(name, &number);

	*ret_entry = (struct entry){ .user = number };
	int r = open_in(&file, root, "/etc/passwd");
	if (r < 0)
		return r;
	buffer = malloc(LONGEST_LINE);
	if (!buffer)
		return -ENOMEM;
	while (file && fgetpwent_r(file, &line, buffer, LONGEST_LINE, &found) == 0) {
		if (!is_it(found, name, by_number, number))
			continue;
		*ret_entry = (struct entry){ .found = true, .user = found->pw_uid, .group = found->pw_gid };
		snprintf(ret_entry->name, sizeof ret_entry->name, "%s", found->pw_name);
		return 0;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): its cleanup frees it */
	return by_number ? 0 : -ENOENT;
}

static bool has_member(const struct group *group, const char *name)
{
	for (char **member = group->gr_mem; *member; member++)
		if (strcmp(*member, name) == 0)
			return true;
	return false;
}

/* As initgroups(3): the user's own group, and those that name the user. */
static int find_groups(const char *root, const struct entry *entry, gid_t *groups, size_t *ret_count)
{
	__attribute__((cleanup(close_file))) FILE *file = NULL;
	__attribute__((cleanup(free_memory))) char *buffer = NULL;
	struct group line, *found;
	size_t count = 0;

	int r = open_in(&file, root, "/etc/group");
	if (r < 0)
		return r;
	buffer = malloc(LONGEST_LINE);
	if (!buffer)
		return -ENOMEM;
	groups[count++] = entry->group;
	while (file && fgetgrent_r(file, &line, buffer, LONGEST_LINE, &found) == 0)
		if (found->gr_gid != entry->group && has_member(found, entry->name) &&
		    count < CONFINE_MOST_GROUPS)
			groups[count++] = found->gr_gid;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): likewise */
	*ret_count = count;
	return 0;
}

static int take_groups(struct confinement *confinement, const char *root, const struct entry *entry)
{
	__attribute__((cleanup(free_memory))) gid_t *found = calloc(CONFINE_MOST_GROUPS, sizeof *found);
	size_t count = 0;
	int r = found ? find_groups(root, entry, found, &count) : -ENOMEM;

	if (r < 0)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): likewise */
		return r;
	confinement->groups = confinement_allocate(confinement, count * sizeof *found);
	if (!confinement->groups)
		return -ENOMEM;
	memcpy(confinement->groups, found, count * sizeof *found);
	confinement->group_count = count;
	confinement->set_groups = true;
	return 0;
}

static int explain_failure(int error, const char *root, const char *name)
{
	if (error == -ENOENT)
		return explain(error, "user_name: there is no user '%s' in %s/etc/passwd", name,
		               root ? root : "");
	return explain(error, "user_name: cannot look up '%s': %s", name, strerror(-error));
}

int user_look_up(struct confinement *confinement, const struct pidring_confinement *given)
{
	struct entry entry;
	int r = find_user(given->root, given->user_name, &entry);

	if (r < 0)
		return explain_failure(r, given->root, given->user_name);
	/* To the kernel it means to leave everything as it is. */
	if (entry.user == (uid_t)-1 || entry.group == (gid_t)-1)
		return explain(-EINVAL, "user_name: '%s' has user %u and group %u, of which one is none",
		               given->user_name, entry.user, entry.group);
	if (!entry.found && !given->set_group)
		return explain(-ENOENT,
		               "user_name: user %s is not in %s/etc/passwd, so it has no group: set `group`",
		               given->user_name, given->root ? given->root : "");
	if (!given->set_user)
		confinement->user = entry.user;
	if (!given->set_group)
		confinement->group = entry.group;
	confinement->set_user = confinement->set_group = true;
	if (given->set_groups)
		return 0;
	if (!entry.found)
		confinement->set_groups = true;
	r = entry.found ? take_groups(confinement, given->root, &entry) : 0;
	return r < 0 ? explain_failure(r, given->root, given->user_name) : 0;
}
