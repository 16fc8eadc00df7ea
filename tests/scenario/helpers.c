/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <dirent.h>
#include <spawn.h>
#include <stdarg.h>
#include <time.h>

extern char **environ;

/* --- checks --- */

static void print_explanation(void)
{
	const char *sentence = pidring_explain();

	if (sentence[0] != '\0')
		dprintf(STDERR_FILENO, "  the last explanation: %s\n", sentence);
}

PIDRING_NORETURN static void give_up(void)
{
	print_explanation();
	_exit(EXIT_FAILED);
}

void check_true(const char *file, int line, const char *expression, bool value)
{
	if (value)
		return;
	dprintf(STDERR_FILENO, "%s:%d: not true: %s\n", file, line, expression);
	give_up();
}

static const char *error_name(long long value)
{
	const char *name = NULL;

	if (value < 0 && value > -4096)
		name = strerrorname_np((int)-value);
	return name;
}

static void print_value(const char *label, long long value)
{
	const char *name = error_name(value);

	if (name != NULL)
		dprintf(STDERR_FILENO, "  %s: %lld (-%s)\n", label, value, name);
	else
		dprintf(STDERR_FILENO, "  %s: %lld\n", label, value);
}

void check_equal(const char *file, int line, const char *what, const char *expected_text, long long actual,
                 long long expected)
{
	if (actual == expected)
		return;
	dprintf(STDERR_FILENO, "%s:%d: %s is not %s\n", file, line, what, expected_text);
	print_value("it is", actual);
	print_value("expected", expected);
	give_up();
}

void check_same_text(const char *file, int line, const char *what, const char *actual, const char *expected)
{
	if (actual != NULL && expected != NULL && strcmp(actual, expected) == 0)
		return;
	if (actual == NULL && expected == NULL)
		return;
	dprintf(STDERR_FILENO, "%s:%d: %s is not what was expected\n  it is: %s\n  expected: %s\n", file,
	        line, what, actual == NULL ? "(NULL)" : actual, expected == NULL ? "(NULL)" : expected);
	give_up();
}

void check_text_contains(const char *file, int line, const char *what, const char *text, const char *part)
{
	if (text != NULL && strstr(text, part) != NULL)
		return;
	dprintf(STDERR_FILENO, "%s:%d: %s lacks a part\n  it is: %s\n  lacking: %s\n", file, line, what,
	        text == NULL ? "(NULL)" : text, part);
	give_up();
}

void fail_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	dprintf(STDERR_FILENO, "%s:%d: ", file, line);
	va_start(arguments, format);
	vdprintf(STDERR_FILENO, format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "\n");
	give_up();
}

void skip(const char *reason)
{
	dprintf(STDERR_FILENO, "skipped: %s\n", reason);
	_exit(EXIT_SKIPPED);
}

int small_or_normal(int small, int normal)
{
	return getenv("PIDRING_TEST_SMALL") != NULL ? small : normal;
}

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

/* --- what the kernel says --- */

/* Of the process that the pidfd is of; 0: it is no pidfd, or its process was reaped. */
static pid_t pid_of_pidfd(int descriptor)
{
	char path[64], line[128];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", descriptor);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (pid == 0 && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Pid: %d", &pid) != 1)
			pid = 0;
	fclose(file);
	return pid > 0 ? pid : 0;
}

const char *command_of(pid_t pid)
{
	static char name[64];
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	name[0] = '\0';
	file = fopen(path, "re");
	if (file == NULL)
		return name;
	if (fgets(name, sizeof(name), file) == NULL)
		name[0] = '\0';
	fclose(file);
	name[strcspn(name, "\n")] = '\0';
	return name;
}

bool is_servant(pid_t pid)
{
	const char *name = command_of(pid);

	return strcmp(name, "pidring-server") == 0 || strcmp(name, "pidring-parked") == 0;
}

bool has_no_children(void)
{
	FILE *file;
	int pid;

	if (!start_method_is_varied())
		return waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0;
	file = fopen("/proc/thread-self/children", "re");
	check(file != NULL);
	while (fscanf(file, "%d", &pid) == 1)
		if (!is_servant(pid)) {
			fclose(file);
			return false;
		}
	fclose(file);
	return true;
}

int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	check(directory != NULL);
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
		int descriptor = atoi(entry->d_name);
		pid_t pid;

		if (entry->d_name[0] == '.' || descriptor == dirfd(directory))
			continue;
		pid = start_method_is_varied() ? pid_of_pidfd(descriptor) : 0;
		if (pid == 0 || !is_servant(pid))
			count++;
	}
	closedir(directory);
	return count;
}

void lower_descriptor_limits(rlim_t soft, rlim_t hard)
{
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < hard)
		skip("the hard limit is lower than the scenario needs");
	limit.rlim_cur = soft;
	limit.rlim_max = hard;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && errno == EPERM)
		skip("the hard limit cannot be lowered here");
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(limit.rlim_max, hard);
}

bool descriptor_is_open(int descriptor)
{
	return fcntl(descriptor, F_GETFD) >= 0;
}

char process_state(pid_t pid)
{
	char path[64];
	char text[512];
	const char *after_name;
	ssize_t length;
	int descriptor;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return 0;
	length = read(descriptor, text, sizeof(text) - 1);
	close(descriptor);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	after_name = strrchr(text, ')');
	check(after_name != NULL);
	return after_name[2];
}

int64_t now(void)
{
	struct timespec time;

	check_int(clock_gettime(CLOCK_MONOTONIC, &time), 0);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* --- a slow program --- */

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

struct slow_program make_slow_program(void)
{
	struct slow_program program = { .directory = "/tmp/pidring-slow-XXXXXX" };

	check(signal(SIGIO, SIG_IGN) != SIG_ERR); /* the kernel's word that somebody wants the file */
	check(mkdtemp(program.directory) != NULL);
	snprintf(program.path, sizeof(program.path), "%s/slow", program.directory);
	check(copy_file("/bin/true", program.path));
	program.lease = open(program.path, O_RDONLY | O_CLOEXEC);
	check(program.lease >= 0);
	if (fcntl(program.lease, F_SETLEASE, F_WRLCK) < 0) {
		unlink(program.path);
		rmdir(program.directory);
		skip("files cannot be leased here");
	}
	return program;
}

static void skip_if_suspended(void)
{
	struct pidring *engine = open_engine();
	enum pidring_birth birth = features_of(engine).program_birth;

	close_engine(engine);
	if (birth == PIDRING_BIRTH_CLONE_VFORK)
		skip("on this path the caller is suspended until execve");
}

struct slow_program make_slow_program_unless_suspended(void)
{
	skip_if_suspended();
	return make_slow_program();
}

void let_go(struct slow_program *program)
{
	check_int(fcntl(program->lease, F_SETLEASE, F_UNLCK), 0);
	check_int(close(program->lease), 0);
}

void remove_slow_program(struct slow_program *program)
{
	check_int(unlink(program->path), 0);
	check_int(rmdir(program->directory), 0);
}
