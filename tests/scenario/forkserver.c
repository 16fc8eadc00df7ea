/* SPDX-License-Identifier: MIT */
/* The start method FORKSERVER: that it is taken, its options, the argument as bytes, and that its children are the
 * application's own, with everything that a function's process has. */
#define _GNU_SOURCE
#include "servers.h"

#include <sys/resource.h>

/* --- which way is taken --- */

/* Where functions are born of clone3, servers are used, whether made by pidring_open or by the first start; elsewhere a
 * fork is, and both say so. */
SCENARIO(forkserver, is_taken_where_it_can_be)
{
	for (int early = 0; early < 2; early++) {
		struct pidring *engine = open_with((struct pidring_engine_options){ .forkserver = early });
		struct pidring_features features = features_of(engine);
		struct pidring_process *process;

		if (features.function_birth == PIDRING_BIRTH_CLONE && features.close_range)
			check_int(features.forkserver_birth, PIDRING_BIRTH_FORKSERVER);
		else
			check_int(features.forkserver_birth, features.function_birth);
		check_int(features.servers, early && serves(engine) ? 1 : 0);
		check_int(features.parked, 0);
		process = start_served(engine, return_zero, NULL, 0);
		check_int(pidring_process_birth(process), features.forkserver_birth);
		check_int(finish(process), 0);
		check_int(features_of(engine).servers, serves(engine) ? 1 : 0);
		check_int(statistics_of(engine).server_starts, serves(engine) ? 1 : 0);
		check_int(statistics_of(engine).servers_made, serves(engine) ? 1 : 0);
		check_int(statistics_of(engine).parked_misses, 0);
		close_engine(engine);
	}
}

/* The best path is really taken where nothing stands in its way. */
SCENARIO(forkserver, is_there)
{
	const char *clone = getenv("PIDRING_CLONE");
	struct pidring *engine = open_served();

	if (clone != NULL && clone[0] != '\0')
		check(!serves(engine));
	else if (features_of(engine).function_birth != PIDRING_BIRTH_CLONE)
		skip("functions are not born of clone3 here");
	else
		check(serves(engine));
	close_engine(engine);
}

/* Other start methods have nothing to do with servers. */
SCENARIO(forkserver, others_do_without)
{
	struct pidring *engine = open_parked(2);
	struct pidring_process *process;

	process = start_process(
		engine, (struct pidring_options){ .target = return_zero, .start_method = PIDRING_FORK });
	check_int(pidring_process_birth(process), features_of(engine).function_birth);
	check_int(finish(process), 0);
	process = start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                          .start_method = PIDRING_EXEC });
	check_int(pidring_process_birth(process), features_of(engine).program_birth);
	check_int(finish(process), 0);
	check_int(statistics_of(engine).server_starts, 0);
	check_int(statistics_of(engine).parked_misses, 0);
	close_engine(engine);
}

/* --- options --- */

static void check_open_refused(struct pidring_engine_options options, const char *part)
{
	struct pidring *engine = NULL;

	options.size = sizeof(options);
	check_int(pidring_open(&engine, &options), -EINVAL);
	check(engine == NULL);
	check_contains(pidring_explain(), part);
}

static void preload_nothing(void *argument)
{
	(void)argument;
}

/* Each wrong option of an engine is named, with its value. */
SCENARIO(forkserver, engine_options_are_checked)
{
	static char something;

	check_open_refused((struct pidring_engine_options){ .servers = 65 }, "65");
	check_open_refused((struct pidring_engine_options){ .servers = 65 }, "servers");
	check_open_refused((struct pidring_engine_options){ .parked = 4097 }, "4097");
	check_open_refused((struct pidring_engine_options){ .parked = 4, .parked_low = 5 },
	                   "parked_low is 5");
	check_open_refused((struct pidring_engine_options){ .parked_low = 1 }, "parked_low");
	check_open_refused((struct pidring_engine_options){ .preload_argument = &something },
	                   "preload_argument");
	close_engine(open_with((struct pidring_engine_options){ .servers = 64,
	                                                        .parked = 4,
	                                                        .parked_low = 4,
	                                                        .preload = preload_nothing,
	                                                        .preload_argument = &something }));
}

