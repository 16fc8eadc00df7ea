/* SPDX-License-Identifier: MIT */
#include "run_job.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "run_clock.h"

/* How long to look for events without sleeping, and how often in vain before it is left at one wait in 2^n.
 */
#define SPIN            (INT64_C(100) * 1000)
#define MOST_VAIN_SPINS 4

static int64_t wait_timeout(const struct jobs *jobs)
{
	int64_t timeout = run_status_timeout(jobs->with.status);
	int64_t left;

	if (jobs_take_the_rest(jobs))
		return 0;
	if (jobs->ending != ENDING_ASKED)
		return timeout;
	left = jobs->kill_at - run_clock_now();
	if (left < 0)
		left = 0;
	return left < timeout ? left : timeout;
}

/* Looks for events again and again for a short while, whoever needs the processor going first. */
static int spin(struct jobs *jobs, struct pidring_event *events)
{
	int64_t end = run_clock_now() + SPIN;
	int count;

	do {
		count = pidring_wait(jobs->with.engine, events, RUN_BATCH, 0);
		if (count != 0)
			return count;
		sched_yield();
	} while (run_clock_now() < end);
	return 0;
}

/*
 * A job that ends within microseconds is over before a processor has gone to sleep and been woken up again;
 * so that wait is tried first without sleeping. Where jobs last longer it is in vain, and tried ever more
 * rarely.
 */
static int spin_if_promising(struct jobs *jobs, struct pidring_event *events)
{
	int count;

	if (jobs->waits_to_sleep > 0) {
		jobs->waits_to_sleep--;
		return 0;
	}
	count = spin(jobs, events);
	if (count != 0)
		jobs->vain_spins = 0;
	else if (jobs->vain_spins < MOST_VAIN_SPINS)
		jobs->vain_spins++;
	jobs->waits_to_sleep = (1U << jobs->vain_spins) - 1;
	return count;
}

static int fetch_events(struct jobs *jobs, struct pidring_event *events, int64_t timeout)
{
	int count = timeout > 0 ? spin_if_promising(jobs, events) : 0;

	if (count != 0)
		return count;
	return pidring_wait_interruptible(jobs->with.engine, events, RUN_BATCH, timeout,
	                                  &jobs->with.signals->waiting);
}

static void take_event(struct jobs *jobs, const struct pidring_event *event)
{
	struct job *job = event->user_data;

	switch (event->type) {
	case PIDRING_START_FAILED:
		jobs_fail_to_start(jobs, job);
		break;
	case PIDRING_OUTPUT:
		run_output_take(jobs->with.output, job->output, event->stream, event->data, event->length);
		if (job->has_ended && jobs->ending != ENDING_NOT)
			job->late_bytes += event->length;
		break;
	case PIDRING_OUTPUT_ENDED:
		jobs_end_stream(jobs, event);
		break;
	case PIDRING_DEADLINE_PASSED:
		job->timed_out = true;
		break;
	case PIDRING_EXITED:
		jobs_end(jobs, event);
		break;
	default:
		break;
	}
	if (event->last)
		jobs_let_go(jobs, job);
}

/* Fetches events and deals with them. 0 or a negated errno. */
static int take_events(struct jobs *jobs, int64_t timeout)
{
	struct pidring_event events[RUN_BATCH];
	int count = fetch_events(jobs, events, timeout);

	if (count == -EINTR)
		return 0;
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		take_event(jobs, &events[i]);
	jobs_follow_output(jobs);
	if (jobs_take_the_rest(jobs))
		jobs_let_go_emptied(jobs, count == 0);
	if (count > 0)
		run_status_changed(jobs->with.status);
	return 0;
}

/* Waits for items as well as for events. */
static int wait_for_both(struct jobs *jobs, int64_t timeout)
{
	struct timespec limit = { .tv_sec = timeout / RUN_SECOND, .tv_nsec = timeout % RUN_SECOND };
	struct pollfd descriptors[2] = { { .fd = jobs->with.items->descriptor, .events = POLLIN },
		                         { .fd = -1, .events = POLLIN } };

	if (jobs->running + jobs->draining > 0)
		descriptors[1].fd = pidring_fd(jobs->with.engine);
	if (jobs->running + jobs->draining > 0 && descriptors[1].fd < 0)
		return descriptors[1].fd;
	if (ppoll(descriptors, 2, timeout == PIDRING_FOREVER ? NULL : &limit, &jobs->with.signals->waiting) <
	    0)
		return errno == EINTR ? 0 : -errno;
	return descriptors[1].revents ? take_events(jobs, 0) : 0;
}

