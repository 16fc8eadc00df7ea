/* SPDX-License-Identifier: MIT */
/* Servers and parked children that are killed, stopped or given garbage; threads that end; forks of the application. No
 * exit code is lost, no start hangs, nothing is left behind. */
#define _GNU_SOURCE
#include "servers.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

/* It may be gone already. */
static void kill_servant(pid_t pid)
{
	check(pid > 1);
	if (kill(pid, SIGKILL) < 0)
		check_int(errno, ESRCH);
}

static bool no_servants(void)
{
	return find_servants("pidring-server", NULL, 0) == 0 && find_servants("pidring-parked", NULL, 0) == 0;
}

/* Started, or refused because of what the scenario does to the servers: both are allowed, hanging is not. */
static int start_or_not(struct pidring_process *process)
{
	int result = pidring_process_start(process);

	if (result == 0)
		return 1;
	if (result != -EPIPE && result != -EPROTO && result != -EAGAIN)
		fail("start says %d", result);
	return 0;
}

/* --- killed --- */

/* A server that is killed between two starts is replaced: no start fails, and children that ran go on. */
static void kill_between(struct pidring *engine)
{
	uint64_t made = statistics_of(engine).servers_made;
	int rounds = small_or_normal(5, 20);

	for (int i = 0; i < rounds; i++) {
		int code = i + 1;
		struct pidring_process *running = start_served(engine, sleep_forever, NULL, 0);
		struct pidring_process *process = start_served(engine, return_argument, &code, sizeof(code));

		kill_servant(only_server());
		check_int(finish(process), code);
		check_int(pidring_process_is_alive(running), 1);
		process = start_served(engine, return_argument, &code, sizeof(code));
		/* A fork, if nobody was there to take its place. */
		check_int(finish(process), code);
		kill_and_free(running);
	}
	check(statistics_of(engine).servers_made > made);
}

SCENARIO(forkserver_faults, server_killed)
{
	struct pidring *engine =
		open_with((struct pidring_engine_options){ .forkserver = true, .servers = 1 });
	int descriptors;

	need_server(engine);
	check_still_serves(engine);
	descriptors = count_descriptors();
	kill_between(engine);
	check(count_descriptors() <= descriptors + 2);
	close_engine(engine);
	check(no_servants());
}

/* The same with parked children. */
SCENARIO(parked, server_killed)
{
	struct pidring *engine = open_with((struct pidring_engine_options){ .parked = 4, .servers = 1 });

	need_server(engine);
	wait_parked(engine, 4);
	kill_between(engine);
	close_engine(engine);
	check(no_servants());
}

/* The server and all parked children are killed at once, the one that is kept for its place included. */
SCENARIO(parked, all_killed)
{
	struct pidring *engine = open_with((struct pidring_engine_options){ .parked = 4, .parked_low = 4 });
	int rounds = small_or_normal(3, 10);

	need_server(engine);
	for (int i = 0; i < rounds; i++) {
		pid_t pids[16];
		size_t count;

		wait_parked(engine, 4);
		kill_servant(only_server());
		count = find_servants("pidring-parked", pids, 16);
		check(count >= 4 && count <= 16);
		for (size_t j = 0; j < count; j++)
			kill_servant(pids[j]);
		for (int j = 0; j < 3; j++) {
			struct pidring_process *process =
				start_served(engine, return_argument, &j, sizeof(j));
			int code = join_code(process);

			/* One that was killed before it could take its task. */
			if (code != -SIGKILL)
				check_int(code, j);
			pidring_process_free(process);
		}
		check_still_serves(engine);
	}
	close_engine(engine);
	check(no_servants());
}

/* Parked children that are killed are not used, but reaped, and others come. */
SCENARIO(parked, parked_killed)
{
	struct pidring *engine = open_parked(6);
	pid_t pids[16];
	size_t count;

	need_server(engine);
	wait_parked(engine, 6);
	count = find_servants("pidring-parked", pids, 16);
	check(count >= 6 && count <= 16);
	for (size_t i = 0; i < count; i++) {
		kill_servant(pids[i]);
		check(eventually(process_state(pids[i]) == 'Z' || process_state(pids[i]) == 0));
	}
	for (int i = 0; i < 10; i++) {
		struct pidring_process *process = start_served(engine, return_argument, &i, sizeof(i));

		check_int(finish(process), i);
	}
	for (int i = 0; i < 10; i++)
		check_int(finish(start_served_program(engine, (const char *[]){ "true", NULL })), 0);
	check(eventually(find_servants("pidring-parked", NULL, 0) <= 7));
	for (size_t i = 0; i < count; i++)
		check_int(process_state(pids[i]), 0);
	close_engine(engine);
	check(no_servants());
}

