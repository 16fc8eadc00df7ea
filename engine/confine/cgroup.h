/* SPDX-License-Identifier: MIT */
/*
 * A control group: its files, and who is in it. Plain files and descriptors, which may be used under the family's lock: nothing
 * in here waits, but for what a file's writing itself takes.
 *
 * Everything but cgroup_read, cgroup_write and cgroup_signal, which need only the directory to stay open, is guarded by that lock.
 */
#ifndef PIDRING_CONFINE_CGROUP_H
#define PIDRING_CONFINE_CGROUP_H

#include "pidring.h"

#include <dirent.h>
#include <sys/queue.h>

struct pidring_cgroup {
	unsigned references; /* the handle, and processes that are or will be in it */
	uint64_t generation; /* of the process that made it (family.h) */
	int directory;       /* -1: it is gone, or another process's */
	int events;          /* its cgroup.events, which is polled; -1 */
	char *path;          /* below the mount */
	bool killed;
	bool threaded; /* it has turned out to be: its processes are those of a group above it */
	struct pidring_cgroup *above; /* the nearest one above that this process has made, or NULL */

	/* What its engine knows of it: cgroup_events.c. */
	struct pidring *engine; /* NULL: closed */
	void *user_data;
	bool populated;   /* when it was looked at last */
	bool entered;     /* somebody was created in it since */
	bool doubted;     /* somebody may have been in it, but has not been seen to use any time yet */
	bool pending;     /* its event is still to be fetched */
	unsigned entries; /* of births under way, in those below as well */
	int64_t settles;  /* when it is to be looked at what has settled; INT64_MAX: all has */
	int64_t used;     /* its processor time when it had settled last */
	TAILQ_ENTRY(pidring_cgroup) link, event_link;
	LIST_ENTRY(pidring_cgroup) family_link;
};

TAILQ_HEAD(cgroup_list, pidring_cgroup);

/* Makes the directory, below `parent` (NULL: where this process is), and opens it. The rest of *ret_cgroup is zero. Explains what is
 * wrong. */
int cgroup_make(struct pidring_cgroup **ret_cgroup, const char *parent, const char *name);
/* Removes the directory, and those below it. -EBUSY: somebody is in one of them. */
int cgroup_remove(struct pidring_cgroup *cgroup);
/* Closes what is open of it. */
void cgroup_close(struct pidring_cgroup *cgroup);

void cgroup_reference(struct pidring_cgroup *cgroup);
void cgroup_unreference(struct pidring_cgroup *cgroup);

/* For CLONE_INTO_CGROUP. */
int cgroup_descriptor(const struct pidring_cgroup *cgroup);
/* Nothing more may be started in it. */
bool cgroup_was_killed(const struct pidring_cgroup *cgroup);

/* Explain what is wrong. -EOPNOTSUPP: the controller is not enabled there, or the kernel too old. */
int cgroup_write(const struct pidring_cgroup *cgroup, const char *name, const char *value);
ssize_t cgroup_read(const struct pidring_cgroup *cgroup, const char *name, char *buffer, size_t size);
/* A file's name, if it is one. -EINVAL. */
int cgroup_check_name(const char *name);

/* Of cgroup.events, by a descriptor that is open already: one that is polled is not ready any more then. 1, 0, or a negated
 * errno. */
int cgroup_read_populated(int events);
/* Microseconds, of all who have been in it or below it; or a negated errno. No controller is needed for it. */
int64_t cgroup_processor_time(const struct pidring_cgroup *cgroup);
/* Of a failure at one of its files that every group has: somebody has removed it, which can only be done to an empty one. */
bool cgroup_is_gone(int result);
/* What is in its directory, to be ended with closedir; and whether it is a group below. */
int cgroup_open_list(DIR **ret_list, int directory);
bool cgroup_is_below(const struct dirent *entry);
/* 1, 0 (also if it is gone), or a negated errno. */
int cgroup_is_populated(const struct pidring_cgroup *cgroup);
/* Up to `capacity` pids of those in it; returns how many there are. */
int cgroup_processes(const struct pidring_cgroup *cgroup, pid_t *ret_pids, size_t capacity);
int cgroup_freeze(const struct pidring_cgroup *cgroup, bool freeze);
/* -EOPNOTSUPP: it is threaded. */
int cgroup_kill(struct pidring_cgroup *cgroup);

struct cgroup_reached {
	pid_t wanted; /* 0: nobody */
	bool has_wanted;
	int count;
};

/* Who is in it, and below it. */
int cgroup_count(const struct pidring_cgroup *cgroup, struct cgroup_reached *reached);
/* Sends a signal to each of them, and to those who come meanwhile, until a pass finds nobody new, but for so many passes
 * at most. Needs only the directory, and no lock. */
int cgroup_signal(int directory, int signal_number, unsigned passes, struct cgroup_reached *reached);
int cgroup_explain_signal(const struct pidring_cgroup *cgroup, int error);

#endif
