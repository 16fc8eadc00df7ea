/* SPDX-License-Identifier: MIT */
/* Nothing leaks: no descriptor into children, no zombie, no memory, and nothing of the host's is touched. */
#define _GNU_SOURCE
#include "scenario.h"

#include <dirent.h>
#include <malloc.h>
#include <sys/stat.h>

static int small_or(int small, int normal)
{
	return getenv("PIDRING_TEST_SMALL") != NULL ? small : normal;
}

/* --- descriptors in children --- */

/* Prints the open descriptors as "NUMBER=WHAT " each. */
static void print_descriptors(void)
{
	for (int descriptor = 0; descriptor < 1024; descriptor++) {
		char path[64];
		char what[256];
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
		length = readlink(path, what, sizeof(what) - 1);
		if (length < 0)
			continue;
		what[length] = '\0';
		dprintf(STDOUT_FILENO, "%d=%s ", descriptor, what);
	}
}

SUBPROGRAM(hygiene_list_descriptors)
{
	for (int descriptor = 0; descriptor < 1024; descriptor++)
		if (fcntl(descriptor, F_GETFD) >= 0)
			dprintf(STDOUT_FILENO, "%d ", descriptor);
	return 0;
}

/* An engine in full use: watched children, a descriptor for loops, an asynchronous start in its past. */
static struct pidring *busy_engine(struct pidring_process *running[3])
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	const char *const good[] = { "true", NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = good, .asynchronous = true });

	check(pidring_fd(engine) >= 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	pidring_process_free(process);
	running[0] = start_function(engine, sleep_forever, NULL);
	running[1] = start_program(engine, "sleep", "1000", NULL);
	running[2] = start_process(
		engine, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	return engine;
}

static void end_busy_engine(struct pidring *engine, struct pidring_process *running[3])
{
	for (int i = 0; i < 3; i++)
		kill_and_free(running[i]);
	close_engine(engine);
}

/* As output_of; the pipe stays open until the program runs. */
static const char *output_of_asynchronous(struct pidring *engine, const char *const *argv)
{
	struct pidring_options options = { .argv = argv, .asynchronous = true };
	struct pidring_process *process;
	struct pidring_event event;
	const char *text;
	int ends[2];

	open_pipe(ends);
	options.stdout_to = PIDRING_STREAM_DESCRIPTOR;
	options.stdout_descriptor = ends[1];
	process = start_process(engine, options);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	close(ends[1]);
	text = read_all(ends[0]);
	close(ends[0]);
	check_int(finish(process), 0);
	return text;
}

/* A program has 0, 1 and 2, however busy the engine, also when it starts asynchronously or as a daemon. */
SCENARIO(hygiene, programs_have_three_descriptors)
{
	struct pidring_process *running[3];
	struct pidring *engine = busy_engine(running);
	const char *const argv[] = { own_path(), "--sub", "hygiene_list_descriptors", NULL };
	int inheritable = dup(STDERR_FILENO);

	check_text(output_of(engine, (struct pidring_options){ .argv = argv }, NULL), "0 1 2 ");
	check_text(output_of(engine, (struct pidring_options){ .argv = argv, .daemon = PIDRING_YES }, NULL),
	           "0 1 2 ");
	check_text(output_of_asynchronous(engine, argv), "0 1 2 ");
	close(inheritable);
	end_busy_engine(engine, running);
}

/* A program that keeps descriptors has those of the host that are not close-on-exec, and none of the
 * engine's. */
SCENARIO(hygiene, kept_descriptors)
{
	struct pidring_process *running[3];
	struct pidring *engine = busy_engine(running);
	const char *const argv[] = { own_path(), "--sub", "hygiene_list_descriptors", NULL };
	int inheritable = fcntl(STDERR_FILENO, F_DUPFD, 200);
	int private_one = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 200);
	char expected[1024] = "";
	size_t length = 0;

	check(inheritable >= 200 && private_one >= 200);
	for (int descriptor = 0; descriptor < 1024; descriptor++) {
		int flags = fcntl(descriptor, F_GETFD);

		if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
			length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%d ",
			                           descriptor);
		check(length < sizeof(expected));
	}
	check_text(
		output_of(engine, (struct pidring_options){ .argv = argv, .keep_descriptors = true }, NULL),
		expected);
	close(inheritable);
	close(private_one);
	end_busy_engine(engine, running);
}

