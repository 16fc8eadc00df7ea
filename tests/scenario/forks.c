/* SPDX-License-Identifier: MIT */
/* Copies that the host makes of itself with fork(): they keep the objects but not the children, and whatever
 * they do leaves the original alone. */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static int small_or(int small, int normal)
{
	return getenv("PIDRING_TEST_SMALL") != NULL ? small : normal;
}

/* --- copies --- */

enum copy_by { BY_FORK, BY_FORK_WITHOUT_HANDLERS, BY_SYSTEM_CALL };

static pid_t make_copy(enum copy_by by)
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

static void check_copy_ended_well(pid_t pid)
{
	int status = -1;

	check_int(waitpid(pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_int(WEXITSTATUS(status), 0);
}

/* Runs `body` in a copy, which must end with 0. */
static void run_in_copy_made(enum copy_by by, void (*body)(void *), void *argument)
{
	pid_t pid = make_copy(by);

	if (pid == 0) {
		body(argument);
		_exit(0);
	}
	check_copy_ended_well(pid);
}

static void run_in_copy(void (*body)(void *), void *argument)
{
	run_in_copy_made(BY_FORK, body, argument);
}

/* What most scenarios have: an engine with a running child and one that is not started. */
struct original {
	struct pidring *engine;
	struct latch latch;
	struct pidring_process *running;
	struct pidring_process *initial;
};

static int seven_after_latch(void *latch)
{
	latch_wait(latch);
	return 7;
}

static struct original *make_original(void)
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

static void end_original(struct original *original)
{
	check_undisturbed(original);
	pidring_process_free(original->running);
	pidring_process_free(original->initial);
	latch_close(&original->latch);
	close_engine(original->engine);
}

/* --- what a copy may ask --- */

static void ask_as_a_copy(void *argument)
{
	struct original *original = argument;
	int code = 0;

	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_start(original->initial), -ECHILD);
	check_int(pidring_process_start(original->running), -EALREADY);
	check_int(pidring_process_join(original->running, 0), -ECHILD);
	check_int(pidring_process_join(original->initial, PIDRING_FOREVER), -ECHILD);
	check_int(pidring_join_all(&original->running, 1, 0), -ECHILD);
	check_int(pidring_process_is_alive(original->running), -ECHILD);
	check_int(pidring_process_is_alive(original->initial), -ECHILD);
	check_int(pidring_process_exit_code(original->running, &code), -EAGAIN);
	check(pidring_process_pid(original->running) > 0);
	check_contains(describe(original->running), " unknown");
	check_text(name_of(original->running), "Process-1");
	check_int(pidring_process_parent_pid(original->running), getppid());
	check_int(pidring_process_close(original->running), -EBUSY);
}

/* A copy has no children, and may neither start nor join nor test the original's. */
SCENARIO(forks, copy_has_no_children)
{
	struct original *original = make_original();

	run_in_copy(ask_as_a_copy, original);
	end_original(original);
}

/* The same in copies of which no fork handler of libc's tells. */
SCENARIO(forks, copies_without_fork_handlers)
{
	struct original *original = make_original();

	run_in_copy_made(BY_FORK_WITHOUT_HANDLERS, ask_as_a_copy, original);
	run_in_copy_made(BY_SYSTEM_CALL, ask_as_a_copy, original);
	end_original(original);
}

static void check_family_of_copy(void *argument)
{
	struct pidring_process *current = pidring_current_process();

	check(current == argument);
	check_text(name_of(current), "MainProcess");
	check_int(pidring_process_identity(current, NULL, 0), 0);
	check_int(pidring_process_pid(current), getpid());
	check_int(pidring_process_is_alive(current), 1);
	check(pidring_parent_process() == NULL);
}

/* The current process of a copy is the original's object with the copy's pid; a parent it has none. */
SCENARIO(forks, family_of_a_copy)
{
	struct original *original = make_original();

	check_family_of_copy(pidring_current_process());
	run_in_copy(check_family_of_copy, pidring_current_process());
	run_in_copy_made(BY_SYSTEM_CALL, check_family_of_copy, pidring_current_process());
	end_original(original);
}

static void terminate_as_a_copy(void *argument)
{
	check_int(pidring_process_signal(argument, 0), 0);
	check_int(pidring_process_terminate(argument), 0);
}

/* A copy may terminate a process of the original's; only the original sees the end. */
SCENARIO(forks, copy_may_terminate)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);

	run_in_copy(terminate_as_a_copy, process);
	check_int(finish(process), -SIGTERM);
	close_engine(engine);
}

