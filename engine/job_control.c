/* SPDX-License-Identifier: MIT */
#include "job_control.h"

#include "engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* Of a stop and a continuation that nobody has fetched the latter counts. */
enum { BOTH = EVENT_STOPPED | EVENT_CONTINUED };

struct job_control {
	struct process_watch watch;
	siginfo_t information;
	int signal_number;
};

static void reported(struct process_watch *watch)
{
	struct pidring_process *process = watch->process;
	struct job_control *job_control = process->job_control;

	if (!watch->wanted || job_control->information.si_pid == 0 || process->state != PROCESS_STARTED)
		return;
	process_settle(process);
	engine_withdraw(process, BOTH);
	if (job_control->information.si_code == CLD_CONTINUED) {
		engine_push(process, EVENT_CONTINUED);
	} else {
		job_control->signal_number = job_control->information.si_status;
		engine_push(process, EVENT_STOPPED);
	}
	engine_watch(process, watch);
}

int job_control_new(struct pidring_process *process)
{
	if (!process->settings->report_stops)
		return 0;
	process->job_control = calloc(1, sizeof *process->job_control);
	if (!process->job_control)
		return -ENOMEM;
	process_add_watch(process, &process->job_control->watch, reported);
	process->job_control->watch.item.stops = true;
	process->job_control->watch.item.information = &process->job_control->information;
	return 0;
}

void job_control_free(struct pidring_process *process)
{
	free(process->job_control);
	process->job_control = NULL;
}

void job_control_begin(struct pidring_process *process)
{
	if (!process->job_control)
		return;
	process->job_control->watch.item.descriptor = process->pidfd;
	engine_watch(process, &process->job_control->watch);
}

void job_control_process_ended(struct pidring_process *process)
{
	job_control_drop(process);
}

int job_control_signal(const struct pidring_process *process)
{
	return process->job_control->signal_number;
}

void job_control_drop(struct pidring_process *process)
{
	if (process->job_control)
		engine_unwatch(process, &process->job_control->watch);
}
