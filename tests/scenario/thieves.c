/* SPDX-License-Identifier: MIT */
/* Somebody else reaps the children: the code is right or known to be lost, and nothing hangs. */
#define _GNU_SOURCE
#include "expected_ends.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static bool kernel_remembers(struct pidring *engine)
{
	struct pidring_features features = { .size = sizeof(features) };

	check_int(pidring_features(engine, &features), 0);
	return features.exit_information;
}

/* --- what is asked of a stolen process --- */

/* The exit code is right, or lost if the kernel may have forgotten it. */
static void check_code(struct pidring *engine, struct pidring_process *process, int expected)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	int code = 12345;
	int result = pidring_process_exit_code(process, &code);

	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(record.pid, pidring_process_pid(process));
	check(record.reaper == PIDRING_REAPED_HERE || record.reaper == PIDRING_REAPED_ELSEWHERE ||
	      record.reaper == PIDRING_REAPED_UNKNOWN);
	check_int(record.known, record.reaper != PIDRING_REAPED_UNKNOWN);
	check_int(record.usage_known, record.reaper == PIDRING_REAPED_HERE);
	if (record.reaper == PIDRING_REAPED_UNKNOWN) {
		check(!kernel_remembers(engine));
		check_int(result, -ENODATA);
		return;
	}
	check_int(result, 0);
	check_int(code, expected);
	check_int(record.code, expected);
	if (expected < 0)
		check(WIFSIGNALED(record.wait_status) && WTERMSIG(record.wait_status) == -expected);
	else
		check(WIFEXITED(record.wait_status) && WEXITSTATUS(record.wait_status) == expected);
}

static void check_was_stolen(struct pidring_process *process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };

	check_int(pidring_process_exit_record(process, &record), 0);
	check(record.reaper != PIDRING_REAPED_HERE);
}

/* It has ended in every respect. */
static void check_over(struct pidring *engine, struct pidring_process *process, int expected)
{
	struct pidring_wait_item item = { .process = process };

	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_process_join(process, 0), 0);
	check_int(pidring_process_is_alive(process), 0);
	check_code(engine, process, expected);
	check_int(pidring_process_terminate(process), 0);
	check(strstr(describe(process), " started") == NULL);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_close(process), 0);
}

static void get_end_event(struct pidring *engine, struct pidring_process *process, int expected)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.process == process);
	if (event.unknown) {
		check(!kernel_remembers(engine));
		check_int(event.code, -ENODATA);
	} else {
		check_int(event.code, expected);
	}
}

/* --- the host reaps by pid --- */

static void steal(struct pidring_process *process)
{
	pid_t pid = pidring_process_pid(process);

	check_int(waitpid(pid, NULL, __WALL), pid);
}

static void check_stolen(struct pidring *engine, struct pidring_process *process, int expected)
{
	steal(process);
	check_over(engine, process, expected);
	pidring_process_free(process);
}

/* The host reaps a function with waitpid before anybody joins it. */
SCENARIO(thieves, function_reaped_by_the_host)
{
	struct pidring *engine = open_engine();
	int code = 42;

	check_stolen(engine, start_function(engine, return_argument, &code), 42);
	close_engine(engine);
}

/* The same for a program, an ended and a killed one. */
SCENARIO(thieves, program_reaped_by_the_host)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;

	check_stolen(engine, start_program(engine, "sh", "-c", "exit 43", NULL), 43);
	process = start_program(engine, "sleep", "1000", NULL);
	check_int(pidring_process_kill(process), 0);
	check_stolen(engine, process, -SIGKILL);
	close_engine(engine);
}

/* The record says that it was not the library that reaped. */
SCENARIO(thieves, record_names_the_thief)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_exit_record record = { .size = sizeof(record) };

	steal(process);
	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(record.reaper,
	          kernel_remembers(engine) ? PIDRING_REAPED_ELSEWHERE : PIDRING_REAPED_UNKNOWN);
	check(!record.usage_known);
	pidring_process_free(process);
	close_engine(engine);
}

/* Each way of asking finds out about the theft by itself. */
SCENARIO(thieves, every_call_finds_out)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[5];
	int code = 8;

	for (int i = 0; i < 5; i++) {
		processes[i] = start_function(engine, return_argument, &code);
		steal(processes[i]);
	}
	check_int(pidring_process_is_alive(processes[0]), 0);
	check_code(engine, processes[1], 8);
	check(strstr(describe(processes[2]), " stopped") != NULL || !kernel_remembers(engine));
	check_int(pidring_join_all(&processes[3], 1, PIDRING_FOREVER), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_close(processes[4]), 0);
	for (int i = 0; i < 5; i++)
		pidring_process_free(processes[i]);
	close_engine(engine);
}

