/* SPDX-License-Identifier: MIT */
/* Finalizers, and the exit function that runs them, ends the daemons and waits for the children. */
#include "finalize.h"

#include "clock.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "sys/sys.h"
#include "timekeeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct finalizer {
	TAILQ_ENTRY(finalizer) link;
	int64_t handle;
	int priority;
	void (*function)(void *argument);
	void *argument;
};

TAILQ_HEAD(finalizer_list, finalizer);

enum stage { NOT_BEGUN, FIRST_FINALIZERS, DAEMONS, CHILDREN, LAST_FINALIZERS, SERVERS, DONE };

/* Guarded by the family's lock. */
static struct {
	struct finalizer_list finalizers;
	int64_t next_handle;
	int64_t grace;
	int64_t grace_deadline;
	enum stage stage;
	int64_t pass_limit; /* finalizers from this handle on were registered during the pass, and wait for
	                       the next one */
	pid_t thread;       /* that runs the exit function */
} exiting = {
	.finalizers = TAILQ_HEAD_INITIALIZER(exiting.finalizers),
	.next_handle = 1,
	.grace = PIDRING_FOREVER,
};

static void remove_finalizer(struct finalizer *finalizer)
{
	TAILQ_REMOVE(&exiting.finalizers, finalizer, link);
	free(finalizer);
}

void finalizers_forget(void)
{
	while (!TAILQ_EMPTY(&exiting.finalizers))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that the list changes */
		remove_finalizer(TAILQ_FIRST(&exiting.finalizers));
	exiting.stage = NOT_BEGUN;
	exiting.thread = 0;
}

/* In the order in which they run: highest priority first, of equal ones the latest first. */
static void insert(struct finalizer *finalizer)
{
	struct finalizer *other;

	TAILQ_FOREACH(other, &exiting.finalizers, link)
	if (other->priority <= finalizer->priority)
		break;
	if (other)
		TAILQ_INSERT_BEFORE(other, finalizer, link);
	else
		TAILQ_INSERT_TAIL(&exiting.finalizers, finalizer, link);
}

int64_t pidring_add_finalizer(void (*function)(void *argument), void *argument, int priority)
{
	if (!function)
		return explain(-EINVAL, "pidring_add_finalizer: function is NULL");

	struct finalizer *finalizer = malloc(sizeof *finalizer);
	if (!finalizer)
		return explain(-ENOMEM, "no memory for a finalizer");

	family_enter();
	int64_t handle = exiting.next_handle++;
	*finalizer = (struct finalizer){
		.handle = handle, .priority = priority, .function = function, .argument = argument
	};
	insert(finalizer);
	family_leave();
	return handle;
}

/* Takes the finalizer out, so that it runs at most once, into *ret_finalizer. */
static bool take(int64_t handle, struct finalizer *ret_finalizer)
{
	struct finalizer *finalizer;
	bool found = false;

	family_enter();
	TAILQ_FOREACH(finalizer, &exiting.finalizers, link)
	if (finalizer->handle == handle)
		break;
	if (finalizer) {
		found = true;
		*ret_finalizer = *finalizer;
		remove_finalizer(finalizer);
	}
	family_leave();
	return found;
}

int pidring_run_finalizer(int64_t handle)
{
	struct finalizer finalizer;

	if (!take(handle, &finalizer))
		return explain(-ENOENT, "there is no finalizer %lld in this process", (long long)handle);
	finalizer.function(finalizer.argument);
	return 0;
}

int pidring_cancel_finalizer(int64_t handle)
{
	struct finalizer finalizer;

	if (!take(handle, &finalizer))
		return explain(-ENOENT, "there is no finalizer %lld in this process", (long long)handle);
	return 0;
}

/* The list is sorted, so the first that may run in this pass is the one. */
static bool take_next(int least_priority, struct finalizer *ret_finalizer)
{
	struct finalizer *finalizer;
	bool found = false;

	family_enter();
	TAILQ_FOREACH(finalizer, &exiting.finalizers, link)
	if (finalizer->handle < exiting.pass_limit)
		break;
	if (finalizer && finalizer->priority >= least_priority) {
		found = true;
		*ret_finalizer = *finalizer;
		remove_finalizer(finalizer);
	}
	family_leave();
	return found;
}

static void run_finalizers(int least_priority)
{
	struct finalizer finalizer;

	while (take_next(least_priority, &finalizer))
		finalizer.function(finalizer.argument);
}

static void run_first_finalizers(void)
{
	run_finalizers(0);
}

/* PIDRING_NO_PRIORITY is the lowest of all numbers: those do not run. */
static void run_last_finalizers(void)
{
	run_finalizers(PIDRING_NO_PRIORITY + 1);
	family_enter();
	while (!TAILQ_EMPTY(&exiting.finalizers))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that the list changes */
		remove_finalizer(TAILQ_FIRST(&exiting.finalizers));
	family_leave();
}

