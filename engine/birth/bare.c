/* SPDX-License-Identifier: MIT */
/* A bare clone with a memory of its own: for what libc's fork() cannot ask for. */
#include "birth/birth.h"

#include <sched.h>
#include <signal.h>

uint64_t birth_place_flags(const struct child_plan *plan)
{
	return plan->confine ? plan->confine->confinement->clone_flags : 0;
}

void birth_into_cgroup(struct sys_clone_arguments *arguments, struct child_plan *plan)
{
	if (!plan->enter_cgroup)
		return;
	arguments->flags |= CLONE_INTO_CGROUP;
	arguments->cgroup = (uint64_t)plan->cgroup;
	plan->cgroup_by_clone = true;
}

/* A new namespace of control groups has its root where its process is at that moment. */
static void enter_cgroup_first(struct sys_clone_arguments *arguments, struct child_plan *plan)
{
	if (!plan->enter_cgroup || !(arguments->flags & CLONE_NEWCGROUP))
		return;
	arguments->flags &= ~(uint64_t)CLONE_NEWCGROUP;
	plan->confine->unshares_cgroup = true;
}

/* clone(2) has no CLONE_INTO_CGROUP nor CLONE_CLEAR_SIGHAND: the child does both itself. */
long birth_clone_bare(const struct birth_paths *paths, struct child_plan *plan, uint64_t flags,
                      int *child_tid, int *ret_pidfd)
{
	struct sys_clone_arguments arguments = {
		.flags = CLONE_PIDFD | birth_place_flags(plan) | flags,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.child_tid = (uint64_t)(uintptr_t)child_tid,
		/* A sibling's is the one that this process has itself. */
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
	};

	plan->cgroup_by_clone = false;
	if (!paths->clone3) {
		enter_cgroup_first(&arguments, plan);
		return sys_clone(arguments.flags, ret_pidfd, child_tid);
	}
	birth_into_cgroup(&arguments, plan);
	return sys_clone3(&arguments);
}
