/* SPDX-License-Identifier: MIT */
/* The Process object: its life, its end, and what can be asked of it. Starting is in start.c, joining in
 * join.c, names and other attributes in attributes.c. */
#include "process.h"

#include "clock.h"
#include "confine/cgroup.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "input.h"
#include "job_control.h"
#include "output.h"
#include "stop.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- construction and release --- */

void process_add_watch(struct pidring_process *process, struct process_watch *watch,
                       void (*reported)(struct process_watch *watch))
{
	watch->process = process;
	watch->reported = reported;
	watch->item.descriptor = -1;
	watch->events = POLLIN;
	watch->item.owner = watch;
	STAILQ_INIT(&watch->item.chunks);
	SLIST_INSERT_HEAD(&process->watches, watch, link);
}

static void exit_watch_reported(struct process_watch *watch)
{
	process_look(watch->process);
	process_release_pidfd(watch->process);
}

static void birth_watch_reported(struct process_watch *watch)
{
	process_settle(watch->process);
}

static struct pidring_process *allocate(enum process_kind kind)
{
	struct pidring_process *process = calloc(1, sizeof *process);

	if (!process)
		return NULL;
	process->kind = kind;
	process->has_handle = true;
	process->references = 1;
	process->pidfd = process->authkey_memfd = -1;
	process->newborn.pidfd = -1;
	process->ends = STREAM_ENDS_NONE;
	SLIST_INIT(&process->watches);
	process_add_watch(process, &process->exit_watch, exit_watch_reported);
	process_add_watch(process, &process->birth_watch, birth_watch_reported);
	process->deadline_timer =
		(struct timer){ .moment = INT64_MAX, .process = process, .due = deadline_due };
	process->stop_timer = (struct timer){ .moment = INT64_MAX, .process = process, .due = stop_due };
	process->drain_timer = (struct timer){ .moment = INT64_MAX, .process = process };
	return process;
}

void process_wipe_authkey(struct pidring_process *process)
{
	if (process->authkey)
		explicit_bzero(process->authkey, process->authkey_length);
	free(process->authkey);
	process->authkey = NULL;
	process->authkey_length = 0;
}

/* With the lock held: others may have to do with its control group. */
static void release(struct pidring_process *process)
{
	process_wipe_authkey(process);
	if (process->settings && process->settings->cgroup)
		cgroup_unreference(process->settings->cgroup);
	settings_free(process->settings);
	launch_free(process->launch);
	output_free(process);
	input_free(process);
	job_control_free(process);
	free(process->placements);
	free(process->stopping.own_steps);
	free(process->stopping.known);
	free(process->parent_name);
	free(process->identity);
	free(process->name);
	free(process->type_name);
	free(process);
}

struct pidring_process *process_new_special(enum process_kind kind, const char *name, pid_t pid, int pidfd)
{
	struct pidring_process *process = allocate(kind);

	if (!process)
		return NULL;
	process->name = strdup(name);
	process->type_name = strdup(kind == PROCESS_MAIN ? "_MainProcess" : "_ParentProcess");
	process->pid = pid;
	process->pidfd = pidfd;
	if (process->name && process->type_name)
		return process;
	release(process);
	return NULL;
}

struct pidring_process *process_new_child(void)
{
	struct pidring_process *process = allocate(PROCESS_CHILD);

	if (!process)
		return NULL;
	process->state = PROCESS_STARTING;
	process->generation = family.generation - 1;
	process->seen_generation = family.generation;
	TAILQ_INSERT_TAIL(&family.objects, process, object_link);
	return process;
}

void process_release_special(struct pidring_process *process)
{
	if (process)
		release(process);
}

static bool copy_identity(struct pidring_process *process, unsigned number)
{
	const struct pidring_process *current = family.current;
	size_t length = current->identity_length;

	process->identity = calloc(length + 1, sizeof *process->identity);
	if (!process->identity)
		return false;
	for (size_t i = 0; i < length; i++)
		process->identity[i] = current->identity[i];
	process->identity[length] = number;
	process->identity_length = length + 1;
	return true;
}

/* TYPE-1:2:3 */
static char *default_name(const struct pidring_process *process)
{
	enum { LONGEST_NUMBER = 11 };
	size_t size = strlen(process->type_name) + 1 + process->identity_length * LONGEST_NUMBER + 1;
	char *name = malloc(size);

	if (!name)
		return NULL;
	int at = snprintf(name, size, "%s", process->type_name);
	for (size_t i = 0; i < process->identity_length; i++)
		at += snprintf(name + at, size - (size_t)at, "%c%u", i == 0 ? '-' : ':',
		               process->identity[i]);
	return name;
}

static bool copy_authkey(struct pidring_process *process, const struct pidring_process *from)
{
	process->authkey = malloc(from->authkey_length + 1);
	if (!process->authkey)
		return false;
	memcpy(process->authkey, from->authkey, from->authkey_length);
	process->authkey_length = from->authkey_length;
	return true;
}

