/* SPDX-License-Identifier: MIT */
/* Every check of a confinement that needs nothing but its options. */
#include "confine/confinement.h"

#include "explain.h"
#include "options.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

enum {
	ALL_NAMESPACES = (PIDRING_NAMESPACE_TIME << 1) - 1,
	MOST_ITEMS = 1024,
	MOST_INSTRUCTIONS = 4096,
	LONGEST_HOST_NAME = 64,
	LONGEST_PARAMETER = 255,
	LARGEST_MASK = 4096,
	LOWEST_NICE = -20,
	HIGHEST_NICE = 19,
	OOM_SCORES = 1000,
	IO_PRIORITY_CLASSES = 3,
	IO_PRIORITY_LEVELS = 8,
};

static bool has(const struct pidring_confinement *confinement, enum pidring_namespace which)
{
	return confinement->namespaces & which;
}

static int check_list(const void *list, size_t count, size_t most, const char *name)
{
	if (count > most)
		return explain(-E2BIG, "confinement: %s has %zu entries, more than %zu", name, count, most);
	if (count > 0 && !list)
		return explain(-EINVAL, "confinement: %s is NULL, but its count is %zu", name, count);
	return 0;
}

/* --- namespaces --- */

static int check_joins(const struct pidring_confinement *confinement)
{
	int r = check_list(confinement->joins, confinement->join_count, MOST_ITEMS, "joins");

	for (size_t i = 0; i < confinement->join_count && r == 0; i++) {
		const struct pidring_join *join = &confinement->joins[i];

		if (join->namespaces & ~(unsigned)ALL_NAMESPACES)
			return explain(-EINVAL, "joins[%zu].namespaces is 0x%x, which has unknown bits", i,
			               join->namespaces);
		if (join->descriptor < 0)
			return explain(-EBADF, "joins[%zu].descriptor is %d", i, join->descriptor);
	}
	return r;
}

/* What only makes sense in a namespace of one's own. */
static int check_needs(const struct pidring_confinement *confinement)
{
	const struct {
		bool set;
		enum pidring_namespace needed;
		const char *name, *needed_name;
	} needs[] = {
		{ confinement->user_map_count > 0, PIDRING_NAMESPACE_USER, "user_map", "USER" },
		{ confinement->group_map_count > 0, PIDRING_NAMESPACE_USER, "group_map", "USER" },
		{ confinement->host_name, PIDRING_NAMESPACE_UTS, "host_name", "UTS" },
		{ confinement->monotonic_offset, PIDRING_NAMESPACE_TIME, "monotonic_offset", "TIME" },
		{ confinement->boot_time_offset, PIDRING_NAMESPACE_TIME, "boot_time_offset", "TIME" },
		{ confinement->read_only_root, PIDRING_NAMESPACE_MOUNT, "read_only_root", "MOUNT" },
		{ confinement->mount_count > 0, PIDRING_NAMESPACE_MOUNT, "mounts", "MOUNT" },
		{ confinement->private_proc, PIDRING_NAMESPACE_MOUNT, "private_proc", "MOUNT" },
		{ confinement->private_proc, PIDRING_NAMESPACE_PID, "private_proc", "PID" },
	};

	for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
		if (needs[i].set && !has(confinement, needs[i].needed))
			return explain(-EINVAL, "confinement: %s needs PIDRING_NAMESPACE_%s", needs[i].name,
			               needs[i].needed_name);
	return 0;
}

static int check_namespaces(const struct pidring_confinement *confinement, bool is_program)
{
	if (confinement->namespaces & ~(unsigned)ALL_NAMESPACES)
		return explain(-EINVAL, "confinement: namespaces is 0x%x, which has unknown bits",
		               confinement->namespaces);
	if (has(confinement, PIDRING_NAMESPACE_TIME) && !is_program)
		return explain(-EOPNOTSUPP, "confinement: PIDRING_NAMESPACE_TIME is for programs: it is "
		                            "entered by execve(2)");
	if (confinement->host_name && strlen(confinement->host_name) > LONGEST_HOST_NAME)
		return explain(-EINVAL, "confinement: host_name has %zu bytes, more than %d",
		               strlen(confinement->host_name), LONGEST_HOST_NAME);
	int r = check_needs(confinement);
	if (r == 0)
		r = check_joins(confinement);
	if (r == 0)
		r = id_map_check(confinement->user_map, confinement->user_map_count, "user_map");
	if (r == 0)
		r = id_map_check(confinement->group_map, confinement->group_map_count, "group_map");
	return r;
}

