/* SPDX-License-Identifier: MIT */
/* The life of a function target's process: hooks, stdin, target, exit function, flush, exit code. */
#include "bootstrap.h"

#include "explain.h"
#include "family.h"
#include "finalize.h"
#include "message.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

/* --- hooks --- */

struct hook {
	TAILQ_ENTRY(hook) link;
	int64_t handle;
	void (*function)(void *argument);
	void *argument;
};

static TAILQ_HEAD(, hook) hooks = TAILQ_HEAD_INITIALIZER(hooks);
static int64_t next_hook = 1;

int64_t pidring_add_after_fork_hook(void (*function)(void *argument), void *argument)
{
	if (!function)
		return explain(-EINVAL, "pidring_add_after_fork_hook: function is NULL");

	struct hook *hook = malloc(sizeof *hook);
	if (!hook)
		return explain(-ENOMEM, "no memory for a hook");

	family_enter();
	int64_t handle = next_hook++;
	*hook = (struct hook){ .handle = handle, .function = function, .argument = argument };
	TAILQ_INSERT_TAIL(&hooks, hook, link);
	family_leave();
	return handle;
}

int pidring_remove_after_fork_hook(int64_t handle)
{
	struct hook *hook;

	family_enter();
	TAILQ_FOREACH(hook, &hooks, link)
	if (hook->handle == handle)
		break;
	if (hook)
		TAILQ_REMOVE(&hooks, hook, link);
	family_leave();
	if (!hook)
		return explain(-ENOENT, "there is no after-fork hook %lld", (long long)handle);
	free(hook);
	return 0;
}

/* A hook may register or remove others, so the next one is looked for by its handle. */
static bool next_hook_after(int64_t handle, struct hook *ret_hook)
{
	struct hook *hook;

	family_enter();
	TAILQ_FOREACH(hook, &hooks, link)
	if (hook->handle > handle)
		break;
	if (hook)
		*ret_hook = *hook;
	family_leave();
	return hook != NULL;
}

static void run_hooks(void)
{
	int64_t limit = next_hook;
	struct hook hook = { .handle = 0 };

	while (next_hook_after(hook.handle, &hook) && hook.handle < limit)
		hook.function(hook.argument);
}

/* --- the end --- */

/* Set once the target may run: before that, an exit call leaves the exit function out. */
static bool target_may_run;

static void current_name(char *ret_name, size_t size)
{
	pidring_process_name(pidring_current_process(), ret_name, size);
}

/* A stream that was not used is not touched: each first write to a page of a fork is a fault. */
static void flush(FILE *stream)
{
	if (__fpending(stream) > 0)
		fflush(stream);
}

/* The message is printed after the exit function and before the streams are flushed. */
static __attribute__((noreturn)) void end(int code, const char *heading, const char *text)
{
	if (target_may_run)
		exit_function();
	if (heading)
		fprintf(stderr, "%s", heading);
	if (text)
		fprintf(stderr, "%s\n", text);
	family_log("process exiting with exitcode %d", code);
	flush(stdout);
	flush(stderr);
	_exit(code & 0xff);
}

/* In a main process: exit(), whose atexit() handlers include the exit function. From within that, the rest of
 * it runs first. */
static __attribute__((noreturn)) void end_main(int code, const char *heading, const char *text)
{
	if (pidring_is_exiting())
		exit_function();
	if (heading)
		fprintf(stderr, "%s", heading);
	if (text)
		fprintf(stderr, "%s\n", text);
	exit(code & 0xff);
}

static __attribute__((noreturn)) void end_process(int code, const char *heading, const char *text)
{
	family_enter();
	bool is_child = family.is_child;
	family_leave();
	if (is_child)
		end(code, heading, text);
	end_main(code, heading, text);
}

void pidring_exit(int code)
{
	end_process(code, NULL, NULL);
}

void pidring_exit_message(const char *text)
{
	end_process(1, NULL, text ? text : "");
}

void pidring_fail(const char *text)
{
	char name[256], heading[sizeof name + sizeof "Process :\n"];

	current_name(name, sizeof name);
	snprintf(heading, sizeof heading, "Process %s:\n", name);
	end_process(1, heading, text ? text : "");
}

/* --- the life --- */

/* What the parent had read ahead is the parent's: the child's descriptor 0 is another file now. */
static void forget_buffered_input(void)
{
	/* Without a buffer nothing has been read. */
	if (__fbufsize(stdin) > 0)
		__fpurge(stdin);
	if (feof(stdin) || ferror(stdin))
		clearerr(stdin);
}

static bool replaces_stdin(const struct child_plan *plan)
{
	return plan->placement_count > 0 && plan->placements[0].target == STDIN_FILENO &&
	       plan->placements[0].source != STDIN_FILENO;
}

static void prepare(struct child_plan *plan)
{
	char text[256];

	int r = child_prepare_function(plan);
	if (r < 0 && plan->report_descriptor >= 0)
		child_fail(plan, (enum pidring_step)plan->failed_step, plan->failed_error);
	if (r < 0) {
		snprintf(text, sizeof text, "cannot prepare its %s: %s",
		         pidring_step_name((enum pidring_step)plan->failed_step),
		         strerror(plan->failed_error));
		pidring_fail(text);
	}
	if (replaces_stdin(plan))
		forget_buffered_input();
}