static int nine_after_latch(void *latch)
{
	latch_wait(latch);
	return 9;
}

/* The event of a stolen child comes once, with the right code or the word that it is lost, whether it was
 * watched before the theft or not, and whether a call had seen the end. */
SCENARIO(thieves, event_of_a_stolen_child)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;

	for (int round = 0; round < 4; round++) {
		struct latch latch = latch_open();
		struct pidring_process *process = start_function(engine, nine_after_latch, &latch);

		if (round % 2 == 0)
			check_int(pidring_wait(engine, &event, 1, 0), 0);
		latch_release(&latch);
		steal(process);
		if (round >= 2)
			check_int(pidring_process_is_alive(process), 0);
		check_int(pidring_outstanding(engine), 1);
		get_end_event(engine, process, 9);
		check_int(pidring_wait(engine, &event, 1, 0), 0);
		check_int(pidring_outstanding(engine), 0);
		check_was_stolen(process);
		pidring_process_free(process);
		latch_close(&latch);
	}
	close_engine(engine);
}

/* After a theft the next start works and the next child is reaped as usual. */
SCENARIO(thieves, life_goes_on)
{
	struct pidring *engine = open_engine();
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct pidring_process *stolen = start_function(engine, return_zero, NULL);
	struct pidring_process *next;
	int code = 10;

	steal(stolen);
	next = start_function(engine, return_argument, &code);
	check_int(join_code(next), 10);
	check_int(pidring_process_exit_record(next, &record), 0);
	check_int(record.reaper, PIDRING_REAPED_HERE);
	check_over(engine, stolen, 0);
	pidring_process_free(stolen);
	pidring_process_free(next);
	close_engine(engine);
}

/* Looking with WNOWAIT steals nothing. */
SCENARIO(thieves, looking_is_no_theft)
{
	struct pidring *engine = open_engine();
	struct pidring_exit_record record = { .size = sizeof(record) };
	int code = 11;
	struct pidring_process *process = start_function(engine, return_argument, &code);
	siginfo_t information = { 0 };

	check_int(waitid(P_PID, (id_t)pidring_process_pid(process), &information, WEXITED | WNOWAIT | __WALL),
	          0);
	check_int(join_code(process), 11);
	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(record.reaper, PIDRING_REAPED_HERE);
	check(record.usage_known);
	pidring_process_free(process);
	close_engine(engine);
}

/* A detached child that the host reaps leaves nothing behind. */
SCENARIO(thieves, detached_child_is_stolen)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);
	pid_t pid = pidring_process_pid(process);
	struct pidring_event event;

	pidring_process_free(process);
	check_int(kill(pid, SIGKILL), 0);
	check_int(waitpid(pid, NULL, __WALL), pid);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	close_engine(engine);
	check_int(pidring_live_objects(), 0);
}

/* --- the kernel reaps --- */

static void ignore_children(void)
{
	check(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
}

static void forget_children(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	sigemptyset(&action.sa_mask);
	check_int(sigaction(SIGCHLD, &action, NULL), 0);
}

/* Functions, programs, asynchronous starts, failing starts and groups, joined and fetched, under whatever
 * reaps. */
static void live_under_a_thief(int rounds)
{
	struct pidring *engine = open_engine();
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const four[] = { "sh", "-c", "exit 4", NULL };

	for (int round = 0; round < rounds; round++) {
		struct pidring_process *function =
			start_function(engine, return_low_byte, (void *)(intptr_t)3);
		struct pidring_process *program;
		struct pidring_process *failing;

		get_end_event(engine, function, 3);
		check_over(engine, function, 3);
		program = start_process(engine, (struct pidring_options){ .argv = four });
		check_over(engine, program, 4);
		failing = new_process(engine, (struct pidring_options){ .argv = missing });
		check_int(pidring_process_start(failing), -ENOENT);
		check_int(pidring_process_start(failing), -ENOENT);
		check_int(pidring_active_children(NULL, 0), 0);
		pidring_process_free(function);
		pidring_process_free(program);
		pidring_process_free(failing);
	}
	close_engine(engine);
}

static void start_asynchronously_under_a_thief(void)
{
	struct pidring *engine = open_engine();
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const four[] = { "sh", "-c", "exit 4", NULL };
	struct pidring_event event;

	for (int round = 0; round < 10; round++) {
		struct pidring_process *process;

		process =
			start_process(engine, (struct pidring_options){ .argv = four, .asynchronous = true });
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_STARTED);
		get_end_event(engine, process, 4);
		check_over(engine, process, 4);
		pidring_process_free(process);
		process = start_process(engine,
		                        (struct pidring_options){ .argv = missing, .asynchronous = true });
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_START_FAILED);
		check_int(event.code, -ENOENT);
		get_end_event(engine, process, 127);
		pidring_process_free(process);
	}
	check_int(pidring_outstanding(engine), 0);
	close_engine(engine);
}

