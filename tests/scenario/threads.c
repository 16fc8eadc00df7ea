/* SPDX-License-Identifier: MIT */
/* Many threads in one process: what they may do at the same time, and what outlives them. */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

enum { CREW = 8, MOST_CREW = 32 };

/* --- threads --- */

static pthread_t start_thread(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, function, argument), 0);
	return thread;
}

static void end_thread(pthread_t thread)
{
	check_int(pthread_join(thread, NULL), 0);
}

/* Each of `count` threads gets the same argument. */
static void run_crew(int count, void *(*function)(void *), void *argument)
{
	pthread_t crew[MOST_CREW];

	check(count <= MOST_CREW);
	for (int i = 0; i < count; i++)
		crew[i] = start_thread(function, argument);
	for (int i = 0; i < count; i++)
		end_thread(crew[i]);
}

static pid_t own_thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static bool own_thread_exists(pid_t thread_id)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)thread_id);
	return access(path, F_OK) == 0;
}

/* pthread_join returns a little before the kernel has let go of the thread, and with it sent death signals
 * and cancelled requests. */
static void wait_thread_gone(pid_t thread_id)
{
	while (own_thread_exists(thread_id))
		sched_yield();
}

static bool is_waiting_call(long number)
{
	static const long calls[] = {
		SYS_ppoll,      SYS_epoll_pwait, SYS_epoll_pwait2, SYS_io_uring_enter, SYS_waitid, SYS_futex,
#ifdef SYS_poll
		SYS_poll,
#endif
#ifdef SYS_epoll_wait
		SYS_epoll_wait,
#endif
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == number)
			return true;
	return false;
}

/* Until the thread, whose id comes through `thread_id`, is blocked in a call that waits. */
static void wait_thread_blocked(atomic_int *thread_id)
{
	char path[64];
	char text[64];

	while (atomic_load(thread_id) == 0)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", atomic_load(thread_id));
	for (;;) {
		int descriptor = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t length;

		if (descriptor < 0 && own_thread_exists(atomic_load(thread_id)))
			skip("the kernel does not tell what a thread is blocked in");
		if (descriptor < 0)
			fail("the thread has ended instead of waiting");
		length = read(descriptor, text, sizeof(text) - 1);
		close(descriptor);
		if (length > 0) {
			text[length] = '\0';
			if (text[0] >= '0' && text[0] <= '9' && is_waiting_call(strtol(text, NULL, 10)))
				return;
		}
		sched_yield();
	}
}

/* --- construction --- */

enum { PER_THREAD = 200 };

struct construction {
	struct pidring *engine;
	atomic_bool seen[CREW * PER_THREAD + 1];
};

static void *construct_many(void *argument)
{
	struct construction *shared = argument;

	for (int i = 0; i < PER_THREAD; i++) {
		struct pidring_process *process = new_function(shared->engine, return_zero, NULL);
		unsigned number = 0;

		check_int(pidring_process_identity(process, &number, 1), 1);
		check(number >= 1 && number <= CREW * PER_THREAD);
		check(!atomic_exchange(&shared->seen[number], true));
		pidring_process_free(process);
	}
	return NULL;
}

/* Threads that construct at the same time get different numbers, and none is left out. */
SCENARIO(threads, numbers_are_unique)
{
	static struct construction shared;

	shared.engine = open_engine();
	run_crew(CREW, construct_many, &shared);
	for (int i = 1; i <= CREW * PER_THREAD; i++)
		check(atomic_load(&shared.seen[i]));
	close_engine(shared.engine);
}

/* --- one child, many threads --- */

struct joining {
	struct pidring_process *process;
	struct pidring_exit_record records[16];
	atomic_int next;
	atomic_int arrived;
};

static void *join_and_record(void *argument)
{
	struct joining *shared = argument;
	struct pidring_exit_record *record = &shared->records[atomic_fetch_add(&shared->next, 1)];

	atomic_fetch_add(&shared->arrived, 1);
	check_int(join_code(shared->process), 7);
	record->size = sizeof(*record);
	check_int(pidring_process_exit_record(shared->process, record), 0);
	return NULL;
}

