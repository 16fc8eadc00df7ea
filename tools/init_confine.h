/* SPDX-License-Identifier: MIT */
/* The options by which the program gets less power and a place of its own. */
#ifndef PIDRING_INIT_CONFINE_H
#define PIDRING_INIT_CONFINE_H

#include <linux/filter.h>
#include <pidring.h>
#include <stdbool.h>

#include "init_values.h"

#define INIT_MOUNTS   64
#define INIT_SETTINGS 64
#define INIT_GROUPS   256
#define INIT_COPIES   (2 * INIT_MOUNTS + 2)

struct init_confine {
	struct pidring_confinement made; /* what the library gets */
	struct pidring_mount mounts[INIT_MOUNTS];
	struct pidring_setting settings[INIT_SETTINGS];
	gid_t groups[INIT_GROUPS];
	char *copies[INIT_COPIES]; /* parts of the texts of mounts */
	size_t copy_count;
	struct sock_fprog filter;
	/* To be looked up when the root is known. */
	const char *user, *group, *group_list;
	const char *home; /* of that user; NULL: not known */
	bool used;        /* any of it */
};

/* Each reads the value of one option. 0, or -EINVAL and a sentence. What they keep of the text is the text itself, or
 * a copy that is never freed. */
int init_confine_user(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_groups(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_keep(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_drop(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_capabilities(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_no_new_privileges(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_limit(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_nice(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_oom_score(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_namespaces(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_host_name(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_root(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_read_only(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_private_proc(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_mount(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_tmpfs(struct init_confine *confine, const char *text, struct init_error *error);
int init_confine_seccomp(struct init_confine *confine, const char *text, struct init_error *error);

/* When all options have been read: looks users and groups up. 0, or -EINVAL and a sentence. */
int init_confine_finish(struct init_confine *confine, struct init_error *error);

#endif
