/* SPDX-License-Identifier: MIT */
/*
 * Starting: checks, preparation, birth, and the answer.
 *
 * A start that fails leaves the object as it was: whatever has been made on the way is undone, a child that
 * could not run its program is reaped before the call returns.
 */
#include "authkey.h"
#include "birth/birth.h"
#include "bootstrap.h"
#include "clock.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "input.h"
#include "job_control.h"
#include "output.h"
#include "process.h"
#include "stop.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const step_names[] = {
	[PIDRING_STEP_NONE] = "none",
	[PIDRING_STEP_STATE] = "state",
	[PIDRING_STEP_PREPARE] = "preparation",
	[PIDRING_STEP_LOOK_UP] = "look-up",
	[PIDRING_STEP_CLONE] = "clone",
	[PIDRING_STEP_SESSION] = "session",
	[PIDRING_STEP_GROUP] = "group",
	[PIDRING_STEP_WORKING_DIRECTORY] = "working directory",
	[PIDRING_STEP_LIMIT] = "limit",
	[PIDRING_STEP_DEATH_SIGNAL] = "death signal",
	[PIDRING_STEP_DESCRIPTORS] = "descriptors",
	[PIDRING_STEP_STREAM] = "stream",
	[PIDRING_STEP_SIGNALS] = "signals",
	[PIDRING_STEP_EXEC] = "exec",
	[PIDRING_STEP_INTERPRETER] = "interpreter",
	[PIDRING_STEP_TERMINAL] = "terminal",
	[PIDRING_STEP_FORKSERVER] = "forkserver",
};

const char *pidring_step_name(enum pidring_step step)
{
	size_t count = sizeof step_names / sizeof step_names[0];

	return (size_t)step < count ? step_names[step] : "unknown";
}

/* One start under way. */
struct start {
	struct pidring_process *process;
	struct birth_paths paths;
	struct child_plan function_plan; /* a program's is in its slot */
	struct pidring_process *parent;  /* this process as a function's child will see it */
	sys_signal_set caller_mask;
	int result;
	bool waits; /* there is a second half */
	sys_signal_set reset;
	struct pidring_failure failure;
};

static bool is_program(const struct pidring_process *process)
{
	return process->settings->program != NULL;
}

/* --- failures --- */

/* Keeps the sentence that explain() has, which is the thread's. */
static int fail(struct pidring_failure *ret_failure, enum pidring_step step, int error)
{
	ret_failure->step = step;
	ret_failure->error = -error;
	snprintf(ret_failure->sentence, sizeof ret_failure->sentence, "%s", pidring_explain());
	return error;
}

static int explain_exec(struct pidring_process *process, enum pidring_step *step, int error)
{
	const char *path = process->launch->path;
	char interpreter[128];

	if (error == -ENOENT &&
	    launch_lacks_interpreter(process->launch, process->settings, interpreter, sizeof interpreter)) {
		*step = PIDRING_STEP_INTERPRETER;
		return explain(error, "cannot run '%s': its interpreter '%s' is missing", path, interpreter);
	}
	if (error == -EACCES && launch_is_directory(process->launch, process->settings))
		return explain(error, "cannot run '%s': it is a directory", path);
	if (error == -EACCES)
		return explain(error, "cannot run '%s': it may not be executed", path);
	if (error == -ENOEXEC)
		return explain(error,
		               "cannot run '%s': it is no program for this machine, and no script with #!",
		               path);
	return explain(error, "cannot run '%s': %s", path, strerror(-error));
}

