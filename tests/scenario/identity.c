/* SPDX-License-Identifier: MIT */
#include "scenario.h"

/* The main process has no numbers and is called MainProcess. */
SCENARIO(identity, main_process_has_none)
{
	unsigned numbers[4] = { 7, 7, 7, 7 };

	check_int(pidring_process_identity(pidring_current_process(), numbers, 4), 0);
	check_int(numbers[0], 7);
	check_text(name_of(pidring_current_process()), "MainProcess");
}

/* Children are numbered in the order of their construction. */
SCENARIO(identity, construction_counts)
{
	struct pidring *engine = open_engine();
	struct pidring_process *first = new_function(engine, return_zero, NULL);
	struct pidring_process *second = new_function(engine, return_zero, NULL);
	unsigned number = 0;

	check_int(pidring_process_start(second), 0);
	check_text(name_of(first), "Process-1");
	check_text(name_of(second), "Process-2");
	check_int(pidring_process_identity(second, &number, 1), 1);
	check_int(number, 2);
	check_int(finish(second), 0);
	pidring_process_free(first);
	close_engine(engine);
}

/* A process with a name of its own uses up a number too, and so does one that is never started. */
SCENARIO(identity, named_and_idle_ones_count)
{
	struct pidring *engine = open_engine();
	struct pidring_process *named = new_process(engine, (struct pidring_options){ .name = "Ada" });
	struct pidring_process *next = new_process(engine, (struct pidring_options){ .name = NULL });
	unsigned number = 0;

	check_int(pidring_process_identity(named, &number, 1), 1);
	check_int(number, 1);
	check_text(name_of(next), "Process-2");
	pidring_process_free(named);
	pidring_process_free(next);
	next = new_process(engine, (struct pidring_options){ .name = NULL });
	check_text(name_of(next), "Process-3");
	pidring_process_free(next);
	close_engine(engine);
}

/* A construction that fails uses up its number. */
SCENARIO(identity, failed_construction_counts)
{
	struct pidring *engine = open_engine();
	struct pidring_options bad = { .size = sizeof(bad), .daemon = 9 };
	struct pidring_process *process = NULL;

	check_int(pidring_process_new(&process, engine, &bad), -EINVAL);
	process = new_process(engine, (struct pidring_options){ .name = NULL });
	check_text(name_of(process), "Process-2");
	pidring_process_free(process);
	close_engine(engine);
}

/* All engines of a process share one counter. */
SCENARIO(identity, engines_share_the_counter)
{
	struct pidring *one = open_engine(), *other = open_engine();
	struct pidring_process *first = new_function(one, return_zero, NULL);
	struct pidring_process *second = new_function(other, return_zero, NULL);

	check_text(name_of(first), "Process-1");
	check_text(name_of(second), "Process-2");
	pidring_process_free(first);
	pidring_process_free(second);
	close_engine(one);
	close_engine(other);
}

static struct pidring *shared_engine;

static int name_own_children(void *unused)
{
	struct pidring_process *first = new_function(shared_engine, return_zero, NULL);
	struct pidring_process *second = new_function(shared_engine, return_zero, NULL);
	unsigned numbers[3] = { 0, 0, 77 };

	(void)unused;
	check_text(name_of(pidring_current_process()), "Process-3");
	check_text(name_of(first), "Process-3:1");
	check_text(name_of(second), "Process-3:2");
	check_int(pidring_process_identity(second, numbers, 3), 2);
	check_int(numbers[0], 3);
	check_int(numbers[1], 2);
	check_int(numbers[2], 77);
	return 0;
}

/* In a child the counter starts again, below the child's own identity. */
SCENARIO(identity, counter_restarts_in_a_child)
{
	struct pidring_process *idle[2], *child;

	shared_engine = open_engine();
	idle[0] = new_function(shared_engine, return_zero, NULL);
	idle[1] = new_function(shared_engine, return_zero, NULL);
	child = start_function(shared_engine, name_own_children, NULL);
	check_int(finish(child), 0);
	child = new_function(shared_engine, return_zero, NULL);
	check_text(name_of(child), "Process-4");
	pidring_process_free(child);
	pidring_process_free(idle[0]);
	pidring_process_free(idle[1]);
	close_engine(shared_engine);
}

static int look_with_little_room(void *unused)
{
	struct pidring_process *process = new_function(shared_engine, return_zero, NULL);
	unsigned numbers[2] = { 0, 55 };

	(void)unused;
	check_int(pidring_process_identity(process, NULL, 0), 2);
	check_int(pidring_process_identity(process, numbers, 1), 2);
	check_int(numbers[0], 1);
	check_int(numbers[1], 55);
	check_int(pidring_process_identity(process, NULL, 2), -EINVAL);
	return 0;
}

/* The length is told also when there is no room for all the numbers. */
SCENARIO(identity, room_may_be_short)
{
	shared_engine = open_engine();
	check_int(finish(start_function(shared_engine, look_with_little_room, NULL)), 0);
	close_engine(shared_engine);
}

/* The identity outlives the end and the closing. */
SCENARIO(identity, stays_after_close)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	unsigned number = 0;

	check_int(join_code(process), 0);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_identity(process, &number, 1), 1);
	check_int(number, 1);
	pidring_process_free(process);
	close_engine(engine);
}
