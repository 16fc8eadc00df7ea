/* SPDX-License-Identifier: MIT */
/* A function that takes the time and returns, by every method that runs functions. */
#include "families.h"
#include "library.h"
#include "method.h"
#include "moment.h"
#include "other.h"
#include "python.h"

static const char baseline[] = "fork";

static void set_up(const struct bench_row *row, enum bench_world world)
{
	if (world == BENCH_PYTHON)
		python_open(&row->conditions);
	else
		method_open(world);
}

static void tear_down(enum bench_world world)
{
	if (world == BENCH_PYTHON)
		python_close();
	else
		method_close(world);
}

static pid_t start_fork(void)
{
	return other_fork_call(moment_take, moment_argument());
}

static void measure_fork(int64_t *ret_times)
{
	method_measure_bare(start_fork, ret_times);
}

static void measure_library(int64_t *ret_times)
{
	method_measure_library(
		&(struct pidring_options){
			.size = sizeof(struct pidring_options),
			.target = moment_take,
			.argument = moment_argument(),
		},
		PIDRING_BIRTH_NONE, ret_times);
}

static void measure_server_birth(enum pidring_birth birth, bool asynchronous, int64_t *ret_times)
{
	method_measure_library(
		&(struct pidring_options){
			.size = sizeof(struct pidring_options),
			.target = moment_take,
			.argument = moment_argument(),
			.argument_length = moment_argument_length(),
			.start_method = PIDRING_FORKSERVER,
			.asynchronous = asynchronous,
		},
		birth, ret_times);
}

static void measure_server(int64_t *ret_times)
{
	measure_server_birth(PIDRING_BIRTH_FORKSERVER, false, ret_times);
}

static void measure_parked(int64_t *ret_times)
{
	measure_server_birth(PIDRING_BIRTH_PARKED, false, ret_times);
}

static void measure_parked_asynchronous(int64_t *ret_times)
{
	measure_server_birth(PIDRING_BIRTH_PARKED, true, ret_times);
}

static void measure_python_fork(int64_t *ret_times)
{
	python_measure(PYTHON_FORK, ret_times);
}

static void measure_python_server(int64_t *ret_times)
{
	python_measure(PYTHON_FORKSERVER, ret_times);
}

static const struct bench_contender contenders[] = {
	{ .name = "fork", .measure_all = measure_fork, .world = BENCH_BARE },
	{ .name = "pidring-fork", .measure_all = measure_library, .world = BENCH_LIBRARY },
	{ .name = "pidring-forkserver",
	  .measure_all = measure_server,
	  .world = BENCH_SERVER,
	  .missing = library_servers_missing },
	{ .name = "pidring-parked",
	  .measure_all = measure_parked,
	  .world = BENCH_PARKED,
	  .missing = library_servers_missing },
	{ .name = "pidring-parked-async",
	  .measure_all = measure_parked_asynchronous,
	  .world = BENCH_PARKED,
	  .missing = library_servers_missing },
	{ .name = "python-fork",
	  .measure_all = measure_python_fork,
	  .world = BENCH_PYTHON,
	  .missing = python_missing },
	{ .name = "python-forkserver",
	  .measure_all = measure_python_server,
	  .world = BENCH_PYTHON,
	  .missing = python_missing },
	{ 0 },
};

const struct bench_row method_function_rows[] = {
	METHOD_ALL_ROWS("function", "a function"),
	{ 0 },
};
