/* SPDX-License-Identifier: MIT */
/* No descriptor leaks: what children have, and what an engine keeps open. */
#define _GNU_SOURCE
#include "busy_engine.h"

/* --- programs --- */

SUBPROGRAM(hygiene_list_descriptors)
{
	for (int descriptor = 0; descriptor < 1024; descriptor++)
		if (fcntl(descriptor, F_GETFD) >= 0)
			dprintf(STDOUT_FILENO, "%d ", descriptor);
	return 0;
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
SCENARIO(hygiene_descriptors, programs_have_three_descriptors)
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
SCENARIO(hygiene_descriptors, kept_descriptors)
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

/* --- functions --- */

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
SCENARIO(hygiene_descriptors, function_children_have_no_engine)
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
SCENARIO(hygiene_descriptors, function_children_can_drop_sentinels)
{
	struct pidring_process *running[3];
	struct pidring *engine = busy_engine(running);
	const char *text = output_of(engine, (struct pidring_options){ .target = drop_and_print }, NULL);

	check(count_parts(text, "pidfd") <= 1);
	end_busy_engine(engine, running);
}

/* --- the host --- */

/* Whatever the library opens is close-on-exec, and an engine is at most ten descriptors. */
SCENARIO(hygiene_descriptors, everything_is_close_on_exec)
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
