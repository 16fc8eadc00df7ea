/* SPDX-License-Identifier: MIT */
/* Between a start and its execve: children that are stopped, objects that go, memory that is overwritten. */
#define _GNU_SOURCE
#include "birth_helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* --- a program whose execve takes as long as the scenario wants --- */

/* The child waits in its execve until it is let go. */
static struct pidring_process *start_before_execve(struct pidring *engine, const struct slow_program *slow)
{
	return start_process(engine, (struct pidring_options){ .argv = (const char *[]){ slow->path, NULL },
	                                                       .asynchronous = true });
}

/* An asynchronous start comes back with a pid while execve has not happened; its events come when it has. */
SCENARIO(births_before_execve, asynchronous_start_does_not_wait)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_before_execve(engine, &slow);
	struct pidring_event event;

	check(pidring_process_pid(process) > 0);
	check(pidring_process_sentinel(process) >= 0);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check_int(pidring_process_close(process), -EBUSY);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_wait(engine, &event, 1, 20 * MILLISECONDS), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(finish(start_program(engine, "true", NULL)), 0);
	let_go(&slow);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 0);
	check_int(finish(process), 0);
	remove_slow_program(&slow);
	close_engine(engine);
}

/* A child that is killed before its execve ends as killed, and one end is told. */
SCENARIO(births_before_execve, killed_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_before_execve(engine, &slow);
	struct pidring_event event = { 0 };

	check_int(pidring_process_kill(process), 0);
	while (event.type != PIDRING_EXITED)
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.code, -SIGKILL);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(finish(process), -SIGKILL);
	let_go(&slow);
	remove_slow_program(&slow);
	check_int(finish(start_program(engine, "true", NULL)), 0);
	close_engine(engine);
}

/* The object may be freed and the engine closed while the child is still on its way to execve. */
SCENARIO(births_before_execve, freed_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	struct pidring_process *freed = start_before_execve(engine, &slow);
	struct pidring_process *kept = start_before_execve(engine, &slow);
	siginfo_t information = { 0 };
	pid_t pid = pidring_process_pid(freed);

	pidring_process_free(freed);
	close_engine(engine);
	let_go(&slow);
	check_int(finish(kept), 0);
	check_int(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL), 0);
	check_int(information.si_code, CLD_EXITED);
	check_int(information.si_status, 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_live_objects(), 0);
	remove_slow_program(&slow);
}

/* A signal that comes before execve is not lost: it ends the child there or as soon as the program runs. */
SCENARIO(births_before_execve, terminated_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_before_execve(engine, &slow);

	check_int(pidring_process_terminate(process), 0);
	let_go(&slow);
	check_int(finish(process), -SIGTERM);
	remove_slow_program(&slow);
	close_engine(engine);
}

/* A copy of the host that is made in the middle of an asynchronous start frees the object and closes the
 * engine without waiting for a word that never comes there; the original's start goes on. */
SCENARIO(births_before_execve, copied_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_before_execve(engine, &slow);
	struct pidring_event event;
	int status = -1;
	pid_t copy = fork();

	check(copy >= 0);
	if (copy == 0) {
		alarm(60);
		check_contains(describe(process), " unknown");
		check_int(finish(start_program(engine, "true", NULL)), 0);
		pidring_process_free(process);
		check_int(pidring_close(engine), 0);
		_exit(0);
	}
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	let_go(&slow);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	check_int(finish(process), 0);
	remove_slow_program(&slow);
	close_engine(engine);
}

struct slow_start {
	struct pidring_process *process;
	atomic_int thread_id;
	int result;
};

static void *start_slowly(void *argument)
{
	struct slow_start *slow_start = argument;

	atomic_store(&slow_start->thread_id, gettid());
	slow_start->result = pidring_process_start(slow_start->process);
	return NULL;
}

/* Until the child of the start is there, wherever the starting thread is. */
static void wait_for_a_child(void)
{
	for (;;) {
		siginfo_t information = { 0 };

		/* WNOHANG succeeds when there is a child and fails with ECHILD when there is none. */
		if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0)
			return;
		check_int(errno, ECHILD);
		sched_yield();
	}
}

