/* SPDX-License-Identifier: MIT */
#include "run_jobs.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "run_clock.h"
#include "run_exit.h"

/* Starts and events are handled in portions, so that neither keeps the other waiting for long. */
#define BATCH 64

/* How long to look for events without sleeping, and how often in vain before it is left at one wait in 2^n.
 */
#define SPIN            (INT64_C(100) * 1000)
#define MOST_VAIN_SPINS 4

/* How long jobs may take to end after SIGTERM. */
#define GRACE (5 * RUN_SECOND)

/* A slot for a job. The memory is used again for the next one. */
struct job {
	struct pidring_process *process;
	struct job *
		older; /* among the running ones, in the order of their start; when free: the next free one */
	struct job *newer;
	size_t number;     /* of the start, from 0 */
	bool start_failed; /* it ran no program */
	char *item;
	size_t item_length;
	size_t item_room;
};

/* What is being done about jobs that run while pidring-run has been asked to stop. */
enum ending {
	ENDING_NOT = 0,
	ENDING_ASKED,  /* they have got SIGTERM */
	ENDING_KILLED, /* they have got SIGKILL */
};

struct jobs {
	struct run_surroundings with;
	size_t limit; /* as with.limit, or less where the system could not bear so many */

	struct job *oldest;
	struct job *newest;
	struct job *free;
	size_t running;
	size_t numbers_given;
	size_t done;
	size_t failed;

	/* Constructed and still to be started. */
	struct job *prepared[BATCH];
	size_t prepared_count;

	unsigned vain_spins;     /* one after the other, until now */
	unsigned waits_to_sleep; /* before the next spin */

	bool no_more;      /* nothing is to be started any more */
	bool wants_items;  /* a slot is free, but the next item has not come yet */
	bool items_at_end; /* there are no more */
	enum run_exit_status exit_status;

	enum ending ending;
	size_t to_end; /* how many ran when the first signal came */
	size_t killed; /* how many of them our SIGKILL has ended */
	int64_t kill_at;
};

static void stop_with(struct jobs *jobs, enum run_exit_status exit_status)
{
	/* The first reason to stop is the one that is told. */
	if (!jobs->no_more)
		jobs->exit_status = exit_status;
	jobs->no_more = true;
}

/* --- the slots --- */

static void release_slot(struct jobs *jobs, struct job *job)
{
	pidring_process_free(job->process);
	job->process = NULL;
	job->older = jobs->free;
	jobs->free = job;
}

static struct job *take_slot(struct jobs *jobs)
{
	struct job *job = jobs->free;

	if (!job)
		return calloc(1, sizeof(*job));
	jobs->free = job->older;
	return job;
}

static void add_running(struct jobs *jobs, struct job *job)
{
	job->older = jobs->newest;
	job->newer = NULL;
	*(jobs->newest ? &jobs->newest->newer : &jobs->oldest) = job;
	jobs->newest = job;
	job->number = jobs->numbers_given++;
	job->start_failed = false;
	jobs->running++;
}

static void remove_running(struct jobs *jobs, struct job *job)
{
	*(job->older ? &job->older->newer : &jobs->oldest) = job->newer;
	*(job->newer ? &job->newer->older : &jobs->newest) = job->older;
	jobs->running--;
}

static void free_slots(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->prepared_count; i++)
		release_slot(jobs, jobs->prepared[i]);
	while (jobs->free) {
		struct job *job = jobs->free;

		jobs->free = job->older;
		free(job->item);
		free(job);
	}
}

/* --- starting --- */

static int keep_item(struct job *job, const char *item, size_t length)
{
	if (!job->item || length + 1 > job->item_room) {
		char *larger = realloc(job->item, 2 * length + 64);

		if (!larger)
			return -ENOMEM;
		job->item = larger;
		job->item_room = 2 * length + 64;
	}
	memcpy(job->item, item, length + 1);
	job->item_length = length;
	return 0;
}

static int construct(struct jobs *jobs, struct job *job, const char *item, size_t length)
{
	struct pidring_options options = {
		.size = sizeof(options),
		.program = jobs->with.command->program,
		.user_data = job,
		/* While programs are being loaded on other processors, there are other jobs to see to. */
		.asynchronous = true,
		.keep_signals = jobs->with.signals->handed_on,
		.death_signal = SIGKILL,
	};
	int result = keep_item(job, item, length);

	if (result < 0)
		return result;
	result = run_command_fill(jobs->with.command, item, length, &options.argv);
	if (result < 0)
		return result;
	return pidring_process_new(&job->process, jobs->with.engine, &options);
}

