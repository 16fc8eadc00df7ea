/* SPDX-License-Identifier: MIT */
/*
 * Starting, from end to end: checks, preparation (start_prepare.c), birth (start_birth.c), and the answer.
 *
 * A start that fails leaves the object as it was: whatever has been made on the way is undone, a child that
 * could not run its program is reaped before the call returns.
 */
#include "start.h"

#include "confine/cgroup.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "household.h"
#include "input.h"
#include "job_control.h"
#include "orphans.h"
#include "output.h"
#include "stop.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

bool start_is_program(const struct pidring_process *process)
{
	return process->settings->program != NULL;
}

/* --- the order of the checks is fixed: closed, twice, wrong process, daemonic parent --- */

static int check_start(struct pidring_process *process)
{
	if (process->closed)
		return explain_closed(process);
	if (process->kind == PROCESS_CHILD && process->state != PROCESS_INITIAL && process != family.current)
		return explain(-EALREADY, "process '%s' cannot be started twice", process->name);
	if (!process_is_ours(process))
		return explain(-ECHILD, "process '%s' was not constructed by this process", process->name);
	if (family.current->daemon)
		return explain(-EPERM,
		               "process '%s' cannot be started: daemons are not allowed to have children",
		               process->name);
	if (!process->engine)
		return explain(-ESHUTDOWN, "process '%s' cannot be started: its engine was closed",
		               process->name);
	return 0;
}

/* Some kernels go on to kill whatever is created in a group that was killed once. */
static int check_cgroup(const struct pidring_process *process)
{
	const struct pidring_cgroup *cgroup = process->settings->cgroup;

	if (cgroup && cgroup_descriptor(cgroup) < 0)
		return explain(-EBADF,
		               "process '%s' cannot be started: its control group was freed, or is "
		               "another process's",
		               process->name);
	if (cgroup && cgroup_was_killed(cgroup))
		return explain(-ESTALE, "process '%s' cannot be started: its control group was killed",
		               process->name);
	return 0;
}

/* With the lock held. */
static int begin(struct start *start)
{
	struct pidring_process *process = start->process;

	process_localize(process);
	int r = check_start(process);
	if (r < 0) {
		/* Why an asynchronous start failed, which may not have been told yet, is worth more. */
		if (process->state == PROCESS_INITIAL || process->failure.step == PIDRING_STEP_NONE)
			start_fail(&process->failure, PIDRING_STEP_STATE, r);
		return r;
	}
	family_reap(false);
	r = engine_own_low(process->engine);
	if (r < 0) {
		explain(r, "no descriptors for a start: %s", strerror(-r));
		return start_fail(&process->failure, PIDRING_STEP_PREPARE, r);
	}
	r = check_cgroup(process);
	if (r < 0)
		return start_fail(&process->failure, PIDRING_STEP_CGROUP, r);
	r = start_find_server(start);
	if (r < 0)
		return start_fail(&process->failure, PIDRING_STEP_FORKSERVER, r);
	start->paths = process->engine->paths;
	start->paths.self_pidfd = process->engine->low->self;
	process->low = process->engine->low;
	process->low->references++;
	TAILQ_INSERT_TAIL(&family.starts, process, start_link);
	orphans_birth_begins(process);
	if (process->settings->cgroup)
		cgroup_entry_begins(process->settings->cgroup);
	process->entering = process->settings->cgroup;
	start->reports = start_is_program(process);
	process->state = PROCESS_STARTING;
	process->references++;
	process->failure = (struct pidring_failure){ 0 };
	return 0;
}

/* --- the answer --- */

/* With the lock held: back to the beginning. */
static void roll_back(struct start *start)
{
	struct pidring_process *process = start->process;

	start_release(process);
	process_close_own_ends(process);
	process->failure = start->failure;
	process->pidfd = -1;
	process->state = PROCESS_INITIAL;
	process_unreference(process);
}

/* With the lock held: from now on everybody sees it. */
static void publish(struct start *start)
{
	struct pidring_process *process = start->process;

	start_take_newborn(process);
	process->state = PROCESS_STARTED;
	process->pid = process->newborn.pid;
	process->birth = process->newborn.birth;
	family_add_child(process);
	if (process->engine) {
		process->exit_watch.item.descriptor = process->pidfd;
		engine_count(process);
		engine_watch(process, &process->exit_watch);
		job_control_begin(process);
		output_begin(process);
		input_begin(process);
	}
	deadline_begin(process);
}