static void check_new_refused(struct pidring *engine, struct pidring_options options, int error,
                              const char *part)
{
	struct pidring_process *process = NULL;

	options.size = sizeof(options);
	check_int(pidring_process_new(&process, engine, &options), error);
	check(process == NULL);
	check_contains(pidring_explain(), part);
}

/* Each wrong option of a process is named. */
SCENARIO(forkserver, options_are_checked)
{
	static char bytes[4];
	const char *const argv[] = { "true", NULL };
	struct pidring *engine = open_engine();

	check_new_refused(engine, (struct pidring_options){ .target = return_zero, .start_method = 4 },
	                  -EINVAL, "start_method 4");
	check_new_refused(engine,
	                  (struct pidring_options){ .target = return_zero,
	                                            .start_method = (enum pidring_start_method) - 1 },
	                  -EINVAL, "start_method -1");
	check_new_refused(engine, (struct pidring_options){ .argv = argv, .start_method = PIDRING_FORK },
	                  -EINVAL, "PIDRING_FORK");
	check_new_refused(engine,
	                  (struct pidring_options){ .target = return_zero, .start_method = PIDRING_EXEC },
	                  -EINVAL, "PIDRING_EXEC");
	check_new_refused(engine,
	                  (struct pidring_options){ .target = return_zero,
	                                            .libc_fork = true,
	                                            .start_method = PIDRING_FORKSERVER },
	                  -EINVAL, "libc_fork");
	check_new_refused(engine,
	                  (struct pidring_options){ .target = return_zero,
	                                            .argument = bytes,
	                                            .start_method = PIDRING_FORKSERVER },
	                  -EINVAL, "argument_length");
	check_new_refused(engine, (struct pidring_options){ .target = return_zero, .argument_length = 3 },
	                  -EINVAL, "argument_length is 3");
	check_new_refused(engine,
	                  (struct pidring_options){ .target = return_zero,
	                                            .argument = bytes,
	                                            .argument_length = PIDRING_ARGUMENT_MAX + 1 },
	                  -E2BIG, "524289");
	check_new_refused(engine,
	                  (struct pidring_options){ .argv = argv, .argument = bytes, .argument_length = 4 },
	                  -EINVAL, "argument");
	close_engine(engine);
}

/* --- the argument --- */

static unsigned char byte_at(size_t index)
{
	return (unsigned char)(index * 7 + index / 251 + 1);
}

/* The first bytes say how many there are, unless they are too few for it. */
static int check_bytes(void *argument)
{
	const unsigned char *bytes = argument;
	size_t length = pidring_argument_length();

	check_int((uintptr_t)argument % _Alignof(max_align_t), 0);
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != byte_at(i))
			fail("byte %zu of %zu is %d", i, length, bytes[i]);
	check_int(bytes[length], 0);
	/* It is the child's own. */
	memset(argument, 0xff, length);
	return (int)(length % 251);
}

static const size_t lengths[] = {
	1, 2, 7, 8, 15, 16, 17, 4095, 4096, 4097, 65536 + 1, PIDRING_ARGUMENT_MAX - 1, PIDRING_ARGUMENT_MAX
};

static void check_lengths(struct pidring *engine, enum pidring_start_method method)
{
	unsigned char *bytes = malloc(PIDRING_ARGUMENT_MAX);

	check(bytes != NULL);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct pidring_process *process;

		for (size_t j = 0; j < lengths[i]; j++)
			bytes[j] = byte_at(j);
		process = new_process(engine, (struct pidring_options){ .target = check_bytes,
		                                                        .argument = bytes,
		                                                        .argument_length = lengths[i],
		                                                        .start_method = method });
		/* They were copied. */
		memset(bytes, 0, lengths[i]);
		check_int(pidring_process_start(process), 0);
		if (method == PIDRING_FORKSERVER)
			check_served(engine, process);
		check_int(finish(process), (int)(lengths[i] % 251));
	}
	free(bytes);
	check_int(pidring_argument_length(), 0);
}

/* Bytes of any length arrive, aligned for anything, with a zero behind them. */
SCENARIO(forkserver, argument_of_any_length)
{
	struct pidring *engine = open_served();

	check_lengths(engine, PIDRING_FORKSERVER);
	close_engine(engine);
}

