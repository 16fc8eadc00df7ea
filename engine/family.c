/* SPDX-License-Identifier: MIT */
/* Current process, parent process, children, identities, inherited configuration, auth key. */
#include "family.h"

#include "confine/work.h"
#include "engine.h"
#include "explain.h"
#include "finalize.h"
#include "household.h"
#include "sys/sys.h"
#include "timekeeper.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

struct family family = {
	.children = TAILQ_HEAD_INITIALIZER(family.children),
	.inherited = TAILQ_HEAD_INITIALIZER(family.inherited),
	.starts = TAILQ_HEAD_INITIALIZER(family.starts),
	.objects = TAILQ_HEAD_INITIALIZER(family.objects),
	.with_ends = TAILQ_HEAD_INITIALIZER(family.with_ends),
	.due_trees = TAILQ_HEAD_INITIALIZER(family.due_trees),
	.engines = LIST_HEAD_INITIALIZER(family.engines),
	.slots = STAILQ_HEAD_INITIALIZER(family.slots),
};

__thread struct pidring_process *family_in_birth;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_exit_handler;
static int holder_cancelability; /* of the thread that has the lock, before it took it */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * How a fork is noticed, whoever makes it and however: this page is wiped in it (MADV_WIPEONFORK,
 * Linux 4.14), so its word reads RENEWED only in the process that wrote it. pthread_atfork alone would miss
 * _Fork() and bare clone calls.
 */
enum { WIPED = 0, RENEWING = 1, RENEWED = 2 };
static _Atomic int *freshness;
static _Atomic int freshness_without_page;

static const char out_of_memory[] = "pidring: no memory for the object of the main process\n";

/* What a start had open at the moment of the fork that was not its own. */
static void leave_start(struct pidring_process *process)
{
	sys_close(&process->authkey_memfd);
	stream_ends_close_child(&process->ends);
	/* Its engine may be closed. */
	if (process->low && !family_in_birth)
		low_descriptors_close(process->low, -1);
	if (process->slot && !process->box)
		sys_close(&process->slot->report_descriptor);
	if (process->confine)
		confine_work_forget(process->confine);
	process->undumpable = false;
	sys_close(&process->newborn.pidfd);
	if (process->state == PROCESS_STARTING)
		sys_close(&process->pidfd);
}

/* The starts of other threads, and those of the same call, are nobody's here. The one whose child this may be
 * still needs what was opened for it. */
static void leave_starts(void)
{
	struct pidring_process *process;

	TAILQ_FOREACH(process, &family.starts, start_link)
	if (process != family_in_birth)
		leave_start(process);
	TAILQ_INIT(&family.starts);
}

/* A copy of our end of a stdin would keep it open, one of an output would take the reader's part. */
static void leave_streams(void)
{
	while (!TAILQ_EMPTY(&family.with_ends))
		process_close_own_ends(TAILQ_FIRST(&family.with_ends));
}

/* What the plan has closed, or replaced. */
static void forget_placed(struct stream_ends *ends, const struct child_plan *plan)
{
	for (int i = 0; i < 3; i++)
		if (!plan->keep_descriptors || child_is_target(plan, ends->own[i]))
			ends->own[i] = -1;
}

void family_leave_streams(const struct child_plan *plan)
{
	struct pidring_process *process;

	TAILQ_FOREACH(process, &family.with_ends, ends_link)
	forget_placed(&process->ends, plan);
	leave_streams();
	cgroups_leave(plan);
}

/*
 * In a fork, on its only thread: what belongs to the original's threads and to its kernel objects is let go,
 * the children become inherited ones.
 */
static void renew(void)
{
	struct pidring *engine;

	keeper_forget();
	birth_fork_forget();
	timekeeper_forget(false);
	family.generation++;
	family.pid = getpid();
	family.live_objects = 0;
	family.reap_next = NULL;
	family.child_count = 0;
	TAILQ_CONCAT(&family.inherited, &family.children, family_link);
	dumpable_after_fork();
	leave_starts();
	TAILQ_INIT(&family.due_trees);
	/* The end of one process's stream may be what another one gets: then they go later. */
	if (!family_in_birth)
		leave_streams();
	LIST_FOREACH(engine, &family.engines, link)
	engine_after_fork(engine);
	cgroups_after_fork();
	finalizers_forget();
	atomic_store(freshness, RENEWED);
}

/* Renews the family at the first call in a fork that libc did not make; a thread that stayed behind may have
 * held the lock. */
static void renew_once(void)
{
	int expected = WIPED;

	if (atomic_compare_exchange_strong(freshness, &expected, RENEWING)) {
		lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
		renew();
		return;
	}
	while (atomic_load(freshness) != RENEWED)
		sched_yield();
}

