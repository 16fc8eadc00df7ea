/* SPDX-License-Identifier: MIT */
/* pidring_wait: looking, and handing out what was found. */
#include "clock.h"
#include "engine.h"
#include "explain.h"
#include "stop.h"

#include <errno.h>
#include <string.h>

/* Only while nobody is inside the watch. */
static void set_alarm(struct pidring *engine)
{
	engine->alarm = engine_next_timer(engine);
	watch_set_alarm(engine->watch, engine->alarm);
}

enum { BATCH = 256, RETRY = 10 * 1000 * 1000 };

/* What is held back would be reported again at once, without end. */
static void rest(struct pidring *engine)
{
	engine->fetching = true;
	family_leave();
	watch_pause();
	family_enter();
	engine->fetching = false;
}

static bool take_report(struct pidring *engine, struct watch_item *item)
{
	if (item != &engine->household.item)
		return engine_take_report(engine, item);
	household_take_report(engine);
	return false;
}

static int see_to_all(struct pidring *engine)
{
	int watches = engine_see_to_queue(engine);
	int household = household_see_to(engine);

	return watches < 0 ? watches : household;
}

/* One look of the watch, with the lock released meanwhile. Returns 0, or what ended it. */
static int look(struct pidring *engine, int64_t timeout, const struct watch_interruption *interruption)
{
	struct watch_item *items[BATCH];
	int unarmed = see_to_all(engine);

	/* What was disarmed may have been told at once; and of many orphans only some were seen to. */
	if (engine_has_events(engine) || (engine->household.orphanage.due && unarmed >= 0))
		timeout = 0;
	/* What cannot be armed is tried again before long. */
	if (unarmed < 0 && timeout > RETRY)
		timeout = RETRY;
	set_alarm(engine);
	engine->fetching = true;
	family_leave();
	int r = watch_wait(engine->watch, items, BATCH, timeout, interruption);
	family_enter();
	engine->fetching = false;
	/* A kick that has not been taken leaves its mark on the descriptor. */
	engine->kicked = false;
	engine->counts = watch_counts(engine->watch);
	bool held_back = false;
	for (int i = 0; i < r; i++)
		held_back |= take_report(engine, items[i]);
	if (held_back && timeout > 0)
		rest(engine);
	if (r < 0 && r != -EINTR)
		return explain(r, "waiting failed: %s", strerror(-r));
	if (r < 0)
		return r;
	return unarmed < 0
	               ? explain(unarmed, "a process or an orphan cannot be watched: %s", strerror(-unarmed))
	               : 0;
}

static void run_timers(struct pidring *engine)
{
	engine_run_timers(engine);
	if (TAILQ_EMPTY(&family.due_trees))
		return;
	engine->fetching = true;
	stop_due_trees();
	engine->fetching = false;
}

/* With the lock held. */
static int fetch(struct pidring *engine, struct pidring_event *events, size_t capacity, int64_t timeout,
                 const struct watch_interruption *interruption)
{
	int64_t deadline = clock_deadline(timeout);

	if (engine->fetching)
		return explain(-EBUSY, "another thread is inside pidring_wait of this engine");
	int r = engine->watch ? 0 : engine_open_watch(engine);
	if (r < 0)
		return r;
	for (;;) {
		/* What the last call handed out, or nobody will fetch. */
		engine_release_delivered(engine);
		run_timers(engine);
		size_t count = engine_take_events(engine, events, capacity);
		if (count > 0)
			return (int)count;
		int64_t remaining = clock_remaining(deadline);
		r = look(engine, remaining, interruption);
		if (r < 0 && (r != -EINTR || interruption) && !engine_has_events(engine))
			return r;
		if (remaining > 0 || engine_has_events(engine))
			continue;
		/* As ppoll(2) does: a look lets pending signals in, too. */
		return interruption && watch_let_signals_in(interruption->mask) ? -EINTR : 0;
	}
}

/* What is left to do must keep another loop awake. */
static int fetch_and_kick(struct pidring *engine, struct pidring_event *events, size_t capacity,
                          int64_t timeout, const struct watch_interruption *interruption)
{
	family_enter();
	int r = fetch(engine, events, capacity, timeout, interruption);
	bool unfinished = engine_has_events(engine) || !TAILQ_EMPTY(&engine->queue) ||
	                  household_is_unfinished(&engine->household);
	if (engine->driven && engine->watch && watch_wants_look(engine->watch))
		unfinished = true;
	if (r != -EBUSY && engine->driven && engine->watch)
		set_alarm(engine);
	if (r != -EBUSY && unfinished)
		engine_kick(engine);
	family_leave();
	return r;
}

static int check_fetch(const struct pidring *engine, const struct pidring_event *events, size_t capacity)
{
	if (!engine)
		return explain(-EINVAL, "pidring_wait: engine is NULL");
	if (!events || capacity == 0)
		return explain(-EINVAL, "pidring_wait: there is no room for events");
	return 0;
}

int pidring_wait(struct pidring *engine, struct pidring_event *events, size_t capacity, int64_t timeout)
{
	int r = check_fetch(engine, events, capacity);

	if (r < 0)
		return r;
	return fetch_and_kick(engine, events, capacity, timeout, NULL);
}

int pidring_wait_interruptible(struct pidring *engine, struct pidring_event *events, size_t capacity,
                               int64_t timeout, const sigset_t *mask)
{
	int r = check_fetch(engine, events, capacity);

	if (r < 0)
		return r;
	struct watch_interruption interruption = { mask };
	r = fetch_and_kick(engine, events, capacity, timeout, &interruption);
	return r == -EINTR ? explain(r, "a signal was handled during pidring_wait_interruptible") : r;
}