static int print_descriptors_as_child(void *argument)
{
	(void)argument;
	print_descriptors();
	return 0;
}

static int count_parts(const char *text, const char *part)
{
	int count = 0;

	for (text = strstr(text, part); text != NULL; text = strstr(text + 1, part))
		count++;
	return count;
}

static char *own_copy(const char *text)
{
	static char copy[65536];

	check(strlen(text) < sizeof(copy));
	return strcpy(copy, text);
}

static void remember_descriptors(bool *open_before)
{
	for (int descriptor = 0; descriptor < 1024; descriptor++)
		open_before[descriptor] = descriptor_is_open(descriptor);
}

/* What was not there before the engine is a sentinel, or the pipe that the list is written to. */
static void check_new_ones_are_sentinels(char *text, const bool *open_before)
{
	for (char *part = strtok(text, " "); part != NULL; part = strtok(NULL, " ")) {
		long descriptor = strtol(part, NULL, 10);

		check(descriptor >= 0 && descriptor < 1024);
		if (!open_before[descriptor] && strstr(part, "pidfd") == NULL &&
		    strstr(part, "pipe:") == NULL)
			fail("the child has %s", part);
	}
}

/* A function child has none of what the engine works with: it may have the sentinels of its siblings and that
 * of its parent. */
SCENARIO(hygiene, function_children_have_no_engine)
{
	bool open_before[1024];
	struct pidring_process *running[3];
	struct pidring *engine;

	remember_descriptors(open_before);
	engine = busy_engine(running);

	for (int kind = 0; kind < 3; kind++) {
		const char *text = output_of(
			engine,
			(struct pidring_options){ .target = print_descriptors_as_child,
		                                  .libc_fork = kind == 1,
		                                  .daemon = kind == 2 ? PIDRING_YES : PIDRING_INHERITED },
			NULL);

		check_contains(text, "0=/dev/null ");
		check_int(count_parts(text, "io_uring"), 0);
		check_int(count_parts(text, "eventpoll"), 0);
		check_int(count_parts(text, "eventfd"), 0);
		check_int(count_parts(text, "timerfd"), 0);
		check(count_parts(text, "pidfd") <= 4);
		check_new_ones_are_sentinels(own_copy(text), open_before);
	}
	end_busy_engine(engine, running);
}

static int drop_and_print(void *argument)
{
	(void)argument;
	check_int(pidring_drop_inherited(), 3);
	print_descriptors();
	return 0;
}

/* When it drops what it inherited, its parent's sentinel is all that can remain. */
SCENARIO(hygiene, function_children_can_drop_sentinels)
{
	struct pidring_process *running[3];
	struct pidring *engine = busy_engine(running);
	const char *text = output_of(engine, (struct pidring_options){ .target = drop_and_print }, NULL);

	check(count_parts(text, "pidfd") <= 1);
	end_busy_engine(engine, running);
}

