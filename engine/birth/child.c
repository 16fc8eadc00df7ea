/* SPDX-License-Identifier: MIT */
/*
 * What runs between clone and target, in the order of the tables at the end of this file.
 *
 * A program's child usually shares memory, thread-local storage and, at first, descriptors with its creator,
 * who goes on meanwhile (CLONE_VM without CLONE_VFORK). What follows from that, and where it is answered:
 *
 *   - errno is the creator's: only raw system calls (sys/raw.h), never libc.
 *   - malloc, stdio and the dynamic linker hold the creator's locks: nothing is allocated, no function of
 *     another object is called (not even memset: no large local variables, no struct copies).
 *   - a signal handler would run the creator's code on its data: all signals are blocked from before the
 * clone until the dispositions are reset; the mask is restored last.
 *   - a sanitizer's instrumentation would write the creator's shadow stack: this file is always compiled
 * without it.
 *   - the descriptor table is the creator's until stage_unshare: nothing before it opens, moves or closes
 * anything.
 *   - the creator may release plan and stack as soon as the kernel has cleared its word, which happens in
 * exec or exit, from where there is no way back to this code.
 *   - the compiler's stack protector reads the creator's canary, which is the same for both and never
 * changes.
 */
#include "birth/child.h"

#include "sys/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
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

/* Leaves the shared table: the kernel copies only what is below unshare_from, so the cost does not grow with
 * the table (Linux 5.9). */
static long stage_unshare(struct child_plan *plan)
{
	if (!plan->shared_table)
		return 0;
	if (plan->keep_descriptors)
		return raw_call1(SYS_unshare, CLONE_FILES);
	return raw_call3(SYS_close_range, plan->unshare_from, (long)UINT_MAX, CLOSE_RANGE_UNSHARE);
}

/* --- placements: sorted by target, so that all of this takes linear time, or nearly --- */

static const struct placement *find_target(const struct child_plan *plan, long descriptor)
{
	unsigned from = 0, to = plan->placement_count;

	while (from < to) {
		unsigned middle = from + (to - from) / 2;
		if (plan->placements[middle].target == descriptor)
			return &plan->placements[middle];
		if (plan->placements[middle].target < descriptor)
			from = middle + 1;
		else
			to = middle;
	}
	return 0;
}

bool child_is_target(const struct child_plan *plan, long descriptor)
{
	return find_target(plan, descriptor) != 0;
}

/* The lowest free number from *from on that is no target; *from goes on behind it. */
static long copy_aside(const struct child_plan *plan, long descriptor, long *from)
{
	for (;;) {
		long copy = raw_call3(SYS_fcntl, descriptor, F_DUPFD_CLOEXEC, *from);
		if (copy < 0)
			return copy == -EINVAL ? -EMFILE : copy;
		*from = copy + 1;
		if (!child_is_target(plan, copy))
			return copy;
		raw_call1(SYS_close, copy);
	}
}

int child_copy_aside(const struct child_plan *plan, int descriptor)
{
	long from = 3;

	return (int)copy_aside(plan, descriptor, &from);
}

static long open_null(const struct child_plan *plan, long *from)
{
	long opened = raw_call4(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR | O_CLOEXEC, 0);

	if (opened < 0)
		return opened;
	long lifted = copy_aside(plan, opened, from);
	raw_call1(SYS_close, opened);
	return lifted;
}

/* Whether something else will be placed where this source stands. */
static bool is_in_the_way(const struct child_plan *plan, int source)
{
	const struct placement *there = find_target(plan, source);

	return there && there->source != source;
}

static long lift(const struct child_plan *plan, struct placement *placement, long *from)
{
	long lifted;

	placement->lifted = -1;
	if (placement->source < 0)
		lifted = open_null(plan, from);
	else if (is_in_the_way(plan, placement->source))
		lifted = copy_aside(plan, placement->source, from);
	else
		return 0;
	if (lifted >= 0)
		placement->lifted = (int)lifted;
	else if (placement->courtesy)
		placement->source = placement->target;
	return placement->courtesy ? 0 : lifted;
}

/* Before anything is placed, so that 3 -> 4 and 4 -> 3 come out right. */
static long lift_all(struct child_plan *plan)
{
	long from = 3, r = 0;

	for (unsigned i = 0; i < plan->placement_count && r >= 0; i++)
		r = lift(plan, &plan->placements[i], &from);
	return r;
}

static long place(const struct placement *placement)
{
	int from = placement->lifted >= 0 ? placement->lifted : placement->source;

	if (from == placement->target)
		return raw_call3(SYS_fcntl, from, F_SETFD, 0);
	return raw_call3(SYS_dup3, from, placement->target, 0);
}

static long place_all(struct child_plan *plan)
{
	long r = lift_all(plan);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < plan->placement_count; i++) {
		const struct placement *placement = &plan->placements[i];
		r = place(placement);
		if (r < 0 && !placement->courtesy)
			return r;
		if (placement->lifted >= 0)
			raw_call1(SYS_close, placement->lifted);
	}
	return 0;
}

