/* SPDX-License-Identifier: MIT */
/* Copies that the host makes of itself with fork(): what they know of the family, and what they may do to the original's
 * children. */
#define _GNU_SOURCE
#include "copies.h"
#include "expected_ends.h"

/* --- the family --- */

static void ask_as_a_copy(void *argument)
{
	struct original *original = argument;
	int code = 0;

	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_start(original->initial), -ECHILD);
	check_int(pidring_process_start(original->running), -EALREADY);
	check_int(pidring_process_join(original->running, 0), -ECHILD);
	check_int(pidring_process_join(original->initial, PIDRING_FOREVER), -ECHILD);
	check_int(pidring_join_all(&original->running, 1, 0), -ECHILD);
	check_int(pidring_process_is_alive(original->running), -ECHILD);
	check_int(pidring_process_is_alive(original->initial), -ECHILD);
	check_int(pidring_process_exit_code(original->running, &code), -EAGAIN);
	check(pidring_process_pid(original->running) > 0);
	check_contains(describe(original->running), " unknown");
	check_text(name_of(original->running), "Process-1");
	check_int(pidring_process_parent_pid(original->running), getppid());
	check_int(pidring_process_close(original->running), -EBUSY);
}

/* A copy has no children, and may neither start nor join nor test the original's. */
SCENARIO(forks, copy_has_no_children)
{
	struct original *original = make_original();

	run_in_copy(ask_as_a_copy, original);
	end_original(original);
}

/* The same in copies of which no fork handler of libc's tells. */
SCENARIO(forks, copies_without_fork_handlers)
{
	struct original *original = make_original();

	run_in_copy_made(BY_FORK_WITHOUT_HANDLERS, ask_as_a_copy, original);
	run_in_copy_made(BY_SYSTEM_CALL, ask_as_a_copy, original);
	end_original(original);
}

static void check_family_of_copy(void *argument)
{
	struct pidring_process *current = pidring_current_process();

	check(current == argument);
	check_text(name_of(current), "MainProcess");
	check_int(pidring_process_identity(current, NULL, 0), 0);
	check_int(pidring_process_pid(current), getpid());
	check_int(pidring_process_is_alive(current), 1);
	check(pidring_parent_process() == NULL);
}

/* The current process of a copy is the original's object with the copy's pid; a parent it has none. */
SCENARIO(forks, family_of_a_copy)
{
	struct original *original = make_original();

	check_family_of_copy(pidring_current_process());
	run_in_copy(check_family_of_copy, pidring_current_process());
	run_in_copy_made(BY_SYSTEM_CALL, check_family_of_copy, pidring_current_process());
	end_original(original);
}

static void terminate_as_a_copy(void *argument)
{
	check_int(pidring_process_signal(argument, 0), 0);
	check_int(pidring_process_terminate(argument), 0);
}

/* A copy may terminate a process of the original's; only the original sees the end. */
SCENARIO(forks, copy_may_terminate)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);

	run_in_copy(terminate_as_a_copy, process);
	check_int(finish(process), -SIGTERM);
	close_engine(engine);
}

/* --- sentinels --- */

struct watch {
	struct pidring_process *watched;
	struct latch ready;
};

static int watch_inherited_sentinel(void *argument)
{
	struct watch *watch = argument;
	int sentinel = pidring_process_sentinel(watch->watched);
	struct pidring_wait_item item = { .process = watch->watched };

	check(sentinel >= 0);
	check(!is_readable(sentinel));
	check_int(pidring_wait_any(&item, 1, 0), 0);
	latch_release(&watch->ready);
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
	check(item.ready);
	check(is_readable(sentinel));
	return 0;
}

