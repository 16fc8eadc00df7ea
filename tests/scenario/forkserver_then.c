/* SPDX-License-Identifier: MIT */
/* A server's child has the memory of the moment when the server was made: variables, functions, and what was preloaded. */
#define _GNU_SOURCE
#include "servers.h"

#include <dlfcn.h>

/* --- variables --- */

static int variable;
static int *on_heap;

static int look_at_memory(void *argument)
{
	const char *text = getenv("PIDRING_TEST_THEN");

	(void)argument;
	return variable * 16 + *on_heap + (text != NULL ? 8 : 0);
}

/* Memory and environment are as they were when the server was made; pidring_restart_forkserver brings them up to date,
 * and children that run are not touched. Elsewhere a fork sees everything. */
SCENARIO(forkserver_then, memory_of_then)
{
	struct pidring *engine;
	struct pidring_process *running;

	on_heap = malloc(sizeof(*on_heap));
	check(on_heap != NULL);
	variable = 1;
	*on_heap = 1;
	engine = open_parked(2);
	running = start_served(engine, sleep_forever, NULL, 0);
	variable = 2;
	*on_heap = 2;
	check_int(setenv("PIDRING_TEST_THEN", "", 1), 0);
	check_int(finish(start_served(engine, look_at_memory, NULL, 0)), serves(engine) ? 17 : 42);
	check_int(pidring_restart_forkserver(engine), 0);
	check_int(features_of(engine).servers, 0);
	check_int(features_of(engine).parked, 0);
	check_int(find_servants("pidring-server", NULL, 0), 0);
	check_int(find_servants("pidring-parked", NULL, 0), 0);
	check_int(pidring_process_is_alive(running), 1);
	check_int(finish(start_served(engine, look_at_memory, NULL, 0)), 42);
	check_int(statistics_of(engine).servers_made, serves(engine) ? 2 : 0);
	kill_and_free(running);
	/* Also if there is none, and again and again. */
	for (int i = 0; i < 3; i++)
		check_int(pidring_restart_forkserver(engine), 0);
	check_int(pidring_restart_forkserver(NULL), -EINVAL);
	check_still_serves(engine);
	free(on_heap);
	close_engine(engine);
}

/* --- functions that a server does not know --- */

static const char *loaded_path(void)
{
	static char path[4200];
	char *slash;

	snprintf(path, sizeof(path), "%s", own_path());
	slash = strrchr(path, '/');
	check(slash != NULL);
	strcpy(slash, "/loaded.so");
	return path;
}

/* A target that was loaded after the server is refused, before anything is created; a new server knows it. */
SCENARIO(forkserver_then, loaded_later)
{
	struct pidring *engine = open_parked(2);
	uint64_t starts = statistics_of(engine).server_starts;
	struct pidring_failure failure;
	struct pidring_process *process;
	int (*function)(void *);
	void *library;
	const unsigned char number = 99;

	library = dlopen(loaded_path(), RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		fail("%s", dlerror());
	function = (int (*)(void *))dlsym(library, "loaded_function");
	check(function != NULL);
	process = new_served(engine, function, &number, 1);
	if (serves(engine)) {
		for (int i = 0; i < 3; i++) {
			check_int(pidring_process_start(process), -ENXIO);
			check_contains(pidring_explain(), "loaded");
			check_int(pidring_process_failure(process, &failure), 0);
			check_int(failure.step, PIDRING_STEP_FORKSERVER);
			check_int(failure.error, ENXIO);
			check_contains(failure.sentence, "Process-1");
			check_text(pidring_step_name(failure.step), "forkserver");
		}
		check_int(statistics_of(engine).server_starts, starts);
		check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
		check_still_serves(engine);
		check_int(pidring_restart_forkserver(engine), 0);
	}
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 99);
	close_engine(engine);
	check_int(dlclose(library), 0);
}

