/* SPDX-License-Identifier: MIT */
/* A confinement's own copy of its options, in the form that the child needs. */
#include "confine/confinement.h"

#include "explain.h"
#include "options.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

bool confinement_joins(const struct confinement *confinement, int type)
{
	for (size_t i = 0; i < confinement->join_count; i++)
		if (confinement->joins[i].type & type)
			return true;
	return false;
}

void *confinement_allocate(struct confinement *confinement, size_t size)
{
	void **owned = reallocarray(confinement->owned, confinement->owned_count + 1, sizeof *owned);

	if (!owned)
		return NULL;
	confinement->owned = owned;
	void *memory = calloc(1, size > 0 ? size : 1);
	if (memory)
		owned[confinement->owned_count++] = memory;
	return memory;
}

void confinement_free(struct confinement *confinement)
{
	if (!confinement)
		return;
	for (size_t i = 0; i < confinement->owned_count; i++)
		free(confinement->owned[i]);
	free(confinement->owned);
	free(confinement);
}

static const void *copy(struct confinement *confinement, const void *bytes, size_t size)
{
	void *memory = confinement_allocate(confinement, size);

	return memory ? memcpy(memory, bytes, size) : NULL;
}

/* NULL stays NULL. */
static int copy_string(struct confinement *confinement, const char **ret_copy, const char *string)
{
	*ret_copy = string ? copy(confinement, string, strlen(string) + 1) : NULL;
	return string && !*ret_copy ? -ENOMEM : 0;
}

/* --- namespaces --- */

static int add_join(struct confinement *confinement, const struct confine_join *join)
{
	uint64_t made = confinement->clone_flags | (confinement->new_time ? CLONE_NEWTIME : 0);

	/* What is done in the new one would be done in the one that is joined. */
	if (made & (unsigned)join->type)
		return explain(-EINVAL,
		               "joins: descriptor %d is a namespace of a kind that is also to be made, "
		               "and there can be one of each: user, mount, PID, …",
		               join->descriptor);
	if (join->type & CLONE_NEWPID) {
		if (confinement->joins_pid)
			return explain(-EINVAL, "joins: there can be one PID namespace only");
		confinement->joins_pid = true;
		confinement->pid_join = *join;
	}
	struct confine_join rest = { join->descriptor, join->type & ~CLONE_NEWPID };
	if (rest.type)
		confinement->joins[confinement->join_count++] = rest;
	return 0;
}

static int copy_joins(struct confinement *confinement, const struct pidring_confinement *given)
{
	int r = 0;

	if (given->join_count == 0)
		return 0;
	confinement->joins =
		confinement_allocate(confinement, given->join_count * sizeof *confinement->joins);
	if (!confinement->joins)
		return -ENOMEM;
	for (size_t i = 0; i < given->join_count && r == 0; i++) {
		struct confine_join join;

		r = join_read(&join, &given->joins[i]);
		if (r == 0)
			r = add_join(confinement, &join);
	}
	return r;
}

enum { SECOND = 1000 * 1000 * 1000 };

static int write_offset(char *text, size_t size, const char *name, int64_t offset)
{
	int64_t seconds = offset / SECOND, rest = offset % SECOND;

	/* The kernel wants nanoseconds that are not negative. */
	if (rest < 0) {
		rest += SECOND;
		seconds--;
	}
	return snprintf(text, size, "%s %lld %lld\n", name, (long long)seconds, (long long)rest);
}

static void copy_time(struct confinement *confinement, const struct pidring_confinement *given)
{
	const size_t size = sizeof confinement->time_offsets;
	int length = 0;

	confinement->new_time = given->namespaces & PIDRING_NAMESPACE_TIME;
	if (given->monotonic_offset)
		length = write_offset(confinement->time_offsets, size, "monotonic", given->monotonic_offset);
	if (given->boot_time_offset)
		length += write_offset(confinement->time_offsets + length, size - (size_t)length, "boottime",
		                       given->boot_time_offset);
	confinement->time_offsets_length = (size_t)length;
}

static int copy_namespaces(struct confinement *confinement, const struct pidring_confinement *given)
{
	confinement->clone_flags = join_types(given->namespaces) & ~(uint64_t)CLONE_NEWTIME;
	confinement->new_user = given->namespaces & PIDRING_NAMESPACE_USER;
	copy_time(confinement, given);
	if (given->user_map_count > 0) {
		confinement->user_map = id_map_text(confinement, given->user_map, given->user_map_count);
		if (!confinement->user_map)
			return -ENOMEM;
	}
	if (given->group_map_count > 0) {
		confinement->group_map = id_map_text(confinement, given->group_map, given->group_map_count);
		if (!confinement->group_map)
			return -ENOMEM;
	}
	if (given->host_name)
		confinement->host_name_length = strlen(given->host_name);
	int r = copy_string(confinement, &confinement->host_name, given->host_name);
	return r == 0 ? copy_joins(confinement, given) : r;
}

