/* SPDX-License-Identifier: MIT */
/* The end of a process: it is reaped and its record published; what was open for it is closed, and its object freed. */
#include "process.h"

#include "clock.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "input.h"
#include "job_control.h"
#include "output.h"
#include "stop.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static void fill_record(struct pidring_process *process, const struct reaped *reaped)
{
	int status = reaped->wait_status;
	bool known = reaped->reaper != PIDRING_REAPED_UNKNOWN;

	process->record = (struct pidring_exit_record){
		.pid = process->pid,
		.reaper = reaped->reaper,
		.known = known,
		.start_time = process->start_time,
		.end_time = clock_now(),
		.deadline_passed = process->deadline_passed,
		.stop_signal = process->stopping.last_signal,
	};
	if (known) {
		process->record.wait_status = status;
		process->record.code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
		process->record.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
	}
	if (reaped->reaper == PIDRING_REAPED_HERE) {
		process->record.usage_known = true;
		process->record.usage = reaped->usage;
	}
}

/* Reaping and publishing happen under one lock, so whoever finds the child gone finds its record here. */
bool process_look(struct pidring_process *process)
{
	struct reaped reaped;

	if (process->state == PROCESS_ENDED)
		return true;
	if (process->state != PROCESS_STARTED || !process_is_ours(process))
		return false;
	if (watch_reap(process->pidfd, &reaped) == 0)
		return false;

	fill_record(process, &reaped);
	process->state = PROCESS_ENDED;
	stop_at_end(process);
	process_settle(process);
	engine_push(process, EVENT_EXITED);
	output_process_ended(process);
	input_process_ended(process);
	job_control_process_ended(process);
	if (!process->has_handle)
		engine_unwatch(process, &process->exit_watch);
	family_remove_child(process);
	return true;
}

void process_release_pidfd(struct pidring_process *process)
{
	/* The parent's sentinel stays for is_alive and join. */
	if (!process->closed || process->users > 0 || process->pidfd < 0 || process->kind == PROCESS_PARENT)
		return;
	if (!engine_unwatch(process, &process->exit_watch))
		return;
	close(process->pidfd);
	process->pidfd = -1;
}

static int foreign_has_ended(const struct pidring_process *process)
{
	return process->pidfd >= 0 && watch_sentinel(process->pidfd, 0) > 0;
}

/* Nobody will hear of them any more. */
static void drop_all_streams(struct pidring_process *process)
{
	process_drop_streams(process);
	for (int i = 0; i < 3 && process->settings; i++)
		if (!settings_engine_has(process->settings, i))
			process_close_own_end(process, i);
}

int pidring_process_close(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_close");
	if (process->kind == PROCESS_MAIN)
		return 0;
	process_enter(process);
	if (process->closed || process == family.current) {
		family_leave();
		return 0;
	}
	bool running = process->state == PROCESS_STARTING || process->state == PROCESS_STARTED;
	if (running && (process_is_ours(process) ? process_look(process) : foreign_has_ended(process)))
		running = false;
	if (running) {
		int r = explain(-EBUSY, "process '%s' cannot be closed: it is still running", process->name);
		family_leave();
		return r;
	}
	process->closed = true;
	drop_all_streams(process);
	stop_forget(process);
	engine_drop_events(process);
	process_release_pidfd(process);
	family_leave();
	return 0;
}

void pidring_process_free(struct pidring_process *process)
{
	if (!process || process->kind != PROCESS_CHILD)
		return;
	process_enter(process);
	if (process == family.current) {
		family_leave();
		return;
	}
	process_look(process);
	process->has_handle = false;
	drop_all_streams(process);
	engine_drop_events(process);
	bool goes_on = process->state == PROCESS_STARTED || process->state == PROCESS_STARTING;
	if (!goes_on || !process_is_ours(process)) {
		process->closed = true;
		stop_forget(process);
		process_release_pidfd(process);
	}
	if (process->listed_in == &family.inherited) {
		TAILQ_REMOVE(&family.inherited, process, family_link);
		process->listed_in = NULL;
		process->references--;
	}
	process_unreference(process);
	family_leave();
}