/* --- engines in copies --- */

static void get_one_end(struct pidring *engine, struct pidring_process *process)
{
	struct pidring_event event;
	int count = pidring_wait(engine, &event, 1, PIDRING_FOREVER);

	check_int(count, 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.process == process);
	check_int(event.code, 0);
}

static void start_all_kinds(struct pidring *engine)
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

static void watch_by_descriptor(struct pidring *engine)
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

static void use_inherited_engine(void *argument)
{
	struct original *original = argument;

	check_int(pidring_outstanding(original->engine), 0);
	start_all_kinds(original->engine);
	watch_by_descriptor(original->engine);
	check_int(pidring_close(original->engine), 0);
}

/* The engine that a copy inherits is a new one there, with every way of starting and watching. */
SCENARIO(forks, inherited_engine_becomes_new)
{
	struct original *original = make_original();
	struct pidring_event event;

	check(pidring_fd(original->engine) >= 0);
	check_int(pidring_wait(original->engine, &event, 1, 0), 0);
	run_in_copy(use_inherited_engine, original);
	run_in_copy_made(BY_FORK_WITHOUT_HANDLERS, use_inherited_engine, original);
	run_in_copy_made(BY_SYSTEM_CALL, use_inherited_engine, original);
	end_original(original);
}

static void use_own_engine(void *argument)
{
	struct pidring *engine = open_engine();

	(void)argument;
	start_all_kinds(engine);
	watch_by_descriptor(engine);
	close_engine(engine);
}

/* A copy can open an engine of its own and leave the inherited one alone. */
SCENARIO(forks, copy_opens_an_engine)
{
	struct original *original = make_original();

	run_in_copy(use_own_engine, NULL);
	end_original(original);
}

static void copy_again(void *argument)
{
	use_inherited_engine(argument);
	run_in_copy(use_own_engine, NULL);
}

static void copy_then_use(void *argument)
{
	run_in_copy(copy_again, argument);
	use_inherited_engine(argument);
}

/* Copies of copies behave as copies. */
SCENARIO(forks, copies_of_copies)
{
	struct original *original = make_original();

	run_in_copy(copy_then_use, original);
	end_original(original);
}

static void look_for_events(void *argument)
{
	struct pidring_event event;

	check_int(pidring_outstanding(argument), 0);
	check_int(pidring_wait(argument, &event, 1, 0), 0);
}

/* Events that were not fetched before the fork stay the original's. */
SCENARIO(forks, pending_events_stay_with_the_original)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, return_zero, NULL);

	wait_ended(process);
	run_in_copy(look_for_events, engine);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	run_in_copy(look_for_events, engine);
	check_int(pidring_outstanding(engine), 1);
	get_one_end(engine, process);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* --- the copy's end --- */

struct echo {
	int to_child[2];
	int from_child[2];
};

static int echo_forever(void *argument)
{
	struct echo *echo = argument;
	char byte;

	while (read(echo->to_child[0], &byte, 1) == 1)
		check_int(write(echo->from_child[1], &byte, 1), 1);
	return 0;
}

static void check_answers(struct echo *echo)
{
	char byte = 'x';

	check_int(write(echo->to_child[1], &byte, 1), 1);
	check_int(read(echo->from_child[0], &byte, 1), 1);
	check_int(byte, 'x');
}

static void report_finalizer(void *argument)
{
	latch_release(argument);
}

/* A copy that ends with exit() signals no daemon of the original's, waits for none of its children and runs
 * none of its finalizers. */
