/* SPDX-License-Identifier: MIT */
#include "stops.h"

#include "engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* Of a stop and a continuation that nobody has fetched the latter counts. */
enum { BOTH = EVENT_STOPPED | EVENT_CONTINUED };

struct stops {
	struct process_watch watch;
	siginfo_t information;
	int signal_number;
};

static void reported(struct process_watch *watch)
{
	struct pidring_process *process = watch->process;
	struct stops *stops = process->stops;

	if (!watch->wanted || stops->information.si_pid == 0 || process->state != PROCESS_STARTED)
		return;
	engine_withdraw(process, BOTH);
	if (stops->information.si_code == CLD_CONTINUED) {
		engine_push(process, EVENT_CONTINUED);
	} else {
		stops->signal_number = stops->information.si_status;
		engine_push(process, EVENT_STOPPED);
	}
	engine_watch(process, watch);
}

int stops_new(struct pidring_process *process)
{
	if (!process->settings->report_stops)
		return 0;
	process->stops = calloc(1, sizeof *process->stops);
	if (!process->stops)
		return -ENOMEM;
	process_add_watch(process, &process->stops->watch, reported);
	process->stops->watch.item.stops = true;
	process->stops->watch.item.information = &process->stops->information;
	return 0;
}

void stops_free(struct pidring_process *process)
{
	free(process->stops);
	process->stops = NULL;
}

void stops_begin(struct pidring_process *process)
{
	if (!process->stops)
		return;
	process->stops->watch.item.descriptor = process->pidfd;
	engine_watch(process, &process->stops->watch);
}

void stops_process_ended(struct pidring_process *process)
{
	stops_drop(process);
}

int stops_signal(const struct pidring_process *process)
{
	return process->stops->signal_number;
}

void stops_drop(struct pidring_process *process)
{
	if (process->stops)
		engine_unwatch(process, &process->stops->watch);
}
