/* SPDX-License-Identifier: MIT */
/* Stops and continuations as events, and the order of STARTED. */
#define _GNU_SOURCE
#include "streams.h"

#include <pthread.h>

static struct pidring_options reporting(struct child *child, const char *kind, uint64_t amount)
{
	struct pidring_options options = awkward(child, kind, 1, amount);

	options.report_stops = true;
	return options;
}

static void stop_and_see(struct pidring *engine, struct child *child, int signal_number)
{
	int before = child->stopped;

	check_int(pidring_process_signal(child->process, signal_number), 0);
	fetch_until(engine, &child->stopped, before + 1);
	check_int(child->stop_signal, signal_number);
	check_int(process_state(pidring_process_pid(child->process)), 'T');
}

static void continue_and_see(struct pidring *engine, struct child *child)
{
	int before = child->continued;

	check_int(pidring_process_signal(child->process, SIGCONT), 0);
	fetch_until(engine, &child->continued, before + 1);
}

SCENARIO(job_control, stopped_and_continued)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, reporting(&child, "deaf", 0));

	for (int i = 0; i < 3; i++) {
		stop_and_see(engine, &child, SIGSTOP);
		continue_and_see(engine, &child);
		stop_and_see(engine, &child, SIGTSTP);
		continue_and_see(engine, &child);
	}
	close(latch.writer);
	fetch_all(engine, 64);
	close(latch.reader);
	check_int(child.stopped, 6);
	check_int(child.continued, 6);
	end_child(&child, 0, 0, 0);
	close_engine(engine);
}

/* It stops by itself, as often as it likes. */
SCENARIO(job_control, stops_itself)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	begin_child(&child, engine, reporting(&child, "stopping", 4));
	for (int i = 1; i <= 4; i++) {
		fetch_until(engine, &child.stopped, i);
		check_int(pidring_process_signal(child.process, SIGCONT), 0);
	}
	fetch_all(engine, 64);
	end_child(&child, 0, 0, 0);
	close_engine(engine);
}

SCENARIO(job_control, ends_while_stopped)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, reporting(&child, "deaf", 0));

	stop_and_see(engine, &child, SIGSTOP);
	check_int(pidring_process_kill(child.process), 0);
	fetch_all(engine, 64);
	latch_close(&latch);
	check_int(child.continued, 0);
	end_child(&child, 0, 0, -SIGKILL);
	close_engine(engine);
}

/* Nobody looks before its end: the stop may be lost, the end is not. */
SCENARIO(job_control, stopped_and_ended_before_a_look)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, reporting(&child, "deaf", 0));

	check_int(pidring_process_signal(child.process, SIGSTOP), 0);
	check_int(pidring_process_kill(child.process), 0);
	wait_ended(child.process);
	fetch_all(engine, 64);
	latch_close(&latch);
	end_child(&child, 0, 0, -SIGKILL);
	close_engine(engine);
}

/* Without the option nothing is told. */
SCENARIO(job_control, not_asked_for)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, awkward(&child, "deaf", 1, 0));

	check_int(pidring_process_signal(child.process, SIGSTOP), 0);
	while (process_state(pidring_process_pid(child.process)) != 'T')
		sched_yield();
	fetch_present(engine);
	fetch(engine, 1, 30 * MILLISECONDS);
	check_int(pidring_process_signal(child.process, SIGCONT), 0);
	close(latch.writer);
	fetch_all(engine, 64);
	close(latch.reader);
	check_int(child.stopped + child.continued, 0);
	end_child(&child, 0, 0, 0);
	close_engine(engine);
}

/* --- threads --- */

struct look {
	struct pidring *engine;
	struct child *child;
	const int *count;
	int value;
};

static void *look_until(void *argument)
{
	struct look *look = argument;

	fetch_until(look->engine, look->count, look->value);
	return NULL;
}

static void *look_shortly(void *argument)
{
	fetch_present(((struct look *)argument)->engine);
	return NULL;
}

static void in_thread(void *(*function)(void *), struct look *look)
{
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, function, look), 0);
	pthread_join(thread, NULL);
}

