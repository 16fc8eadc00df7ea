/* SPDX-License-Identifier: MIT */
#include "method.h"

#include "library.h"
#include "moment.h"
#include "other.h"

/* More than one start takes, so that a pool is not empty while it is filled again. */
enum { PARKED = 16 };

void method_open(enum bench_world world)
{
	moment_open();
	if (world == BENCH_LIBRARY)
		(void)library_engine();
	else if (world == BENCH_SERVER)
		library_open_with_servers(1, 0);
	else if (world == BENCH_PARKED)
		library_open_with_servers(1, PARKED);
}

void method_close(enum bench_world world)
{
	if (world != BENCH_BARE)
		library_close();
}

void method_measure_bare(pid_t (*start)(void), int64_t *ret_times)
{
	int64_t begin = 0;
	pid_t pid = 0;

	moment_clear();
	begin = bench_now();
	pid = start();
	ret_times[METHOD_BLOCKED] = bench_now() - begin;
	other_reap(pid);
	ret_times[METHOD_REAPED] = bench_now() - begin;
	ret_times[METHOD_FIRST] = moment_taken() - begin;
}

void method_measure_library(const struct pidring_options *options, enum pidring_birth birth,
                            int64_t *ret_times)
{
	struct pidring_process *process = NULL;
	int64_t begin = 0;

	if (birth == PIDRING_BIRTH_PARKED)
		library_await_parked(1);
	moment_clear();
	begin = bench_now();
	process = library_new(options);
	library_start(process);
	ret_times[METHOD_BLOCKED] = bench_now() - begin;
	library_join(process);
	if (birth != PIDRING_BIRTH_NONE)
		library_check_birth(process, birth);
	library_finish(process, 0);
	ret_times[METHOD_REAPED] = bench_now() - begin;
	ret_times[METHOD_FIRST] = moment_taken() - begin;
}