/* What was only there to be placed; its number may be another's now. */
static void close_source(const struct child_plan *plan, int *source)
{
	if (*source >= 0 && plan->keep_descriptors && !child_is_target(plan, *source))
		close(*source);
	*source = -1;
}

/* The parent's end of it, before anything can be placed there. */
static void leave_report(struct pidring_process *process)
{
	if (process->slot)
		sys_close(&process->slot->report_descriptor);
}

static void close_sources(struct pidring_process *process, const struct child_plan *plan, int null)
{
	close_source(plan, &null);
	if (process->confine) {
		close_source(plan, &process->confine->gate);
		close_source(plan, &process->confine->own_pid_namespace);
		confine_work_leave(process->confine);
	}
	for (int i = 0; i < 3; i++)
		close_source(plan, &process->ends.child[i]);
}

/* The start's own low descriptors may outlive their engine. */
static int take_null(struct low_descriptors *low, int parent_pidfd)
{
	int null = low->null;

	low->null = -1;
	low_descriptors_close(low, parent_pidfd);
	return null;
}

/* That it begins. */
static void tell(struct child_plan *plan)
{
	sys_close(&plan->report_descriptor);
}

/* Hooks and the like may need more than the target may. */
static void filter(struct child_plan *plan)
{
	if (plan->confine && child_filter_function(plan) < 0)
		child_fail(plan, (enum pidring_step)plan->failed_step, plan->failed_error);
}

static __attribute__((noreturn)) void run(const struct pidring_process *process, struct child_plan *plan)
{
	const struct settings *settings = process->settings;
	bool filtered = plan->confine && plan->confine->confinement->has_filter;

	if (!filtered)
		tell(plan);

	/* From here on handlers may run: they see the new current process. */
	sys_signal_mask(&plan->signal_mask, NULL);
	run_hooks();
	family_log("child process calling self.run()");
	filter(plan);
	if (filtered)
		tell(plan);
	target_may_run = true;
	end(settings->target ? settings->target(settings->argument) : 0, NULL, NULL);
}

void bootstrap_run(void *argument)
{
	const struct bootstrap *bootstrap = argument;
	struct pidring_process *process = bootstrap->process;

	target_may_run = false;
	/* The start had it disabled. */
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	/* Entering renews the family: engines, children and finalizers of the parent stay behind. */
	family_enter();
	family_become(process, bootstrap->parent);
	int null = take_null(bootstrap->low, bootstrap->parent->pidfd);
	family_leave_engines(bootstrap->plan);
	family_leave();

	leave_report(process);
	prepare(bootstrap->plan);
	close_sources(process, bootstrap->plan, null);
	family_enter();
	family_leave_streams(bootstrap->plan);
	family_leave();
	if (bootstrap->preload)
		bootstrap->preload(bootstrap->preload_argument);
	run(process, bootstrap->plan);
}

/* --- from a forkserver --- */

/* Opened here: what this process has had open since before is the application's choice. A parent that has ended has no
 * pidfd, or is a stranger by now: then something that is readable stands for it. */
static int open_parent(pid_t pid)
{
	int pidfd = sys_above_streams(sys_pidfd_open(pid));

	if (pidfd >= 0 && getppid() == pid)
		return pidfd;
	if (pidfd >= 0)
		close(pidfd);
	return sys_above_streams(eventfd(1, EFD_CLOEXEC));
}

/* Every first write to a page of a fork is a fault, and so is the first call of what lies on another page: they are taken
 * now, by doing the same with nothing. */
void bootstrap_rehearse(void)
{
	enum { DEPTH = 8 * 1024 };
	struct child_plan nothing = { .keep_descriptors = true, .terminal = -1, .kept_descriptor = -1 };
	char depth[DEPTH];

	explicit_bzero(depth, sizeof depth);
	for (size_t size = 32; size <= DEPTH; size *= 2) {
		void *heap = malloc(size);
		if (heap)
			explicit_bzero(heap, size);
		free(heap);
	}
	family_enter();
	process_release_special(process_new_special(PROCESS_PARENT, "", 0, -1));
	family_leave();
	child_prepare_function(&nothing);
	sys_pidfd_open(-1);
}

/* Its own object, and the parent's. NULL: no memory. */
static struct pidring_process *become(const struct forkserver_child *child)
{
	struct pidring_process *process = message_read(child->message, child->length);

	explicit_bzero(child->message, child->length);
	free(child->message);
	if (!process)
		return NULL;
	process->settings->target = child->target;
	struct pidring_process *parent =
		process_new_special(PROCESS_PARENT, process->parent_name, process->parent_pid, -1);
	if (!parent)
		return NULL;
	family_become(process, parent);
	return process;
}

void bootstrap_serve(const struct forkserver_child *child)
{
	struct child_plan *plan = child->plan;

	target_may_run = false;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	/* Before anything is opened or closed here the table must be this process's own; what the family remembers of
	 * descriptors has been forgotten by the server, so entering closes none. */
	family_enter();
	struct pidring_process *process = become(child);
	family_leave();
	if (!process)
		child->fail(PIDRING_STEP_PREPARE, ENOMEM);
	if (child_prepare_function(plan) < 0)
		child->fail((enum pidring_step)plan->failed_step, plan->failed_error);
	if (replaces_stdin(plan))
		forget_buffered_input();
	child->settle();
	family.parent->pidfd = open_parent(process->parent_pid);
	run(process, plan);
}
