/* SPDX-License-Identifier: MIT */
/* Copies that the host makes of itself beside its threads, which are not there in them. */
#define _GNU_SOURCE
#include "copies.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* --- threads inside the library --- */

struct traffic {
	struct pidring *engine;
	struct pidring_process *idle;
	atomic_bool stop;
	atomic_int running;
};

static void *keep_calling(void *argument)
{
	struct traffic *traffic = argument;
	struct pidring_process *children[16];
	char text[256];

	atomic_fetch_add(&traffic->running, 1);
	while (!atomic_load(&traffic->stop)) {
		struct pidring_process *process = start_function(traffic->engine, return_zero, NULL);

		check(pidring_active_children(children, 16) >= 1);
		check(pidring_process_describe(traffic->idle, text, sizeof(text)) > 0);
		check_int(pidring_process_set_name(traffic->idle, "idle"), 0);
		check_int(finish(process), 0);
	}
	return NULL;
}

static void call_as_a_copy(void *argument)
{
	struct traffic *traffic = argument;
	struct pidring_process *process;

	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_is_alive(traffic->idle), -ECHILD);
	check_contains(describe(traffic->idle), " unknown");
	process = start_function(traffic->engine, return_zero, NULL);
	get_one_end(traffic->engine, process);
	check_int(finish(process), 0);
	check_int(finish(start_program(traffic->engine, "true", NULL)), 0);
}

/* Copies made while other threads are inside the library can use it: no lock of a thread that is not there is
 * held in them. */
SCENARIO(forks_threads, copy_while_threads_are_inside)
{
	struct traffic traffic = { .engine = open_engine() };
	int copies = small_or_normal(5, 60);
	pthread_t crew[3];

	traffic.idle = start_function(traffic.engine, sleep_forever, NULL);
	for (int i = 0; i < 3; i++)
		check_int(pthread_create(&crew[i], NULL, keep_calling, &traffic), 0);
	while (atomic_load(&traffic.running) < 3)
		sched_yield();
	for (int i = 0; i < copies; i++)
		run_in_copy(call_as_a_copy, &traffic);
	atomic_store(&traffic.stop, true);
	for (int i = 0; i < 3; i++)
		check_int(pthread_join(crew[i], NULL), 0);
	kill_and_free(traffic.idle);
	close_engine(traffic.engine);
}

struct waiting {
	struct pidring *engine;
	struct pidring_event event;
	atomic_int thread_id;
};

static void *wait_one_event(void *argument)
{
	struct waiting *waiting = argument;

	atomic_store(&waiting->thread_id, (int)syscall(SYS_gettid));
	check_int(pidring_wait(waiting->engine, &waiting->event, 1, PIDRING_FOREVER), 1);
	return NULL;
}

static bool is_asleep(int thread_id)
{
	char path[64];
	char text[512] = "";
	const char *after_name;
	int descriptor;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread_id);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	check(descriptor >= 0);
	check(read(descriptor, text, sizeof(text) - 1) > 0);
	close(descriptor);
	after_name = strrchr(text, ')');
	check(after_name != NULL);
	return after_name[2] == 'S';
}

static void use_while_the_original_waits(void *argument)
{
	struct waiting *waiting = argument;
	struct pidring_event event;

	check_int(pidring_wait(waiting->engine, &event, 1, 0), 0);
	get_one_end(waiting->engine, start_function(waiting->engine, return_zero, NULL));
	check_int(pidring_close(waiting->engine), 0);
}

/* A thread that waits in the original does not make the engine busy in a copy, where that thread is not. */
SCENARIO(forks_threads, copy_while_a_thread_waits)
{
	struct waiting waiting = { .engine = open_engine() };
	struct pidring_process *process;
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, wait_one_event, &waiting), 0);
	while (atomic_load(&waiting.thread_id) == 0 || !is_asleep(atomic_load(&waiting.thread_id)))
		sched_yield();
	run_in_copy(use_while_the_original_waits, &waiting);
	run_in_copy_made(BY_FORK_WITHOUT_HANDLERS, use_while_the_original_waits, &waiting);
	process = start_function(waiting.engine, return_zero, NULL);
	check_int(pthread_join(thread, NULL), 0);
	check(waiting.event.process == process);
	check_int(finish(process), 0);
	close_engine(waiting.engine);
}

/* --- a thread that the library keeps --- */

static void *start_a_daemon(void *argument)
{
	struct pidring_process *process = start_process(
		argument, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });

	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_terminate(process), 0);
	check_int(finish(process), -SIGTERM);
	return NULL;
}

static void start_a_daemon_in_a_thread(void *engine)
{
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, start_a_daemon, engine), 0);
	check_int(pthread_join(thread, NULL), 0);
}

static int start_a_daemon_in_a_thread_of_a_child(void *engine)
{
	start_a_daemon_in_a_thread(engine);
	return 0;
}

/* A thread that the library may keep for daemons is not there in a copy or a child: both can start daemons
 * from threads of theirs. */
SCENARIO(forks_threads, daemons_from_threads_of_a_copy)
{
	struct pidring *engine = open_engine();

	start_a_daemon_in_a_thread(engine);
	run_in_copy(start_a_daemon_in_a_thread, engine);
	check_int(finish(start_function(engine, start_a_daemon_in_a_thread_of_a_child, engine)), 0);
	start_a_daemon_in_a_thread(engine);
	close_engine(engine);
}
