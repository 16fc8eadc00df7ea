/* SPDX-License-Identifier: MIT */
/* A pool leaves room for the host; and what a preload function makes is there, whoever bears the child. */
#define _GNU_SOURCE
#include "servers.h"

#include <sys/resource.h>

static void limit_descriptors(rlim_t soft)
{
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

SCENARIO(parked, leaves_room_for_descriptors)
{
	struct pidring *engine = NULL;
	struct pidring_engine_options options = { .size = sizeof(options), .parked = 33 };

	limit_descriptors(64);
	check_int(pidring_open(&engine, &options), -EMFILE);
	check_contains(pidring_explain(), "parked is 33");
	check(engine == NULL);
	options.parked = 32;
	check_int(pidring_open(&engine, &options), 0);
	close_engine(engine);
	options.parked = 33;
	options.descriptors = 66;
	check_int(pidring_open(&engine, &options), 0);
	close_engine(engine);
}

static int table;

static void make_table(void *argument)
{
	table = *(int *)argument;
}

static int return_table(void *unused __attribute__((unused)))
{
	return table;
}

SCENARIO(parked, preload_is_there_whoever_bears)
{
	int value = 23;
	struct pidring *engine = open_with((struct pidring_engine_options){
		.parked = 1, .preload = make_table, .preload_argument = &value });

	check_int(finish(start_served(engine, return_table, NULL, 0)), 23);
	check_int(finish(start_served(engine, return_table, NULL, 0)), 23);
	check_int(table, 0);
	close_engine(engine);
}

SCENARIO(parked, births_have_names)
{
	check_text(pidring_birth_name(PIDRING_BIRTH_PARKED), "parked");
	check_text(pidring_birth_name(PIDRING_BIRTH_FORKSERVER), "forkserver");
	check_text(pidring_birth_name(PIDRING_BIRTH_NONE), "none");
	check_text(pidring_birth_name((enum pidring_birth)99), "unknown");
}