/* A start that waits for a slow execve holds up nobody else. */
SCENARIO(births_before_execve, slow_start_holds_up_nobody)
{
	struct slow_program slow = make_slow_program();
	struct pidring *engine = open_engine();
	const char *const argv[] = { slow.path, NULL };
	struct slow_start slow_start = { .process = new_process(engine,
		                                                (struct pidring_options){ .argv = argv }) };
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, start_slowly, &slow_start), 0);
	wait_for_a_child();
	check_int(finish(start_program(engine, "true", NULL)), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check(pidring_active_children(NULL, 0) <= 1);
	let_go(&slow);
	check_int(pthread_join(thread, NULL), 0);
	check_int(slow_start.result, 0);
	check_int(finish(slow_start.process), 0);
	remove_slow_program(&slow);
	close_engine(engine);
}

/* --- memory and environment after an asynchronous start --- */

/* Arguments and environment may be overwritten and freed as soon as the object is constructed, and the object
 * right after the start. */
SCENARIO(births_before_execve, arguments_may_be_overwritten)
{
	struct pidring *engine = open_engine();
	int rounds = small_or_normal(3, 50);

	for (int round = 0; round < rounds; round++) {
		char *script = strdup("test \"$1\" = one && test \"$GIVEN\" = yes && printf good");
		char *one = strdup("one");
		char *given = strdup("GIVEN=yes");
		const char **argv = calloc(6, sizeof(*argv));
		const char **environment = calloc(2, sizeof(*environment));
		struct pidring_process *process;
		char answer[4];
		int ends[2];

		check(script != NULL && one != NULL && given != NULL && argv != NULL && environment != NULL);
		argv[0] = "/bin/sh";
		argv[1] = "-c";
		argv[2] = script;
		argv[3] = "sh";
		argv[4] = one;
		environment[0] = given;
		open_pipe(ends);
		process = new_process(engine, (struct pidring_options){
						      .argv = argv,
						      .environment = environment,
						      .asynchronous = true,
						      .stdout_to = PIDRING_STREAM_DESCRIPTOR,
						      .stdout_descriptor = ends[1],
					      });
		memset(script, 'x', strlen(script));
		memset(argv, 0, 6 * sizeof(*argv));
		check_int(pidring_process_start(process), 0);
		memset(one, 'x', strlen(one));
		memset(given, 'x', strlen(given));
		memset(environment, 0, 2 * sizeof(*environment));
		free(script);
		free(one);
		free(given);
		free(argv);
		free(environment);
		pidring_process_free(process);
		/* The stream must stay open until the program runs, and this says that it does. */
		check_int(read(ends[0], answer, sizeof(answer)), 4);
		check(memcmp(answer, "good", 4) == 0);
		close(ends[0]);
		close(ends[1]);
		while (waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) == 0)
			pidring_active_children(NULL, 0);
	}
	close_engine(engine);
}

/* The environment that a child inherits is that of the moment of its start, whatever setenv does afterwards.
 */
SCENARIO(births_before_execve, setenv_after_an_asynchronous_start)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/bin/sh", "-c", "test \"$PIDRING_TEST_VALUE\" = before", NULL };
	char name[64];
	char value[512];
	int rounds = small_or_normal(3, 50);

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int round = 0; round < rounds; round++) {
		struct pidring_process *process;

		check_int(setenv("PIDRING_TEST_VALUE", "before", 1), 0);
		process =
			start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
		check_int(setenv("PIDRING_TEST_VALUE", value, 1), 0);
		for (int i = 0; i < 20; i++) {
			snprintf(name, sizeof(name), "PIDRING_TEST_%d_%d", round, i);
			check_int(setenv(name, value, 1), 0);
		}
		check_int(unsetenv("PIDRING_TEST_VALUE"), 0);
		check_int(finish(process), 0);
	}
	close_engine(engine);
}

/* A descriptor that the library makes for the start only, such as that of the auth key, is there when the
 * child gets to it, however late. */
SCENARIO(births_before_execve, authkey_arrives_every_time)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/bin/sh", "-c", "test -e /proc/self/fd/7", NULL };
	int rounds = small_or_normal(5, 100);

	for (int round = 0; round < rounds; round++) {
		struct pidring_process *process =
			start_process(engine, (struct pidring_options){ .argv = argv,
		                                                        .authkey_descriptor = 7,
		                                                        .asynchronous = round % 2 == 0 });

		check_int(finish(process), 0);
	}
	close_engine(engine);
}
