/* SPDX-License-Identifier: MIT */
/* What keeps a signal from a tree: members of another user, no /proc to look into, no descriptor for the walk. */
#define _GNU_SOURCE
#include "tree_members.h"

#include <sys/mount.h>
#include <sys/resource.h>

/* --- those of another user --- */

enum { NOBODY = 65534 };

/* It gives up its power, its child keeps it, until everything that could let it go is closed. */
static int with_powerful_child(void *latch)
{
	if (fork() == 0) {
		close(((struct latch *)latch)->writer);
		latch_release(&ready);
		while (read(((struct latch *)latch)->reader, (char[1]){ 0 }, 1) < 0)
			;
		_exit(0);
	}
	close(((struct latch *)latch)->writer);
	check_int(setresuid(NOBODY, NOBODY, NOBODY), 0);
	return stay();
}

static void become(uid_t user)
{
	check_int(setresuid(user, user, 0), 0);
}

/* Who may not be signalled is left out, and the end is not taken for that of all. */
SCENARIO(trees_limits, another_users)
{
	struct latch latch = latch_open();

	if (geteuid() != 0)
		skip("needs root");
	prepare();
	struct pidring_process *process =
		start_tree(with_powerful_child, (struct pidring_options){ .argument = &latch }, 2);
	become(NOBODY);
	check_int(pidring_process_signal_tree(process, 0, NULL), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, SIGKILL);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -EPERM);
	check_int(pidring_process_kill_tree(process, NULL), -EPERM);
	become(0);
	latch_close(&latch);
	pidring_process_free(process);
	tidy_up();
}

/* --- what a walk needs --- */

static int hide_proc(void *unused)
{
	(void)unused;
	if (!unshare_mounts())
		return EXIT_SKIPPED;
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ENOENT);
	check_contains(pidring_explain(), "/proc");
	check_int(pidring_process_kill_tree(process, NULL), -ENOENT);
	check_int(pidring_signal_descendants(SIGTERM), -ENOENT);
	check_int(umount("/proc"), 0);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	return 0;
}

SCENARIO(trees_limits, without_proc)
{
	prepare();
	int code = finish(start_function(engine, hide_proc, NULL));
	tidy_up();
	if (code == EXIT_SKIPPED)
		skip("no mount namespaces here");
	check_int(code, 0);
}

/* No descriptor is to be had below this limit, and so no walk. */
static struct rlimit forbid_descriptors(void)
{
	struct rlimit before, none;

	check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	return before;
}

/* One that cannot be walked for is as it was: nobody stands still. */
SCENARIO(trees_limits, nobody_is_stopped_for_a_kill_that_fails)
{
	prepare();
	struct pidring_process *process =
		start_tree(three_levels, (struct pidring_options){ .new_group = true }, 7);
	struct rlimit before = forbid_descriptors();
	check_int(pidring_process_kill_tree(process, NULL), -EMFILE);
	check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
	check(process_state(pidring_process_pid(process)) != 'T');
	check_int(pidring_process_is_alive(process), 1);
	kill_all_of(process);
}

/* A stop that outlives the process, and that a kill has replaced which failed, is over: its last event comes. */
SCENARIO(trees_limits, a_kill_that_fails_after_the_end)
{
	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	const struct pidring_stop_step steps[] = { { SIGTERM, 3600 * 1000 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 2);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	struct rlimit before = forbid_descriptors();
	check_int(pidring_process_kill_tree(process, NULL), -EMFILE);
	check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
	await_tree(process, SIGTERM);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 2);
	pidring_process_free(process);
	tidy_up();
}
