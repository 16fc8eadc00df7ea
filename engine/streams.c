/* SPDX-License-Identifier: MIT */
/* Our side of a process's streams, as far as it is for the caller. */
#include "explain.h"
#include "family.h"
#include "process.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* With the lock held. */
static int check_process(struct pidring_process *process)
{
	if (process->closed)
		return explain_closed(process);
	if (!process_is_ours(process))
		return explain(-ECHILD, "process '%s' has no streams here: this process did not construct it",
		               process->name);
	if (process->state == PROCESS_INITIAL || process->state == PROCESS_STARTING)
		return explain_not_started(process);
	/* An asynchronous start keeps the child's end open until somebody looks. */
	process_settle(process);
	return 0;
}

/* Where our descriptor for the terminal is: its output. */
static int terminal_output(const struct settings *settings)
{
	return settings->streams[STDOUT_FILENO].to == PIDRING_STREAM_TERMINAL ? STDOUT_FILENO : STDERR_FILENO;
}

static int *find_stream(struct pidring_process *process, int stream, bool to_take)
{
	enum pidring_stream to = process->settings->streams[stream].to;

	if (to == PIDRING_STREAM_RAW_PIPE || to == PIDRING_STREAM_MEMORY)
		return &process->ends.own[stream];
	if (to != PIDRING_STREAM_TERMINAL || to_take)
		return NULL;
	return &process->ends.own[stream == STDIN_FILENO ? stream : terminal_output(process->settings)];
}

static int get_stream(struct pidring_process *process, int stream, bool to_take)
{
	int r = check_process(process);

	if (r < 0)
		return r;
	int *end = find_stream(process, stream, to_take);
	if (!end)
		return explain(
			-ENOTCONN,
			"%s of process '%s' has no descriptor here that could be %s: only that of %s has",
			stream_names[stream], process->name, to_take ? "taken" : "used",
			to_take ? "PIDRING_STREAM_RAW_PIPE or _MEMORY"
				: "PIDRING_STREAM_RAW_PIPE, _MEMORY or _TERMINAL");
	if (*end < 0)
		return explain(-ENOTCONN, "our end of %s of process '%s' was taken or closed",
		               stream_names[stream], process->name);
	r = *end;
	if (to_take)
		process_take_own_end(process, stream);
	return r;
}

static int enter_and_get(struct pidring_process *process, int stream, bool to_take, const char *function)
{
	if (!process)
		return explain_null(function);
	if (stream < STDIN_FILENO || stream > STDERR_FILENO)
		return explain(-EINVAL, "%s: there is no stream %d", function, stream);
	process_enter(process);
	int r = get_stream(process, stream, to_take);
	family_leave();
	return r;
}

int pidring_process_stream(struct pidring_process *process, int stream)
{
	return enter_and_get(process, stream, false, "pidring_process_stream");
}

int pidring_process_take_stream(struct pidring_process *process, int stream)
{
	return enter_and_get(process, stream, true, "pidring_process_take_stream");
}

/* With the lock held. */
static int resize(struct pidring_process *process, const struct winsize *size)
{
	int r = check_process(process);

	if (r < 0)
		return r;
	int terminal = settings_terminal(process->settings) < 0
	                       ? -1
	                       : process->ends.own[terminal_output(process->settings)];
	if (terminal < 0)
		return explain(-ENOTCONN, "process '%s' has no terminal of ours", process->name);
	if (ioctl(terminal, TIOCSWINSZ, size) < 0)
		return explain(-errno, "cannot resize the terminal of process '%s': %s", process->name,
		               strerror(errno));
	return 0;
}

int pidring_process_resize(struct pidring_process *process, unsigned short rows, unsigned short columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	if (!process)
		return explain_null("pidring_process_resize");
	if (rows == 0 || columns == 0)
		return explain(-EINVAL, "pidring_process_resize: a terminal of %u rows and %u columns", rows,
		               columns);
	process_enter(process);
	int r = resize(process, &size);
	family_leave();
	return r;
}