SCENARIO(forks, exit_of_a_copy_touches_nobody)
{
	struct pidring *engine = open_engine();
	struct latch finalized = latch_open();
	struct echo echo;
	struct pidring_process *daemon;
	struct pidring_process *ordinary;
	int64_t finalizer = pidring_add_finalizer(report_finalizer, &finalized, 10);
	pid_t copy;

	check(finalizer > 0);
	open_pipe(echo.to_child);
	open_pipe(echo.from_child);
	daemon = start_process(
		engine,
		(struct pidring_options){ .target = echo_forever, .argument = &echo, .daemon = PIDRING_YES });
	ordinary = start_function(engine, sleep_forever, NULL);
	for (enum copy_by by = BY_FORK; by <= BY_SYSTEM_CALL; by++) {
		copy = make_copy(by);
		if (copy == 0)
			exit(0);
		check_copy_ended_well(copy);
		check_answers(&echo);
		check_int(pidring_process_is_alive(daemon), 1);
		check_int(pidring_process_is_alive(ordinary), 1);
	}
	check(!is_readable(finalized.reader));
	check_int(pidring_cancel_finalizer(finalizer), 0);
	kill_and_free(ordinary);
	check_int(pidring_process_terminate(daemon), 0);
	check_int(finish(daemon), -SIGTERM);
	close(echo.to_child[0]);
	close(echo.to_child[1]);
	close(echo.from_child[0]);
	close(echo.from_child[1]);
	latch_close(&finalized);
	close_engine(engine);
}

static int report_when_done(void *argument)
{
	struct latch *latches = argument;

	latch_wait(&latches[0]);
	latch_release(&latches[1]);
	return 0;
}

