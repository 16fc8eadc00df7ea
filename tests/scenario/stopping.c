/* SPDX-License-Identifier: MIT */
/* Stopping a process step by step: which signal goes out when, and which steps are refused. */
#define _GNU_SOURCE
#include "stops.h"

static void end_with_seven(int unused)
{
	(void)unused;
	_exit(7);
}

static int end_with_seven_on_usr1(void *unused)
{
	signal(SIGUSR1, end_with_seven);
	return ignore_term(unused);
}

/* The first signal goes out at once, nobody needs to wait. */
SCENARIO(stopping, first_signal_at_once)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(pidring_process_stop(process, NULL), 0);
	wait_ended(process);
	check_int(join_code(process), -SIGTERM);
	/* SIGTERM and SIGCONT go out together. */
	check_int(record_of(process).stop_signal, SIGTERM);
	check_int(record_of(process).deadline_passed, false);
	pidring_process_free(process);
	close_all();
}

/* The others follow after their wait, not earlier. */
SCENARIO(stopping, next_signal_after_its_wait)
{
	struct pidring_process *process;
	int64_t begin;

	engine = open_engine();
	process = start_ready(ignore_term, (struct pidring_options){ 0 });
	begin = now();
	check_int(stop(process, STEPS(term_then_kill)), 0);
	await(PIDRING_EXITED, process);
	check(now() - begin >= 20 * MILLISECONDS);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* Steps without a wait follow at once; signal 0 sends nothing. */
SCENARIO(stopping, steps_without_a_wait)
{
	static const struct pidring_stop_step steps[] = {
		{ 0, 0 }, { SIGTERM, 0 }, { 0, 0 }, { SIGUSR1, 0 }
	};
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(end_with_seven_on_usr1, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(steps)), 0);
	wait_ended(process);
	check_int(join_code(process), 7);
	check_end(process, 7, SIGUSR1, false);
	close_all();
}

/* A ladder may consist of waits alone. */
SCENARIO(stopping, first_step_may_wait)
{
	static const struct pidring_stop_step steps[] = { { 0, 20 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_process *process;
	int64_t begin;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	begin = now();
	check_int(stop(process, STEPS(steps)), 0);
	check_int(join_code(process), -SIGKILL);
	check(now() - begin >= 20 * MILLISECONDS);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* One that is stopped (SIGSTOP) is continued, and acts upon SIGTERM then. */
SCENARIO(stopping, stopped_process_is_continued)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(pidring_process_signal(process, SIGSTOP), 0);
	while (process_state(pidring_process_pid(process)) != 'T')
		poll(NULL, 0, 1);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(join_code(process), -SIGTERM);
	check_end(process, -SIGTERM, SIGTERM, false);
	close_all();
}

/* The process's own steps are the default. */
SCENARIO(stopping, steps_of_the_process)
{
	struct pidring_process *process;
	struct pidring_stop_options nothing = { .size = sizeof(nothing) };

	engine = open_engine();
	process = start_ready(ignore_term,
	                      (struct pidring_options){ .stop_steps = only_kill, .stop_step_count = 1 });
	check_int(stop(process, nothing), 0);
	check_int(join_code(process), -SIGKILL);
	check_end(process, -SIGKILL, SIGKILL, false);
	close_all();
}

/* A stop that is under way is replaced by another, whose steps are copied. */
SCENARIO(stopping, replaced_by_another)
{
	struct pidring_stop_step steps[] = { { SIGTERM, 20 * MILLISECONDS }, { SIGUSR1, 0 } };
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(end_with_seven_on_usr1, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(patient)), 0);
	check_int(stop(process, STEPS(steps)), 0);
	steps[1].signal_number = SIGKILL;
	check_int(join_code(process), 7);
	check_end(process, 7, SIGUSR1, false);

	process = start_ready(end_with_seven_on_usr1, (struct pidring_options){ 0 });
	check_int(stop(process, STEPS(term_then_kill)), 0);
	check_int(stop(process, STEPS(patient)), 0);
	check_int(pidring_process_join(process, 60 * MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_process_is_alive(process), 1);
	kill_and_free(process);
	close_all();
}

/* A process that has ended is stopped. */
SCENARIO(stopping, after_the_end)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_process_set_deadline(process, 0), 0);
	check_int(join_code(process), 0);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_process_set_deadline(process, 0), 0);
	await(PIDRING_EXITED, process);
	check_int(pidring_outstanding(engine), 0);
	check_end(process, 0, 0, false);
	close_engine(engine);
}

