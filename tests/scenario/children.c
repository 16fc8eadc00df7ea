/* SPDX-License-Identifier: MIT */
#include "servers.h"

static struct pidring *engine;

/* Running children come in the order of their start; others are not among them. */
SCENARIO(children, running_ones_in_order_of_start)
{
	struct pidring_process *first, *second, *third, *fresh, *list[5] = { NULL };

	engine = open_engine();
	check_int(pidring_active_children(NULL, 0), 0);
	first = new_function(engine, sleep_forever, NULL);
	second = new_function(engine, sleep_forever, NULL);
	third = new_function(engine, sleep_forever, NULL);
	fresh = new_function(engine, sleep_forever, NULL);
	check_int(pidring_process_start(third), 0);
	check_int(pidring_process_start(first), 0);
	check_int(pidring_process_start(second), 0);
	check_int(pidring_active_children(list, 5), 3);
	check(list[0] == third && list[1] == first && list[2] == second && list[3] == NULL);
	pidring_process_free(fresh);
	kill_and_free(first);
	check_int(pidring_active_children(list, 5), 2);
	check(list[0] == third && list[1] == second);
	kill_and_free(second);
	kill_and_free(third);
	check_int(pidring_active_children(list, 5), 0);
	close_engine(engine);
}

/* The count is the full one also when there is no room. */
SCENARIO(children, room_may_be_short)
{
	struct pidring_process *first, *second, *list[2] = { NULL };

	engine = open_engine();
	first = start_function(engine, sleep_forever, NULL);
	second = start_function(engine, sleep_forever, NULL);
	check_int(pidring_active_children(NULL, 0), 2);
	check_int(pidring_active_children(list, 1), 2);
	check(list[0] == first && list[1] == NULL);
	check_int(pidring_active_children(NULL, 3), -EINVAL);
	kill_and_free(first);
	kill_and_free(second);
	close_engine(engine);
}

/* It reaps what has ended. */
SCENARIO(children, looking_reaps)
{
	struct pidring_process *processes[5];
	int code;

	engine = open_engine();
	for (int i = 0; i < 5; i++)
		processes[i] = start_function(engine, sleep_forever, NULL);
	for (int i = 0; i < 5; i++) {
		check_int(pidring_process_kill(processes[i]), 0);
		wait_ended(processes[i]);
	}
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(waitpid(-1, NULL, WNOHANG), -1);
	for (int i = 0; i < 5; i++) {
		check_int(pidring_process_exit_code(processes[i], &code), 0);
		check_int(code, -SIGKILL);
		pidring_process_free(processes[i]);
	}
	close_engine(engine);
}

/* Children of all engines are there. */
SCENARIO(children, of_all_engines)
{
	struct pidring *other;
	struct pidring_process *first, *second, *list[2];

	engine = open_engine();
	other = open_engine();
	first = start_function(engine, sleep_forever, NULL);
	second = start_function(other, sleep_forever, NULL);
	check_int(pidring_active_children(list, 2), 2);
	check(list[0] == first && list[1] == second);
	kill_and_free(first);
	kill_and_free(second);
	close_engine(engine);
	close_engine(other);
}

static struct latch ready;

static int have_a_sleeping_child(void *unused)
{
	struct pidring_process *child = start_function(engine, sleep_forever, NULL);

	(void)unused;
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&ready);
	check_int(pidring_process_kill(child), 0);
	check_int(join_code(child), -SIGKILL);
	check_int(pidring_active_children(NULL, 0), 0);
	return 0;
}

/* A child sees its own children only, and its parent does not see them. */
SCENARIO(children, grandchildren_are_not_among_them)
{
	struct pidring_process *child;

	ready = latch_open();
	engine = open_engine();
	child = start_function(engine, have_a_sleeping_child, NULL);
	latch_wait(&ready);
	check(pidring_active_children(NULL, 0) <= 1);
	check_int(finish(child), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	close_engine(engine);
	latch_close(&ready);
}

static int look_as_daemon(void *unused)
{
	(void)unused;
	check_int(pidring_process_daemon(pidring_current_process()), 1);
	check_int(pidring_active_children(NULL, 0), 0);
	return 0;
}

/* Daemons may look too. */
SCENARIO(children, daemons_may_look)
{
	engine = open_engine();
	check_int(finish(start_process(engine,
	                               (struct pidring_options){ .target = look_as_daemon, .daemon = true })),
	          0);
	close_engine(engine);
}

/* Children that the library did not start are neither listed nor reaped, whatever is called. */
SCENARIO(children, strangers_are_left_alone)
{
	struct pidring_process *process;
	struct pidring_event event;
	siginfo_t information;
	int status;
	pid_t stranger = fork();

	if (stranger == 0)
		_exit(21);
	check(stranger > 0);
	engine = open_engine();
	check_int(waitid(P_PID, (id_t)stranger, &information, WEXITED | WNOWAIT), 0);
	process = start_function(engine, return_zero, NULL);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == process);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(finish(process), 0);
	close_engine(engine);
	check_int(waitpid(stranger, &status, 0), stranger);
	check_int(WEXITSTATUS(status), 21);
}

/* --- whether there are any --- */

SCENARIO(children, has_children)
{
	struct pidring_process *process;
	pid_t pid;

	engine = open_engine();
	check_int(pidring_has_children(), 0);
	process = start_program(engine, "sleep", "1000", NULL);
	check_int(pidring_has_children(), 1);
	check_int(pidring_process_kill(process), 0);
	wait_ended(process);
	check_int(pidring_has_children(), 1);
	check_int(finish(process), -SIGKILL);
	check_int(pidring_has_children(), 0);
	pid = fork();
	if (pid == 0)
		_exit(0);
	check_int(pidring_has_children(), 1);
	check_int(waitpid(pid, NULL, 0), pid);
	check_int(pidring_has_children(), 0);
	close_engine(engine);
}

/* Servers and parked children are not counted, functions that they have started are. */
SCENARIO(children, has_children_of_servers)
{
	struct pidring_process *process;

	engine = open_parked(2);
	need_server(engine);
	wait_parked(engine, 2);
	check_int(pidring_has_children(), 0);
	process = start_served(engine, sleep_forever, NULL, 0);
	check_int(pidring_has_children(), 1);
	check_int(pidring_process_kill(process), 0);
	wait_ended(process);
	check_int(pidring_has_children(), 1);
	check_int(finish(process), -SIGKILL);
	check_int(pidring_has_children(), 0);
	close_engine(engine);
}
