/* SPDX-License-Identifier: MIT */
/* The forkserver of an engine: made when it is needed, made anew when it no longer fits, done without where it cannot be. */
#include "bootstrap.h"
#include "engine.h"
#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <sched.h>

static unsigned processors(void)
{
	enum { MOST = 8 };
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return count > MOST ? MOST : (unsigned)count;
}

void engine_set_forkserver_options(struct pidring *engine, const struct pidring_engine_options *options)
{
	unsigned half = (options->parked + 1) / 2;

	engine->forkserver_options = (struct forkserver_options){
		.servers = options->servers ? options->servers : processors(),
		.parked = options->parked,
		.parked_low = options->parked_low ? options->parked_low : half,
		.callbacks = {
			.forget = family_forget_originals,
			.preload = options->preload,
			.preload_argument = options->preload_argument,
			.rehearse = bootstrap_rehearse,
			.live = bootstrap_serve,
		},
	};
}

static void add_counts(struct forkserver_counts *sum, const struct forkserver_counts *counts)
{
	sum->starts += counts->starts;
	sum->parked_starts += counts->parked_starts;
	sum->parked_misses += counts->parked_misses;
	sum->servers_made += counts->servers_made;
}

void engine_count_forkserver(struct pidring *engine, struct forkserver_counts *ret_counts)
{
	*ret_counts = (struct forkserver_counts){ 0 };
	if (engine->forkserver)
		forkserver_count(engine->forkserver, ret_counts);
	add_counts(ret_counts, &engine->past_counts);
}

void engine_drop_forkserver(struct pidring *engine)
{
	struct forkserver_counts counts;

	if (!engine->forkserver)
		return;
	forkserver_count(engine->forkserver, &counts);
	add_counts(&engine->past_counts, &counts);
	forkserver_end(engine->forkserver);
	forkserver_unreference(engine->forkserver);
	engine->forkserver = NULL;
}

static bool make(struct pidring *engine)
{
	sys_signal_set mask;

	sys_signal_mask(&(sys_signal_set){ SYS_ALL_SIGNALS }, &mask);
	int r = forkserver_new(&engine->forkserver, &engine->forkserver_options);
	sys_signal_mask(&mask, NULL);
	return r == 0;
}

static bool can_be_made(const struct pidring *engine)
{
	return !engine->forkserver_refused && forkserver_is_possible(&engine->paths);
}

void engine_find_forkserver(struct pidring *engine, struct forkserver **ret_forkserver)
{
	*ret_forkserver = NULL;
	if (engine->forkserver && !forkserver_is_current(engine->forkserver))
		engine_drop_forkserver(engine);
	if (!engine->forkserver && !can_be_made(engine))
		return;
	/* Without memory or processes for it, the start may still go another way. */
	if (engine->forkserver || make(engine))
		*ret_forkserver = engine->forkserver;
}

/* -EPIPE: it died while it got ready, which the preload function may have brought about. Other errors are those of its
 * first clone: its children are init of a new PID namespace, or a sandbox forbids it. */
int engine_give_up_forkserver(struct pidring *engine, struct forkserver *forkserver, int error)
{
	if (engine->forkserver == forkserver)
		engine_drop_forkserver(engine);
	if (error == -EPIPE && engine->forkserver_options.callbacks.preload)
		return explain(-EPIPE,
		               "the forkserver ended before it served, probably in its preload function");
	/* Somebody has killed it; or limits, which may be lifted. */
	engine->forkserver_refused = error != -EPIPE && error != -EAGAIN && error != -ENOMEM;
	return 0;
}

enum pidring_birth engine_forkserver_birth(const struct pidring *engine)
{
	if (engine->forkserver || can_be_made(engine))
		return PIDRING_BIRTH_FORKSERVER;
	return birth_function_clones(&engine->paths) ? PIDRING_BIRTH_CLONE : PIDRING_BIRTH_FORK;
}

int engine_open_forkserver(struct pidring *engine)
{
	struct forkserver *forkserver = NULL;

	family_enter();
	engine_find_forkserver(engine, &forkserver);
	if (forkserver)
		forkserver_reference(forkserver);
	family_leave();
	if (!forkserver)
		return 0;
	int r = forkserver_wait_ready(forkserver);
	family_enter();
	if (r < 0)
		r = engine_give_up_forkserver(engine, forkserver, r);
	forkserver_unreference(forkserver);
	family_leave();
	return r;
}

int pidring_restart_forkserver(struct pidring *engine)
{
	if (!engine)
		return explain(-EINVAL, "pidring_restart_forkserver: engine is NULL");
	family_enter();
	engine_drop_forkserver(engine);
	engine->forkserver_refused = false;
	family_leave();
	return 0;
}

void engines_drop_forkservers(void)
{
	struct pidring *engine;

	family_enter();
	LIST_FOREACH(engine, &family.engines, link)
	engine_drop_forkserver(engine);
	family_leave();
}