/* Where something else will be placed it cannot stay. */
static long stage_move_parent(struct child_plan *plan)
{
	long from = 3;

	if (!plan->keep_parent || !child_is_target(plan, plan->parent_pidfd))
		return 0;
	long copy = copy_aside(plan, plan->parent_pidfd, &from);
	if (copy >= 0)
		plan->parent_pidfd = (int)copy;
	return copy < 0 ? copy : 0;
}

/* A number above the soft limit can be open, but not be had. */
static long stage_placements(struct child_plan *plan)
{
	struct rlimit old = { 0 }, raised = { 0 };

	if (!plan->raise_limit)
		return place_all(plan);
	long r = raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&old);
	if (r < 0)
		return r;
	raised.rlim_cur = raised.rlim_max = old.rlim_max;
	r = raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&raised, 0);
	if (r < 0)
		return r;
	r = place_all(plan);
	raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&old, 0);
	return r;
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

/* --- closing the rest --- */

/* -1: it is not. Close-on-exec ends it. */
static long kept_parent(const struct child_plan *plan)
{
	return plan->keep_parent ? plan->parent_pidfd : -1;
}

static bool is_kept(const struct child_plan *plan, long descriptor)
{
	return descriptor <= 2 || descriptor == plan->kept_descriptor || descriptor == kept_parent(plan) ||
	       child_is_target(plan, descriptor);
}

/* Closes what is between *from and the next one that is kept, and goes on behind that. */
static long close_up_to(long *from, long kept)
{
	long r = kept > *from ? raw_call3(SYS_close_range, *from, kept - 1, 0) : 0;

	if (kept >= *from)
		*from = kept + 1;
	return r;
}

/* The same up to `limit`, with what is kept beside the targets. */
static long close_below(const struct child_plan *plan, long *from, long limit)
{
	long report = plan->kept_descriptor, parent = kept_parent(plan);
	long low = report < parent ? report : parent, high = report < parent ? parent : report;
	long r = 0;

	if (low >= *from && low < limit)
		r = close_up_to(from, low);
	if (r >= 0 && high >= *from && high < limit)
		r = close_up_to(from, high);
	return r;
}

static long close_between_kept(const struct child_plan *plan)
{
	long from = 3, r = 0;

	for (unsigned i = 0; i < plan->placement_count && r >= 0; i++) {
		r = close_below(plan, &from, plan->placements[i].target);
		if (r >= 0)
			r = close_up_to(&from, plan->placements[i].target);
	}
	if (r >= 0)
		r = close_below(plan, &from, INT_MAX);
	return r < 0 ? r : raw_call3(SYS_close_range, from, (long)UINT_MAX, 0);
}

static long parse_number(const char *text)
{
	long number = 0;

	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): getdents64 has written it */
	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (*text - '0');
	return number;
}

/* The kernel's struct linux_dirent64. */
struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* Without close_range: /proc/self/fd lists what is open. Closing while reading may skip entries, hence until
 * a pass finds nothing. */
static long close_listed(const struct child_plan *plan)
{
	long directory =
		raw_call4(SYS_openat, AT_FDCWD, (long)"/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_Alignas(struct directory_entry) char buffer[1024];
	bool found = true;

	if (directory < 0)
		return directory;
	while (found) {
		long length;

		found = false;
		raw_call3(SYS_lseek, directory, 0, 0 /* SEEK_SET */);
		while ((length = raw_call3(SYS_getdents64, directory, (long)buffer, sizeof buffer)) > 0) {
			for (long at = 0; at < length;) {
				const struct directory_entry *entry = (const void *)(buffer + at);
				long descriptor = parse_number(entry->name);

				at += entry->length;
				if (descriptor < 0 || descriptor == directory || is_kept(plan, descriptor))
					continue;
				raw_call1(SYS_close, descriptor);
				found = true;
			}
		}
		if (length < 0)
			break;
	}
	raw_call1(SYS_close, directory);
	return 0;
}

/* Without /proc, too: every number that could be open. */
static long close_numbers(const struct child_plan *plan)
{
	struct rlimit limit = { 0 };
	long r = raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);

	if (r < 0)
		return r;
	/* The hard limit: the soft one may have been lowered below an open descriptor. */
	for (long descriptor = 3; (uint64_t)descriptor < limit.rlim_max && descriptor < INT_MAX; descriptor++)
		if (!is_kept(plan, descriptor))
			raw_call1(SYS_close, descriptor);
	return 0;
}

static long stage_close(struct child_plan *plan)
{
	/* stage_unshare left nothing above 2 behind, and nothing came since. */
	bool closed_by_unshare = plan->shared_table && plan->unshare_from <= 3 && plan->placement_count == 0;

	if (plan->keep_descriptors || closed_by_unshare)
		return 0;
	if (plan->have_close_range)
		return close_between_kept(plan);
	if (close_listed(plan) == 0)
		return 0;
	return close_numbers(plan);
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
