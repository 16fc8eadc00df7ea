/* SPDX-License-Identifier: MIT */
/* Events: the end of each child is told once, whoever saw it before; and what is no end. */
#define _GNU_SOURCE
#include "expected_ends.h"

/* --- each event once --- */

/* A hundred children, functions and programs: each end is told once, with its own code and user data. */
SCENARIO(watches, each_end_once)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[100];
	const char *const program[] = { "sh", "-c", "exit 33", NULL };
	int count_of_children = small_or_normal(20, 100);
	int told[100] = { 0 };
	struct pidring_event events[16];
	int total = 0;

	for (int i = 0; i < count_of_children; i++) {
		struct pidring_options options = { .user_data = &told[i] };

		if (i % 4 == 0) {
			options.argv = program;
		} else {
			options.target = return_low_byte;
			options.argument = (void *)(intptr_t)i;
		}
		processes[i] = start_process(engine, options);
	}
	check_int(pidring_outstanding(engine), count_of_children);
	while (pidring_outstanding(engine) > 0) {
		int count = pidring_wait(engine, events, 16, PIDRING_FOREVER);

		check(count >= 0);
		for (int i = 0; i < count; i++) {
			long place = (int *)events[i].user_data - told;

			check(place >= 0 && place < count_of_children);
			check_exited(&events[i], processes[place], place % 4 == 0 ? 33 : (int)place);
			told[place]++;
		}
		total += count;
	}
	check_int(total, count_of_children);
	check_no_event(engine);
	for (int i = 0; i < count_of_children; i++) {
		check_int(told[i], 1);
		pidring_process_free(processes[i]);
	}
	close_engine(engine);
}

/* Whoever saw the end first, the event still comes, once. */
SCENARIO(watches, end_was_seen_before)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	int code;

	for (int way = 0; way < 6; way++) {
		process = start_function(engine, return_zero, NULL);
		wait_ended(process);
		switch (way) {
		case 0:
			check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
			break;
		case 1:
			check_int(pidring_process_is_alive(process), 0);
			break;
		case 2:
			check_int(pidring_process_exit_code(process, &code), 0);
			break;
		case 3:
			check_contains(describe(process), " stopped");
			break;
		case 4:
			check_int(pidring_active_children(NULL, 0), 0);
			break;
		default:
			check_int(pidring_join_all(&process, 1, 0), 0);
		}
		check_int(pidring_outstanding(engine), 1);
		get_end(engine, process, 0);
		check_int(pidring_outstanding(engine), 0);
		check_no_event(engine);
		pidring_process_free(process);
	}
	close_engine(engine);
}

/* Closing or freeing an object drops its event; those of the others come. */
SCENARIO(watches, freeing_drops_events)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[4];

	for (int i = 0; i < 4; i++)
		processes[i] = start_function(engine, return_low_byte, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		wait_ended(processes[i]);
	check_int(pidring_process_join(processes[1], PIDRING_FOREVER), 0);
	pidring_process_free(processes[0]);
	pidring_process_free(processes[1]);
	check_int(pidring_process_close(processes[2]), 0);
	check_int(pidring_outstanding(engine), 1);
	get_end(engine, processes[3], 3);
	check_no_event(engine);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(processes[2]);
	pidring_process_free(processes[3]);
	close_engine(engine);
}

/* A running child whose object is freed has no event, and waiting reaps it. */
SCENARIO(watches, detached_child_has_no_event)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *detached = start_function(engine, wait_for_latch, &latch);
	siginfo_t information = { 0 };
	pid_t pid = pidring_process_pid(detached);

	check_no_event(engine);
	pidring_process_free(detached);
	check_int(pidring_outstanding(engine), 0);
	latch_release(&latch);
	check_int(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL), 0);
	check_no_event(engine);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_live_objects(), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* All objects of a fetched batch may be freed before the next. */
SCENARIO(watches, free_within_a_batch)
{
	struct pidring *engine = open_engine();
	struct pidring_event events[8];
	int total = 0;

	for (int i = 0; i < 24; i++)
		start_function(engine, return_zero, NULL);
	while (total < 24) {
		int count = pidring_wait(engine, events, 8, PIDRING_FOREVER);

		check(count > 0 && count <= 8);
		for (int i = 0; i < count; i++)
			pidring_process_free(events[i].process);
		total += count;
	}
	check_int(total, 24);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

/* The user data of an event is what was set last, also after the start. */
SCENARIO(watches, user_data_as_set_last)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	int first = 1;
	int second = 2;
	struct pidring_process *process = start_process(
		engine, (struct pidring_options){
				.target = wait_for_latch, .argument = &latch, .user_data = &first });
	struct pidring_event event;

	check_int(pidring_process_set_user_data(process, &second), 0);
	latch_release(&latch);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.user_data == &second);
	pidring_process_free(process);
	latch_close(&latch);
	close_engine(engine);
}

/* One engine serves start after start from what its events bring. */
SCENARIO(watches, restart_from_events)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	int restarts = small_or_normal(20, 200);

	start_function(engine, return_zero, NULL);
	for (int i = 0; i < restarts; i++) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_EXITED);
		pidring_process_free(event.process);
		start_function(engine, return_zero, NULL);
		check_int(pidring_outstanding(engine), 1);
	}
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	pidring_process_free(event.process);
	check_int(pidring_outstanding(engine), 0);
	close_engine(engine);
}

/* --- outstanding ends --- */

