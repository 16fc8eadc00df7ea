/* SPDX-License-Identifier: MIT */
/* What a start gives, who may start what and when, and that the options were copied before it. */
#include "scenario.h"

static struct pidring *engine;

/* After start the pid, the sentinel and the place among the children are there. */
SCENARIO(start, gives_pid_sentinel_and_place)
{
	struct latch latch = latch_open();
	struct pidring_process *process, *child = NULL;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check(pidring_process_pid(process) > 0);
	check(process_state(pidring_process_pid(process)) != 0);
	check(pidring_process_sentinel(process) >= 0);
	check_int(pidring_process_is_alive(process), 1);
	check(pidring_process_birth(process) != PIDRING_BIRTH_NONE);
	check_int(pidring_active_children(&child, 1), 1);
	check(child == process);
	latch_release(&latch);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

static int write_pid(void *descriptor)
{
	pid_t pid = getpid();

	check_int(write(*(int *)descriptor, &pid, sizeof(pid)), sizeof(pid));
	return 0;
}

/* The pid is the one that the child sees, and stays after the end. */
SCENARIO(start, pid_is_the_childs_own)
{
	struct pidring_process *process;
	pid_t seen = 0;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_function(engine, write_pid, &ends[1]);
	check_int(read(ends[0], &seen, sizeof(seen)), sizeof(seen));
	check_int(pidring_process_pid(process), seen);
	check_int(join_code(process), 0);
	check_int(pidring_process_pid(process), seen);
	pidring_process_free(process);
	close_engine(engine);
	close(ends[0]);
	close(ends[1]);
}

/* A process is started once: not again while it runs, nor after its end. */
SCENARIO(start, second_time_is_refused)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	struct pidring_failure failure;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_STATE);
	latch_release(&latch);
	check_int(join_code(process), 0);
	check_int(pidring_process_start(process), -EALREADY);
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* "Closed" comes before "started already". */
SCENARIO(start, closed_is_checked_first)
{
	struct pidring_process *fresh, *used;

	engine = open_engine();
	fresh = new_function(engine, return_zero, NULL);
	used = start_function(engine, return_zero, NULL);
	check_int(join_code(used), 0);
	check_int(pidring_process_close(fresh), 0);
	check_int(pidring_process_close(used), 0);
	check_int(pidring_process_start(fresh), -EBADF);
	check_int(pidring_process_start(used), -EBADF);
	pidring_process_free(fresh);
	pidring_process_free(used);
	close_engine(engine);
}

/* "Started already" comes before "daemons may have no children". */
SCENARIO(start, second_time_is_checked_before_daemon)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	check_int(pidring_process_set_daemon(pidring_current_process(), true), 0);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_process_set_daemon(pidring_current_process(), false), 0);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* The current process cannot be started, and that comes before the daemon check. */
SCENARIO(start, current_process_is_refused)
{
	struct pidring_process *current = pidring_current_process();

	check_int(pidring_process_start(current), -ECHILD);
	check_int(pidring_process_set_daemon(current, true), 0);
	check_int(pidring_process_start(current), -ECHILD);
}

static struct pidring_process *sibling;

static int start_sibling(void *unused)
{
	(void)unused;
	check_int(pidring_process_start(sibling), -ECHILD);
	return 0;
}

/* Only the process that constructed a process may start it; the refused attempt changes nothing. */
SCENARIO(start, another_process_is_refused)
{
	engine = open_engine();
	sibling = new_function(engine, return_zero, NULL);
	check_int(finish(start_function(engine, start_sibling, NULL)), 0);
	check_int(pidring_process_start(sibling), 0);
	check_int(finish(sibling), 0);
	close_engine(engine);
}

/* While the current process is a daemon nothing can be started, whatever the new one's flag says. */
SCENARIO(start, daemons_have_no_children)
{
	struct pidring_process *plain, *daemon;

	engine = open_engine();
	plain = new_function(engine, return_zero, NULL);
	daemon = new_process(engine, (struct pidring_options){ .target = return_zero, .daemon = true });
	check_int(pidring_process_set_daemon(pidring_current_process(), true), 0);
	check_int(pidring_process_start(plain), -EPERM);
	check_int(pidring_process_start(daemon), -EPERM);
	check_int(pidring_process_pid(plain), -ESRCH);
	check_int(pidring_process_set_daemon(pidring_current_process(), false), 0);
	check_int(pidring_process_start(plain), 0);
	check_int(pidring_process_start(daemon), 0);
	check_int(finish(plain), 0);
	check_int(finish(daemon), 0);
	close_engine(engine);
}

