/* SPDX-License-Identifier: MIT */
/* Who gets the signal that is sent to a tree: every member, once, and no stranger. */
#define _GNU_SOURCE
#include "tree_members.h"

#include <linux/sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "servers.h"

/* Everybody gets it, once, wherever in the tree. */
SCENARIO(trees, three_levels_get_the_signal)
{
	enum pidring_tree_means means = 0;

	prepare();
	struct pidring_process *process = start_tree(three_levels, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_signal_tree(process, 0, &means), 7);
	check_int(means, PIDRING_TREE_WALK);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 7);
	check_int(finish(process), -SIGTERM);
	tidy_up();
}

/* Nobody gets it twice, however often the tree is walked. */
SCENARIO(trees, one_signal_for_each)
{
	_Atomic int *count = shared_memory(sizeof *count);

	prepare();
	struct pidring_process *process = start_tree(
		count_signals, (struct pidring_options){ .argument = count, .new_group = true }, 7);
	check_int(pidring_process_signal_tree(process, SIGUSR1, NULL), 7);
	check(eventually(atomic_load(count) == 7));
	check_int(pidring_process_signal_tree(process, SIGUSR1, NULL), 7);
	check(eventually(atomic_load(count) == 14));
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(atomic_load(count), 14);
	pidring_process_free(process);
	tidy_up();
}

/* What a shell has made, and the shells. */
SCENARIO(trees, shells)
{
	struct pidring_event event;
	int ends[2];

	engine = open_engine();
	open_pipe(ends);
	struct pidring_process *process = start_process(
		engine,
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c",
	                                          "(sh -c 'sleep 1000 & echo; wait' & wait) & wait", NULL },
			.stdout_to = PIDRING_STREAM_DESCRIPTOR,
			.stdout_descriptor = ends[1] });
	close(ends[1]);
	check_int(read(ends[0], (char[1]){ 0 }, 1), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	event = next_event(process);
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, 0);
	check(event.last);
	check_text(read_all(ends[0]), "");
	close(ends[0]);
	pidring_process_free(process);
	close_engine(engine);
}

/* A daemon that has lost its parents is found by its group. */
SCENARIO(trees, daemon_in_the_group)
{
	prepare();
	struct pidring_process *process =
		start_tree(with_daemon_of_the_group, (struct pidring_options){ .new_group = true }, 1);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 2);
	check_int(finish(process), -SIGTERM);
	tidy_up();
}

/* Without a group it is missed, as the header says; and so is one that has left it. */
SCENARIO(trees, daemon_that_left_both)
{
	struct latch latch = latch_open();
	bool reaped = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;

	check(reaped);
	prepare();
	struct pidring_process *process = start_tree(
		with_daemon_of_its_own, (struct pidring_options){ .argument = &latch, .new_group = true }, 1);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 1);
	check_int(finish(process), -SIGTERM);
	check(somebody_is_left());
	/* It is this process's child now. */
	check_int(pidring_signal_descendants(SIGTERM), 1);
	check(wait(NULL) > 0);
	check_text(read_all(alive[0]), "");
	close(alive[0]);
	close_engine(engine);
	latch_close(&ready);
	latch_close(&latch);
}

/* While its parent lives it is found; and once found it is remembered. */
SCENARIO(trees, daemon_whose_parent_lives)
{
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process =
		start_tree(with_daemon_of_its_own, (struct pidring_options){ .argument = &latch }, 1);
	check_int(pidring_process_signal_tree(process, 0, NULL), 3);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 2);
	check_int(finish(process), -SIGTERM);
	tidy_up();
	latch_close(&latch);
}

/* One that ended and was not reaped counts for nothing, and holds nothing up. */
static int with_zombies(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	}
	return stay();
}

SCENARIO(trees, zombies)
{
	prepare();
	struct pidring_process *process = start_tree(with_zombies, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_signal_tree(process, 0, NULL), 1);
	kill_all_of(process);
}

/* A zombie that stays one, because whoever it was left to does not reap it, does not keep the end from being told. */
SCENARIO(trees, zombies_that_stay)
{
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	prepare();
	struct pidring_process *process = start_tree(three_levels, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	for (int i = 0; i < 6; i++)
		check(wait(NULL) > 0);
	pidring_process_free(process);
	tidy_up();
}

/* --- no strangers --- */

static int with_victim(void *latch)
{
	pid_t victim = fork();

	signal(SIGTERM, SIG_IGN);
	if (victim == 0)
		stay();
	latch_wait(latch);
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	return stay();
}

static pid_t only_child_of(pid_t parent)
{
	char path[64];
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *file = fopen(path, "re");
	check(file != NULL);
	check_int(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

static unsigned long long start_of(pid_t pid)
{
	unsigned long long start = 0;
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	check(file != NULL);
	check(fgets(text, sizeof(text), file) != NULL);
	fclose(file);
	check_int(sscanf(strrchr(text, ')') + 1,
	                 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	                 &start),
	          1);
	return start;
}

/* A child of this process with this very number; 0: the kernel does not let us choose. */
static pid_t start_stranger(pid_t number)
{
	struct clone_args arguments = { .exit_signal = SIGCHLD,
		                        .set_tid = (uint64_t)(uintptr_t)&number,
		                        .set_tid_size = 1 };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0)
		for (;;)
			pause();
	check(pid > 0 || errno == EPERM || errno == ENOSYS || errno == EINVAL);
	return pid < 0 ? 0 : (pid_t)pid;
}

static void end_stranger(pid_t stranger)
{
	int status;

	/* Not by any signal before. */
	check_int(waitpid(stranger, &status, WNOHANG), 0);
	check_int(kill(stranger, SIGKILL), 0);
	check_int(waitpid(stranger, &status, 0), stranger);
}

/* Who has got the number of one that was found before is none of the tree. */
SCENARIO(trees, number_of_a_stranger)
{
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process =
		start_tree(with_victim, (struct pidring_options){ .argument = &latch }, 1);
	pid_t victim = only_child_of(pidring_process_pid(process));
	unsigned long long start = start_of(victim);
	check_int(pidring_process_signal_tree(process, 0, NULL), 2);
	latch_release(&latch);
	wait_for_members(1);
	pid_t stranger = start_stranger(victim);
	/* In the same hundredth of a second nobody could tell. */
	while (stranger > 0 && start_of(stranger) == start) {
		end_stranger(stranger);
		stranger = start_stranger(victim);
	}
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 1);
	if (stranger > 0)
		end_stranger(stranger);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	check_int(finish(process), -SIGKILL);
	tidy_up();
	latch_close(&latch);
	if (stranger == 0)
		skip("the kernel does not let us choose a number");
}

/* Nor is one that has the number of the root, and of its group. */
SCENARIO(trees, number_of_the_root)
{
	prepare();
	struct pidring_process *process = start_tree(alone, (struct pidring_options){ .new_group = true }, 1);
	pid_t root = pidring_process_pid(process);
	check_int(pidring_process_kill(process), 0);
	check_int(join_code(process), -SIGKILL);
	pid_t stranger = start_stranger(root);
	if (stranger > 0)
		check_int(setpgid(stranger, stranger), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	if (stranger > 0)
		end_stranger(stranger);
	pidring_process_free(process);
	tidy_up();
	if (stranger == 0)
		skip("the kernel does not let us choose a number");
}