static int seven_after_latch(void *latch)
{
	latch_wait(latch);
	return 7;
}

static void check_same_records(const struct joining *shared, int count)
{
	for (int i = 0; i < count; i++) {
		const struct pidring_exit_record *record = &shared->records[i];

		check_int(record->reaper, PIDRING_REAPED_HERE);
		check(record->known);
		check(record->usage_known);
		check_int(record->code, 7);
		check(WIFEXITED(record->wait_status));
		check_int(WEXITSTATUS(record->wait_status), 7);
		check_int(record->end_time, shared->records[0].end_time);
	}
}

/* All threads that join one process get the same record, and exactly one reap made it. */
SCENARIO(threads, all_joiners_get_the_same_record)
{
	enum { JOINERS = 16 };
	struct pidring *engine = open_engine();
	int rounds = small_or_normal(3, 30);

	for (int round = 0; round < rounds; round++) {
		struct latch latch = latch_open();
		struct joining shared = { 0 };
		pthread_t crew[JOINERS];

		shared.process = start_function(engine, seven_after_latch, &latch);
		for (int i = 0; i < JOINERS; i++)
			crew[i] = start_thread(join_and_record, &shared);
		while (atomic_load(&shared.arrived) < JOINERS)
			sched_yield();
		latch_release(&latch);
		for (int i = 0; i < JOINERS; i++)
			end_thread(crew[i]);
		check_same_records(&shared, JOINERS);
		pidring_process_free(shared.process);
		latch_close(&latch);
	}
	close_engine(engine);
}

struct one_start {
	struct pidring_process *process;
	atomic_int started;
	atomic_int refused;
	atomic_int arrived;
};

static void *start_the_same(void *argument)
{
	struct one_start *shared = argument;
	int result;

	atomic_fetch_add(&shared->arrived, 1);
	while (atomic_load(&shared->arrived) < CREW)
		sched_yield();
	result = pidring_process_start(shared->process);
	if (result == 0)
		atomic_fetch_add(&shared->started, 1);
	else if (result == -EALREADY)
		atomic_fetch_add(&shared->refused, 1);
	else
		fail("start: %d", result);
	return NULL;
}

/* Of many threads that start one object, one succeeds and the others hear that it was started. */
SCENARIO(threads, one_object_is_started_once)
{
	struct pidring *engine = open_engine();
	const char *const program[] = { "true", NULL };

	for (int round = 0; round < 20; round++) {
		struct one_start shared = { 0 };

		shared.process = round % 2 == 0
		                         ? new_function(engine, return_zero, NULL)
		                         : new_process(engine, (struct pidring_options){ .argv = program });
		run_crew(CREW, start_the_same, &shared);
		check_int(atomic_load(&shared.started), 1);
		check_int(atomic_load(&shared.refused), CREW - 1);
		check_int(finish(shared.process), 0);
	}
	close_engine(engine);
}

/* --- everything at once --- */

struct bustle {
	struct pidring *engine;
	struct pidring_process *shared_child;
	int rounds;
	atomic_int next;
};

static void ask_everything(struct pidring_process *process)
{
	struct pidring_process *children[64];
	char text[256];

	check_int(pidring_process_is_alive(process), 1);
	check(pidring_process_pid(process) > 0);
	check(pidring_process_sentinel(process) >= 0);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check(pidring_process_describe(process, text, sizeof(text)) > 0);
	check(strstr(text, "started") != NULL);
	check(pidring_active_children(children, 64) >= 1);
}

static void *bustle_about(void *argument)
{
	struct bustle *shared = argument;
	int place = atomic_fetch_add(&shared->next, 1);
	const char *const program[] = { "sleep", "1000", NULL };

	for (int round = 0; round < shared->rounds; round++) {
		struct pidring_process *process;

		if ((place + round) % 2 == 0)
			process = start_function(shared->engine, sleep_forever, NULL);
		else
			process = start_process(shared->engine, (struct pidring_options){ .argv = program });
		ask_everything(process);
		ask_everything(shared->shared_child);
		check_int(pidring_process_terminate(process), 0);
		check_int(finish(process), -SIGTERM);
	}
	return NULL;
}

