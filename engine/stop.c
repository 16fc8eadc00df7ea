/* SPDX-License-Identifier: MIT */
/*
 * Deadlines, and stopping step by step.
 *
 * Signals to a group go through the leader's pidfd, which stands for the group, too, and never for a later one of
 * the same number. A child makes its group itself, some time after the start: until then nobody is in it, and the
 * child alone is all that there is to signal. How a tree is stopped is in stop_tree.c.
 */
#include "stop.h"

#include "clock.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "process.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A process that is stopped acts upon SIGTERM only when it goes on. */
static const struct pidring_stop_step default_steps[] = {
	{ SIGTERM, 0 },
	{ SIGCONT, 5 * CLOCK_SECOND },
	{ SIGKILL, 0 },
};

/* --- groups --- */

bool stop_leads_group(const struct pidring_process *process)
{
	const struct settings *settings = process->settings;

	return settings->new_session || settings->new_group || settings_terminal(settings) >= 0;
}

static int explain_no_group(const struct pidring_process *process)
{
	return explain(-EPERM,
	               "process '%s' leads no group of its own: it has neither new_group nor new_session nor "
	               "a terminal",
	               process->name);
}

/* The number is the group's for certain only until the leader has been reaped. */
static int signal_group_by_number(struct pidring_process *process, int signal_number)
{
	if (process_look(process))
		return -ESRCH;
	return kill(-process->pid, signal_number) < 0 ? -errno : 0;
}

/* -ESRCH: nobody is left. */
static int signal_group(struct pidring_process *process, int signal_number)
{
	int r = sys_pidfd_signal_group(process->pidfd, signal_number);

	if (r == -EINVAL)
		r = signal_group_by_number(process, signal_number);
	if (r == -ESRCH && !process_look(process))
		r = sys_pidfd_send_signal(process->pidfd, signal_number);
	return r;
}

/* --- step by step --- */

static bool is_over(struct pidring_process *process)
{
	if (!process_look(process))
		return false;
	return process->stopping.scope != STOP_GROUP || signal_group(process, 0) == -ESRCH;
}

void stop_end(struct pidring_process *process)
{
	struct stopping *stopping = &process->stopping;

	stopping->serial++;
	stopping->left = 0;
	stopping->outlives = stopping->to_tell = stopping->walking = stopping->kills = false;
	free(stopping->own_steps);
	stopping->own_steps = NULL;
	engine_set_timer(process, &process->stop_timer, INT64_MAX);
}

static int send_signal(struct pidring_process *process, int signal_number)
{
	if (signal_number == 0)
		return 0;
	int r = process->stopping.scope == STOP_GROUP ? signal_group(process, signal_number)
	                                              : sys_pidfd_send_signal(process->pidfd, signal_number);
	/* SIGCONT ends nothing. */
	if (r == 0 && signal_number != SIGCONT)
		process->stopping.last_signal = signal_number;
	return r;
}

static int take_step(struct pidring_process *process)
{
	struct stopping *stopping = &process->stopping;
	int signal_number = stopping->steps->signal_number;

	stopping->next = clock_deadline(stopping->steps->wait);
	stopping->steps++;
	stopping->left--;
	return send_signal(process, signal_number);
}

static int64_t next_look(const struct pidring_process *process)
{
	int64_t next = process->stopping.next;

	if (process->state != PROCESS_ENDED)
		return next;
	int64_t look = clock_deadline(STOP_LOOK_EVERY);
	return look < next ? look : next;
}

static void tell_end(struct pidring_process *process, bool is_over)
{
	process->stopping.end_code = is_over ? 0 : process->stopping.last_signal;
	engine_push(process, EVENT_GROUP_STOPPED);
}

/* A signal that could not be sent does not keep the next from being tried. */
static void carry_on(struct pidring_process *process)
{
	struct stopping *stopping = &process->stopping;
	bool over = is_over(process);

	while (stopping->left > 0 && !over) {
		if (clock_remaining(stopping->next) > 0) {
			engine_set_timer(process, &process->stop_timer, next_look(process));
			return;
		}
		take_step(process);
		over = is_over(process);
	}
	if (stopping->outlives)
		tell_end(process, over);
	stop_end(process);
}

void stop_due(struct pidring_process *process)
{
	if (process->stopping.scope == STOP_TREE) {
		stop_tree_due(process);
		return;
	}
	process->references++;
	carry_on(process);
	process_unreference(process);
}

bool stop_is_under_way(const struct pidring_process *process)
{
	return process->stopping.left > 0 || process->stopping.to_tell;
}

