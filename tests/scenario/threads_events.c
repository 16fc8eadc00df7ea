/* SPDX-License-Identifier: MIT */
/* An engine's events among threads: who waits for them, who fetches them, and who is refused meanwhile. */
#define _GNU_SOURCE
#include "crew.h"
#include "expected_ends.h"

#include <sys/epoll.h>

static void *wait_one_event(void *argument)
{
	struct waiter *waiter = argument;

	atomic_store(&waiter->thread_id, own_thread_id());
	waiter->result = pidring_wait(waiter->engine, &waiter->event, 1, PIDRING_FOREVER);
	return NULL;
}

static void check_waiter_gets_the_end(struct pidring_options options)
{
	struct waiter waiter = { .engine = open_engine() };
	pthread_t thread = start_thread(wait_one_event, &waiter);
	struct pidring_process *process;

	wait_thread_blocked(&waiter.thread_id);
	process = start_process(waiter.engine, options);
	end_thread(thread);
	check_int(waiter.result, 1);
	if (options.asynchronous) {
		check_event_of(&waiter.event, PIDRING_STARTED, process);
		check_int(pidring_wait(waiter.engine, &waiter.event, 1, PIDRING_FOREVER), 1);
	}
	check_event_of(&waiter.event, PIDRING_EXITED, process);
	check_int(waiter.event.code, 0);
	check_int(finish(process), 0);
	close_engine(waiter.engine);
}

/* A thread that waits on an empty engine gets the end of a function that another thread starts meanwhile. */
SCENARIO(threads_events, waiter_gets_function_started_meanwhile)
{
	check_waiter_gets_the_end((struct pidring_options){ .target = return_zero });
}

/* The same for a program. */
SCENARIO(threads_events, waiter_gets_program_started_meanwhile)
{
	check_waiter_gets_the_end((struct pidring_options){ .argv = (const char *const[]){ "true", NULL } });
}

/* The same for an asynchronous start, whose first event is that it went well. */
SCENARIO(threads_events, waiter_gets_asynchronous_start_meanwhile)
{
	check_waiter_gets_the_end((struct pidring_options){
		.argv = (const char *const[]){ "true", NULL },
		.asynchronous = true,
	});
}

/* The same for an asynchronous start that fails. */
SCENARIO(threads_events, waiter_gets_failed_start_meanwhile)
{
	struct waiter waiter = { .engine = open_engine() };
	pthread_t thread = start_thread(wait_one_event, &waiter);
	const char *const program[] = { "/nonexistent/program", NULL };
	struct pidring_process *process;

	wait_thread_blocked(&waiter.thread_id);
	process = start_process(waiter.engine,
	                        (struct pidring_options){ .argv = program, .asynchronous = true });
	end_thread(thread);
	check_int(waiter.result, 1);
	check_event_of(&waiter.event, PIDRING_START_FAILED, process);
	check_int(waiter.event.code, -ENOENT);
	check_int(pidring_wait(waiter.engine, &waiter.event, 1, PIDRING_FOREVER), 1);
	check_event_of(&waiter.event, PIDRING_EXITED, process);
	check_int(waiter.event.code, 127);
	pidring_process_free(process);
	close_engine(waiter.engine);
}

/* A second thread in pidring_wait is refused, also one that only looks. */
SCENARIO(threads_events, two_waiters_are_refused)
{
	struct waiter waiter = { .engine = open_engine() };
	pthread_t thread = start_thread(wait_one_event, &waiter);
	struct pidring_event event;
	struct pidring_process *process;

	wait_thread_blocked(&waiter.thread_id);
	check_int(pidring_wait(waiter.engine, &event, 1, 0), -EBUSY);
	check_int(pidring_wait(waiter.engine, &event, 1, PIDRING_FOREVER), -EBUSY);
	check_int(pidring_wait_interruptible(waiter.engine, &event, 1, 0, NULL), -EBUSY);
	process = start_function(waiter.engine, return_zero, NULL);
	end_thread(thread);
	check_int(waiter.result, 1);
	check_int(finish(process), 0);
	close_engine(waiter.engine);
}

/* An engine that another thread waits on cannot be closed, and is as before. */
SCENARIO(threads_events, close_during_wait_is_refused)
{
	struct waiter waiter = { .engine = open_engine() };
	pthread_t thread = start_thread(wait_one_event, &waiter);
	struct pidring_process *process;

	wait_thread_blocked(&waiter.thread_id);
	check_int(pidring_close(waiter.engine), -EBUSY);
	process = start_function(waiter.engine, return_zero, NULL);
	end_thread(thread);
	check_int(waiter.result, 1);
	check_event_of(&waiter.event, PIDRING_EXITED, process);
	check_int(finish(process), 0);
	close_engine(waiter.engine);
}

struct turns {
	struct pidring *engine;
	pthread_mutex_t mutex;
	int fetched[60];
	int left;
	int starts;
};