/* Threads start, ask, signal and join at the same time; each gets the code of its own child. */
SCENARIO(threads, everything_at_once)
{
	struct latch latch = latch_open();
	struct bustle shared = { .engine = open_engine(), .rounds = small_or_normal(3, 25) };

	shared.shared_child = start_function(shared.engine, seven_after_latch, &latch);
	run_crew(CREW, bustle_about, &shared);
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&latch);
	check_int(finish(shared.shared_child), 7);
	check_int(pidring_active_children(NULL, 0), 0);
	latch_close(&latch);
	close_engine(shared.engine);
}

/* --- a thread that starts and ends --- */

struct starter {
	struct pidring_process *process;
	pid_t thread_id;
};

static void *start_and_end(void *argument)
{
	struct starter *starter = argument;

	starter->thread_id = own_thread_id();
	check_int(pidring_process_start(starter->process), 0);
	return NULL;
}

static void start_in_a_passing_thread(struct pidring_process *process)
{
	struct starter starter = { .process = process };

	end_thread(start_thread(start_and_end, &starter));
	wait_thread_gone(starter.thread_id);
}

/* Any thread may join what another, which is gone, has started. */
SCENARIO(threads, starter_ends_and_another_joins)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = new_function(engine, seven_after_latch, &latch);

	start_in_a_passing_thread(process);
	check_int(pidring_process_is_alive(process), 1);
	latch_release(&latch);
	check_int(finish(process), 7);
	latch_close(&latch);
	close_engine(engine);
}

struct echo {
	int to_child[2];
	int from_child[2];
};

static struct echo open_echo(void)
{
	struct echo echo;

	open_pipe(echo.to_child);
	open_pipe(echo.from_child);
	return echo;
}

static void close_echo(struct echo *echo)
{
	close(echo->to_child[0]);
	close(echo->to_child[1]);
	close(echo->from_child[0]);
	close(echo->from_child[1]);
}

static int echo_forever(void *argument)
{
	struct echo *echo = argument;
	char byte;

	while (read(echo->to_child[0], &byte, 1) == 1)
		check_int(write(echo->from_child[1], &byte, 1), 1);
	return 0;
}

/* The child is there and nothing is on its way to end it. */
static void check_answers(struct echo *echo)
{
	char answer = 0;

	for (char byte = 'a'; byte <= 'e'; byte++) {
		struct pollfd entry = { .fd = echo->from_child[0], .events = POLLIN };

		check_int(write(echo->to_child[1], &byte, 1), 1);
		check_int(poll(&entry, 1, 30000), 1);
		check_int(read(echo->from_child[0], &answer, 1), 1);
		check_int(answer, byte);
	}
}

static void check_lives_without_its_thread(struct pidring_options options)
{
	struct pidring *engine = open_engine();
	struct echo echo = open_echo();
	struct pidring_process *process;

	if (options.argv == NULL) {
		options.target = echo_forever;
		options.argument = &echo;
	} else {
		options.stdin_to = PIDRING_STREAM_DESCRIPTOR;
		options.stdin_descriptor = echo.to_child[0];
		options.stdout_to = PIDRING_STREAM_DESCRIPTOR;
		options.stdout_descriptor = echo.from_child[1];
	}
	process = new_process(engine, options);
	start_in_a_passing_thread(process);
	check_answers(&echo);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_terminate(process), 0);
	check_int(finish(process), -SIGTERM);
	close_echo(&echo);
	close_engine(engine);
}

/* A daemon's death signal is tied to the process: it survives the thread that started it. */
SCENARIO(threads, daemon_function_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){ .daemon = PIDRING_YES });
}

/* The same for a program. */
SCENARIO(threads, daemon_program_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){
		.argv = (const char *const[]){ "cat", NULL },
		.daemon = PIDRING_YES,
	});
}