static void prepare(struct jobs *jobs, const char *item, size_t length)
{
	struct job *job = take_slot(jobs);
	int result = job ? construct(jobs, job, item, length) : -ENOMEM;

	if (result == 0) {
		jobs->prepared[jobs->prepared_count++] = job;
		return;
	}
	run_status_say(jobs->with.status, item, length, "%s",
	               result == -ENOMEM ? strerror(ENOMEM) : pidring_explain());
	stop_with(jobs, RUN_ERROR);
	if (job)
		release_slot(jobs, job);
}

/* Constructs processes for the items that there are slots for. */
static void prepare_some(struct jobs *jobs)
{
	jobs->wants_items = false;
	while (!jobs->no_more && !jobs->items_at_end && jobs->prepared_count < BATCH &&
	       jobs->running + jobs->prepared_count < jobs->limit) {
		const char *item = NULL;
		size_t length = 0;

		switch (run_items_next(jobs->with.items, &item, &length)) {
		case RUN_ITEMS_ONE:
			prepare(jobs, item, length);
			break;
		case RUN_ITEMS_NOT_YET:
			jobs->wants_items = true;
			return;
		case RUN_ITEMS_END:
			jobs->items_at_end = true;
			return;
		case RUN_ITEMS_FAILED:
			run_status_say(jobs->with.status, NULL, 0, "%s", jobs->with.items->error);
			stop_with(jobs, RUN_ERROR);
			return;
		}
	}
}

/* Too many at a time: true if the end of a job that runs can mend that. */
static bool is_shortage(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

static enum run_exit_status start_failure_status(int error)
{
	/* What one item makes too long says nothing about the command, nor does a shortage. */
	if (error == E2BIG || is_shortage(error))
		return RUN_ERROR;
	return error == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_RUN;
}

static void report_start_failure(struct jobs *jobs, const struct job *job,
                                 const struct pidring_failure *failure)
{
	/* Of jobs that were started together, one that could not be is enough to know. */
	if (jobs->no_more)
		return;
	run_status_say(jobs->with.status, job->item, job->item_length, "%s", failure->sentence);
	stop_with(jobs, start_failure_status(failure->error));
}

/* Decides what becomes of a job that could not be started. True: it is to be tried again. */
static bool try_again(struct jobs *jobs, const struct job *job)
{
	struct pidring_failure failure = { .error = EINVAL };

	pidring_process_failure(job->process, &failure);
	if (!is_shortage(failure.error) || jobs->running == 0 || jobs->no_more) {
		report_start_failure(jobs, job, &failure);
		return false;
	}
	if (jobs->limit > jobs->running) {
		jobs->limit = jobs->running;
		run_status_say(jobs->with.status, NULL, 0, "going on with %zu jobs at a time: %s",
		               jobs->limit, failure.sentence);
	}
	return true;
}

static void start_prepared(struct jobs *jobs)
{
	struct pidring_process *processes[BATCH];
	size_t count = jobs->prepared_count;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		processes[i] = jobs->prepared[i]->process;
	/* The mask may be handed on; and between many short jobs there may never be a wait that lets a signal
	 * in. */
	run_signals_let_in(jobs->with.signals);
	pidring_start_many(processes, count);
	run_signals_hold_back(jobs->with.signals);

	/* Those that run are counted first: whether another try makes sense depends on them. */
	for (size_t i = 0; i < count; i++) {
		struct job *job = jobs->prepared[i];

		if (pidring_process_birth(job->process) != PIDRING_BIRTH_NONE)
			add_running(jobs, job);
		else
			jobs->prepared[kept++] = job;
	}
	jobs->prepared_count = 0;
	for (size_t i = 0; i < kept; i++) {
		if (try_again(jobs, jobs->prepared[i]))
			jobs->prepared[jobs->prepared_count++] = jobs->prepared[i];
		else
			release_slot(jobs, jobs->prepared[i]);
	}
	run_status_changed(jobs->with.status);
}

/* --- ending --- */

static void signal_running(struct jobs *jobs, int signal_number)
{
	for (struct job *job = jobs->oldest; job; job = job->newer)
		pidring_process_signal(job->process, signal_number);
}

static void ask_to_end(struct jobs *jobs)
{
	jobs->no_more = true;
	jobs->ending = ENDING_ASKED;
	jobs->to_end = jobs->running;
	jobs->kill_at = run_clock_now() + GRACE;
	signal_running(jobs, SIGTERM);
	/* One that is stopped could not follow. */
	signal_running(jobs, SIGCONT);
}

/* Does what the signals that have come and the time that has passed ask for. */
static void follow_signals(struct jobs *jobs)
{
	if (run_signals_first() == 0)
		return;
	if (jobs->ending == ENDING_NOT)
		ask_to_end(jobs);
	if (jobs->ending == ENDING_KILLED)
		return;
	if (!run_signals_insisted() && run_clock_now() < jobs->kill_at)
		return;
	jobs->ending = ENDING_KILLED;
	signal_running(jobs, SIGKILL);
}

static bool all_started(const struct jobs *jobs)
{
	return jobs->items_at_end && jobs->prepared_count == 0;
}

static const char *stop_remark(const struct jobs *jobs)
{
	return jobs->no_more || all_started(jobs) ? "" : "; no more jobs are started";
}

static void report_signalled(struct jobs *jobs, const struct job *job, int code)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	char name[32];

	run_exit_signal_name(code, name, sizeof(name));
	pidring_process_exit_record(job->process, &record);
	run_status_say(jobs->with.status, job->item, job->item_length, "ended by %s%s%s", name,
	               record.core_dumped ? " (core dumped)" : "", stop_remark(jobs));
}

