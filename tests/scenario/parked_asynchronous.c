/* SPDX-License-Identifier: MIT */
/* Functions that are started without waiting for them to begin: what is told, and when nothing can be waited for. */
#define _GNU_SOURCE
#include "servers.h"

#include <sys/stat.h>

static struct pidring_event next_event(struct pidring *engine)
{
	struct pidring_event event = { 0 };

	check_int(pidring_wait(engine, &event, 1, PATIENCE), 1);
	return event;
}

static struct pidring_process *new_asynchronous(struct pidring *engine, const char *directory)
{
	return new_process(engine, (struct pidring_options){ .target = return_zero,
	                                                     .start_method = PIDRING_FORKSERVER,
	                                                     .asynchronous = true,
	                                                     .working_directory = directory });
}

/* It is told when the function runs, also where it is a fork after all. */
SCENARIO(parked, asynchronous_function_is_told_of)
{
	struct pidring *engine = open_parked(2);
	struct pidring_process *process = new_asynchronous(engine, NULL);

	wait_parked(engine, serves(engine) ? 2 : 0);
	check_int(pidring_process_start(process), 0);
	check(pidring_process_pid(process) > 0);
	check_int(next_event(engine).type, PIDRING_STARTED);
	check_int(next_event(engine).type, PIDRING_EXITED);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* All parked children are stopped, so that none can begin. */
static size_t stop_parked(pid_t *pids, size_t capacity)
{
	size_t count = find_servants("pidring-parked", pids, capacity);

	for (size_t i = 0; i < count; i++)
		check_int(kill(pids[i], SIGSTOP), 0);
	return count;
}

/* Start comes back although the child cannot begin; when it can, and its directory is gone by then, the step is told. */
SCENARIO(parked, asynchronous_function_that_fails)
{
	enum { MOST = 8 };
	struct pidring *engine = open_parked(2);
	char directory[] = "/tmp/pidring-test-XXXXXX";
	struct pidring_failure failure;
	struct pidring_event event;
	pid_t pids[MOST];
	size_t count;

	need_server(engine);
	wait_parked(engine, 2);
	check(mkdtemp(directory) != NULL);
	count = stop_parked(pids, MOST);
	struct pidring_process *process = new_asynchronous(engine, directory);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_birth(process), PIDRING_BIRTH_PARKED);
	check_int(rmdir(directory), 0);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGCONT);
	event = next_event(engine);
	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	event = next_event(engine);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 126);
	pidring_process_free(process);
	close_engine(engine);
}

/* One that is waited for cannot begin before its directory is looked at: it is start that fails, and says so. */
SCENARIO(parked, function_that_cannot_begin)
{
	struct pidring *engine = open_parked(2);
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .target = return_zero,
	                                                      .start_method = PIDRING_FORKSERVER,
	                                                      .working_directory = "/nowhere/at/all" });

	check_int(pidring_process_start(process), -ENOENT);
	check_contains(pidring_explain(), "/nowhere/at/all");
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* A fork has nothing to wait for, so the option would mean nothing there. */
SCENARIO(parked, asynchronous_is_refused_elsewhere)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = NULL;

	check_int(pidring_process_new(&process, engine,
	                              &(struct pidring_options){ .size = sizeof(struct pidring_options),
	                                                         .target = return_zero,
	                                                         .start_method = PIDRING_FORK,
	                                                         .asynchronous = true }),
	          -EINVAL);
	check_contains(pidring_explain(), "asynchronous");
	close_engine(engine);
}