struct storm {
	struct pidring *engine;
	_Atomic bool over;
	_Atomic int kills;
	int starts, started, lost;
};

static void *kill_servers(void *argument)
{
	struct storm *storm = argument;

	while (!storm->over) {
		pid_t pids[16];
		size_t count = find_servants("pidring-server", pids, 16);

		/* The oldest: others may be children that are not called otherwise yet. */
		if (count > 0) {
			kill_servant(pids[0]);
			storm->kills++;
		}
		poll(NULL, 0, 2);
	}
	return NULL;
}

static void *start_in_a_storm(void *argument)
{
	const struct storm *shared = argument;
	struct storm *own = calloc(1, sizeof(*own));

	check(own != NULL);
	for (int i = 0; i < shared->starts; i++) {
		int code = i % 200;
		struct pidring_process *process =
			new_served(shared->engine, return_argument, &code, sizeof(code));

		if (start_or_not(process)) {
			int result = join_code(process);

			own->started++;
			if (result != code) {
				/* Killed as a parked child that had not yet changed its name, or taken for one. */
				check_int(result, -SIGKILL);
				own->lost++;
			}
		}
		pidring_process_free(process);
	}
	return own;
}

static void storm(struct pidring *engine)
{
	enum { THREADS = 4 };
	struct storm storm = { .engine = engine, .starts = small_or_normal(30, 200) };
	pthread_t killer, threads[THREADS];
	int started = 0, lost = 0;

	need_server(engine);
	check_still_serves(engine);
	check_int(pthread_create(&killer, NULL, kill_servers, &storm), 0);
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_create(&threads[i], NULL, start_in_a_storm, &storm), 0);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		struct storm *own;

		check_int(pthread_join(threads[i], &result), 0);
		own = result;
		started += own->started;
		lost += own->lost;
		free(own);
	}
	storm.over = true;
	check_int(pthread_join(killer, NULL), 0);
	check(storm.kills > 0);
	check(started > 0);
	/* The name of a child is its server's for a moment, so some may have been killed; not all. */
	check(lost < started);
	for (int i = 0; i < 3; i++)
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	close_engine(engine);
	check(no_servants());
}

/* Servers are killed all the time while four threads start: each start works or fails with an error. */
SCENARIO(forkserver_faults, killed_in_mid_start)
{
	storm(open_served());
}

/* The same with parked children. */
SCENARIO(parked, killed_in_mid_start)
{
	storm(open_parked(8));
}

/* Killed during start_many: what was started is known, what was not has a reason. */
SCENARIO(forkserver_faults, killed_in_start_many)
{
	enum { COUNT = 60 };
	struct pidring *engine = open_served();
	struct storm storm = { .engine = engine };
	pthread_t killer;

	need_server(engine);
	check_int(pthread_create(&killer, NULL, kill_servers, &storm), 0);
	for (int round = 0; round < 5; round++) {
		struct pidring_process *processes[COUNT];
		int started, found = 0;

		for (int i = 0; i < COUNT; i++)
			processes[i] = new_served(engine, return_argument, &i, sizeof(i));
		started = pidring_start_many(processes, COUNT);
		check(started >= 0);
		for (int i = 0; i < COUNT; i++) {
			struct pidring_failure failure;

			if (pidring_process_birth(processes[i]) != PIDRING_BIRTH_NONE) {
				int code = join_code(processes[i]);

				check(code == i || code == -SIGKILL);
				found++;
			} else {
				check_int(pidring_process_failure(processes[i], &failure), 0);
			}
			pidring_process_free(processes[i]);
		}
		check_int(found, started);
	}
	storm.over = true;
	check_int(pthread_join(killer, NULL), 0);
	close_engine(engine);
	check(no_servants());
}

/* --- stopped --- */

/* While the server is stopped, programs are started without it, and parked children by themselves; functions that need it wait
 * for it, and get on when it goes on. */
static void *start_one(void *argument)
{
	struct pidring_process *process = argument;

	check_int(pidring_process_start(process), 0);
	return NULL;
}

