/* SPDX-License-Identifier: MIT */
/* What the scenarios of control groups share: groups, who is started in them, and the news that nobody is left. */
#ifndef PIDRING_TESTS_CGROUP_MEMBERS_H
#define PIDRING_TESTS_CGROUP_MEMBERS_H

#include "scenario.h"

/* Skips where there are none, or none can be made. */
struct pidring_cgroup *open_group(struct pidring *engine);
void close_group(struct pidring_cgroup *group);
/* The end of most scenarios: both must work. */
void close_group_and_engine(struct pidring_cgroup *group, struct pidring *engine);

struct pidring_process *start_in(struct pidring *engine, struct pidring_cgroup *group, int (*target)(void *),
                                 void *argument);

/* Of the group, in this process's mounts; valid until the next call. */
const char *directory_of(struct pidring_cgroup *group);

/* Waits for it, whatever comes before. */
void expect_empty(struct pidring *engine, struct pidring_cgroup *group);
/* Whatever else may be told, it is not that. */
void expect_nothing(struct pidring *engine);
/* Nothing is told until all has settled, late messages of the kernel's as well. */
void expect_quiet(struct pidring *engine);

#endif
