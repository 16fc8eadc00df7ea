/* SPDX-License-Identifier: MIT */
/* Stops of whole trees: their steps, who drives them, what takes their place, and how their end is told. */
#define _GNU_SOURCE
#include "tree_members.h"

#include <pthread.h>
#include <stdatomic.h>

#include "servers.h"

static const struct pidring_stop_step only_term[] = { { SIGTERM, 20 * MILLISECONDS } };
static const struct pidring_stop_step patient[] = { { 0, 3600 * 1000 * MILLISECONDS }, { SIGKILL, 0 } };

/* Half of it ends of the first step, the rest of the second; that is told when nobody is left. */
SCENARIO(trees_stopping, ladder)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);
	struct pidring_exit_record record = { .size = sizeof(record) };

	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(record.stop_signal, SIGTERM);
	pidring_process_free(process);
	tidy_up();
}

/* The steps are over and somebody is left: the last signal. They are still known to who asks for more. */
SCENARIO(trees_stopping, ladder_without_kill)
{
	struct pidring_stop_options options = tree_steps(only_term, 1);

	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, SIGTERM);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 2);
	pidring_process_free(process);
	tidy_up();
}

/* The process itself outlives the steps: the end is told when it ends. */
SCENARIO(trees_stopping, ladder_that_the_root_outlives)
{
	static const struct pidring_stop_step steps[] = { { SIGUSR1, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 1);
	_Atomic int *count = shared_memory(sizeof *count);
	struct pidring_event event;

	prepare();
	struct pidring_process *process =
		start_tree(count_signals, (struct pidring_options){ .argument = count }, 7);
	check_int(pidring_process_stop(process, &options), 0);
	check(eventually(atomic_load(count) == 7));
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_process_kill(process), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, SIGUSR1);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 6);
	pidring_process_free(process);
	tidy_up();
}

/* The option, and the default steps; the event comes as soon as nobody is left. */
SCENARIO(trees_stopping, option)
{
	prepare();
	struct pidring_process *process =
		start_tree(three_levels, (struct pidring_options){ .stop_tree = true }, 7);
	check_int(pidring_process_stop(process, NULL), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* The tree goes before the group. */
SCENARIO(trees_stopping, option_beside_that_of_the_group)
{
	prepare();
	struct pidring_process *process = start_tree(
		with_daemon_of_the_group,
		(struct pidring_options){ .stop_tree = true, .stop_group = true, .new_group = true }, 2);
	check_int(pidring_process_stop(process, NULL), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* A deadline stops the tree, too. */
SCENARIO(trees_stopping, deadline)
{
	prepare();
	struct pidring_process *process =
		start_tree(half_stubborn,
	                   (struct pidring_options){
				   .stop_tree = true, .stop_steps = term_then_kill, .stop_step_count = 2 },
	                   4);
	check_int(pidring_process_set_deadline(process, 0), 0);
	check_int(next_event(process).type, PIDRING_DEADLINE_PASSED);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

static int stubborn_root(void *unused)
{
	signal(SIGTERM, SIG_IGN);
	return three_levels(unused);
}

/* A join alone drives it as far as the end of the process. */
SCENARIO(trees_stopping, driven_by_join)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);

	prepare();
	struct pidring_process *process = start_tree(stubborn_root, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_stop(process, &options), 0);
	check_int(join_code(process), -SIGKILL);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);

	process = start_tree(stubborn_root, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_stop(process, &options), 0);
	while (pidring_process_join(process, 0) == -ETIMEDOUT)
		poll(NULL, 0, 1);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Another loop drives it by the descriptor. */
SCENARIO(trees_stopping, driven_by_descriptor)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);
	struct pidring_event event = { 0 };

	prepare();
	int descriptor = pidring_fd(engine);
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	while (!event.last) {
		check_int(poll(&(struct pollfd){ .fd = descriptor, .events = POLLIN }, 1, -1), 1);
		check(pidring_wait(engine, &event, 1, 0) >= 0);
	}
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Killing takes the place of a stop under way, of whatever kind; one end is told. */
SCENARIO(trees_stopping, kill_replaces_a_stop)
{
	struct pidring_stop_options options = tree_steps(patient, 2);

	for (int tree = 0; tree < 2; tree++) {
		prepare();
		struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
		options.tree = tree;
		check_int(pidring_process_stop(process, &options), 0);
		kill_all_of(process);
	}
}

/* A stop of the tree that outlives the process gives way to another kind: both ends are known. */
SCENARIO(trees_stopping, replaced_after_the_end)
{
	static const struct pidring_stop_step steps[] = { { SIGTERM, 3600 * 1000 * MILLISECONDS },
		                                          { SIGKILL, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 2);

	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	options.tree = false;
	check_int(pidring_process_stop(process, &options), 0);
	await_tree(process, SIGTERM);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	pidring_process_free(process);
	tidy_up();
}

static int leave_two_behind(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			stay_stubbornly();
	return 0;
}

/* Who is left in the group when the process has ended and been reaped is found by it. */
SCENARIO(trees_stopping, killed_after_the_end)
{
	prepare();
	if (!features_of(engine).group_signal)
		skip("groups cannot be signalled by pidfd here");
	struct pidring_process *process =
		start_tree(leave_two_behind, (struct pidring_options){ .new_group = true }, 2);
	check_int(join_code(process), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 2);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, 0);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Nobody is left: that is told all the same, unless the last event has been. */
SCENARIO(trees_stopping, nobody_to_kill)
{
	struct pidring_event event;

	prepare();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	check_int(join_code(process), 0);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), -ESRCH);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, 0);
	await_tree(process, 0);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	tidy_up();
}

