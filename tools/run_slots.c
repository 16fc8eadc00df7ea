/* SPDX-License-Identifier: MIT */
#include "run_job.h"

#include <stdlib.h>

void jobs_release_slot(struct jobs *jobs, struct job *job)
{
	pidring_process_free(job->process);
	job->process = NULL;
	run_output_end(jobs->with.output, job->output);
	job->output = NULL;
	job->older = jobs->free;
	jobs->free = job;
}

struct job *jobs_take_slot(struct jobs *jobs)
{
	struct job *job = jobs->free;

	if (!job)
		return calloc(1, sizeof(*job));
	jobs->free = job->older;
	return job;
}

static void append(struct job **oldest, struct job **newest, struct job *job)
{
	job->older = *newest;
	job->newer = NULL;
	*(*newest ? &(*newest)->newer : oldest) = job;
	*newest = job;
}

static void take_out(struct job **oldest, struct job **newest, struct job *job)
{
	*(job->older ? &job->older->newer : oldest) = job->newer;
	*(job->newer ? &job->newer->older : newest) = job->older;
}

void jobs_add_running(struct jobs *jobs, struct job *job)
{
	append(&jobs->oldest, &jobs->newest, job);
	job->number = jobs->numbers_given++;
	job->start_failed = false;
	job->has_ended = false;
	job->timed_out = false;
	job->told_of_cut = false;
	job->late_bytes = 0;
	jobs->running++;
}

void jobs_move_to_draining(struct jobs *jobs, struct job *job)
{
	take_out(&jobs->oldest, &jobs->newest, job);
	jobs->running--;
	append(&jobs->oldest_draining, &jobs->newest_draining, job);
	jobs->draining++;
	job->has_ended = true;
}

void jobs_remove(struct jobs *jobs, struct job *job)
{
	if (job->has_ended) {
		take_out(&jobs->oldest_draining, &jobs->newest_draining, job);
		jobs->draining--;
	} else {
		take_out(&jobs->oldest, &jobs->newest, job);
		jobs->running--;
	}
}

bool jobs_have_room(const struct jobs *jobs)
{
	size_t slots = jobs->running + jobs->prepared_count;

	return slots < jobs->limit && slots + jobs->draining < jobs->capacity;
}

void jobs_free_slots(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->prepared_count; i++)
		jobs_release_slot(jobs, jobs->prepared[i]);
	while (jobs->free) {
		struct job *job = jobs->free;

		jobs->free = job->older;
		free(job->item);
		free(job);
	}
}
