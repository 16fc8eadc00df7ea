/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/stat.h>

static struct pidring *engine;

static struct pidring_process *start_asynchronously(const char *program, void *user_data)
{
	const char *const argv[] = { program, NULL };

	return start_process(engine, (struct pidring_options){
					     .argv = argv, .asynchronous = true, .user_data = user_data });
}

static struct pidring_event next_event(void)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	return event;
}

/* The start is told by an event, the end by the next. */
SCENARIO(asynchronous, started_then_exited)
{
	struct pidring_process *process;
	struct pidring_event event;
	int mine;

	engine = open_engine();
	process = start_asynchronously("/bin/true", &mine);
	check(pidring_process_pid(process) > 0);
	check(pidring_process_sentinel(process) >= 0);
	event = next_event();
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	check(event.user_data == &mine);
	event = next_event();
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 0);
	check(event.process == process);
	check(event.user_data == &mine);
	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(finish(process), 0);
	close_engine(engine);
}

static void check_fails(const char *program, int error, enum pidring_step step, int code)
{
	struct pidring_process *process = start_asynchronously(program, NULL);
	struct pidring_failure failure;
	struct pidring_event event = next_event();

	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, error);
	check(event.process == process);
	check_int(pidring_process_failure(process, &failure), 0);
	check_text(pidring_step_name(failure.step), pidring_step_name(step));
	check_int(failure.error, -error);
	check_contains(failure.sentence, program);
	event = next_event();
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, code);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(finish(process), code);
}

/* A program that cannot be run: the event has the error, then the end comes with 126, or 127 if it is
 * missing. */
SCENARIO(asynchronous, failures_are_events)
{
	char directory[] = "/tmp/pidring-XXXXXX";
	char script[64];
	FILE *file;

	check(mkdtemp(directory) != NULL);
	snprintf(script, sizeof(script), "%s/script", directory);
	engine = open_engine();
	check_fails("/no/such/program", -ENOENT, PIDRING_STEP_EXEC, 127);
	file = fopen(script, "we");
	check(file != NULL);
	fputs("#!/no/such/interpreter\n", file);
	fclose(file);
	check_fails(script, -EACCES, PIDRING_STEP_EXEC, 126);
	check_int(chmod(script, 0755), 0);
	check_fails(script, -ENOENT, PIDRING_STEP_INTERPRETER, 127);
	close_engine(engine);
	unlink(script);
	rmdir(directory);
}

/* A name that is on no PATH is found out before anything is created. */
SCENARIO(asynchronous, look_up_fails_at_once)
{
	const char *const argv[] = { "pidring-no-such-program", NULL };
	struct pidring_process *process;
	struct pidring_failure failure;

	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	check_int(pidring_process_start(process), -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_LOOK_UP);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* A missing working directory is told by the event too, and is no missing program: 126. */
SCENARIO(asynchronous, missing_working_directory)
{
	const char *const argv[] = { "/bin/true", NULL };
	struct pidring_process *process;
	struct pidring_failure failure;
	struct pidring_event event;

	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .argv = argv,
	                                                          .asynchronous = true,
	                                                          .working_directory = "/no/such/place" });
	event = next_event();
	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	event = next_event();
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 126);
	pidring_process_free(process);
	close_engine(engine);
}

/* Joining needs no events: it waits for the end of a start that fails, too. */
SCENARIO(asynchronous, can_be_joined_without_events)
{
	struct pidring_process *good, *bad;
	struct pidring_failure failure;

	engine = open_engine();
	good = start_asynchronously("/bin/false", NULL);
	bad = start_asynchronously("/no/such/program", NULL);
	check_int(join_code(good), 1);
	check_int(join_code(bad), 127);
	check_int(pidring_process_failure(bad, &failure), 0);
	check_int(failure.error, ENOENT);
	check_int(pidring_process_failure(good, &failure), -ENODATA);
	pidring_process_free(good);
	pidring_process_free(bad);
	close_engine(engine);
}

/* A start that failed later than it was asked for cannot be repeated: the object has had its child. */
SCENARIO(asynchronous, failed_one_is_not_started_again)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_asynchronously("/no/such/program", NULL);
	check_int(join_code(process), 127);
	check_int(pidring_process_start(process), -EALREADY);
	check_contains(describe(process), " stopped exitcode=127>");
	pidring_process_free(process);
	close_engine(engine);
}

