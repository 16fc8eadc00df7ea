/* SPDX-License-Identifier: MIT */
/* What can be asked of a process; the signals that are sent to it alone; its target called without it. */
#include "process.h"

#include "explain.h"
#include "family.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int pidring_process_signal(struct pidring_process *process, int signal_number)
{
	if (!process)
		return explain_null("pidring_process_signal");
	if (process->kind == PROCESS_PARENT)
		return explain(-EPERM, "the parent process is not signalled");
	if (signal_number < 0 || signal_number > SYS_SIGNALS)
		return explain(-EINVAL, "there is no signal %d", signal_number);
	process_enter(process);
	int r = 0;
	if (process->closed)
		r = explain_closed(process);
	else if (process->pidfd < 0 || process->state == PROCESS_STARTING)
		r = explain_not_started(process);
	else
		/* Under the lock: close() in another thread cannot give the number to a stranger meanwhile.
		 */
		r = sys_pidfd_send_signal(process->pidfd, signal_number);
	if (r == -ESRCH && process->pidfd >= 0)
		r = 0;
	if (r < 0 && process->pidfd >= 0)
		explain(r, "signal %d to process '%s': %s", signal_number, process->name, strerror(-r));
	family_leave();
	return r;
}

int pidring_process_terminate(struct pidring_process *process)
{
	return pidring_process_signal(process, SIGTERM);
}

int pidring_process_kill(struct pidring_process *process)
{
	return pidring_process_signal(process, SIGKILL);
}

int pidring_process_is_alive(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_is_alive");
	if (process->kind == PROCESS_PARENT)
		return process_join_parent(process, 0) == -ETIMEDOUT;
	process_enter(process);
	int r;
	if (process->closed)
		r = explain_closed(process);
	else if (process == family.current)
		r = 1;
	else if (!process_is_ours(process))
		r = explain_foreign(process, "tested");
	else
		r = process->state == PROCESS_STARTED && !process_look(process);
	family_leave();
	return r;
}

pid_t pidring_process_pid(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_pid");
	process_enter(process);
	pid_t pid = process->pid;
	if (process == family.current)
		pid = getpid();
	else if (process->closed && process->kind == PROCESS_CHILD)
		pid = explain_closed(process);
	else if (pid == 0)
		pid = explain_not_started(process);
	family_leave();
	return pid;
}

int pidring_process_sentinel(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_sentinel");
	process_enter(process);
	int r = process->pidfd;
	if (process->closed)
		r = explain_closed(process);
	else if (r < 0 || process->state == PROCESS_STARTING)
		r = explain_not_started(process);
	family_leave();
	return r;
}

/* With the lock held. */
static int look_at_end(struct pidring_process *process)
{
	if (process->closed)
		return explain_closed(process);
	if (!process_look(process))
		return explain(-EAGAIN, "the exit code of process '%s' is not known yet", process->name);
	return 0;
}

int pidring_process_exit_code(struct pidring_process *process, int *ret_code)
{
	if (!process)
		return explain_null("pidring_process_exit_code");
	if (!ret_code)
		return explain(-EINVAL, "pidring_process_exit_code: ret_code is NULL");
	process_enter(process);
	int r = look_at_end(process);
	if (r == 0 && !process->record.known)
		r = explain(-ENODATA, "process '%s' was reaped by somebody else: its exit code is lost",
		            process->name);
	if (r == 0)
		*ret_code = process->record.code;
	family_leave();
	return r;
}

int pidring_process_exit_record(struct pidring_process *process, struct pidring_exit_record *ret_record)
{
	if (!process)
		return explain_null("pidring_process_exit_record");
	if (!ret_record)
		return explain(-EINVAL, "pidring_process_exit_record: ret_record is NULL");
	process_enter(process);
	int r = look_at_end(process);
	if (r == 0)
		r = options_fill(ret_record, &process->record, sizeof process->record,
		                 sizeof process->record);
	family_leave();
	return r;
}

int pidring_process_failure(struct pidring_process *process, struct pidring_failure *ret_failure)
{
	if (!process)
		return explain_null("pidring_process_failure");
	if (!ret_failure)
		return explain(-EINVAL, "pidring_process_failure: ret_failure is NULL");
	process_enter(process);
	int r = process->failure.step == PIDRING_STEP_NONE ? -ENODATA : 0;
	if (r == 0)
		*ret_failure = process->failure;
	else
		explain(r, "no start of process '%s' has failed", process->name);
	family_leave();
	return r;
}

enum pidring_birth pidring_process_birth(struct pidring_process *process)
{
	if (!process)
		return PIDRING_BIRTH_NONE;
	process_enter(process);
	enum pidring_birth birth = process->birth;
	family_leave();
	return birth;
}

int pidring_process_run(struct pidring_process *process, int *ret_code)
{
	if (!process)
		return explain_null("pidring_process_run");
	process_enter(process);
	int r = 0;
	if (process->closed)
		r = explain_closed(process);
	else if (process->kind != PROCESS_CHILD || process->state != PROCESS_INITIAL)
		r = explain(-EINVAL, "process '%s' cannot be run here: it has been started", process->name);
	else if (process->settings->program)
		r = explain(-EINVAL, "process '%s' cannot be run here: its target is a program",
		            process->name);
	int (*target)(void *) = r == 0 ? process->settings->target : NULL;
	void *argument = r == 0 ? process->settings->argument : NULL;
	family_leave();
	if (r < 0)
		return r;

	int code = target ? target(argument) : 0;
	if (ret_code)
		*ret_code = code;
	return 0;
}
