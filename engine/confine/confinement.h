/* SPDX-License-Identifier: MIT */
/* What takes power from a process, and where it lives: its options, checked, looked up and copied, ready for the child. */
#ifndef PIDRING_CONFINE_CONFINEMENT_H
#define PIDRING_CONFINE_CONFINEMENT_H

#include "pidring.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel takes (NGROUPS_MAX). */
enum { CONFINE_MOST_GROUPS = 65536 };

/* setns(descriptor, type) */
struct confine_join {
	int descriptor;
	int type;
};

/* Of a new file system; no value: a flag. */
struct confine_parameter {
	const char *key, *value;
};

struct confine_mount {
	const char *source, *target, *type;
	struct confine_parameter *parameters;
	size_t parameter_count;
	uint64_t attributes; /* MOUNT_ATTR_… */
	bool recursive, make_target;
};

struct confine_setting {
	enum pidring_setting_kind kind;
	int number;
	uint64_t value, maximum;
	const void *mask;
	size_t mask_length;
	char text[16]; /* of the number, so long */
	size_t text_length;
	int *report;
};

/* What becomes of each set: what stays of what is there, and what is added of what is permitted. */
struct confine_capabilities {
	bool set;
	uint64_t required; /* must be permitted before */
	uint64_t bounding_dropped;
	uint64_t permitted_kept;
	uint64_t inheritable_kept, inheritable_added;
	bool only_permitted; /* of those that are added */
	uint64_t ambient_kept, ambient_added;
};

struct confinement {
	uint64_t clone_flags; /* CLONE_NEW…, without CLONE_NEWTIME */
	bool own_memory;      /* it must not share its creator's (build.c says why) */
	bool changes_user;    /* or group */
	bool new_time;
	char time_offsets[96]; /* so long; 0: none */
	size_t time_offsets_length;
	struct confine_join *joins;
	size_t join_count;
	bool joins_pid; /* which the creator does for it */
	struct confine_join pid_join;

	bool new_user;
	char *user_map, *group_map; /* as the files have them; NULL: one id */

	const char *host_name;
	size_t host_name_length;

	const char *root;
	bool read_only_root;
	struct confine_mount *mounts;
	size_t mount_count;

	struct confine_setting *settings;
	size_t setting_count;

	bool set_user, set_group, set_groups;
	uid_t user;
	gid_t group;
	gid_t *groups;
	size_t group_count;

	struct confine_capabilities capabilities;
	bool keeps_power; /* over the change of the user */
	bool set_secure_bits;
	unsigned secure_bits;
	bool no_new_privileges;
	bool has_filter;
	struct sock_fprog filter;
	unsigned filter_flags;

	void **owned; /* all that is pointed to */
	size_t owned_count;
};

/* --- check.c --- */

/* Every check that needs nothing but the options. */
int confinement_check(const struct pidring_options *options);
/* options.c: copies the caller's struct, of whatever version. */
int confinement_read(struct pidring_confinement *ret_read, const struct pidring_confinement *given);

/* --- build.c --- */

/* -EINVAL, -EBADF, -ENOENT, -ENOMEM. Of options that were checked. */
int confinement_new(struct confinement **ret_confinement, const struct pidring_confinement *given);
void confinement_free(struct confinement *confinement);
/* Whether it joins one of this type, CLONE_NEW…. */
bool confinement_joins(const struct confinement *confinement, int type);
/* Memory that goes with it; NULL: there is none. */
void *confinement_allocate(struct confinement *confinement, size_t size);

/* --- capabilities.c --- */

int capabilities_check(const struct pidring_confinement *confinement);
void capabilities_read(struct confine_capabilities *ret_capabilities,
                       const struct pidring_confinement *confinement);

/* --- user.c --- */

/* Fills in what the user's name says of user, group and groups. -ENOENT, -ENOMEM, or why the files cannot be read. */
int user_look_up(struct confinement *confinement, const struct pidring_confinement *given);

/* --- id_map.c --- */

int id_map_check(const struct pidring_id_map *map, size_t count, const char *name);
/* As the kernel reads it. NULL: no memory. */
char *id_map_text(struct confinement *confinement, const struct pidring_id_map *map, size_t count);
/* In the parent: for a child that waits. */
int id_maps_write(const struct confinement *confinement, int pidfd);

/* --- join.c --- */

/* CLONE_NEW… of PIDRING_NAMESPACE_…. */
uint64_t join_types(unsigned namespaces);
int join_read(struct confine_join *ret_join, const struct pidring_join *given);
/* In the parent: between these, children of this thread are created in the namespace. */
int join_enter_pid(const struct confinement *confinement, int *ret_own);
void join_leave_pid(int own);

#endif