static void forget_original(struct pidring_process *process)
{
	process->closed |= process->state != PROCESS_INITIAL;
	process->pidfd = process->newborn.pidfd = process->authkey_memfd = -1;
	process->ends = STREAM_ENDS_NONE;
	process->has_own_ends = false;
	process->slot = NULL;
	process->box = NULL;
	process->low = NULL;
}

void family_forget_originals(void)
{
	struct pidring_process *process;
	struct pidring *engine;

	TAILQ_FOREACH(process, &family.objects, object_link)
	forget_original(process);
	TAILQ_INIT(&family.starts);
	TAILQ_INIT(&family.with_ends);
	TAILQ_INIT(&family.due_trees);
	LIST_FOREACH(engine, &family.engines, link)
	engine_forget(engine);
	cgroups_forget();
	timekeeper_forget(true);
	if (family.parent)
		family.parent->pidfd = -1;
}

void family_collect_servers(void)
{
	struct pidring *engine;

	LIST_FOREACH(engine, &family.engines, link)
	if (engine->forkserver)
		forkserver_collect(engine->forkserver);
}

/* A fork() must not come in the middle of a change: the copy could not repair the lists. */
static void before_fork(void)
{
	pthread_mutex_lock(&lock);
	family_collect_servers();
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
	/* A handler of the host's that came first has called the library, which has renewed itself. */
	if (atomic_load(freshness) == RENEWED && freshness != &freshness_without_page)
		return;
	renew();
	pthread_mutex_unlock(&lock);
}

static void make_freshness(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *mapping = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	freshness = &freshness_without_page;
	if (mapping != MAP_FAILED && madvise(mapping, page, MADV_WIPEONFORK) == 0)
		freshness = mapping;
	else if (mapping != MAP_FAILED)
		munmap(mapping, page);
	atomic_store(freshness, RENEWED);
}

