/* SPDX-License-Identifier: MIT */
/*
 * Starting: checks, preparation, birth, and the answer.
 *
 * A start that fails leaves the object as it was: whatever has been made on the way is undone, a child that
 * could not run its program is reaped before the call returns.
 */
#include "start.h"
#include "authkey.h"
#include "birth/birth.h"
#include "bootstrap.h"
#include "clock.h"
#include "confine/cgroup.h"
#include "confine/work.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "household.h"
#include "input.h"
#include "job_control.h"
#include "orphans.h"
#include "output.h"
#include "process.h"
#include "stop.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool start_is_program(const struct pidring_process *process)
{
	return process->settings->program != NULL;
}

/* --- the order of the checks is fixed: closed, twice, wrong process, daemonic parent --- */

static int check_start(struct pidring_process *process)
{
	if (process->closed)
		return explain(-EBADF, "process '%s' is closed", process->name);
	if (process->kind == PROCESS_CHILD && process->state != PROCESS_INITIAL && process != family.current)
		return explain(-EALREADY, "process '%s' cannot be started twice", process->name);
	if (!process_is_ours(process))
		return explain(-ECHILD, "process '%s' was not constructed by this process", process->name);
	if (family.current->daemon)
		return explain(-EPERM,
		               "process '%s' cannot be started: daemons are not allowed to have children",
		               process->name);
	if (!process->engine)
		return explain(-ESHUTDOWN, "process '%s' cannot be started: its engine was closed",
		               process->name);
	return 0;
}

/* Some kernels go on to kill whatever is created in a group that was killed once. */
static int check_cgroup(const struct pidring_process *process)
{
	const struct pidring_cgroup *cgroup = process->settings->cgroup;

	if (cgroup && cgroup_descriptor(cgroup) < 0)
		return explain(-EBADF,
		               "process '%s' cannot be started: its control group was freed, or is "
		               "another process's",
		               process->name);
	if (cgroup && cgroup_was_killed(cgroup))
		return explain(-ESTALE, "process '%s' cannot be started: its control group was killed",
		               process->name);
	return 0;
}

/* With the lock held. */
static int begin(struct start *start)
{
	struct pidring_process *process = start->process;

	process_localize(process);
	int r = check_start(process);
	if (r < 0) {
		/* Why an asynchronous start failed, which may not have been told yet, is worth more. */
		if (process->state == PROCESS_INITIAL || process->failure.step == PIDRING_STEP_NONE)
			start_fail(&process->failure, PIDRING_STEP_STATE, r);
		return r;
	}
	family_reap(false);
	r = engine_own_low(process->engine);
	if (r < 0) {
		explain(r, "no descriptors for a start: %s", strerror(-r));
		return start_fail(&process->failure, PIDRING_STEP_PREPARE, r);
	}
	r = check_cgroup(process);
	if (r < 0)
		return start_fail(&process->failure, PIDRING_STEP_CGROUP, r);
	r = start_find_server(start);
	if (r < 0)
		return start_fail(&process->failure, PIDRING_STEP_FORKSERVER, r);
	start->paths = process->engine->paths;
	start->paths.self_pidfd = process->engine->low->self;
	process->low = process->engine->low;
	process->low->references++;
	TAILQ_INSERT_TAIL(&family.starts, process, start_link);
	orphans_birth_begins(process);
	if (process->settings->cgroup)
		cgroup_entry_begins(process->settings->cgroup);
	process->entering = process->settings->cgroup;
	start->reports = start_is_program(process);
	process->state = PROCESS_STARTING;
	process->references++;
	process->failure = (struct pidring_failure){ 0 };
	return 0;
}

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

/* --- preparation --- */

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

static int prepare(struct start *start)
{
	int r = start_await_server(start);

	if (r < 0)
		return r;
	return start_is_program(start->process) ? prepare_program(start) : prepare_function(start);
}

/* --- birth --- */

sys_signal_set start_program_mask(const struct start *start)
{
	const struct settings *settings = start->process->settings;

	if (settings->given_mask)
		return settings->signal_mask;
	return settings->keep_signals ? start->caller_mask : 0;
}

static void bear_program(struct start *start)
{
	struct birth_slot *slot = start->process->slot;

	slot->plan->signal_mask = start_program_mask(start);
	start->result = birth_program(&start->paths, slot, &start->process->newborn);
}