static void start_many_under_a_thief(void)
{
	enum { COUNT = 24 };
	struct pidring *engine = open_engine();
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const four[] = { "sh", "-c", "exit 4", NULL };
	struct pidring_process *processes[COUNT];
	int total = 0;

	for (int i = 0; i < COUNT; i++) {
		if (i % 3 == 0)
			processes[i] = new_process(engine, (struct pidring_options){ .argv = missing });
		else if (i % 3 == 1)
			processes[i] = new_process(engine, (struct pidring_options){ .argv = four });
		else
			processes[i] = new_function(engine, return_low_byte, (void *)(intptr_t)i);
	}
	check_int(pidring_start_many(processes, COUNT), COUNT - COUNT / 3);
	while (pidring_outstanding(engine) > 0) {
		struct pidring_event events[5];
		int count = pidring_wait(engine, events, 5, PIDRING_FOREVER);

		check(count >= 0);
		total += count;
	}
	check_int(total, COUNT - COUNT / 3);
	for (int i = 0; i < COUNT; i++) {
		if (i % 3 == 1)
			check_over(engine, processes[i], 4);
		else if (i % 3 == 2)
			check_over(engine, processes[i], i);
		pidring_process_free(processes[i]);
	}
	close_engine(engine);
}

/* SIGCHLD is ignored, so the kernel keeps no zombies: joins end, codes are right or lost. */
SCENARIO(thieves, sigchld_ignored)
{
	ignore_children();
	live_under_a_thief(10);
}

/* SIGCHLD is ignored: asynchronous starts. */
SCENARIO(thieves, sigchld_ignored_asynchronous)
{
	ignore_children();
	start_asynchronously_under_a_thief();
}

/* SIGCHLD is ignored: a group of starts, some of which fail. */
SCENARIO(thieves, sigchld_ignored_start_many)
{
	ignore_children();
	start_many_under_a_thief();
}

/* SIGCHLD is set to SA_NOCLDWAIT. */
SCENARIO(thieves, no_child_wait)
{
	forget_children();
	live_under_a_thief(10);
	start_asynchronously_under_a_thief();
	start_many_under_a_thief();
}

/* SIGCHLD becomes ignored while a child runs and another is a zombie. */
SCENARIO(thieves, sigchld_ignored_later)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *zombie = start_function(engine, return_low_byte, (void *)(intptr_t)5);
	struct pidring_process *running = start_function(engine, wait_for_latch, &latch);

	wait_ended(zombie);
	ignore_children();
	latch_release(&latch);
	check_int(pidring_process_join(running, PIDRING_FOREVER), 0);
	check_code(engine, running, 0);
	check_int(pidring_process_join(zombie, PIDRING_FOREVER), 0);
	check_code(engine, zombie, 5);
	pidring_process_free(running);
	pidring_process_free(zombie);
	latch_close(&latch);
	close_engine(engine);
}

/* --- the host has the usual handler --- */

static atomic_int handler_reaped;

static void reap_all(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		atomic_fetch_add(&handler_reaped, 1);
	errno = saved;
}

static void install_reaping_handler(void)
{
	struct sigaction action = { .sa_handler = reap_all, .sa_flags = SA_RESTART | SA_NOCLDSTOP };

	sigemptyset(&action.sa_mask);
	check_int(sigaction(SIGCHLD, &action, NULL), 0);
}

/* A handler for SIGCHLD that reaps everything races with the library: codes are right or lost, never wrong.
 */
SCENARIO(thieves, handler_reaps_everything)
{
	install_reaping_handler();
	live_under_a_thief(small_or_normal(5, 40));
}

/* The same for asynchronous starts. */
SCENARIO(thieves, handler_reaps_asynchronous_starts)
{
	install_reaping_handler();
	start_asynchronously_under_a_thief();
}

/* The same for groups. */
SCENARIO(thieves, handler_reaps_groups)
{
	install_reaping_handler();
	for (int round = 0; round < 3; round++)
		start_many_under_a_thief();
}

