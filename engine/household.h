/* SPDX-License-Identifier: MIT */
/*
 * What an engine watches that is no process of its own: control groups, and the orphans that are left to this process.
 *
 * All of it is in one epoll, which is one item of the engine's watch: that knows nothing of exceptional conditions of files, and
 * there may be any number of groups. Made when it is first needed. With the family's lock held.
 */
#ifndef PIDRING_HOUSEHOLD_H
#define PIDRING_HOUSEHOLD_H

#include "birth/child.h"
#include "confine/cgroup.h"
#include "orphans.h"
#include "watch/watch.h"

struct household {
	int epoll; /* -1: none */
	struct watch_item item;
	struct cgroup_list cgroups;
	struct cgroup_list emptied; /* with an event to fetch */
	int64_t settles;            /* the earliest of theirs */
	struct orphanage orphanage;
};

void household_init(struct household *household);
/* From now on the descriptor is watched; `owner` is NULL for that of orphans, else the group. */
int household_watch(struct pidring *engine, int descriptor, uint32_t events, void *owner);
/* Before the descriptor is closed. */
void household_unwatch(struct pidring *engine, int descriptor);

/* Before a look of the engine's watch, by the thread that looks: does what is due and arms the item. A negated errno: not all,
 * it is to be tried again before long. */
int household_see_to(struct pidring *engine);
/* The item has been reported. */
void household_take_report(struct pidring *engine);
/* What is due by time. */
void household_run_timers(struct pidring *engine);
bool household_has_events(const struct household *household);
/* household_see_to would do something. */
bool household_is_unfinished(const struct household *household);
size_t household_take_events(struct pidring *engine, struct pidring_event *events, size_t capacity);

/* The watch is closed. */
void household_close(struct pidring *engine);
void household_after_fork(struct pidring *engine);
/* In a forkserver, which shares the descriptors: closes none. */
void household_forget(struct pidring *engine);

/* --- cgroup_events.c --- */

/* Looks whether it is empty now. `changed`: something may have been different since it was looked at last. */
void cgroup_look(struct pidring_cgroup *cgroup, bool changed);
/* A child is about to be created in it, or to enter it; or that is over, and it was or did or not. In between neither the group
 * nor one above it is told as empty. */
void cgroup_entry_begins(struct pidring_cgroup *cgroup);
void cgroup_entry_ended(struct pidring_cgroup *cgroup, bool created);
/* Those whose moment has come. */
void cgroups_settle(struct pidring *engine);
/* It has no event to be fetched any more. */
void cgroup_drop_event(struct pidring_cgroup *cgroup);

/* --- cgroups.c --- */

/* Releases the lock meanwhile; the group may be freed then. Returns how many got it; explained. */
int cgroup_signal_all(struct pidring_cgroup *cgroup, int signal_number, struct cgroup_reached *reached);
/* In a fork: the groups are the original's. In that which a start makes for its own child their directories stay open until
 * the plan is carried out, which may need one. */
void cgroups_after_fork(void);
void cgroups_leave(const struct child_plan *plan);
/* In a forkserver. */
void cgroups_forget(void);

#endif