/* Whatever the library opens is close-on-exec, and an engine is at most ten descriptors. */
SCENARIO(hygiene, everything_is_close_on_exec)
{
	bool before[1024];
	struct pidring_process *running[3];
	struct pidring *engine;
	int opened = 0;

	remember_descriptors(before);
	engine = busy_engine(running);
	for (int descriptor = 0; descriptor < 1024; descriptor++) {
		if (before[descriptor] || !descriptor_is_open(descriptor))
			continue;
		check(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
		opened++;
	}
	check(opened >= 3);
	/* A server and the child that is kept for its place are two, and what is parked may be three. */
	check(opened - 3 <= 11 + (start_method_is_varied() ? 5 : 0));
	end_busy_engine(engine, running);
}

/* --- zombies --- */

static void check_reaped(pid_t pid)
{
	siginfo_t information = { 0 };

	check(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0);
	check_int(errno, ECHILD);
}

enum way_to_reap {
	BY_JOIN,
	BY_LOOKING_JOIN,
	BY_JOIN_ALL,
	BY_IS_ALIVE,
	BY_EXIT_CODE,
	BY_EXIT_RECORD,
	BY_DESCRIBE,
	BY_ACTIVE_CHILDREN,
	BY_NEXT_START,
	BY_CLOSE,
	BY_FREE,
	BY_WAIT,
	WAYS_TO_REAP,
};

static void reap_by(enum way_to_reap way, struct pidring *engine, struct pidring_process *process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct pidring_event event;
	int code;

	switch (way) {
	case BY_JOIN:
		check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		break;
	case BY_LOOKING_JOIN:
		check_int(pidring_process_join(process, 0), 0);
		break;
	case BY_JOIN_ALL:
		check_int(pidring_join_all(&process, 1, 0), 0);
		break;
	case BY_IS_ALIVE:
		check_int(pidring_process_is_alive(process), 0);
		break;
	case BY_EXIT_CODE:
		check_int(pidring_process_exit_code(process, &code), 0);
		break;
	case BY_EXIT_RECORD:
		check_int(pidring_process_exit_record(process, &record), 0);
		break;
	case BY_DESCRIBE:
		check_contains(describe(process), " stopped");
		break;
	case BY_ACTIVE_CHILDREN:
		check_int(pidring_active_children(NULL, 0), 0);
		break;
	case BY_NEXT_START:
		check_int(finish(start_function(engine, return_zero, NULL)), 0);
		break;
	case BY_CLOSE:
		check_int(pidring_process_close(process), 0);
		break;
	case BY_FREE:
		pidring_process_free(process);
		break;
	default:
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	}
}

/* Every call that sees an end reaps it: no zombie is left by any. */
SCENARIO(hygiene, no_zombies)
{
	struct pidring *engine = open_engine();

	for (enum way_to_reap way = BY_JOIN; way < WAYS_TO_REAP; way++) {
		struct pidring_process *process = start_function(engine, return_zero, NULL);
		pid_t pid = pidring_process_pid(process);

		wait_ended(process);
		reap_by(way, engine, process);
		check_reaped(pid);
		if (way != BY_FREE)
			pidring_process_free(process);
	}
	close_engine(engine);
}

/* A detached child is reaped by the next start, by active_children and by waiting. */
SCENARIO(hygiene, no_detached_zombies)
{
	struct pidring *engine = open_engine();

	for (int way = 0; way < 3; way++) {
		struct latch latch = latch_open();
		struct pidring_process *process = start_function(engine, wait_for_latch, &latch);
		pid_t pid = pidring_process_pid(process);
		siginfo_t information = { 0 };
		struct pidring_event event;

		pidring_process_free(process);
		latch_release(&latch);
		waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL);
		if (way == 0)
			check_int(finish(start_function(engine, return_zero, NULL)), 0);
		else if (way == 1)
			check_int(pidring_active_children(NULL, 0), 0);
		else
			check_int(pidring_wait(engine, &event, 1, 0), 0);
		check_reaped(pid);
		check_int(pidring_live_objects(), 0);
		latch_close(&latch);
	}
	close_engine(engine);
}

/* --- flat use of memory and descriptors --- */

struct use {
	int descriptors;
	size_t heap;
	int mappings;
	long resident; /* pages */
};

static int count_lines(const char *path)
{
	FILE *file = fopen(path, "re");
	int count = 0;
	int character;

	check(file != NULL);
	while ((character = getc(file)) != EOF)
		count += character == '\n';
	fclose(file);
	return count;
}

static struct use measure(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	struct mallinfo2 heap = mallinfo2();
	struct use use;

	check(file != NULL);
	check_int(fscanf(file, "%*d %ld", &use.resident), 1);
	fclose(file);
	use.descriptors = count_descriptors();
	use.heap = heap.uordblks + heap.hblkhd;
	use.mappings = count_lines("/proc/self/maps");
	return use;
}

static void check_flat(const struct use *before)
{
	struct use after = measure();

	check_int(after.descriptors, before->descriptors);
	check_int(pidring_live_objects(), 0);
	if (getenv("PIDRING_TEST_SMALL") != NULL)
		return; /* what watches memory there, uses some itself */
	if (after.heap > before->heap + 16384)
		fail("the heap in use grew from %zu to %zu bytes", before->heap, after.heap);
	if (after.mappings > before->mappings + 4)
		fail("the mappings grew from %d to %d", before->mappings, after.mappings);
	if (after.resident > before->resident + 128)
		fail("the resident pages grew from %ld to %ld", before->resident, after.resident);
}

