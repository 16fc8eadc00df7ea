/* SPDX-License-Identifier: MIT */
/* What an engine watches for its processes: what each wants to be watched, what the watch has, and who holds whom. */
#include "engine.h"

static void hold(struct process_watch *watch)
{
	if (!watch->held)
		watch->process->references++;
	watch->held = true;
}

/* The process may be gone after this. */
static void let_go(struct process_watch *watch)
{
	if (!watch->held || watch->queued || watch->armed)
		return;
	watch->held = false;
	process_unreference(watch->process);
}

static void enqueue(struct pidring *engine, struct process_watch *watch)
{
	if (watch->queued)
		return;
	watch->queued = true;
	TAILQ_INSERT_TAIL(&engine->queue, watch, queue_link);
}

static void dequeue(struct pidring *engine, struct process_watch *watch)
{
	if (watch->queued)
		TAILQ_REMOVE(&engine->queue, watch, queue_link);
	watch->queued = false;
}

void engine_watch(struct pidring_process *process, struct process_watch *watch)
{
	watch->wanted = true;
	hold(watch);
	enqueue(process->engine, watch);
	engine_kick(process->engine);
}

bool engine_unwatch(struct pidring_process *process, struct process_watch *watch)
{
	struct pidring *engine = process->engine;

	watch->wanted = false;
	if (!engine)
		return true;
	/* An item that is armed is the fetching thread's. */
	if (watch->armed && engine->fetching) {
		enqueue(engine, watch);
		engine_kick(engine);
		return false;
	}
	dequeue(engine, watch);
	if (watch->item.armed && !watch->item.forgotten && watch_disarm(engine->watch, &watch->item))
		watch->armed = false;
	let_go(watch);
	return true;
}

void engine_forget_watches(struct pidring_process *process)
{
	struct process_watch *watch;

	SLIST_FOREACH(watch, &process->watches, link)
	{
		dequeue(process->engine, watch);
		watch->wanted = watch->armed = false;
		watch->item.armed = watch->item.is_reported = false;
		STAILQ_INIT(&watch->item.chunks);
		let_go(watch);
	}
}

/* Makes it what it is wanted to be. */
static int see_to(struct pidring *engine, struct process_watch *watch)
{
	struct watch_item *item = &watch->item;

	/* It will be reported first, and then wanted again. */
	if (watch->armed && (!item->armed || item->forgotten))
		return 0;
	item->events = watch->events;
	if (!watch->wanted) {
		watch->armed = watch->armed && !watch_disarm(engine->watch, item);
		return 0;
	}
	int r = watch->armed ? watch_change(engine->watch, item) : watch_arm(engine->watch, item);
	/* Taking the ring over may have brought its end to light. */
	watch->armed = item->armed || item->is_reported;
	return r;
}

static int see_to_next(struct pidring *engine, struct process_watch *watch)
{
	int r = see_to(engine, watch);

	if (r < 0)
		return r;
	dequeue(engine, watch);
	if (watch->armed)
		return 0;
	/* What was disarmed at once is not reported, but somebody waits for it. */
	struct pidring_process *process = watch->process;
	process->references++;
	watch->reported(watch);
	let_go(watch);
	process_unreference(process);
	return 0;
}

/* What cannot be armed does not hold up the rest: it stays in the queue. */
int engine_see_to_queue(struct pidring *engine)
{
	struct process_watch_list unseen = TAILQ_HEAD_INITIALIZER(unseen);
	int result = 0;

	while (!TAILQ_EMPTY(&engine->queue)) {
		struct process_watch *watch = TAILQ_FIRST(&engine->queue);
		int r = see_to_next(engine, watch);

		if (r >= 0)
			continue;
		result = r;
		TAILQ_REMOVE(&engine->queue, watch, queue_link);
		TAILQ_INSERT_TAIL(&unseen, watch, queue_link);
	}
	TAILQ_CONCAT(&engine->queue, &unseen, queue_link);
	return result;
}

bool engine_take_report(struct pidring *engine, struct watch_item *item)
{
	struct process_watch *watch = item->owner;
	struct pidring_process *process = watch->process;
	bool is_exit = watch == &process->exit_watch;

	process->references++;
	item->is_reported = false;
	watch->armed = item->armed;
	watch->reported(watch);
	bool held_back = is_exit && process->state == PROCESS_STARTED && process->engine == engine;
	if (held_back)
		engine_watch(process, watch);
	let_go(watch);
	process_unreference(process);
	return held_back;
}
