/* SPDX-License-Identifier: MIT */
/* Our side of a process's streams: opened at its start, let go one by one or all at once. */
#include "process.h"

#include "family.h"
#include "input.h"
#include "job_control.h"
#include "output.h"

#include <unistd.h>

int process_open_ends(struct pidring_process *process, const struct stream_ends *paths)
{
	process->ends = *paths;
	int r = stream_ends_open(&process->ends, process->settings);
	process->has_own_ends = stream_ends_has_own(&process->ends);
	if (process->has_own_ends)
		TAILQ_INSERT_TAIL(&family.with_ends, process, ends_link);
	return r;
}

static void leave_ends_list(struct pidring_process *process)
{
	if (process->has_own_ends)
		TAILQ_REMOVE(&family.with_ends, process, ends_link);
	process->has_own_ends = false;
}

void process_close_own_ends(struct pidring_process *process)
{
	stream_ends_close_own(&process->ends);
	leave_ends_list(process);
}

void process_close_own_end(struct pidring_process *process, int stream)
{
	if (process->ends.own[stream] < 0)
		return;
	close(process->ends.own[stream]);
	process_take_own_end(process, stream);
}

void process_take_own_end(struct pidring_process *process, int stream)
{
	process->ends.own[stream] = -1;
	if (!stream_ends_has_own(&process->ends))
		leave_ends_list(process);
}

/* What the engine's ring may still use is closed when it has let go. */
void process_drop_streams(struct pidring_process *process)
{
	output_drop(process);
	input_drop(process);
	job_control_drop(process);
}
