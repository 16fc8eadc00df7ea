/* SPDX-License-Identifier: MIT */
/* The confinement of one child under way, and the stages in which it is carried out there. */
#ifndef PIDRING_CONFINE_WORK_H
#define PIDRING_CONFINE_WORK_H

#include "confine/confinement.h"

struct confine_work {
	const struct confinement *confinement;
	int parent_pidfd; /* -1: none */
	int gate;         /* an eventfd: the child waits until its ids are mapped; -1 */
	int *results; /* one a setting, in memory that is shared with the child in any case; NULL: no setting is reported */
	uint64_t effective;    /* the child's: its effective capabilities, as they were */
	bool unshares_cgroup;  /* once it is in its control group, which the clone could not see to */
	int own_pid_namespace; /* while the creator is in another (join.c); -1 */
	size_t culprit;        /* of what there is several of: which one failed */
	int descriptors[];     /* the child's: of its mounts, until they are in place */
};

/* -ENOMEM, -EMFILE, -ENFILE. */
int confine_work_new(struct confine_work **ret_work, const struct confinement *confinement, int parent_pidfd);
void confine_work_free(struct confine_work *work);
/* In a function's child: what only its creator needs of it is let go. */
void confine_work_forget(struct confine_work *work); /* in a fork of another: its descriptors */
void confine_work_leave(struct confine_work *work);
/* The child has left: what it has reported goes to where the options want it. */
void confine_work_report(const struct confine_work *work);
/* What failed at this step, such as "mount of tmpfs on '/tmp'". */
void confine_describe(const struct confinement *confinement, enum pidring_step step, size_t culprit,
                      char *buffer, size_t size);
/* In the parent: gives the child its ids, and lets it go on. */
int confine_work_release(const struct confine_work *work, int pidfd);

/*
 * In the child, in this order, by raw calls alone (birth/child.c says why). Each returns what the kernel says: a
 * negated errno. `work` is not NULL.
 */
long confine_hide(struct confine_work *work);
long confine_await_ids(struct confine_work *work); /* -ECANCELED: the parent has ended */
long confine_join(struct confine_work *work);
long confine_time(struct confine_work *work);
long confine_oom_scores(struct confine_work *work);
long confine_settings(struct confine_work *work);
long confine_make_mounts(struct confine_work *work);
long confine_root(struct confine_work *work);
long confine_place_mounts(struct confine_work *work);
long confine_read_only_root(struct confine_work *work);
long confine_host_name(struct confine_work *work);
long confine_limits(struct confine_work *work); /* last of all that opens something */
long confine_bounding(struct confine_work *work);
long confine_groups(struct confine_work *work);
long confine_user(struct confine_work *work);
long confine_raise(struct confine_work *work);
long confine_secure_bits(struct confine_work *work);
long confine_capabilities(struct confine_work *work);
long confine_no_new_privileges(struct confine_work *work);
long confine_filter(struct confine_work *work);

#endif