/* --- files --- */

static size_t count_parameters(const char *data)
{
	size_t count = 0;

	for (; *data; data += strcspn(data, ","), data += *data == ',')
		count++;
	return count;
}

/* "size=1m,ro" */
static int copy_data(struct confinement *confinement, struct confine_mount *mount, const char *data)
{
	size_t count = count_parameters(data);

	mount->parameters = confinement_allocate(confinement, count * sizeof *mount->parameters);
	char *text = confinement_allocate(confinement, strlen(data) + 1);
	if (!mount->parameters || !text)
		return -ENOMEM;
	memcpy(text, data, strlen(data) + 1);
	for (char *part; (part = strsep(&text, ","));) {
		if (!*part)
			continue;
		char *value = strchr(part, '=');
		if (value)
			*value++ = '\0';
		mount->parameters[mount->parameter_count++] = (struct confine_parameter){ part, value };
	}
	return 0;
}

static int copy_mount(struct confinement *confinement, const struct pidring_mount *given)
{
	struct confine_mount *mount = &confinement->mounts[confinement->mount_count++];

	*mount = (struct confine_mount){
		.recursive = given->recursive,
		.make_target = given->make_target,
		.attributes = (given->read_only ? MOUNT_ATTR_RDONLY : 0U) |
		              (given->no_set_user_id ? MOUNT_ATTR_NOSUID : 0U) |
		              (given->no_devices ? MOUNT_ATTR_NODEV : 0U) |
		              (given->no_exec ? MOUNT_ATTR_NOEXEC : 0U),
	};
	int r = copy_string(confinement, &mount->source, given->source);
	if (r == 0)
		r = copy_string(confinement, &mount->target, given->target);
	if (r == 0)
		r = copy_string(confinement, &mount->type, given->type);
	return r == 0 && given->data ? copy_data(confinement, mount, given->data) : r;
}

