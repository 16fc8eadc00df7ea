/* SPDX-License-Identifier: MIT */
/* Preparing a start: the plan of the child, and whatever it will look at, before there is one. */
#include "start.h"

#include "authkey.h"
#include "confine/cgroup.h"
#include "confine/work.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

int process_death_signal(const struct pidring_process *process)
{
	if (process->settings->death_signal == PIDRING_NONE)
		return 0;
	if (process->settings->death_signal != 0)
		return process->settings->death_signal;
	if (!process->daemon)
		return 0;
	/* The init of a PID namespace heeds no signal by default, but this one. */
	const struct confinement *confinement = process->settings->confinement;
	return confinement && (confinement->clone_flags & CLONE_NEWPID) ? SIGKILL : SIGTERM;
}

static void plan_place(struct child_plan *plan, const struct pidring_process *process, int self_pidfd)
{
	const struct settings *settings = process->settings;

	/* All of it: a slot's was another start's before. */
	*plan = (struct child_plan){
		.new_session = settings->new_session || settings_terminal(settings) >= 0,
		.new_group = settings->new_group,
		.foreground = settings->foreground,
		.set_umask = settings->set_umask,
		.umask = settings->umask,
		.working_directory = settings->working_directory,
		.death_signal = process_death_signal(process),
		.parent_pid = process->parent_pid,
		.parent_pidfd = self_pidfd,
		.report_descriptor = -1,
		.kept_descriptor = -1,
		.confine = process->confine,
		.enter_cgroup = settings->cgroup,
		.cgroup = settings->cgroup ? cgroup_descriptor(settings->cgroup) : -1,
	};
}

static int prepare_confinement(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!process->settings->confinement)
		return 0;
	int r = confine_work_new(&process->confine, process->settings->confinement, start->paths.self_pidfd);
	return r < 0 ? start_fail(&start->failure, PIDRING_STEP_PREPARE, r) : 0;
}

/* With the lock held: the key may be changed by another thread. */
static int prepare_authkey(struct pidring_process *process)
{
	if (process->settings->authkey_descriptor == 0)
		return 0;
	int memfd = authkey_to_memfd(process->authkey, process->authkey_length);
	if (memfd < 0)
		return explain(memfd, "no memfd for the auth key: %s", strerror(-memfd));
	process->authkey_memfd = memfd;
	return 0;
}

/* With the lock held: a box may be too small for a program's arguments, but then nothing needs it. */
static int pack_or_move(struct start *start)
{
	struct pidring_process *process = start->process;
	struct birth_slot *slot;
	int r = start_pack(start);

	if (r != -E2BIG)
		return r;
	slot = birth_slot_take(&family.slots);
	if (!slot)
		return explain(-ENOMEM, "no memory for a stack to start '%s' on", process->settings->program);
	*slot->plan = *process->slot->plan;
	slot->plan->reset_signals = !process->settings->keep_signals;
	process->slot = slot;
	forkserver_give_back(process->forkserver, process->box);
	process->box = NULL;
	return 0;
}

/* With the lock held: slot and low descriptors are shared. */
static int prepare_slot(struct start *start)
{
	struct pidring_process *process = start->process;
	const struct settings *settings = process->settings;

	if (!start_take_box(start))
		process->slot = birth_slot_take(&family.slots);
	if (!process->slot)
		return explain(-ENOMEM, "no memory for a stack to start '%s' on", settings->program);
	struct birth_slot *slot = process->slot;
	plan_place(slot->plan, process, start->paths.self_pidfd);
	slot->plan->reset_signals = !settings->keep_signals || settings->given_ignored;
	slot->plan->ignored = settings->ignored_signals;
	/* Those that were given are set afterwards, whatever they were. */
	slot->plan->reset = start->reset;
	slot->plan->keep_descriptors = settings->keep_descriptors;
	slot->plan->set_descriptor_limit = family.limit_raised;
	slot->plan->descriptor_limit = family.old_limit;
	slot->plan->path = process->launch->path;
	slot->plan->candidates = process->launch->candidates;
	slot->plan->argv = settings->argv;
	slot->plan->envp = process->launch->envp;
	int r = descriptors_place(slot->plan, settings, &process->ends, process->authkey_memfd, process->low,
	                          &process->taken);
	process->placements = slot->plan->placements;
	return r == 0 && process->box ? pack_or_move(start) : r;
}