/* A copy's own children are its own at its exit: daemons are terminated, the others waited for. */
SCENARIO(forks, exit_of_a_copy_ends_its_own_children)
{
	struct original *original = make_original();
	struct latch latches[2] = { latch_open(), latch_open() };
	int daemon_lives[2];
	char byte;
	pid_t copy;

	open_pipe(daemon_lives);
	copy = make_copy(BY_FORK);
	if (copy == 0) {
		start_process(original->engine,
		              (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
		start_function(original->engine, report_when_done, latches);
		latch_release(&latches[0]);
		exit(0);
	}
	check_copy_ended_well(copy);
	check(is_readable(latches[1].reader));
	close(daemon_lives[1]);
	check_int(read(daemon_lives[0], &byte, 1), 0);
	close(daemon_lives[0]);
	latch_close(&latches[0]);
	latch_close(&latches[1]);
	end_original(original);
}

/* --- the original's loop while the copy tears down --- */

static void free_everything(void *argument)
{
	struct original *original = argument;

	pidring_process_free(original->running);
	pidring_process_free(original->initial);
	check_int(pidring_live_objects(), 0);
	check_int(pidring_close(original->engine), 0);
}

static void close_engine_first(void *argument)
{
	struct original *original = argument;

	check_int(pidring_close(original->engine), 0);
	pidring_process_free(original->initial);
	pidring_process_free(original->running);
}

/* The original's loop goes on while copies free the objects and close the engine, before it was used there
 * and after. */
SCENARIO(forks, copy_frees_and_closes)
{
	struct original *original = make_original();
	struct pidring_event event;

	check(pidring_fd(original->engine) >= 0);
	check_int(pidring_wait(original->engine, &event, 1, 0), 0);
	run_in_copy(free_everything, original);
	run_in_copy(close_engine_first, original);
	run_in_copy_made(BY_SYSTEM_CALL, free_everything, original);
	end_original(original);
}

struct many {
	struct pidring *engine;
	struct pidring_process *processes[10];
};

static void free_and_start(void *argument)
{
	struct many *many = argument;

	for (int i = 0; i < 10; i++) {
		pidring_process_free(many->processes[i]);
		check_int(finish(start_function(many->engine, return_zero, NULL)), 0);
	}
}

/* Ten watched children: a copy frees each and starts another, which gets its descriptor number; the original
 * still hears of all ten. */
SCENARIO(forks, copy_reuses_descriptor_numbers)
{
	struct many many = { .engine = open_engine() };
	struct latch latch = latch_open();
	struct pidring_event events[10];
	int total = 0;

	for (int i = 0; i < 10; i++)
		many.processes[i] = start_function(many.engine, wait_for_latch, &latch);
	check_int(pidring_wait(many.engine, events, 10, 0), 0);
	run_in_copy(free_and_start, &many);
	check_int(pidring_active_children(NULL, 0), 10);
	for (int i = 0; i < 10; i++)
		latch_release(&latch);
	while (total < 10) {
		int count = pidring_wait(many.engine, events, 10, PIDRING_FOREVER);

		check(count > 0);
		total += count;
	}
	check_int(total, 10);
	for (int i = 0; i < 10; i++)
		check_int(finish(many.processes[i]), 0);
	latch_close(&latch);
	close_engine(many.engine);
}

/* A copy lives on while the original goes on starting, waiting and closing. */
SCENARIO(forks, copy_lives_beside_the_original)
{
	struct original *original = make_original();
	struct latch latch = latch_open();
	struct pidring_event event;
	pid_t copy;

	check_int(pidring_wait(original->engine, &event, 1, 0), 0);
	copy = make_copy(BY_FORK);
	if (copy == 0) {
		latch_wait(&latch);
		start_all_kinds(original->engine);
		_exit(0);
	}
	end_original(original);
	latch_release(&latch);
	check_copy_ended_well(copy);
	latch_close(&latch);
}

/* --- sentinels --- */

struct watch {
	struct pidring_process *watched;
	struct latch ready;
	struct latch released;
};

static int watch_inherited_sentinel(void *argument)
{
	struct watch *watch = argument;
	int sentinel = pidring_process_sentinel(watch->watched);
	struct pidring_wait_item item = { .process = watch->watched };

	check(sentinel >= 0);
	check(!is_readable(sentinel));
	check_int(pidring_wait_any(&item, 1, 0), 0);
	latch_release(&watch->ready);
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
	check(item.ready);
	check(is_readable(sentinel));
	return 0;
}

/* An inherited sentinel tells of the end in a copy and in siblings that are started later. */
SCENARIO(forks, inherited_sentinel)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct watch watch = { .ready = latch_open(), .released = latch_open() };
	struct pidring_process *sibling;
	pid_t copy;

	watch.watched = start_function(engine, seven_after_latch, &latch);
	sibling = start_function(engine, watch_inherited_sentinel, &watch);
	copy = make_copy(BY_FORK);
	if (copy == 0)
		_exit(watch_inherited_sentinel(&watch));
	latch_wait(&watch.ready);
	latch_wait(&watch.ready);
	latch_release(&latch);
	check_copy_ended_well(copy);
	check_int(finish(sibling), 0);
	check_int(finish(watch.watched), 7);
	latch_close(&latch);
	latch_close(&watch.ready);
	latch_close(&watch.released);
	close_engine(engine);
}

static void drop_two(void *argument)
{
	struct pidring_process **processes = argument;
	int sentinels[2];

	for (int i = 0; i < 2; i++)
		sentinels[i] = pidring_process_sentinel(processes[i]);
	check_int(pidring_drop_inherited(), 2);
	for (int i = 0; i < 2; i++) {
		check(!descriptor_is_open(sentinels[i]));
		check_int(pidring_process_sentinel(processes[i]), -EBADF);
		check_int(pidring_process_terminate(processes[i]), -EBADF);
		check_contains(describe(processes[i]), " closed");
	}
	check_int(pidring_drop_inherited(), 0);
	pidring_process_free(processes[0]);
	pidring_process_free(processes[1]);
	check_int(pidring_live_objects(), 0);
}

static int drop_two_as_a_child(void *argument)
{
	struct pidring_process **processes = argument;
	int before = count_descriptors();

	check_int(pidring_drop_inherited(), 2);
	check_int(count_descriptors(), before - 2);
	check_int(pidring_process_sentinel(processes[0]), -EBADF);
	check_int(pidring_process_sentinel(processes[1]), -EBADF);
	check_int(pidring_drop_inherited(), 0);
	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	return 0;
}

/* pidring_drop_inherited gives back what a copy or a child has inherited, and only that; in the original it
 * does nothing. */
SCENARIO(forks, drop_inherited)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[2] = { start_function(engine, sleep_forever, NULL),
		                                 start_program(engine, "sleep", "1000", NULL) };

	check_int(pidring_drop_inherited(), 0);
	run_in_copy(drop_two, processes);
	check_int(finish(start_function(engine, drop_two_as_a_child, processes)), 0);
	for (int i = 0; i < 2; i++) {
		check_int(pidring_process_is_alive(processes[i]), 1);
		kill_and_free(processes[i]);
	}
	close_engine(engine);
}

