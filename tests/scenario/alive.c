/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

/* Alive from the return of start until the end. */
SCENARIO(alive, from_start_to_end)
{
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_is_alive(process), 0);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_is_alive(process), 1);
	latch_release(&latch);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_process_is_alive(process), 0);
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* A zombie is not alive; asking reaps it and takes it out of the children. */
SCENARIO(alive, zombie_is_not)
{
	struct pidring_process *process;
	int code = -1;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	check_int(process_state(pidring_process_pid(process)), 'Z');
	check_int(pidring_process_is_alive(process), 0);
	check_int(process_state(pidring_process_pid(process)), 0);
	check_int(pidring_process_exit_code(process, &code), 0);
	check_int(code, 0);
	check_int(pidring_active_children(NULL, 0), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* A closed object cannot be asked, whether it was started or not. */
SCENARIO(alive, closed_is_refused)
{
	struct pidring_process *fresh, *used;

	engine = open_engine();
	fresh = new_function(engine, return_zero, NULL);
	used = start_function(engine, return_zero, NULL);
	check_int(join_code(used), 0);
	check_int(pidring_process_close(fresh), 0);
	check_int(pidring_process_close(used), 0);
	check_int(pidring_process_is_alive(fresh), -EBADF);
	check_int(pidring_process_is_alive(used), -EBADF);
	pidring_process_free(fresh);
	pidring_process_free(used);
	close_engine(engine);
}

static int current_is_alive(void *unused)
{
	(void)unused;
	check_int(pidring_process_is_alive(pidring_current_process()), 1);
	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	return 0;
}

/* The current process is alive, in main and in a child, and so is the parent of one that runs. */
SCENARIO(alive, current_process_is)
{
	check_int(pidring_process_is_alive(pidring_current_process()), 1);
	check_in_child(current_is_alive, NULL);
}

static struct pidring_process *fresh_one, *running_one, *closed_one;

static int ask_about_others(void *unused)
{
	(void)unused;
	check_int(pidring_process_is_alive(fresh_one), -ECHILD);
	check_int(pidring_process_is_alive(running_one), -ECHILD);
	check_int(pidring_process_is_alive(closed_one), -EBADF);
	return 0;
}

/* Another process's children cannot be asked; "closed" is checked before that. */
SCENARIO(alive, others_children_are_refused)
{
	engine = open_engine();
	fresh_one = new_function(engine, return_zero, NULL);
	running_one = start_function(engine, sleep_forever, NULL);
	closed_one = new_function(engine, return_zero, NULL);
	check_int(pidring_process_close(closed_one), 0);
	check_int(finish(start_function(engine, ask_about_others, NULL)), 0);
	kill_and_free(running_one);
	pidring_process_free(fresh_one);
	pidring_process_free(closed_one);
	close_engine(engine);
}