/* The thread that waited is gone when it stops: the next one hears of it, and goes on hearing. */
SCENARIO(job_control, waiting_thread_has_gone)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, reporting(&child, "deaf", 0));
	struct look look = { engine, &child, &child.stopped, 0 };

	for (int i = 1; i <= 10; i++) {
		in_thread(look_shortly, &look);
		check_int(pidring_process_signal(child.process, SIGSTOP), 0);
		look = (struct look){ engine, &child, &child.stopped, i };
		in_thread(look_until, &look);
		check_int(pidring_process_signal(child.process, SIGCONT), 0);
		look = (struct look){ engine, &child, &child.continued, i };
		in_thread(look_until, &look);
	}
	close(latch.writer);
	fetch_all(engine, 64);
	close(latch.reader);
	end_child(&child, 0, 0, 0);
	close_engine(engine);
}

static void *arm_and_linger(void *argument)
{
	struct latch *latches = ((void **)argument)[1];

	fetch_present(((void **)argument)[0]);
	latch_release(&latches[0]);
	latch_wait(&latches[1]);
	return NULL;
}

/* It stops while the thread that waited does something else, and that thread ends before another waits. */
SCENARIO(job_control, stopped_before_the_thread_goes)
{
	struct pidring *engine = open_engine();

	for (int i = 0; i < small_or_normal(3, 20); i++) {
		struct child child = { 0 };
		struct latch latch = begin_latched(&child, engine, reporting(&child, "deaf", 0));
		struct latch latches[2] = { latch_open(), latch_open() };
		void *arguments[2] = { engine, latches };
		pthread_t thread;

		check_int(pthread_create(&thread, NULL, arm_and_linger, arguments), 0);
		latch_wait(&latches[0]);
		check_int(pidring_process_signal(child.process, SIGSTOP), 0);
		while (process_state(pidring_process_pid(child.process)) != 'T')
			sched_yield();
		latch_release(&latches[1]);
		pthread_join(thread, NULL);
		fetch_until(engine, &child.stopped, 1);
		continue_and_see(engine, &child);
		close(latch.writer);
		fetch_until(engine, &child.last, 1);
		latch_close(&latches[0]);
		latch_close(&latches[1]);
		close(latch.reader);
		end_child(&child, 0, 0, 0);
	}
	close_engine(engine);
}

/* Many at a time, of whom all stop. */
SCENARIO(job_control, many_stop)
{
	struct pidring *engine = open_engine_with((struct pidring_engine_options){ .descriptors = 4000 });
	int count = small_or_normal(20, 200);
	struct child *children = calloc((size_t)count, sizeof(*children));

	check(children != NULL);
	for (int i = 0; i < count; i++)
		begin_child(&children[i], engine, reporting(&children[i], "stopping", 1));
	for (int i = 0; i < count; i++) {
		while (children[i].stopped == 0)
			fetch(engine, 64, PIDRING_FOREVER);
		check_int(pidring_process_signal(children[i].process, SIGCONT), 0);
	}
	fetch_all(engine, 64);
	for (int i = 0; i < count; i++) {
		check_int(children[i].stopped, 1);
		end_child(&children[i], 0, 0, 0);
	}
	free(children);
	close_engine(engine);
}

/* Freed while it is stopped: nothing is told, and nothing stays. */
SCENARIO(job_control, freed_while_stopped)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, reporting(&child, "deaf", 0));
	pid_t pid = pidring_process_pid(child.process);

	stop_and_see(engine, &child, SIGSTOP);
	pidring_process_free(child.process);
	check_int(kill(pid, SIGKILL), 0);
	while (pidring_live_objects() > 0) {
		struct pidring_event event;

		check_int(pidring_wait(engine, &event, 1, MILLISECONDS), 0);
	}
	latch_close(&latch);
	close_engine(engine);
}

/* --- STARTED --- */

/* Also for a start that waits, if it is asked for; and before anything that the program writes. */
SCENARIO(job_control, started_comes_first)
{
	struct pidring *engine = open_engine();
	enum { COUNT = 30 };
	struct child children[COUNT] = { 0 };

	for (int i = 0; i < COUNT; i++) {
		struct pidring_options options = awkward(&children[i], "amount", (uint64_t)i, 60000);

		options.asynchronous = i % 3 == 0;
		options.report_exec = i % 3 == 1;
		begin_child(&children[i], engine, options);
		if (i % 7 == 0)
			wait_ended(children[i].process);
	}
	fetch_all(engine, 5);
	for (int i = 0; i < COUNT; i++) {
		check_int(children[i].started, i % 3 != 2);
		end_child(&children[i], 60000, 0, 0);
	}
	close_engine(engine);
}