/* A function of a library that was there when the server was made, and has been unloaded and loaded since. */
SCENARIO(forkserver_then, loaded_again)
{
	void *library = dlopen(loaded_path(), RTLD_NOW | RTLD_LOCAL);
	struct pidring_process *process;
	struct pidring *engine;
	int (*function)(void *);

	check(library != NULL);
	engine = open_served();
	function = (int (*)(void *))dlsym(library, "loaded_function");
	check_int(finish(start_served(engine, function, NULL, 0)), 23);
	check_int(dlclose(library), 0);
	library = dlopen(loaded_path(), RTLD_NOW | RTLD_LOCAL);
	check(library != NULL);
	function = (int (*)(void *))dlsym(library, "loaded_function");
	process = new_served(engine, function, NULL, 0);
	/* Known if it is where it was, and refused if it is not. */
	if (pidring_process_start(process) == 0)
		check_int(finish(process), 23);
	else
		pidring_process_free(process);
	close_engine(engine);
	check_int(dlclose(library), 0);
}

/* --- preload --- */

struct loaded {
	_Atomic int calls;
	pid_t caller;
};

static struct loaded *loaded;
static int made_ahead;

static void make_ahead(void *argument)
{
	sigset_t mask;

	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	check_int(sigismember(&mask, SIGTERM), 1);
	made_ahead = *(int *)argument;
	loaded->calls++;
	loaded->caller = getpid();
}

static int use_what_was_made(void *argument)
{
	(void)argument;
	check(loaded->caller != getpid());
	return made_ahead;
}

/* The preload function is called once, in the first server, and all children have what it made, those of other servers and
 * of replaced ones too. */
SCENARIO(forkserver_then, preload)
{
	int number = 61;
	struct pidring *engine;

	loaded = shared_memory(4096);
	engine = open_with((struct pidring_engine_options){
		.parked = 2, .preload = make_ahead, .preload_argument = &number });
	need_server(engine);
	check_int(loaded->calls, 1);
	check(loaded->caller != getpid());
	check_int(made_ahead, 0);
	for (int i = 0; i < 6; i++)
		check_int(finish(start_served(engine, use_what_was_made, NULL, 0)), 61);
	check_int(kill(only_server(), SIGKILL), 0);
	for (int i = 0; i < 6; i++)
		check_int(finish(start_served(engine, use_what_was_made, NULL, 0)), 61);
	check_int(loaded->calls, 1);
	close_engine(engine);
}

static void crash(void *argument)
{
	if (argument != NULL)
		_exit(3);
	raise(SIGKILL);
}

/* A preload function that ends its process makes pidring_open fail, and a start that would make the server. */
SCENARIO(forkserver_then, preload_crashes)
{
	int descriptors = count_descriptors();
	struct pidring *engine = open_engine();
	bool served = serves(engine);
	struct pidring_process *process;
	struct pidring_failure failure;
	static char something;

	close_engine(engine);
	if (!served)
		skip("there are no servers here");
	for (int i = 0; i < 4; i++) {
		struct pidring_engine_options options = { .size = sizeof(options),
			                                  .forkserver = i < 2,
			                                  .parked = i < 2 ? 0 : 8,
			                                  .preload = crash,
			                                  .preload_argument = i % 2 ? &something : NULL };

		engine = NULL;
		check_int(pidring_open(&engine, &options), -EPIPE);
		check(engine == NULL);
		check_contains(pidring_explain(), "preload");
		check_int(count_descriptors(), descriptors);
		check(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	}
	engine = open_with((struct pidring_engine_options){ .preload = crash });
	process = new_served(engine, return_zero, NULL, 0);
	for (int i = 0; i < 2; i++) {
		check_int(pidring_process_start(process), -EPIPE);
		check_contains(pidring_explain(), "preload");
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.step, PIDRING_STEP_FORKSERVER);
		check(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	}
	pidring_process_free(process);
	close_engine(engine);
}
