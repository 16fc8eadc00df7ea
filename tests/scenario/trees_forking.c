/* SPDX-License-Identifier: MIT */
/* Those who come while a tree is signalled: nobody is left over of a kill, and no caller is kept for ever. */
#define _GNU_SOURCE
#include "tree_members.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "servers.h"

enum { MOST_FORKS = 150 };

static int fork_all_the_time(void *memory)
{
	_Atomic int *left = memory;

	latch_release(&ready);
	while (atomic_fetch_sub(left, 1) > 0)
		fork();
	return sleep_forever(NULL);
}

/* Nobody who is born meanwhile is left over. */
SCENARIO(trees_forking, forking_while_killed)
{
	_Atomic int *left = shared_memory(sizeof *left);

	for (int round = 0; round < 5; round++) {
		prepare();
		atomic_store(left, MOST_FORKS);
		struct pidring_process *process =
			start_tree(fork_all_the_time, (struct pidring_options){ .argument = left }, 1);
		kill_all_of(process);
	}
}

/* fork(2) without libc, whose locks threads of this process may hold. */
static pid_t fork_plainly(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
}

static void *fork_in_a_thread(void *memory)
{
	_Atomic int *left = memory;

	while (atomic_fetch_sub(left, 1) > 0)
		if (fork_plainly(0) == 0)
			for (;;)
				pause();
	return NULL;
}

static int fork_in_threads(void *left)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		check_int(pthread_create(&thread, NULL, fork_in_a_thread, left), 0);
	return stay();
}

/* The first thread stands still before the others do. */
SCENARIO(trees_forking, threads_forking_while_killed)
{
	_Atomic int *left = shared_memory(sizeof *left);

	for (int round = 0; round < 5; round++) {
		prepare();
		atomic_store(left, MOST_FORKS);
		struct pidring_process *process =
			start_tree(fork_in_threads, (struct pidring_options){ .argument = left }, 1);
		kill_all_of(process);
	}
}

static int wait_for_each_other(void *unused)
{
	(void)unused;
	for (int level = 0; level < 3; level++)
		if (fork_plainly(CLONE_VFORK) > 0)
			return 1;
	return stay();
}

/* Three wait in vfork, where no stop reaches them, for the fourth. */
SCENARIO(trees_forking, blocked_in_vfork)
{
	prepare();
	struct pidring_process *process = start_tree(wait_for_each_other, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_signal_tree(process, 0, NULL), 4);
	kill_all_of(process);
}

static void fork_one_that_stays(int unused)
{
	(void)unused;
	if (fork_plainly(0) == 0)
		for (;;)
			pause();
}

/* Jobs with groups of their own that outlive their shell. */
static int with_jobs(void *unused)
{
	enum { JOBS = 8, OTHERS = 50 };

	(void)unused;
	for (int i = 0; i < OTHERS; i++)
		if (fork() == 0)
			stay();
	for (int i = 0; i < JOBS; i++)
		if (fork() == 0) {
			check_int(setpgid(0, 0), 0);
			signal(SIGHUP, fork_one_that_stays);
			stay();
		}
	return stay();
}

/* The end of a shell has the kernel continue its jobs, by SIGHUP and SIGCONT: by then they must have been killed. */
SCENARIO(trees_forking, jobs_are_not_continued)
{
	for (int round = 0; round < 5; round++) {
		prepare();
		struct pidring_process *process =
			start_tree(with_jobs, (struct pidring_options){ .new_group = true }, 59);
		kill_all_of(process);
	}
}

/* Each forks the next and ends: without the group nobody could follow it. */
static int run_away(void *memory)
{
	_Atomic int *left = memory;

	latch_release(&ready);
	if (fork() > 0)
		return sleep_forever(NULL);
	while (atomic_fetch_sub(left, 1) > 0)
		if (fork() > 0)
			_exit(0);
	return sleep_forever(NULL);
}

SCENARIO(trees_forking, running_away_while_killed)
{
	_Atomic int *left = shared_memory(sizeof *left);

	prepare();
	if (!features_of(engine).group_signal)
		skip("groups cannot be signalled by pidfd here");
	atomic_store(left, 100 * 1000);
	struct pidring_process *process =
		start_tree(run_away, (struct pidring_options){ .argument = left, .new_group = true }, 1);
	kill_all_of(process);
}

static int busy(void *unused)
{
	(void)unused;
	signal(SIGTERM, SIG_IGN);
	latch_release(&ready);
	for (;;) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

/* Who is always about to start another one does not keep the caller for ever. */
SCENARIO(trees_forking, always_somebody_new)
{
	prepare();
	struct pidring_process *process = start_tree(busy, (struct pidring_options){ 0 }, 1);
	for (int i = 0; i < 3; i++)
		check(pidring_process_signal_tree(process, SIGTERM, NULL) >= 1);
	check_int(pidring_process_is_alive(process), 1);
	kill_all_of(process);
}

/* Nor does a group of which somebody new is always found without his parent. */
SCENARIO(trees_forking, always_somebody_new_in_the_group)
{
	prepare();
	struct pidring_process *process = start_tree(crowd, (struct pidring_options){ .new_group = true }, 6);
	for (int i = 0; i < 3; i++)
		check(pidring_process_signal_tree(process, SIGTERM, NULL) >= 6);
	check_int(
		pidring_process_stop(
			process, &(struct pidring_stop_options){ .size = sizeof(struct pidring_stop_options),
	                                                         .steps = term_then_kill,
	                                                         .step_count = 2,
	                                                         .tree = true }),
		0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}