static void count_killed(struct jobs *jobs, int code)
{
	if (jobs->ending == ENDING_KILLED && code == -SIGKILL)
		jobs->killed++;
}

static void end_by_signal(struct jobs *jobs, const struct job *job, int code)
{
	jobs->failed++;
	count_killed(jobs, code);
	if (jobs->ending != ENDING_NOT)
		return;
	report_signalled(jobs, job, code);
	stop_with(jobs, RUN_JOB_SIGNALLED);
}

static void end_by_exit(struct jobs *jobs, const struct job *job, int code)
{
	if (code == 0)
		return;
	jobs->failed++;
	run_status_say(jobs->with.status, job->item, job->item_length, "exit code %d%s", code,
	               code == 255 ? stop_remark(jobs) : "");
	if (code == 255)
		stop_with(jobs, RUN_JOB_EXITED_255);
	else if (jobs->exit_status == RUN_ALL_WELL)
		jobs->exit_status = RUN_JOBS_FAILED;
}

static void end_unknown(struct jobs *jobs, const struct job *job)
{
	jobs->failed++;
	run_status_say(jobs->with.status, job->item, job->item_length, "its exit code is lost%s",
	               stop_remark(jobs));
	stop_with(jobs, RUN_ERROR);
}

static void note_cost(struct jobs *jobs, const struct job *job)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	int result = pidring_process_exit_record(job->process, &record);

	if (result == 0)
		result = run_costs_add(jobs->with.costs, job->number, &record, job->item, job->item_length);
	if (result == 0)
		return;
	run_status_say(jobs->with.status, job->item, job->item_length, "its cost is lost: %s",
	               strerror(-result));
	if (jobs->exit_status == RUN_ALL_WELL)
		jobs->exit_status = RUN_ERROR;
}

static void fail_to_start(struct jobs *jobs, struct job *job)
{
	struct pidring_failure failure = { .error = EINVAL };

	job->start_failed = true;
	jobs->failed++;
	pidring_process_failure(job->process, &failure);
	report_start_failure(jobs, job, &failure);
}

static void end_job(struct jobs *jobs, const struct pidring_event *event)
{
	struct job *job = event->user_data;

	/* Ctrl-C reaches the jobs as well as us: it may be the reason. */
	if (!event->unknown && event->code < 0 && jobs->ending == ENDING_NOT) {
		run_signals_look(jobs->with.signals);
		follow_signals(jobs);
	}
	remove_running(jobs, job);
	jobs->done++;
	if (job->start_failed) {
		release_slot(jobs, job);
		return;
	}
	if (jobs->with.costs)
		note_cost(jobs, job);
	if (event->unknown)
		end_unknown(jobs, job);
	else if (event->code < 0)
		end_by_signal(jobs, job, event->code);
	else
		end_by_exit(jobs, job, event->code);
	release_slot(jobs, job);
}

