/* SPDX-License-Identifier: MIT */
/* How long a wait lasts: time-outs, signals that interrupt it, and those that do not. */
#define _GNU_SOURCE
#include "expected_ends.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* --- time-outs --- */

static void check_not_early(struct pidring *engine, int64_t timeout)
{
	struct pidring_event event;
	int64_t begin = now();

	check_int(pidring_wait(engine, &event, 1, timeout), 0);
	check(now() - begin >= timeout);
}

/* A wait is never shorter than its time-out, with nothing to watch and with a running child. */
SCENARIO(watches_waiting, timeouts_are_never_early)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;

	check_not_early(engine, 20 * MILLISECONDS);
	check_not_early(engine, 1500000);
	check_not_early(engine, 1);
	process = start_function(engine, sleep_forever, NULL);
	check_not_early(engine, 20 * MILLISECONDS);
	check_not_early(engine, 999999);
	for (int i = 0; i < 20; i++)
		check_not_early(engine, 100000);
	kill_and_free(process);
	close_engine(engine);
}

/* 0 and negative time-outs look once: these return although the child never ends. */
SCENARIO(watches_waiting, looking_once)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_wait(engine, &event, 1, -1), 0);
	check_int(pidring_wait(engine, &event, 1, INT64_MIN), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, 0, NULL), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, -5, NULL), 0);
	kill_and_free(process);
	close_engine(engine);
}

/* A look finds an end that is there. */
SCENARIO(watches_waiting, looking_finds_an_end)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;

	for (int i = 0; i < 20; i++) {
		struct pidring_process *process = start_function(engine, return_zero, NULL);
		int count = 0;

		wait_ended(process);
		/* One look may be needed to begin watching. */
		for (int look = 0; look < 3 && count == 0; look++)
			count = pidring_wait(engine, &event, 1, 0);
		check_int(count, 1);
		check_exited(&event, process, 0);
		pidring_process_free(process);
	}
	close_engine(engine);
}

/* Very long time-outs wait as for ever. */
SCENARIO(watches_waiting, enormous_timeouts)
{
	struct pidring *engine = open_engine();
	const int64_t timeouts[] = { INT64_MAX - 1, INT64_MAX / 2, (int64_t)4000000000 * 1000000000 };
	struct pidring_event event;

	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		struct pidring_process *process = start_function(engine, return_zero, NULL);

		check_int(pidring_wait(engine, &event, 1, timeouts[i]), 1);
		check_exited(&event, process, 0);
		check_int(pidring_process_join(process, timeouts[i]), 0);
		pidring_process_free(process);
	}
	close_engine(engine);
}

/* Wrong arguments of waiting and asking are refused. */
SCENARIO(watches_waiting, wrong_arguments)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	struct pidring_features features = { .size = 1 };

	check_int(pidring_wait(NULL, &event, 1, 0), -EINVAL);
	check_int(pidring_wait(engine, NULL, 1, 0), -EINVAL);
	check_int(pidring_wait(engine, &event, 0, 0), -EINVAL);
	check_int(pidring_wait_interruptible(engine, NULL, 1, 0, NULL), -EINVAL);
	check_int(pidring_wait_interruptible(engine, &event, 0, 0, NULL), -EINVAL);
	check_int(pidring_outstanding(NULL), -EINVAL);
	check_int(pidring_features(engine, NULL), -EINVAL);
	check_int(pidring_features(engine, &features), -EINVAL);
	close_engine(engine);
}

/* --- signals --- */

static atomic_int handled;

static void count_signal(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&handled, 1);
}

static void handle(int signal_number)
{
	struct sigaction action = { .sa_handler = count_signal };

	sigemptyset(&action.sa_mask);
	check_int(sigaction(signal_number, &action, NULL), 0);
}

static void block(int signal_number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_number);
	check_int(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

/* A blocked, pending signal that the mask lets in ends the interruptible wait at once; the mask is back
 * afterwards and no event is lost. */
SCENARIO(watches_waiting, pending_signal_interrupts)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);
	struct pidring_event event;
	sigset_t mask;

	sigemptyset(&mask);
	handle(SIGUSR1);
	block(SIGUSR1);
	for (int i = 1; i <= 5; i++) {
		check_int(raise(SIGUSR1), 0);
		check_int(atomic_load(&handled), i - 1);
		check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, &mask), -EINTR);
		check_int(atomic_load(&handled), i);
		check_int(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
		check_int(sigismember(&mask, SIGUSR1), 1);
		sigemptyset(&mask);
	}
	check_int(pidring_process_kill(process), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, &mask), 1);
	check_exited(&event, process, -SIGKILL);
	pidring_process_free(process);
	close_engine(engine);
}

