/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/syscall.h>

static struct pidring *engine;

/* A running process is not closed, and nothing changes. */
SCENARIO(close, running_is_refused)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	int sentinel;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	sentinel = pidring_process_sentinel(process);
	check_int(pidring_process_close(process), -EBUSY);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_sentinel(process), sentinel);
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&latch);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

/* Closing an ended process that nobody joined reaps it and releases the sentinel. */
SCENARIO(close, reaps_and_releases)
{
	struct pidring_process *process;
	int sentinel;
	pid_t pid;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	pid = pidring_process_pid(process);
	sentinel = pidring_process_sentinel(process);
	check_int(process_state(pid), 'Z');
	check_int(pidring_process_close(process), 0);
	check_int(process_state(pid), 0);
	check(!descriptor_is_open(sentinel));
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_close(process), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* A joined one and one that was never started can be closed, also twice. */
SCENARIO(close, works_in_all_other_states)
{
	struct pidring_process *joined, *fresh;

	engine = open_engine();
	joined = start_function(engine, return_zero, NULL);
	fresh = new_function(engine, return_zero, NULL);
	check_int(join_code(joined), 0);
	for (int i = 0; i < 2; i++) {
		check_int(pidring_process_close(joined), 0);
		check_int(pidring_process_close(fresh), 0);
	}
	pidring_process_free(joined);
	pidring_process_free(fresh);
	close_engine(engine);
}

static void check_closed(struct pidring_process *process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct pidring_wait_item item = { .process = process };
	char key[64];
	unsigned number;
	int code;

	check_int(pidring_process_start(process), -EBADF);
	check_int(pidring_process_run(process, &code), -EBADF);
	check_int(pidring_process_join(process, 0), -EBADF);
	check_int(pidring_process_is_alive(process), -EBADF);
	check_int(pidring_process_terminate(process), -EBADF);
	check_int(pidring_process_kill(process), -EBADF);
	check_int(pidring_process_signal(process, 0), -EBADF);
	check_int(pidring_process_exit_code(process, &code), -EBADF);
	check_int(pidring_process_exit_record(process, &record), -EBADF);
	check_int(pidring_process_pid(process), -EBADF);
	check_int(pidring_process_sentinel(process), -EBADF);
	check_int(pidring_process_set_daemon(process, true), -EBADF);
	check_int(pidring_wait_any(&item, 1, 0), -EBADF);
	check_text(name_of(process), "Ada");
	check_int(pidring_process_set_name(process, "Eve"), 0);
	check_text(name_of(process), "Eve");
	check_int(pidring_process_daemon(process), 0);
	check_int(pidring_process_authkey(process, key, sizeof(key)), 32);
	check_int(pidring_process_set_authkey(process, "k", 1), 0);
	check_int(pidring_process_identity(process, &number, 1), 1);
	check_contains(describe(process), " closed>");
	check_int(pidring_process_close(process), 0);
}

/* Afterwards name, flag, key, identity, description and closing work, and nothing else. */
SCENARIO(close, leaves_the_attributes)
{
	struct pidring_process *used, *fresh;

	engine = open_engine();
	used = start_process(engine, (struct pidring_options){ .target = return_zero, .name = "Ada" });
	fresh = new_process(engine, (struct pidring_options){ .target = return_zero, .name = "Ada" });
	check_int(join_code(used), 0);
	check_int(pidring_process_close(used), 0);
	check_int(pidring_process_close(fresh), 0);
	check_closed(used);
	check_closed(fresh);
	pidring_process_free(used);
	pidring_process_free(fresh);
	close_engine(engine);
}

static int close_oneself(void *unused)
{
	(void)unused;
	check_int(pidring_process_close(pidring_current_process()), 0);
	check_int(pidring_process_is_alive(pidring_current_process()), 1);
	check_int(pidring_process_pid(pidring_current_process()), getpid());
	return 0;
}

/* Closing the current process does nothing. */
SCENARIO(close, current_process_stays_open)
{
	check_int(close_oneself(NULL), 0);
	check_in_child(close_oneself, NULL);
}

/* Closing drops the event that was still to come. */
SCENARIO(close, drops_the_event)
{
	struct pidring_process *process;
	struct pidring_event event;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	pidring_process_free(process);
	close_engine(engine);
}

static struct pidring_process *running, *fresh_one;

static int close_others(void *unused)
{
	(void)unused;
	check_int(pidring_process_close(running), -EBUSY);
	check_int(pidring_process_close(fresh_one), 0);
	check_int(pidring_process_start(fresh_one), -EBADF);
	return 0;
}

/* Another process cannot close what runs; what was not started is closed in that copy only. */
SCENARIO(close, in_another_process)
{
	engine = open_engine();
	running = start_function(engine, sleep_forever, NULL);
	fresh_one = new_function(engine, return_zero, NULL);
	check_int(finish(start_function(engine, close_others, NULL)), 0);
	check_int(pidring_process_is_alive(running), 1);
	check_int(pidring_process_start(fresh_one), 0);
	check_int(finish(fresh_one), 0);
	kill_and_free(running);
	close_engine(engine);
}

/* --- free --- */

/* Freeing an ended process reaps it and releases its descriptor. */
SCENARIO(close, free_closes_too)
{
	struct pidring_process *process;
	int sentinel;
	pid_t pid;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	sentinel = pidring_process_sentinel(process);
	pid = pidring_process_pid(process);
	pidring_process_free(process);
	check(!descriptor_is_open(sentinel));
	check_int(process_state(pid), 0);
	check_int(pidring_outstanding(engine), 0);
	close_engine(engine);
}

static void wait_for_end_of(int pidfd)
{
	struct pollfd entry = { .fd = pidfd, .events = POLLIN };

	check_int(poll(&entry, 1, -1), 1);
}

/* Freeing a running process detaches it: it runs on, is no child any more, and is reaped after its end. */
SCENARIO(close, free_detaches_the_running)
{
	struct latch ready = latch_open(), release = latch_open();
	struct pidring_process *process;
	int pidfd;
	pid_t pid;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &release);
	pid = pidring_process_pid(process);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	check(pidfd >= 0);
	pidring_process_free(process);
	check_int(pidring_active_children(NULL, 0), 0);
	check(!is_readable(pidfd));
	latch_release(&release);
	wait_for_end_of(pidfd);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(process_state(pid), 0);
	check_int(pidring_live_objects(), 0);
	close(pidfd);
	close_engine(engine);
	latch_close(&ready);
	latch_close(&release);
}

