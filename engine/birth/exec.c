/* SPDX-License-Identifier: MIT */
/*
 * Start method `exec`: a program, by the asynchronous vfork, and by its two fallbacks.
 *
 *   CLONE_VM     clone3 without CLONE_VFORK: the caller goes on at once, the kernel clears and wakes the
 * slot's word when the child leaves the memory. The failing stage and its errno stand in the slot.
 *   CLONE_VFORK  clone: the caller is suspended until then.
 *   FORK_EXEC    libc's fork() and pidfd_open: nothing is shared; a close-on-exec pipe tells of success by
 * its end, of failure by a report. Or, for a child that is confined in ways that others would feel who share its memory,
 * a bare clone.
 */
#include "birth/birth.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

static char *stack_bottom(struct birth_slot *slot)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (char *)slot + page - slot->mapping_size + page;
}

static int clone_vm(struct birth_slot *slot, struct newborn *ret_newborn)
{
	int pidfd = -1;
	char *bottom = stack_bottom(slot);
	struct sys_clone_arguments arguments = {
		.flags = CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_CHILD_CLEARTID |
		         birth_place_flags(slot->plan) | (slot->plan->shared_table ? CLONE_FILES : 0),
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.child_tid = (uint64_t)(uintptr_t)slot->word,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)bottom,
		.stack_size = (uint64_t)((char *)slot - bottom),
	};

	birth_into_cgroup(&arguments, slot->plan);
	slot->plan->handlers_cleared = true;
	atomic_store_explicit(slot->word, 1, memory_order_release);
	long pid = sys_clone3_call(&arguments, child_run_program, slot->plan);
	if (pid < 0) {
		atomic_store_explicit(slot->word, 0, memory_order_release);
		return (int)pid;
	}
	*ret_newborn = (struct newborn){ (pid_t)pid, pidfd, PIDRING_BIRTH_CLONE_VM, 0 };
	return 0;
}

static int clone_vfork(struct birth_slot *slot, struct newborn *ret_newborn)
{
	int pidfd = -1;
	long pid = sys_clone_vfork(slot, &pidfd, child_run_program_clone, slot->plan);

	if (pid < 0)
		return (int)pid;
	*ret_newborn = (struct newborn){ (pid_t)pid, pidfd, PIDRING_BIRTH_CLONE_VFORK, 0 };
	return 0;
}

static int fork_exec(const struct birth_paths *paths, struct birth_slot *slot, struct newborn *ret_newborn)
{
	pid_t pid = 0;
	int pidfd = -1;
	int r = birth_fork(child_run_program, slot->plan, paths->self_pidfd, &pid, &pidfd);

	if (r == 0)
		*ret_newborn = (struct newborn){ pid, pidfd, PIDRING_BIRTH_FORK_EXEC, 0 };
	else
		ret_newborn->gone = pid;
	return r;
}

static int clone_copy(const struct birth_paths *paths, struct birth_slot *slot, struct newborn *ret_newborn)
{
	bool clears = paths->program == PIDRING_BIRTH_CLONE_VM;
	int pidfd = -1;

	slot->plan->handlers_cleared = clears;
	long pid = birth_clone_bare(paths, slot->plan, clears ? CLONE_CLEAR_SIGHAND : 0, NULL, &pidfd);
	if (pid == 0)
		child_run_program(slot->plan);
	if (pid > 0)
		*ret_newborn = (struct newborn){ (pid_t)pid, pidfd, PIDRING_BIRTH_FORK_EXEC, 0 };
	return pid < 0 ? (int)pid : 0;
}

static int with_report(const struct birth_paths *paths, struct birth_slot *slot, struct newborn *ret_newborn,
                       int (*bear)(const struct birth_paths *, struct birth_slot *, struct newborn *))
{
	int writer = -1;

	birth_fork_lock();
	int r = birth_report_open(slot, &writer);
	if (r == 0) {
		r = bear(paths, slot, ret_newborn);
		close(writer);
		if (r < 0)
			birth_program_release(slot);
	}
	birth_fork_unlock();
	return r;
}