/* Does it a while until everything has been allocated once, measures, and does it often. */
static void check_cycles_are_flat(void (*cycle)(struct pidring *), int often)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	struct use before;

	for (int i = 0; i < 100; i++)
		cycle(engine);
	before = measure();
	for (int i = 0; i < often; i++)
		cycle(engine);
	/* An engine lets go of what it watched when it is next asked. */
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_flat(&before);
	close_engine(engine);
}

static void function_cycle(struct pidring *engine)
{
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
}

/* 2,000 functions, joined. */
SCENARIO(hygiene, flat_functions)
{
	check_cycles_are_flat(function_cycle, small_or(50, 2000));
}

static void function_event_cycle(struct pidring *engine)
{
	struct pidring_event event;

	start_function(engine, return_zero, NULL);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	pidring_process_free(event.process);
}

/* 2,000 functions, fetched as events. */
SCENARIO(hygiene, flat_events)
{
	check_cycles_are_flat(function_event_cycle, small_or(50, 2000));
}

static void program_cycle(struct pidring *engine)
{
	check_int(finish(start_program(engine, "/bin/true", NULL)), 0);
}

/* 1,000 programs, joined. */
SCENARIO(hygiene, flat_programs)
{
	check_cycles_are_flat(program_cycle, small_or(20, 1000));
}

static void asynchronous_cycle(struct pidring *engine)
{
	const char *const argv[] = { "/bin/true", NULL };
	struct pidring_event event;

	start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	pidring_process_free(event.process);
}

/* 1,000 asynchronous starts. */
SCENARIO(hygiene, flat_asynchronous)
{
	check_cycles_are_flat(asynchronous_cycle, small_or(20, 1000));
}

static void asynchronous_burst(struct pidring *engine)
{
	const char *const argv[] = { "/bin/true", NULL };
	struct pidring_process *processes[8];

	for (int i = 0; i < 8; i++)
		processes[i] =
			start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	for (int i = 0; i < 8; i++)
		check_int(finish(processes[i]), 0);
}

/* Bursts of asynchronous starts whose events nobody fetches before the objects are freed. */
SCENARIO(hygiene, flat_asynchronous_bursts)
{
	check_cycles_are_flat(asynchronous_burst, small_or(3, 120));
}

static void failing_cycle(struct pidring *engine)
{
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const absent[] = { "pidring-no-such-program", NULL };
	const char *const good[] = { "/bin/true", NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = missing });

	check_int(pidring_process_start(process), -ENOENT);
	pidring_process_free(process);
	process = new_process(engine, (struct pidring_options){ .argv = absent });
	check_int(pidring_process_start(process), -ENOENT);
	pidring_process_free(process);
	process = new_process(engine,
	                      (struct pidring_options){ .argv = good, .working_directory = "/nonexistent" });
	check_int(pidring_process_start(process), -ENOENT);
	pidring_process_free(process);
	process = new_process(engine, (struct pidring_options){ .argv = missing, .asynchronous = true });
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 127);
}

/* 1,000 failing starts of each kind. */
SCENARIO(hygiene, flat_failing_starts)
{
	check_cycles_are_flat(failing_cycle, small_or(10, 1000));
}

static void construct_cycle(struct pidring *engine)
{
	const char *const argv[] = { "program", "with", "arguments", NULL };
	const char *const extra[] = { "A=b", "C", NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){
								      .argv = argv,
								      .name = "a name",
								      .extra_environment = extra,
								      .working_directory = "/tmp",
							      });

	check_int(pidring_process_set_name(process, "another name"), 0);
	check_int(pidring_process_set_authkey(process, "key", 3), 0);
	pidring_process_free(process);
}

/* 20,000 objects that are never started. */
SCENARIO(hygiene, flat_constructions)
{
	check_cycles_are_flat(construct_cycle, small_or(500, 20000));
}

static void detach_cycle(struct pidring *engine)
{
	int ends[2];

	open_pipe(ends);
	pidring_process_free(start_process(engine, (struct pidring_options){
							   .target = return_zero,
							   .stdout_to = PIDRING_STREAM_DESCRIPTOR,
							   .stdout_descriptor = ends[1],
						   }));
	close(ends[1]);
	check_text(read_all(ends[0]), "");
	close(ends[0]);
	while (!has_no_children())
		pidring_active_children(NULL, 0);
}

/* 500 children whose objects are freed while they run. */
SCENARIO(hygiene, flat_detached)
{
	check_cycles_are_flat(detach_cycle, small_or(10, 500));
}

