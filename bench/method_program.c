/* SPDX-License-Identifier: MIT */
/* A program without libc that takes the time and ends, by every method that runs programs. */
#include "environment.h"
#include "families.h"
#include "library.h"
#include "method.h"
#include "other.h"

static const char baseline[] = "posix_spawn";
static char *arguments[2];

static void set_up(const struct bench_row *row, enum bench_world world)
{
	(void)row;
	arguments[0] = (char *)(uintptr_t)environment_program(PROGRAM_STAMP);
	method_open(world);
}

static void tear_down(enum bench_world world)
{
	method_close(world);
}

static pid_t start_posix_spawn(void)
{
	return other_posix_spawn(arguments);
}

static void measure_posix_spawn(int64_t *ret_times)
{
	method_measure_bare(start_posix_spawn, ret_times);
}

static pid_t start_vfork(void)
{
	return other_vfork(arguments);
}

static void measure_vfork(int64_t *ret_times)
{
	method_measure_bare(start_vfork, ret_times);
}

static pid_t start_fork(void)
{
	return other_fork(arguments);
}

static void measure_fork(int64_t *ret_times)
{
	method_measure_bare(start_fork, ret_times);
}

static void measure_birth(enum pidring_start_method method, bool asynchronous, enum pidring_birth birth,
                          int64_t *ret_times)
{
	method_measure_library(
		&(struct pidring_options){
			.size = sizeof(struct pidring_options),
			.argv = (const char *const *)arguments,
			.start_method = method,
			.asynchronous = asynchronous,
		},
		birth, ret_times);
}

static void measure_exec(int64_t *ret_times)
{
	measure_birth(PIDRING_EXEC, false, PIDRING_BIRTH_NONE, ret_times);
}

static void measure_asynchronous(int64_t *ret_times)
{
	measure_birth(PIDRING_EXEC, true, PIDRING_BIRTH_NONE, ret_times);
}

static void measure_server(int64_t *ret_times)
{
	measure_birth(PIDRING_FORKSERVER, false, PIDRING_BIRTH_FORKSERVER, ret_times);
}

static void measure_parked(int64_t *ret_times)
{
	measure_birth(PIDRING_FORKSERVER, false, PIDRING_BIRTH_PARKED, ret_times);
}

static void measure_parked_asynchronous(int64_t *ret_times)
{
	measure_birth(PIDRING_FORKSERVER, true, PIDRING_BIRTH_PARKED, ret_times);
}

static const struct bench_contender contenders[] = {
	{ .name = "posix_spawn", .measure_all = measure_posix_spawn, .world = BENCH_BARE },
	{ .name = "vfork", .measure_all = measure_vfork, .world = BENCH_BARE },
	{ .name = "fork", .measure_all = measure_fork, .world = BENCH_BARE },
	{ .name = "pidring-exec", .measure_all = measure_exec, .world = BENCH_LIBRARY },
	{ .name = "pidring-exec-async", .measure_all = measure_asynchronous, .world = BENCH_LIBRARY },
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
	{ 0 },
};

const struct bench_row method_program_rows[] = {
	METHOD_ALL_ROWS("program", "a program"),
	{ 0 },
};
