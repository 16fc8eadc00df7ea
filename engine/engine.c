/* SPDX-License-Identifier: MIT */
/* The engine: open, close, its members and their timers, pidring_fd. */
#include "engine.h"

#include "clock.h"
#include "explain.h"
#include "sys/sys.h"
#include "timekeeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define STRING_OF(number)            #number
#define VERSION(major, minor, patch) STRING_OF(major) "." STRING_OF(minor) "." STRING_OF(patch)

const char *pidring_version(void)
{
	return VERSION(PIDRING_VERSION_MAJOR, PIDRING_VERSION_MINOR, PIDRING_VERSION_PATCH);
}

/* --- open and close --- */

static int choose_backend(enum pidring_backend *backend)
{
	const char *forced = secure_getenv("PIDRING_BACKEND");

	if (!forced || !*forced)
		return 0;
	if (strcmp(forced, "uring") == 0)
		*backend = PIDRING_BACKEND_URING;
	else if (strcmp(forced, "epoll") == 0)
		*backend = PIDRING_BACKEND_EPOLL;
	else
		return explain(-EINVAL, "PIDRING_BACKEND is '%s', not 'uring' or 'epoll'", forced);
	return 0;
}

int engine_own_low(struct pidring *engine)
{
	if (engine->low_generation == family.generation)
		return 0;
	int r = engine->low ? low_descriptors_renew(engine->low) : low_descriptors_new(&engine->low);
	if (r == 0)
		engine->low_generation = family.generation;
	return r;
}

static int open_low(struct pidring *engine)
{
	family_enter();
	int r = engine_own_low(engine);
	family_leave();
	if (r == -ENOSYS || r == -EPERM)
		return explain(-ENOSYS, "this kernel, or the sandbox, has no pidfds (pidfd_open: %s)",
		               strerror(-r));
	return r < 0 ? explain(r, "no descriptors for an engine: %s", strerror(-r)) : 0;
}

