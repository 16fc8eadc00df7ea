/* SPDX-License-Identifier: MIT */
/*
 * When a control group is told as empty: once each time that somebody was in it and nobody is any more.
 *
 * The kernel says that cgroup.events has changed, not how often. Who was in it is known from what was read last (populated), from
 * starts of our own (entered), and otherwise from the change itself: there was one, and it is empty as before, so it was
 * filled and emptied in between. But two changes within 10 milliseconds make a second, late message
 * (CGROUP_FILE_NOTIFY_MIN_INTV in the kernel), which must not be taken for another one: so some moments after each
 * change that was seen, messages alone prove nothing, and at their end all that has come is taken as read.
 */
#include "clock.h"
#include "engine.h"
#include "family.h"
#include "household.h"

#include <string.h>

enum { SETTLING = 40 * 1000 * 1000 };

static void plan_settling(struct pidring *engine, int64_t moment)
{
	if (moment < engine->household.settles)
		engine->household.settles = moment;
}

static bool is_below(const struct pidring_cgroup *cgroup, const struct pidring_cgroup *above)
{
	size_t length = strlen(above->path);

	return strncmp(cgroup->path, above->path, length) == 0 && cgroup->path[length] == '/';
}

void cgroup_froze(struct pidring_cgroup *frozen)
{
	struct pidring *engine;
	struct pidring_cgroup *cgroup;

	LIST_FOREACH(engine, &family.engines, link)
	TAILQ_FOREACH(cgroup, &engine->household.cgroups, link)
	if (cgroup == frozen || is_below(cgroup, frozen))
		cgroup_let_settle(cgroup);
}

void cgroup_let_settle(struct pidring_cgroup *cgroup)
{
	if (!cgroup->engine)
		return;
	cgroup->settles = clock_now() + SETTLING;
	plan_settling(cgroup->engine, cgroup->settles);
	/* For another loop the alarm must be set. */
	engine_kick(cgroup->engine);
}

static bool is_settled(const struct pidring_cgroup *cgroup)
{
	return cgroup->settles == INT64_MAX || cgroup->settles <= clock_now();
}

static void tell(struct pidring_cgroup *cgroup)
{
	cgroup->populated = cgroup->entered = false;
	if (!cgroup->pending)
		TAILQ_INSERT_TAIL(&cgroup->engine->household.emptied, cgroup, event_link);
	cgroup->pending = true;
	cgroup_let_settle(cgroup);
}

void cgroup_drop_event(struct pidring_cgroup *cgroup)
{
	if (cgroup->pending)
		TAILQ_REMOVE(&cgroup->engine->household.emptied, cgroup, event_link);
	cgroup->pending = false;
}

static void take_state(struct pidring_cgroup *cgroup, bool changed, const struct cgroup_state *state)
{
	bool refrozen = state->frozen != cgroup->frozen;
	bool was_filled =
		cgroup->populated || cgroup->entered || (changed && !refrozen && is_settled(cgroup));

	cgroup->frozen = state->frozen;
	if (refrozen)
		cgroup_let_settle(cgroup);
	if (state->populated) {
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
	struct cgroup_state state;

	if (!cgroup->engine)
		return;
	if (cgroup_read_state(cgroup->events, &state) == 0) {
		take_state(cgroup, changed, &state);
		return;
	}
	/* Somebody has removed it: empty it is, but that is no sign that somebody was in it. */
	household_unwatch(cgroup->engine, cgroup->events);
	state = (struct cgroup_state){ .frozen = cgroup->frozen };
	take_state(cgroup, false, &state);
}

void cgroup_entry_begins(struct pidring_cgroup *cgroup)
{
	cgroup->entries++;
}

void cgroup_entry_ended(struct pidring_cgroup *cgroup, bool created)
{
	cgroup->entries--;
	cgroup->entered |= created;
	cgroup_look(cgroup, false);
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
				cgroup->settles = INT64_MAX;
		}
		plan_settling(engine, cgroup->settles);
	}
}
