/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include "harness.h"
#include "raw.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_SIZE = 16384 };

static struct floor_child children[FLOOR_SLOTS];

/* Touched now, so that no measurement pays for a page fault that a pool of stacks pays once. */
struct floor_child *floor_children(void)
{
	char *stacks = NULL;

	if (children[0].stack != NULL)
		return children;
	stacks = mmap(NULL, (size_t)FLOOR_SLOTS * STACK_SIZE, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stacks == MAP_FAILED)
		bench_fail("mapping stacks", errno);
	memset(stacks, 0, (size_t)FLOOR_SLOTS * STACK_SIZE);
	for (size_t index = 0; index < FLOOR_SLOTS; index++)
		children[index].stack = stacks + index * STACK_SIZE;
	return children;
}

static void set_mask(const uint64_t *mask, uint64_t *ret_old)
{
	(void)raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)mask, (long)ret_old, RAW_SIGNAL_SET_SIZE, 0);
}

/* CLONE_CLEAR_SIGHAND leaves ignored signals ignored, and which ones are is not known without asking. */
static void reset_dispositions(void)
{
	static const struct raw_signal_action by_default;

	for (long number = 1; number <= RAW_SIGNALS; number++) {
		if (number != SIGKILL && number != SIGSTOP)
			(void)raw_call(SYS_rt_sigaction, number, (long)&by_default, 0, RAW_SIGNAL_SET_SIZE,
			               0);
	}
}

/* Shares memory, thread-local storage and, at first, descriptors with the caller, who goes on meanwhile. */
static void live_as_program(void *argument)
{
	static const uint64_t no_signals;
	struct floor_child *child = argument;

	reset_dispositions();
	(void)raw_call(SYS_close_range, 3, ~0U, CLOSE_RANGE_UNSHARE, 0, 0);
	set_mask(&no_signals, NULL);
	child->error =
		(int)-raw_call(SYS_execve, (long)child->argv[0], (long)child->argv, (long)environ, 0, 0);
	for (;;)
		(void)raw_call(SYS_exit_group, 127, 0, 0, 0, 0);
}

void floor_start(struct floor_child *child, char *const argv[])
{
	static const uint64_t all_signals = ~(uint64_t)0;
	const struct raw_clone_arguments arguments = {
		.flags = CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_FILES | CLONE_CHILD_CLEARTID,
		.pidfd = (uint64_t)(uintptr_t)&child->pidfd,
		.child_tid = (uint64_t)(uintptr_t)&child->word,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)child->stack,
		.stack_size = STACK_SIZE,
	};
	uint64_t mask = 0;
	long pid = 0;

	child->argv = argv;
	child->error = 0;
	__atomic_store_n(&child->word, 1, __ATOMIC_RELEASE);
	set_mask(&all_signals, &mask);
	pid = raw_clone_onto_stack(&arguments, live_as_program, child);
	set_mask(&mask, NULL);
	if (pid < 0)
		bench_fail("clone3", (int)-pid);
	child->pid = (pid_t)pid;
}

void floor_settle(struct floor_child *child)
{
	while (__atomic_load_n(&child->word, __ATOMIC_ACQUIRE) != 0)
		(void)raw_call(SYS_futex, (long)&child->word, FUTEX_WAIT, 1, 0, 0);
	if (child->error != 0)
		bench_fail("execve", child->error);
}

void floor_take_status(int pidfd, int code, int status)
{
	siginfo_t information;
	struct rusage usage;
	long result = 0;

	information.si_pid = 0;
	result =
		raw_call(SYS_waitid, RAW_P_PIDFD, pidfd, (long)&information, WEXITED | WNOHANG, (long)&usage);
	if (result < 0)
		bench_fail("waitid", (int)-result);
	if (information.si_pid == 0)
		bench_fail("waitid found no ended child", 0);
	if (information.si_code != code || information.si_status != status)
		bench_fail("the child ended otherwise than it should", 0);
}

void floor_reap(struct floor_child *child)
{
	struct pollfd item = { .fd = child->pidfd, .events = POLLIN };

	if (poll(&item, 1, -1) != 1)
		bench_fail("poll", errno);
	floor_take_status(child->pidfd, CLD_EXITED, 0);
	(void)close(child->pidfd);
}

__attribute__((noreturn)) static void live_as_function(void)
{
	/* As fork() leaves it: the list's head is part of libc's thread descriptor, which was copied. */
	void *robust_list = NULL;
	size_t length = 0;

	(void)raw_call(SYS_get_robust_list, 0, (long)&robust_list, (long)&length, 0, 0);
	(void)raw_call(SYS_set_robust_list, (long)robust_list, (long)length, 0, 0, 0);
	for (;;)
		(void)raw_call(SYS_exit_group, 0, 0, 0, 0, 0);
}

void floor_start_function(struct floor_child *child)
{
	int *thread_id = NULL;
	struct raw_clone_arguments arguments = {
		.flags = CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
		.pidfd = (uint64_t)(uintptr_t)&child->pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = 0;

	if (prctl(PR_GET_TID_ADDRESS, &thread_id, 0, 0, 0) < 0)
		bench_fail("prctl(PR_GET_TID_ADDRESS)", errno);
	arguments.child_tid = (uint64_t)(uintptr_t)thread_id;
	pid = raw_call(SYS_clone3, (long)&arguments, (long)sizeof(arguments), 0, 0, 0);
	if (pid < 0)
		bench_fail("clone3", (int)-pid);
	if (pid == 0)
		live_as_function();
	child->pid = (pid_t)pid;
}