static void fetch_one_in_turn(struct turns *turns)
{
	struct pidring_event event;

	check_int(pthread_mutex_lock(&turns->mutex), 0);
	if (turns->left > 0) {
		check_int(pidring_wait(turns->engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_EXITED);
		check(event.user_data >= (void *)&turns->fetched[0]);
		++*(int *)event.user_data;
		turns->left--;
		pidring_process_free(event.process);
	}
	check_int(pthread_mutex_unlock(&turns->mutex), 0);
}

static void *start_and_fetch_in_turn(void *argument)
{
	struct turns *turns = argument;

	for (int i = 0; i < 15; i++) {
		int place;

		check_int(pthread_mutex_lock(&turns->mutex), 0);
		place = turns->starts++;
		check_int(pthread_mutex_unlock(&turns->mutex), 0);
		start_process(turns->engine, (struct pidring_options){ .target = return_zero,
		                                                       .user_data = &turns->fetched[place] });
		fetch_one_in_turn(turns);
	}
	return NULL;
}

/* Threads that take turns at fetching get each event once, whoever started the child. */
SCENARIO(threads_events, fetching_in_turn)
{
	struct turns turns = { .engine = open_engine(), .mutex = PTHREAD_MUTEX_INITIALIZER, .left = 60 };

	run_crew(4, start_and_fetch_in_turn, &turns);
	check_int(turns.left, 0);
	for (int i = 0; i < 60; i++)
		check_int(turns.fetched[i], 1);
	check_int(pidring_outstanding(turns.engine), 0);
	close_engine(turns.engine);
}

static void *fetch_by_looking(void *argument)
{
	struct waiter *waiter = argument;

	waiter->result = pidring_wait(waiter->engine, &waiter->event, 1, 0);
	check(waiter->result >= 0);
	return NULL;
}

/* One thread has the descriptor in its loop for good; each event is fetched by another, new thread. The
 * descriptor goes on to work, and the turns leave nothing open. */
SCENARIO(threads_events, loop_here_fetch_there)
{
	struct waiter waiter = { .engine = open_engine() };
	struct epoll_event ready = { .events = EPOLLIN };
	int rounds = small_or_normal(5, 50);
	int loop = epoll_create1(EPOLL_CLOEXEC);
	int descriptors = 0;

	check(loop >= 0);
	check_int(epoll_ctl(loop, EPOLL_CTL_ADD, pidring_fd(waiter.engine), &ready), 0);
	for (int round = 0; round < rounds; round++) {
		struct latch latch = latch_open();
		struct pidring_process *process = start_function(waiter.engine, seven_after_latch, &latch);
		bool released = false;

		waiter.result = 0;
		while (waiter.result == 0) {
			/* When the engine changes hands the kernel may interrupt the thread that had it. */
			check(epoll_wait(loop, &ready, 1, released ? -1 : 0) >= 0 || errno == EINTR);
			end_thread(start_thread(fetch_by_looking, &waiter));
			if (!released)
				latch_release(&latch);
			released = true;
		}
		check_event_of(&waiter.event, PIDRING_EXITED, process);
		check_int(finish(process), 7);
		latch_close(&latch);
		if (round == 1)
			descriptors = count_descriptors();
	}
	check_int(count_descriptors(), descriptors);
	close(loop);
	close_engine(waiter.engine);
}

static void *poll_descriptor_of_engine(void *argument)
{
	struct waiter *waiter = argument;
	struct pollfd entry = { .fd = pidring_fd(waiter->engine), .events = POLLIN };

	atomic_store(&waiter->thread_id, own_thread_id());
	waiter->result = poll(&entry, 1, -1);
	return NULL;
}

/* One thread watches the engine's descriptor, another starts the child: the first wakes up. */
SCENARIO(threads_events, descriptor_wakes_another_thread)
{
	struct waiter waiter = { .engine = open_engine() };
	struct pidring_event event;
	struct pidring_process *process;
	pthread_t thread;

	/* At first it may be readable for work of the engine's own. */
	while (is_readable(pidring_fd(waiter.engine)))
		check_int(pidring_wait(waiter.engine, &event, 1, 0), 0);
	thread = start_thread(poll_descriptor_of_engine, &waiter);
	wait_thread_blocked(&waiter.thread_id);
	process = start_function(waiter.engine, return_zero, NULL);
	end_thread(thread);
	check_int(waiter.result, 1);
	check_int(pidring_wait(waiter.engine, &event, 1, PIDRING_FOREVER), 1);
	check_event_of(&event, PIDRING_EXITED, process);
	check_int(finish(process), 0);
	close_engine(waiter.engine);
}

static void *use_an_engine_alone(void *argument)
{
	struct bustle *shared = argument;
	struct pidring *engine = open_engine();

	for (int round = 0; round < shared->rounds; round++) {
		struct pidring_process *process = round % 2 == 0 ? start_function(engine, return_zero, NULL)
		                                                 : start_program(engine, "true", NULL);
		struct pidring_event event;

		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_event_of(&event, PIDRING_EXITED, process);
		check_int(finish(process), 0);
	}
	close_engine(engine);
	return NULL;
}

/* Each thread with an engine of its own gets the events of its own children only. */
SCENARIO(threads_events, an_engine_for_each)
{
	struct bustle shared = { .rounds = small_or_normal(3, 30) };

	run_crew(6, use_an_engine_alone, &shared);
}