/* --- waiting --- */

static int64_t wait_timeout(const struct jobs *jobs)
{
	int64_t timeout = run_status_timeout(jobs->with.status);
	int64_t left;

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
		count = pidring_wait(jobs->with.engine, events, BATCH, 0);
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
	return pidring_wait_interruptible(jobs->with.engine, events, BATCH, timeout,
	                                  &jobs->with.signals->waiting);
}

/* Fetches events and deals with them. 0 or a negated errno. */
static int take_events(struct jobs *jobs, int64_t timeout)
{
	struct pidring_event events[BATCH];
	int count = fetch_events(jobs, events, timeout);

	if (count == -EINTR)
		return 0;
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		if (events[i].type == PIDRING_START_FAILED)
			fail_to_start(jobs, events[i].user_data);
		else if (events[i].type == PIDRING_EXITED)
			end_job(jobs, &events[i]);
	}
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

	if (jobs->running > 0)
		descriptors[1].fd = pidring_fd(jobs->with.engine);
	if (jobs->running > 0 && descriptors[1].fd < 0)
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
	return !jobs->no_more && !jobs->items_at_end && !jobs->wants_items && jobs->running < jobs->limit;
}

static bool is_finished(const struct jobs *jobs)
{
	if (jobs->running > 0)
		return false;
	return jobs->no_more || all_started(jobs);
}

static void refresh_status(struct jobs *jobs)
{
	const struct run_counts counts = { jobs->done, jobs->running, jobs->failed };
	const struct job *shown = jobs->newest;

	run_status_refresh(jobs->with.status, &counts, shown ? shown->item : NULL,
	                   shown ? shown->item_length : 0);
}

/* The first half of a turn: follows signals, starts jobs, tells about it. */
static void start_some(struct jobs *jobs)
{
	/* A wait for what is there already lets no signal in. */
	run_signals_look(jobs->with.signals);
	follow_signals(jobs);
	prepare_some(jobs);
	if (jobs->prepared_count > 0 && !jobs->no_more && jobs->running < jobs->limit)
		start_prepared(jobs);
	refresh_status(jobs);
	/* Starts and messages let signals in, too, and a wait need not have an end. */
	follow_signals(jobs);
}

/* The second half of a turn. 0 or a negated errno after which there can be no further turn. */
static int take_what_comes(struct jobs *jobs)
{
	if (!more_to_start(jobs))
		return wait_for_something(jobs);
	/* Slots are still free after a whole portion of starts: only a glance, then the next portion. */
	return take_events(jobs, 0);
}

static void report_ended(struct jobs *jobs)
{
	char name[32];

	if (jobs->ending == ENDING_NOT || jobs->to_end == 0)
		return;
	run_exit_signal_name(-run_signals_first(), name, sizeof(name));
	run_status_say(jobs->with.status, NULL, 0,
	               "%s: %zu running %s asked to end: %zu did so, %zu had to be killed", name,
	               jobs->to_end, jobs->to_end == 1 ? "job was" : "jobs were", jobs->to_end - jobs->killed,
	               jobs->killed);
}

/* The engine has failed: nothing can be waited for but the jobs themselves. */
static void give_up(struct jobs *jobs, int error)
{
	run_status_say(jobs->with.status, NULL, 0, "cannot wait for the jobs: %s", strerror(-error));
	stop_with(jobs, RUN_ERROR);
	if (jobs->ending != ENDING_NOT)
		jobs->ending = ENDING_KILLED;
	signal_running(jobs, SIGKILL);
	while (jobs->oldest) {
		struct job *job = jobs->oldest;
		int code = 0;

		pidring_process_join(job->process, PIDRING_FOREVER);
		pidring_process_exit_code(job->process, &code);
		count_killed(jobs, code);
		remove_running(jobs, job);
		release_slot(jobs, job);
	}
}

enum run_exit_status run_jobs(const struct run_surroundings *surroundings)
{
	struct jobs jobs = { .with = *surroundings, .limit = surroundings->limit };

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
	run_status_clear(jobs.with.status);
	report_ended(&jobs);
	free_slots(&jobs);
	return jobs.exit_status;
}
