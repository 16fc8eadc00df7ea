/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

/*
 * The exit function of a main process is shown by subprograms: what they and their children print, in which
 * order, and how they end.
 */

static struct pidring *engine;

static void say(void *text)
{
	dprintf(STDERR_FILENO, "%s\n", (const char *)text);
}

static void log_line(void *unused, const char *line)
{
	(void)unused;
	dprintf(STDERR_FILENO, "log: %s\n", line);
}

static void add(void *text, int priority)
{
	check(pidring_add_finalizer(say, text, priority) > 0);
}

/* --- finalizers --- */

static int add_in_mixed_order(void *unused)
{
	(void)unused;
	add("1 first", 1);
	add("5", 5);
	add("0", 0);
	add("-3", -3);
	add("1 second", 1);
	add("-1", -1);
	add("never", PIDRING_NO_PRIORITY);
	add("highest", INT_MAX);
	add("lowest", INT_MIN + 1);
	return 0;
}

static const char mixed_order[] = "highest\n5\n1 second\n1 first\n0\n-1\n-3\nlowest\n";

/* What a function child writes to stderr. */
static void check_said_by(int (*target)(void *), void *argument, const char *expected)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = target,
	                                                          .argument = argument,
	                                                          .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stderr_descriptor = ends[1] });
	close(ends[1]);
	check_text(read_all(ends[0]), expected);
	check_int(finish(process), 0);
	close(ends[0]);
	close_engine(engine);
}

/* Highest priority first, of equal ones the latest first; those without a priority do not run. */
SCENARIO(exit_function, finalizers_run_by_priority_in_a_child)
{
	check_said_by(add_in_mixed_order, NULL, mixed_order);
}

SUBPROGRAM(finalizers_in_main)
{
	return add_in_mixed_order(NULL);
}

/* The same in a main process. */
SCENARIO(exit_function, finalizers_run_by_priority_in_main)
{
	const char *output;

	check_int(run_subprogram("finalizers_in_main", NULL, &output), 0);
	check_text(output, mixed_order);
}

/* A finalizer that was run early does not run again, and one that was cancelled not at all. */
static int run_and_cancel(void *unused)
{
	int64_t early = pidring_add_finalizer(say, "early", 3);
	int64_t cancelled = pidring_add_finalizer(say, "cancelled", 2);
	int64_t without = pidring_add_finalizer(say, "without priority", PIDRING_NO_PRIORITY);

	(void)unused;
	add("at exit", 1);
	check(early > 0 && cancelled > 0 && without > 0);
	check(early != cancelled && cancelled != without);
	check_int(pidring_run_finalizer(early), 0);
	check_int(pidring_run_finalizer(early), -ENOENT);
	check_int(pidring_cancel_finalizer(early), -ENOENT);
	check_int(pidring_cancel_finalizer(cancelled), 0);
	check_int(pidring_cancel_finalizer(cancelled), -ENOENT);
	check_int(pidring_run_finalizer(cancelled), -ENOENT);
	check_int(pidring_run_finalizer(without), 0);
	return 0;
}

SCENARIO(exit_function, finalizers_run_once_or_never)
{
	check_said_by(run_and_cancel, NULL, "early\nwithout priority\nat exit\n");
}

/* Handles that never were are refused, and so is no function. */
SCENARIO(exit_function, bad_finalizers_are_refused)
{
	check_int(pidring_add_finalizer(NULL, NULL, 0), -EINVAL);
	check_int(pidring_run_finalizer(98765), -ENOENT);
	check_int(pidring_run_finalizer(0), -ENOENT);
	check_int(pidring_run_finalizer(-1), -ENOENT);
	check_int(pidring_cancel_finalizer(98765), -ENOENT);
}

static void add_more(void *unused)
{
	(void)unused;
	say("adding");
	add("added, priority 9", 9);
	add("added, priority -9", -9);
}

static int add_while_exiting(void *unused)
{
	(void)unused;
	check(pidring_add_finalizer(add_more, NULL, 5) > 0);
	add("0", 0);
	add("-1", -1);
	return 0;
}

/* What a finalizer registers runs in the second pass, not in the same one. */
SCENARIO(exit_function, finalizers_registered_late)
{
	check_said_by(add_while_exiting, NULL, "adding\n0\nadded, priority 9\n-1\nadded, priority -9\n");
}

static int64_t later_handle;

static void cancel_later(void *unused)
{
	(void)unused;
	check_int(pidring_cancel_finalizer(later_handle), 0);
	say("cancelled the next");
}

static int cancel_while_exiting(void *unused)
{
	(void)unused;
	later_handle = pidring_add_finalizer(say, "not said", 1);
	check(pidring_add_finalizer(cancel_later, NULL, 2) > 0);
	add("last", 0);
	return 0;
}