/* To free the process, or to close the engine, is to leave those that are left alone. */
SCENARIO(trees_stopping, freed_or_closed_meanwhile)
{
	struct pidring_stop_options options = tree_steps(patient, 2);
	struct pidring_event event;

	prepare();
	struct pidring_process *process = start_tree(alone, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_stop(process, &options), 0);
	check_int(pidring_process_kill(process), 0);
	await_exit(process, -SIGKILL);
	pidring_process_free(process);
	check_int(pidring_wait(engine, &event, 1, 0), 0);

	process = start_tree(alone, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_stop(process, &options), 0);
	close_engine(engine);
	check_int(pidring_process_kill_tree(process, NULL), -ESHUTDOWN);
	check_int(pidring_process_stop(process, &options), -ESHUTDOWN);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 1);
	check_int(finish(process), -SIGKILL);
	check_nobody_is_left();
	latch_close(&ready);
}

/* What is refused. */
SCENARIO(trees_stopping, refused)
{
	prepare();
	struct pidring_process *process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_signal_tree(NULL, SIGTERM, NULL), -EINVAL);
	check_int(pidring_process_kill_tree(NULL, NULL), -EINVAL);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	check_int(pidring_process_kill_tree(process, NULL), -ESRCH);
	check_int(pidring_process_signal_tree(process, -1, NULL), -EINVAL);
	check_int(pidring_process_signal_tree(process, 65, NULL), -EINVAL);
	check_int(pidring_signal_descendants(65), -EINVAL);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -EBADF);
	check_int(pidring_process_kill_tree(process, NULL), -EBADF);
	pidring_process_free(process);
	tidy_up();
}

/* --- threads --- */

static void *signal_often(void *process)
{
	for (int i = 0; i < 20; i++)
		check_int(pidring_process_signal_tree(process, 0, NULL), 7);
	return NULL;
}

static void *kill_it(void *process)
{
	check_int(pidring_process_kill_tree(process, NULL), 0);
	return NULL;
}

/* Walks of several threads do not disturb each other, nor a thread that waits. */
SCENARIO(trees_stopping, several_threads)
{
	pthread_t threads[3], killer;

	prepare();
	struct pidring_process *process = start_tree(stubborn_root, (struct pidring_options){ 0 }, 7);
	struct pidring_stop_options options = tree_steps(patient, 2);
	check_int(pidring_process_stop(process, &options), 0);
	for (int i = 0; i < 3; i++)
		check_int(pthread_create(&threads[i], NULL, signal_often, process), 0);
	for (int i = 0; i < 3; i++)
		check_int(pthread_join(threads[i], NULL), 0);
	check_int(pthread_create(&killer, NULL, kill_it, process), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(pthread_join(killer, NULL), 0);
	pidring_process_free(process);
	tidy_up();
}

static _Atomic bool enough;

static void *take_events(void *unused)
{
	struct pidring_event events[8];

	(void)unused;
	while (!atomic_load(&enough))
		check(pidring_wait(engine, events, 8, 1 * MILLISECONDS) >= 0);
	return NULL;
}

/* Another thread takes the steps; the object may be freed at any moment of that. */
SCENARIO(trees_stopping, freed_while_another_thread_walks)
{
	static const struct pidring_stop_step steps[] = { { 0, 1 * MILLISECONDS },
		                                          { SIGCONT, 1 * MILLISECONDS },
		                                          { SIGKILL, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 3);
	pthread_t thread;

	prepare();
	struct pidring_process *processes[20];
	for (int i = 0; i < 20; i++)
		processes[i] = start_tree(alone, (struct pidring_options){ 0 }, 1);
	check_int(pthread_create(&thread, NULL, take_events, NULL), 0);
	for (int i = 0; i < 20; i++) {
		check_int(pidring_process_stop(processes[i], &options), 0);
		poll(NULL, 0, i % 4);
		check_int(pidring_process_kill(processes[i]), 0);
		pidring_process_free(processes[i]);
	}
	check_nobody_is_left();
	atomic_store(&enough, true);
	check_int(pthread_join(thread, NULL), 0);
	check(eventually(pidring_active_children(NULL, 0) == 0));
	close_engine(engine);
	latch_close(&ready);
}
