/* SPDX-License-Identifier: MIT */
/* Everyday work of scenarios: engines, processes, latches, pipes, control groups and other programs. */
#define _GNU_SOURCE
#include "scenario.h"

#include <spawn.h>
#include <stdarg.h>

extern char **environ;

/* --- engines and processes --- */

struct pidring *open_engine(void)
{
	struct pidring *engine = NULL;
	const char *backend = getenv("PIDRING_BACKEND");
	int result = pidring_open(&engine, NULL);

	if ((result == -ENOSYS || result == -EPERM) && backend != NULL && strcmp(backend, "uring") == 0)
		skip("io_uring is missing or forbidden here");
	check_int(result, 0);
	check(engine != NULL);
	return engine;
}

void close_engine(struct pidring *engine)
{
	check_int(pidring_close(engine), 0);
}

struct pidring_features features_of(struct pidring *engine)
{
	struct pidring_features features = { .size = sizeof(features) };

	check_int(pidring_features(engine, &features), 0);
	return features;
}

struct pidring_statistics statistics_of(struct pidring *engine)
{
	struct pidring_statistics statistics = { .size = sizeof(statistics) };

	check_int(pidring_statistics(engine, &statistics), 0);
	return statistics;
}

struct pidring_process *new_process(struct pidring *engine, struct pidring_options options)
{
	struct pidring_process *process = NULL;

	options.size = sizeof(options);
	check_int(pidring_process_new(&process, engine, &options), 0);
	check(process != NULL);
	return process;
}

struct pidring_process *new_function(struct pidring *engine, int (*target)(void *), void *argument)
{
	return new_process(engine, (struct pidring_options){ .target = target, .argument = argument });
}

struct pidring_process *start_process(struct pidring *engine, struct pidring_options options)
{
	struct pidring_process *process = new_process(engine, options);

	check_int(pidring_process_start(process), 0);
	return process;
}

struct pidring_process *start_function(struct pidring *engine, int (*target)(void *), void *argument)
{
	return start_process(engine, (struct pidring_options){ .target = target, .argument = argument });
}

struct pidring_process *start_program(struct pidring *engine, const char *first, ...)
{
	const char *argv[32] = { first };
	size_t count = 1;
	va_list arguments;

	va_start(arguments, first);
	do {
		check(count < sizeof(argv) / sizeof(argv[0]));
		argv[count] = va_arg(arguments, const char *);
	} while (argv[count++] != NULL);
	va_end(arguments);
	return start_process(engine, (struct pidring_options){ .argv = argv });
}

int join_code(struct pidring_process *process)
{
	int code = 12345;

	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_process_exit_code(process, &code), 0);
	return code;
}

int finish(struct pidring_process *process)
{
	int code = join_code(process);

	pidring_process_free(process);
	return code;
}

void kill_and_free(struct pidring_process *process)
{
	check_int(pidring_process_kill(process), 0);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	pidring_process_free(process);
}

void check_in_child(int (*target)(void *), void *argument)
{
	struct pidring *engine = open_engine();

	check_int(finish(start_function(engine, target, argument)), 0);
	close_engine(engine);
}

static bool poll_descriptor(int descriptor, int milliseconds)
{
	struct pollfd entry = { .fd = descriptor, .events = POLLIN };
	int count;

	do
		count = poll(&entry, 1, milliseconds);
	while (count < 0 && errno == EINTR);
	check(count >= 0);
	check((entry.revents & POLLNVAL) == 0);
	return count == 1;
}

void wait_ended(struct pidring_process *process)
{
	int sentinel = pidring_process_sentinel(process);

	check(sentinel >= 0);
	check(poll_descriptor(sentinel, -1));
}

bool is_readable(int descriptor)
{
	return poll_descriptor(descriptor, 0);
}

const char *describe(struct pidring_process *process)
{
	static char text[8192];
	int length = pidring_process_describe(process, text, sizeof(text));

	check(length >= 0);
	check_int(length, strlen(text));
	return text;
}

const char *name_of(struct pidring_process *process)
{
	static char text[8192];
	int length = pidring_process_name(process, text, sizeof(text));

	check(length >= 0);
	check_int(length, strlen(text));
	return text;
}

