/* SPDX-License-Identifier: MIT */
/* What it is worth that a server shares the caller's table of descriptors: start to reaped through raw servers. */
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

static int64_t measure(enum raw_server_kind kind)
{
	int64_t start = bench_now();

	raw_server_reap(raw_server_start(kind, streams));
	return bench_now() - start;
}

static int64_t measure_futex(void)
{
	return measure(RAW_SERVER_FUTEX);
}

static int64_t measure_socket(void)
{
	return measure(RAW_SERVER_SOCKET);
}

static int64_t measure_rights(void)
{
	return measure(RAW_SERVER_RIGHTS);
}

static const struct bench_contender contenders[] = {
	{ .name = "shared-futex", .measure = measure_futex, .world = BENCH_BARE },
	{ .name = "shared-socket", .measure = measure_socket, .world = BENCH_BARE },
	{ .name = "own-rights", .measure = measure_rights, .world = BENCH_BARE },
	{ 0 },
};

#define ROW(row_name, row_title, row_rounds, ...)                                                \
	{                                                                                        \
		.name = (row_name), .title = (row_title), .contenders = contenders,              \
		.baseline = "own-rights", .conditions = { __VA_ARGS__ }, .rounds = (row_rounds), \
		.rehearsed = true, .grown_last = true, .set_up = set_up, .tear_down = tear_down  \
	}

const struct bench_row table_rows[] = {
	ROW("table-one-core", "a raw server's table of descriptors, one core", 1000, 1, 10, 0),
	ROW("table-two-cores", "a raw server's table of descriptors, two cores", 1000, 2, 10, 0),
	ROW("table-descriptors-one-core", "the same, the caller has 10,000 open, one core", 300, 1, 10000, 0),
	{ 0 },
};