/* The same in parked children. */
SCENARIO(parked, argument_of_any_length)
{
	struct pidring *engine = open_parked(3);

	check_lengths(engine, PIDRING_FORKSERVER);
	close_engine(engine);
}

/* By FORK the bytes are copied, too. */
SCENARIO(forkserver, argument_of_a_fork)
{
	struct pidring *engine = open_engine();

	check_lengths(engine, PIDRING_FORK);
	check_lengths(engine, PIDRING_START_DEFAULT);
	close_engine(engine);
}

static int check_no_argument(void *argument)
{
	check(argument == NULL);
	check_int(pidring_argument_length(), 0);
	return 17;
}

/* No argument is NULL, of no length; no target at all ends with 0. */
SCENARIO(forkserver, no_argument)
{
	struct pidring *engine = open_served();
	struct pidring_process *process;

	check_int(finish(start_served(engine, check_no_argument, NULL, 0)), 17);
	process = start_process(engine, (struct pidring_options){ .start_method = PIDRING_FORKSERVER });
	check_served(engine, process);
	check_int(finish(process), 0);
	close_engine(engine);
}

static int read_number(void *argument)
{
	return *(int *)argument;
}

/* pidring_process_run calls the target here, with bytes of its own each time, and no length. */
SCENARIO(forkserver, run_calls_it_here)
{
	struct pidring *engine = open_engine();
	int number = 29, result = 0;
	struct pidring_process *process = new_served(engine, read_number, &number, sizeof(number));

	number = 0;
	for (int i = 0; i < 3; i++) {
		check_int(pidring_process_run(process, &result), 0);
		check_int(result, 29);
	}
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 29);
	close_engine(engine);
}

/* --- whose child it is --- */

static int say_parent(void *argument)
{
	pid_t *shared = *(pid_t **)argument;

	shared[0] = getppid();
	shared[1] = getpid();
	return 5;
}

/* getppid() in the child is the application; the pidfd is that of this child; the exit record knows everything. */
SCENARIO(forkserver, children_are_the_applications)
{
	pid_t *shared = shared_memory(4096);
	struct pidring *engine = open_served();
	struct pidring_process *process = new_served(engine, say_parent, &shared, sizeof(shared));
	struct pidring_exit_record record = { .size = sizeof(record) };
	siginfo_t information = { 0 };

	check_int(pidring_process_start(process), 0);
	check_served(engine, process);
	check_int(waitid(P_PIDFD, (id_t)pidring_process_sentinel(process), &information,
	                 WEXITED | WNOWAIT | __WALL),
	          0);
	check_int(information.si_pid, pidring_process_pid(process));
	check_int(information.si_status, 5);
	check_int(join_code(process), 5);
	check_int(shared[0], getpid());
	check_int(shared[1], pidring_process_pid(process));
	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(record.reaper, PIDRING_REAPED_HERE);
	check(record.known && record.usage_known);
	check_int(record.pid, shared[1]);
	check(WIFEXITED(record.wait_status) && WEXITSTATUS(record.wait_status) == 5);
	check(record.usage.ru_maxrss > 0);
	check(record.start_time > 0 && record.end_time >= record.start_time);
	pidring_process_free(process);
	close_engine(engine);
}

static int end_by(void *argument)
{
	int number = *(int *)argument;

	if (number >= 0)
		return number;
	/* A sanitizer has handlers of its own. */
	signal(-number, SIG_DFL);
	raise(-number);
	return 1;
}

/* Exit codes, and the signals that end a child. */
SCENARIO(forkserver, ends)
{
	static const int ends[] = { 0, 1, 127, 255, -SIGTERM, -SIGKILL, -SIGSEGV, -SIGUSR1 };
	struct rlimit none = { 0, 0 };
	struct pidring *engine;

	check_int(setrlimit(RLIMIT_CORE, &none), 0);
	engine = open_served();
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		check_int(finish(start_served(engine, end_by, &ends[i], sizeof(ends[i]))), ends[i]);
	close_engine(engine);
}