static void bear_function(struct start *start)
{
	struct birth_slot *slot = start->process->slot;
	struct child_plan *plan = slot ? slot->plan : &start->function_plan;
	struct bootstrap bootstrap = {
		start->process,      start->parent,          plan,
		start->process->low, start->instead.preload, start->instead.preload_argument
	};
	struct birth_function function = {
		.libc_fork = start->process->settings->libc_fork,
		.slot = slot,
		.plan = plan,
		.child = bootstrap_run,
		.argument = &bootstrap,
	};

	plan->signal_mask = start->caller_mask;
	start->result = birth_function(&start->paths, &function, &start->process->newborn);
}

static void bear_here(struct start *start)
{
	family_in_birth = start->process;
	if (start_is_program(start->process))
		bear_program(start);
	else
		bear_function(start);
	family_in_birth = NULL;
}

/* Which thread is the creator matters to the namespace of the child, too. */
static void bear(void *argument)
{
	struct start *start = argument;
	const struct confinement *confinement = start->process->settings->confinement;
	int own = -1;

	if (!confinement || !confinement->joins_pid) {
		bear_here(start);
		return;
	}
	start->result = join_enter_pid(confinement, &own);
	start->process->confine->own_pid_namespace = own;
	if (start->result < 0) {
		start->failure.step = PIDRING_STEP_NAMESPACE;
		return;
	}
	bear_here(start);
	start->process->confine->own_pid_namespace = -1;
	join_leave_pid(own);
}

/* The keeper lets libc's own signals in, but not during a birth. */
static void bear_on_keeper(void *start)
{
	sys_signal_set mask;

	sys_signal_mask(&(sys_signal_set){ SYS_ALL_SIGNALS }, &mask);
	bear(start);
	sys_signal_mask(&mask, NULL);
}

/* The kernel sends the death signal when the *thread* that created the child ends, so a thread that may end
 * before the process leaves it to the keeper. The main thread ends with the process (unless it calls
 * pthread_exit). */
static bool needs_keeper(const struct pidring_process *process)
{
	return process_death_signal(process) != 0 && sys_thread_id() != getpid();
}

static int create(struct start *start)
{
	/* No handler may run in a half-made child, nor may it inherit a mask that one changes (entry 189). */
	sys_signal_mask(&(sys_signal_set){ SYS_ALL_SIGNALS }, &start->caller_mask);
	if (needs_keeper(start->process)) {
		int r = keeper_call(bear_on_keeper, start);
		if (r < 0)
			start->result = r;
	} else {
		bear(start);
	}
	sys_signal_mask(&start->caller_mask, NULL);
	return start->result;
}

/* With the lock held: whatever has a number is known to forks by one name, in which it is closed in the copy. */
static void take_newborn(struct pidring_process *process)
{
	int pidfd = process->newborn.pidfd;
	/* Where the host has closed a standard stream, a function's child would take it for its own. */
	int above =
		pidfd >= 0 && pidfd <= STDERR_FILENO ? fcntl(pidfd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;

	if (pidfd < 0)
		return;
	process->newborn.pidfd = -1;
	process->pidfd = above >= 0 ? above : pidfd;
	if (above >= 0)
		close(pidfd);
}

/* The child that could not run its program has ended or is about to; nobody has seen it. */
static void reap_stillborn(struct pidring_process *process)
{
	struct reaped reaped;
	int pidfd = process->pidfd;

	do
		watch_sentinel(pidfd, INT64_MAX);
	while (watch_reap(pidfd, &reaped) == 0 && poll(NULL, 0, 1) == 0);
	/* First the name: a fork that came after the closing would close somebody else's in the copy. */
	family_enter();
	process->pidfd = -1;
	family_leave();
	close(pidfd);
}

/* Once its ids are mapped. Without them it ends, and nobody has seen it. */
static int let_go_on(struct start *start)
{
	struct pidring_process *process = start->process;
	int r = confine_work_release(process->confine, process->newborn.pidfd);

	if (r == 0)
		return 0;
	start_fail(&start->failure, PIDRING_STEP_ID_MAP, r);
	sys_pidfd_send_signal(process->newborn.pidfd, SIGKILL);
	family_enter();
	take_newborn(process);
	family_leave();
	reap_stillborn(process);
	return r;
}

static int give_birth(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!start_is_program(process)) {
		fflush(stdout);
		fflush(stderr);
	}
	process->start_time = clock_now();
	start->result = process->box ? start_send(start) : create(start);
	start->waits = start->asked || (start->reports && !process->settings->asynchronous);
	if (start->result < 0)
		return start_explain_birth(start);
	return process->confine ? let_go_on(start) : 0;
}

/* --- the answer --- */

/* With the lock held: back to the beginning. */
static void roll_back(struct start *start)
{
	struct pidring_process *process = start->process;

	start_release(process);
	process_close_own_ends(process);
	process->failure = start->failure;
	process->pidfd = -1;
	process->state = PROCESS_INITIAL;
	process_unreference(process);
}