/* Everything is taken from the current process now, nothing at the start. */
static int inherit(struct pidring_process *process, const struct pidring_options *options, unsigned number)
{
	struct pidring_process *current = family.current;
	int r = family_ensure_authkey();

	if (r < 0)
		return r;
	process->generation = family.generation;
	process->seen_generation = family.generation;
	process->parent_pid = family.pid;
	process->user_data = options->user_data;
	process->daemon =
		options->daemon == PIDRING_INHERITED ? current->daemon : options->daemon == PIDRING_YES;
	process->parent_name = strdup(current->name);
	process->type_name =
		strdup(options->type_name && *options->type_name ? options->type_name : "Process");
	if (!process->parent_name || !process->type_name || !copy_identity(process, number))
		return -ENOMEM;
	process->name = options->name && *options->name ? strdup(options->name) : default_name(process);
	if (!process->name || !copy_authkey(process, current))
		return -ENOMEM;
	return 0;
}

/* What only some processes have. */
static int make_streams(struct pidring_process *process)
{
	int r = output_new(process);

	if (r == 0)
		r = input_new(process);
	if (r == 0)
		r = job_control_new(process);
	return r;
}

int pidring_process_new(struct pidring_process **ret_process, struct pidring *engine,
                        const struct pidring_options *options)
{
	struct pidring_options read;
	struct settings *settings = NULL;

	family_enter();
	unsigned number = ++family.constructed;
	family_leave();

	if (!ret_process || !engine)
		return explain(-EINVAL, "pidring_process_new: %s is NULL",
		               ret_process ? "engine" : "ret_process");
	int r = options_read(&read, options);
	if (r == 0)
		r = options_check(&read);
	if (r == 0)
		r = settings_new(&settings, &read);
	if (r != 0)
		return r;

	struct pidring_process *process = allocate(PROCESS_CHILD);
	if (!process) {
		settings_free(settings);
		return explain(-ENOMEM, "no memory for a process object");
	}
	process->settings = settings;

	family_enter();
	if (settings->cgroup)
		cgroup_reference(settings->cgroup);
	r = inherit(process, &read, number);
	if (r == 0)
		r = make_streams(process);
	if (r == 0)
		r = engine_add(engine, process);
	if (r == 0) {
		TAILQ_INSERT_TAIL(&family.objects, process, object_link);
		family.live_objects++;
	}
	if (r < 0)
		release(process);
	family_leave();
	if (r < 0)
		return explain(r, "no memory for a process object");
	*ret_process = process;
	return 0;
}

bool process_is_ours(const struct pidring_process *process)
{
	return process->kind == PROCESS_CHILD && process->generation == family.generation;
}

/* In a fork the references of the original's threads, engines and lists mean nothing. */
void process_localize(struct pidring_process *process)
{
	struct process_watch *watch;

	if (process->kind != PROCESS_CHILD || process->seen_generation == family.generation)
		return;
	process->seen_generation = family.generation;
	if (process->listed_in)
		process->listed_in = &family.inherited;
	process->references = (process->has_handle ? 1U : 0U) + (process->listed_in ? 1U : 0U);
	process->users = 0;
	process->engine = NULL;
	process->counted = false;
	process->pending_events = 0;
	SLIST_FOREACH(watch, &process->watches, link)
	watch->queued = watch->held = watch->wanted = watch->armed = watch->item.armed = false;
	output_forget(process);
	input_forget(process);
	process->deadline_timer.moment = process->stop_timer.moment = process->drain_timer.moment = INT64_MAX;
	process->stopping.walking = process->stopping.is_due = false;
	process->slot = NULL;
	/* The copy's groups have no engine that would wait. */
	process->entering = false;
	process->box = NULL;
	process->forkserver = NULL;
	process->authkey_memfd = -1;
	process->low = NULL;
	/* What was open for its streams has been closed when the family was renewed. */
	process->taken.mask = 0;
	if (process->state == PROCESS_STARTING) {
		process->state = PROCESS_INITIAL;
		process->pidfd = -1;
	}
}

void process_unreference(struct pidring_process *process)
{
	if (--process->references > 0)
		return;
	engine_remove(process);
	if (process->listed_in)
		TAILQ_REMOVE(process->listed_in, process, family_link);
	if (process->pidfd >= 0)
		close(process->pidfd);
	process_close_own_ends(process);
	TAILQ_REMOVE(&family.objects, process, object_link);
	if (process->generation == family.generation)
		family.live_objects--;
	release(process);
}

void process_enter(struct pidring_process *process)
{
	family_enter();
	process_localize(process);
}

int explain_null(const char *function)
{
	return explain(-EINVAL, "%s: process is NULL", function);
}

int explain_closed(const struct pidring_process *process)
{
	return explain(-EBADF, "process '%s' is closed", process->name);
}

int explain_foreign(const struct pidring_process *process, const char *what)
{
	return explain(-ECHILD, "process '%s' cannot be %s here: it is not a child of this process",
	               process->name, what);
}

int explain_no_engine(const struct pidring_process *process)
{
	return explain(-ESHUTDOWN, "the engine of process '%s' was closed", process->name);
}

int explain_not_started(const struct pidring_process *process)
{
	return explain(-ESRCH, "process '%s' has not been started", process->name);
}

/* --- the end --- */

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

static int foreign_has_ended(const struct pidring_process *process)
{
	return process->pidfd >= 0 && watch_sentinel(process->pidfd, 0) > 0;
}

/* What the engine's ring may still use is closed when it has let go. */
void process_drop_streams(struct pidring_process *process)
{
	output_drop(process);
	input_drop(process);
	job_control_drop(process);
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

/* --- signals and questions --- */

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
