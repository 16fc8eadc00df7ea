/* SPDX-License-Identifier: MIT */
/*
 * What runs between clone and target, in the order of the tables at the end of this file. Its stages with descriptors
 * are in child_placements.c and child_close.c, those of a confined child in confine/.
 *
 * A program's child usually shares memory, thread-local storage and, at first, descriptors with its creator,
 * who goes on meanwhile (CLONE_VM without CLONE_VFORK). What follows from that, and where it is answered:
 *
 *   - errno is the creator's: only raw system calls (sys/raw.h), never libc.
 *   - malloc, stdio and the dynamic linker hold the creator's locks: nothing is allocated, no function
 *     outside these files is called (not even memset: no large local variables, no struct copies).
 *   - a signal handler would run the creator's code on its data: all signals are blocked from before the
 *     clone until the dispositions are reset; the mask is restored last.
 *   - a sanitizer's instrumentation would write the creator's shadow stack: this file and those of its stages are always
 *     compiled without it.
 *   - the descriptor table is the creator's until stage_unshare: nothing before it opens, moves or closes
 *     anything.
 *   - the creator may release plan and stack as soon as the kernel has cleared its word, which happens in
 *     exec or exit, from where there is no way back to this code.
 *   - the compiler's stack protector reads the creator's canary, which is the same for both and never
 *     changes.
 */
#include "birth/child_stages.h"

#include "sys/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>

/* The kernel's own struct sigaction; all zero is SIG_DFL. The same on x86-64 and aarch64. */
struct kernel_signal_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	sys_signal_set mask;
};

static long set_action(int signal_number, const struct kernel_signal_action *action)
{
	return raw_call4(SYS_rt_sigaction, signal_number, (long)action, 0, (long)SYS_SIGNAL_SET_SIZE);
}

static long get_action(int signal_number, struct kernel_signal_action *ret_action)
{
	return raw_call4(SYS_rt_sigaction, signal_number, 0, (long)ret_action, (long)SYS_SIGNAL_SET_SIZE);
}

static bool may_be_caught(int signal_number)
{
	return signal_number != SIGKILL && signal_number != SIGSTOP;
}

sys_signal_set child_find_ignored(void)
{
	struct kernel_signal_action action = { 0 };
	sys_signal_set ignored = 0;

	for (int signal_number = 1; signal_number <= SYS_SIGNALS; signal_number++)
		if (get_action(signal_number, &action) == 0 && action.handler == SIG_IGN)
			ignored |= (sys_signal_set)1 << (signal_number - 1);
	return ignored;
}

/* The creator's handlers must be gone before the mask is: they would run here, on the creator's memory. */
static long stage_dispositions(struct child_plan *plan)
{
	static const struct kernel_signal_action by_default;
	struct kernel_signal_action old = { 0 };

	if (!plan->reset_signals && plan->handlers_cleared)
		return 0;

	for (int signal_number = 1; signal_number <= SYS_SIGNALS; signal_number++) {
		if (!may_be_caught(signal_number) || !(plan->reset >> (signal_number - 1) & 1))
			continue;
		if (!plan->reset_signals) {
			long r = get_action(signal_number, &old);
			if (r < 0)
				return r;
			if (old.handler == SIG_IGN || old.handler == SIG_DFL)
				continue;
		}
		long r = set_action(signal_number, &by_default);
		if (r < 0)
			return r;
	}
	return 0;
}

static long stage_ignored(struct child_plan *plan)
{
	const struct kernel_signal_action ignore = { .handler = SIG_IGN };
	long r = 0;

	for (int signal_number = 1; plan->ignored && signal_number <= SYS_SIGNALS && r >= 0; signal_number++)
		if (may_be_caught(signal_number) && (plan->ignored >> (signal_number - 1) & 1))
			r = set_action(signal_number, &ignore);
	return r;
}

/* The list first: a word that is owned but in no list would never be settled. */
void child_own(struct child_ownership ownership)
{
	struct child_robust_list *list = ownership.list;

	list->head.list.next = &list->entry;
	list->entry.next = &list->head.list;
	list->head.futex_offset = (char *)ownership.word - (char *)&list->entry;
	list->head.list_op_pending = 0;
	raw_call2(SYS_set_robust_list, (long)&list->head, (long)sizeof list->head);
	atomic_store(ownership.word, (uint32_t)raw_call0(SYS_gettid) | FUTEX_WAITERS);
}