int return_argument(void *argument)
{
	return *(int *)argument;
}

int return_zero(void *argument)
{
	(void)argument;
	return 0;
}

int sleep_forever(void *argument)
{
	(void)argument;
	for (;;)
		pause();
}

int wait_for_latch(void *latch)
{
	latch_wait(latch);
	return 0;
}

/* --- latches, pipes, text --- */

void open_pipe(int ends[2])
{
	check_int(pipe2(ends, O_CLOEXEC), 0);
	start_method_passes(ends[0]);
	start_method_passes(ends[1]);
}

struct latch latch_open(void)
{
	int ends[2];

	open_pipe(ends);
	return (struct latch){ .reader = ends[0], .writer = ends[1] };
}

void latch_release(struct latch *latch)
{
	ssize_t count;

	do
		count = write(latch->writer, "!", 1);
	while (count < 0 && errno == EINTR);
	check_int(count, 1);
}

void latch_wait(struct latch *latch)
{
	char byte;
	ssize_t count;

	do
		count = read(latch->reader, &byte, 1);
	while (count < 0 && errno == EINTR);
	check_int(count, 1);
}

void latch_close(struct latch *latch)
{
	close(latch->reader);
	close(latch->writer);
}

const char *read_all(int descriptor)
{
	static char text[65536];
	size_t length = 0;

	for (;;) {
		ssize_t count = read(descriptor, text + length, sizeof(text) - 1 - length);

		if (count < 0 && errno == EINTR)
			continue;
		check(count >= 0);
		if (count == 0)
			break;
		length += (size_t)count;
		check(length < sizeof(text) - 1);
	}
	text[length] = '\0';
	return text;
}

const char *output_of(struct pidring *engine, struct pidring_options options, int *ret_code)
{
	struct pidring_process *process;
	const char *text;
	int ends[2];
	int code;

	open_pipe(ends);
	options.stdout_to = PIDRING_STREAM_DESCRIPTOR;
	options.stdout_descriptor = ends[1];
	process = start_process(engine, options);
	close(ends[1]);
	text = read_all(ends[0]);
	close(ends[0]);
	code = finish(process);
	if (ret_code != NULL)
		*ret_code = code;
	else
		check_int(code, 0);
	return text;
}

/* --- control groups --- */

struct pidring_cgroup *open_group_with(struct pidring *engine, struct pidring_cgroup_options options)
{
	struct pidring_cgroup *group = NULL;
	int result;

	options.size = sizeof(options);
	result = pidring_cgroup_new(&group, engine, &options);
	if (result == -ENOSYS)
		skip("no control groups of version 2 are mounted");
	if (result == -EACCES || result == -EPERM || result == -EROFS)
		skip("no control group can be made here");
	check_int(result, 0);
	check(group != NULL);
	return group;
}

void enter_group(struct pidring_cgroup *group, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pid);
	check_int(pidring_cgroup_write(group, "cgroup.procs", text), 0);
}

/* --- other programs --- */

const char *own_path(void)
{
	static char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	check(length > 0);
	path[length] = '\0';
	return path;
}

int run_subprogram(const char *name, const char *argument, const char **ret_output)
{
	char *argv[] = { (char *)own_path(), "--sub", (char *)name, (char *)argument, NULL };
	posix_spawn_file_actions_t actions;
	const char *text;
	int ends[2];
	int status;
	pid_t pid;

	open_pipe(ends);
	check_int(posix_spawn_file_actions_init(&actions), 0);
	check_int(posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0), 0);
	check_int(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
	check_int(posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO), 0);
	check_int(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	text = read_all(ends[0]);
	close(ends[0]);
	check_int(waitpid(pid, &status, 0), pid);
	if (ret_output != NULL)
		*ret_output = text;
	else if (text[0] != '\0')
		dprintf(STDERR_FILENO, "%s", text);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool copy_file(const char *from, const char *to)
{
	char block[65536];
	int source = open(from, O_RDONLY | O_CLOEXEC);
	int target = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t count;

	check(source >= 0);
	check(target >= 0);
	while ((count = read(source, block, sizeof(block))) > 0)
		check_int(write(target, block, (size_t)count), count);
	check_int(close(source), 0);
	check_int(close(target), 0);
	return count == 0;
}