static int try_to_have_children(void *unused)
{
	struct pidring_process *function = new_function(engine, return_zero, NULL);
	struct pidring_process *not_daemon =
		new_process(engine, (struct pidring_options){ .target = return_zero, .daemon = PIDRING_NO });
	struct pidring_process *program = new_process(
		engine, (struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL } });

	(void)unused;
	check_int(pidring_process_start(function), -EPERM);
	check_int(pidring_process_start(not_daemon), -EPERM);
	check_int(pidring_process_start(program), -EPERM);
	return 0;
}

/* A daemon child cannot start anything. */
SCENARIO(start, daemon_child_cannot_start)
{
	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .target = try_to_have_children,
	                                                                 .daemon = true })),
	          0);
	close_engine(engine);
}

/* Each start first reaps the children that have ended. */
SCENARIO(start, reaps_the_ended)
{
	struct pidring_process *first, *second;
	int code = -1;

	engine = open_engine();
	first = start_function(engine, return_zero, NULL);
	wait_ended(first);
	second = start_function(engine, return_zero, NULL);
	check_int(process_state(pidring_process_pid(first)), 0);
	check_int(pidring_process_exit_code(first, &code), 0);
	check_int(code, 0);
	check_int(finish(second), 0);
	pidring_process_free(first);
	close_engine(engine);
}

/* When the engine is closed nothing can be started through it any more. */
SCENARIO(start, closed_engine_is_refused)
{
	struct pidring_process *function, *program;

	engine = open_engine();
	function = new_function(engine, return_zero, NULL);
	program = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL } });
	close_engine(engine);
	check_int(pidring_process_start(function), -ESHUTDOWN);
	check_int(pidring_process_start(program), -ESHUTDOWN);
	check_int(pidring_process_pid(function), -ESRCH);
	pidring_process_free(function);
	pidring_process_free(program);
}

/* All texts of the options are copied by the construction. */
SCENARIO(start, options_are_copied)
{
	char shell[] = "/bin/sh", flag[] = "-c", script[] = "echo $WORD; pwd; exit 4", word[] = "WORD=first";
	char directory[] = "/usr", name[] = "given", type[] = "Kind";
	const char *argv[] = { shell, flag, script, NULL };
	const char *extra[] = { word, NULL };
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .argv = argv,
	                                                        .extra_environment = extra,
	                                                        .working_directory = directory,
	                                                        .name = name,
	                                                        .type_name = type,
	                                                        .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                        .stdout_descriptor = ends[1] });
	memset(shell, 'x', sizeof(shell) - 1);
	memset(flag, 'x', sizeof(flag) - 1);
	memset(script, 'x', sizeof(script) - 1);
	memset(word, 'x', sizeof(word) - 1);
	memset(directory, 'x', sizeof(directory) - 1);
	memset(name, 'x', sizeof(name) - 1);
	memset(type, 'x', sizeof(type) - 1);
	argv[0] = extra[0] = NULL;
	check_int(pidring_process_start(process), 0);
	close(ends[1]);
	check_text(read_all(ends[0]), "first\n/usr\n");
	check_contains(describe(process), "<Kind name='given' ");
	check_int(finish(process), 4);
	close(ends[0]);
	close_engine(engine);
}

/* The features are those that the environment asks for, and the children come to be that way. */
SCENARIO(start, forced_paths_are_taken)
{
	const char *backend = getenv("PIDRING_BACKEND");
	const char *clone = getenv("PIDRING_CLONE");
	struct pidring_features features = { .size = sizeof(features) };
	struct pidring_process *function, *program;

	engine = open_engine();
	check_int(pidring_features(engine, &features), 0);
	if (backend != NULL && strcmp(backend, "epoll") == 0)
		check_int(features.backend, PIDRING_BACKEND_EPOLL);
	else if (backend != NULL)
		check_int(features.backend, PIDRING_BACKEND_URING);
	if (clone != NULL && strcmp(clone, "vfork") == 0)
		check_int(features.program_birth, PIDRING_BIRTH_CLONE_VFORK);
	if (clone != NULL && strcmp(clone, "fork") == 0) {
		check_int(features.program_birth, PIDRING_BIRTH_FORK_EXEC);
		check_int(features.function_birth, PIDRING_BIRTH_FORK);
	}
	function = start_function(engine, return_zero, NULL);
	program = start_program(engine, "/bin/true", NULL);
	check_int(pidring_process_birth(function), features.function_birth);
	check_int(pidring_process_birth(program), features.program_birth);
	check_int(finish(function), 0);
	check_int(finish(program), 0);
	close_engine(engine);
}