static long stage_ownership(struct child_plan *plan)
{
	if (plan->ownership.word)
		child_own(plan->ownership);
	return 0;
}

static long stage_scheduling(struct child_plan *plan)
{
	if (plan->set_scheduling)
		raw_call3(SYS_sched_setscheduler, 0, plan->policy, (long)&plan->scheduling);
	return 0;
}

static long stage_session(struct child_plan *plan)
{
	return plan->new_session ? raw_call0(SYS_setsid) : 0;
}

static long stage_group(struct child_plan *plan)
{
	/* Fails if the group has vanished since, with all who were in it. */
	if (plan->join_group && !plan->new_group && !plan->new_session)
		raw_call2(SYS_setpgid, 0, plan->join_group);
	/* A session leader leads its group already, and may not be moved. */
	return plan->new_group && !plan->new_session ? raw_call2(SYS_setpgid, 0, 0) : 0;
}

static long stage_umask(struct child_plan *plan)
{
	if (plan->set_umask)
		raw_call1(SYS_umask, (long)plan->umask);
	return 0;
}

static long enter_working_directory(const struct child_plan *plan)
{
	return plan->working_directory ? raw_call1(SYS_chdir, (long)plan->working_directory) : 0;
}

/* While the creator's descriptors are there: it may be named by one of them. */
static long stage_working_directory(struct child_plan *plan)
{
	return plan->confine ? 0 : enter_working_directory(plan);
}

/* The hard limit stays as it is: the host may have lowered it since. */
static long stage_limit(struct child_plan *plan)
{
	struct rlimit limit = { 0 };

	if (!plan->set_descriptor_limit)
		return 0;
	long r = raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);
	if (r < 0)
		return r;
	limit.rlim_cur = plan->descriptor_limit.rlim_cur;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	return raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&limit, 0);
}

bool child_has_ended(int pidfd)
{
	struct pollfd item = { .fd = pidfd, .events = POLLIN };
	struct timespec at_once = { 0 };

	raw_call5(SYS_ppoll, (long)&item, 1, (long)&at_once, 0, 0);
	return item.revents & POLLIN;
}

/* From another PID namespace the parent's pid reads 0, so there its pidfd is asked. */
static bool parent_has_ended(const struct child_plan *plan)
{
	long now = raw_call0(SYS_getppid);

	if (now == plan->parent_pid)
		return false;
	if (now == 0 && plan->parent_pidfd >= 0)
		return child_has_ended(plan->parent_pidfd);
	return true;
}

/*
 * To be set again after every change of credentials, which clears it (prctl(2)). A parent that ended before the prctl is
 * noticed by the look after it; the signal that was missed is sent by the child itself and waits, with all
 * others, for the mask.
 */
static long stage_death_signal(struct child_plan *plan)
{
	if (plan->death_signal == 0)
		return 0;

	long r = raw_call5(SYS_prctl, PR_SET_PDEATHSIG, plan->death_signal, 0, 0, 0);
	if (r < 0)
		return r;
	if (!parent_has_ended(plan))
		return 0;
	/* The init of a PID namespace cannot end itself by a signal. */
	if (raw_call0(SYS_getpid) == 1)
		return -ECANCELED;
	return raw_call2(SYS_kill, raw_call0(SYS_getpid), plan->death_signal);
}

static long stage_terminal(struct child_plan *plan)
{
	return plan->terminal >= 0 ? raw_call3(SYS_ioctl, plan->terminal, TIOCSCTTY, 0) : 0;
}

/* That it has no terminal, or may not have this one, is no failure. SIGTTOU is blocked, as all are. */
static long stage_foreground(struct child_plan *plan)
{
	int group = 0;

	if (!plan->foreground)
		return 0;
	if (plan->new_session) {
		raw_call3(SYS_ioctl, 0, TIOCSCTTY, 0);
		return 0;
	}
	group = (int)raw_call0(SYS_getpid);
	for (int stream = 0; stream <= 2; stream++)
		if (raw_call3(SYS_ioctl, stream, TIOCSPGRP, (long)&group) == 0)
			break;
	return 0;
}

static long stage_mask(struct child_plan *plan)
{
	return raw_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&plan->signal_mask, 0,
	                 (long)SYS_SIGNAL_SET_SIZE);
}

/* A child whose end nobody waits for (SIGCHLD is ignored), or somebody else does, would be gone before its creator has a
 * pidfd of it. A creator that has ended never opens the gate. */