SCENARIO(parked, server_stopped)
{
	struct pidring *engine = open_with((struct pidring_engine_options){ .parked = 4, .servers = 1 });
	struct pidring_process *programs[12], *function, *waiting;
	pthread_t thread;
	pid_t server;

	need_server(engine);
	wait_parked(engine, 4);
	server = only_server();
	check_int(kill(server, SIGSTOP), 0);
	check(eventually(process_state(server) == 'T'));
	function = start_served(engine, return_zero, NULL, 0);
	check_int(pidring_process_birth(function), PIDRING_BIRTH_PARKED);
	for (int i = 0; i < 12; i++)
		programs[i] = start_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
		                                          .asynchronous = true,
		                                          .start_method = PIDRING_FORKSERVER });
	check_int(finish(function), 0);
	for (int i = 0; i < 12; i++) {
		check_int(pidring_process_birth(programs[i]),
		          i < 3 ? PIDRING_BIRTH_PARKED : features_of(engine).program_birth);
		check_int(finish(programs[i]), 0);
	}
	check_int(features_of(engine).parked, 0);
	waiting = new_served(engine, return_zero, NULL, 0);
	check_int(pthread_create(&thread, NULL, start_one, waiting), 0);
	check_int(kill(server, SIGCONT), 0);
	check_int(pthread_join(thread, NULL), 0);
	check_served(engine, waiting);
	check_int(finish(waiting), 0);
	wait_parked(engine, 1);
	/* Closed, or made anew, while it is stopped. */
	server = only_server();
	check_int(kill(server, SIGSTOP), 0);
	check(eventually(process_state(server) == 'T'));
	check_int(pidring_restart_forkserver(engine), 0);
	check(no_servants());
	check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	check_int(kill(only_server(), SIGSTOP), 0);
	close_engine(engine);
	check(no_servants());
}

/* Parked children that are stopped can be told their task, and begin it when they go on. */
SCENARIO(parked, parked_stopped)
{
	struct pidring *engine = open_parked(3);
	struct pidring_process *process;
	pid_t pids[8];

	need_server(engine);
	wait_parked(engine, 3);
	/* One more is kept. */
	check(eventually(find_servants("pidring-parked", pids, 8) == 4));
	for (size_t i = 0; i < 4; i++)
		check_int(kill(pids[i], SIGSTOP), 0);
	process = start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                          .asynchronous = true,
	                                                          .start_method = PIDRING_FORKSERVER });
	check_int(pidring_process_birth(process), PIDRING_BIRTH_PARKED);
	check_int(pidring_process_join(process, 20 * MILLISECONDS), -ETIMEDOUT);
	check_int(kill(pidring_process_pid(process), SIGCONT), 0);
	check_int(finish(process), 0);
	close_engine(engine);
	check(no_servants());
}

/* --- garbage --- */

struct mapping {
	uintptr_t begin, end;
};

/* What this process shares with the server and nobody has named. */
static size_t find_shared(struct mapping *mappings, size_t capacity)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	size_t count = 0;

	check(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL) {
		struct mapping mapping;
		char access[5];

		if (sscanf(line, "%lx-%lx %4s", &mapping.begin, &mapping.end, access) != 3)
			continue;
		if (access[3] != 's')
			continue;
		if (strstr(line, "/dev/zero") == NULL && strstr(line, "/memfd:") == NULL)
			continue;
		if (count < capacity)
			mappings[count++] = mapping;
	}
	fclose(file);
	return count;
}

static void scribble(pid_t server, const struct mapping *mapping, unsigned *random)
{
	unsigned char garbage[64];
	size_t pages = (mapping->end - mapping->begin) / 4096;
	struct iovec local = { garbage, 0 }, remote;

	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (unsigned char)rand_r(random);
	if (rand_r(random) % 4 == 0)
		memset(garbage, rand_r(random) % 2 ? 0 : 0xff, sizeof(garbage));
	/* Mostly where something is: the head, and the beginnings of the first boxes (of one MiB, as it is). */
	remote.iov_base = (void *)(mapping->begin + (size_t)rand_r(random) % pages * 4096);
	if (rand_r(random) % 4 != 0)
		remote.iov_base = (void *)(mapping->begin +
		                           (size_t)rand_r(random) % 6 % (pages / 256 + 1) * 256 * 4096);
	remote.iov_base = (char *)remote.iov_base + (size_t)rand_r(random) % 512 / 4 * 4;
	local.iov_len = remote.iov_len = 4 + (size_t)rand_r(random) % 60;
	(void)process_vm_writev(server, &local, 1, &remote, 1, 0);
}

struct gardener {
	_Atomic bool over;
	_Atomic long writes;
	_Atomic pid_t server;
	struct mapping mapping;
};

static void *scribble_on(void *argument)
{
	struct gardener *gardener = argument;
	unsigned random = 4711;

	while (!gardener->over) {
		scribble(gardener->server, &gardener->mapping, &random);
		gardener->writes++;
		sched_yield();
	}
	return NULL;
}