/* pidring_outstanding counts the ends that are still to be fetched, and nothing else. */
SCENARIO(watches, outstanding)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	const char *const bad[] = { "/nonexistent/program", NULL };
	struct pidring_process *initial = new_function(engine, return_zero, NULL);
	struct pidring_process *failing = new_process(engine, (struct pidring_options){ .argv = bad });
	struct pidring_process *processes[3];
	struct pidring_event event;

	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_process_start(failing), -ENOENT);
	check_int(pidring_outstanding(engine), 0);
	for (int i = 0; i < 3; i++) {
		processes[i] = start_function(engine, wait_for_latch, &latch);
		check_int(pidring_outstanding(engine), i + 1);
	}
	for (int i = 3; i > 0; i--) {
		latch_release(&latch);
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(pidring_outstanding(engine), i - 1);
	}
	for (int i = 0; i < 3; i++)
		check_int(finish(processes[i]), 0);
	pidring_process_free(initial);
	pidring_process_free(failing);
	latch_close(&latch);
	close_engine(engine);
}

/* An asynchronous start that fails counts until its end is fetched. */
SCENARIO(watches, outstanding_of_a_failed_start)
{
	struct pidring *engine = open_engine();
	const char *const bad[] = { "/nonexistent/program", NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = bad, .asynchronous = true });
	struct pidring_failure failure;
	struct pidring_event event;

	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, -ENOENT);
	check(event.process == process);
	check_int(pidring_outstanding(engine), 1);
	get_end(engine, process, 127);
	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.error, ENOENT);
	check_int(failure.step, PIDRING_STEP_EXEC);
	check_int(finish(process), 127);
	close_engine(engine);
}

/* A program that may not be run ends with 126 after an asynchronous start, as in a shell. */
SCENARIO(watches, forbidden_program_ends_with_126)
{
	struct pidring *engine = open_engine();
	const char *const bad[] = { "/etc/passwd", NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = bad, .asynchronous = true });
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, -EACCES);
	get_end(engine, process, 126);
	pidring_process_free(process);
	close_engine(engine);
}

/* Asynchronous starts side by side: for each the word that it started comes before its end. */
SCENARIO(watches, started_comes_first)
{
	enum { COUNT = 30 };
	struct pidring *engine = open_engine();
	const char *const good[] = { "true", NULL };
	int state[COUNT] = { 0 };
	int ended = 0;

	for (int i = 0; i < COUNT; i++)
		start_process(engine, (struct pidring_options){
					      .argv = good, .asynchronous = true, .user_data = &state[i] });
	while (ended < COUNT) {
		struct pidring_event events[4];
		int count = pidring_wait(engine, events, 4, PIDRING_FOREVER);

		check(count > 0);
		for (int i = 0; i < count; i++) {
			int *own = events[i].user_data;

			if (events[i].type == PIDRING_STARTED) {
				check_int(*own, 0);
				*own = 1;
			} else {
				check_exited(&events[i], events[i].process, 0);
				check_int(*own, 1);
				*own = 2;
				ended++;
				pidring_process_free(events[i].process);
			}
		}
	}
	for (int i = 0; i < COUNT; i++)
		check_int(state[i], 2);
	close_engine(engine);
}

/* --- what is an end --- */

/* A stopped child has not ended: no event, no join. */
SCENARIO(watches, stopping_is_no_end)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, seven_after_latch, &latch);
	siginfo_t information = { 0 };

	check_int(pidring_process_signal(process, SIGSTOP), 0);
	check_int(
		waitid(P_PID, (id_t)pidring_process_pid(process), &information, WSTOPPED | WNOWAIT | __WALL),
		0);
	check_no_event(engine);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check(!is_readable(pidring_process_sentinel(process)));
	check_int(pidring_process_signal(process, SIGCONT), 0);
	latch_release(&latch);
	get_end(engine, process, 7);
	check_int(finish(process), 7);
	latch_close(&latch);
	close_engine(engine);
}

static int become_cat(void *argument)
{
	(void)argument;
	execl("/bin/cat", "cat", (char *)NULL);
	return 1;
}

/* A function child that executes a program has not ended. */
SCENARIO(watches, execve_is_no_end)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	int input[2];
	int output[2];
	char byte = 0;

	open_pipe(input);
	open_pipe(output);
	process = start_process(engine, (struct pidring_options){
						.target = become_cat,
						.stdin_to = PIDRING_STREAM_DESCRIPTOR,
						.stdin_descriptor = input[0],
						.stdout_to = PIDRING_STREAM_DESCRIPTOR,
						.stdout_descriptor = output[1],
					});
	close(input[0]);
	close(output[1]);
	check_int(write(input[1], "x", 1), 1);
	check_int(read(output[0], &byte, 1), 1);
	check_no_event(engine);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	close(input[1]);
	get_end(engine, process, 0);
	check_int(finish(process), 0);
	close(output[0]);
	close_engine(engine);
}

static int leave_a_grandchild(void *argument)
{
	if (fork() == 0) {
		latch_wait(argument);
		_exit(0);
	}
	_exit(5);
}

/* A grandchild that lives on, with all that it inherited, does not hide the end of the child. */
SCENARIO(watches, grandchild_hides_nothing)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, leave_a_grandchild, &latch);

	get_end(engine, process, 5);
	check_int(pidring_process_join(process, 0), 0);
	latch_release(&latch);
	check_int(finish(process), 5);
	latch_close(&latch);
	close_engine(engine);
}
