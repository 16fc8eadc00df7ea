/* SPDX-License-Identifier: MIT */
/* The Process object: its construction, and the references to it. Its start is in start.c, its end in
 * process_end.c, what can be asked of it in process_questions.c, joining in join.c, names and other attributes in
 * attributes.c. */
#include "process.h"

#include "confine/cgroup.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "input.h"
#include "job_control.h"
#include "output.h"
#include "stop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