/* That a core was dumped stands in the record. */
SCENARIO(forkserver, core_dumped)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct pidring_exit_record forked = { .size = sizeof(forked) };
	char directory[] = "/tmp/pidring-core-XXXXXX";
	const int number = -SIGABRT;
	struct pidring *engine = open_served();
	struct pidring_process *process;

	check(mkdtemp(directory) != NULL);
	process = start_process(engine, (struct pidring_options){ .target = end_by,
	                                                          .argument = (void *)&number,
	                                                          .argument_length = sizeof(number),
	                                                          .working_directory = directory,
	                                                          .start_method = PIDRING_FORK });
	check_int(join_code(process), -SIGABRT);
	check_int(pidring_process_exit_record(process, &forked), 0);
	pidring_process_free(process);
	process = start_process(engine, (struct pidring_options){ .target = end_by,
	                                                          .argument = (void *)&number,
	                                                          .argument_length = sizeof(number),
	                                                          .working_directory = directory,
	                                                          .start_method = PIDRING_FORKSERVER });
	check_int(join_code(process), -SIGABRT);
	check_int(pidring_process_exit_record(process, &record), 0);
	/* Whether one is dumped at all is the system's affair. */
	check_int(record.core_dumped, forked.core_dumped);
	pidring_process_free(process);
	check_int(finish(start_program(engine, "rm", "-r", directory, NULL)), 0);
	close_engine(engine);
}

/* Thousands of signals to a child that came from a server reach it, and nobody else. */
SCENARIO(forkserver, signals_reach_it)
{
	struct pidring *engine = open_served();
	struct pidring_process *process = start_served(engine, sleep_forever, NULL, 0);

	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_signal(process, 0), 0);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check_int(pidring_process_terminate(process), 0);
	check_int(finish(process), -SIGTERM);
	check_still_serves(engine);
	close_engine(engine);
}

/* --- the family --- */

static struct pidring *outer_engine;

static int look_at_the_family(void *argument)
{
	struct pidring_process *current = pidring_current_process();
	struct pidring_process *parent = pidring_parent_process();
	unsigned numbers[4];
	char key[16] = { 0 };

	check_text(name_of(current), "one of a kind");
	check_int(pidring_process_identity(current, numbers, 4), 1);
	check_int(numbers[0], 2);
	check_int(pidring_process_daemon(current), 1);
	check_int(pidring_process_authkey(current, key, sizeof(key) - 1), 3);
	check_text(key, "key");
	check_int(pidring_process_pid(current), getpid());
	check_int(pidring_process_parent_pid(current), getppid());
	check_contains(describe(current), "one of a kind");
	check(parent != NULL);
	check_int(pidring_process_pid(parent), getppid());
	check_text(name_of(parent), "the first");
	check_int(pidring_process_is_alive(parent), 1);
	check_int(pidring_process_join(parent, 0), -ETIMEDOUT);
	check_int(pidring_active_children(NULL, 0), 0);
	/* A pointer, which a fork hands on. */
	check((pidring_process_user_data(current) == NULL) == *(bool *)argument);
	check_int(pidring_is_exiting(), 0);
	return 0;
}

/* The child is the object that was started, with everything that was set since the server was made. */
SCENARIO(forkserver, family)
{
	struct pidring_process *main_process = pidring_current_process();
	struct pidring_process *process;
	bool served;

	outer_engine = open_served();
	served = serves(outer_engine);
	check_int(pidring_process_set_name(main_process, "the first"), 0);
	check_int(pidring_process_set_authkey(main_process, "key", 3), 0);
	pidring_process_free(new_process(outer_engine, (struct pidring_options){ 0 }));
	process = new_process(outer_engine, (struct pidring_options){ .target = look_at_the_family,
	                                                              .argument = &served,
	                                                              .argument_length = sizeof(served),
	                                                              .name = "one of a kind",
	                                                              .daemon = true,
	                                                              .user_data = &outer_engine,
	                                                              .start_method = PIDRING_FORKSERVER });
	check_int(pidring_process_start(process), 0);
	check_served(outer_engine, process);
	check_int(finish(process), 0);
	close_engine(outer_engine);
}

static int *counters;

static void count_up(void *index)
{
	counters[(intptr_t)index]++;
}

static int have_finalizers(void *argument)
{
	(void)argument;
	check_int(counters[1], 1);
	check(pidring_add_finalizer(count_up, (void *)2, 0) > 0);
	check(pidring_add_finalizer(count_up, (void *)3, -1) > 0);
	check(atexit(sync) == 0);
	return 8;
}

/* Hooks that were there when the server was made run in each child, and only there; what the child registers as finalizers
 * runs at its end; those of the application do not. */
