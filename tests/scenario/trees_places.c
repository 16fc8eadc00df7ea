/* SPDX-License-Identifier: MIT */
/* Trees whose members the kernel keeps together: in a PID namespace, or in a control group. */
#define _GNU_SOURCE
#include "tree_members.h"

#include <sys/mount.h>

/* --- a PID namespace --- */

static int init_with_daemon(void *latch)
{
	signal(SIGTERM, SIG_IGN);
	return with_daemon_of_its_own(latch);
}

static struct pidring_process *start_init(struct latch *latch)
{
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_PID };
	struct pidring_process *process = new_process(
		engine, (struct pidring_options){
				.target = init_with_daemon, .argument = latch, .confinement = &confinement });
	int r = pidring_process_start(process);

	if (r == -EPERM)
		skip("no PID namespaces here");
	check_int(r, 0);
	wait_for_members(1);
	return process;
}

/* The end of its init is that of all, also of whoever no walk would find. */
SCENARIO(trees_places, namespace)
{
	enum pidring_tree_means means = 0;
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process = start_init(&latch);
	check_int(pidring_process_signal_tree(process, SIGCONT, &means), 3);
	check_int(means, PIDRING_TREE_WALK);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_kill_tree(process, &means), 0);
	check_int(means, PIDRING_TREE_NAMESPACE);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), -ESRCH);
	pidring_process_free(process);
	tidy_up();
	latch_close(&latch);
}

/* A ladder in it: the first step for those who are found, the last for all. */
SCENARIO(trees_places, namespace_ladder)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process = start_init(&latch);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), -ESRCH);
	pidring_process_free(process);
	tidy_up();
	latch_close(&latch);
}

/* --- a control group --- */

static struct pidring_cgroup *open_group(void)
{
	return open_group_with(engine, (struct pidring_cgroup_options){ 0 });
}

/* Whatever else the engine tells of its groups. */
static void await_last(struct pidring_process *process, int code)
{
	struct pidring_event event;

	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (!event.last);
	check(event.process == process);
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, code);
}

/* Nobody leaves it, whoever its parents were. */
SCENARIO(trees_places, control_group)
{
	enum pidring_tree_means means = 0;
	struct latch latch = latch_open();

	prepare();
	struct pidring_cgroup *group = open_group();
	struct pidring_process *process = start_process(
		engine,
		(struct pidring_options){ .target = init_with_daemon, .argument = &latch, .cgroup = group });
	wait_for_members(1);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGCONT, &means), 2);
	check_int(means, PIDRING_TREE_CGROUP);
	check_int(pidring_process_kill_tree(process, &means), 0);
	check_int(means, PIDRING_TREE_CGROUP);
	await_last(process, 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	tidy_up();
	latch_close(&latch);
}

/* It has been moved out, and nobody else is in its group: it is the tree all the same. */
SCENARIO(trees_places, left_its_control_group)
{
	prepare();
	struct pidring_cgroup *group = open_group(), *elsewhere = open_group();
	struct pidring_options options = { .cgroup = group };

	struct pidring_process *process = start_tree(half_stubborn, options, 4);
	enter_group(elsewhere, pidring_process_pid(process));
	check_int(pidring_process_signal_tree(process, 0, NULL), 4);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	options.cgroup = group = open_group();
	options.target = sleep_forever;
	process = start_process(engine, options);
	enter_group(elsewhere, pidring_process_pid(process));
	check_int(pidring_process_signal_tree(process, 0, NULL), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	check_int(pidring_cgroup_free(elsewhere), 0);
	tidy_up();
}

/* Killed before it can have got into its group by itself: also where it is not created in it. */
SCENARIO(trees_places, killed_on_the_way_into_its_control_group)
{
	prepare();
	for (int i = 0; i < 20; i++) {
		struct pidring_cgroup *group = open_group();
		struct pidring_process *process = new_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
		                                          .cgroup = group,
		                                          .asynchronous = true });
		check_int(pidring_process_start(process), 0);
		check_int(pidring_process_kill_tree(process, NULL), 0);
		await_last(process, 0);
		pidring_process_free(process);
		check_int(pidring_cgroup_free(group), 0);
	}
	tidy_up();
}

/* The kernel neither lists nor kills whose group is threaded: there it is a walk. */
SCENARIO(trees_places, threaded_control_group)
{
	enum pidring_tree_means means = 0;

	prepare();
	struct pidring_cgroup *above = open_group(), *group = NULL;
	struct pidring_cgroup_options below = { .size = sizeof(below), .parent = pidring_cgroup_path(above) };
	check_int(pidring_cgroup_new(&group, engine, &below), 0);
	check_int(pidring_cgroup_write(group, "cgroup.type", "threaded"), 0);
	struct pidring_process *process =
		start_tree(half_stubborn, (struct pidring_options){ .cgroup = group }, 4);
	check_int(pidring_cgroup_signal(group, 0), -EOPNOTSUPP);
	check_int(pidring_cgroup_kill(group), -EOPNOTSUPP);
	check_int(pidring_process_signal_tree(process, SIGCONT, &means), 4);
	check_int(means, PIDRING_TREE_WALK);
	check_int(pidring_process_kill_tree(process, &means), 0);
	check_int(means, PIDRING_TREE_WALK);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	check_int(pidring_cgroup_free(above), 0);
	tidy_up();
}

SCENARIO(trees_places, always_somebody_new_in_a_control_group)
{
	prepare();
	struct pidring_cgroup *group = open_group();
	struct pidring_process *process = start_tree(crowd, (struct pidring_options){ .cgroup = group }, 6);

	check(pidring_process_signal_tree(process, SIGTERM, NULL) >= 6);
	check(pidring_cgroup_signal(group, SIGTERM) >= 6);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	tidy_up();
}

/* A group lists its members itself. */
static int hide_proc_from_group(void *unused)
{
	(void)unused;
	if (!unshare_mounts())
		return EXIT_SKIPPED;
	struct pidring_cgroup *group = open_group();
	struct pidring_process *process =
		start_tree(half_stubborn, (struct pidring_options){ .cgroup = group }, 4);

	check_int(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	check_int(pidring_process_signal_tree(process, 0, NULL), 4);
	check_int(pidring_cgroup_signal(group, SIGTERM), 4);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	check_int(pidring_cgroup_signal(group, SIGTERM), 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	return 0;
}

SCENARIO(trees_places, control_group_without_proc)
{
	prepare();
	int code = finish(start_function(engine, hide_proc_from_group, NULL));
	tidy_up();
	if (code == EXIT_SKIPPED)
		skip("no mount namespaces or control groups here");
	check_int(code, 0);
}