/* A finalizer may cancel one that comes later. */
SCENARIO(exit_function, finalizers_can_be_cancelled_late)
{
	check_said_by(cancel_while_exiting, NULL, "cancelled the next\nlast\n");
}

static int try_parents_finalizer(void *handle)
{
	check_int(pidring_run_finalizer(*(int64_t *)handle), -ENOENT);
	check_int(pidring_cancel_finalizer(*(int64_t *)handle), -ENOENT);
	return 0;
}

static int start_child_with_finalizer_around(void *unused)
{
	int64_t handle = pidring_add_finalizer(say, "the registering process", 0);

	(void)unused;
	check_int(finish(start_function(engine, try_parents_finalizer, &handle)), 0);
	return 0;
}

/* A finalizer belongs to the process that registered it: children neither run nor know it. */
SCENARIO(exit_function, finalizers_are_not_inherited)
{
	check_said_by(start_child_with_finalizer_around, NULL, "the registering process\n");
}

/* --- is_exiting --- */

static void say_whether_exiting(void *unused)
{
	(void)unused;
	dprintf(STDERR_FILENO, "exiting: %d\n", pidring_is_exiting());
}

static void start_child_while_exiting(void *unused)
{
	(void)unused;
	say_whether_exiting(NULL);
	check_int(finish(start_function(engine, run_and_cancel, NULL)), 0);
	say_whether_exiting(NULL);
}

static int exit_with_child(void *unused)
{
	say_whether_exiting(unused);
	check(pidring_add_finalizer(start_child_while_exiting, NULL, 0) > 0);
	return 0;
}

/* "Exiting" is known, and a child started meanwhile is not exiting: its own exit function runs. */
SCENARIO(exit_function, exiting_is_reset_in_a_child)
{
	check_int(pidring_is_exiting(), 0);
	check_said_by(exit_with_child, NULL,
	              "exiting: 0\nexiting: 1\nearly\nwithout priority\nat exit\nexiting: 1\n");
}

/* --- children at exit --- */

static int say_when_told(void *latch)
{
	latch_wait(latch);
	say("child is done");
	return 0;
}

static void release_latch(void *latch)
{
	latch_release(latch);
	say("child may go on");
}

static int leave_child_running(void *unused)
{
	static struct latch latch;

	(void)unused;
	latch = latch_open();
	start_function(engine, say_when_told, &latch);
	check(pidring_add_finalizer(release_latch, &latch, 0) > 0);
	add("after the join", -1);
	return 0;
}

static void check_order(const char *text, const char *earlier, const char *later)
{
	check_contains(text, earlier);
	check_contains(text, later);
	check(strstr(text, earlier) < strstr(text, later));
}

SUBPROGRAM(main_leaves_child_running)
{
	engine = open_engine();
	return leave_child_running(NULL) + 5;
}

/* Ordinary children are waited for, after the finalizers with a priority of at least 0 and before the others.
 */
SCENARIO(exit_function, ordinary_children_are_waited_for)
{
	const char *output;

	check_int(run_subprogram("main_leaves_child_running", NULL, &output), 5);
	check_order(output, "child is done", "after the join");
	check_order(output, "child may go on", "after the join");
}

SUBPROGRAM(child_leaves_child_running)
{
	engine = open_engine();
	check_int(finish(start_function(engine, leave_child_running, NULL)), 0);
	say("grandparent sees the end");
	close_engine(engine);
	return 0;
}

/* The same rules hold for a child's own children. */
SCENARIO(exit_function, children_of_children_are_waited_for)
{
	const char *output;

	check_int(run_subprogram("child_leaves_child_running", NULL, &output), 0);
	check_order(output, "child is done", "after the join");
	check_order(output, "after the join", "grandparent sees the end");
}

static struct latch daemon_holds;

static int hold_on(void *unused)
{
	(void)unused;
	close(daemon_holds.reader);
	return sleep_forever(NULL);
}

static int end_when_the_daemon_does(void *unused)
{
	char byte;

	(void)unused;
	close(daemon_holds.writer);
	check_int(read(daemon_holds.reader, &byte, 1), 0);
	say("the daemon has ended");
	return 0;
}

SUBPROGRAM(daemon_holds_up_a_child)
{
	struct pidring_process *daemon, *child;

	engine = open_engine();
	daemon_holds = latch_open();
	child = start_process(
		engine, (struct pidring_options){ .target = end_when_the_daemon_does, .name = "ordinary" });
	daemon = start_process(
		engine, (struct pidring_options){ .target = hold_on, .name = "helper", .daemon = true });
	latch_close(&daemon_holds);
	check_int(pidring_process_is_alive(daemon), 1);
	check_int(pidring_process_is_alive(child), 1);
	add("after the join", -1);
	add("before", 0);
	return 3;
}