/* --- files --- */

/* "KEY=VALUE,KEY": the kernel takes each word by itself; a value may have further '='. */
static size_t longest_word(const char *data)
{
	size_t longest = 0;

	for (bool in_value = false; *data;) {
		size_t length = strcspn(data, in_value ? "," : ",=");

		longest = length > longest ? length : longest;
		data += length;
		in_value = *data == '=';
		data += *data != '\0';
	}
	return longest;
}

static int check_mount(const struct pidring_mount *mount, size_t index)
{
	if (!mount->target || *mount->target != '/')
		return explain(-EINVAL, "mounts[%zu].target is '%s', not an absolute path", index,
		               mount->target ? mount->target : "");
	if (!mount->type && (!mount->source || *mount->source != '/'))
		return explain(-EINVAL, "mounts[%zu].source is '%s', not an absolute path", index,
		               mount->source ? mount->source : "");
	if (mount->type && !*mount->type)
		return explain(-EINVAL, "mounts[%zu].type is an empty string", index);
	if (mount->type && mount->recursive)
		return explain(-EINVAL, "mounts[%zu].recursive is set, but it is no bind mount", index);
	if (mount->data && longest_word(mount->data) > LONGEST_PARAMETER)
		return explain(-EINVAL,
		               "mounts[%zu].data has a key or value of more than %d bytes, which the kernel "
		               "does not take",
		               index, LONGEST_PARAMETER);
	if (!mount->type && mount->data)
		return explain(-EINVAL, "mounts[%zu].data is '%s', but it is a bind mount", index,
		               mount->data);
	return 0;
}

static int check_files(const struct pidring_confinement *confinement)
{
	int r = check_list(confinement->mounts, confinement->mount_count, MOST_ITEMS, "mounts");

	if (confinement->root && *confinement->root != '/')
		return explain(-EINVAL, "confinement: root is '%s', not an absolute path", confinement->root);
	for (size_t i = 0; i < confinement->mount_count && r == 0; i++)
		r = check_mount(&confinement->mounts[i], i);
	return r;
}

/* --- settings --- */

static int explain_setting(size_t index, const char *what, long long value, const char *expected)
{
	return explain(-EINVAL, "settings[%zu]: %s is %lld, not %s", index, what, value, expected);
}

static int check_limit(const struct pidring_setting *setting, size_t index)
{
	if (setting->number < 0 || setting->number >= (int)RLIMIT_NLIMITS)
		return explain_setting(index, "number", setting->number, "an RLIMIT_…");
	if (setting->value > setting->maximum)
		return explain(-EINVAL, "settings[%zu]: the soft limit %llu is above the hard one, %llu",
		               index, (unsigned long long)setting->value,
		               (unsigned long long)setting->maximum);
	return 0;
}

static int check_scheduler(const struct pidring_setting *setting, size_t index)
{
	if (setting->number != SCHED_OTHER && setting->number != SCHED_FIFO && setting->number != SCHED_RR &&
	    setting->number != SCHED_BATCH && setting->number != SCHED_IDLE)
		return explain_setting(index, "number", setting->number,
		                       "SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH or SCHED_IDLE");
	if ((int64_t)setting->value < sched_get_priority_min(setting->number) ||
	    (int64_t)setting->value > sched_get_priority_max(setting->number))
		return explain_setting(index, "value", (long long)setting->value, "a priority of its class");
	return 0;
}

static int check_io_priority(const struct pidring_setting *setting, size_t index)
{
	if (setting->number < 1 || setting->number > IO_PRIORITY_CLASSES)
		return explain_setting(index, "number", setting->number, "1, 2 or 3");
	if (setting->value >= IO_PRIORITY_LEVELS)
		return explain_setting(index, "value", (long long)setting->value, "0 to 7");
	return 0;
}

