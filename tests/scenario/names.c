/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

/* A given name is used; no name and an empty one mean the default. */
SCENARIO(names, given_or_made)
{
	struct pidring_process *given, *none, *empty;

	engine = open_engine();
	given = new_process(engine, (struct pidring_options){ .name = "Ada" });
	none = new_process(engine, (struct pidring_options){ .name = NULL });
	empty = new_process(engine, (struct pidring_options){ .name = "" });
	check_text(name_of(given), "Ada");
	check_text(name_of(none), "Process-2");
	check_text(name_of(empty), "Process-3");
	pidring_process_free(given);
	pidring_process_free(none);
	pidring_process_free(empty);
	close_engine(engine);
}

/* The type's name is in the default. */
SCENARIO(names, type_name_is_in_the_default)
{
	struct pidring_process *typed, *both;

	engine = open_engine();
	typed = new_process(engine, (struct pidring_options){ .type_name = "Worker" });
	both = new_process(engine, (struct pidring_options){ .type_name = "Worker", .name = "Ada" });
	check_text(name_of(typed), "Worker-1");
	check_text(name_of(both), "Ada");
	pidring_process_free(typed);
	pidring_process_free(both);
	close_engine(engine);
}

/* Names need not be unique. */
SCENARIO(names, may_be_the_same)
{
	struct pidring_process *first, *second;

	engine = open_engine();
	first = start_process(engine, (struct pidring_options){ .target = return_zero, .name = "twin" });
	second = start_process(engine, (struct pidring_options){ .target = return_zero, .name = "twin" });
	check_text(name_of(first), "twin");
	check_text(name_of(second), "twin");
	check_int(finish(first), 0);
	check_int(finish(second), 0);
	close_engine(engine);
}

static int check_own_name(void *expected)
{
	check_text(name_of(pidring_current_process()), expected);
	return 0;
}

/* A name can be set at any time; the child sees what was set before the start. */
SCENARIO(names, can_be_set_at_any_time)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, check_own_name, "before");
	check_int(pidring_process_set_name(process, "before"), 0);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_set_name(process, "running"), 0);
	check_text(name_of(process), "running");
	check_int(join_code(process), 0);
	check_int(pidring_process_set_name(process, "ended"), 0);
	check_text(name_of(process), "ended");
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_set_name(process, "closed"), 0);
	check_text(name_of(process), "closed");
	pidring_process_free(process);
	close_engine(engine);
}

/* The setter wants a text; an empty one is a name like any other there. */
SCENARIO(names, setter_wants_a_text)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_set_name(process, NULL), -EINVAL);
	check_text(name_of(process), "Process-1");
	check_int(pidring_process_set_name(process, ""), 0);
	check_text(name_of(process), "");
	pidring_process_free(process);
	close_engine(engine);
}

/* Renaming the current process does not change the names of its children. */
SCENARIO(names, do_not_follow_the_parents)
{
	struct pidring_process *process;

	engine = open_engine();
	check_int(pidring_process_set_name(pidring_current_process(), "Grace"), 0);
	check_text(name_of(pidring_current_process()), "Grace");
	process = new_function(engine, return_zero, NULL);
	check_text(name_of(process), "Process-1");
	pidring_process_free(process);
	close_engine(engine);
}

/* A name can be set to what it is already, also from the caller's copy of it. */
SCENARIO(names, set_to_the_same)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_set_name(process, name_of(process)), 0);
	check_text(name_of(process), "Process-1");
	pidring_process_free(process);
	close_engine(engine);
}

/* Long names are kept whole. */
SCENARIO(names, may_be_long)
{
	static char name[5001];
	struct pidring_process *process;

	memset(name, 'n', sizeof(name) - 1);
	engine = open_engine();
	process = start_process(
		engine, (struct pidring_options){ .target = check_own_name, .argument = name, .name = name });
	check_text(name_of(process), name);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* The buffer may be too short or missing: the length is told all the same. */
SCENARIO(names, buffer_may_be_short)
{
	struct pidring_process *current = pidring_current_process();
	char text[8] = "zzzzzzz";

	check_int(pidring_process_name(current, NULL, 0), 11);
	check_int(pidring_process_name(current, text, 5), 11);
	check_text(text, "Main");
	check_int(text[5], 'z');
	check_int(pidring_process_name(current, text, 1), 11);
	check_text(text, "");
	check_int(pidring_process_name(current, NULL, 9), -EINVAL);
}