/* The limit is the process's, whichever engine raised it; the first old one is what programs get back. */
static int raise_limit(uint64_t wanted)
{
	struct rlimit limit;

	if (wanted == 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return explain(-errno, "getrlimit: %s", strerror(errno));
	if (limit.rlim_cur >= wanted)
		return 0;
	if (limit.rlim_max < wanted)
		return explain(-EMFILE,
		               "%llu descriptors are asked for, but the hard limit (RLIMIT_NOFILE) is %llu",
		               (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
	struct rlimit old = limit;
	limit.rlim_cur = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return explain(-errno, "setrlimit: %s", strerror(errno));
	family_enter();
	if (!family.limit_raised)
		family.old_limit = old;
	family.limit_raised = true;
	family_leave();
	return 0;
}

int engine_open_watch(struct pidring *engine)
{
	int r = watch_open(&engine->watch, engine->backend, engine->output_memory);

	if (r < 0)
		return explain(r, "no %s for an engine: %s",
		               engine->backend == PIDRING_BACKEND_EPOLL ? "epoll" : "io_uring or epoll",
		               strerror(-r));
	/* A fork's engine takes the same one. */
	engine->backend = watch_backend(engine->watch);
	engine->alarm = INT64_MAX;
	return 0;
}

/* A pool is not to take all that the host has. */
static int check_room(unsigned parked)
{
	struct rlimit limit;

	if (parked == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0 || parked <= limit.rlim_cur / 2)
		return 0;
	return explain(
		-EMFILE,
		"parked is %u, more than half of the soft limit of descriptors (%llu): each takes one; set "
		"`descriptors`",
		parked, (unsigned long long)limit.rlim_cur);
}

enum { DEFAULT_OUTPUT_MEMORY = 4 * 1024 * 1024 };

static int set_up(struct pidring *engine, const struct pidring_engine_options *options)
{
	engine->backend = options->backend;
	engine->output_memory = options->output_memory ? options->output_memory : DEFAULT_OUTPUT_MEMORY;
	int r = choose_backend(&engine->backend);
	if (r < 0)
		return r;
	r = birth_paths_probe(&engine->paths);
	if (r < 0)
		return explain(r, "PIDRING_CLONE is '%s', not 'vfork' or 'fork'",
		               secure_getenv("PIDRING_CLONE"));
	r = open_low(engine);
	if (r < 0)
		return r;
	family_enter();
	r = engine_open_watch(engine);
	if (r == 0 && options->subreaper)
		r = orphans_open(engine);
	family_leave();
	if (r == 0)
		r = raise_limit(options->descriptors);
	engine_set_forkserver_options(engine, options);
	if (r == 0)
		r = check_room(options->parked);
	if (r == 0 && (options->forkserver || options->parked > 0))
		r = engine_open_forkserver(engine);
	return r;
}

static void detach(struct pidring_process *process)
{
	process->references++;
	engine_forget_watches(process);
	process_drop_streams(process);
	/* What only waited for the watch to let go of it. */
	process_settle(process);
	engine_remove(process);
	process_unreference(process);
}

/* The watch first: no item may be gone while it still has it. */
static void release(struct pidring *engine)
{
	struct watch *watch = engine->watch;

	engine->watch = NULL;
	if (watch)
		watch_close(watch);
	household_close(engine);
	engine_drop_forkserver(engine);
	while (!TAILQ_EMPTY(&engine->members))
		detach(TAILQ_FIRST(&engine->members));
	LIST_REMOVE(engine, link);
	low_descriptors_unreference(engine->low);
	if (engine->abandoned)
		watch_free(engine->abandoned);
	timers_release(&engine->timers);
	if (LIST_EMPTY(&family.engines)) {
		birth_slots_release(&family.slots);
		timekeeper_retire();
	}
	free(engine);
}

int pidring_open(struct pidring **ret_engine, const struct pidring_engine_options *options)
{
	struct pidring_engine_options read;

	if (!ret_engine)
		return explain(-EINVAL, "pidring_open: ret_engine is NULL");
	int r = engine_options_read(&read, options);
	if (r < 0)
		return r;

	struct pidring *engine = calloc(1, sizeof *engine);
	if (!engine)
		return explain(-ENOMEM, "no memory for an engine");
	TAILQ_INIT(&engine->queue);
	TAILQ_INIT(&engine->members);
	TAILQ_INIT(&engine->events);
	STAILQ_INIT(&engine->delivered);
	household_init(&engine->household);
	/* Known to forks before it has any descriptor. */
	family_enter();
	LIST_INSERT_HEAD(&family.engines, engine, link);
	family_leave();
	r = set_up(engine, &read);
	if (r < 0) {
		family_enter();
		release(engine);
		family_leave();
		return r;
	}
	*ret_engine = engine;
	return 0;
}

int pidring_close(struct pidring *engine)
{
	if (!engine)
		return 0;
	family_enter();
	if (engine->fetching) {
		family_leave();
		return explain(-EBUSY, "pidring_close: another thread is inside pidring_wait");
	}
	release(engine);
	family_leave();
	return 0;
}

/* In the copy nothing is watched, and nobody waits. A new watch is opened when it is needed. */
void engine_after_fork(struct pidring *engine)
{
	if (engine->watch) {
		watch_abandon(engine->watch);
		/* Not freed now: a fork that does nothing more with it is spared the page faults. */
		if (engine->abandoned)
			watch_free(engine->abandoned);
		engine->abandoned = engine->watch;
	}
	engine->watch = NULL;
	/* In the fork that a start makes for its own child, what was taken for that is needed. */
	if (engine->low && family_in_birth)
		low_descriptors_close_free(engine->low);
	else if (engine->low)
		low_descriptors_close(engine->low, -1);
	household_after_fork(engine);
	if (engine->forkserver)
		forkserver_forget(engine->forkserver);
	engine->forkserver = NULL;
	engine->forkserver_refused = false;
	engine->past_counts = (struct forkserver_counts){ 0 };
	timers_forget(&engine->timers);
	engine->statistics = (struct pidring_statistics){ 0 };
	engine->counts = (struct watch_counts){ 0 };
	engine->outstanding = 0;
	engine->member_count = 0;
	engine->large_pipes = 0;
	engine->fetching = engine->driven = engine->kicked = false;
	TAILQ_INIT(&engine->queue);
	TAILQ_INIT(&engine->members);
	TAILQ_INIT(&engine->events);
	/* Still there to be read, until the abandoned watch is freed. */
	STAILQ_INIT(&engine->delivered);
}

/* Their memory stays as it is: it is spared the page faults. */
void engine_forget(struct pidring *engine)
{
	if (engine->low)
		low_descriptors_forget(engine->low);
	household_forget(engine);
	engine->watch = engine->abandoned = NULL;
	engine->forkserver = NULL;
}

void engine_become(struct pidring *engine, int parent_pidfd)
{
	if (engine->low)
		low_descriptors_close(engine->low, parent_pidfd);
}

/* --- members --- */

int engine_add(struct pidring *engine, struct pidring_process *process)
{
	int r = timers_reserve(&engine->timers, (engine->member_count + 1) * TIMERS_PER_PROCESS);

	if (r < 0)
		return r;
	process->engine = engine;
	TAILQ_INSERT_TAIL(&engine->members, process, engine_link);
	engine->member_count++;
	return 0;
}

static void unset_timers(struct pidring_process *process)
{
	struct timers *timers = &process->engine->timers;

	timers_set(timers, &process->deadline_timer, INT64_MAX);
	timers_set(timers, &process->stop_timer, INT64_MAX);
	timers_set(timers, &process->drain_timer, INT64_MAX);
}

void engine_remove(struct pidring_process *process)
{
	if (!process->engine)
		return;
	engine_drop_events(process);
	unset_timers(process);
	TAILQ_REMOVE(&process->engine->members, process, engine_link);
	process->engine->member_count--;
	process->engine = NULL;
}

/* Whoever waits, in here or in another loop, is made to come by. */
void engine_kick(struct pidring *engine)
{
	if (engine->kicked || !engine->watch || (!engine->fetching && !engine->driven))
		return;
	engine->kicked = true;
	watch_kick(engine->watch);
}

/* --- timers --- */

void engine_set_timer(struct pidring_process *process, struct timer *timer, int64_t moment)
{
	struct pidring *engine = process->engine;

	if (!engine || timer->moment == moment)
		return;
	timers_set(&engine->timers, timer, moment);
	/* An alarm that is too early does no harm: whoever it wakes sets the right one. */
	if (timers_next(&engine->timers) < engine->alarm)
		engine_kick(engine);
	timekeeper_notice();
}

int64_t engine_next_timer(const struct pidring *engine)
{
	int64_t next = timers_next(&engine->timers);

	return next < engine->household.settles ? next : engine->household.settles;
}

void engine_run_timers(struct pidring *engine)
{
	if (timers_next(&engine->timers) != INT64_MAX)
		timers_run(&engine->timers, clock_now());
	household_run_timers(engine);
}

int pidring_fd(struct pidring *engine)
{
	if (!engine)
		return explain(-EINVAL, "pidring_fd: engine is NULL");
	family_enter();
	int r = engine->watch ? 0 : engine_open_watch(engine);
	if (r == 0)
		r = watch_descriptor(engine->watch);
	if (r < 0) {
		explain(r, "no descriptor for another loop: %s", strerror(-r));
	} else if (!engine->driven) {
		engine->driven = true;
		/* A kick that was sent before this may be taken without a look. */
		engine->kicked = false;
		/* What was started before must be armed by somebody, and the watch may have to prepare for
		 * the other loop. */
		engine_kick(engine);
	}
	family_leave();
	return r;
}

int pidring_outstanding(struct pidring *engine)
{
	if (!engine)
		return explain(-EINVAL, "pidring_outstanding: engine is NULL");
	family_enter();
	int count = engine->outstanding;
	family_leave();
	return count;
}

/* PIDFD_INFO_EXIT cannot be probed without a child that has been reaped. */
static bool has_exit_information(void)
{
	struct utsname name;
	char *end;

	if (uname(&name) < 0)
		return false;
	long major = strtol(name.release, &end, 10);
	long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	return major > 6 || (major == 6 && minor >= 15);
}

int pidring_features(struct pidring *engine, struct pidring_features *ret_features)
{
	if (!engine || !ret_features)
		return explain(-EINVAL, "pidring_features: %s is NULL", engine ? "ret_features" : "engine");
	family_enter();
	int r = engine->watch ? 0 : engine_open_watch(engine);
	if (r == 0) {
		struct watch_abilities abilities = watch_abilities(engine->watch);
		struct forkserver_counts counts;
		engine_count_forkserver(engine, &counts);
		struct pidring_features features = {
			.backend = watch_backend(engine->watch),
			.program_birth = engine->paths.program,
			.function_birth = birth_function_clones(&engine->paths) ? PIDRING_BIRTH_CLONE
			                                                        : PIDRING_BIRTH_FORK,
			.forkserver_birth = engine_forkserver_birth(engine),
			.servers = counts.servers,
			.parked = counts.parked,
			.close_range = engine->paths.close_range,
			.clear_signal_handlers = engine->paths.program == PIDRING_BIRTH_CLONE_VM,
			.futex_wait = abilities.words,
			.exit_information = has_exit_information(),
			.multishot_read = abilities.reads,
			.stop_wait = abilities.stops,
			.silent_write = sys_writes_silently(),
			.group_signal = sys_pidfd_signals_groups(),
		};
		r = options_fill(ret_features, &features, sizeof features, sizeof features);
	}
	family_leave();
	return r;
}

int pidring_statistics(struct pidring *engine, struct pidring_statistics *ret_statistics)
{
	if (!engine || !ret_statistics)
		return explain(-EINVAL, "pidring_statistics: %s is NULL",
		               engine ? "ret_statistics" : "engine");
	family_enter();
	struct pidring_statistics statistics = engine->statistics;
	statistics.output_bytes = engine->counts.bytes;
	statistics.ring_reads = engine->counts.ring_reads;
	statistics.call_reads = engine->counts.call_reads;
	statistics.buffer_shortages = engine->counts.shortages;
	struct forkserver_counts counts;
	engine_count_forkserver(engine, &counts);
	statistics.server_starts = counts.starts;
	statistics.parked_starts = counts.parked_starts;
	statistics.parked_misses = counts.parked_misses;
	statistics.servers_made = counts.servers_made;
	int r = options_fill(ret_statistics, &statistics, sizeof statistics, sizeof statistics);
	family_leave();
	return r;
}