static int check_setting(const struct pidring_setting *setting, size_t index)
{
	switch (setting->kind) {
	case PIDRING_SETTING_LIMIT:
		return check_limit(setting, index);
	case PIDRING_SETTING_NICE:
		if (setting->number < LOWEST_NICE || setting->number > HIGHEST_NICE)
			return explain_setting(index, "number", setting->number, "-20 to 19");
		return 0;
	case PIDRING_SETTING_SCHEDULER:
		return check_scheduler(setting, index);
	case PIDRING_SETTING_AFFINITY:
		if (!setting->mask || setting->mask_length == 0 || setting->mask_length > LARGEST_MASK)
			return explain_setting(index, "mask_length", (long long)setting->mask_length,
			                       "the length of a mask, 1 to 4096");
		return 0;
	case PIDRING_SETTING_IO_PRIORITY:
		return check_io_priority(setting, index);
	case PIDRING_SETTING_OOM_SCORE:
		if (setting->number < -OOM_SCORES || setting->number > OOM_SCORES)
			return explain_setting(index, "number", setting->number, "-1000 to 1000");
		return 0;
	case PIDRING_SETTING_TIMER_SLACK:
		if (setting->value == 0 || setting->value > INT64_MAX)
			return explain_setting(index, "value", (long long)setting->value, "at least 1");
		return 0;
	}
	return explain_setting(index, "kind", setting->kind, "a PIDRING_SETTING_…");
}

static int check_settings(const struct pidring_confinement *confinement)
{
	int r = check_list(confinement->settings, confinement->setting_count, MOST_ITEMS, "settings");

	for (size_t i = 0; i < confinement->setting_count && r == 0; i++)
		r = check_setting(&confinement->settings[i], i);
	return r;
}

/* --- power --- */

static int check_groups(const struct pidring_confinement *confinement)
{
	int r = check_list(confinement->groups, confinement->group_count, CONFINE_MOST_GROUPS, "groups");

	for (size_t i = 0; i < confinement->group_count && r == 0; i++)
		if (confinement->groups[i] == (gid_t)-1)
			return explain(-EINVAL, "confinement: groups[%zu] is %u, which is no group", i,
			               confinement->groups[i]);
	return r;
}

/* -1 means "leave it" to the kernel. */
static int check_ids(const struct pidring_confinement *confinement)
{
	if (confinement->set_user && confinement->user == (uid_t)-1)
		return explain(-EINVAL, "confinement: user is %u, which is no user", confinement->user);
	if (confinement->set_group && confinement->group == (gid_t)-1)
		return explain(-EINVAL, "confinement: group is %u, which is no group", confinement->group);
	if (!confinement->set_user && confinement->user)
		return explain(-EINVAL, "confinement: user is %u, but set_user is not set",
		               confinement->user);
	if (!confinement->set_group && confinement->group)
		return explain(-EINVAL, "confinement: group is %u, but set_group is not set",
		               confinement->group);
	if (!confinement->set_groups && confinement->group_count > 0)
		return explain(-EINVAL, "confinement: group_count is %zu, but set_groups is not set",
		               confinement->group_count);
	if (confinement->user_name && !*confinement->user_name)
		return explain(-EINVAL, "confinement: user_name is an empty string");
	return check_groups(confinement);
}

static int check_power(const struct pidring_confinement *confinement)
{
	int r = check_ids(confinement);

	if (r == 0)
		r = capabilities_check(confinement);
	if (r < 0)
		return r;
	if (confinement->secure_bits && !confinement->set_secure_bits)
		return explain(-EINVAL, "confinement: secure_bits is 0x%x, but set_secure_bits is not set",
		               confinement->secure_bits);
	if (!confinement->seccomp && confinement->seccomp_flags)
		return explain(-EINVAL, "confinement: seccomp_flags is 0x%x, but seccomp is NULL",
		               confinement->seccomp_flags);
	if (confinement->seccomp && (confinement->seccomp->len == 0 || !confinement->seccomp->filter))
		return explain(-EINVAL, "confinement: seccomp has no instructions");
	if (confinement->seccomp && confinement->seccomp->len > MOST_INSTRUCTIONS)
		return explain(-E2BIG, "confinement: seccomp has %u instructions, more than %d",
		               confinement->seccomp->len, MOST_INSTRUCTIONS);
	return 0;
}

int confinement_check(const struct pidring_options *options)
{
	struct pidring_confinement confinement;

	if (!options->confinement)
		return 0;
	int r = confinement_read(&confinement, options->confinement);
	if (r == 0)
		r = check_namespaces(&confinement, options->argv);
	if (r == 0)
		r = check_files(&confinement);
	if (r == 0)
		r = check_settings(&confinement);
	return r == 0 ? check_power(&confinement) : r;
}