/* The same for an ordinary function with a death signal that cannot be missed. */
SCENARIO(threads, death_signal_function_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){ .death_signal = SIGKILL });
}

/* The same for an asynchronously started program. */
SCENARIO(threads, death_signal_program_survives_its_thread)
{
	check_lives_without_its_thread((struct pidring_options){
		.argv = (const char *const[]){ "cat", NULL },
		.death_signal = SIGKILL,
		.asynchronous = true,
	});
}

enum { GROUP = 100 };

struct group_start {
	struct pidring_process *processes[GROUP];
	pid_t thread_id;
};

/* Daemons of many passing threads all live, and all are found by the thread that ends them. */
SCENARIO(threads, many_passing_threads_start_daemons)
{
	enum { DAEMONS = 20 };
	struct pidring *engine = open_engine();
	struct pidring_process *daemons[DAEMONS];

	for (int i = 0; i < DAEMONS; i++) {
		daemons[i] = new_process(
			engine, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
		start_in_a_passing_thread(daemons[i]);
	}
	check_int(pidring_active_children(NULL, 0), DAEMONS);
	for (int i = 0; i < DAEMONS; i++)
		check_int(pidring_process_terminate(daemons[i]), 0);
	check_int(pidring_join_all(daemons, DAEMONS, PIDRING_FOREVER), 0);
	for (int i = 0; i < DAEMONS; i++)
		check_int(finish(daemons[i]), -SIGTERM);
	close_engine(engine);
}

static void *start_many_and_end(void *argument)
{
	struct group_start *group = argument;

	group->thread_id = own_thread_id();
	check_int(pidring_start_many(group->processes, GROUP), GROUP);
	return NULL;
}

/* Functions and programs, daemons and others, started together by a thread that ends: all live on. */
SCENARIO(threads, passing_thread_starts_many)
{
	struct pidring *engine = open_engine();
	const char *const program[] = { "sleep", "1000", NULL };
	struct group_start group;

	for (int i = 0; i < GROUP; i++) {
		struct pidring_options options = { .daemon = i % 2 == 0 ? PIDRING_YES : PIDRING_INHERITED };

		if (i % 3 == 0)
			options.target = sleep_forever;
		else
			options.argv = program;
		options.asynchronous = i % 3 == 1;
		group.processes[i] = new_process(engine, options);
	}
	end_thread(start_thread(start_many_and_end, &group));
	wait_thread_gone(group.thread_id);
	check_int(pidring_active_children(NULL, 0), GROUP);
	for (int i = 0; i < GROUP; i++)
		check_int(pidring_process_kill(group.processes[i]), 0);
	for (int i = 0; i < GROUP; i++)
		check_int(finish(group.processes[i]), -SIGKILL);
	close_engine(engine);
}

/* --- close and free beside other calls --- */

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
SCENARIO(threads, close_beside_signal_and_join)
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

struct waiter {
	struct pidring *engine;
	struct pidring_process *process;
	struct pidring_event event;
	int result;
	atomic_int thread_id;
};

static void *join_for_ever(void *argument)
{
	struct waiter *waiter = argument;

	atomic_store(&waiter->thread_id, own_thread_id());
	waiter->result = pidring_process_join(waiter->process, PIDRING_FOREVER);
	return NULL;
}

/* An object may be freed while another thread waits for it: the wait goes on to the end of the child. */
SCENARIO(threads, free_while_another_joins)
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
SCENARIO(threads, close_while_another_joins)
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
SCENARIO(threads, join_holds_up_nobody)
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

/* --- malloc and stdio in children of a threaded parent --- */

struct noise {
	atomic_bool stop;
	atomic_int running;
	FILE *sink;
};

static void *make_noise(void *argument)
{
	struct noise *noise = argument;
	unsigned turn = 0;

	atomic_fetch_add(&noise->running, 1);
	while (!atomic_load(&noise->stop)) {
		char *block = malloc(16 + turn % 5000);

		check(block != NULL);
		fprintf(noise->sink, "%u %p\n", turn, (void *)block);
		free(block);
		turn++;
	}
	return NULL;
}

/* The stream is the child's own: another thread of the parent may have been halfway through changing the
 * shared one, which no fork repairs. */
static int use_malloc_and_stdio(void *argument)
{
	FILE *sink = fopen("/dev/null", "we");
	char text[64];

	(void)argument;
	check(sink != NULL);
	for (unsigned i = 0; i < 50; i++) {
		char *block = malloc(10 + i * 100);
		void *bigger;

		check(block != NULL);
		snprintf(text, sizeof(text), "%u", i);
		strcpy(block, text);
		bigger = realloc(block, 20 + i * 200);
		check(bigger != NULL);
		check_text(bigger, text);
		free(bigger);
		fprintf(sink, "child %u\n", i);
	}
	check_int(fclose(sink), 0);
	return 5;
}

/* A sanitizer's allocator takes none of its locks for a fork. */
static void skip_if_malloc_is_a_sanitizers(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip("the sanitizer's malloc does not survive a fork among threads");
#endif
}

/* Function children of a parent whose threads are always inside malloc and stdio can use both. */
SCENARIO(threads, children_of_threads_in_malloc)
{
	struct pidring *engine = open_engine();
	struct noise noise = { .sink = fopen("/dev/null", "we") };
	int starts = small_or_normal(20, 400);
	pthread_t crew[3];

	skip_if_malloc_is_a_sanitizers();
	check(noise.sink != NULL);
	for (int i = 0; i < 3; i++)
		crew[i] = start_thread(make_noise, &noise);
	while (atomic_load(&noise.running) < 3)
		sched_yield();
	for (int i = 0; i < starts; i++)
		check_int(finish(start_function(engine, use_malloc_and_stdio, NULL)), 5);
	atomic_store(&noise.stop, true);
	for (int i = 0; i < 3; i++)
		end_thread(crew[i]);
	fclose(noise.sink);
	close_engine(engine);
}

static void *start_noisy_children(void *argument)
{
	struct bustle *shared = argument;

	for (int i = 0; i < shared->rounds; i++)
		check_int(finish(start_function(shared->engine, use_malloc_and_stdio, NULL)), 5);
	return NULL;
}

/* The same when the threads that start children are themselves many. */
SCENARIO(threads, children_of_starting_threads_use_malloc)
{
	struct bustle shared = { .engine = open_engine(), .rounds = small_or_normal(3, 60) };

	skip_if_malloc_is_a_sanitizers();
	run_crew(6, start_noisy_children, &shared);
	close_engine(shared.engine);
}

/* --- programs started by many threads do not hold each other's pipes --- */

static void *start_with_a_pipe(void *argument)
{
	struct bustle *shared = argument;
	int place = atomic_fetch_add(&shared->next, 1);

	for (int round = 0; round < shared->rounds; round++) {
		char text[32];
		char read_back[64];
		const char *const program[] = { "echo", text, NULL };
		struct pidring_process *process;
		int ends[2];
		size_t length = 0;
		ssize_t count;

		snprintf(text, sizeof(text), "%d.%d", place, round);
		open_pipe(ends);
		process = start_process(shared->engine, (struct pidring_options){
								.argv = program,
								.stdout_to = PIDRING_STREAM_DESCRIPTOR,
								.stdout_descriptor = ends[1],
							});
		close(ends[1]);
		while ((count = read(ends[0], read_back + length, sizeof(read_back) - 1 - length)) > 0)
			length += (size_t)count;
		check_int(count, 0);
		read_back[length] = '\0';
		close(ends[0]);
		strcat(text, "\n");
		check_text(read_back, text);
		check_int(finish(process), 0);
	}
	return NULL;
}

/* Each of many threads reads its own program's output to the end. */
SCENARIO(threads, programs_with_pipes)
{
	struct bustle shared = { .engine = open_engine(), .rounds = small_or_normal(3, 25) };

	run_crew(CREW, start_with_a_pipe, &shared);
	close_engine(shared.engine);
}

/* --- events and threads --- */

static void *wait_one_event(void *argument)
{
	struct waiter *waiter = argument;

	atomic_store(&waiter->thread_id, own_thread_id());
	waiter->result = pidring_wait(waiter->engine, &waiter->event, 1, PIDRING_FOREVER);
	return NULL;
}

static void check_event_of(const struct pidring_event *event, enum pidring_event_type type,
                           struct pidring_process *process)
{
	check_int(event->type, type);
	check(event->process == process);
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
SCENARIO(threads, waiter_gets_function_started_meanwhile)
{
	check_waiter_gets_the_end((struct pidring_options){ .target = return_zero });
}

/* The same for a program. */
SCENARIO(threads, waiter_gets_program_started_meanwhile)
{
	check_waiter_gets_the_end((struct pidring_options){ .argv = (const char *const[]){ "true", NULL } });
}

/* The same for an asynchronous start, whose first event is that it went well. */
SCENARIO(threads, waiter_gets_asynchronous_start_meanwhile)
{
	check_waiter_gets_the_end((struct pidring_options){
		.argv = (const char *const[]){ "true", NULL },
		.asynchronous = true,
	});
}

/* The same for an asynchronous start that fails. */
SCENARIO(threads, waiter_gets_failed_start_meanwhile)
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
SCENARIO(threads, two_waiters_are_refused)
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
SCENARIO(threads, close_during_wait_is_refused)
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
SCENARIO(threads, fetching_in_turn)
{
	struct turns turns = { .engine = open_engine(), .mutex = PTHREAD_MUTEX_INITIALIZER, .left = 60 };

	run_crew(4, start_and_fetch_in_turn, &turns);
	check_int(turns.left, 0);
	for (int i = 0; i < 60; i++)
		check_int(turns.fetched[i], 1);
	check_int(pidring_outstanding(turns.engine), 0);
	close_engine(turns.engine);
}

struct armer {
	struct pidring *engine;
	struct pidring_process *process;
	pid_t thread_id;
};

static void *start_look_and_end(void *argument)
{
	struct armer *armer = argument;
	struct pidring_event event;

	armer->thread_id = own_thread_id();
	if (armer->engine == NULL)
		armer->engine = open_engine();
	if (pidring_process_pid(armer->process) < 0 && armer->process != NULL)
		check_int(pidring_process_start(armer->process), 0);
	check(pidring_fd(armer->engine) >= 0);
	check_int(pidring_wait(armer->engine, &event, 1, 0), 0);
	return NULL;
}

/* What a thread watched is not lost with it: the next thread gets the event. */
SCENARIO(threads, watching_thread_ends)
{
	for (int round = 0; round < 10; round++) {
		struct latch latch = latch_open();
		struct armer armer = { .engine = open_engine() };
		struct pidring_event event;

		armer.process = new_function(armer.engine, seven_after_latch, &latch);
		end_thread(start_thread(start_look_and_end, &armer));
		if (round % 2 == 0)
			wait_thread_gone(armer.thread_id);
		latch_release(&latch);
		if (round % 3 == 0)
			wait_ended(armer.process);
		check_int(pidring_wait(armer.engine, &event, 1, PIDRING_FOREVER), 1);
		check_event_of(&event, PIDRING_EXITED, armer.process);
		check_int(event.code, 7);
		check_int(pidring_wait(armer.engine, &event, 1, 0), 0);
		check_int(finish(armer.process), 7);
		close_engine(armer.engine);
		latch_close(&latch);
	}
}

/* An engine opened by a thread that has ended serves the others, through its descriptor too. */
SCENARIO(threads, opening_thread_ends)
{
	struct armer armer = { 0 };
	struct pidring_process *process;
	struct pidring_event event;
	int count = 0;

	end_thread(start_thread(start_look_and_end, &armer));
	wait_thread_gone(armer.thread_id);
	process = start_function(armer.engine, return_zero, NULL);
	while (count == 0) {
		struct pollfd entry = { .fd = pidring_fd(armer.engine), .events = POLLIN };

		check_int(poll(&entry, 1, -1), 1);
		count = pidring_wait(armer.engine, &event, 1, 0);
		check(count >= 0);
	}
	check_event_of(&event, PIDRING_EXITED, process);
	check_int(finish(process), 0);
	close_engine(armer.engine);
}

/* A chain of threads, each of which arms one more child and ends; one thread then gets all the ends. */
SCENARIO(threads, many_watching_threads_end)
{
	enum { LINKS = 12 };
	struct latch latch = latch_open();
	struct armer armer = { .engine = open_engine() };
	struct pidring_process *processes[LINKS];
	struct pidring_event events[LINKS];
	int total = 0;

	for (int i = 0; i < LINKS; i++) {
		armer.process = processes[i] = new_function(armer.engine, wait_for_latch, &latch);
		end_thread(start_thread(start_look_and_end, &armer));
		wait_thread_gone(armer.thread_id);
	}
	for (int i = 0; i < LINKS; i++)
		latch_release(&latch);
	while (total < LINKS) {
		int count = pidring_wait(armer.engine, events, LINKS, PIDRING_FOREVER);

		check(count > 0);
		for (int i = 0; i < count; i++)
			check_int(events[i].type, PIDRING_EXITED);
		total += count;
	}
	check_int(total, LINKS);
	check_int(pidring_outstanding(armer.engine), 0);
	for (int i = 0; i < LINKS; i++)
		check_int(finish(processes[i]), 0);
	latch_close(&latch);
	close_engine(armer.engine);
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
SCENARIO(threads, loop_here_fetch_there)
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
SCENARIO(threads, descriptor_wakes_another_thread)
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

/* --- groups --- */

struct group {
	struct pidring_process *processes[20];
	int codes[20];
	atomic_int arrived;
};

static void *join_the_group(void *argument)
{
	struct group *group = argument;

	atomic_fetch_add(&group->arrived, 1);
	check_int(pidring_join_all(group->processes, 20, PIDRING_FOREVER), 0);
	for (int i = 0; i < 20; i++) {
		int code = -1;

		check_int(pidring_process_exit_code(group->processes[i], &code), 0);
		check_int(code, i);
	}
	return NULL;
}

struct numbered {
	struct latch latch;
	int code;
};

static int code_after_latch(void *argument)
{
	struct numbered *numbered = argument;

	latch_wait(&numbered->latch);
	return numbered->code;
}

/* Threads that join the same twenty children all get all twenty codes. */
SCENARIO(threads, join_all_in_many_threads)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct numbered numbered[20];
	struct group group = { 0 };
	pthread_t crew[4];

	for (int i = 0; i < 20; i++) {
		numbered[i] = (struct numbered){ .latch = latch, .code = i };
		group.processes[i] = start_function(engine, code_after_latch, &numbered[i]);
	}
	for (int i = 0; i < 4; i++)
		crew[i] = start_thread(join_the_group, &group);
	while (atomic_load(&group.arrived) < 4)
		sched_yield();
	for (int i = 0; i < 20; i++)
		latch_release(&latch);
	for (int i = 0; i < 4; i++)
		end_thread(crew[i]);
	for (int i = 0; i < 20; i++)
		pidring_process_free(group.processes[i]);
	latch_close(&latch);
	close_engine(engine);
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
SCENARIO(threads, an_engine_for_each)
{
	struct bustle shared = { .rounds = small_or_normal(3, 30) };

	run_crew(6, use_an_engine_alone, &shared);
}

static void *fail_a_call(void *argument)
{
	check_int(pidring_process_join(argument, 0), -ESRCH);
	check(strlen(pidring_explain()) > 0);
	return NULL;
}

/* An explanation belongs to the thread whose call failed. */
SCENARIO(threads, explanation_belongs_to_the_thread)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = new_function(engine, return_zero, NULL);

	check_text(pidring_explain(), "");
	end_thread(start_thread(fail_a_call, process));
	check_text(pidring_explain(), "");
	pidring_process_free(process);
	close_engine(engine);
}
