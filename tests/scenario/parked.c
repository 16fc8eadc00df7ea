/* SPDX-License-Identifier: MIT */
/* Children that are parked ahead of their start: how many there are, what is counted, and that closing ends them. */
#define _GNU_SOURCE
#include "servers.h"

/* A start takes a parked child and says so; elsewhere nothing is parked, and nothing missed. */
SCENARIO(parked, is_taken_where_it_can_be)
{
	struct pidring *engine = open_parked(2);
	struct pidring_process *process;

	wait_parked(engine, 2);
	check_int(features_of(engine).parked, serves(engine) ? 2 : 0);
	process = start_served(engine, return_zero, NULL, 0);
	check_int(pidring_process_birth(process),
	          serves(engine) ? PIDRING_BIRTH_PARKED : features_of(engine).forkserver_birth);
	check_int(finish(process), 0);
	check_int(statistics_of(engine).parked_starts, serves(engine) ? 1 : 0);
	check_int(statistics_of(engine).parked_misses, 0);
	close_engine(engine);
}

/* Each start takes one, and when fewer than the low mark are left they are filled up again. */
SCENARIO(parked, counts_down_and_is_refilled)
{
	struct pidring *engine = open_with((struct pidring_engine_options){ .parked = 8, .parked_low = 3 });

	need_server(engine);
	wait_parked(engine, 8);
	check_int(features_of(engine).parked, 8);
	for (unsigned left = 7; left >= 3; left--) {
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
		check_int(features_of(engine).parked, left);
	}
	check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	wait_parked(engine, 8);
	check_int(features_of(engine).parked, 8);
	check_int(statistics_of(engine).parked_starts, 6);
	check_int(statistics_of(engine).parked_misses, 0);
	close_engine(engine);
}

/* Half of them is the low mark unless another is given. */
SCENARIO(parked, half_is_low)
{
	struct pidring *engine = open_parked(6);

	need_server(engine);
	wait_parked(engine, 6);
	for (unsigned left = 5; left >= 3; left--) {
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
		check_int(features_of(engine).parked, left);
	}
	check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	wait_parked(engine, 6);
	close_engine(engine);
}

/* One is enough, and comes back. */
SCENARIO(parked, one)
{
	struct pidring *engine = open_parked(1);

	for (int i = 0; i < 20; i++) {
		struct pidring_process *process;

		wait_parked(engine, 1);
		process = start_served(engine, return_argument, &i, sizeof(i));
		if (serves(engine))
			check_int(pidring_process_birth(process), PIDRING_BIRTH_PARKED);
		check_int(finish(process), i);
	}
	check_int(statistics_of(engine).parked_starts, serves(engine) ? 20 : 0);
	close_engine(engine);
}

/* Whatever finds one or none: the figures add up. */
SCENARIO(parked, statistics_add_up)
{
	enum { COUNT = 200 };
	struct pidring *engine = open_parked(5);
	struct pidring_process *processes[COUNT];
	struct pidring_statistics statistics;
	uint64_t parked = 0, served = 0, programs = 0;

	for (int i = 0; i < COUNT; i++) {
		enum pidring_birth birth;

		if (i % 3 == 0)
			processes[i] = start_served_program(engine, (const char *[]){ "true", NULL });
		else
			processes[i] = start_served(engine, return_zero, NULL, 0);
		birth = pidring_process_birth(processes[i]);
		parked += birth == PIDRING_BIRTH_PARKED;
		served += birth == PIDRING_BIRTH_PARKED || birth == PIDRING_BIRTH_FORKSERVER;
		programs += birth < PIDRING_BIRTH_FORKSERVER;
	}
	for (int i = 0; i < COUNT; i++)
		check_int(finish(processes[i]), 0);
	statistics = statistics_of(engine);
	check_int(statistics.parked_starts, parked);
	check_int(statistics.server_starts, served);
	if (serves(engine)) {
		check_int(statistics.parked_misses, COUNT - parked);
		check(statistics.servers_made >= features_of(engine).servers);
	} else {
		check_int(served, 0);
		check_int(programs, COUNT);
	}
	close_engine(engine);
}

/* A restart keeps the figures, and parks again with the next start. */
SCENARIO(parked, restart)
{
	struct pidring *engine = open_parked(3);

	need_server(engine);
	for (int i = 1; i <= 3; i++) {
		wait_parked(engine, 2);
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
		check_int(statistics_of(engine).servers_made, (uint64_t)i);
		check_int(pidring_restart_forkserver(engine), 0);
		check_int(features_of(engine).parked, 0);
		check_int(find_servants("pidring-parked", NULL, 0), 0);
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	}
	check_int(statistics_of(engine).server_starts, 6);
	check_int(statistics_of(engine).servers_made, 4);
	close_engine(engine);
}

/* A hundred are ended and reaped by close, also while programs are being started; what was started goes on. */
SCENARIO(parked, close_with_a_hundred)
{
	enum { STARTED = 20 };
	int descriptors = count_descriptors();
	struct pidring *engine = open_parked(100);
	struct pidring_process *processes[STARTED], *function;

	wait_parked(engine, 100);
	function = start_served(engine, sleep_forever, NULL, 0);
	for (int i = 0; i < STARTED; i++)
		processes[i] = start_process(
			engine,
			(struct pidring_options){ .argv = (const char *[]){ "sh", "-c", "exit 5", NULL },
		                                  .asynchronous = true,
		                                  .start_method = PIDRING_FORKSERVER });
	close_engine(engine);
	check_int(find_servants("pidring-server", NULL, 0), 0);
	check_int(pidring_process_is_alive(function), 1);
	for (int i = 0; i < STARTED; i++)
		check_int(finish(processes[i]), 5);
	check_int(find_servants("pidring-parked", NULL, 0), 0);
	kill_and_free(function);
	check_int(count_descriptors(), descriptors);
}

/* Opened and closed again and again, waited for or not: nothing is left. */
SCENARIO(parked, open_and_close)
{
	int descriptors = count_descriptors();

	for (int i = 0; i < 60; i++) {
		struct pidring *engine = open_parked((unsigned)(1 + i % 20));

		if (i % 3 == 0)
			check_still_serves(engine);
		if (i % 3 == 1)
			wait_parked(engine, 1);
		close_engine(engine);
		check_int(count_descriptors(), descriptors);
		check(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	}
}

/* Two engines have servers and children of their own. */
SCENARIO(parked, two_engines)
{
	struct pidring *one = open_parked(3), *other = open_parked(5);

	wait_parked(one, 3);
	wait_parked(other, 5);
	check_still_serves(one);
	check_still_serves(other);
	close_engine(one);
	if (serves(other))
		check_int(features_of(other).parked, 4);
	check_still_serves(other);
	close_engine(other);
}

/* More than a process may have: those that come are there, and starts work all the same. */
SCENARIO(parked, does_not_hold_up_the_application)
{
	struct pidring *engine =
		open_with((struct pidring_engine_options){ .parked = 300, .descriptors = 2000 });

	for (int i = 0; i < 50; i++)
		check_int(finish(start_served(engine, return_argument, &i, sizeof(i))), i);
	close_engine(engine);
}