/* Daemons are terminated before any child is joined: here a child ends only when the daemon has. */
SCENARIO(exit_function, daemons_are_terminated_before_the_joins)
{
	const char *output;

	check_int(run_subprogram("daemon_holds_up_a_child", NULL, &output), 3);
	check_text(output, "before\nthe daemon has ended\nafter the join\n");
}

SUBPROGRAM(logged_exit)
{
	engine = open_engine();
	start_process(engine,
	              (struct pidring_options){ .target = sleep_forever, .name = "helper", .daemon = true });
	check_int(pidring_set_log(log_line, NULL), 0);
	add("finalizer 0", 0);
	add("finalizer -1", -1);
	return 0;
}

/* The log tells the order: finalizers, signals to daemons, joins, the other finalizers. */
SCENARIO(exit_function, log_tells_the_order)
{
	const char *output;

	check_int(run_subprogram("logged_exit", NULL, &output), 0);
	check_contains(output, "log: process shutting down\n");
	check_order(output, "process shutting down", "finalizer 0\n");
	check_order(output, "finalizer 0\n", "log: calling terminate() for daemon helper\n");
	check_order(output, "calling terminate() for daemon helper",
	            "log: calling join() for process helper\n");
	check_order(output, "calling join() for process helper", "finalizer -1\n");
}

static int end_slowly_after_sigterm(void *unused)
{
	sigset_t terminate;
	int number = 0;

	(void)unused;
	sigemptyset(&terminate);
	sigaddset(&terminate, SIGTERM);
	sigwait(&terminate, &number);
	check_int(number, SIGTERM);
	say("daemon takes its time");
	return 0;
}

SUBPROGRAM(daemon_does_not_die)
{
	sigset_t terminate;

	sigemptyset(&terminate);
	sigaddset(&terminate, SIGTERM);
	engine = open_engine();
	sigprocmask(SIG_BLOCK, &terminate, NULL);
	start_process(engine, (struct pidring_options){ .target = end_slowly_after_sigterm, .daemon = true });
	sigprocmask(SIG_UNBLOCK, &terminate, NULL);
	add("daemon has ended", -1);
	return 0;
}

/* A daemon that does not die of SIGTERM is waited for until it ends by itself. */
SCENARIO(exit_function, stubborn_daemon_is_waited_for)
{
	const char *output;

	check_int(run_subprogram("daemon_does_not_die", NULL, &output), 0);
	check_text(output, "daemon takes its time\ndaemon has ended\n");
}

static int ignore_sigterm_forever(void *ready)
{
	signal(SIGTERM, SIG_IGN);
	latch_release(ready);
	return sleep_forever(NULL);
}

static int leave_a_stubborn_daemon(void *unused)
{
	static struct latch ready;

	(void)unused;
	ready = latch_open();
	start_process(engine, (struct pidring_options){
				      .target = ignore_sigterm_forever, .argument = &ready, .daemon = true });
	latch_wait(&ready);
	add("daemon is gone", -1);
	return 0;
}

SUBPROGRAM(grace_is_over)
{
	engine = open_engine();
	check_int(pidring_set_exit_grace(5 * MILLISECONDS), 0);
	return leave_a_stubborn_daemon(NULL);
}

/* With a grace period a daemon that ignores SIGTERM gets SIGKILL after it. */
SCENARIO(exit_function, grace_period_ends_with_sigkill)
{
	const char *output;

	check_int(run_subprogram("grace_is_over", NULL, &output), 0);
	check_text(output, "daemon is gone\n");
}

/* Children inherit the grace period. */
SCENARIO(exit_function, grace_period_is_inherited)
{
	check_int(pidring_set_exit_grace(0), 0);
	check_said_by(leave_a_stubborn_daemon, NULL, "daemon is gone\n");
}

static int sleep_with_handler_of_main(void *ready)
{
	latch_release(ready);
	return sleep_forever(NULL);
}

static int leave_a_daemon(void *unused)
{
	static struct latch ready;
	struct pidring_process *daemon;
	int code;

	(void)unused;
	ready = latch_open();
	daemon = start_process(engine, (struct pidring_options){ .target = sleep_with_handler_of_main,
	                                                         .argument = &ready,
	                                                         .daemon = true });
	latch_wait(&ready);
	check_int(pidring_process_exit_code(daemon, &code), -EAGAIN);
	return 0;
}

/* A child terminates its own daemons when it returns. */
SCENARIO(exit_function, child_terminates_its_daemons)
{
	check_said_by(leave_a_daemon, NULL, "");
}

