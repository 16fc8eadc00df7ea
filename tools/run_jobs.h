/* SPDX-License-Identifier: MIT */
/* The jobs: started as slots and items become free, watched until they end. */
#ifndef PIDRING_RUN_JOBS_H
#define PIDRING_RUN_JOBS_H

#include <pidring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run_command.h"
#include "run_costs.h"
#include "run_items.h"
#include "run_output.h"
#include "run_signals.h"
#include "run_status.h"

/* As xargs(1) has them. */
enum run_exit_status {
	RUN_ALL_WELL = 0,
	RUN_ERROR = 1,
	RUN_JOBS_FAILED = 123,
	RUN_JOB_EXITED_255 = 124,
	RUN_JOB_SIGNALLED = 125,
	RUN_CANNOT_RUN = 126,
	RUN_NOT_FOUND = 127,
};

/* What the jobs are made of and reported to. All of it stays the caller's. */
struct run_surroundings {
	struct pidring *engine;
	struct run_items *items;
	struct run_command *command;
	const struct run_signals *signals;
	struct run_status *status;
	struct run_writer *writer;
	struct run_output *output;
	struct run_costs *costs; /* NULL: nobody asks */
	int64_t timeout;         /* nanoseconds that a job may take; 0: as long as it likes */
	size_t limit;            /* how many jobs may run at a time, at least 1 */
	size_t capacity;         /* the same, with those that have ended but not their output */
};

/* Runs a job for each item, at last none is left. Returns the exit status. Messages have been given. */
enum run_exit_status run_jobs(const struct run_surroundings *surroundings);

#endif