/* Children that were born of spoilt orders have its name for ever, and nobody knows them. */
static pid_t newest_server(void)
{
	pid_t pids[64], newest = 0;
	size_t count = 0;

	check(eventually((count = find_servants("pidring-server", pids, 64)) >= 1));
	for (size_t i = 0; i < count && i < 64; i++)
		if (pids[i] > newest)
			newest = pids[i];
	return newest;
}

/* Whoever can write into the server's memory spoils what is shared with it: starts work or fail or time out on their own
 * terms, and when all is made anew it is well again. */
SUBPROGRAM(forkserver_garbage)
{
	struct pidring *engine = open_with((struct pidring_engine_options){ .parked = 4, .servers = 1 });
	int rounds = small_or_normal(20, 100);
	unsigned random = 1;

	if (!serves(engine))
		return EXIT_SKIPPED;
	for (int round = 0; round < rounds; round++) {
		struct mapping mappings[4];
		pid_t server;

		wait_parked(engine, 1);
		server = newest_server();
		if (find_shared(mappings, 4) != 1)
			return EXIT_SKIPPED;
		for (int i = 0; i < 1 + rand_r(&random) % 200; i++)
			scribble(server, &mappings[0], &random);
		for (int i = 0; i < 4; i++) {
			struct pidring_process *process = new_served(engine, return_argument, &i, sizeof(i));

			/* A child that has spoilt orders may never begin. */
			if (pidring_process_start(process) == 0) {
				if (pidring_process_join(process, 100 * MILLISECONDS) < 0)
					check_int(pidring_process_kill(process), 0);
				check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
			}
			pidring_process_free(process);
		}
		check_int(pidring_restart_forkserver(engine), 0);
		check_still_serves(engine);
	}
	close_engine(engine);
	return 0;
}

/* Children whose numbers were spoilt are known to nobody, but end with the application. */
static void check_garbage(const char *subprogram)
{
	int code;

	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	code = run_subprogram(subprogram, NULL, NULL);
	if (code == EXIT_SKIPPED)
		skip("there are no servers here, or their memory is not found");
	check_int(code, 0);
	check(eventually(waitpid(-1, NULL, WNOHANG | __WALL) < 0));
	check_int(errno, ECHILD);
}

SCENARIO(forkserver_faults, garbage_between_starts)
{
	check_garbage("forkserver_garbage");
}

struct starting {
	struct pidring *engine;
	_Atomic int done;
};

static void *start_and_give_up(void *argument)
{
	struct starting *starting = argument;

	for (int i = 0; i < small_or_normal(20, 100); i++) {
		struct pidring_process *process = new_served(starting->engine, return_zero, NULL, 0);

		if (pidring_process_start(process) == 0) {
			if (pidring_process_join(process, 100 * MILLISECONDS) < 0)
				check_int(pidring_process_kill(process), 0);
			check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		}
		pidring_process_free(process);
		starting->done++;
	}
	return NULL;
}

/* A request that was spoilt is never answered; a start that waits for it fails when the server is given up. */
static void drive(struct starting *starting)
{
	int done = 0;
	int64_t last = now();

	while (starting->done < small_or_normal(20, 100)) {
		poll(NULL, 0, 5);
		if (starting->done != done) {
			done = starting->done;
			last = now();
		} else if (now() - last > 500 * MILLISECONDS) {
			check_int(pidring_restart_forkserver(starting->engine), 0);
			last = now();
		}
	}
}

SUBPROGRAM(forkserver_garbage_meanwhile)
{
	struct pidring *engine =
		open_with((struct pidring_engine_options){ .forkserver = true, .servers = 1 });
	struct starting starting = { .engine = engine };
	struct gardener gardener = { .over = false };
	struct mapping mappings[4];
	pthread_t gardening, thread;

	if (!serves(engine) || find_shared(mappings, 4) != 1)
		return EXIT_SKIPPED;
	gardener.server = only_server();
	gardener.mapping = mappings[0];
	check_int(pthread_create(&gardening, NULL, scribble_on, &gardener), 0);
	check_int(pthread_create(&thread, NULL, start_and_give_up, &starting), 0);
	drive(&starting);
	check_int(pthread_join(thread, NULL), 0);
	gardener.over = true;
	check_int(pthread_join(gardening, NULL), 0);
	check_int(pidring_restart_forkserver(engine), 0);
	/* There may still be a second thread for a moment, as the kernel sees it, and no server then. */
	check(eventually(serves(engine)));
	check_still_serves(engine);
	close_engine(engine);
	return 0;
}

/* The same while a thread starts one after the other. */
SCENARIO(forkserver_faults, garbage_meanwhile)
{
	check_garbage("forkserver_garbage_meanwhile");
}