static long stage_gate(struct child_plan *plan)
{
	const struct timespec some_time = { .tv_sec = 1 };

	while (plan->gate && atomic_load(plan->gate) == 0) {
		long r = raw_call4(SYS_futex, (long)plan->gate, FUTEX_WAIT, 0, (long)&some_time);
		if (r == -ETIMEDOUT && parent_has_ended(plan))
			return -ECANCELED;
	}
	if (!plan->gate)
		return 0;
	bool passes =
		atomic_load(plan->gate) == CHILD_GATE_OPEN && *plan->gate_owner == raw_call0(SYS_gettid);
	return passes ? 0 : -ECANCELED;
}

/* As execvp: the first that can be run; if there is none, EACCES if one was there all the same. */
static long stage_exec(struct child_plan *plan)
{
	char *const *candidate = plan->candidates;
	long result = -ENOENT;

	if (!candidate)
		return raw_call3(SYS_execve, (long)plan->path, (long)plan->argv, (long)plan->envp);
	for (; *candidate; candidate++) {
		long r = raw_call3(SYS_execve, (long)*candidate, (long)plan->argv, (long)plan->envp);
		if (r == -EACCES)
			result = r;
		else if (r != -ENOENT && r != -ENOTDIR)
			return r;
	}
	return result;
}

/* --- confinement --- */

static long write_own_pid(long directory)
{
	long file = raw_call4(SYS_openat, directory, (long)"cgroup.procs", O_WRONLY | O_CLOEXEC, 0);

	if (file < 0)
		return file;
	long r = raw_call3(SYS_write, file, (long)"0", 1);
	raw_call1(SYS_close, file);
	return r < 0 ? r : 0;
}

/* Where the clone could not: then the table is no longer, or never was, its creator's. */
static long stage_cgroup(struct child_plan *plan)
{
	return plan->enter_cgroup && !plan->cgroup_by_clone ? write_own_pid(plan->cgroup) : 0;
}

/* Its root may be another's now. */
static long stage_confined_directory(struct child_plan *plan)
{
	return plan->confine ? enter_working_directory(plan) : 0;
}

static long stage_confined_death_signal(struct child_plan *plan)
{
	return plan->confine ? stage_death_signal(plan) : 0;
}

struct stage {
	enum pidring_step step;
	long (*run)(struct child_plan *plan);
	long (*confine)(struct confine_work *work); /* instead: of one that is confined only */
};

static const struct stage program_stages[] = {
	{ PIDRING_STEP_NONE, .run = stage_ownership }, /* cannot fail */
	{ PIDRING_STEP_SIGNALS, .run = stage_dispositions },
	{ PIDRING_STEP_SIGNALS, .run = stage_ignored },
};

static const struct stage common_stages[] = {
	{ PIDRING_STEP_NONE, .run = stage_scheduling }, /* its failure is no reason */
	{ PIDRING_STEP_SESSION, .run = stage_session },
	{ PIDRING_STEP_GROUP, .run = stage_group },
	{ PIDRING_STEP_NONE, .run = stage_umask }, /* cannot fail */
	{ PIDRING_STEP_WORKING_DIRECTORY, .run = stage_working_directory },
	{ PIDRING_STEP_DEATH_SIGNAL, .run = stage_death_signal },
	{ PIDRING_STEP_ID_MAP, .confine = confine_await_ids },
	{ PIDRING_STEP_CGROUP, .run = stage_cgroup },
	{ PIDRING_STEP_SETTING, .confine = confine_oom_scores },
	{ PIDRING_STEP_NAMESPACE, .confine = confine_hide },
	{ PIDRING_STEP_NAMESPACE, .confine = confine_join },
	{ PIDRING_STEP_DESCRIPTORS, .run = stage_unshare },
	{ PIDRING_STEP_DESCRIPTORS, .run = stage_move_parent },
	{ PIDRING_STEP_STREAM, .run = stage_placements },
	{ PIDRING_STEP_TERMINAL, .run = stage_terminal },
	{ PIDRING_STEP_NONE, .run = stage_foreground }, /* cannot fail */
	{ PIDRING_STEP_DESCRIPTORS, .run = stage_close },
	{ PIDRING_STEP_LIMIT, .run = stage_limit },
	{ PIDRING_STEP_NAMESPACE, .confine = confine_time },
	{ PIDRING_STEP_SETTING, .confine = confine_settings },
	{ PIDRING_STEP_MOUNT, .confine = confine_make_mounts },
	{ PIDRING_STEP_ROOT, .confine = confine_root },
	{ PIDRING_STEP_MOUNT, .confine = confine_place_mounts },
	{ PIDRING_STEP_ROOT, .confine = confine_read_only_root },
	{ PIDRING_STEP_HOST_NAME, .confine = confine_host_name },
	{ PIDRING_STEP_WORKING_DIRECTORY, .run = stage_confined_directory },
	{ PIDRING_STEP_SETTING, .confine = confine_limits },
	{ PIDRING_STEP_CAPABILITIES, .confine = confine_bounding },
	{ PIDRING_STEP_GROUPS, .confine = confine_groups },
	{ PIDRING_STEP_USER, .confine = confine_user },
	{ PIDRING_STEP_CAPABILITIES, .confine = confine_raise },
	{ PIDRING_STEP_SECURE_BITS, .confine = confine_secure_bits },
	{ PIDRING_STEP_CAPABILITIES, .confine = confine_capabilities },
	{ PIDRING_STEP_NO_NEW_PRIVILEGES, .confine = confine_no_new_privileges },
	{ PIDRING_STEP_DEATH_SIGNAL, .run = stage_confined_death_signal },
};

