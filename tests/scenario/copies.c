/* SPDX-License-Identifier: MIT */
/* Copies of the host, their original, and all uses of an engine: see copies.h. */
#define _GNU_SOURCE
#include "copies.h"
#include "expected_ends.h"

#include <sys/syscall.h>

pid_t make_copy(enum copy_by by)
{
	pid_t pid;

	fflush(stdout);
	switch (by) {
	case BY_FORK_WITHOUT_HANDLERS:
		pid = _Fork();
		break;
	case BY_SYSTEM_CALL:
		pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
		break;
	default:
		pid = fork();
	}
	check(pid >= 0);
	if (pid == 0)
		alarm(60);
	return pid;
}

void check_copy_ended_well(pid_t pid)
{
	int status = -1;

	check_int(waitpid(pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_int(WEXITSTATUS(status), 0);
}

void run_in_copy_made(enum copy_by by, void (*body)(void *), void *argument)
{
	pid_t pid = make_copy(by);

	if (pid == 0) {
		body(argument);
		_exit(0);
	}
	check_copy_ended_well(pid);
}

void run_in_copy(void (*body)(void *), void *argument)
{
	run_in_copy_made(BY_FORK, body, argument);
}

/* --- the original --- */

struct original *make_original(void)
{
	static struct original original;

	original.engine = open_engine();
	original.latch = latch_open();
	original.running = start_function(original.engine, seven_after_latch, &original.latch);
	original.initial = new_function(original.engine, return_zero, NULL);
	return &original;
}

/* Whatever the copy did, this is as it was. */
static void check_undisturbed(struct original *original)
{
	struct pidring_process *children[4];
	struct pidring_event event;

	check_int(pidring_active_children(children, 4), 1);
	check(children[0] == original->running);
	check_int(pidring_process_is_alive(original->running), 1);
	check_int(pidring_outstanding(original->engine), 1);
	check_int(pidring_wait(original->engine, &event, 1, 0), 0);
	latch_release(&original->latch);
	check_int(pidring_wait(original->engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.process == original->running);
	check_int(event.code, 7);
	check_int(join_code(original->running), 7);
	check_int(pidring_process_start(original->initial), 0);
	check_int(join_code(original->initial), 0);
	check_int(pidring_wait(original->engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == original->initial);
}

void end_original(struct original *original)
{
	check_undisturbed(original);
	pidring_process_free(original->running);
	pidring_process_free(original->initial);
	latch_close(&original->latch);
	close_engine(original->engine);
}

/* --- use of an engine --- */

void get_one_end(struct pidring *engine, struct pidring_process *process)
{
	struct pidring_event event;
	int count = pidring_wait(engine, &event, 1, PIDRING_FOREVER);

	check_int(count, 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.process == process);
	check_int(event.code, 0);
}

void start_all_kinds(struct pidring *engine)
{
	const char *const good[] = { "true", NULL };
	const char *const bad[] = { "/nonexistent/program", NULL };
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;

	check_int(pidring_outstanding(engine), 1);
	get_one_end(engine, process);
	check_int(finish(process), 0);
	process = start_process(engine, (struct pidring_options){ .argv = good });
	get_one_end(engine, process);
	check_int(finish(process), 0);
	process = start_process(engine, (struct pidring_options){ .argv = good, .asynchronous = true });
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	get_one_end(engine, process);
	check_int(finish(process), 0);
	process = new_process(engine, (struct pidring_options){ .argv = bad });
	check_int(pidring_process_start(process), -ENOENT);
	pidring_process_free(process);
	check_int(pidring_outstanding(engine), 0);
}

void watch_by_descriptor(struct pidring *engine)
{
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, wait_for_latch, &latch);
	struct pidring_event event;
	int count = 0;

	latch_release(&latch);
	while (count == 0) {
		struct pollfd entry = { .fd = pidring_fd(engine), .events = POLLIN };

		check_int(poll(&entry, 1, -1), 1);
		count = pidring_wait(engine, &event, 1, 0);
		check(count >= 0);
	}
	check(event.process == process);
	check_int(finish(process), 0);
	latch_close(&latch);
}