/* A detached process has no event, and pidring_wait reaps it. */
SCENARIO(close, free_drops_the_event)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	struct pidring_event event;
	int pidfd;
	pid_t pid;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	pid = pidring_process_pid(process);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	pidring_process_free(process);
	check_int(pidring_outstanding(engine), 0);
	latch_release(&latch);
	wait_for_end_of(pidfd);
	while (process_state(pid) != 0)
		check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	close(pidfd);
	close_engine(engine);
	latch_close(&latch);
}

static int free_copy(void *unused)
{
	int sentinel = pidring_process_sentinel(running);

	(void)unused;
	check(descriptor_is_open(sentinel));
	pidring_process_free(running);
	check(!descriptor_is_open(sentinel));
	return 0;
}

/* In another process free ends that process's copy and leaves the child alone. */
SCENARIO(close, free_in_another_process)
{
	engine = open_engine();
	running = start_function(engine, sleep_forever, NULL);
	check_int(finish(start_function(engine, free_copy, NULL)), 0);
	check_int(pidring_process_is_alive(running), 1);
	check(descriptor_is_open(pidring_process_sentinel(running)));
	kill_and_free(running);
	close_engine(engine);
}

/* The current process is not freed. */
SCENARIO(close, free_of_the_current_process_does_nothing)
{
	struct pidring_process *current = pidring_current_process();

	pidring_process_free(current);
	check(pidring_current_process() == current);
	check_text(name_of(current), "MainProcess");
}

/* --- the engine --- */

/* When the engine is closed its processes run on; they can be joined, asked, signalled and freed. */
SCENARIO(close, engine_leaves_its_processes)
{
	struct latch latch = latch_open();
	struct pidring_process *waiting, *sleeping, *ended;
	static int three = 3;

	engine = open_engine();
	waiting = start_function(engine, wait_for_latch, &latch);
	sleeping = start_function(engine, sleep_forever, NULL);
	ended = start_function(engine, return_argument, &three);
	wait_ended(ended);
	close_engine(engine);
	check_int(finish(ended), 3);
	check_int(pidring_process_is_alive(waiting), 1);
	check_int(pidring_process_join(waiting, MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_active_children(NULL, 0), 2);
	check_int(pidring_process_terminate(sleeping), 0);
	check_int(finish(sleeping), -SIGTERM);
	latch_release(&latch);
	check_int(finish(waiting), 0);
	latch_close(&latch);
}

/* What was fetched before and what never came do not hinder the closing of the engine. */
SCENARIO(close, engine_with_events_to_come)
{
	struct pidring_process *processes[10];
	struct pidring_event event;

	engine = open_engine();
	for (int i = 0; i < 10; i++)
		processes[i] = start_function(engine, return_zero, NULL);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(pidring_outstanding(engine), 9);
	close_engine(engine);
	for (int i = 0; i < 10; i++)
		check_int(finish(processes[i]), 0);
}

/* A running process may be freed after its engine was closed; it is still reaped. */
SCENARIO(close, free_after_the_engine)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	int pidfd;
	pid_t pid;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	close_engine(engine);
	pid = pidring_process_pid(process);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	pidring_process_free(process);
	latch_release(&latch);
	wait_for_end_of(pidfd);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(process_state(pid), 0);
	check_int(pidring_live_objects(), 0);
	close(pidfd);
	latch_close(&latch);
}