/* Waits without the lock until the child is known to run, or not to. */
static int await_report(struct start *start)
{
	if (!start->reports || start->process->settings->asynchronous)
		return 0;

	struct pidring_process *process = start->process;
	struct birth_slot *slot = process->slot;

	birth_program_wait(slot, process->pidfd);
	start_read_report(process);
	if (slot->plan->failed_error == 0)
		return 0;
	int r = start_explain_child(process, &start->failure);
	start_reap_stillborn(process);
	return r;
}

/* With the lock held: what the child still looks at stays. From here on another thread may free the object. */
static void publish_and_leave(struct start *start)
{
	struct pidring_process *process = start->process;

	publish(start);
	if (process->slot) {
		start_leave_to_watch(process);
	} else {
		start_release(process);
		/* A function that was to be served, but is a fork. */
		if (process->settings->asynchronous)
			engine_push(process, EVENT_STARTED);
	}
	process_unreference(process);
}

/* A child that was not created in its control group: it is in there when it has settled. */
static bool enters_by_itself(const struct pidring_process *process)
{
	return process->slot && process->slot->plan->enter_cgroup && !process->slot->plan->cgroup_by_clone;
}

/* Between creating the child and waiting for its exec; start_many comes by here for all before it goes on. */
static int first_half(struct start *start)
{
	struct pidring_process *process = start->process;

	family_enter();
	int r = begin(start);
	family_leave();
	if (r < 0)
		return r;

	r = start_prepare(start);
	if (r == 0)
		r = start_give_birth(start);
	/* The child has its own copy. */
	process_release_special(start->parent);

	family_enter();
	orphans_birth_ended(process);
	if (r < 0 || !enters_by_itself(process))
		start_entry_ended(process, r == 0);
	if (r < 0) {
		roll_back(start);
	} else if (!start->waits) {
		publish_and_leave(start);
	} else {
		/* Known to forks that come before the exec does. */
		start_take_newborn(process);
	}
	family_leave();
	return r;
}

/* With the lock held: it runs. */
static void publish_settled(struct start *start)
{
	struct pidring_process *process = start->process;

	start_release(process);
	publish(start);
	if (process->settings->report_exec)
		engine_push(process, EVENT_STARTED);
	process_unreference(process);
}

static int second_half(struct start *start)
{
	if (!start->waits)
		return 0;
	int r = start_await_newborn(start);
	if (r == 0) {
		family_enter();
		start_take_newborn(start->process);
		family_leave();
		r = await_report(start);
	}
	family_enter();
	if (r < 0)
		roll_back(start);
	else if (start->reports && !start->process->settings->asynchronous)
		publish_settled(start);
	else
		publish_and_leave(start);
	family_leave();
	return r;
}

static void begin_again(struct start *start)
{
	*start = (struct start){ .process = start->process,
		                 .reset = start->reset,
		                 .attempts = start->attempts + 1 };
}

/* A server that is lost is made anew, or done without. */
int start_first_half(struct start *start)
{
	int r = first_half(start);

	while (start->server_lost) {
		begin_again(start);
		r = first_half(start);
	}
	return r;
}

int start_finish(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!start->asked)
		return second_half(start);
	/* Another thread may free it as soon as it is not being started. */
	family_enter();
	process->references++;
	family_leave();
	int r = second_half(start);
	while (start->server_lost && process->has_handle) {
		begin_again(start);
		r = start_first_half(start);
		if (r == 0)
			r = second_half(start);
	}
	family_enter();
	process_unreference(process);
	family_leave();
	return r;
}

int pidring_process_start(struct pidring_process *process)
{
	struct start start;
	int cancelability;

	if (!process)
		return explain(-EINVAL, "pidring_process_start: process is NULL");
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	start = (struct start){ .process = process, .reset = SYS_ALL_SIGNALS };
	int r = start_first_half(&start);
	if (r == 0)
		r = start_finish(&start);
	pthread_setcancelstate(cancelability, NULL);
	return r;
}
