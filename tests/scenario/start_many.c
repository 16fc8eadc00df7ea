/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

static const char *const true_argv[] = { "/bin/true", NULL };
static const char *const missing_argv[] = { "/no/such/program", NULL };

/* Nothing to start is no error. */
SCENARIO(start_many, none)
{
	struct pidring_process *none[1];

	check_int(pidring_start_many(NULL, 0), 0);
	check_int(pidring_start_many(none, 0), 0);
}

/* All are started, functions and programs. */
SCENARIO(start_many, functions_and_programs)
{
	enum { COUNT = 60 };
	struct pidring_process *processes[COUNT];
	int codes[COUNT];

	engine = open_engine();
	for (int i = 0; i < COUNT; i++) {
		codes[i] = i;
		if (i % 3 == 0)
			processes[i] = new_function(engine, return_argument, &codes[i]);
		else
			processes[i] = new_process(engine, (struct pidring_options){ .argv = true_argv });
	}
	check_int(pidring_start_many(processes, COUNT), COUNT);
	for (int i = 0; i < COUNT; i++)
		check_int(finish(processes[i]), i % 3 == 0 ? i : 0);
	close_engine(engine);
}

/* Those that fail say why and can be started again; the others run. */
SCENARIO(start_many, some_fail)
{
	struct pidring_process *processes[4];
	struct pidring_failure failure;

	engine = open_engine();
	processes[0] = new_process(engine, (struct pidring_options){ .argv = true_argv });
	processes[1] = new_process(engine, (struct pidring_options){ .argv = missing_argv });
	processes[2] = new_process(
		engine, (struct pidring_options){ .argv = true_argv, .working_directory = "/no/such/place" });
	processes[3] = new_function(engine, return_zero, NULL);
	check_int(pidring_start_many(processes, 4), 2);
	check_int(pidring_process_failure(processes[0], &failure), -ENODATA);
	check_int(pidring_process_failure(processes[1], &failure), 0);
	check_int(failure.step, PIDRING_STEP_EXEC);
	check_int(failure.error, ENOENT);
	check_contains(failure.sentence, "/no/such/program");
	check_int(pidring_process_pid(processes[1]), -ESRCH);
	check_int(pidring_process_failure(processes[2], &failure), 0);
	check_int(failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	check_int(pidring_process_start(processes[1]), -ENOENT);
	check_int(finish(processes[0]), 0);
	check_int(finish(processes[3]), 0);
	pidring_process_free(processes[1]);
	pidring_process_free(processes[2]);
	check_int(pidring_outstanding(engine), 0);
	close_engine(engine);
}

/* One that runs already is refused for itself only. */
SCENARIO(start_many, one_runs_already)
{
	struct pidring_process *processes[2];
	struct pidring_failure failure;

	engine = open_engine();
	processes[0] = start_function(engine, sleep_forever, NULL);
	processes[1] = new_process(engine, (struct pidring_options){ .argv = true_argv });
	check_int(pidring_start_many(processes, 2), 1);
	check_int(pidring_process_failure(processes[0], &failure), 0);
	check_int(failure.step, PIDRING_STEP_STATE);
	check_int(failure.error, EALREADY);
	check_int(pidring_process_is_alive(processes[0]), 1);
	check_int(finish(processes[1]), 0);
	kill_and_free(processes[0]);
	close_engine(engine);
}

/* A missing one or a double makes it fail as a whole, with nothing started. */
SCENARIO(start_many, bad_arrays_are_refused)
{
	struct pidring_process *processes[3];

	engine = open_engine();
	processes[0] = new_process(engine, (struct pidring_options){ .argv = true_argv });
	processes[1] = new_function(engine, return_zero, NULL);
	processes[2] = NULL;
	check_int(pidring_start_many(processes, 3), -EINVAL);
	processes[2] = processes[0];
	check_int(pidring_start_many(processes, 3), -EINVAL);
	check_int(pidring_start_many(NULL, 1), -EINVAL);
	check_int(pidring_process_pid(processes[0]), -ESRCH);
	check_int(pidring_process_pid(processes[1]), -ESRCH);
	check_int(pidring_start_many(processes, 2), 2);
	check_int(finish(processes[0]), 0);
	check_int(finish(processes[1]), 0);
	close_engine(engine);
}

/* Processes of several engines can be started together; each engine has its events. */
SCENARIO(start_many, of_two_engines)
{
	struct pidring *other;
	struct pidring_process *processes[2];
	struct pidring_event event;

	engine = open_engine();
	other = open_engine();
	processes[0] = new_process(engine, (struct pidring_options){ .argv = true_argv });
	processes[1] = new_process(other, (struct pidring_options){ .argv = true_argv });
	check_int(pidring_start_many(processes, 2), 2);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == processes[0]);
	check_int(pidring_wait(other, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == processes[1]);
	check_int(finish(processes[0]), 0);
	check_int(finish(processes[1]), 0);
	close_engine(engine);
	close_engine(other);
}

/* Asynchronous ones among them are told by events as usual. */
SCENARIO(start_many, asynchronous_ones)
{
	struct pidring_process *processes[2];
	struct pidring_event event;

	engine = open_engine();
	processes[0] =
		new_process(engine, (struct pidring_options){ .argv = true_argv, .asynchronous = true });
	processes[1] =
		new_process(engine, (struct pidring_options){ .argv = missing_argv, .asynchronous = true });
	check_int(pidring_start_many(processes, 2), 2);
	for (int started = 0, failed = 0, exited = 0; started + failed + exited < 4;) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		if (event.type == PIDRING_STARTED) {
			check(event.process == processes[0]);
			started++;
		} else if (event.type == PIDRING_START_FAILED) {
			check(event.process == processes[1]);
			check_int(event.code, -ENOENT);
			failed++;
		} else {
			check_int(event.code, event.process == processes[0] ? 0 : 127);
			exited++;
		}
	}
	check_int(finish(processes[0]), 0);
	check_int(finish(processes[1]), 127);
	close_engine(engine);
}

/* A daemon may start none of them. */
SCENARIO(start_many, daemons_may_not)
{
	struct pidring_process *processes[2];
	struct pidring_failure failure;

	engine = open_engine();
	processes[0] = new_process(engine, (struct pidring_options){ .argv = true_argv });
	processes[1] = new_function(engine, return_zero, NULL);
	check_int(pidring_process_set_daemon(pidring_current_process(), true), 0);
	check_int(pidring_start_many(processes, 2), 0);
	check_int(pidring_process_failure(processes[0], &failure), 0);
	check_int(failure.error, EPERM);
	check_int(pidring_process_set_daemon(pidring_current_process(), false), 0);
	pidring_process_free(processes[0]);
	pidring_process_free(processes[1]);
	close_engine(engine);
}

/* First it reaps what has ended. */
SCENARIO(start_many, reaps_the_ended)
{
	struct pidring_process *ended, *next;

	engine = open_engine();
	ended = start_function(engine, return_zero, NULL);
	wait_ended(ended);
	next = new_process(engine, (struct pidring_options){ .argv = true_argv });
	check_int(pidring_start_many(&next, 1), 1);
	check_int(process_state(pidring_process_pid(ended)), 0);
	check_int(finish(ended), 0);
	check_int(finish(next), 0);
	close_engine(engine);
}