static const struct stage program_ends[] = {
	{ PIDRING_STEP_SIGNALS, .run = stage_mask },
	{ PIDRING_STEP_CLONE, .run = stage_gate },
	{ PIDRING_STEP_SECCOMP, .confine = confine_filter },
	{ PIDRING_STEP_EXEC, .run = stage_exec },
};

static const struct stage function_stages[] = {
	{ PIDRING_STEP_CLONE, .run = stage_gate },
};

/* When the library has nothing more to do before the target, which begins in bootstrap.c. */
static const struct stage function_ends[] = {
	{ PIDRING_STEP_SECCOMP, .confine = confine_filter },
};

static void note_failure(struct child_plan *plan, enum pidring_step step, int error)
{
	plan->failed_step = (int)step;
	plan->failed_error = error;
	plan->failed_culprit = plan->confine ? plan->confine->culprit : 0;
}

static long run_stage(struct child_plan *plan, const struct stage *stage)
{
	if (stage->run)
		return stage->run(plan);
	return plan->confine ? stage->confine(plan->confine) : 0;
}

static long run_stages(struct child_plan *plan, const struct stage *stages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		long r = run_stage(plan, &stages[i]);
		if (r >= 0)
			continue;
		note_failure(plan, stages[i].step, (int)-r);
		return r;
	}
	return 0;
}

static long run_common_stages(struct child_plan *plan)
{
	return run_stages(plan, common_stages, sizeof common_stages / sizeof common_stages[0]);
}

/* As a shell has it: 127 for what is not there, 126 for what cannot be run. */
static int exit_code_of_failure(const struct child_plan *plan)
{
	return plan->failed_step == PIDRING_STEP_EXEC && plan->failed_error == ENOENT ? 127 : 126;
}

static __attribute__((noreturn)) void end_failed(const struct child_plan *plan)
{
	if (plan->report_descriptor >= 0) {
		struct child_report report = { plan->failed_step, plan->failed_error, plan->failed_culprit };
		raw_call3(SYS_write, plan->report_descriptor, (long)&report, sizeof report);
	}
	raw_call1(SYS_exit_group, exit_code_of_failure(plan));
	/* Forbidden by the filter that the child was given. */
	__builtin_trap();
}

void child_fail(struct child_plan *plan, enum pidring_step step, int error)
{
	note_failure(plan, step, error);
	end_failed(plan);
}

void child_run_program(void *argument)
{
	struct child_plan *plan = argument;

	if (run_stages(plan, program_stages, sizeof program_stages / sizeof program_stages[0]) == 0 &&
	    run_common_stages(plan) == 0)
		run_stages(plan, program_ends, sizeof program_ends / sizeof program_ends[0]);
	end_failed(plan);
}

int child_run_program_clone(void *plan)
{
	child_run_program(plan);
}

int child_prepare_function(struct child_plan *plan)
{
	long r = run_common_stages(plan);

	return r < 0 ? (int)r
	             : (int)run_stages(plan, function_stages,
	                               sizeof function_stages / sizeof function_stages[0]);
}

int child_filter_function(struct child_plan *plan)
{
	return (int)run_stages(plan, function_ends, sizeof function_ends / sizeof function_ends[0]);
}
