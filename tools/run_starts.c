/* SPDX-License-Identifier: MIT */
#include "run_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run_text.h"

/* So much of a program's name is shown. */
#define NAME_COLUMNS 200

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
		.deadline = jobs->with.timeout,
	};
	int result = keep_item(job, item, length);

	if (result < 0)
		return result;
	result = run_output_begin(jobs->with.output, &job->output);
	if (result < 0)
		return result;
	run_output_fill(jobs->with.output, &options);
	result = run_command_fill(jobs->with.command, item, length, &options.argv);
	if (result < 0)
		return result;
	return pidring_process_new(&job->process, jobs->with.engine, &options);
}

static void prepare(struct jobs *jobs, const char *item, size_t length)
{
	struct job *job = jobs_take_slot(jobs);
	int result = job ? construct(jobs, job, item, length) : -ENOMEM;

	if (result == 0) {
		jobs->prepared[jobs->prepared_count++] = job;
		return;
	}
	run_status_say(jobs->with.status, item, length, "%s",
	               result == -ENOMEM ? strerror(ENOMEM) : pidring_explain());
	jobs_stop_with(jobs, RUN_ERROR);
	if (job)
		jobs_release_slot(jobs, job);
}

void jobs_prepare(struct jobs *jobs)
{
	jobs->wants_items = false;
	while (!jobs->no_more && !jobs->items_at_end && jobs->prepared_count < RUN_BATCH &&
	       jobs_have_room(jobs)) {
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
			jobs_stop_with(jobs, RUN_ERROR);
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

/* Without the whole of PATH, which the engine's sentence shows and which would bury the rest. */
static void add_not_in_path(struct run_text *text, struct jobs *jobs, const struct job *job)
{
	const char *const *arguments;

	if (run_command_fill(jobs->with.command, job->item, job->item_length, &arguments) < 0)
		return;
	run_text_add(text, "cannot run '");
	run_text_add_item(text, arguments[0], strlen(arguments[0]), NAME_COLUMNS);
	run_text_add(text, "': there is no such program in PATH");
}

static void explain_start_failure(struct run_text *text, struct jobs *jobs, const struct job *job,
                                  const struct pidring_failure *failure)
{
	bool not_in_path = failure->step == PIDRING_STEP_LOOK_UP && failure->error == ENOENT;
	bool not_there = failure->step == PIDRING_STEP_EXEC && failure->error == ENOENT;

	if (not_in_path)
		add_not_in_path(text, jobs, job);
	if (text->length == 0)
		run_text_add(text, failure->sentence);
	if ((not_in_path || not_there) && run_command_is_for_shell(jobs->with.command))
		run_text_add(text, " (for a shell command: sh -c '...')");
}

/* Whatever the item, it would not run. */
static bool is_about_program(const struct jobs *jobs, int error)
{
	return error != E2BIG && !is_shortage(error) && !run_command_names_item(jobs->with.command);
}

static void report_start_failure(struct jobs *jobs, struct job *job, const struct pidring_failure *failure)
{
	char data[sizeof(failure->sentence) + (size_t)4 * NAME_COLUMNS];
	struct run_text text = { data, 0, sizeof(data) };

	/* Of jobs that were started together, one that could not be is enough to know. */
	if (jobs->no_more)
		return;
	explain_start_failure(&text, jobs, job, failure);
	run_output_say(jobs->with.output, job->output,
	               is_about_program(jobs, failure->error) ? NULL : job->item, job->item_length, "%.*s",
	               (int)text.length, text.data);
	jobs_stop_with(jobs, start_failure_status(failure->error));
}

/* Decides what becomes of a job that could not be started. True: it is to be tried again. */
static bool try_again(struct jobs *jobs, struct job *job)
{
	struct pidring_failure failure = { .error = EINVAL };

	pidring_process_failure(job->process, &failure);
	if (!is_shortage(failure.error) || jobs->running + jobs->draining == 0 || jobs->no_more) {
		report_start_failure(jobs, job, &failure);
		return false;
	}
	jobs->capacity = jobs->running + jobs->draining;
	if (jobs->running > 0 && jobs->limit > jobs->running) {
		jobs->limit = jobs->running;
		run_status_say(jobs->with.status, NULL, 0, "going on with %zu jobs at a time: %s",
		               jobs->limit, failure.sentence);
	}
	return true;
}

void jobs_start_prepared(struct jobs *jobs)
{
	struct pidring_process *processes[RUN_BATCH];
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
			jobs_add_running(jobs, job);
		else
			jobs->prepared[kept++] = job;
	}
	jobs->prepared_count = 0;
	for (size_t i = 0; i < kept; i++) {
		if (try_again(jobs, jobs->prepared[i]))
			jobs->prepared[jobs->prepared_count++] = jobs->prepared[i];
		else
			jobs_release_slot(jobs, jobs->prepared[i]);
	}
	run_status_changed(jobs->with.status);
}

bool jobs_all_started(const struct jobs *jobs)
{
	return jobs->items_at_end && jobs->prepared_count == 0;
}

void jobs_fail_to_start(struct jobs *jobs, struct job *job)
{
	struct pidring_failure failure = { .error = EINVAL };

	job->start_failed = true;
	jobs->failed++;
	pidring_process_failure(job->process, &failure);
	report_start_failure(jobs, job, &failure);
}
