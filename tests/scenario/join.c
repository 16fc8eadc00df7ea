/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/time.h>

static struct pidring *engine;

/* A process that was not started cannot be joined. */
SCENARIO(join, needs_a_started_process)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_join(process, 0), -ESRCH);
	check_int(pidring_process_join(process, PIDRING_FOREVER), -ESRCH);
	pidring_process_free(process);
	close_engine(engine);
}

static struct pidring_process *closed, *fresh, *running;

static int join_others_processes(void *unused)
{
	(void)unused;
	check_int(pidring_process_join(closed, 0), -EBADF);
	check_int(pidring_process_join(fresh, 0), -ECHILD);
	check_int(pidring_process_join(running, 0), -ECHILD);
	check_int(pidring_process_join(running, PIDRING_FOREVER), -ECHILD);
	return 0;
}

/* The checks come in this order: closed, another's process, not started. */
SCENARIO(join, order_of_the_checks)
{
	struct latch latch = latch_open();

	engine = open_engine();
	closed = new_function(engine, return_zero, NULL);
	fresh = new_function(engine, return_zero, NULL);
	running = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_close(closed), 0);
	check_int(pidring_process_join(closed, 0), -EBADF);
	check_int(finish(start_function(engine, join_others_processes, NULL)), 0);
	latch_release(&latch);
	check_int(finish(running), 0);
	pidring_process_free(closed);
	pidring_process_free(fresh);
	close_engine(engine);
	latch_close(&latch);
}

static int join_oneself(void *unused)
{
	(void)unused;
	check_int(pidring_process_join(pidring_current_process(), PIDRING_FOREVER), -ECHILD);
	return 0;
}

/* Nobody can join the current process, neither in main nor in a child. */
SCENARIO(join, current_process_is_refused)
{
	check_int(pidring_process_join(pidring_current_process(), PIDRING_FOREVER), -ECHILD);
	check_in_child(join_oneself, NULL);
}

/* 0 looks once: not ended yet, and ended. */
SCENARIO(join, zero_looks_once)
{
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	latch_release(&latch);
	wait_ended(process);
	check_int(pidring_process_join(process, 0), 0);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

/* A negative time-out looks once too: it does not mean "for ever". */
SCENARIO(join, negative_timeout_looks_once)
{
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_join(process, -1), -ETIMEDOUT);
	check_int(pidring_process_join(process, -1000000000), -ETIMEDOUT);
	check_int(pidring_process_join(process, INT64_MIN), -ETIMEDOUT);
	latch_release(&latch);
	wait_ended(process);
	check_int(pidring_process_join(process, -1), 0);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

static int write_and_end(void *descriptor)
{
	check_int(write(*(int *)descriptor, "x", 1), 1);
	return 0;
}

/* For ever waits until the end. */
SCENARIO(join, forever_waits_for_the_end)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_function(engine, write_and_end, &ends[1]);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check(is_readable(ends[0]));
	pidring_process_free(process);
	close_engine(engine);
	close(ends[0]);
	close(ends[1]);
}

/* A join that runs out of time has waited for all of it. */
SCENARIO(join, never_gives_up_early)
{
	static const int64_t timeouts[] = { 1, 999, 1500000, 3 * MILLISECONDS + 1, 30 * MILLISECONDS };
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		int64_t begin = now();

		check_int(pidring_process_join(process, timeouts[i]), -ETIMEDOUT);
		check(now() - begin >= timeouts[i]);
	}
	latch_release(&latch);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

/* Time-outs next to "for ever" do not overflow. */
SCENARIO(join, huge_timeouts_do_not_overflow)
{
	static const int64_t timeouts[] = { INT64_MAX - 1, INT64_MAX / 2, (int64_t)1 << 60 };

	engine = open_engine();
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		struct latch latch = latch_open();
		struct pidring_process *process = start_function(engine, wait_for_latch, &latch);

		latch_release(&latch);
		check_int(pidring_process_join(process, timeouts[i]), 0);
		check_int(finish(process), 0);
		latch_close(&latch);
	}
	close_engine(engine);
}

