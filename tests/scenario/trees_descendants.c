/* SPDX-License-Identifier: MIT */
/* Signals for whoever came of this process, but for the servants of its engines. */
#define _GNU_SOURCE
#include "tree_members.h"

#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "servers.h"

static void reap(int count, int signal_number)
{
	int status;

	for (int i = 0; i < count; i++) {
		check(wait(&status) > 0);
		check(WIFSIGNALED(status));
		check_int(WTERMSIG(status), signal_number);
	}
	check(wait(&status) < 0);
}

/* A child, its child, and one in a session of its own whose parent has ended. */
static void make_descendants(void)
{
	pid_t middle = fork();

	if (middle == 0) {
		if (fork() == 0) {
			setsid();
			stay();
		}
		_exit(0);
	}
	check_int(waitpid(middle, NULL, 0), middle);
	if (fork() == 0) {
		if (fork() == 0)
			stay();
		stay();
	}
	wait_for_members(3);
}

/* Whoever came of this process, and not its servants. */
SCENARIO(trees_descendants, descendants)
{
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	open_pipe(alive);
	ready = latch_open();
	check_int(pidring_signal_descendants(SIGTERM), 0);
	make_descendants();
	check_int(pidring_signal_descendants(SIGTERM), 3);
	reap(3, SIGTERM);
	make_descendants();
	check_int(pidring_signal_descendants(SIGKILL), 3);
	reap(3, SIGKILL);
	check_nobody_is_left();
	latch_close(&ready);
}

SCENARIO(trees_descendants, descendants_but_for_servants)
{
	open_pipe(alive);
	ready = latch_open();
	engine = open_parked(4);
	need_server(engine);
	/* While some are still being made, too. */
	check_int(pidring_signal_descendants(SIGKILL), 0);
	wait_parked(engine, 4);
	pid_t before[8], after[8];
	size_t count = find_servants("pidring-parked", before, 8);
	check_int(pidring_signal_descendants(SIGKILL), 0);
	check_int(find_servants("pidring-parked", after, 8), count);
	check_int(memcmp(before, after, count * sizeof(before[0])), 0);
	struct pidring_process *process = start_served(engine, sleep_forever, NULL, 0);
	uint64_t made = statistics_of(engine).servers_made;
	check_int(pidring_signal_descendants(SIGTERM), 1);
	check_int(finish(process), -SIGTERM);
	check_int(statistics_of(engine).servers_made, made);
	check_still_serves(engine);
	tidy_up();
}

/* As PID 1, whose children have no other way out; perhaps with a proc of its own. */
static int be_init(bool own_proc)
{
	if (getpid() != 1)
		return EXIT_FAILED;
	if (own_proc && (!unshare_mounts() || mount("none", "/proc", "proc", 0, NULL) < 0))
		return EXIT_SKIPPED;
	check_int(pidring_signal_descendants(SIGTERM), 0);
	make_descendants();
	/* Nobody counts them. */
	check_int(pidring_signal_descendants(SIGTERM), 1);
	reap(3, SIGTERM);
	check_int(pidring_signal_descendants(SIGKILL), 0);
	return 0;
}

static int run_init(bool own_proc)
{
	struct clone_args arguments = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	int status;

	if (pid == 0)
		_exit(be_init(own_proc));
	if (pid < 0)
		return EXIT_SKIPPED;
	check_int(waitpid((pid_t)pid, &status, 0), pid);
	check(WIFEXITED(status));
	return WEXITSTATUS(status);
}

SCENARIO(trees_descendants, descendants_of_an_init)
{
	open_pipe(alive);
	ready = latch_open();
	int without = run_init(false);
	int with = run_init(true);
	check_nobody_is_left();
	latch_close(&ready);
	if (without == EXIT_SKIPPED || with == EXIT_SKIPPED)
		skip("no namespaces here");
	check_int(without, 0);
	check_int(with, 0);
}
