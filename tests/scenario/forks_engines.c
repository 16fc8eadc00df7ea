/* SPDX-License-Identifier: MIT */
/* Engines in copies of the host: an inherited one is new there, and whatever becomes of it leaves the original's alone. */
#define _GNU_SOURCE
#include "copies.h"

/* --- use --- */

static void use_inherited_engine(void *argument)
{
	struct original *original = argument;

	check_int(pidring_outstanding(original->engine), 0);
	start_all_kinds(original->engine);
	watch_by_descriptor(original->engine);
	check_int(pidring_close(original->engine), 0);
}

/* The engine that a copy inherits is a new one there, with every way of starting and watching. */
SCENARIO(forks_engines, inherited_engine_becomes_new)
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
SCENARIO(forks_engines, copy_opens_an_engine)
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
SCENARIO(forks_engines, copies_of_copies)
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
SCENARIO(forks_engines, pending_events_stay_with_the_original)
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
SCENARIO(forks_engines, copy_without_descriptors)
{
	struct original *original = make_original();

	run_in_copy(wait_without_descriptors, original->engine);
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
SCENARIO(forks_engines, copy_frees_and_closes)
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
SCENARIO(forks_engines, copy_reuses_descriptor_numbers)
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
SCENARIO(forks_engines, copy_lives_beside_the_original)
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