static void signal_daemons(int signal_number)
{
	struct pidring_process *process;

	family_enter();
	family_reap(true);
	TAILQ_FOREACH(process, &family.children, family_link)
	if (process->daemon && process->pidfd >= 0)
		sys_pidfd_send_signal(process->pidfd, signal_number);
	exiting.grace_deadline = clock_deadline(exiting.grace);
	family_leave();
}

/* The names are collected first: the callback must not run under the lock. */
static void log_children(const char *format, bool daemons_only)
{
	struct pidring_process *process;
	size_t count = 0, n = 0;

	family_enter();
	bool wanted = family.log != NULL;
	TAILQ_FOREACH(process, &family.children, family_link)
	count++;
	char **names = wanted ? calloc(count + 1, sizeof *names) : NULL;
	for (process = TAILQ_FIRST(&family.children); process && names;
	     process = TAILQ_NEXT(process, family_link))
		if (process->daemon || !daemons_only)
			names[n++] = strdup(process->name);
	family_leave();
	for (size_t i = 0; i < n; i++) {
		if (names[i])
			family_log("calling %s %s", format, names[i]);
		free(names[i]);
	}
	free(names);
}

static void terminate_daemons(void)
{
	log_children("terminate() for daemon", true);
	signal_daemons(SIGTERM);
}

/* Any child, held by a reference; NULL: none. */
static struct pidring_process *hold_child(bool daemon)
{
	struct pidring_process *process;

	family_enter();
	family_reap(true);
	TAILQ_FOREACH(process, &family.children, family_link)
	if (process->daemon == daemon)
		break;
	if (process) {
		process->references++;
		process->users++;
	}
	family_leave();
	return process;
}

/* Whether it has ended, or cannot be waited for. */
static bool wait_for_child(const struct pidring_process *process, int64_t deadline)
{
	struct pollfd items[1 + TIMEKEEPER_ITEMS] = { { .fd = process->pidfd, .events = POLLIN } };

	family_enter();
	int r = timekeeper_wait(items, 1, deadline);
	family_leave();
	return r != 0;
}

static void let_go(struct pidring_process *process, bool sentinel_is_ready)
{
	family_enter();
	bool held_back = !process_look(process) && sentinel_is_ready;
	process->users--;
	process_release_pidfd(process);
	process_unreference(process);
	family_leave();
	/* A tracer looks at it first. */
	if (held_back)
		watch_pause();
}

static void join_daemons(void)
{
	struct pidring_process *process;
	bool killed = false;

	while ((process = hold_child(true))) {
		int64_t deadline = killed ? INT64_MAX : exiting.grace_deadline;
		bool ended = wait_for_child(process, deadline);
		let_go(process, ended);
		if (ended)
			continue;
		signal_daemons(SIGKILL);
		killed = true;
	}
}

static void join_children(void)
{
	struct pidring_process *process;

	log_children("join() for process", false);
	join_daemons();
	while ((process = hold_child(false))) {
		wait_for_child(process, INT64_MAX);
		let_go(process, true);
	}
}

static const struct {
	enum stage stage, next;
	void (*run)(void);
} stages[] = {
	{ FIRST_FINALIZERS, DAEMONS, run_first_finalizers },
	{ DAEMONS, CHILDREN, terminate_daemons },
	{ CHILDREN, LAST_FINALIZERS, join_children },
	{ LAST_FINALIZERS, SERVERS, run_last_finalizers },
	{ SERVERS, DONE, engines_drop_forkservers },
};

static void enter_stage(enum stage stage)
{
	family_enter();
	exiting.stage = stage;
	exiting.pass_limit = exiting.next_handle;
	family_leave();
}

/* Whether this thread is the one to run it. */
static bool begin(void)
{
	pid_t thread = sys_thread_id();

	family_enter();
	bool begins = exiting.stage == NOT_BEGUN;
	bool mine = begins || exiting.stage == DONE || exiting.thread == thread;
	if (begins) {
		exiting.stage = FIRST_FINALIZERS;
		exiting.pass_limit = exiting.next_handle;
		exiting.thread = thread;
	}
	family_leave();
	if (begins)
		family_log("process shutting down");
	return mine;
}

void exit_function(void)
{
	/* Another thread runs it, and will end the process. */
	while (!begin())
		pause();
	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
		if (exiting.stage != stages[i].stage)
			continue;
		stages[i].run();
		/* A finalizer that made an exit call has run all the rest in there, and never comes back. */
		enter_stage(stages[i].next);
	}
}

int pidring_is_exiting(void)
{
	family_enter();
	bool begun = exiting.stage != NOT_BEGUN;
	family_leave();
	return begun;
}

int64_t finalize_grace(void)
{
	return exiting.grace;
}

void finalize_set_grace(int64_t grace)
{
	exiting.grace = grace < 0 ? 0 : grace;
}

int pidring_set_exit_grace(int64_t grace)
{
	family_enter();
	finalize_set_grace(grace);
	family_leave();
	return 0;
}
