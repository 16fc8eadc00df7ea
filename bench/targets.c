/* SPDX-License-Identifier: MIT */
/* The figures to reach. */
#include "targets.h"

const struct bench_target bench_targets[] = {
	{ "program-noop-one-core", "pidring", "posix_spawn", 0.66 },
	{ "program-noop-one-core", "pidring", "floor", 1.10 },
	{ "program-noop-descriptors-one-core", "pidring", "posix_spawn", 0.15 },
	{ "program-true-one-core", "pidring", "posix_spawn", 1.00 },
	{ "program-true-two-cores", "pidring", "posix_spawn", 1.00 },
	{ "burst-two-cores", "pidring", "posix_spawn", 0.40 },
	{ "asynchronous-one-core", "pidring", "posix_spawn", 0.25 },
	{ "asynchronous-two-cores", "pidring", "posix_spawn", 0.15 },
	{ "function-one-core", "pidring", "fork", 0.80 },
	{ "watch-10000", "pidring", "waitid-all", 0.05 },
	{ "watch-10000", "pidring", "epoll", 1.05 },
	{ "run-2-slots", "pidring-run", "busybox-xargs", 0.80 },
	{ "run-64-slots", "pidring-run", "busybox-xargs", 0.60 },
	{ "output-64k-one-core", "pidring", "blocking-loop", 1.00 },
	{ "output-64k-one-core", "pidring", "libuv", 1.00 },
	{ "output-64k-two-cores", "pidring", "blocking-loop", 1.00 },
	{ "output-64k-two-cores", "pidring", "libuv", 1.00 },
	{ "output-4k-one-core", "pidring", "blocking-loop", 1.00 },
	{ "output-4k-one-core", "pidring", "libuv", 1.00 },
	{ "output-4k-two-cores", "pidring", "blocking-loop", 1.00 },
	{ "output-4k-two-cores", "pidring", "libuv", 1.00 },
	{ "output-many-one-core", "pidring", "libuv", 1.00 },
	{ "output-many-one-core", "pidring", "glib", 1.00 },
	{ "output-many-two-cores", "pidring", "libuv", 1.00 },
	{ "output-many-two-cores", "pidring", "glib", 1.00 },
	{ "output-calls", "pidring", "libuv", 0.50 },
	{ "output-calls", "pidring", "glib", 0.50 },
	{ 0 },
};