static void make_family(void)
{
	make_freshness();
	family.generation = 1;
	family.pid = getpid();
	family.current = process_new_special(PROCESS_MAIN, "MainProcess", 0, -1);
	if (!family.current) {
		/* pidring_current_process may not fail, and nothing at all works without it. */
		if (write(STDERR_FILENO, out_of_memory, sizeof out_of_memory - 1) < 0)
			abort();
		abort();
	}
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* At load time, so that the fork handlers are registered before any of the host's, which may then call the
 * library, and while there is one thread. */
static __attribute__((constructor)) void load(void)
{
	pthread_once(&once, make_family);
}

void family_enter(void)
{
	int cancelability;

	/* A thread that is cancelled under the lock would never give it back. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	pthread_once(&once, make_family);
	if (atomic_load_explicit(freshness, memory_order_acquire) != RENEWED)
		renew_once();
	pthread_mutex_lock(&lock);
	holder_cancelability = cancelability;
	/* At the first use, as handlers that the host registers later are to run before it. */
	if (!has_exit_handler)
		has_exit_handler = atexit(exit_function) == 0;
}

void family_leave(void)
{
	int cancelability = holder_cancelability;

	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(cancelability, NULL);
}

static void list(struct process_list *target, struct pidring_process *process)
{
	process->listed_in = target;
	TAILQ_INSERT_TAIL(target, process, family_link);
	process->references++;
}

void family_add_child(struct pidring_process *process)
{
	list(&family.children, process);
	family.child_count++;
}

void family_remove_child(struct pidring_process *process)
{
	if (process->listed_in != &family.children || !process_is_ours(process))
		return;
	if (family.reap_next == process)
		family.reap_next = TAILQ_NEXT(process, family_link);
	TAILQ_REMOVE(&family.children, process, family_link);
	process->listed_in = NULL;
	family.child_count--;
	process_unreference(process);
}

/* So many running children in a row end a pass that need not be thorough: with many children a start would
 * otherwise cost a system call for each. The next pass goes on where this one stopped, so that no zombie is
 * missed for long. */
enum { PATIENCE = 4 };

void family_reap(bool thoroughly)
{
	struct pidring_process *process = family.reap_next;
	size_t left = family.child_count;
	unsigned running = 0;

	if (!process)
		process = TAILQ_FIRST(&family.children);
	for (; process && left > 0 && (thoroughly || running < PATIENCE); left--) {
		struct pidring_process *next = TAILQ_NEXT(process, family_link);

		/* The object may be gone after this: the list may have been the last to hold it. */
		if (!process_look(process))
			running++;
		process = next ? next : TAILQ_FIRST(&family.children);
	}
	family.reap_next = process;
}

int family_ensure_authkey(void)
{
	enum { AUTHKEY_LENGTH = 32 };
	struct pidring_process *current = family.current;

	if (current->authkey)
		return 0;
	unsigned char *key = malloc(AUTHKEY_LENGTH);
	if (!key)
		return explain(-ENOMEM, "no memory for an auth key");
	/* Up to 256 bytes come whole, or not at all (getrandom(2)). */
	ssize_t length;
	do
		length = getrandom(key, AUTHKEY_LENGTH, 0);
	while (length < 0 && errno == EINTR);
	if (length != AUTHKEY_LENGTH) {
		int r = -errno;
		free(key);
		return explain(r, "no random bytes for an auth key: %s", strerror(-r));
	}
	current->authkey = key;
	current->authkey_length = AUTHKEY_LENGTH;
	return 0;
}

void family_become(struct pidring_process *process, struct pidring_process *parent)
{
	/* An inherited parent object stays where it is: the target may have kept a pointer to it. Its
	 * sentinel goes. */
	if (family.parent && family.parent->pidfd >= 0) {
		close(family.parent->pidfd);
		family.parent->pidfd = -1;
	}
	family.parent = parent;
	family.is_child = true;
	family.constructed = 0;
	family.current = process;
}

/* An object's sentinel must not be closed or replaced behind its back. What stands at the old number is left to
 * the plan, which may have it as a source. */
static void make_way(struct pidring_process *process, const struct child_plan *plan)
{
	if (process->pidfd < 0 || process == family.current)
		return;
	if (plan->keep_descriptors && !child_is_target(plan, process->pidfd))
		return;
	process->pidfd = plan->keep_descriptors ? child_copy_aside(plan, process->pidfd) : -1;
	if (process->pidfd >= 0)
		return;
	process->pidfd = -1;
	process_localize(process);
	process->closed = true;
}

static void make_way_for(struct child_plan *plan)
{
	struct pidring_process *process, *parent = family.parent;

	TAILQ_FOREACH(process, &family.objects, object_link)
	make_way(process, plan);
	if (child_is_target(plan, parent->pidfd))
		parent->pidfd = child_copy_aside(plan, parent->pidfd);
}

void family_leave_engines(struct child_plan *plan)
{
	struct pidring *engine;
	unsigned count = plan->placement_count;

	LIST_FOREACH(engine, &family.engines, link)
	engine_become(engine, family.parent->pidfd);
	family_in_birth = NULL;
	if (!plan->keep_descriptors || (count > 0 && plan->placements[count - 1].target > STDERR_FILENO))
		make_way_for(plan);
	plan->parent_pidfd = family.parent->pidfd;
	/* Beside the one that it reports by. */
	plan->keep_parent = true;
}

void family_log(const char *format, ...)
{
	char line[512];
	va_list arguments;

	family_enter();
	void (*log)(void *argument, const char *line) = family.log;
	void *log_argument = family.log_argument;
	family_leave();
	if (!log)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	log(log_argument, line);
}

struct pidring_process *pidring_current_process(void)
{
	family_enter();
	struct pidring_process *current = family.current;
	family_leave();
	return current;
}

struct pidring_process *pidring_parent_process(void)
{
	family_enter();
	struct pidring_process *parent = family.parent;
	family_leave();
	return parent;
}

int pidring_active_children(struct pidring_process **ret_processes, size_t capacity)
{
	struct pidring_process *process;
	size_t count = 0;

	if (!ret_processes && capacity > 0)
		return explain(-EINVAL, "pidring_active_children: ret_processes is NULL, but capacity is %zu",
		               capacity);
	family_enter();
	family_reap(true);
	TAILQ_FOREACH(process, &family.children, family_link)
	{
		if (!process->has_handle)
			continue;
		if (count < capacity)
			ret_processes[count] = process;
		count++;
	}
	family_leave();
	return (int)count;
}

static void drop_inherited(struct pidring_process *process)
{
	process_localize(process);
	TAILQ_REMOVE(&family.inherited, process, family_link);
	process->listed_in = NULL;
	process->closed = true;
	process_release_pidfd(process);
	process_unreference(process);
}

int pidring_drop_inherited(void)
{
	int count = 0;

	family_enter();
	while (!TAILQ_EMPTY(&family.inherited)) {
		drop_inherited(TAILQ_FIRST(&family.inherited));
		count++;
	}
	family_leave();
	return count;
}

size_t pidring_live_objects(void)
{
	family_enter();
	size_t count = family.live_objects;
	family_leave();
	return count;
}

int pidring_set_log(void (*function)(void *argument, const char *line), void *argument)
{
	family_enter();
	family.log = function;
	family.log_argument = argument;
	family_leave();
	return 0;
}
