/* SPDX-License-Identifier: MIT */
/* What the parts of run_jobs() have in common: the slots for jobs, their starts, their ends. */
#ifndef PIDRING_RUN_JOB_H
#define PIDRING_RUN_JOB_H

#include <pidring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run_jobs.h"

/* Starts and events are handled in portions, so that neither keeps the other waiting for long. */
#define RUN_BATCH 64

/* A slot for a job. The memory is used again for the next one. */
struct job {
	struct pidring_process *process;
	struct job *
		older; /* among the running ones, in the order of their start; when free: the next free one */
	struct job *newer;
	struct run_job_output *output; /* NULL: none of our business */
	size_t number;                 /* of the start, from 0 */
	bool start_failed;             /* it ran no program */
	bool has_ended;                /* what it wrote may still be on its way */
	bool timed_out;
	bool told_of_cut;
	size_t late_bytes; /* that came after its end, while all is being ended */
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
	/* As in `with`, or less where the system could not bear so many. */
	size_t limit;
	size_t capacity;

	struct job *oldest;
	struct job *newest;
	struct job *free;
	size_t running;
	struct job *oldest_draining; /* have ended, but not their output; linked as the running ones */
	struct job *newest_draining;
	size_t draining;
	size_t numbers_given;
	size_t done;
	size_t failed;

	/* Constructed and still to be started. */
	struct job *prepared[RUN_BATCH];
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

/* --- slots: run_slots.c --- */

struct job *jobs_take_slot(struct jobs *jobs);
/* Its output is over, too. */
void jobs_release_slot(struct jobs *jobs, struct job *job);
void jobs_add_running(struct jobs *jobs, struct job *job);
/* From the running ones to those whose output is awaited. */
void jobs_move_to_draining(struct jobs *jobs, struct job *job);
void jobs_remove(struct jobs *jobs, struct job *job);
void jobs_free_slots(struct jobs *jobs);

/* Whether one more job may be there, beside those that are prepared. */
bool jobs_have_room(const struct jobs *jobs);

/* --- starts: run_starts.c --- */

/* Constructs processes for the items that there are slots for. */
void jobs_prepare(struct jobs *jobs);
void jobs_start_prepared(struct jobs *jobs);
bool jobs_all_started(const struct jobs *jobs);
/* Reports it once. */
void jobs_fail_to_start(struct jobs *jobs, struct job *job);

/* --- ends: run_ends.c --- */

/* Says something about a job, after its output. */
#define jobs_say(jobs, job, ...) \
	run_output_say((jobs)->with.output, (job)->output, (job)->item, (job)->item_length, __VA_ARGS__)

/* Starts nothing more. The first reason to stop is the one that is told. */
void jobs_stop_with(struct jobs *jobs, enum run_exit_status exit_status);
void jobs_signal_running(struct jobs *jobs, int signal_number);
/* Does what the signals that have come and the time that has passed ask for. */
void jobs_follow_signals(struct jobs *jobs);
/* Does what trouble with the output asks for. */
void jobs_follow_output(struct jobs *jobs);
/* The process has ended. */
void jobs_end(struct jobs *jobs, const struct pidring_event *event);
/* One of its streams has. */
void jobs_end_stream(struct jobs *jobs, const struct pidring_event *event);
/* Nothing more comes of it. */
void jobs_let_go(struct jobs *jobs, struct job *job);
/* Whether jobs have ended whose output is to be taken as far as it is there, and no longer awaited. */
bool jobs_take_the_rest(const struct jobs *jobs);
/* Lets go those of them of which everything has been taken. `nothing_came`: in the last look at the engine. */
void jobs_let_go_emptied(struct jobs *jobs, bool nothing_came);
/* Leaves the output of all that have ended to those who still have it open. */
void jobs_cut_output(struct jobs *jobs);
void jobs_count_killed(struct jobs *jobs, int code);
void jobs_report_ended(struct jobs *jobs);

#endif