/* --- forks in function children --- */

struct in_child {
	struct pidring *engine;
	struct pidring_process *sibling;
};

static void check_copy_of_child(void *argument)
{
	struct in_child *in_child = argument;
	unsigned identity[2] = { 0, 0 };

	check_int(pidring_process_identity(pidring_current_process(), identity, 2), 1);
	check_int(identity[0], 2);
	check_int(pidring_process_pid(pidring_current_process()), getpid());
	check(pidring_parent_process() != NULL);
	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_join(in_child->sibling, 0), -ECHILD);
	start_all_kinds(in_child->engine);
}

static int copy_in_a_child(void *argument)
{
	struct in_child *in_child = argument;
	struct pidring_process *own = start_function(in_child->engine, sleep_forever, NULL);

	for (enum copy_by by = BY_FORK; by <= BY_SYSTEM_CALL; by++) {
		run_in_copy_made(by, check_copy_of_child, argument);
		check_int(pidring_process_is_alive(own), 1);
	}
	kill_and_free(own);
	return 3;
}

/* A function child may copy itself: the copy has the child's place in the family, but not its children. */
SCENARIO(forks, copy_of_a_function_child)
{
	struct pidring *engine = open_engine();
	struct in_child in_child = { .engine = engine };
	struct pidring_process *process;

	in_child.sibling = start_function(engine, sleep_forever, NULL);
	process = start_function(engine, copy_in_a_child, &in_child);
	check_int(finish(process), 3);
	kill_and_free(in_child.sibling);
	close_engine(engine);
}

static int end_in_two_processes(void *argument)
{
	pid_t copy = make_copy(BY_FORK);
	int status = -1;

	(void)argument;
	if (copy == 0)
		return 5;
	check_int(waitpid(copy, &status, 0), copy);
	check(WIFEXITED(status));
	check_int(WEXITSTATUS(status), 5);
	return 6;
}

/* A copy that returns from the target ends as the child would: with the target's result. */
SCENARIO(forks, copy_returns_from_the_target)
{
	struct pidring *engine = open_engine();

	check_int(finish(start_function(engine, end_in_two_processes, NULL)), 6);
	close_engine(engine);
}

/* --- forks beside threads --- */

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
SCENARIO(forks, copy_while_threads_are_inside)
{
	struct traffic traffic = { .engine = open_engine() };
	int copies = small_or(5, 60);
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
SCENARIO(forks, copy_while_a_thread_waits)
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

/* --- what has to be made anew in a copy --- */

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
SCENARIO(forks, daemons_from_threads_of_a_copy)
{
	struct pidring *engine = open_engine();

	start_a_daemon_in_a_thread(engine);
	run_in_copy(start_a_daemon_in_a_thread, engine);
	check_int(finish(start_function(engine, start_a_daemon_in_a_thread_of_a_child, engine)), 0);
	start_a_daemon_in_a_thread(engine);
	close_engine(engine);
}

static void wait_without_descriptors(void *argument)
{
	struct pidring *engine = argument;
	struct rlimit before;
	struct rlimit none;
	struct pidring_event event;

	check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	check_int(pidring_wait(engine, &event, 1, 0), -EMFILE);
	check_int(pidring_fd(engine), -EMFILE);
	check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
	start_all_kinds(engine);
	watch_by_descriptor(engine);
}

/* A copy that may open nothing is told so, and can use the engine as soon as it may. */
SCENARIO(forks, copy_without_descriptors)
{
	struct original *original = make_original();

	run_in_copy(wait_without_descriptors, original->engine);
	end_original(original);
}
