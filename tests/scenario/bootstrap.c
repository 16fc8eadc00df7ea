/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct pidring *engine;
static struct pidring_process *started;

static bool is_null_device(int descriptor)
{
	struct stat status;

	check_int(fstat(descriptor, &status), 0);
	return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

static int look_at_current(void *unused)
{
	(void)unused;
	check(pidring_current_process() == started);
	check_text(name_of(pidring_current_process()), "Ada");
	check_int(pidring_process_pid(pidring_current_process()), getpid());
	check_int(pidring_process_parent_pid(pidring_current_process()), getppid());
	check_int(pidring_is_exiting(), 0);
	return 0;
}

/* In the child the object that was started is the current process. */
SCENARIO(bootstrap, started_object_is_current)
{
	engine = open_engine();
	started = new_process(engine, (struct pidring_options){ .target = look_at_current, .name = "Ada" });
	check_int(pidring_process_start(started), 0);
	check_int(finish(started), 0);
	check(pidring_current_process() != started);
	close_engine(engine);
}

static int count_children(void *unused)
{
	(void)unused;
	return pidring_active_children(NULL, 0);
}

/* The parent's children are not the child's. */
SCENARIO(bootstrap, children_are_not_inherited)
{
	struct latch latch = latch_open();
	struct pidring_process *first;

	engine = open_engine();
	first = start_function(engine, wait_for_latch, &latch);
	check_int(finish(start_function(engine, count_children, NULL)), 0);
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&latch);
	check_int(finish(first), 0);
	close_engine(engine);
	latch_close(&latch);
}

static int stdin_is_null(void *unused)
{
	char byte;

	(void)unused;
	check(is_null_device(0));
	check_int(read(0, &byte, 1), 0);
	return 0;
}

static int read_one_byte(void *unused)
{
	char byte = 0;

	(void)unused;
	check_int(read(0, &byte, 1), 1);
	return byte;
}

/* Puts a pipe with "ab" in place of descriptor 0 and returns what was there. */
static int put_pipe_at_stdin(void)
{
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
	int ends[2];

	check(saved >= 0);
	open_pipe(ends);
	check_int(write(ends[1], "ab", 2), 2);
	check_int(dup2(ends[0], 0), 0);
	close(ends[0]);
	close(ends[1]);
	return saved;
}

static void put_back(int saved)
{
	check_int(dup2(saved, 0), 0);
	close(saved);
}

/* A function child does not take its parent's input: its stdin is the null device. */
SCENARIO(bootstrap, stdin_is_the_null_device)
{
	int saved = put_pipe_at_stdin();
	char byte;

	engine = open_engine();
	check_int(finish(start_function(engine, stdin_is_null, NULL)), 0);
	check_int(read(0, &byte, 1), 1);
	check_int(byte, 'a');
	close_engine(engine);
	put_back(saved);
}

/* On request the child keeps its parent's stdin. */
SCENARIO(bootstrap, stdin_can_be_inherited)
{
	int saved = put_pipe_at_stdin();

	engine = open_engine();
	check_int(
		finish(start_process(engine, (struct pidring_options){ .target = read_one_byte,
	                                                               .stdin_to = PIDRING_STREAM_INHERIT })),
		'a');
	close_engine(engine);
	put_back(saved);
}

/* Or it gets another descriptor. */
SCENARIO(bootstrap, stdin_can_be_a_descriptor)
{
	int ends[2];

	open_pipe(ends);
	check_int(write(ends[1], "q", 1), 1);
	engine = open_engine();
	check_int(
		finish(start_process(engine, (struct pidring_options){ .target = read_one_byte,
	                                                               .stdin_to = PIDRING_STREAM_DESCRIPTOR,
	                                                               .stdin_descriptor = ends[0] })),
		'q');
	close_engine(engine);
	close(ends[0]);
	close(ends[1]);
}

static int print_on_both(void *unused)
{
	(void)unused;
	printf("out");
	fprintf(stderr, "err");
	check(is_null_device(0));
	return 0;
}

/* The output of a function can go to descriptors, and is flushed at its end. */
SCENARIO(bootstrap, output_goes_to_descriptors_and_is_flushed)
{
	struct pidring_process *process;
	int out[2], err[2];

	open_pipe(out);
	open_pipe(err);
	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = print_on_both,
	                                                          .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stdout_descriptor = out[1],
	                                                          .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stderr_descriptor = err[1] });
	close(out[1]);
	close(err[1]);
	check_text(read_all(out[0]), "out");
	check_text(read_all(err[0]), "err");
	check_int(finish(process), 0);
	close(out[0]);
	close(err[0]);
	close_engine(engine);
}

