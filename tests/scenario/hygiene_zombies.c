/* SPDX-License-Identifier: MIT */
/* No zombie is left, whichever call sees the end. */
#define _GNU_SOURCE
#include "scenario.h"

static void check_reaped(pid_t pid)
{
	siginfo_t information = { 0 };

	check(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0);
	check_int(errno, ECHILD);
}

enum way_to_reap {
	BY_JOIN,
	BY_LOOKING_JOIN,
	BY_JOIN_ALL,
	BY_IS_ALIVE,
	BY_EXIT_CODE,
	BY_EXIT_RECORD,
	BY_DESCRIBE,
	BY_ACTIVE_CHILDREN,
	BY_NEXT_START,
	BY_CLOSE,
	BY_FREE,
	BY_WAIT,
	WAYS_TO_REAP,
};

static void reap_by(enum way_to_reap way, struct pidring *engine, struct pidring_process *process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct pidring_event event;
	int code;

	switch (way) {
	case BY_JOIN:
		check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		break;
	case BY_LOOKING_JOIN:
		check_int(pidring_process_join(process, 0), 0);
		break;
	case BY_JOIN_ALL:
		check_int(pidring_join_all(&process, 1, 0), 0);
		break;
	case BY_IS_ALIVE:
		check_int(pidring_process_is_alive(process), 0);
		break;
	case BY_EXIT_CODE:
		check_int(pidring_process_exit_code(process, &code), 0);
		break;
	case BY_EXIT_RECORD:
		check_int(pidring_process_exit_record(process, &record), 0);
		break;
	case BY_DESCRIBE:
		check_contains(describe(process), " stopped");
		break;
	case BY_ACTIVE_CHILDREN:
		check_int(pidring_active_children(NULL, 0), 0);
		break;
	case BY_NEXT_START:
		check_int(finish(start_function(engine, return_zero, NULL)), 0);
		break;
	case BY_CLOSE:
		check_int(pidring_process_close(process), 0);
		break;
	case BY_FREE:
		pidring_process_free(process);
		break;
	default:
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	}
}

/* Every call that sees an end reaps it: no zombie is left by any. */
SCENARIO(hygiene_zombies, no_zombies)
{
	struct pidring *engine = open_engine();

	for (enum way_to_reap way = BY_JOIN; way < WAYS_TO_REAP; way++) {
		struct pidring_process *process = start_function(engine, return_zero, NULL);
		pid_t pid = pidring_process_pid(process);

		wait_ended(process);
		reap_by(way, engine, process);
		check_reaped(pid);
		if (way != BY_FREE)
			pidring_process_free(process);
	}
	close_engine(engine);
}

/* A detached child is reaped by the next start, by active_children and by waiting. */
SCENARIO(hygiene_zombies, no_detached_zombies)
{
	struct pidring *engine = open_engine();

	for (int way = 0; way < 3; way++) {
		struct latch latch = latch_open();
		struct pidring_process *process = start_function(engine, wait_for_latch, &latch);
		pid_t pid = pidring_process_pid(process);
		siginfo_t information = { 0 };
		struct pidring_event event;

		pidring_process_free(process);
		latch_release(&latch);
		waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL);
		if (way == 0)
			check_int(finish(start_function(engine, return_zero, NULL)), 0);
		else if (way == 1)
			check_int(pidring_active_children(NULL, 0), 0);
		else
			check_int(pidring_wait(engine, &event, 1, 0), 0);
		check_reaped(pid);
		check_int(pidring_live_objects(), 0);
		latch_close(&latch);
	}
	close_engine(engine);
}
