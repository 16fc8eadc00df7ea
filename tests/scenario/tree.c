/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

static int descend(void *depth)
{
	int next = *(int *)depth - 1;

	if (next == 0)
		return 1;
	return 1 + finish(start_function(engine, descend, &next));
}

/* Any depth: each level starts and joins its own child. */
SCENARIO(tree, ten_levels)
{
	int depth = 10;

	engine = open_engine();
	check_int(finish(start_function(engine, descend, &depth)), 10);
	close_engine(engine);
}

static int check_names_below(void *depth)
{
	char expected[64] = "Process";
	unsigned numbers[8];
	int next = *(int *)depth + 1;
	int length = pidring_process_identity(pidring_current_process(), numbers, 8);

	check_int(length, *(int *)depth);
	for (int i = 0; i < length; i++) {
		check_int(numbers[i], 1);
		strcat(expected, i == 0 ? "-1" : ":1");
	}
	check_text(name_of(pidring_current_process()), expected);
	check_int(pidring_process_pid(pidring_parent_process()), getppid());
	if (next == 6)
		return 0;
	return finish(start_function(engine, check_names_below, &next));
}

/* Names and parents follow the levels: Process-1:1:1:1:1. */
SCENARIO(tree, names_follow_the_levels)
{
	int depth = 1;

	engine = open_engine();
	check_int(finish(start_function(engine, check_names_below, &depth)), 0);
	close_engine(engine);
}

static struct pidring_process *fresh, *running;

static int use_what_is_not_mine(void *unused)
{
	int code;

	(void)unused;
	check_int(pidring_process_start(fresh), -ECHILD);
	check_int(pidring_process_join(fresh, 0), -ECHILD);
	check_int(pidring_process_is_alive(fresh), -ECHILD);
	check_int(pidring_process_join(running, 0), -ECHILD);
	check_int(pidring_process_is_alive(running), -ECHILD);
	check_int(pidring_process_exit_code(running, &code), -EAGAIN);
	check(pidring_process_pid(running) > 0);
	check(pidring_process_sentinel(running) >= 0);
	check_int(pidring_process_signal(running, 0), 0);
	check_int(pidring_process_close(running), -EBUSY);
	check_int(pidring_process_set_name(running, "renamed in the child"), 0);
	check_int(pidring_process_set_authkey(running, "key", 3), 0);
	return 0;
}

/* In another process an object can be read, signalled and renamed, but not started, joined or tested. */
SCENARIO(tree, objects_of_another_process)
{
	engine = open_engine();
	fresh = new_function(engine, return_zero, NULL);
	running = start_function(engine, sleep_forever, NULL);
	check_int(finish(start_function(engine, use_what_is_not_mine, NULL)), 0);
	check_text(name_of(running), "Process-2");
	kill_and_free(running);
	pidring_process_free(fresh);
	close_engine(engine);
}

static int child_of_sibling(void *unused)
{
	(void)unused;
	return finish(start_function(engine, use_what_is_not_mine, NULL));
}

/* The same two levels down. */
SCENARIO(tree, objects_of_a_grandparent)
{
	engine = open_engine();
	fresh = new_function(engine, return_zero, NULL);
	running = start_function(engine, sleep_forever, NULL);
	check_int(finish(start_function(engine, child_of_sibling, NULL)), 0);
	kill_and_free(running);
	pidring_process_free(fresh);
	close_engine(engine);
}

static int drop_what_is_inherited(void *unused)
{
	int before = count_descriptors();
	int sentinel = pidring_process_sentinel(running);

	(void)unused;
	check(descriptor_is_open(sentinel));
	check_int(pidring_drop_inherited(), 2);
	check(!descriptor_is_open(sentinel));
	check_int(pidring_process_sentinel(running), -EBADF);
	check_int(pidring_process_join(running, 0), -EBADF);
	check(count_descriptors() <= before - 2);
	check_int(pidring_drop_inherited(), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	return 0;
}

/* A child can drop the sentinels of its siblings; the parent keeps its own. */
SCENARIO(tree, inherited_sentinels_can_be_dropped)
{
	struct pidring_process *also_running;

	engine = open_engine();
	running = start_function(engine, sleep_forever, NULL);
	also_running = start_function(engine, sleep_forever, NULL);
	fresh = new_function(engine, return_zero, NULL);
	check_int(pidring_drop_inherited(), 0);
	check_int(finish(start_function(engine, drop_what_is_inherited, NULL)), 0);
	check_int(pidring_process_is_alive(running), 1);
	kill_and_free(running);
	kill_and_free(also_running);
	pidring_process_free(fresh);
	close_engine(engine);
}

static struct latch grandchild_ready;

static int grandchild(void *unused)
{
	(void)unused;
	latch_release(&grandchild_ready);
	return sleep_forever(NULL);
}

static int start_and_kill_a_grandchild(void *unused)
{
	struct pidring_process *child = start_function(engine, grandchild, NULL);

	(void)unused;
	latch_wait(&grandchild_ready);
	check_int(pidring_process_kill(child), 0);
	check_int(finish(child), -SIGKILL);
	return 0;
}

/* Grandchildren are their parent's business: the grandparent has no event of them and no child. */
SCENARIO(tree, grandparent_has_nothing_to_do_with_it)
{
	struct pidring_process *child;
	struct pidring_event events[4];

	grandchild_ready = latch_open();
	engine = open_engine();
	child = start_function(engine, start_and_kill_a_grandchild, NULL);
	check_int(pidring_wait(engine, events, 4, PIDRING_FOREVER), 1);
	check(events[0].process == child);
	check_int(events[0].code, 0);
	check_int(pidring_wait(engine, events, 4, 0), 0);
	pidring_process_free(child);
	close_engine(engine);
	latch_close(&grandchild_ready);
}

static int start_a_program(void *unused)
{
	(void)unused;
	return finish(start_program(engine, "/bin/sh", "-c", "exit 12", NULL));
}

/* A function child starts programs. */
SCENARIO(tree, child_starts_a_program)
{
	engine = open_engine();
	check_int(finish(start_function(engine, start_a_program, NULL)), 12);
	close_engine(engine);
}

static int open_own_engine(void *unused)
{
	struct pidring *own = open_engine();
	struct pidring_process *child;
	struct pidring_event event;
	int before;

	(void)unused;
	close_engine(own);
	before = count_descriptors();
	own = open_engine();
	child = start_function(own, return_zero, NULL);
	check_int(pidring_wait(own, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == child);
	check_int(finish(child), 0);
	close_engine(own);
	check_int(count_descriptors(), before);
	return 0;
}

/* A child can open an engine of its own and close it, and may close the inherited one. */
SCENARIO(tree, child_opens_an_engine)
{
	check_in_child(open_own_engine, NULL);
}

static int close_inherited_engine(void *unused)
{
	struct pidring_process *process = new_function(engine, return_zero, NULL);

	(void)unused;
	close_engine(engine);
	check_int(pidring_process_start(process), -ESHUTDOWN);
	return 0;
}

/* A child may close the engine that it inherited; its parent's is not disturbed. */
SCENARIO(tree, child_closes_the_inherited_engine)
{
	struct pidring_process *child, *second;
	struct pidring_event event;

	engine = open_engine();
	second = start_function(engine, sleep_forever, NULL);
	child = start_function(engine, close_inherited_engine, NULL);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == child);
	check_int(event.code, 0);
	check_int(pidring_process_kill(second), 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == second);
	check_int(finish(second), -SIGKILL);
	check_int(finish(child), 0);
	close_engine(engine);
}