/* The handler gets there first, because the library is not called until it has. */
SCENARIO(thieves, handler_is_first)
{
	struct pidring *engine;
	struct pidring_process *process;

	install_reaping_handler();
	engine = open_engine();
	process = start_function(engine, return_low_byte, (void *)(intptr_t)77);
	wait_ended(process);
	while (atomic_load(&handler_reaped) == 0)
		sched_yield();
	check_was_stolen(process);
	check_over(engine, process, 77);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- threads that reap --- */

struct thief {
	atomic_bool stop;
	atomic_int stolen;
	struct latch *guard;
};

static void *steal_for_ever(void *argument)
{
	struct thief *thief = argument;

	while (!atomic_load(&thief->stop)) {
		if (waitpid(-1, NULL, __WALL) > 0)
			atomic_fetch_add(&thief->stolen, 1);
		else
			sched_yield();
	}
	return NULL;
}

static pthread_t start_thief(struct thief *thief)
{
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, steal_for_ever, thief), 0);
	return thread;
}

static void end_thief(struct thief *thief, pthread_t thread)
{
	atomic_store(&thief->stop, true);
	check_int(pthread_join(thread, NULL), 0);
}

/* A thread blocked in waitpid(-1) takes what it can while another starts, waits and joins. */
SCENARIO(thieves, thread_reaps_everything)
{
	struct thief thief = { 0 };
	pthread_t thread = start_thief(&thief);

	live_under_a_thief(small_or_normal(5, 40));
	start_asynchronously_under_a_thief();
	start_many_under_a_thief();
	end_thief(&thief, thread);
}

struct joiner {
	struct pidring_process *process;
	int result;
	atomic_int thread_id;
};

static void *join_for_ever(void *argument)
{
	struct joiner *joiner = argument;

	atomic_store(&joiner->thread_id, (int)syscall(SYS_gettid));
	joiner->result = pidring_process_join(joiner->process, PIDRING_FOREVER);
	return NULL;
}

/* A thread that already joins comes back when the host steals the child under it. */
SCENARIO(thieves, stolen_under_a_join)
{
	struct pidring *engine = open_engine();
	int rounds = small_or_normal(5, 50);

	for (int round = 0; round < rounds; round++) {
		struct latch latch = latch_open();
		struct joiner joiner = { .process = start_function(engine, wait_for_latch, &latch) };
		pid_t pid = pidring_process_pid(joiner.process);
		pthread_t thread;
		pid_t got;

		check_int(pthread_create(&thread, NULL, join_for_ever, &joiner), 0);
		while (atomic_load(&joiner.thread_id) == 0)
			sched_yield();
		latch_release(&latch);
		got = waitpid(pid, NULL, __WALL);
		check(got == pid || (got < 0 && errno == ECHILD));
		check_int(pthread_join(thread, NULL), 0);
		check_int(joiner.result, 0);
		check_over(engine, joiner.process, 0);
		pidring_process_free(joiner.process);
		latch_close(&latch);
	}
	close_engine(engine);
}

/* --- the exit function --- */

SUBPROGRAM(thieves_exit_ignoring)
{
	struct pidring *engine;

	ignore_children();
	engine = open_engine();
	start_process(engine, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
	start_function(engine, return_zero, NULL);
	start_program(engine, "true", NULL);
	return 21;
}

/* A program that ignores SIGCHLD ends its daemons and comes to its end. */
SCENARIO(thieves, exit_while_sigchld_is_ignored)
{
	check_int(run_subprogram("thieves_exit_ignoring", NULL, NULL), 21);
}

SUBPROGRAM(thieves_exit_after_theft)
{
	struct pidring *engine = open_engine();

	steal(start_function(engine, return_zero, NULL));
	steal(start_process(engine,
	                    (struct pidring_options){ .target = return_zero, .daemon = PIDRING_YES }));
	return 22;
}

/* A program whose children were stolen comes to its end. */
SCENARIO(thieves, exit_after_theft)
{
	check_int(run_subprogram("thieves_exit_after_theft", NULL, NULL), 22);
}

SUBPROGRAM(thieves_exit_with_handler)
{
	struct pidring *engine;

	install_reaping_handler();
	engine = open_engine();
	for (int i = 0; i < 10; i++)
		start_process(engine,
		              (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
	return 23;
}

/* A program whose handler reaps while the exit function joins comes to its end. */
SCENARIO(thieves, exit_with_handler)
{
	check_int(run_subprogram("thieves_exit_with_handler", NULL, NULL), 23);
}

static int exit_code_under_ignoring(void *argument)
{
	struct pidring *engine = argument;
	struct pidring_process *grandchild = start_function(engine, return_low_byte, (void *)(intptr_t)6);

	check(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	check_int(pidring_process_join(grandchild, PIDRING_FOREVER), 0);
	check_code(engine, grandchild, 6);
	start_function(engine, return_zero, NULL);
	return 24;
}

/* The same in a function child, whose exit function runs when the target is done. */
SCENARIO(thieves, function_child_ignores_sigchld)
{
	struct pidring *engine = open_engine();

	check_int(finish(start_function(engine, exit_code_under_ignoring, engine)), 24);
	close_engine(engine);
}
