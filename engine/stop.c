/* SPDX-License-Identifier: MIT */
/*
 * Deadlines, and stopping step by step.
 *
 * Signals to a group go through the leader's pidfd, which stands for the group, too, and never for a later one of
 * the same number. A child makes its group itself, some time after the start: until then nobody is in it, and the
 * child alone is all that there is to signal.
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

static bool leads_group(const struct pidring_process *process)
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
	return !process->stopping.group || signal_group(process, 0) == -ESRCH;
}

static void end_stop(struct pidring_process *process)
{
	struct stopping *stopping = &process->stopping;

	stopping->left = 0;
	stopping->outlives = false;
	free(stopping->own_steps);
	stopping->own_steps = NULL;
	engine_set_timer(process, &process->stop_timer, INT64_MAX);
}

static int send_signal(struct pidring_process *process, int signal_number)
{
	if (signal_number == 0)
		return 0;
	int r = process->stopping.group ? signal_group(process, signal_number)
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

/* Nobody tells when the last of a group is gone. */
enum { LOOK_EVERY = 20 * 1000 * 1000 };

static int64_t next_look(const struct pidring_process *process)
{
	int64_t next = process->stopping.next;

	if (process->state != PROCESS_ENDED)
		return next;
	int64_t look = clock_deadline(LOOK_EVERY);
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
	end_stop(process);
}

void stop_due(struct pidring_process *process)
{
	process->references++;
	carry_on(process);
	process_unreference(process);
}

bool stop_is_under_way(const struct pidring_process *process)
{
	return process->stopping.left > 0;
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

/* Takes over `own_steps`, if there are any. -EPERM: not even the first signal may be sent. */
static int begin_stop(struct pidring_process *process, struct pidring_stop_step *own_steps, size_t count,
                      bool group)
{
	struct stopping *stopping = &process->stopping;

	process_look(process);
	/* If its last event has not been told, the end of a group's stop will be. */
	bool outlives = stopping->outlives || (group && process->state == PROCESS_ENDED && process->counted);
	end_stop(process);
	stopping->outlives = outlives;
	if (own_steps) {
		stopping->steps = stopping->own_steps = own_steps;
		stopping->left = count;
	} else {
		take_default_steps(process);
	}
	stopping->group = group;
	int r = 0;
	/* A look may find the end, and go on from there. */
	if (!is_over(process) && stopping->left > 0)
		r = take_step(process);
	if (r == -EPERM)
		stopping->left = 0;
	carry_on(process);
	return r == -EPERM ? r : 0;
}

void stop_at_end(struct pidring_process *process)
{
	struct stopping *stopping = &process->stopping;

	engine_set_timer(process, &process->deadline_timer, INT64_MAX);
	if (!stopping->group || !process->has_handle || !process->engine) {
		end_stop(process);
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
	end_stop(process);
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

void deadline_due(struct pidring_process *process)
{
	process->references++;
	if (!process_look(process)) {
		process->deadline_passed = true;
		engine_push(process, EVENT_DEADLINE_PASSED);
		/* One that is under way would only begin again with its mildest signal. */
		if (process->stopping.left == 0)
			begin_stop(process, NULL, 0, process->settings->stop_group);
	}
	process_unreference(process);
}

/* --- calls --- */

/* With the lock held: why a signal cannot be sent to it by this process. */
static int check_started(const struct pidring_process *process, const char *what)
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
static int check_timed(const struct pidring_process *process, const char *what)
{
	int r = check_started(process, what);

	if (r == 0 && !process->engine)
		r = explain(-ESHUTDOWN, "process '%s' cannot be %s: its engine was closed", process->name,
		            what);
	return r;
}

static int explain_parent(void)
{
	return explain(-EPERM, "the parent process is not signalled");
}

int pidring_process_signal_group(struct pidring_process *process, int signal_number)
{
	if (!process)
		return explain_null("pidring_process_signal_group");
	if (process->kind == PROCESS_PARENT)
		return explain_parent();
	if (signal_number < 0 || signal_number > SYS_SIGNALS)
		return explain(-EINVAL, "there is no signal %d", signal_number);
	process_enter(process);
	int r = check_started(process, "signalled with its group");
	if (r == 0 && !leads_group(process)) {
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

/* With the lock held. Takes `steps` over. */
static int stop(struct pidring_process *process, struct pidring_stop_step *steps, size_t count, bool group)
{
	int r = check_timed(process, "stopped");

	group |= r == 0 && process->settings->stop_group;
	if (r == 0 && group && !leads_group(process))
		r = explain_no_group(process);
	if (r < 0) {
		free(steps);
		return r;
	}
	r = begin_stop(process, steps, count, group);
	return r < 0 ? explain(r, "process '%s' may not be signalled: %s", process->name, strerror(-r)) : 0;
}

int pidring_process_stop(struct pidring_process *process, const struct pidring_stop_options *options)
{
	struct pidring_stop_options read;
	struct pidring_stop_step *steps = NULL;

	if (!process)
		return explain_null("pidring_process_stop");
	if (process->kind == PROCESS_PARENT)
		return explain_parent();
	int r = stop_options_read(&read, options);
	if (r == 0)
		r = copy_steps(&steps, &read);
	if (r < 0)
		return r;
	process_enter(process);
	r = stop(process, steps, read.step_count, read.group);
	family_leave();
	return r;
}

int pidring_process_set_deadline(struct pidring_process *process, int64_t timeout)
{
	if (!process)
		return explain_null("pidring_process_set_deadline");
	if (process->kind == PROCESS_PARENT)
		return explain_parent();
	process_enter(process);
	int r = check_timed(process, "given a deadline");
	if (r == 0 && !process_look(process))
		engine_set_timer(process, &process->deadline_timer, clock_deadline(timeout));
	family_leave();
	return r;
}