/* After the look-up: a program that is not there must not cost a file its contents. */
static int open_streams(struct start *start)
{
	struct pidring_process *process = start->process;
	struct stream_ends paths;

	if (!settings_open_streams(process->settings))
		return 0;
	int r = stream_ends_open_paths(&paths, process->settings);

	if (r < 0) {
		stream_ends_close_child(&paths);
		return start_fail(&start->failure, PIDRING_STEP_STREAM, r);
	}
	family_enter();
	r = process_open_ends(process, &paths);
	family_leave();
	return r < 0 ? start_fail(&start->failure, PIDRING_STEP_STREAM, r) : 0;
}

/* A passed descriptor that is not open any more is the streams' matter, all else is memory and descriptors. */
static int fail_to_place(struct start *start, int error)
{
	return start_fail(&start->failure, error == -EBADF ? PIDRING_STEP_STREAM : PIDRING_STEP_PREPARE,
	                  error);
}

static int prepare_program(struct start *start)
{
	struct pidring_process *process = start->process;
	int r = launch_new(&process->launch, process->settings);

	if (r < 0)
		return start_fail(&start->failure, r == -ENOMEM ? PIDRING_STEP_PREPARE : PIDRING_STEP_LOOK_UP,
		                  r);
	r = open_streams(start);
	if (r == 0)
		r = prepare_confinement(start);
	if (r < 0)
		return r;
	family_enter();
	dumpable_hold(process);
	r = prepare_authkey(process);
	if (r == 0)
		r = prepare_slot(start);
	family_leave();
	return r < 0 ? fail_to_place(start, r) : 0;
}

/* A function's fork has no way to report, so what could fail there is looked at here. */
static int check_working_directory(struct start *start)
{
	const struct settings *settings = start->process->settings;
	const char *directory = settings_live_elsewhere(settings) ? NULL : settings->working_directory;
	int descriptor = directory ? open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (!directory)
		return 0;
	int error = descriptor < 0 ? errno : 0;
	if (descriptor >= 0 && faccessat(descriptor, ".", X_OK, AT_EACCESS) < 0)
		error = errno;
	if (descriptor >= 0)
		close(descriptor);
	if (error == 0)
		return 0;
	explain(-error, "cannot enter the working directory '%s' to start a function: %s", directory,
	        strerror(error));
	return start_fail(&start->failure, PIDRING_STEP_WORKING_DIRECTORY, -error);
}

/* With the lock held. */
static int prepare_served(struct start *start)
{
	struct pidring_process *process = start->process;
	struct child_plan *plan = process->slot->plan;

	plan_place(plan, process, -1);
	int r = descriptors_place(plan, process->settings, &process->ends, -1, process->low, &process->taken);
	process->placements = plan->placements;
	return r < 0 ? r : start_pack(start);
}

/* With the lock held: one that is confined tells whether it could begin; so does one for a group that it may have to enter
 * by itself. */
static struct child_plan *take_function_plan(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!process->confine && !process->settings->cgroup)
		return &start->function_plan;
	process->slot = birth_slot_take(&family.slots);
	start->reports = process->slot;
	return process->slot ? process->slot->plan : NULL;
}

/* With the lock held. */
static int prepare_copy(struct start *start)
{
	struct pidring_process *process = start->process;
	struct child_plan *plan = take_function_plan(start);
	int r;

	if (!plan)
		return explain(-ENOMEM, "no memory for the plan of a function's child");

	family_collect_servers();
	if (process->settings->start_method == PIDRING_FORKSERVER && process->engine)
		start->instead = process->engine->forkserver_options.callbacks;
	/* Made here because every first write to a page is a fault in the child. */
	start->parent = process_new_special(PROCESS_PARENT, process->parent_name, process->parent_pid,
	                                    start->paths.self_pidfd);
	plan_place(plan, process, start->paths.self_pidfd);
	plan->keep_descriptors = !process->settings->close_descriptors;
	plan->have_close_range = start->paths.close_range;
	if (!start->parent)
		r = explain(-ENOMEM, "no memory for the object of the parent process");
	else
		r = descriptors_place_function(plan, process->settings, &process->ends, process->low);
	process->placements = plan->placements;
	return r;
}

static int prepare_function(struct start *start)
{
	int r = check_working_directory(start);

	if (r == 0)
		r = open_streams(start);
	if (r == 0)
		r = prepare_confinement(start);
	if (r < 0)
		return r;
	family_enter();
	r = start_take_box(start) ? prepare_served(start) : prepare_copy(start);
	family_leave();
	return r < 0 ? fail_to_place(start, r) : 0;
}

int start_prepare(struct start *start)
{
	int r = start_await_server(start);

	if (r < 0)
		return r;
	return start_is_program(start->process) ? prepare_program(start) : prepare_function(start);
}
