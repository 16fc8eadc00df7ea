/* SPDX-License-Identifier: MIT */
/* Many starts through servers: nothing grows, threads start at the same time, large and busy applications have small
 * children that never hang. */
#define _GNU_SOURCE
#include "servers.h"

#include <pthread.h>
#include <sys/mman.h>

/* --- nothing grows --- */

struct sizes {
	long long own_resident, own_virtual, server_resident, server_virtual;
	int descriptors;
};

static struct sizes sizes_of(pid_t server)
{
	return (struct sizes){ status_number(getpid(), "VmRSS"), status_number(getpid(), "VmSize"),
		               server > 0 ? status_number(server, "VmRSS") : 0,
		               server > 0 ? status_number(server, "VmSize") : 0, count_descriptors() };
}

static void start_so_many(struct pidring *engine, int count)
{
	const char *const argv[] = { "true", NULL };
	char bytes[200] = "some bytes";

	for (int i = 0; i < count; i++) {
		struct pidring_process *process;

		if (i % 10 == 0)
			process = start_served_program(engine, argv);
		else
			process = start_served(engine, return_zero, bytes, (size_t)(i % 200));
		check_int(finish(process), 0);
	}
}

static void check_no_growth(struct pidring *engine)
{
	int count = small_or_normal(500, 10000);
	struct sizes before, after;
	pid_t server;

	start_so_many(engine, count / 10);
	server = serves(engine) ? only_server() : 0;
	before = sizes_of(server);
	start_so_many(engine, count);
	after = sizes_of(server);
	/* KiB. An allocator may keep a little. */
	check(after.own_resident <= before.own_resident + 512);
	check(after.own_virtual <= before.own_virtual + 512);
	check(after.server_resident <= before.server_resident + 512);
	check(after.server_virtual <= before.server_virtual + 512);
	/* As many may be parked as then, or a few more or fewer; not one a start. */
	check(after.descriptors <= before.descriptors + 16);
	if (serves(engine)) {
		check_int(statistics_of(engine).server_starts, (uint64_t)(count + count / 10));
		check_int(statistics_of(engine).servers_made, 1);
	}
	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

/* Ten thousand starts: neither the application nor the server grows. */
SCENARIO(forkserver_scale, ten_thousand)
{
	check_no_growth(open_with((struct pidring_engine_options){ .forkserver = true, .servers = 1 }));
}

/* The same with parked children. */
SCENARIO(parked_scale, ten_thousand)
{
	check_no_growth(open_with((struct pidring_engine_options){ .parked = 8, .servers = 1 }));
}

/* --- threads --- */

struct crew {
	struct pidring *engine;
	int starts;
};

static void *start_in_a_crew(void *argument)
{
	const struct crew *crew = argument;

	for (int i = 0; i < crew->starts; i++) {
		int code = i % 256;
		struct pidring_process *process =
			start_served(crew->engine, return_argument, &code, sizeof(code));

		check_served(crew->engine, process);
		check_int(finish(process), code);
	}
	return NULL;
}

static void start_together(struct pidring_engine_options options)
{
	enum { THREADS = 8 };
	struct crew crew = { .starts = small_or_normal(20, 500) };
	struct pidring_statistics statistics;
	pthread_t threads[THREADS];

	crew.engine = open_with(options);
	if (!serves(crew.engine))
		crew.starts = 20;
	check_still_serves(crew.engine);
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_create(&threads[i], NULL, start_in_a_crew, &crew), 0);
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_join(threads[i], NULL), 0);
	statistics = statistics_of(crew.engine);
	if (serves(crew.engine)) {
		check_int(statistics.server_starts, (uint64_t)(THREADS * crew.starts + 1));
		check(features_of(crew.engine).servers >= 1);
		check(features_of(crew.engine).servers <= (options.servers ? options.servers : 8));
	}
	close_engine(crew.engine);
	check_int(find_servants("pidring-server", NULL, 0), 0);
}

/* Eight threads start at the same time, through one server, several, or as many as there may be. */
SCENARIO(forkserver_scale, threads)
{
	start_together((struct pidring_engine_options){ .forkserver = true });
}

SCENARIO(forkserver_scale, threads_with_one_server)
{
	start_together((struct pidring_engine_options){ .forkserver = true, .servers = 1 });
}

SCENARIO(forkserver_scale, threads_with_many_servers)
{
	start_together((struct pidring_engine_options){ .forkserver = true, .servers = 8 });
}

/* The same with parked children. */
SCENARIO(parked_scale, threads)
{
	start_together((struct pidring_engine_options){ .parked = 16 });
}

/* --- a large application --- */

static int say_sizes(void *argument)
{
	long long *shared = *(long long **)argument;

	shared[0] = status_number(getpid(), "VmRSS");
	shared[1] = status_number(getpid(), "VmSize");
	return 0;
}

