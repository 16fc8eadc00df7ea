/* SPDX-License-Identifier: MIT */
/* Objects that one thread closes or frees while others use them and wait for them. */
#define _GNU_SOURCE
#include "crew.h"
#include "expected_ends.h"

#include <sched.h>

struct closing {
	struct pidring_process *process;
	atomic_int arrived;
	atomic_bool go;
};

static void *use_while_closing(void *argument)
{
	struct closing *shared = argument;
	int result = 0;
	int code;

	atomic_fetch_add(&shared->arrived, 1);
	while (!atomic_load(&shared->go))
		sched_yield();
	while (result == 0) {
		result = pidring_process_signal(shared->process, SIGKILL);
		check(result == 0 || result == -EBADF);
		result = pidring_process_join(shared->process, PIDRING_FOREVER);
		check(result == 0 || result == -EBADF);
		result = pidring_process_is_alive(shared->process);
		check(result == 0 || result == -EBADF);
		result = pidring_process_exit_code(shared->process, &code);
		check(result == 0 || result == -EBADF);
		check(result != 0 || code == 0);
	}
	return NULL;
}

/* Threads that signal and join a process while it is closed hear -EBADF sooner or later, and never hit the
 * next child, which is likely to get the same descriptor. */
SCENARIO(threads_closing, close_beside_signal_and_join)
{
	enum { USERS = 3 };
	struct pidring *engine = open_engine();
	int rounds = small_or_normal(5, 60);

	for (int round = 0; round < rounds; round++) {
		struct latch latch = latch_open();
		struct closing shared = { 0 };
		struct pidring_process *bystander;
		pthread_t crew[USERS];

		shared.process = start_function(engine, return_zero, NULL);
		wait_ended(shared.process);
		for (int i = 0; i < USERS; i++)
			crew[i] = start_thread(use_while_closing, &shared);
		while (atomic_load(&shared.arrived) < USERS)
			sched_yield();
		atomic_store(&shared.go, true);
		check_int(pidring_process_close(shared.process), 0);
		bystander = start_function(engine, seven_after_latch, &latch);
		for (int i = 0; i < USERS; i++)
			end_thread(crew[i]);
		latch_release(&latch);
		check_int(finish(bystander), 7);
		pidring_process_free(shared.process);
		latch_close(&latch);
	}
	close_engine(engine);
}

static void *join_for_ever(void *argument)
{
	struct waiter *waiter = argument;

	atomic_store(&waiter->thread_id, own_thread_id());
	waiter->result = pidring_process_join(waiter->process, PIDRING_FOREVER);
	return NULL;
}

/* An object may be freed while another thread waits for it: the wait goes on to the end of the child. */
SCENARIO(threads_closing, free_while_another_joins)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct waiter waiter = { .process = start_function(engine, seven_after_latch, &latch) };
	pthread_t thread = start_thread(join_for_ever, &waiter);

	wait_thread_blocked(&waiter.thread_id);
	pidring_process_free(waiter.process);
	latch_release(&latch);
	end_thread(thread);
	check_int(waiter.result, 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_live_objects(), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* Closing a running process that another thread joins is refused and disturbs nothing. */
SCENARIO(threads_closing, close_while_another_joins)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct waiter waiter = { .process = start_function(engine, seven_after_latch, &latch) };
	pthread_t thread = start_thread(join_for_ever, &waiter);

	wait_thread_blocked(&waiter.thread_id);
	check_int(pidring_process_close(waiter.process), -EBUSY);
	latch_release(&latch);
	end_thread(thread);
	check_int(waiter.result, 0);
	check_int(finish(waiter.process), 7);
	latch_close(&latch);
	close_engine(engine);
}

/* A join without end holds up no start and no join of other children. */
SCENARIO(threads_closing, join_holds_up_nobody)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct waiter waiter = { .process = start_function(engine, seven_after_latch, &latch) };
	pthread_t thread = start_thread(join_for_ever, &waiter);

	wait_thread_blocked(&waiter.thread_id);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(finish(start_program(engine, "true", NULL)), 0);
	check_int(pidring_process_is_alive(waiter.process), 1);
	check_int(pidring_process_join(waiter.process, 0), -ETIMEDOUT);
	latch_release(&latch);
	end_thread(thread);
	check_int(waiter.result, 0);
	check_int(finish(waiter.process), 7);
	latch_close(&latch);
	close_engine(engine);
}