/* Whether the child must have a memory of its own, by a clone that says where it lives. */
static bool is_copied(const struct birth_paths *paths, const struct child_plan *plan)
{
	if (plan->confine && plan->confine->confinement->own_memory)
		return true;
	return birth_place_flags(plan) && paths->program != PIDRING_BIRTH_CLONE_VM;
}

/* A child that takes its parent's pidfd along, as it cannot be asked for earlier. */
static void keep_parent(struct child_plan *plan)
{
	plan->keep_parent = plan->confine && plan->death_signal && plan->parent_pidfd >= 0;
	if (plan->keep_parent && plan->shared_table && plan->unshare_from <= (unsigned)plan->parent_pidfd)
		plan->unshare_from = (unsigned)plan->parent_pidfd + 1;
}

int birth_program(const struct birth_paths *paths, struct birth_slot *slot, struct newborn *ret_newborn)
{
	struct child_plan *plan = slot->plan;

	bool copied = is_copied(paths, plan);

	plan->have_close_range = paths->close_range;
	plan->shared_table = paths->program == PIDRING_BIRTH_CLONE_VM && !plan->keep_descriptors && !copied;
	keep_parent(plan);
	plan->handlers_cleared = false;
	/* Handlers that the clone leaves in place must be found, too. */
	if (paths->program != PIDRING_BIRTH_CLONE_VM)
		plan->reset = SYS_ALL_SIGNALS;
	plan->report_descriptor = plan->kept_descriptor = -1;
	plan->failed_step = 0;
	plan->failed_error = 0;
	slot->report_descriptor = -1;
	atomic_store_explicit(slot->word, 0, memory_order_relaxed);

	if (copied)
		return with_report(paths, slot, ret_newborn, clone_copy);
	switch (paths->program) {
	case PIDRING_BIRTH_CLONE_VM:
		return clone_vm(slot, ret_newborn);
	case PIDRING_BIRTH_CLONE_VFORK:
		return clone_vfork(slot, ret_newborn);
	default:
		return with_report(paths, slot, ret_newborn, fork_exec);
	}
}

static bool is_readable(int descriptor)
{
	struct pollfd item = { .fd = descriptor, .events = POLLIN };

	return poll(&item, 1, 0) > 0;
}

bool birth_program_is_settled(struct birth_slot *slot)
{
	if (slot->report_descriptor >= 0)
		return is_readable(slot->report_descriptor);
	return sys_word_is_settled((const uint32_t *)slot->word);
}

void birth_program_wait(struct birth_slot *slot, int pidfd)
{
	/* Some kernels (before 5.16) do not clear the word of a child that dumps core: then its end is the
	 * sign. */
	enum { LOOK_EVERY = 100 * 1000 * 1000 };

	if (slot->report_descriptor >= 0) {
		struct pollfd items[2] = { { .fd = slot->report_descriptor, .events = POLLIN },
			                   { .fd = pidfd, .events = POLLIN } };
		while (poll(items, 2, -1) < 0 && errno == EINTR)
			;
		return;
	}
	while (!birth_program_is_settled(slot)) {
		uint32_t word = atomic_load_explicit(slot->word, memory_order_acquire);
		int r = sys_futex_wait((const uint32_t *)slot->word, word, clock_now() + LOOK_EVERY);
		if (r == -ETIMEDOUT && child_has_ended(pidfd))
			return;
	}
}

void birth_program_settle(struct birth_slot *slot)
{
	struct child_report report = { 0 };
	ssize_t length;

	if (slot->report_descriptor < 0)
		return;
	do
		length = read(slot->report_descriptor, &report, sizeof report);
	while (length < 0 && errno == EINTR);
	if (length == (ssize_t)sizeof report) {
		slot->plan->failed_step = report.failed_step;
		slot->plan->failed_error = report.failed_error;
		slot->plan->failed_culprit = report.failed_culprit;
	}
}

void birth_program_release(struct birth_slot *slot)
{
	if (slot->report_descriptor >= 0)
		close(slot->report_descriptor);
	slot->report_descriptor = -1;
}