/* A process whose program is not yet known to run can be stopped. */
SCENARIO(stopping, asynchronous_start)
{
	struct pidring_process *process;
	int code;

	engine = open_engine();
	process = start_process(engine,
	                        (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
	                                                  .asynchronous = true,
	                                                  .new_session = true,
	                                                  .stop_group = true });
	check_int(pidring_process_stop(process, NULL), 0);
	code = join_code(process);
	check_int(code, -SIGTERM);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- what is refused --- */

SCENARIO(stopping, bad_options)
{
	static const struct pidring_stop_step no_signal[] = { { SIGTERM, 0 }, { 65, 0 } };
	static const struct pidring_stop_step negative_signal[] = { { -9, 0 } };
	static const struct pidring_stop_step negative_wait[] = { { SIGTERM, 5 }, { 0, -3 } };
	struct pidring_stop_options nothing = { .size = sizeof(nothing), .step_count = 2 };
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	check_int(stop(process, (struct pidring_stop_options){ 0 }), -EINVAL);
	check_contains(pidring_explain(), "pidring_stop_options");
	check_int(stop(process, nothing), -EINVAL);
	check_contains(pidring_explain(), "step_count is 2");
	check_int(stop(process, STEPS(no_signal)), -EINVAL);
	check_contains(pidring_explain(), "steps[1].signal_number is 65");
	check_int(stop(process, STEPS(negative_signal)), -EINVAL);
	check_contains(pidring_explain(), "steps[0].signal_number is -9");
	check_int(stop(process, STEPS(negative_wait)), -EINVAL);
	check_contains(pidring_explain(), "steps[1].wait is -3");
	check_int(pidring_process_signal_group(process, 65), -EINVAL);
	check_contains(pidring_explain(), "no signal 65");
	check_int(pidring_process_stop(NULL, NULL), -EINVAL);
	check_contains(pidring_explain(), "pidring_process_stop");
	check_int(pidring_process_set_deadline(NULL, 0), -EINVAL);
	check_contains(pidring_explain(), "pidring_process_set_deadline");
	check_int(pidring_process_signal_group(NULL, 0), -EINVAL);
	check_contains(pidring_explain(), "pidring_process_signal_group");
	check_int(pidring_process_is_alive(process), 1);
	kill_and_free(process);
	close_all();
}

static void check_refused(struct pidring_process *process, int error)
{
	check_int(pidring_process_stop(process, NULL), error);
	check_int(pidring_process_set_deadline(process, 0), error);
	check_int(pidring_process_signal_group(process, 0), error);
}

static int check_relatives(void *unused)
{
	(void)unused;
	check_refused(pidring_current_process(), -ESRCH);
	check_refused(pidring_parent_process(), -EPERM);
	return 0;
}

SCENARIO(stopping, needs_a_process_that_was_started_here)
{
	struct pidring_process *process;
	int status;

	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .target = sleep_forever, .new_group = true });
	check_refused(process, -ESRCH);
	check_refused(pidring_current_process(), -ESRCH);
	check_int(pidring_process_start(process), 0);

	pid_t copy = fork();
	if (copy == 0) {
		check_refused(process, -ECHILD);
		_exit(0);
	}
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);

	check_int(pidring_process_kill(process), 0);
	check_int(join_code(process), -SIGKILL);
	check_int(pidring_process_close(process), 0);
	check_refused(process, -EBADF);
	pidring_process_free(process);
	check_int(finish(start_function(engine, check_relatives, NULL)), 0);
	close_engine(engine);
}