static int outputs_are_null(void *unused)
{
	(void)unused;
	if (is_null_device(1) && is_null_device(2))
		return 0;
	return 1;
}

/* Or nowhere. */
SCENARIO(bootstrap, output_can_go_nowhere)
{
	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .target = outputs_are_null,
	                                                                 .stdout_to = PIDRING_STREAM_NULL,
	                                                                 .stderr_to = PIDRING_STREAM_NULL })),
	          0);
	close_engine(engine);
}

/* --- hooks --- */

static char hook_letters[64];

static void note(void *letter)
{
	strncat(hook_letters, letter, 1);
}

static int compare_letters(void *expected)
{
	check_text(hook_letters, expected);
	return 0;
}

/* Hooks run in the child before the target, in the order of their registration, and not in the parent. */
SCENARIO(bootstrap, hooks_run_in_order)
{
	engine = open_engine();
	check(pidring_add_after_fork_hook(note, "a") > 0);
	check(pidring_add_after_fork_hook(note, "b") > 0);
	check(pidring_add_after_fork_hook(note, "c") > 0);
	check_int(finish(start_function(engine, compare_letters, "abc")), 0);
	check_text(hook_letters, "");
	close_engine(engine);
}

/* A hook that was removed does not run; it can be removed once. */
SCENARIO(bootstrap, hooks_can_be_removed)
{
	int64_t handle;

	engine = open_engine();
	check(pidring_add_after_fork_hook(note, "a") > 0);
	handle = pidring_add_after_fork_hook(note, "b");
	check(pidring_add_after_fork_hook(note, "c") > 0);
	check_int(pidring_remove_after_fork_hook(handle), 0);
	check_int(pidring_remove_after_fork_hook(handle), -ENOENT);
	check_int(pidring_remove_after_fork_hook(1234567), -ENOENT);
	check_int(pidring_remove_after_fork_hook(-1), -ENOENT);
	check_int(pidring_add_after_fork_hook(NULL, NULL), -EINVAL);
	check_int(finish(start_function(engine, compare_letters, "ac")), 0);
	close_engine(engine);
}

static int compare_in_grandchild(void *expected)
{
	check_text(hook_letters, "a");
	check_int(finish(start_function(engine, compare_letters, expected)), 0);
	return 0;
}

/* Children inherit the registrations, and they do not multiply. */
SCENARIO(bootstrap, hooks_are_inherited_once)
{
	engine = open_engine();
	check(pidring_add_after_fork_hook(note, "a") > 0);
	/* The grandchild has its parent's "a" in memory and adds its own. */
	check_int(finish(start_function(engine, compare_in_grandchild, "aa")), 0);
	close_engine(engine);
}

static void look_from_hook(void *unused)
{
	(void)unused;
	check_text(name_of(pidring_current_process()), "hooked");
	check_int(pidring_process_pid(pidring_current_process()), getpid());
	check(pidring_parent_process() != NULL);
	check_int(pidring_process_pid(pidring_parent_process()), getppid());
	check(is_null_device(0));
	strcpy(hook_letters, "seen");
}

/* Hooks find stdin replaced and the new current process and its parent in place. */
SCENARIO(bootstrap, hooks_see_the_new_process)
{
	int saved = put_pipe_at_stdin();

	engine = open_engine();
	check(pidring_add_after_fork_hook(look_from_hook, NULL) > 0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = compare_letters,
	                                                                 .argument = "seen",
	                                                                 .name = "hooked" })),
	          0);
	close_engine(engine);
	put_back(saved);
}

static void write_letter(void *descriptor)
{
	check_int(write(*(int *)descriptor, "h", 1), 1);
}

/* Hooks do not run for programs, nor when the target is run without a start. */
SCENARIO(bootstrap, hooks_are_for_function_children)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	check(pidring_add_after_fork_hook(write_letter, &ends[1]) > 0);
	check_int(finish(start_program(engine, "/bin/true", NULL)), 0);
	process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_run(process, NULL), 0);
	pidring_process_free(process);
	check(!is_readable(ends[0]));
	check_int(finish(start_process(engine, (struct pidring_options){ .name = "no target" })), 0);
	check(is_readable(ends[0]));
	close_engine(engine);
	close(ends[0]);
	close(ends[1]);
}

/* --- the end of the bootstrap --- */

static void print_text(void *text)
{
	dprintf(STDERR_FILENO, "%s\n", (const char *)text);
}

static void print_from_atexit(void)
{
	dprintf(STDERR_FILENO, "atexit in %s\n", name_of(pidring_current_process()));
}

static int register_atexit(void *unused)
{
	(void)unused;
	atexit(print_from_atexit);
	return 0;
}

