/* SPDX-License-Identifier: MIT */
/* What is done with the output of the jobs: collected, put into order, written, with no two jobs in one line. */
#ifndef PIDRING_RUN_OUTPUT_H
#define PIDRING_RUN_OUTPUT_H

#include <pidring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run_spool.h"
#include "run_status.h"
#include "run_write.h"

enum run_output_mode {
	RUN_OUTPUT_GROUP = 0,
	RUN_OUTPUT_LINES,
	RUN_OUTPUT_UNGROUPED,
};

struct run_output_settings {
	enum run_output_mode mode;
	bool keep_order;
	int64_t drain; /* as in struct pidring_options */
};

/* The output of one job. */
struct run_job_output;

struct run_output_stream {
	int descriptor;
	bool *unfinished; /* the last line that was written there has no end yet */
	uint64_t writer;  /* the job whose line that is */
	bool shares_line; /* with the status line */
	int error;        /* nothing more can be written; 0: all is well */
};

struct run_output {
	struct run_output_settings settings;
	struct run_status *status;
	struct run_writer *writer;
	struct run_spool_store store;
	struct run_output_stream streams[2];
	bool unfinished;  /* where standard output is another file than standard error */
	bool together;    /* it is not */
	bool is_quiet;    /* a failure has been told */
	bool broken_pipe; /* nobody reads any more */
	bool failed;      /* some output could not be kept or written */
	bool unread;      /* some output was dropped because nobody read it when it was time to end */

	/* Those that are not over and written, in the order of their items. */
	struct run_job_output *first;
	struct run_job_output *last;
	struct run_job_output *turn; /* with grouping, the one that is written as it comes; NULL: none */
	struct run_job_output *free;
	uint64_t numbers_given;
	bool alone; /* no job will start before the running one has ended */
};

/* `status` and `writer` must stay. */
void run_output_open(struct run_output *output, const struct run_output_settings *settings,
                     struct run_status *status, struct run_writer *writer);
void run_output_close(struct run_output *output);

/* How many descriptors a job needs for its output while it is being started. */
size_t run_output_descriptors(const struct run_output *output);

/* Sets where the streams of a job go. */
void run_output_fill(const struct run_output *output, struct pidring_options *options);

/* In the order of the items. *ret_job is NULL where the output is none of our business. -ENOMEM. */
int run_output_begin(struct run_output *output, struct run_job_output **ret_job);

/* Until the next call: whether no job will be started while one runs, so that nobody has to wait for it. */
void run_output_set_alone(struct run_output *output, bool alone);

void run_output_take(struct run_output *output, struct run_job_output *job, int stream, const char *data,
                     size_t length);

/* Says something about a job, as run_status_say, after its output. `job` may be NULL. */
__attribute__((format(printf, 5, 6))) void run_output_say(struct run_output *output,
                                                          struct run_job_output *job, const char *item,
                                                          size_t item_length, const char *format, ...);

/* Whether some of its output could not be kept. */
bool run_output_is_cut(const struct run_job_output *job);

/* Nothing more comes of the job. It is forgotten, written when its turn comes. `job` may be NULL. */
void run_output_end(struct run_output *output, struct run_job_output *job);

/* Ends an unfinished line on standard output: what follows is not of a job. */
void run_output_end_line(struct run_output *output);

#endif