/* A mask that keeps the signal out lets the wait go on to the event. */
SCENARIO(watches_waiting, masked_signal_does_not_interrupt)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;
	sigset_t mask;

	handle(SIGUSR1);
	block(SIGUSR1);
	sigfillset(&mask);
	check_int(raise(SIGUSR1), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, &mask), 1);
	check_exited(&event, process, 0);
	check_int(atomic_load(&handled), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* The time-out of an interruptible wait is kept when no signal comes. */
SCENARIO(watches_waiting, interruptible_timeout)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	sigset_t mask;
	int64_t begin = now();

	sigemptyset(&mask);
	check_int(pidring_wait_interruptible(engine, &event, 1, 10 * MILLISECONDS, NULL), 0);
	check(now() - begin >= 10 * MILLISECONDS);
	begin = now();
	check_int(pidring_wait_interruptible(engine, &event, 1, 10 * MILLISECONDS, &mask), 0);
	check(now() - begin >= 10 * MILLISECONDS);
	close_engine(engine);
}

struct signaller {
	pthread_t target;
	atomic_bool stop;
	struct latch *latch;
};

static void *signal_until_told(void *argument)
{
	struct signaller *signaller = argument;

	while (!atomic_load(&signaller->stop)) {
		check_int(pthread_kill(signaller->target, SIGUSR1), 0);
		sched_yield();
	}
	return NULL;
}

/* A signal from another thread ends an interruptible wait without a mask. */
SCENARIO(watches_waiting, signal_interrupts)
{
	struct pidring *engine = open_engine();
	struct signaller signaller = { .target = pthread_self() };
	struct pidring_event event;
	pthread_t thread;

	handle(SIGUSR1);
	check_int(pthread_create(&thread, NULL, signal_until_told, &signaller), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, NULL), -EINTR);
	atomic_store(&signaller.stop, true);
	check_int(pthread_join(thread, NULL), 0);
	check(atomic_load(&handled) >= 1);
	close_engine(engine);
}

/* Each signal is sent when the one before has been handled, so none is merged with another. */
static void *signal_a_hundred_times(void *argument)
{
	struct signaller *signaller = argument;

	for (int i = 0; i < 100; i++) {
		check_int(pthread_kill(signaller->target, SIGUSR1), 0);
		while (atomic_load(&handled) <= i)
			sched_yield();
	}
	latch_release(signaller->latch);
	return NULL;
}

/* A hundred handled signals shorten neither pidring_wait nor join nor wait_any. */
SCENARIO(watches_waiting, signals_do_not_shorten_waits)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;

	handle(SIGUSR1);
	for (int way = 0; way < 4; way++) {
		struct latch latch = latch_open();
		struct pidring_process *process = start_function(engine, seven_after_latch, &latch);
		struct pidring_wait_item item = { .process = process };
		struct signaller signaller = { .target = pthread_self(), .latch = &latch };
		pthread_t thread;

		atomic_store(&handled, 0);
		check_int(pthread_create(&thread, NULL, signal_a_hundred_times, &signaller), 0);
		if (way == 0)
			check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		else if (way == 1)
			check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		else if (way == 2)
			check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
		else
			check_int(pidring_join_all(&process, 1, PIDRING_FOREVER), 0);
		check_int(atomic_load(&handled), 100);
		check_int(pthread_join(thread, NULL), 0);
		check_int(finish(process), 7);
		latch_close(&latch);
	}
	close_engine(engine);
}

/* A time-out goes on with the rest of its time after each of a hundred signals. */
SCENARIO(watches_waiting, signals_do_not_shorten_timeouts)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);
	struct signaller signaller = { .target = pthread_self() };
	struct pidring_event event;
	pthread_t thread;
	int64_t begin;

	handle(SIGUSR1);
	check_int(pthread_create(&thread, NULL, signal_until_told, &signaller), 0);
	begin = now();
	check_int(pidring_wait(engine, &event, 1, 50 * MILLISECONDS), 0);
	check(now() - begin >= 50 * MILLISECONDS);
	begin = now();
	check_int(pidring_process_join(process, 50 * MILLISECONDS), -ETIMEDOUT);
	check(now() - begin >= 50 * MILLISECONDS);
	atomic_store(&signaller.stop, true);
	check_int(pthread_join(thread, NULL), 0);
	check(atomic_load(&handled) >= 1);
	kill_and_free(process);
	close_engine(engine);
}
