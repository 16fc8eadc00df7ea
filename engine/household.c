/* SPDX-License-Identifier: MIT */
/* The epoll of an engine for control groups and orphans, and what comes of it. */
#include "household.h"

#include "clock.h"
#include "engine.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

void household_init(struct household *household)
{
	household->epoll = -1;
	household->item = (struct watch_item){ .descriptor = -1, .events = POLLIN };
	STAILQ_INIT(&household->item.chunks);
	TAILQ_INIT(&household->cgroups);
	TAILQ_INIT(&household->emptied);
	household->settles = INT64_MAX;
	orphanage_init(&household->orphanage);
}

static int ensure_epoll(struct household *household)
{
	if (household->epoll >= 0)
		return 0;
	int epoll = watch_above_streams(epoll_create1(EPOLL_CLOEXEC));
	if (epoll < 0)
		return epoll;
	household->epoll = household->item.descriptor = epoll;
	return 0;
}

int household_watch(struct pidring *engine, int descriptor, uint32_t events, void *owner)
{
	struct household *household = &engine->household;
	struct epoll_event event = { .events = events, .data.ptr = owner };
	int r = ensure_epoll(household);

	if (r < 0)
		return r;
	if (epoll_ctl(household->epoll, EPOLL_CTL_ADD, descriptor, &event) < 0)
		return -errno;
	/* Whoever waits is to arm the item. */
	engine_kick(engine);
	return 0;
}

void household_unwatch(struct pidring *engine, int descriptor)
{
	/* The entry would outlive the descriptor while a forked sibling holds a copy (epoll(7)). */
	if (engine->household.epoll >= 0 && descriptor >= 0)
		epoll_ctl(engine->household.epoll, EPOLL_CTL_DEL, descriptor, NULL);
}

static bool is_to_be_armed(const struct household *household)
{
	return household->epoll >= 0 && !household->item.armed && !household->item.is_reported;
}

int household_see_to(struct pidring *engine)
{
	struct household *household = &engine->household;
	int r = household->orphanage.due ? orphans_look(engine) : 0;
	int armed = is_to_be_armed(household) ? watch_arm(engine->watch, &household->item) : 0;

	return r < 0 ? r : armed;
}

void household_take_report(struct pidring *engine)
{
	enum { BATCH = 64 };
	struct epoll_event events[BATCH];
	int count;

	engine->household.item.is_reported = false;
	/* What is more than that is reported again. */
	count = epoll_wait(engine->household.epoll, events, BATCH, 0);
	for (int i = 0; i < count; i++) {
		struct pidring_cgroup *cgroup = events[i].data.ptr;
		if (cgroup)
			cgroup_look(cgroup, true);
		else
			orphans_take_signals(engine);
	}
}

void household_run_timers(struct pidring *engine)
{
	if (engine->household.settles != INT64_MAX && engine->household.settles <= clock_now())
		cgroups_settle(engine);
}

bool household_has_events(const struct household *household)
{
	return !TAILQ_EMPTY(&household->emptied) || orphanage_has_events(&household->orphanage);
}

bool household_is_unfinished(const struct household *household)
{
	return household->orphanage.due || is_to_be_armed(household);
}

static struct pidring_event take_emptied(struct household *household)
{
	struct pidring_cgroup *cgroup = TAILQ_FIRST(&household->emptied);

	cgroup_drop_event(cgroup);
	return (struct pidring_event){ .type = PIDRING_CGROUP_EMPTY,
		                       .cgroup = cgroup,
		                       .user_data = cgroup->user_data };
}

size_t household_take_events(struct pidring *engine, struct pidring_event *events, size_t capacity)
{
	struct household *household = &engine->household;
	size_t count = 0;

	while (count < capacity && !TAILQ_EMPTY(&household->emptied))
		events[count++] = take_emptied(household);
	while (count < capacity && orphanage_has_events(&household->orphanage))
		orphanage_take_event(&household->orphanage, &events[count++]);
	return count;
}

/* Groups that are still there lose their engine. */
static void let_groups_go(struct household *household)
{
	while (!TAILQ_EMPTY(&household->cgroups)) {
		struct pidring_cgroup *cgroup = TAILQ_FIRST(&household->cgroups);

		cgroup_drop_event(cgroup);
		TAILQ_REMOVE(&household->cgroups, cgroup, link);
		cgroup->engine = NULL;
	}
}

static void unwatch_all(struct pidring *engine)
{
	struct pidring_cgroup *cgroup;

	TAILQ_FOREACH(cgroup, &engine->household.cgroups, link)
	household_unwatch(engine, cgroup->events);
	household_unwatch(engine, engine->household.orphanage.signals);
}

void household_close(struct pidring *engine)
{
	unwatch_all(engine);
	let_groups_go(&engine->household);
	orphans_close(engine);
	sys_close(&engine->household.epoll);
}

/* The original's watch and epoll are not disturbed. */
void household_after_fork(struct pidring *engine)
{
	let_groups_go(&engine->household);
	orphans_after_fork(engine);
	sys_close(&engine->household.epoll);
	household_init(&engine->household);
}

void household_forget(struct pidring *engine)
{
	engine->household.epoll = -1;
	engine->household.orphanage.signals = -1;
}
