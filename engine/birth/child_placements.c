/* SPDX-License-Identifier: MIT */
/* In the child: each descriptor that it gets is placed at its number. Sorted by target, so that all of this takes linear
 * time, or nearly. By raw calls alone (child.c says why). */
#include "birth/child_stages.h"

#include "sys/raw.h"

#include <errno.h>
#include <fcntl.h>

static const struct placement *find_target(const struct child_plan *plan, long descriptor)
{
	unsigned from = 0, to = plan->placement_count;

	while (from < to) {
		unsigned middle = from + (to - from) / 2;
		if (plan->placements[middle].target == descriptor)
			return &plan->placements[middle];
		if (plan->placements[middle].target < descriptor)
			from = middle + 1;
		else
			to = middle;
	}
	return 0;
}

bool child_is_target(const struct child_plan *plan, long descriptor)
{
	return find_target(plan, descriptor) != 0;
}

/* The lowest free number from *from on that is no target; *from goes on behind it. */
static long copy_aside(const struct child_plan *plan, long descriptor, long *from)
{
	for (;;) {
		long copy = raw_call3(SYS_fcntl, descriptor, F_DUPFD_CLOEXEC, *from);
		if (copy < 0)
			return copy == -EINVAL ? -EMFILE : copy;
		*from = copy + 1;
		if (!child_is_target(plan, copy))
			return copy;
		raw_call1(SYS_close, copy);
	}
}

int child_copy_aside(const struct child_plan *plan, int descriptor)
{
	long from = 3;

	return (int)copy_aside(plan, descriptor, &from);
}

static long open_null(const struct child_plan *plan, long *from)
{
	long opened = raw_call4(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR | O_CLOEXEC, 0);

	if (opened < 0)
		return opened;
	long lifted = copy_aside(plan, opened, from);
	raw_call1(SYS_close, opened);
	return lifted;
}

/* Whether something else will be placed where this source stands. */
static bool is_in_the_way(const struct child_plan *plan, int source)
{
	const struct placement *there = find_target(plan, source);

	return there && there->source != source;
}

static long lift(const struct child_plan *plan, struct placement *placement, long *from)
{
	long lifted;

	placement->lifted = -1;
	if (placement->source < 0)
		lifted = open_null(plan, from);
	else if (is_in_the_way(plan, placement->source))
		lifted = copy_aside(plan, placement->source, from);
	else
		return 0;
	if (lifted >= 0)
		placement->lifted = (int)lifted;
	else if (placement->courtesy)
		placement->source = placement->target;
	return placement->courtesy ? 0 : lifted;
}

/* Before anything is placed, so that 3 -> 4 and 4 -> 3 come out right. */
static long lift_all(struct child_plan *plan)
{
	long from = 3, r = 0;

	for (unsigned i = 0; i < plan->placement_count && r >= 0; i++)
		r = lift(plan, &plan->placements[i], &from);
	return r;
}

static long place(const struct placement *placement)
{
	int from = placement->lifted >= 0 ? placement->lifted : placement->source;

	if (from == placement->target)
		return raw_call3(SYS_fcntl, from, F_SETFD, 0);
	return raw_call3(SYS_dup3, from, placement->target, 0);
}

static long place_all(struct child_plan *plan)
{
	long r = lift_all(plan);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < plan->placement_count; i++) {
		const struct placement *placement = &plan->placements[i];
		r = place(placement);
		if (r < 0 && !placement->courtesy)
			return r;
		if (placement->lifted >= 0)
			raw_call1(SYS_close, placement->lifted);
	}
	return 0;
}

/* Where something else will be placed it cannot stay. */
long stage_move_parent(struct child_plan *plan)
{
	long from = 3;

	if (!plan->keep_parent || !child_is_target(plan, plan->parent_pidfd))
		return 0;
	long copy = copy_aside(plan, plan->parent_pidfd, &from);
	if (copy >= 0)
		plan->parent_pidfd = (int)copy;
	return copy < 0 ? copy : 0;
}

/* A number above the soft limit can be open, but not be had. */
long stage_placements(struct child_plan *plan)
{
	struct rlimit old = { 0 }, raised = { 0 };

	if (!plan->raise_limit)
		return place_all(plan);
	long r = raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&old);
	if (r < 0)
		return r;
	raised.rlim_cur = raised.rlim_max = old.rlim_max;
	r = raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&raised, 0);
	if (r < 0)
		return r;
	r = place_all(plan);
	raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&old, 0);
	return r;
}
