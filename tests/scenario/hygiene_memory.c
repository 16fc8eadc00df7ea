/* SPDX-License-Identifier: MIT */
/* Flat use of memory and descriptors: what is done very often leaves nothing behind. */
#define _GNU_SOURCE
#include "scenario.h"

#include <malloc.h>

/* --- what is measured --- */

struct use {
	int descriptors;
	size_t heap;
	int mappings;
	long resident; /* pages */
};

static int count_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	int count = 0;
	int character;

	check(file != NULL);
	while ((character = getc(file)) != EOF)
		count += character == '\n';
	fclose(file);
	return count;
}

static struct use measure(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	struct mallinfo2 heap = mallinfo2();
	struct use use;

	check(file != NULL);
	check_int(fscanf(file, "%*d %ld", &use.resident), 1);
	fclose(file);
	use.descriptors = count_descriptors();
	use.heap = heap.uordblks + heap.hblkhd;
	use.mappings = count_lines("/proc/self/maps");
	return use;
}

static void check_flat(const struct use *before)
{
	struct use after = measure();

	check_int(after.descriptors, before->descriptors);
	check_int(pidring_live_objects(), 0);
	if (is_small())
		return; /* what watches memory there, uses some itself */
	if (after.heap > before->heap + 16384)
		fail("the heap in use grew from %zu to %zu bytes", before->heap, after.heap);
	if (after.mappings > before->mappings + 4)
		fail("the mappings grew from %d to %d", before->mappings, after.mappings);
	if (after.resident > before->resident + 128)
		fail("the resident pages grew from %ld to %ld", before->resident, after.resident);
}

/* Does it a while until everything has been allocated once, measures, and does it often. */
static void check_cycles_are_flat(void (*cycle)(struct pidring *), int often)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	struct use before;

	for (int i = 0; i < 100; i++)
		cycle(engine);
	before = measure();
	for (int i = 0; i < often; i++)
		cycle(engine);
	/* An engine lets go of what it watched when it is next asked. */
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_flat(&before);
	close_engine(engine);
}

/* --- what is done --- */

static void function_cycle(struct pidring *engine)
{
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
}

/* 2,000 functions, joined. */
SCENARIO(hygiene_memory, flat_functions)
{
	check_cycles_are_flat(function_cycle, small_or_normal(50, 2000));
}

static void function_event_cycle(struct pidring *engine)
{
	struct pidring_event event;

	start_function(engine, return_zero, NULL);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	pidring_process_free(event.process);
}

/* 2,000 functions, fetched as events. */
SCENARIO(hygiene_memory, flat_events)
{
	check_cycles_are_flat(function_event_cycle, small_or_normal(50, 2000));
}

static void program_cycle(struct pidring *engine)
{
	check_int(finish(start_program(engine, "/bin/true", NULL)), 0);
}

/* 1,000 programs, joined. */
SCENARIO(hygiene_memory, flat_programs)
{
	check_cycles_are_flat(program_cycle, small_or_normal(20, 1000));
}

static void asynchronous_cycle(struct pidring *engine)
{
	const char *const argv[] = { "/bin/true", NULL };
	struct pidring_event event;

	start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	pidring_process_free(event.process);
}

/* 1,000 asynchronous starts. */
SCENARIO(hygiene_memory, flat_asynchronous)
{
	check_cycles_are_flat(asynchronous_cycle, small_or_normal(20, 1000));
}

static void asynchronous_burst(struct pidring *engine)
{
	const char *const argv[] = { "/bin/true", NULL };
	struct pidring_process *processes[8];

	for (int i = 0; i < 8; i++)
		processes[i] =
			start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	for (int i = 0; i < 8; i++)
		check_int(finish(processes[i]), 0);
}

/* Bursts of asynchronous starts whose events nobody fetches before the objects are freed. */
SCENARIO(hygiene_memory, flat_asynchronous_bursts)
{
	check_cycles_are_flat(asynchronous_burst, small_or_normal(3, 120));
}

static void failing_cycle(struct pidring *engine)
{
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const absent[] = { "pidring-no-such-program", NULL };
	const char *const good[] = { "/bin/true", NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = missing });

	check_int(pidring_process_start(process), -ENOENT);
	pidring_process_free(process);
	process = new_process(engine, (struct pidring_options){ .argv = absent });
	check_int(pidring_process_start(process), -ENOENT);
	pidring_process_free(process);
	process = new_process(engine,
	                      (struct pidring_options){ .argv = good, .working_directory = "/nonexistent" });
	check_int(pidring_process_start(process), -ENOENT);
	pidring_process_free(process);
	process = new_process(engine, (struct pidring_options){ .argv = missing, .asynchronous = true });
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 127);
}

/* 1,000 failing starts of each kind. */
SCENARIO(hygiene_memory, flat_failing_starts)
{
	check_cycles_are_flat(failing_cycle, small_or_normal(10, 1000));
}

static void construct_cycle(struct pidring *engine)
{
	const char *const argv[] = { "program", "with", "arguments", NULL };
	const char *const extra[] = { "A=b", "C", NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){
								      .argv = argv,
								      .name = "a name",
								      .extra_environment = extra,
								      .working_directory = "/tmp",
							      });

	check_int(pidring_process_set_name(process, "another name"), 0);
	check_int(pidring_process_set_authkey(process, "key", 3), 0);
	pidring_process_free(process);
}

/* 20,000 objects that are never started. */
SCENARIO(hygiene_memory, flat_constructions)
{
	check_cycles_are_flat(construct_cycle, small_or_normal(500, 20000));
}

static void detach_cycle(struct pidring *engine)
{
	int ends[2];

	open_pipe(ends);
	pidring_process_free(start_process(engine, (struct pidring_options){
							   .target = return_zero,
							   .stdout_to = PIDRING_STREAM_DESCRIPTOR,
							   .stdout_descriptor = ends[1],
						   }));
	close(ends[1]);
	check_text(read_all(ends[0]), "");
	close(ends[0]);
	while (!has_no_children())
		pidring_active_children(NULL, 0);
}

/* 500 children whose objects are freed while they run. */
SCENARIO(hygiene_memory, flat_detached)
{
	check_cycles_are_flat(detach_cycle, small_or_normal(10, 500));
}

static void engine_cycle(struct pidring *outer)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;

	(void)outer;
	check(pidring_fd(engine) >= 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	close_engine(engine);
	pidring_process_free(process);
}

/* 500 engines, opened, used and closed. */
SCENARIO(hygiene_memory, flat_engines)
{
	check_cycles_are_flat(engine_cycle, small_or_normal(20, 500));
}

static void unused_descriptor_cycle(struct pidring *engine)
{
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;

	/* Watched, then freed with the event pending. */
	check(pidring_wait(engine, &event, 1, 0) >= 0);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	pidring_process_free(process);
}

/* 1,000 children that were watched and freed before their event was fetched. */
SCENARIO(hygiene_memory, flat_dropped_events)
{
	check_cycles_are_flat(unused_descriptor_cycle, small_or_normal(20, 1000));
}
