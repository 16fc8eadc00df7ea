/* SPDX-License-Identifier: MIT */
#include "run_job.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "run_clock.h"
#include "run_exit.h"

/* How long jobs may take to end after SIGTERM. */
#define GRACE (5 * RUN_SECOND)

/* More than the pipes of a job, and the engine, can have held at its end: what comes after so much is not the job's. */
#define MOST_LEFT_OVER ((size_t)16 << 20)

void jobs_stop_with(struct jobs *jobs, enum run_exit_status exit_status)
{
	/* The first reason to stop is the one that is told. */
	if (!jobs->no_more)
		jobs->exit_status = exit_status;
	jobs->no_more = true;
}

void jobs_signal_running(struct jobs *jobs, int signal_number)
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
	jobs_signal_running(jobs, SIGTERM);
	/* One that is stopped could not follow. */
	jobs_signal_running(jobs, SIGCONT);
}

void jobs_follow_signals(struct jobs *jobs)
{
	if (jobs->ending == ENDING_NOT && run_signals_first() == 0)
		return;
	if (jobs->ending == ENDING_NOT)
		ask_to_end(jobs);
	if (jobs->ending == ENDING_KILLED)
		return;
	if (!run_signals_insisted() && run_clock_now() < jobs->kill_at)
		return;
	jobs->ending = ENDING_KILLED;
	jobs_signal_running(jobs, SIGKILL);
}

void jobs_follow_output(struct jobs *jobs)
{
	if (jobs->with.output->failed)
		jobs_stop_with(jobs, RUN_ERROR);
	if (jobs->with.output->broken_pipe && jobs->ending == ENDING_NOT)
		ask_to_end(jobs);
}

static const char *stop_remark(const struct jobs *jobs)
{
	return jobs->no_more || jobs_all_started(jobs) ? "" : "; no more jobs are started";
}

static void report_signalled(struct jobs *jobs, struct job *job, int code)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	char name[32];

	run_exit_signal_name(code, name, sizeof(name));
	pidring_process_exit_record(job->process, &record);
	jobs_say(jobs, job, "ended by %s%s%s", name, record.core_dumped ? " (core dumped)" : "",
	         stop_remark(jobs));
}

void jobs_count_killed(struct jobs *jobs, int code)
{
	if (jobs->ending == ENDING_KILLED && code == -SIGKILL)
		jobs->killed++;
}

static void note_failure(struct jobs *jobs)
{
	if (jobs->exit_status == RUN_ALL_WELL)
		jobs->exit_status = RUN_JOBS_FAILED;
}

/* However it ended then. */
static void end_by_timeout(struct jobs *jobs, struct job *job, int code)
{
	jobs->failed++;
	jobs_count_killed(jobs, code);
	if (jobs->ending != ENDING_NOT)
		return;
	jobs_say(jobs, job, "timed out after %.10g s", (double)jobs->with.timeout / (double)RUN_SECOND);
	note_failure(jobs);
}

static void end_by_signal(struct jobs *jobs, struct job *job, int code)
{
	jobs->failed++;
	jobs_count_killed(jobs, code);
	if (jobs->ending != ENDING_NOT)
		return;
	report_signalled(jobs, job, code);
	jobs_stop_with(jobs, RUN_JOB_SIGNALLED);
}

static void end_by_exit(struct jobs *jobs, struct job *job, int code)
{
	if (code == 0)
		return;
	jobs->failed++;
	/* They did as they were asked, each in its own way. */
	if (jobs->ending != ENDING_NOT)
		return;
	jobs_say(jobs, job, "exit code %d%s", code, code == 255 ? stop_remark(jobs) : "");
	if (code == 255)
		jobs_stop_with(jobs, RUN_JOB_EXITED_255);
	else
		note_failure(jobs);
}

static void end_unknown(struct jobs *jobs, struct job *job)
{
	jobs->failed++;
	jobs_say(jobs, job, "its exit code is lost%s", stop_remark(jobs));
	jobs_stop_with(jobs, RUN_ERROR);
}

static void note_cost(struct jobs *jobs, struct job *job)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	int result = pidring_process_exit_record(job->process, &record);

	if (result == 0)
		result = run_costs_add(jobs->with.costs, job->number, &record, job->item, job->item_length);
	if (result == 0)
		return;
	jobs_say(jobs, job, "its cost is lost: %s", strerror(-result));
	if (jobs->exit_status == RUN_ALL_WELL)
		jobs->exit_status = RUN_ERROR;
}