SCENARIO(forkserver, hooks_and_finalizers)
{
	int64_t hook, finalizer;
	struct pidring *engine;

	counters = shared_memory(4096);
	hook = pidring_add_after_fork_hook(count_up, (void *)1);
	finalizer = pidring_add_finalizer(count_up, (void *)4, 0);
	check(hook > 0 && finalizer > 0);
	engine = open_served();
	check_int(finish(start_served(engine, have_finalizers, NULL, 0)), 8);
	check_int(counters[1], 1);
	check_int(counters[2], 1);
	check_int(counters[3], 1);
	check_int(counters[4], 0);
	check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	check_int(counters[1], 2);
	check_int(pidring_remove_after_fork_hook(hook), 0);
	check_int(pidring_cancel_finalizer(finalizer), 0);
	close_engine(engine);
}

static int fail_here(void *argument)
{
	(void)argument;
	printf("printed");
	pidring_fail("no luck");
}

/* A failure is told on stderr, and what was printed is flushed. */
SCENARIO(forkserver, failing_target)
{
	struct pidring_captured captured = { .size = sizeof(captured) };
	struct pidring_options options = { .size = sizeof(options),
		                           .target = fail_here,
		                           .name = "unlucky",
		                           .start_method = PIDRING_FORKSERVER };

	check_int(pidring_capture(&captured, &options, NULL), 0);
	check_text(captured.output.data, "printed");
	check_text(captured.error.data, "Process unlucky:\nno luck\n");
	check_int(captured.record.code, 1);
	pidring_captured_release(&captured);
}

/* What the application has printed and not flushed when the server was made is not printed by children. */
SCENARIO(forkserver, nothing_printed_twice)
{
	const char *output;

	check_int(run_subprogram("forkserver_prints", NULL, &output), 0);
	check_text(output, "before\nbetween\n");
}

SUBPROGRAM(forkserver_prints)
{
	static char buffer[4096];
	struct pidring *engine;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	printf("before\n");
	engine = open_served();
	for (int i = 0; i < 3; i++)
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	printf("between\n");
	for (int i = 0; i < 3; i++)
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	close_engine(engine);
	return 0;
}

static int have_children(void *argument)
{
	int depth = *(int *)argument;
	struct pidring *engine = open_parked(2);
	struct pidring_process *process;
	int less = depth - 1;

	check_int(pidring_parent_process() != NULL, 1);
	if (depth > 0) {
		process = start_served(engine, have_children, &less, sizeof(less));
		check_served(engine, process);
		check_int(finish(process), depth - 1);
	}
	check_int(finish(start_served_program(engine, (const char *[]){ "true", NULL })), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	if (depth % 2 == 0)
		close_engine(engine);
	return depth;
}

/* A server's child opens an engine of its own, with servers of its own, and so on; whether it closes it or not. */
SCENARIO(forkserver, nested)
{
	struct pidring *engine = open_served();
	int depth = 3;

	check_int(finish(start_served(engine, have_children, &depth, sizeof(depth))), 3);
	close_engine(engine);
}

static struct pidring *inherited;

static int use_inherited(void *argument)
{
	(void)argument;
	check_int(finish(start_function(inherited, return_zero, NULL)), 0);
	check_int(finish(start_served(inherited, return_zero, NULL, 0)), 0);
	return 0;
}

/* The application's engine becomes a new one in the child, as in any fork, if it was there when the server was made. */
SCENARIO(forkserver, inherited_engine)
{
	inherited = open_engine();
	check_int(finish(start_served(inherited, use_inherited, NULL, 0)), 0);
	check_still_serves(inherited);
	close_engine(inherited);
}

/* Events come as for any other process. */
SCENARIO(forkserver, events)
{
	struct pidring *engine = open_served();
	struct pidring_event event;
	int code = 3, told = 0;
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .target = read_number,
	                                                      .argument = &code,
	                                                      .argument_length = sizeof(code),
	                                                      .user_data = &told,
	                                                      .start_method = PIDRING_FORKSERVER });

	check_int(pidring_process_start(process), 0);
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 3);
	check(event.process == process && event.user_data == &told && event.last);
	pidring_process_free(process);
	check_int(pidring_outstanding(engine), 0);
	close_engine(engine);
}