/* With the lock held: from now on everybody sees it. */
static void publish(struct start *start)
{
	struct pidring_process *process = start->process;

	take_newborn(process);
	process->state = PROCESS_STARTED;
	process->pid = process->newborn.pid;
	process->birth = process->newborn.birth;
	family_add_child(process);
	if (process->engine) {
		process->exit_watch.item.descriptor = process->pidfd;
		engine_count(process);
		engine_watch(process, &process->exit_watch);
		job_control_begin(process);
		output_begin(process);
		input_begin(process);
	}
	deadline_begin(process);
}

/* Waits without the lock until the child is known to run, or not to. */
static int await_report(struct start *start)
{
	if (!start->reports || start->process->settings->asynchronous)
		return 0;

	struct pidring_process *process = start->process;
	struct birth_slot *slot = process->slot;

	birth_program_wait(slot, process->pidfd);
	start_read_report(process);
	if (slot->plan->failed_error == 0)
		return 0;
	int r = start_explain_child(process, &start->failure);
	reap_stillborn(process);
	return r;
}

/* With the lock held: what the child still looks at stays. From here on another thread may free the object. */
static void publish_and_leave(struct start *start)
{
	struct pidring_process *process = start->process;

	publish(start);
	if (process->slot) {
		start_leave_to_watch(process);
	} else {
		start_release(process);
		/* A function that was to be served, but is a fork. */
		if (process->settings->asynchronous)
			engine_push(process, EVENT_STARTED);
	}
	process_unreference(process);
}

/* A child that was not created in its control group: it is in there when it has settled. */
static bool enters_by_itself(const struct pidring_process *process)
{
	return process->slot && process->slot->plan->enter_cgroup && !process->slot->plan->cgroup_by_clone;
}

/* Between creating the child and waiting for its exec; start_many comes by here for all before it goes on. */
static int first_half(struct start *start)
{
	struct pidring_process *process = start->process;

	family_enter();
	int r = begin(start);
	family_leave();
	if (r < 0)
		return r;

	r = prepare(start);
	if (r == 0)
		r = give_birth(start);
	/* The child has its own copy. */
	process_release_special(start->parent);

	family_enter();
	orphans_birth_ended(process);
	if (r < 0 || !enters_by_itself(process))
		start_entry_ended(process, r == 0);
	if (r < 0) {
		roll_back(start);
	} else if (!start->waits) {
		publish_and_leave(start);
	} else {
		/* Known to forks that come before the exec does. */
		take_newborn(process);
	}
	family_leave();
	return r;
}

/* With the lock held: it runs. */
static void publish_settled(struct start *start)
{
	struct pidring_process *process = start->process;

	start_release(process);
	publish(start);
	if (process->settings->report_exec)
		engine_push(process, EVENT_STARTED);
	process_unreference(process);
}

static int second_half(struct start *start)
{
	if (!start->waits)
		return 0;
	int r = start_await_newborn(start);
	if (r == 0) {
		family_enter();
		take_newborn(start->process);
		family_leave();
		r = await_report(start);
	}
	family_enter();
	if (r < 0)
		roll_back(start);
	else if (start->reports && !start->process->settings->asynchronous)
		publish_settled(start);
	else
		publish_and_leave(start);
	family_leave();
	return r;
}

static void begin_again(struct start *start)
{
	*start = (struct start){ .process = start->process,
		                 .reset = start->reset,
		                 .attempts = start->attempts + 1 };
}

/* A server that is lost is made anew, or done without. */
int start_first_half(struct start *start)
{
	int r = first_half(start);

	while (start->server_lost) {
		begin_again(start);
		r = first_half(start);
	}
	return r;
}

int start_finish(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!start->asked)
		return second_half(start);
	/* Another thread may free it as soon as it is not being started. */
	family_enter();
	process->references++;
	family_leave();
	int r = second_half(start);
	while (start->server_lost && process->has_handle) {
		begin_again(start);
		r = start_first_half(start);
		if (r == 0)
			r = second_half(start);
	}
	family_enter();
	process_unreference(process);
	family_leave();
	return r;
}

int pidring_process_start(struct pidring_process *process)
{
	struct start start;
	int cancelability;

	if (!process)
		return explain(-EINVAL, "pidring_process_start: process is NULL");
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	start = (struct start){ .process = process, .reset = SYS_ALL_SIGNALS };
	int r = start_first_half(&start);
	if (r == 0)
		r = start_finish(&start);
	pthread_setcancelstate(cancelability, NULL);
	return r;
}