/* A burst: each has its two events in the right order. */
SCENARIO(asynchronous, burst)
{
	enum { COUNT = 40 };
	struct pidring_process *processes[COUNT];
	int state[COUNT] = { 0 };
	int to_come = COUNT * 2;

	engine = open_engine();
	for (int i = 0; i < COUNT; i++)
		processes[i] = start_asynchronously(i % 4 == 3 ? "/no/such/program" : "/bin/true", &state[i]);
	check_int(pidring_outstanding(engine), COUNT);
	while (to_come > 0) {
		struct pidring_event events[7];
		int count = pidring_wait(engine, events, 7, PIDRING_FOREVER);

		check(count > 0);
		for (int i = 0; i < count; i++) {
			int *mine = events[i].user_data;
			bool bad = (mine - state) % 4 == 3;

			check(processes[mine - state] == events[i].process);
			if (events[i].type == PIDRING_EXITED) {
				check_int(*mine, 1);
				check_int(events[i].code, bad ? 127 : 0);
			} else {
				check_int(*mine, 0);
				check_int(events[i].type, bad ? PIDRING_START_FAILED : PIDRING_STARTED);
			}
			++*mine;
		}
		to_come -= count;
	}
	check_int(pidring_outstanding(engine), 0);
	for (int i = 0; i < COUNT; i++)
		pidring_process_free(processes[i]);
	close_engine(engine);
}

/* The engine's descriptor is readable until everything has been fetched. */
SCENARIO(asynchronous, descriptor_is_readable)
{
	struct pidring_process *process;
	struct pidring_event event;
	int seen = 0;

	engine = open_engine();
	process = start_asynchronously("/bin/true", NULL);
	while (seen < 2) {
		struct pollfd entry = { .fd = pidring_fd(engine), .events = POLLIN };

		check_int(poll(&entry, 1, -1), 1);
		while (pidring_wait(engine, &event, 1, 0) == 1)
			seen++;
	}
	check_int(seen, 2);
	check(!is_readable(pidring_fd(engine)));
	check_int(finish(process), 0);
	close_engine(engine);
}

/* Freeing it at once leaves nothing behind: no event, no child, no descriptor. */
SCENARIO(asynchronous, freed_at_once)
{
	struct pidring_process *good, *bad;
	struct pidring_event event;

	engine = open_engine();
	good = start_asynchronously("/bin/true", NULL);
	bad = start_asynchronously("/no/such/program", NULL);
	pidring_process_free(good);
	pidring_process_free(bad);
	check_int(pidring_outstanding(engine), 0);
	while (pidring_live_objects() > 0) {
		check_int(pidring_wait(engine, &event, 1, 0), 0);
		check_int(pidring_active_children(NULL, 0), 0);
	}
	close_engine(engine);
}

/* Closing the engine at once leaves a child that can be joined. */
SCENARIO(asynchronous, engine_closed_at_once)
{
	struct pidring_process *good, *bad;

	engine = open_engine();
	good = start_asynchronously("/bin/false", NULL);
	bad = start_asynchronously("/no/such/program", NULL);
	close_engine(engine);
	check_int(finish(good), 1);
	check_int(finish(bad), 127);
}

/* It can be signalled at once. */
SCENARIO(asynchronous, killed_at_once)
{
	const char *const argv[] = { "sleep", "1000", NULL };
	struct pidring_process *process;

	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	check_int(pidring_process_kill(process), 0);
	check_int(finish(process), -SIGKILL);
	close_engine(engine);
}

/* Start and end of the same process in one batch of reports: each is told once, in order, and nothing is released twice. */
SCENARIO(asynchronous, start_and_end_in_one_batch)
{
	enum { PROCESSES = 40 };
	struct pidring_process *processes[PROCESSES];
	struct pidring_event events[2 * PROCESSES];
	int started = 0, failed = 0, exited = 0;

	engine = open_engine();
	for (int i = 0; i < PROCESSES; i++)
		processes[i] = start_asynchronously(i % 2 == 0 ? "/bin/true" : "/no/such/program", NULL);
	for (int i = 0; i < PROCESSES; i++)
		wait_ended(processes[i]);
	while (exited < PROCESSES) {
		int count = pidring_wait(engine, events, 2 * PROCESSES, PIDRING_FOREVER);

		check(count > 0);
		for (int i = 0; i < count; i++) {
			started += events[i].type == PIDRING_STARTED;
			failed += events[i].type == PIDRING_START_FAILED;
			exited += events[i].type == PIDRING_EXITED;
			check(started + failed >= exited);
		}
	}
	check_int(started, PROCESSES / 2);
	check_int(failed, PROCESSES / 2);
	check_int(pidring_outstanding(engine), 0);
	for (int i = 0; i < PROCESSES; i++)
		pidring_process_free(processes[i]);
	close_engine(engine);
}