SUBPROGRAM(detached_children)
{
	struct latch latch = latch_open();
	struct pidring_process *daemon, *child;

	engine = open_engine();
	daemon = start_process(engine, (struct pidring_options){ .target = sleep_forever, .daemon = true });
	child = start_function(engine, say_when_told, &latch);
	pidring_process_free(daemon);
	pidring_process_free(child);
	check_int(pidring_active_children(NULL, 0), 0);
	add("after the join", -1);
	latch_release(&latch);
	return 0;
}

/* Freed ones are terminated if daemons, and waited for. */
SCENARIO(exit_function, detached_children_are_looked_after)
{
	const char *output;

	check_int(run_subprogram("detached_children", NULL, &output), 0);
	check_text(output, "child is done\nafter the join\n");
}

SUBPROGRAM(closed_engine_at_exit)
{
	/* Kept where a leak checker finds them. */
	static struct pidring_process *daemon, *child;
	struct latch latch = latch_open();

	engine = open_engine();
	daemon = start_process(engine, (struct pidring_options){ .target = sleep_forever, .daemon = true });
	child = start_function(engine, say_when_told, &latch);
	close_engine(engine);
	check_int(pidring_process_is_alive(daemon), 1);
	check_int(pidring_process_is_alive(child), 1);
	add("after the join", -1);
	latch_release(&latch);
	return 0;
}

/* The exit function does not need the engine. */
SCENARIO(exit_function, works_after_the_engine_is_closed)
{
	const char *output;

	check_int(run_subprogram("closed_engine_at_exit", NULL, &output), 0);
	check_text(output, "child is done\nafter the join\n");
}

static int say_started_late(void *unused)
{
	(void)unused;
	say("child of a finalizer");
	return 0;
}

static void start_late(void *unused)
{
	(void)unused;
	start_function(engine, say_started_late, NULL);
}

static int start_in_finalizer(void *unused)
{
	(void)unused;
	check(pidring_add_finalizer(start_late, NULL, 0) > 0);
	add("after the join", -1);
	return 0;
}

/* A child that a finalizer of the first pass starts is joined too. */
SCENARIO(exit_function, children_of_finalizers_are_joined)
{
	check_said_by(start_in_finalizer, NULL, "child of a finalizer\nafter the join\n");
}

static int end_when_main_has(void *unused)
{
	char byte;

	(void)unused;
	close(daemon_holds.writer);
	check_int(read(daemon_holds.reader, &byte, 1), 0);
	say("orphan lives on");
	return 0;
}

SUBPROGRAM(main_leaves_at_once)
{
	engine = open_engine();
	add("finalizer", 0);
	daemon_holds = latch_open();
	start_process(engine, (struct pidring_options){ .target = end_when_main_has });
	start_process(engine, (struct pidring_options){ .target = end_when_main_has,
	                                                .daemon = true,
	                                                .death_signal = PIDRING_NONE });
	if (argc == 2)
		raise(SIGKILL);
	_exit(8);
}

/* _exit and death by a signal do none of it: the children live on. */
SCENARIO(exit_function, abrupt_end_does_none_of_it)
{
	const char *output;

	check_int(run_subprogram("main_leaves_at_once", NULL, &output), 8);
	check_text(output, "orphan lives on\norphan lives on\n");
	check_int(run_subprogram("main_leaves_at_once", "kill", &output), -SIGKILL);
	check_text(output, "orphan lives on\norphan lives on\n");
}

static void say_early_atexit(void)
{
	say("atexit before the library");
}

static void say_late_atexit(void)
{
	say("atexit after the library");
}

SUBPROGRAM(atexit_order)
{
	atexit(say_early_atexit);
	add("finalizer", 0);
	atexit(say_late_atexit);
	return 0;
}

/* In main it is one of the atexit handlers, registered at the first use of the library. */
SCENARIO(exit_function, is_an_atexit_handler)
{
	const char *output;

	check_int(run_subprogram("atexit_order", NULL, &output), 0);
	check_text(output, "atexit after the library\nfinalizer\natexit before the library\n");
}

static int nine(void *unused)
{
	(void)unused;
	return 9;
}

SUBPROGRAM(children_fail)
{
	engine = open_engine();
	start_function(engine, nine, NULL);
	start_function(engine, nine, NULL);
	return 2;
}

/* Children's exit codes do not change main's. */
SCENARIO(exit_function, codes_of_children_do_not_matter)
{
	check_int(run_subprogram("children_fail", NULL, NULL), 2);
}

SUBPROGRAM(programs_at_exit)
{
	engine = open_engine();
	start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
	                                                .daemon = true });
	start_program(engine, "/bin/sh", "-c", "echo program is done >&2", NULL);
	add("after the join", -1);
	return 0;
}

/* Programs are treated like functions: daemons terminated, the others waited for. */
SCENARIO(exit_function, programs_are_looked_after)
{
	const char *output;

	check_int(run_subprogram("programs_at_exit", NULL, &output), 0);
	check_text(output, "program is done\nafter the join\n");
}