void jobs_end(struct jobs *jobs, const struct pidring_event *event)
{
	struct job *job = event->user_data;

	/* Ctrl-C reaches the jobs as well as us: it may be the reason. */
	if (!event->unknown && event->code != 0 && jobs->ending == ENDING_NOT) {
		run_signals_look(jobs->with.signals);
		jobs_follow_signals(jobs);
	}
	jobs_move_to_draining(jobs, job);
	jobs->done++;
	if (job->start_failed)
		return;
	if (jobs->with.costs)
		note_cost(jobs, job);
	if (event->unknown)
		end_unknown(jobs, job);
	else if (job->timed_out)
		end_by_timeout(jobs, job, event->code);
	else if (event->code < 0)
		end_by_signal(jobs, job, event->code);
	else
		end_by_exit(jobs, job, event->code);
}

/* --- the end of its output --- */

static double drain_seconds(const struct jobs *jobs)
{
	int64_t drain = jobs->with.output->settings.drain;

	if (drain == PIDRING_NONE)
		return 0;
	return drain == 0 ? 1 : (double)drain / (double)RUN_SECOND;
}

void jobs_end_stream(struct jobs *jobs, const struct pidring_event *event)
{
	struct job *job = event->user_data;

	if (event->code == 0 || job->told_of_cut)
		return;
	job->told_of_cut = true;
	/* That is what ending a job may do, and its end is told of. */
	if (event->code == -ECANCELED && (jobs->ending != ENDING_NOT || job->timed_out))
		return;
	if (event->code == -ECANCELED) {
		jobs_say(jobs, job,
		         "its output is cut: something that it left running still had it open after %g s",
		         drain_seconds(jobs));
		return;
	}
	jobs_say(jobs, job, "its output cannot be read to the end: %s", strerror(-event->code));
	jobs_stop_with(jobs, RUN_ERROR);
}

void jobs_let_go(struct jobs *jobs, struct job *job)
{
	if (run_output_is_cut(job->output))
		jobs_say(jobs, job, "a part of its output is lost");
	jobs_remove(jobs, job);
	jobs_release_slot(jobs, job);
}

bool jobs_take_the_rest(const struct jobs *jobs)
{
	return jobs->ending != ENDING_NOT && jobs->draining > 0;
}

/* What is in the pipes has been taken: the engine would have something to do otherwise. */
static bool is_idle(const struct jobs *jobs)
{
	struct pollfd engine = { .fd = pidring_fd(jobs->with.engine), .events = POLLIN };

	return poll(&engine, 1, 0) <= 0;
}

void jobs_let_go_emptied(struct jobs *jobs, bool nothing_came)
{
	bool all = nothing_came && is_idle(jobs);
	struct job *newer;

	for (struct job *job = jobs->oldest_draining; job; job = newer) {
		newer = job->newer;
		if (all || job->late_bytes > MOST_LEFT_OVER)
			jobs_let_go(jobs, job);
	}
}

void jobs_cut_output(struct jobs *jobs)
{
	while (jobs->oldest_draining) {
		if (jobs->ending == ENDING_NOT)
			jobs_say(jobs, jobs->oldest_draining, "its output is cut: it is time to end");
		jobs_let_go(jobs, jobs->oldest_draining);
	}
}

/* --- the end of all --- */

/* Something about the end, in one line. Without a signal the reader has gone, and whoever ends for that reason does
 * so without a word. */
void jobs_report_ended(struct jobs *jobs)
{
	bool unread = jobs->with.output->unread;
	char name[32];

	if (run_signals_first() == 0)
		return;
	run_exit_signal_name(-run_signals_first(), name, sizeof(name));
	if (jobs->to_end > 0)
		run_status_say(jobs->with.status, NULL, 0,
		               "%s: %zu running %s asked to end: %zu did so, %zu had to be killed%s", name,
		               jobs->to_end, jobs->to_end == 1 ? "job was" : "jobs were",
		               jobs->to_end - jobs->killed, jobs->killed,
		               unread ? "; the rest of what the jobs printed is lost: nobody reads it" : "");
	else if (unread)
		run_status_say(jobs->with.status, NULL, 0,
		               "%s: the rest of what the jobs printed is lost: nobody reads it", name);
}
