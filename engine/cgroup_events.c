/* SPDX-License-Identifier: MIT */
/*
 * When a control group is told as empty: once each time that somebody was in it and nobody is any more.
 *
 * The kernel says that cgroup.events has changed, not how often. Who was in it is known from what was read last (populated), from
 * calls of our own (entered), and otherwise from the processor time that it has used: something has changed, it is empty as
 * before, and somebody ran in it, so it was filled and emptied in between. A change alone proves nothing: of two within 10
 * milliseconds the second is told late (CGROUP_FILE_NOTIFY_MIN_INTV in the kernel), and a group, or one above it, may
 * have been frozen and thawed. Nor does the time alone just after an end: who leaves the group uses some more until it is gone.
 * So for some moments after each change that is known neither counts, and at their end the time is taken anew. What
 * somebody uses on another processor is only known when he leaves that, so where a change has come alone it is doubted as long.
 */
#include "clock.h"
#include "engine.h"
#include "family.h"
#include "household.h"
#include "sys/sys.h"

enum { SETTLING = 40 * 1000 * 1000 };

static void plan_settling(struct pidring *engine, int64_t moment)
{
	if (moment < engine->household.settles)
		engine->household.settles = moment;
}

static void let_settle(struct pidring_cgroup *cgroup)
{
	cgroup->settles = clock_now() + SETTLING;
	plan_settling(cgroup->engine, cgroup->settles);
	/* For another loop the alarm must be set. */
	engine_kick(cgroup->engine);
}

/* Not by the clock alone: this thread may have been kept waiting, so that the time is still to be taken. */
static bool is_settled(const struct pidring_cgroup *cgroup)
{
	return cgroup->settles == INT64_MAX;
}

/* Somebody ran in it since it had settled. For want of a descriptor that is not known yet; where the time cannot be read at all
 * the change is all there is. */
static bool was_used(const struct pidring_cgroup *cgroup)
{
	int64_t used = cgroup_processor_time(cgroup);

	return used < 0 ? !sys_is_short((int)used) : used != cgroup->used;
}

static void tell(struct pidring_cgroup *cgroup)
{
	cgroup->populated = cgroup->entered = cgroup->doubted = false;
	if (!cgroup->pending)
		TAILQ_INSERT_TAIL(&cgroup->engine->household.emptied, cgroup, event_link);
	cgroup->pending = true;
	let_settle(cgroup);
}

void cgroup_drop_event(struct pidring_cgroup *cgroup)
{
	if (cgroup->pending)
		TAILQ_REMOVE(&cgroup->engine->household.emptied, cgroup, event_link);
	cgroup->pending = false;
}

/* It cannot be told yet. */
static bool doubt(struct pidring_cgroup *cgroup)
{
	cgroup->doubted = true;
	let_settle(cgroup);
	return false;
}

static void take_state(struct pidring_cgroup *cgroup, bool changed, bool populated)
{
	bool was_filled = cgroup->populated || cgroup->entered;

	if (changed && !populated && !was_filled && is_settled(cgroup))
		was_filled = was_used(cgroup) || doubt(cgroup);
	if (populated) {
		cgroup->populated = true;
		cgroup->entered = false;
	} else if (was_filled && cgroup->entries > 0) {
		cgroup->entered = true;
	} else if (was_filled) {
		tell(cgroup);
	}
}

void cgroup_look(struct pidring_cgroup *cgroup, bool changed)
{
	if (!cgroup->engine)
		return;
	int r = cgroup_read_populated(cgroup->events);
	if (r >= 0) {
		take_state(cgroup, changed, r > 0);
		return;
	}
	/* Somebody has removed it: empty it is, but that is no sign that somebody was in it. */
	household_unwatch(cgroup->engine, cgroup->events);
	take_state(cgroup, false, false);
}

void cgroup_entry_begins(struct pidring_cgroup *cgroup)
{
	for (; cgroup; cgroup = cgroup->above)
		cgroup->entries++;
}

void cgroup_entry_ended(struct pidring_cgroup *cgroup, bool created)
{
	for (; cgroup; cgroup = cgroup->above) {
		cgroup->entries--;
		cgroup->entered |= created;
		/* This look may take the kernel's word of somebody else. */
		cgroup_look(cgroup, true);
	}
}

static void settle(struct pidring_cgroup *cgroup)
{
	int64_t used = cgroup_processor_time(cgroup);
	bool was_filled = cgroup->doubted && !cgroup->populated && used >= 0 && used != cgroup->used;

	if (used < 0 && sys_is_short((int)used)) {
		let_settle(cgroup);
		return;
	}
	cgroup->settles = INT64_MAX;
	cgroup->doubted = false;
	cgroup->used = used;
	cgroup->entered |= was_filled;
	if (was_filled)
		take_state(cgroup, false, false);
}

void cgroups_settle(struct pidring *engine)
{
	struct pidring_cgroup *cgroup;
	int64_t moment = clock_now();

	engine->household.settles = INT64_MAX;
	TAILQ_FOREACH(cgroup, &engine->household.cgroups, link)
	{
		if (cgroup->settles <= moment) {
			cgroup_look(cgroup, false);
			if (cgroup->settles <= moment)
				settle(cgroup);
		}
		plan_settling(engine, cgroup->settles);
	}
}