static void take_default_steps(struct pidring_process *process)
{
	const struct settings *settings = process->settings;
	struct stopping *stopping = &process->stopping;

	stopping->steps = settings->stop_steps;
	stopping->left = settings->stop_step_count;
	if (stopping->left > 0)
		return;
	stopping->steps = default_steps;
	stopping->left = sizeof default_steps / sizeof default_steps[0];
}

static enum stop_scope own_scope(const struct pidring_process *process)
{
	if (process->settings->stop_tree)
		return STOP_TREE;
	return process->settings->stop_group ? STOP_GROUP : STOP_PROCESS;
}

/* One that has outlived the process is told of also if another takes its place; only one of the same kind does so
 * later. */
static void give_way(struct pidring_process *process, enum stop_scope scope)
{
	struct stopping *stopping = &process->stopping;
	bool outlives = stopping->outlives;

	if (scope == STOP_TREE && outlives)
		tell_end(process, is_over(process));
	if (scope != STOP_TREE && stopping->to_tell && process->state == PROCESS_ENDED)
		stop_tree_tell(process, stopping->last_signal);
	stop_end(process);
	stopping->outlives = scope != STOP_TREE && outlives;
}

/* Takes over `own_steps`, if there are any. */
static void take_steps(struct pidring_process *process, struct pidring_stop_step *own_steps, size_t count,
                       enum stop_scope scope)
{
	struct stopping *stopping = &process->stopping;

	process_look(process);
	give_way(process, scope);
	stopping->scope = scope;
	if (own_steps) {
		stopping->steps = stopping->own_steps = own_steps;
		stopping->left = count;
	} else {
		take_default_steps(process);
	}
}

/* The same, and begins. -EPERM: not even the first signal may be sent. */
static int begin_stop(struct pidring_process *process, struct pidring_stop_step *own_steps, size_t count,
                      enum stop_scope scope)
{
	struct stopping *stopping = &process->stopping;
	int r = 0;

	take_steps(process, own_steps, count, scope);
	/* If its last event has not been told, the end of a group's stop will be. */
	if (scope == STOP_GROUP && process->state == PROCESS_ENDED && process->counted)
		stopping->outlives = true;
	/* A look may find the end, and go on from there. */
	if (!is_over(process) && stopping->left > 0)
		r = take_step(process);
	if (r == -EPERM)
		stopping->left = 0;
	carry_on(process);
	return r == -EPERM ? r : 0;
}

/* The first step is due now, and is the caller's to take. */
static void begin_tree_stop(struct pidring_process *process, struct pidring_stop_step *own_steps,
                            size_t count)
{
	struct stopping *stopping = &process->stopping;

	take_steps(process, own_steps, count, STOP_TREE);
	stopping->next = 0;
	stopping->to_tell = process->state != PROCESS_ENDED || process->counted;
}

void stop_at_end(struct pidring_process *process)
{
	struct stopping *stopping = &process->stopping;

	engine_set_timer(process, &process->deadline_timer, INT64_MAX);
	if (stopping->scope == STOP_PROCESS || !process->has_handle || !process->engine) {
		stop_end(process);
		return;
	}
	if (stopping->scope == STOP_TREE) {
		if (stopping->to_tell)
			engine_set_timer(process, &process->stop_timer, 0);
		return;
	}
	if (stopping->left == 0)
		return;
	carry_on(process);
	stopping->outlives = stopping->left > 0;
}

void stop_forget(struct pidring_process *process)
{
	engine_set_timer(process, &process->deadline_timer, INT64_MAX);
	stop_end(process);
}

/* --- deadlines --- */

void deadline_begin(struct pidring_process *process)
{
	int64_t deadline = process->settings->deadline;

	if (deadline <= 0)
		return;
	if (deadline > INT64_MAX - process->start_time)
		deadline = INT64_MAX - process->start_time;
	engine_set_timer(process, &process->deadline_timer, process->start_time + deadline);
}

static void stop_by_deadline(struct pidring_process *process)
{
	enum stop_scope scope = own_scope(process);

	if (scope != STOP_TREE) {
		begin_stop(process, NULL, 0, scope);
		return;
	}
	begin_tree_stop(process, NULL, 0);
	engine_set_timer(process, &process->stop_timer, 0);
}

void stop_by_kill(struct pidring_process *process)
{
	static const struct pidring_stop_step step = { SIGKILL, 0 };

	begin_tree_stop(process, NULL, 0);
	process->stopping.steps = &step;
	process->stopping.left = 1;
}

void deadline_due(struct pidring_process *process)
{
	process->references++;
	if (!process_look(process)) {
		process->deadline_passed = true;
		engine_push(process, EVENT_DEADLINE_PASSED);
		/* One that is under way would only begin again with its mildest signal. */
		if (process->stopping.left == 0)
			stop_by_deadline(process);
	}
	process_unreference(process);
}

