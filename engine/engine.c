/* SPDX-License-Identifier: MIT */
/* The engine: open, close, what it watches, pidring_fd, pidring_wait. */
#include "engine.h"

#include "clock.h"
#include "explain.h"
#include "input.h"
#include "output.h"
#include "job_control.h"
#include "sys/sys.h"
#include "timekeeper.h"

#include <errno.h>
#include <poll.h>
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

static int open_watch(struct pidring *engine)
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
	r = open_watch(engine);
	if (r < 0)
		return r;
	r = raise_limit(options->descriptors);
	if (r < 0)
		watch_close(engine->watch);
	return r;
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
	r = set_up(engine, &read);
	if (r < 0) {
		low_descriptors_unreference(engine->low);
		free(engine);
		return r;
	}
	family_enter();
	LIST_INSERT_HEAD(&family.engines, engine, link);
	family_leave();
	*ret_engine = engine;
	return 0;
}

static void let_go(struct process_watch *watch);

static void drop_streams(struct pidring_process *process)
{
	output_drop(process);
	input_drop(process);
	job_control_drop(process);
}

static void detach(struct pidring_process *process)
{
	struct process_watch *watch;

	process->references++;
	drop_streams(process);
	/* What the kernel still holds goes with the engine. */
	SLIST_FOREACH(watch, &process->watches, link)
	{
		engine_unwatch(process, watch);
		watch->armed = watch->item.armed = false;
		let_go(watch);
	}
	/* What only waited for the watch to let go of it. */
	process_settle(process);
	drop_streams(process);
	engine_remove(process);
	process_unreference(process);
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
	while (!TAILQ_EMPTY(&engine->members))
		detach(TAILQ_FIRST(&engine->members));
	LIST_REMOVE(engine, link);
	low_descriptors_unreference(engine->low);
	if (engine->watch)
		watch_close(engine->watch);
	if (engine->abandoned)
		watch_free(engine->abandoned);
	timers_release(&engine->timers);
	if (LIST_EMPTY(&family.engines)) {
		birth_slots_release(&family.slots);
		timekeeper_retire();
	}
	family_leave();
	free(engine);
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
	/* This may be the fork that a start takes for its own child, which needs what was taken for it. */
	if (engine->low)
		low_descriptors_close_free(engine->low);
	timers_forget(&engine->timers);
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

/* --- watches --- */

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
	return timers_next(&engine->timers);
}

void engine_run_timers(struct pidring *engine)
{
	if (engine_next_timer(engine) != INT64_MAX)
		timers_run(&engine->timers, clock_now());
}

/* Only while nobody is inside the watch. */
static void set_alarm(struct pidring *engine)
{
	int64_t next = engine_next_timer(engine);

	if (next == engine->alarm)
		return;
	engine->alarm = next;
	watch_set_alarm(engine->watch, next);
}

/* --- waiting --- */

/* Makes it what it is wanted to be. */
static int see_to(struct pidring *engine, struct process_watch *watch)
{
	struct watch_item *item = &watch->item;
	int r = 0;

	/* It will be reported first, and then wanted again. */
	if (watch->armed && (!item->armed || item->forgotten))
		return 0;
	item->events = watch->events;
	if (watch->wanted)
		r = watch->armed ? watch_change(engine->watch, item) : watch_arm(engine->watch, item);
	else if (watch->armed)
		watch_disarm(engine->watch, item);
	watch->armed = item->armed;
	return r;
}

static int see_to_queue(struct pidring *engine)
{
	while (!TAILQ_EMPTY(&engine->queue)) {
		struct process_watch *watch = TAILQ_FIRST(&engine->queue);
		int r = see_to(engine, watch);

		if (r < 0)
			return r;
		dequeue(engine, watch);
		if (!watch->armed) {
			/* What was disarmed at once is not reported, but somebody waits for it. */
			struct pidring_process *process = watch->process;
			process->references++;
			watch->reported(watch);
			let_go(watch);
			process_unreference(process);
		}
	}
	return 0;
}

/* Whether something has happened to a process that has not ended for all that: a tracer looks at it first. It
 * is watched further. */
static bool take_report(struct pidring *engine, struct watch_item *item)
{
	struct process_watch *watch = item->owner;
	struct pidring_process *process = watch->process;
	bool is_exit = watch == &process->exit_watch;

	process->references++;
	watch->armed = item->armed;
	watch->reported(watch);
	bool held_back = is_exit && process->state == PROCESS_STARTED && process->engine == engine;
	if (held_back)
		engine_watch(process, watch);
	let_go(watch);
	process_unreference(process);
	return held_back;
}

enum { BATCH = 256 };

/* What is held back would be reported again at once, without end. */
static void rest(struct pidring *engine)
{
	engine->fetching = true;
	family_leave();
	poll(NULL, 0, 1);
	family_enter();
	engine->fetching = false;
}

/* One look of the watch, with the lock released meanwhile. Returns 0, or what ended it. */
static int look(struct pidring *engine, int64_t timeout, const struct watch_interruption *interruption)
{
	struct watch_item *items[BATCH];
	int unarmed = see_to_queue(engine);

	/* What cannot be armed must not hold up the rest. */
	if (unarmed < 0)
		timeout = 0;
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
	if (held_back)
		rest(engine);
	if (r < 0 && r != -EINTR)
		return explain(r, "waiting failed: %s", strerror(-r));
	if (r < 0)
		return r;
	return unarmed < 0 ? explain(unarmed, "a process cannot be watched: %s", strerror(-unarmed)) : 0;
}

/* With the lock held. */
static int fetch(struct pidring *engine, struct pidring_event *events, size_t capacity, int64_t timeout,
                 const struct watch_interruption *interruption)
{
	int64_t deadline = clock_deadline(timeout);

	if (engine->fetching)
		return explain(-EBUSY, "another thread is inside pidring_wait of this engine");
	int r = engine->watch ? 0 : open_watch(engine);
	if (r < 0)
		return r;
	for (;;) {
		/* What the last call handed out, or nobody will fetch. */
		engine_release_delivered(engine);
		engine_run_timers(engine);
		size_t count = engine_take_events(engine, events, capacity);
		if (count > 0)
			return (int)count;
		int64_t remaining = clock_remaining(deadline);
		r = look(engine, remaining, interruption);
		if (r < 0 && (r != -EINTR || interruption) && TAILQ_EMPTY(&engine->events))
			return r;
		if (remaining > 0 || !TAILQ_EMPTY(&engine->events))
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
	bool unfinished = !TAILQ_EMPTY(&engine->events) || !TAILQ_EMPTY(&engine->queue);
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

int pidring_fd(struct pidring *engine)
{
	if (!engine)
		return explain(-EINVAL, "pidring_fd: engine is NULL");
	family_enter();
	int r = engine->watch ? 0 : open_watch(engine);
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
	int r = engine->watch ? 0 : open_watch(engine);
	if (r == 0) {
		struct watch_abilities abilities = watch_abilities(engine->watch);
		struct pidring_features features = {
			.backend = watch_backend(engine->watch),
			.program_birth = engine->paths.program,
			.function_birth = birth_function_clones(&engine->paths) ? PIDRING_BIRTH_CLONE
			                                                        : PIDRING_BIRTH_FORK,
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
	int r = options_fill(ret_statistics, &statistics, sizeof statistics, sizeof statistics);
	family_leave();
	return r;
}