SUBPROGRAM(atexit_around_children)
{
	engine = open_engine();
	atexit(print_from_atexit);
	check_int(finish(start_function(engine, register_atexit, NULL)), 0);
	print_text("child is done");
	close_engine(engine);
	return 0;
}

/* A child runs neither its parent's atexit handlers nor its own. */
SCENARIO(bootstrap, atexit_handlers_do_not_run)
{
	const char *output;

	check_int(run_subprogram("atexit_around_children", NULL, &output), 0);
	check_text(output, "child is done\natexit in MainProcess\n");
}

static int fail_with_finalizer(void *unused)
{
	(void)unused;
	check(pidring_add_finalizer(print_text, "finalizer", 0) > 0);
	printf("buffered");
	pidring_exit_message("message");
}

/* At a child's end the exit function comes first, then the message, then stdout is flushed. */
SCENARIO(bootstrap, order_of_the_end)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = fail_with_finalizer,
	                                                          .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stdout_descriptor = ends[1],
	                                                          .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stderr_descriptor = ends[1] });
	close(ends[1]);
	check_text(read_all(ends[0]), "finalizer\nmessage\nbuffered");
	check_int(finish(process), 1);
	close(ends[0]);
	close_engine(engine);
}

static int close_outputs(void *unused)
{
	(void)unused;
	fclose(stdout);
	close(2);
	return 6;
}

/* Streams that the child has closed do not change its exit code. */
SCENARIO(bootstrap, closed_streams_do_not_matter)
{
	engine = open_engine();
	check_int(finish(start_function(engine, close_outputs, NULL)), 6);
	close_engine(engine);
}

/* --- the log --- */

static void write_line(void *descriptor, const char *line)
{
	dprintf(*(int *)descriptor, "%s\n", line);
}

static int return_four(void *unused)
{
	(void)unused;
	return 4;
}

/* The log tells of a child's life, in the child. */
SCENARIO(bootstrap, log_tells_of_the_life)
{
	const char *text, *calling, *shutting, *exiting;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	check_int(pidring_set_log(write_line, &ends[1]), 0);
	check_int(finish(start_function(engine, return_four, NULL)), 4);
	check_int(pidring_set_log(NULL, NULL), 0);
	check_int(finish(start_function(engine, return_four, NULL)), 4);
	close(ends[1]);
	text = read_all(ends[0]);
	check_contains(text, "child process calling self.run()\n");
	check_contains(text, "process shutting down\n");
	check_contains(text, "process exiting with exitcode 4\n");
	calling = strstr(text, "child process calling");
	shutting = strstr(text, "process shutting down");
	exiting = strstr(text, "process exiting");
	check(calling < shutting && shutting < exiting);
	check(strstr(calling + 1, "child process calling") == NULL);
	close(ends[0]);
	close_engine(engine);
}

/* --- what libc knows --- */

static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static int try_parents_mutex(void *unused)
{
	pthread_mutex_t own = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

	(void)unused;
	check_int(pthread_mutex_trylock(&recursive), EBUSY);
	check_int(pthread_mutex_lock(&own), 0);
	check_int(pthread_mutex_lock(&own), EDEADLK);
	check_int(pthread_mutex_unlock(&own), 0);
	return 0;
}

/* libc in the child knows the child's thread id: a mutex that the parent's thread holds is not the child's.
 */
SCENARIO(bootstrap, thread_id_is_the_childs_own)
{
	engine = open_engine();
	check_int(pthread_mutex_lock(&recursive), 0);
	check_int(finish(start_function(engine, try_parents_mutex, NULL)), 0);
	check_int(pthread_mutex_unlock(&recursive), 0);
	close_engine(engine);
}

static int use_engine_in_child(void *unused)
{
	struct pidring_event event;
	struct pidring_process *child = start_function(engine, return_zero, NULL);

	(void)unused;
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == child);
	check_int(event.type, PIDRING_EXITED);
	check_int(finish(child), 0);
	return 0;
}

/* An engine that a child uses is a new one there: the parent's events stay the parent's. */
SCENARIO(bootstrap, engine_is_new_in_the_child)
{
	struct latch latch = latch_open();
	struct pidring_process *first, *second;
	struct pidring_event events[4];

	engine = open_engine();
	first = start_function(engine, wait_for_latch, &latch);
	second = start_function(engine, use_engine_in_child, NULL);
	check_int(join_code(second), 0);
	check_int(pidring_wait(engine, events, 4, PIDRING_FOREVER), 1);
	check(events[0].process == second);
	latch_release(&latch);
	check_int(pidring_wait(engine, events, 4, PIDRING_FOREVER), 1);
	check(events[0].process == first);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(first);
	pidring_process_free(second);
	close_engine(engine);
	latch_close(&latch);
}
