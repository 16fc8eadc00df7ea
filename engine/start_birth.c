/* SPDX-License-Identifier: MIT */
/* The birth of a start's child: which thread creates it, under which signal mask, and who takes its pidfd or its end. */
#include "start.h"

#include "bootstrap.h"
#include "clock.h"
#include "confine/work.h"
#include "explain.h"
#include "family.h"
#include "sys/sys.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

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
	/* No handler may run in a half-made child, nor may it inherit a mask that one changes. */
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

void start_take_newborn(struct pidring_process *process)
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

void start_reap_stillborn(struct pidring_process *process)
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
	start_take_newborn(process);
	family_leave();
	start_reap_stillborn(process);
	return r;
}

int start_give_birth(struct start *start)
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