static int wait_for_something(struct jobs *jobs)
{
	int64_t timeout = wait_timeout(jobs);

	if (jobs->wants_items && !jobs->no_more)
		return wait_for_both(jobs, timeout);
	return take_events(jobs, timeout);
}

static bool more_to_start(const struct jobs *jobs)
{
	return !jobs->no_more && !jobs->items_at_end && !jobs->wants_items && jobs_have_room(jobs);
}

static bool is_finished(const struct jobs *jobs)
{
	if (jobs->running + jobs->draining > 0)
		return false;
	return jobs->no_more || jobs_all_started(jobs);
}

static void refresh_status(struct jobs *jobs)
{
	const struct run_counts counts = { jobs->done, jobs->running, jobs->failed };
	const struct job *shown = jobs->newest;

	run_status_refresh(jobs->with.status, &counts, shown ? shown->item : NULL,
	                   shown ? shown->item_length : 0);
}

static bool may_start_prepared(const struct jobs *jobs)
{
	return jobs->prepared_count > 0 && !jobs->no_more && jobs->running < jobs->limit &&
	       jobs->running + jobs->draining < jobs->capacity;
}

/* The first half of a turn: follows signals, starts jobs, tells about it. */
static void start_some(struct jobs *jobs)
{
	/* A wait for what is there already lets no signal in. */
	run_signals_look(jobs->with.signals);
	jobs_follow_signals(jobs);
	jobs_prepare(jobs);
	if (may_start_prepared(jobs))
		jobs_start_prepared(jobs);
	refresh_status(jobs);
	/* Starts and messages let signals in, too, and a wait need not have an end. */
	jobs_follow_signals(jobs);
	run_output_set_alone(jobs->with.output, jobs->limit == 1 || jobs->no_more || jobs_all_started(jobs));
}

/* The second half of a turn. 0 or a negated errno after which there can be no further turn. */
static int take_what_comes(struct jobs *jobs)
{
	if (!more_to_start(jobs))
		return wait_for_something(jobs);
	/* Slots are still free after a whole portion of starts: only a glance, then the next portion. */
	return take_events(jobs, 0);
}

/* The engine has failed: nothing can be waited for but the jobs themselves. */
static void give_up(struct jobs *jobs, int error)
{
	run_status_say(jobs->with.status, NULL, 0, "cannot wait for the jobs: %s", strerror(-error));
	jobs_stop_with(jobs, RUN_ERROR);
	if (jobs->ending != ENDING_NOT)
		jobs->ending = ENDING_KILLED;
	jobs_signal_running(jobs, SIGKILL);
	while (jobs->oldest) {
		struct job *job = jobs->oldest;
		int code = 0;

		pidring_process_join(job->process, PIDRING_FOREVER);
		pidring_process_exit_code(job->process, &code);
		jobs_count_killed(jobs, code);
		jobs_remove(jobs, job);
		jobs_release_slot(jobs, job);
	}
	jobs_cut_output(jobs);
}

/* The jobs are not to wait for a reader. */
static void follow_during_write(void *context)
{
	jobs_follow_signals(context);
}

enum run_exit_status run_jobs(const struct run_surroundings *surroundings)
{
	struct jobs jobs = { .with = *surroundings,
		             .limit = surroundings->limit,
		             .capacity = surroundings->capacity };

	surroundings->writer->on_signal = follow_during_write;
	surroundings->writer->context = &jobs;
	for (;;) {
		int result;

		start_some(&jobs);
		if (is_finished(&jobs))
			break;
		result = take_what_comes(&jobs);
		if (result < 0) {
			give_up(&jobs, result);
			break;
		}
	}
	jobs_free_slots(&jobs);
	jobs_follow_output(&jobs);
	run_status_clear(jobs.with.status);
	jobs_report_ended(&jobs);
	surroundings->writer->on_signal = NULL;
	return jobs.exit_status;
}