/* An application that grows after its server was made has children as small as it was. */
static void check_small_children(struct pidring *engine, long long *shared)
{
	size_t grown = (size_t)small_or_normal(256, 2048) * 1024 * 1024;
	long long available = 0;
	struct pidring_process *process;
	char *memory;
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	check(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "MemAvailable:", 13) == 0)
			available = atoll(line + 13);
	fclose(file);
	if ((size_t)available < grown / 1024 * 3 / 2)
		skip("there is too little memory here");
	need_server(engine);
	check_still_serves(engine);
	memory = mmap(NULL, grown, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	check(memory != MAP_FAILED);
	check(status_number(getpid(), "VmRSS") > (long long)(grown / 1024));
	for (int i = 0; i < 5; i++) {
		process = start_served(engine, say_sizes, &shared, sizeof(shared));
		check_served(engine, process);
		check_int(finish(process), 0);
		check(shared[0] > 0 && shared[0] < (long long)(grown / 1024 / 4));
		check(shared[1] > 0 &&
		      shared[1] < status_number(getpid(), "VmSize") - (long long)(grown / 1024 / 2));
		process = start_served_program(engine, (const char *[]){ "true", NULL });
		check_int(finish(process), 0);
	}
	munmap(memory, grown);
	close_engine(engine);
}

SCENARIO(forkserver_scale, grown_application)
{
	long long *shared = shared_memory(4096);

	check_small_children(open_served(), shared);
}

/* The same with parked children. */
SCENARIO(parked_scale, grown_application)
{
	long long *shared = shared_memory(4096);

	check_small_children(open_parked(3), shared);
}

/* --- a busy application --- */

struct busy {
	_Atomic bool over;
	FILE *null;
};

static void *be_busy(void *argument)
{
	struct busy *busy = argument;
	unsigned random = 1;

	while (!busy->over) {
		char *blocks[32];

		for (int i = 0; i < 32; i++) {
			blocks[i] = malloc((size_t)(rand_r(&random) % 4000) + 1);
			check(blocks[i] != NULL);
		}
		for (int i = 0; i < 32; i++)
			free(blocks[i]);
		fprintf(busy->null, "busy %d\n", rand_r(&random));
	}
	return NULL;
}

static int be_busy_too(void *argument)
{
	(void)argument;
	for (int i = 0; i < 100; i++) {
		char *block = malloc((size_t)(i * 100 + 1));

		check(block != NULL);
		printf("%p\n", (void *)block);
		free(block);
	}
	return 0;
}

/* Threads that hold libc's locks most of the time, and functions that need them: none hangs, since the server has no locks
 * that were held. */
SCENARIO(forkserver_scale, busy_application)
{
	enum { THREADS = 4 };
	struct pidring *engine = open_served();
	struct busy busy = { .null = fopen("/dev/null", "we") };
	int rounds = small_or_normal(20, 200);
	pthread_t threads[THREADS];

	check(busy.null != NULL);
	check_still_serves(engine);
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_create(&threads[i], NULL, be_busy, &busy), 0);
	for (int i = 0; i < rounds; i++) {
		struct pidring_process *process =
			start_process(engine, (struct pidring_options){ .target = be_busy_too,
		                                                        .stdout_to = PIDRING_STREAM_NULL,
		                                                        .start_method = PIDRING_FORKSERVER });

		check_served(engine, process);
		check_int(finish(process), 0);
	}
	busy.over = true;
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_join(threads[i], NULL), 0);
	fclose(busy.null);
	close_engine(engine);
}

/* Thousands of children that run at the same time, more than a nursery has boxes. */
SCENARIO(forkserver_scale, thousand_at_once)
{
	int count = small_or_normal(150, 1000);
	struct latch latch = latch_open();
	struct pidring *engine =
		open_with((struct pidring_engine_options){ .parked = 10, .descriptors = 4096 });
	struct pidring_process **processes = calloc((size_t)count, sizeof(struct pidring_process *));
	const struct pidring_descriptor passed = { .source = latch.reader };

	check(processes != NULL);
	for (int i = 0; i < count; i++) {
		processes[i] =
			new_process(engine, (struct pidring_options){ .target = wait_for_latch,
		                                                      .argument = &latch,
		                                                      .argument_length = sizeof(latch),
		                                                      .descriptors = &passed,
		                                                      .descriptor_count = 1,
		                                                      .start_method = PIDRING_FORKSERVER });
	}
	check_int(pidring_start_many(processes, (size_t)count), count);
	check_int(pidring_active_children(NULL, 0), count);
	for (int i = 0; i < count; i++)
		latch_release(&latch);
	for (int i = 0; i < count; i++)
		check_int(finish(processes[i]), 0);
	free(processes);
	close_engine(engine);
	latch_close(&latch);
}