static int check_root(const struct confinement *confinement, const char *root)
{
	struct stat status;

	/* Where mounts are joined it may be there only. */
	if (!root || confinement_joins(confinement, CLONE_NEWNS))
		return 0;
	if (stat(root, &status) < 0)
		return explain(-errno, "confinement: root is '%s': %s", root, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return explain(-ENOTDIR, "confinement: root is '%s', which is no directory", root);
	return 0;
}

/* However it is written. */
static bool is_same_root(const struct confinement *confinement, const char *root)
{
	struct stat status, own;

	if (!root || confinement_joins(confinement, CLONE_NEWNS) || stat(root, &status) < 0 ||
	    stat("/", &own) < 0)
		return false;
	return status.st_dev == own.st_dev && status.st_ino == own.st_ino;
}

static int copy_files(struct confinement *confinement, const struct pidring_confinement *given)
{
	const struct pidring_mount proc = {
		.target = "/proc", .type = "proc", .no_set_user_id = true, .no_devices = true, .no_exec = true
	};
	int r = check_root(confinement, given->root);

	if (r == 0)
		r = copy_string(confinement, &confinement->root,
		                is_same_root(confinement, given->root) ? "/" : given->root);
	confinement->read_only_root = given->read_only_root;
	if (r < 0)
		return r;
	confinement->mounts =
		confinement_allocate(confinement, (given->mount_count + 1) * sizeof *confinement->mounts);
	if (!confinement->mounts)
		return -ENOMEM;
	/* First, so that others can be put into it. */
	if (given->private_proc)
		r = copy_mount(confinement, &proc);
	for (size_t i = 0; i < given->mount_count && r == 0; i++)
		r = copy_mount(confinement, &given->mounts[i]);
	return r;
}

/* --- settings --- */

static int copy_setting(struct confinement *confinement, const struct pidring_setting *given)
{
	struct confine_setting *setting = &confinement->settings[confinement->setting_count++];

	*setting = (struct confine_setting){ .kind = given->kind,
		                             .number = given->number,
		                             .value = given->value,
		                             .maximum = given->maximum,
		                             .mask_length = given->mask_length,
		                             .report = given->report };
	setting->text_length = (size_t)snprintf(setting->text, sizeof setting->text, "%d", given->number);
	if (given->kind != PIDRING_SETTING_AFFINITY)
		return 0;
	setting->mask = copy(confinement, given->mask, given->mask_length);
	return setting->mask ? 0 : -ENOMEM;
}

static int copy_settings(struct confinement *confinement, const struct pidring_confinement *given)
{
	int r = 0;

	confinement->settings =
		confinement_allocate(confinement, given->setting_count * sizeof *confinement->settings);
	if (!confinement->settings)
		return -ENOMEM;
	for (size_t i = 0; i < given->setting_count && r == 0; i++)
		r = copy_setting(confinement, &given->settings[i]);
	return r;
}

/* --- power --- */

static int copy_ids(struct confinement *confinement, const struct pidring_confinement *given)
{
	confinement->set_user = given->set_user;
	confinement->set_group = given->set_group;
	confinement->set_groups = given->set_groups;
	confinement->user = given->user;
	confinement->group = given->group;
	if (given->group_count > 0) {
		confinement->group_count = given->group_count;
		confinement->groups =
			(gid_t *)copy(confinement, given->groups, given->group_count * sizeof(gid_t));
		if (!confinement->groups)
			return -ENOMEM;
	}
	if (given->user_name && confinement_joins(confinement, CLONE_NEWNS))
		return explain(-EINVAL,
		               "confinement: user_name is '%s', but a mount namespace is joined, whose users "
		               "are not known here: set user, group and groups",
		               given->user_name);
	return given->user_name ? user_look_up(confinement, given) : 0;
}

/*
 * A change of the user, to one who is not root, takes the power that is not kept on purpose. The kernel does that to root
 * alone, and not if somebody has asked it before to keep (ambient capabilities, PR_SET_KEEPCAPS).
 */
static void settle_power(struct confinement *confinement, const struct pidring_confinement *given)
{
	struct confine_capabilities *capabilities = &confinement->capabilities;
	bool loses = confinement->set_user && confinement->user != 0;

	confinement->keeps_power = confinement->set_user && (given->keep_capabilities ||
	                                                     given->capabilities || given->set_secure_bits);
	if (!loses || given->keep_capabilities)
		return;
	capabilities->set = true;
	capabilities->permitted_kept = capabilities->ambient_added;
	capabilities->inheritable_kept = 0;
	capabilities->ambient_kept = 0;
}

static int copy_power(struct confinement *confinement, const struct pidring_confinement *given)
{
	confinement->set_secure_bits = given->set_secure_bits;
	confinement->secure_bits = given->secure_bits;
	confinement->no_new_privileges = given->no_new_privileges;
	confinement->filter_flags = given->seccomp_flags;
	capabilities_read(&confinement->capabilities, given);
	int r = copy_ids(confinement, given);
	if (r < 0)
		return r;
	settle_power(confinement, given);
	if (!given->seccomp)
		return 0;
	confinement->has_filter = true;
	confinement->filter.len = given->seccomp->len;
	confinement->filter.filter = (struct sock_filter *)copy(
		confinement, given->seccomp->filter, given->seccomp->len * sizeof(struct sock_filter));
	return confinement->filter.filter ? 0 : -ENOMEM;
}

/*
 * What a child would do to its creator if both had the same memory: where others live that it joins it must be undumpable
 * (confine_hide), in a way that no creator has to wait for; oom_score_adj is set for all who share it. A time namespace can
 * only be joined by one who shares its memory with nobody.
 */
static bool needs_own_memory(const struct confinement *confinement)
{
	if (confinement->join_count > 0 || confinement->joins_pid)
		return true;
	for (size_t i = 0; i < confinement->setting_count; i++)
		if (confinement->settings[i].kind == PIDRING_SETTING_OOM_SCORE)
			return true;
	return false;
}

static int build(struct confinement *confinement, const struct pidring_confinement *given)
{
	int r = copy_namespaces(confinement, given);

	if (r == 0)
		r = copy_files(confinement, given);
	if (r == 0)
		r = copy_settings(confinement, given);
	if (r == 0)
		r = copy_power(confinement, given);
	confinement->changes_user = confinement->set_user || confinement->set_group;
	confinement->own_memory = needs_own_memory(confinement);
	return r == -ENOMEM ? explain(r, "no memory for the confinement of a process") : r;
}

int confinement_new(struct confinement **ret_confinement, const struct pidring_confinement *given)
{
	struct pidring_confinement read;
	int r = confinement_read(&read, given);

	if (r < 0)
		return r;
	struct confinement *confinement = calloc(1, sizeof *confinement);
	if (!confinement)
		return explain(-ENOMEM, "no memory for the confinement of a process");
	r = build(confinement, &read);
	if (r < 0)
		confinement_free(confinement);
	else
		*ret_confinement = confinement;
	return r;
}