/* An inherited sentinel tells of the end in a copy and in siblings that are started later. */
SCENARIO(forks, inherited_sentinel)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct watch watch = { .ready = latch_open() };
	struct pidring_process *sibling;
	pid_t copy;

	watch.watched = start_function(engine, seven_after_latch, &latch);
	sibling = start_function(engine, watch_inherited_sentinel, &watch);
	copy = make_copy(BY_FORK);
	if (copy == 0)
		_exit(watch_inherited_sentinel(&watch));
	latch_wait(&watch.ready);
	latch_wait(&watch.ready);
	latch_release(&latch);
	check_copy_ended_well(copy);
	check_int(finish(sibling), 0);
	check_int(finish(watch.watched), 7);
	latch_close(&latch);
	latch_close(&watch.ready);
	close_engine(engine);
}

static void drop_two(void *argument)
{
	struct pidring_process **processes = argument;
	int sentinels[2];

	for (int i = 0; i < 2; i++)
		sentinels[i] = pidring_process_sentinel(processes[i]);
	check_int(pidring_drop_inherited(), 2);
	for (int i = 0; i < 2; i++) {
		check(!descriptor_is_open(sentinels[i]));
		check_int(pidring_process_sentinel(processes[i]), -EBADF);
		check_int(pidring_process_terminate(processes[i]), -EBADF);
		check_contains(describe(processes[i]), " closed");
	}
	check_int(pidring_drop_inherited(), 0);
	pidring_process_free(processes[0]);
	pidring_process_free(processes[1]);
	check_int(pidring_live_objects(), 0);
}

static int drop_two_as_a_child(void *argument)
{
	struct pidring_process **processes = argument;
	int before = count_descriptors();

	check_int(pidring_drop_inherited(), 2);
	check_int(count_descriptors(), before - 2);
	check_int(pidring_process_sentinel(processes[0]), -EBADF);
	check_int(pidring_process_sentinel(processes[1]), -EBADF);
	check_int(pidring_drop_inherited(), 0);
	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	return 0;
}

/* pidring_drop_inherited gives back what a copy or a child has inherited, and only that; in the original it
 * does nothing. */
SCENARIO(forks, drop_inherited)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[2] = { start_function(engine, sleep_forever, NULL),
		                                 start_program(engine, "sleep", "1000", NULL) };

	check_int(pidring_drop_inherited(), 0);
	run_in_copy(drop_two, processes);
	check_int(finish(start_function(engine, drop_two_as_a_child, processes)), 0);
	for (int i = 0; i < 2; i++) {
		check_int(pidring_process_is_alive(processes[i]), 1);
		kill_and_free(processes[i]);
	}
	close_engine(engine);
}

/* --- forks in function children --- */

struct in_child {
	struct pidring *engine;
	struct pidring_process *sibling;
};

static void check_copy_of_child(void *argument)
{
	struct in_child *in_child = argument;
	unsigned identity[2] = { 0, 0 };

	check_int(pidring_process_identity(pidring_current_process(), identity, 2), 1);
	check_int(identity[0], 2);
	check_int(pidring_process_pid(pidring_current_process()), getpid());
	check(pidring_parent_process() != NULL);
	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_join(in_child->sibling, 0), -ECHILD);
	start_all_kinds(in_child->engine);
}

static int copy_in_a_child(void *argument)
{
	struct in_child *in_child = argument;
	struct pidring_process *own = start_function(in_child->engine, sleep_forever, NULL);

	for (enum copy_by by = BY_FORK; by <= BY_SYSTEM_CALL; by++) {
		run_in_copy_made(by, check_copy_of_child, argument);
		check_int(pidring_process_is_alive(own), 1);
	}
	kill_and_free(own);
	return 3;
}

/* A function child may copy itself: the copy has the child's place in the family, but not its children. */
SCENARIO(forks, copy_of_a_function_child)
{
	struct pidring *engine = open_engine();
	struct in_child in_child = { .engine = engine };
	struct pidring_process *process;

	in_child.sibling = start_function(engine, sleep_forever, NULL);
	process = start_function(engine, copy_in_a_child, &in_child);
	check_int(finish(process), 3);
	kill_and_free(in_child.sibling);
	close_engine(engine);
}