/* --- calls --- */

/* With the lock held: why a signal cannot be sent to it by this process. */
int stop_check_started(const struct pidring_process *process, const char *what)
{
	if (process->closed)
		return explain_closed(process);
	if (process == family.current)
		return explain_not_started(process);
	if (!process_is_ours(process))
		return explain_foreign(process, what);
	if (process->state == PROCESS_INITIAL || process->state == PROCESS_STARTING)
		return explain_not_started(process);
	return 0;
}

/* And why nothing can be done to it later. */
int stop_check_timed(const struct pidring_process *process, const char *what)
{
	int r = stop_check_started(process, what);

	if (r == 0 && !process->engine)
		r = explain(-ESHUTDOWN, "process '%s' cannot be %s: its engine was closed", process->name,
		            what);
	return r;
}

int stop_explain_parent(void)
{
	return explain(-EPERM, "the parent process is not signalled");
}

int pidring_process_signal_group(struct pidring_process *process, int signal_number)
{
	if (!process)
		return explain_null("pidring_process_signal_group");
	if (process->kind == PROCESS_PARENT)
		return stop_explain_parent();
	if (signal_number < 0 || signal_number > SYS_SIGNALS)
		return explain(-EINVAL, "there is no signal %d", signal_number);
	process_enter(process);
	int r = stop_check_started(process, "signalled with its group");
	if (r == 0 && !stop_leads_group(process)) {
		r = explain_no_group(process);
	} else if (r == 0) {
		/* Reaped here if it has ended: a zombie would be taken for somebody. */
		process_look(process);
		r = signal_group(process, signal_number);
		if (r < 0)
			explain(r, "signal %d to the group of process '%s': %s", signal_number, process->name,
			        strerror(-r));
	}
	family_leave();
	return r;
}

/* Copies the steps, if there are any; else *ret_steps stays. */
static int copy_steps(struct pidring_stop_step **ret_steps, const struct pidring_stop_options *options)
{
	if (options->step_count == 0)
		return 0;
	struct pidring_stop_step *steps = calloc(options->step_count, sizeof *steps);
	if (!steps)
		return explain(-ENOMEM, "no memory for %zu steps", options->step_count);
	memcpy(steps, options->steps, options->step_count * sizeof *steps);
	*ret_steps = steps;
	return 0;
}

static enum stop_scope scope_of(const struct pidring_process *process,
                                const struct pidring_stop_options *options)
{
	enum stop_scope scope = own_scope(process);

	if (options->tree)
		return STOP_TREE;
	return options->group && scope == STOP_PROCESS ? STOP_GROUP : scope;
}

/* With the lock held. Takes `steps` over. */
static int stop(struct pidring_process *process, struct pidring_stop_step *steps,
                const struct pidring_stop_options *options)
{
	int r = stop_check_timed(process, "stopped");
	enum stop_scope scope = r == 0 ? scope_of(process, options) : STOP_PROCESS;

	if (r == 0 && scope == STOP_GROUP && !stop_leads_group(process))
		r = explain_no_group(process);
	if (r < 0) {
		free(steps);
		return r;
	}
	if (scope == STOP_TREE) {
		begin_tree_stop(process, steps, options->step_count);
		return stop_tree_begin(process);
	}
	r = begin_stop(process, steps, options->step_count, scope);
	return r < 0 ? explain(r, "process '%s' may not be signalled: %s", process->name, strerror(-r)) : 0;
}

int pidring_process_stop(struct pidring_process *process, const struct pidring_stop_options *options)
{
	struct pidring_stop_options read;
	struct pidring_stop_step *steps = NULL;

	if (!process)
		return explain_null("pidring_process_stop");
	if (process->kind == PROCESS_PARENT)
		return stop_explain_parent();
	int r = stop_options_read(&read, options);
	if (r == 0)
		r = copy_steps(&steps, &read);
	if (r < 0)
		return r;
	process_enter(process);
	r = stop(process, steps, &read);
	family_leave();
	return r;
}

int pidring_process_set_deadline(struct pidring_process *process, int64_t timeout)
{
	if (!process)
		return explain_null("pidring_process_set_deadline");
	if (process->kind == PROCESS_PARENT)
		return stop_explain_parent();
	process_enter(process);
	int r = stop_check_timed(process, "given a deadline");
	if (r == 0 && !process_look(process))
		engine_set_timer(process, &process->deadline_timer, clock_deadline(timeout));
	family_leave();
	return r;
}