/* The child of process->slot has reported a failure. */
static int explain_child_failure(struct pidring_process *process, struct pidring_failure *ret_failure)
{
	enum pidring_step step = (enum pidring_step)process->slot->plan.failed_step;
	int error = -process->slot->plan.failed_error;

	switch (step) {
	case PIDRING_STEP_EXEC:
		explain_exec(process, &step, error);
		break;
	case PIDRING_STEP_WORKING_DIRECTORY:
		explain(error, "cannot enter the working directory '%s' to run '%s': %s",
		        process->settings->working_directory, process->launch->path, strerror(-error));
		break;
	default:
		explain(error, "cannot run '%s': its %s: %s", process->launch->path, pidring_step_name(step),
		        strerror(-error));
	}
	return fail(ret_failure, step, error);
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

/* With the lock held. */
static int begin(struct start *start, struct pidring_process *process, sys_signal_set reset)
{
	*start = (struct start){ .process = process, .reset = reset };
	process_localize(process);
	int r = check_start(process);
	if (r < 0) {
		/* Why an asynchronous start failed, which may not have been told yet, is worth more. */
		if (process->state == PROCESS_INITIAL || process->failure.step == PIDRING_STEP_NONE)
			fail(&process->failure, PIDRING_STEP_STATE, r);
		return r;
	}
	family_reap(false);
	r = engine_own_low(process->engine);
	if (r < 0) {
		explain(r, "no descriptors for a start: %s", strerror(-r));
		return fail(&process->failure, PIDRING_STEP_PREPARE, r);
	}
	start->paths = process->engine->paths;
	start->paths.self_pidfd = process->engine->low->self;
	process->low = process->engine->low;
	process->low->references++;
	TAILQ_INSERT_TAIL(&family.starts, process, start_link);
	start->waits = is_program(process) && !process->settings->asynchronous;
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
	return process->daemon ? SIGTERM : 0;
}

/* --- preparation --- */

static void plan_place(struct child_plan *plan, const struct pidring_process *process, int self_pidfd)
{
	const struct settings *settings = process->settings;

	plan->new_session = settings->new_session || settings_terminal(settings) >= 0;
	plan->new_group = settings->new_group;
	plan->set_umask = settings->set_umask;
	plan->umask = settings->umask;
	plan->working_directory = settings->working_directory;
	plan->death_signal = process_death_signal(process);
	plan->parent_pid = process->parent_pid;
	plan->parent_pidfd = self_pidfd;
	plan->report_descriptor = plan->kept_descriptor = -1;
	plan->failed_step = 0;
	plan->failed_error = 0;
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

/* With the lock held: slot and low descriptors are shared. */
static int prepare_slot(struct start *start)
{
	struct pidring_process *process = start->process;
	const struct settings *settings = process->settings;
	struct birth_slot *slot = birth_slot_take(&family.slots);

	if (!slot)
		return explain(-ENOMEM, "no memory for a stack to start '%s' on", settings->program);
	process->slot = slot;
	plan_place(&slot->plan, process, start->paths.self_pidfd);
	slot->plan.reset_signals = !settings->keep_signals;
	slot->plan.reset = start->reset;
	slot->plan.keep_descriptors = settings->keep_descriptors;
	slot->plan.set_descriptor_limit = family.limit_raised;
	slot->plan.descriptor_limit = family.old_limit;
	slot->plan.path = process->launch->path;
	slot->plan.argv = settings->argv;
	slot->plan.envp = process->launch->envp;
	int r = descriptors_place(&slot->plan, settings, &process->ends, process->authkey_memfd, process->low,
	                          &process->taken);
	process->placements = slot->plan.placements;
	return r;
}

static void close_descriptor(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

/* With the lock held: gives back what a settled or failed start no longer needs. */
static void release_start(struct pidring_process *process)
{
	if (process->slot) {
		birth_program_release(process->slot);
		descriptors_give_back(process->low, &process->taken);
		birth_slot_give_back(&family.slots, process->slot);
	}
	process->slot = NULL;
	free(process->placements);
	process->placements = NULL;
	stream_ends_close_child(&process->ends);
	close_descriptor(&process->authkey_memfd);
	launch_free(process->launch);
	process->launch = NULL;
	low_descriptors_unreference(process->low);
	process->low = NULL;
	TAILQ_REMOVE(&family.starts, process, start_link);
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
		return fail(&start->failure, PIDRING_STEP_STREAM, r);
	}
	family_enter();
	r = process_open_ends(process, &paths);
	family_leave();
	return r < 0 ? fail(&start->failure, PIDRING_STEP_STREAM, r) : 0;
}

/* A passed descriptor that is not open any more is the streams' matter, all else is memory and descriptors. */
static int fail_to_place(struct start *start, int error)
{
	return fail(&start->failure, error == -EBADF ? PIDRING_STEP_STREAM : PIDRING_STEP_PREPARE, error);
}

static int prepare_program(struct start *start)
{
	struct pidring_process *process = start->process;
	int r = launch_new(&process->launch, process->settings);

	if (r < 0)
		return fail(&start->failure, r == -ENOMEM ? PIDRING_STEP_PREPARE : PIDRING_STEP_LOOK_UP, r);
	r = open_streams(start);
	if (r < 0)
		return r;
	family_enter();
	r = prepare_authkey(process);
	if (r == 0)
		r = prepare_slot(start);
	family_leave();
	return r < 0 ? fail_to_place(start, r) : 0;
}

/* A function's child has no way to report, so what could fail there is looked at here. */
static int check_working_directory(struct start *start)
{
	const char *directory = start->process->settings->working_directory;
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
	return fail(&start->failure, PIDRING_STEP_WORKING_DIRECTORY, -error);
}

static int prepare_function(struct start *start)
{
	struct pidring_process *process = start->process;
	struct child_plan *plan = &start->function_plan;
	int r = check_working_directory(start);

	if (r == 0)
		r = open_streams(start);
	if (r < 0)
		return r;
	family_enter();
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
	family_leave();
	return r < 0 ? fail_to_place(start, r) : 0;
}

static int prepare(struct start *start)
{
	return is_program(start->process) ? prepare_program(start) : prepare_function(start);
}

/* --- birth --- */

static void bear_program(struct start *start)
{
	struct birth_slot *slot = start->process->slot;

	slot->plan.signal_mask = start->process->settings->keep_signals ? start->caller_mask : 0;
	start->result = birth_program(&start->paths, slot, &start->process->newborn);
}

static void bear_function(struct start *start)
{
	struct bootstrap bootstrap = { start->process, start->parent, &start->function_plan,
		                       start->process->low };
	struct birth_function function = {
		.libc_fork = start->process->settings->libc_fork,
		.child = bootstrap_run,
		.argument = &bootstrap,
	};

	start->function_plan.signal_mask = start->caller_mask;
	start->result = birth_function(&start->paths, &function, &start->process->newborn);
}

static void bear(void *argument)
{
	struct start *start = argument;

	family_in_birth = start->process;
	if (is_program(start->process))
		bear_program(start);
	else
		bear_function(start);
	family_in_birth = NULL;
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

static int give_birth(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!is_program(process)) {
		fflush(stdout);
		fflush(stderr);
	}
	process->start_time = clock_now();
	/* No handler may run in a half-made child, nor may it inherit a mask that one changes (entry 189). */
	sys_signal_mask(&(sys_signal_set){ SYS_ALL_SIGNALS }, &start->caller_mask);
	if (needs_keeper(process)) {
		int r = keeper_call(bear_on_keeper, start);
		if (r < 0)
			start->result = r;
	} else {
		bear(start);
	}
	sys_signal_mask(&start->caller_mask, NULL);
	if (start->result == 0)
		return 0;
	explain(start->result, "cannot create a child for %s: %s",
	        is_program(process) ? process->settings->program : "a function", strerror(-start->result));
	return fail(&start->failure, PIDRING_STEP_CLONE, start->result);
}

/* --- the answer --- */

/* With the lock held: back to the beginning. */
static void roll_back(struct start *start)
{
	struct pidring_process *process = start->process;

	release_start(process);
	process_close_own_ends(process);
	process->failure = start->failure;
	process->pidfd = -1;
	process->state = PROCESS_INITIAL;
	process_unreference(process);
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

/* Waits for the exec without the lock. */
static int finish_program(struct start *start)
{
	struct pidring_process *process = start->process;
	struct birth_slot *slot = process->slot;

	birth_program_wait(slot, process->pidfd);
	birth_program_settle(slot);
	if (slot->plan.failed_error == 0)
		return 0;
	int r = explain_child_failure(process, &start->failure);
	reap_stillborn(process);
	return r;
}

/* With the lock held: nobody waits for the exec here; the watch, or the end, will tell. */
static void leave_to_watch(struct pidring_process *process)
{
	if (!process->engine)
		return;
	if (birth_program_is_settled(process->slot)) {
		process_settle(process);
		return;
	}
	process->birth_watch.item.descriptor = process->slot->report_descriptor;
	process->birth_watch.item.word = (const uint32_t *)&process->slot->word;
	engine_watch(process, &process->birth_watch);
}

/* Tells once how an asynchronous start went. */
static void tell(struct pidring_process *process)
{
	struct birth_slot *slot = process->slot;

	process->told = true;
	birth_program_settle(slot);
	if (slot->plan.failed_error != 0) {
		explain_child_failure(process, &process->failure);
		engine_push(process, EVENT_START_FAILED);
	} else {
		engine_push(process, EVENT_STARTED);
	}
}

void process_settle(struct pidring_process *process)
{
	struct birth_slot *slot = process->slot;

	if (!slot)
		return;
	if (!process->told && process->state != PROCESS_ENDED && !birth_program_is_settled(slot))
		return;
	if (!process->told)
		tell(process);
	/* While the kernel still has the slot in a watch, its descriptor may not be closed: this comes by
	 * again. */
	if (engine_unwatch(process, &process->birth_watch))
		release_start(process);
}

/* Between creating the child and waiting for its exec; start_many comes by here for all before it goes on. */
static int start_first_half(struct start *start, struct pidring_process *process, sys_signal_set reset)
{
	family_enter();
	int r = begin(start, process, reset);
	family_leave();
	if (r < 0)
		return r;

	r = prepare(start);
	if (r == 0)
		r = give_birth(start);
	/* The child has its own copy. */
	process_release_special(start->parent);

	family_enter();
	if (r < 0) {
		roll_back(start);
	} else if (!start->waits) {
		/* From here on another thread may free the object. */
		publish(start);
		if (is_program(process))
			leave_to_watch(process);
		else
			release_start(process);
		process_unreference(process);
	} else {
		/* Known to forks that come before the exec does. */
		take_newborn(process);
	}
	family_leave();
	return r;
}

static int start_second_half(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!start->waits)
		return 0;
	int r = finish_program(start);
	family_enter();
	if (r < 0) {
		roll_back(start);
	} else {
		release_start(process);
		publish(start);
		if (process->settings->report_exec)
			engine_push(process, EVENT_STARTED);
		process_unreference(process);
	}
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
	int r = start_first_half(&start, process, SYS_ALL_SIGNALS);
	if (r == 0)
		r = start_second_half(&start);
	pthread_setcancelstate(cancelability, NULL);
	return r;
}

static int compare_pointers(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t) * (void *const *)a, right = (uintptr_t) * (void *const *)b;

	return left < right ? -1 : left > right;
}

static int check_many(struct pidring_process *const *processes, size_t count)
{
	if (!processes && count > 0)
		return explain(-EINVAL, "pidring_start_many: processes is NULL, but count is %zu", count);
	for (size_t i = 0; i < count; i++)
		if (!processes[i])
			return explain(-EINVAL, "pidring_start_many: processes[%zu] is NULL", i);
	if (count < 2)
		return 0;

	const void **sorted = malloc(count * sizeof *sorted);
	if (!sorted)
		return explain(-ENOMEM, "no memory to start %zu processes", count);
	memcpy(sorted, processes, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_pointers);
	int r = 0;
	for (size_t i = 1; i < count && r == 0; i++)
		if (sorted[i] == sorted[i - 1])
			r = explain(-EINVAL, "pidring_start_many: a process is in the array twice");
	free(sorted);
	return r;
}

/* So many slots at a time; a wave's programs have mostly run by the time that its last child is made. */
enum { WAVE = 64 };

/* Whether its second half has nothing to wait for. Without a system call: what is not known so is waited for. */
static bool is_settled(const struct start *start, int result)
{
	if (result < 0 || !start->waits)
		return true;
	struct birth_slot *slot = start->process->slot;
	return slot->report_descriptor < 0 && birth_program_is_settled(slot);
}

/* Some starts of one pidring_start_many. */
struct wave {
	struct start starts[WAVE];
	int results[WAVE];
	size_t made, finished;
	int started;
};

static void finish_next(struct wave *wave)
{
	size_t i = wave->finished++;

	if (wave->results[i] == 0 && start_second_half(&wave->starts[i]) == 0)
		wave->started++;
}

/* Those whose program runs already are finished meanwhile: their slots and low descriptors serve for the next. */
static void start_wave(struct wave *wave, struct pidring_process *const *processes, size_t count,
                       sys_signal_set reset)
{
	wave->made = wave->finished = 0;
	while (wave->made < count) {
		size_t i = wave->made++;
		wave->results[i] = start_first_half(&wave->starts[i], processes[i], reset);
		while (wave->finished < wave->made &&
		       is_settled(&wave->starts[wave->finished], wave->results[wave->finished]))
			finish_next(wave);
	}
	while (wave->finished < count)
		finish_next(wave);
}

int pidring_start_many(struct pidring_process *const *processes, size_t count)
{
	struct wave wave;
	int cancelability;
	int r = check_many(processes, count);

	if (r < 0)
		return r;
	wave.started = 0;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	/* Asking for all signals once is as dear as resetting them in one child. With a clone that
	 * does not clear handlers, each child asks for itself. */
	sys_signal_set reset = count > 1 ? child_find_ignored() : SYS_ALL_SIGNALS;
	for (size_t done = 0; done < count; done += WAVE) {
		size_t left = count - done;

		start_wave(&wave, processes + done, left < WAVE ? left : WAVE, reset);
	}
	pthread_setcancelstate(cancelability, NULL);
	return wave.started;
}