/* After the end it returns 0 at once, with any time-out, as often as wanted. */
SCENARIO(join, works_again_after_the_end)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_process_join(process, 0), 0);
	check_int(pidring_process_join(process, -7), 0);
	check_int(pidring_process_join(process, 7), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* It reaps. */
SCENARIO(join, reaps)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	check_int(process_state(pidring_process_pid(process)), 'Z');
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(process_state(pidring_process_pid(process)), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* A join that sees the end takes the process out of the children; one that runs out of time does not. */
SCENARIO(join, end_leaves_the_children)
{
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&latch);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

static volatile sig_atomic_t handled;

static void count_signal(int number)
{
	(void)number;
	handled++;
}

/* Signal handlers do not shorten it, also without SA_RESTART. */
SCENARIO(join, handlers_do_not_shorten_it)
{
	struct sigaction action = { .sa_handler = count_signal }, old;
	struct itimerval every_millisecond = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	struct latch latch = latch_open();
	struct pidring_process *process;
	int64_t begin;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	/* ITIMER_REAL is the watchdog's signal: borrow its handler for this while. */
	sigaction(SIGALRM, &action, &old);
	begin = now();
	setitimer(ITIMER_REAL, &every_millisecond, NULL);
	check_int(pidring_process_join(process, 50 * MILLISECONDS), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &off, NULL);
	check(now() - begin >= 50 * MILLISECONDS);
	check(handled > 0);
	sigaction(SIGALRM, &old, NULL);
	alarm(60);
	latch_release(&latch);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

static void wait_for_stop(pid_t pid)
{
	siginfo_t information;

	check_int(waitid(P_PID, (id_t)pid, &information, WSTOPPED | __WALL), 0);
}

/* A stopped child has not ended. */
SCENARIO(join, stopped_child_has_not_ended)
{
	struct pidring_process *process;
	int code;

	engine = open_engine();
	process = start_function(engine, sleep_forever, NULL);
	check_int(pidring_process_signal(process, SIGSTOP), 0);
	wait_for_stop(pidring_process_pid(process));
	check_int(pidring_process_join(process, 5 * MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_exit_code(process, &code), -EAGAIN);
	check_int(pidring_process_signal(process, SIGCONT), 0);
	check_int(pidring_process_join(process, 5 * MILLISECONDS), -ETIMEDOUT);
	kill_and_free(process);
	close_engine(engine);
}

static int leave_a_grandchild(void *latch)
{
	if (fork() == 0) {
		latch_wait(latch);
		_exit(0);
	}
	_exit(2);
}

/* A grandchild that outlives the child does not hold up the join. */
SCENARIO(join, grandchild_does_not_hold_it_up)
{
	struct latch latch = latch_open();

	engine = open_engine();
	check_int(finish(start_function(engine, leave_a_grandchild, &latch)), 2);
	latch_release(&latch);
	close_engine(engine);
	latch_close(&latch);
}

static struct latch ready, release;

static int close_everything(void *unused)
{
	(void)unused;
	for (int descriptor = 0; descriptor < 1024; descriptor++)
		if (descriptor != ready.writer && descriptor != release.reader)
			close(descriptor);
	latch_release(&ready);
	latch_wait(&release);
	_exit(4);
}

/* A child that closes all its descriptors has not ended. */
SCENARIO(join, child_without_descriptors_has_not_ended)
{
	struct pidring_process *process;

	ready = latch_open();
	release = latch_open();
	engine = open_engine();
	process = start_function(engine, close_everything, NULL);
	latch_wait(&ready);
	check(!is_readable(pidring_process_sentinel(process)));
	check_int(pidring_process_join(process, 2 * MILLISECONDS), -ETIMEDOUT);
	latch_release(&release);
	check_int(finish(process), 4);
	close_engine(engine);
	latch_close(&ready);
	latch_close(&release);
}

/* The event still comes, once, when a join saw the end first. */
SCENARIO(join, leaves_the_event)
{
	struct pidring_process *process;
	struct pidring_event event;
	static int seven = 7;

	engine = open_engine();
	process = start_function(engine, return_argument, &seven);
	check_int(join_code(process), 7);
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 7);
	check(event.process == process);
	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* And the other way round: after the event the join returns at once, with the same code. */
SCENARIO(join, works_after_the_event)
{
	struct pidring_process *process;
	struct pidring_event event;
	static int seven = 7;

	engine = open_engine();
	process = start_function(engine, return_argument, &seven);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.code, 7);
	check_int(pidring_process_join(process, 0), 0);
	check_int(finish(process), 7);
	close_engine(engine);
}

/* --- join_all --- */

/* It waits for all of them; none at all is fine. */
SCENARIO(join, all_waits_for_all)
{
	struct pidring_process *processes[20];

	engine = open_engine();
	check_int(pidring_join_all(NULL, 0, 0), 0);
	check_int(pidring_join_all(processes, 0, PIDRING_FOREVER), 0);
	for (int i = 0; i < 20; i++)
		processes[i] = start_function(engine, return_argument, &i);
	check_int(pidring_join_all(processes, 20, PIDRING_FOREVER), 0);
	check_int(waitpid(-1, NULL, WNOHANG), -1);
	for (int i = 0; i < 20; i++)
		check_int(finish(processes[i]), i);
	close_engine(engine);
}

/* One deadline for all; those that have ended are reaped. */
SCENARIO(join, all_has_one_deadline)
{
	struct latch latch = latch_open();
	struct pidring_process *processes[3];
	int64_t begin;

	engine = open_engine();
	processes[0] = start_function(engine, wait_for_latch, &latch);
	processes[1] = start_function(engine, wait_for_latch, &latch);
	processes[2] = start_function(engine, return_zero, NULL);
	wait_ended(processes[2]);
	begin = now();
	check_int(pidring_join_all(processes, 3, 20 * MILLISECONDS), -ETIMEDOUT);
	check(now() - begin >= 20 * MILLISECONDS);
	check_int(process_state(pidring_process_pid(processes[2])), 0);
	check_int(pidring_join_all(processes, 3, -1), -ETIMEDOUT);
	latch_release(&latch);
	latch_release(&latch);
	check_int(pidring_join_all(processes, 3, PIDRING_FOREVER), 0);
	for (int i = 0; i < 3; i++)
		check_int(finish(processes[i]), 0);
	close_engine(engine);
	latch_close(&latch);
}

/* One that cannot be joined makes it fail before anything is waited for. */
SCENARIO(join, all_checks_first)
{
	struct pidring_process *processes[2], *other;

	engine = open_engine();
	processes[0] = start_function(engine, sleep_forever, NULL);
	processes[1] = NULL;
	check_int(pidring_join_all(processes, 2, PIDRING_FOREVER), -EINVAL);
	check_int(pidring_join_all(NULL, 1, 0), -EINVAL);
	other = new_function(engine, return_zero, NULL);
	processes[1] = other;
	check_int(pidring_join_all(processes, 2, PIDRING_FOREVER), -ESRCH);
	check_int(pidring_process_close(other), 0);
	check_int(pidring_join_all(processes, 2, PIDRING_FOREVER), -EBADF);
	processes[1] = pidring_current_process();
	check_int(pidring_join_all(processes, 2, PIDRING_FOREVER), -ECHILD);
	pidring_process_free(other);
	kill_and_free(processes[0]);
	close_engine(engine);
}

/* The same process may be there twice. */
SCENARIO(join, all_takes_one_twice)
{
	struct pidring_process *processes[2];

	engine = open_engine();
	processes[0] = processes[1] = start_function(engine, return_zero, NULL);
	check_int(pidring_join_all(processes, 2, PIDRING_FOREVER), 0);
	check_int(finish(processes[0]), 0);
	close_engine(engine);
}
