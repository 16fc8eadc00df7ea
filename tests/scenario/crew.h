/* SPDX-License-Identifier: MIT */
/* Threads of a scenario, alone or as a crew: they are started and awaited, and one sees that another has gone or is
 * blocked. */
#ifndef PIDRING_TESTS_CREW_H
#define PIDRING_TESTS_CREW_H

#include "scenario.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CREW = 8 };

pthread_t start_thread(void *(*function)(void *), void *argument);
void end_thread(pthread_t thread);
/* Each of `count` threads gets the same argument. */
void run_crew(int count, void *(*function)(void *), void *argument);

pid_t own_thread_id(void);
/* pthread_join returns a little before the kernel has let go of the thread, and with it sent death signals
 * and cancelled requests. */
void wait_thread_gone(pid_t thread_id);
/* Until the thread, whose id comes through `thread_id`, is blocked in a call that waits. */
void wait_thread_blocked(atomic_int *thread_id);

/* What a crew starts children with. */
struct bustle {
	struct pidring *engine;
	struct pidring_process *shared_child;
	int rounds;
	atomic_int next;
};

/* A thread that waits, and what it got. */
struct waiter {
	struct pidring *engine;
	struct pidring_process *process;
	struct pidring_event event;
	int result;
	atomic_int thread_id;
};

#endif