static void engine_cycle(struct pidring *outer)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;

	(void)outer;
	check(pidring_fd(engine) >= 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	close_engine(engine);
	pidring_process_free(process);
}

/* 500 engines, opened, used and closed. */
SCENARIO(hygiene, flat_engines)
{
	check_cycles_are_flat(engine_cycle, small_or(20, 500));
}

static void unused_descriptor_cycle(struct pidring *engine)
{
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;

	/* Watched, then freed with the event pending. */
	check(pidring_wait(engine, &event, 1, 0) >= 0);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	pidring_process_free(process);
}

/* 1,000 children that were watched and freed before their event was fetched. */
SCENARIO(hygiene, flat_dropped_events)
{
	check_cycles_are_flat(unused_descriptor_cycle, small_or(20, 1000));
}

/* --- the host's own affairs --- */

/* A child that the host made itself is never reaped by the library. */
SCENARIO(hygiene, children_of_the_host)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	int status = 0;
	pid_t own = fork();

	check(own >= 0);
	if (own == 0)
		_exit(42);
	check_int(waitid(P_PID, (id_t)own, &(siginfo_t){ 0 }, WEXITED | WNOWAIT | __WALL), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(finish(start_program(engine, "true", NULL)), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_join_all(NULL, 0, 0), 0);
	close_engine(engine);
	check_int(waitpid(own, &status, WNOHANG | __WALL), own);
	check_int(WEXITSTATUS(status), 42);
}

static void use_everything(void)
{
	struct pidring_process *running[3];
	struct pidring *engine = busy_engine(running);
	const char *const missing[] = { "/nonexistent/program", NULL };
	struct pidring_process *failing = new_process(engine, (struct pidring_options){ .argv = missing });

	check_int(pidring_process_start(failing), -ENOENT);
	pidring_process_free(failing);
	pidring_current_process();
	end_busy_engine(engine, running);
}

/* Dispositions, working directory, umask and limits of the host stay as they are. */
SCENARIO(hygiene, host_stays_as_it_is)
{
	struct sigaction before[65];
	struct sigaction after;
	struct rlimit limit_before;
	struct rlimit limit_after;
	char directory_before[4096];
	char directory_after[4096];
	mode_t mask = umask(027);

	check(getcwd(directory_before, sizeof(directory_before)) != NULL);
	check_int(getrlimit(RLIMIT_NOFILE, &limit_before), 0);
	for (int number = 1; number < 65; number++)
		sigaction(number, NULL, &before[number]);
	use_everything();
	for (int number = 1; number < 65; number++) {
		if (sigaction(number, NULL, &after) < 0)
			continue;
		check(after.sa_handler == before[number].sa_handler);
		check_int(after.sa_flags, before[number].sa_flags);
	}
	check(getcwd(directory_after, sizeof(directory_after)) != NULL);
	check_text(directory_after, directory_before);
	check_int(getrlimit(RLIMIT_NOFILE, &limit_after), 0);
	check_int(limit_after.rlim_cur, limit_before.rlim_cur);
	check_int(umask(mask), 027);
}

static volatile sig_atomic_t children_signals;

static void count_child_signal(int signal_number)
{
	(void)signal_number;
	children_signals++;
}

/* SIGCHLD comes to the host's handler as for any other child. */
SCENARIO(hygiene, sigchld_reaches_the_host)
{
	struct pidring *engine = open_engine();

	check(signal(SIGCHLD, count_child_signal) != SIG_ERR);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check(children_signals >= 1);
	children_signals = 0;
	check_int(finish(start_program(engine, "true", NULL)), 0);
	check(children_signals >= 1);
	close_engine(engine);
}

SUBPROGRAM(hygiene_silent)
{
	struct pidring *engine;
	struct pidring_process *process;

	use_everything();
	engine = open_engine();
	process = start_function(engine, sleep_forever, NULL);
	check_int(pidring_process_join(NULL, 0), -EINVAL);
	check_int(pidring_process_close(process), -EBUSY);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_process_signal(process, 12345), -EINVAL);
	kill_and_free(process);
	start_process(engine, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
	return 0;
}

/* The library prints nothing, whatever fails. */
SCENARIO(hygiene, library_is_silent)
{
	const char *output;

	check_int(run_subprogram("hygiene_silent", NULL, &output), 0);
	check_text(output, "");
}
