/* SPDX-License-Identifier: MIT */
/* What it is worth that a server shares the caller's table of descriptors: starts through raw servers. */
#include "families.h"
#include "raw_server.h"

#include <errno.h>
#include <fcntl.h>

static int streams[3];

/* Low numbers, as the library sees to: so the part of the table that a child copies is small. */
static void set_up(const struct bench_row *row, enum bench_world world)
{
	(void)row;
	(void)world;
	raw_servers_open();
	for (int stream = 0; stream < 3; stream++) {
		streams[stream] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (streams[stream] < 0)
			bench_fail("opening /dev/null", errno);
	}
}

static void tear_down(enum bench_world world)
{
	(void)world;
	raw_servers_close();
}

/* Of the three times of an operation that the harness keeps. */
enum {
	TIME_TO_PIDFD = 0,
	TIME_TO_REAPED = 1,
};

static void measure(enum raw_server_kind kind, int64_t *ret_times)
{
	int64_t start = bench_now();
	int pidfd = raw_server_start(kind, streams);

	ret_times[TIME_TO_PIDFD] = bench_now() - start;
	raw_server_reap(pidfd);
	ret_times[TIME_TO_REAPED] = bench_now() - start;
}

static void measure_futex(int64_t *ret_times)
{
	measure(RAW_SERVER_FUTEX, ret_times);
}

static void measure_socket(int64_t *ret_times)
{
	measure(RAW_SERVER_SOCKET, ret_times);
}

static void measure_rights(int64_t *ret_times)
{
	measure(RAW_SERVER_RIGHTS, ret_times);
}

static const struct bench_contender contenders[] = {
	{ .name = "shared-futex", .measure_all = measure_futex, .world = BENCH_BARE },
	{ .name = "shared-socket", .measure_all = measure_socket, .world = BENCH_BARE },
	{ .name = "own-rights", .measure_all = measure_rights, .world = BENCH_BARE },
	{ 0 },
};

#define ROW(condition, row_measure, measure_name, row_title, row_rounds, ...)                       \
	{                                                                                           \
		.name = "table-" measure_name "-" condition, .title = row_title,                    \
		.together = "table-" condition, .measure = (row_measure), .contenders = contenders, \
		.baseline = "own-rights", .conditions = { __VA_ARGS__ }, .rounds = (row_rounds),    \
		.rehearsed = true, .grown_last = true, .set_up = set_up, .tear_down = tear_down     \
	}
#define ROWS(condition, row_title, row_rounds, ...)                                                       \
	ROW(condition, TIME_TO_PIDFD, "pidfd", "raw servers, until the caller has the pidfd, " row_title, \
	    row_rounds, __VA_ARGS__),                                                                     \
		ROW(condition, TIME_TO_REAPED, "reaped", "raw servers, start to reaped, " row_title,      \
	            row_rounds, __VA_ARGS__)

const struct bench_row table_rows[] = {
	ROWS("one-core", "one core", 1000, 1, 10, 0),
	ROWS("two-cores", "two cores", 1000, 2, 10, 0),
	ROWS("descriptors-one-core", "10,000 descriptors open, one core", 300, 1, 10000, 0),
	{ 0 },
};
