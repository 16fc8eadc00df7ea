/* SPDX-License-Identifier: MIT */
/* Starts that fail: each with its reason, rolled back as a whole, and possible later. */
#define _GNU_SOURCE
#include "birth_helpers.h"

#include <sys/prctl.h>
#include <sys/stat.h>

static char *directory_for_files(void)
{
	static char path[64];

	strcpy(path, "/tmp/pidring-births-XXXXXX");
	check(mkdtemp(path) != NULL);
	return path;
}

static const char *file_in(const char *directory, const char *name)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];

	check((size_t)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name) < sizeof(paths[0]));
	return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(descriptor >= 0);
	check_int(write(descriptor, text, strlen(text)), strlen(text));
	check_int(close(descriptor), 0);
	check_int(chmod(path, mode), 0);
}

/* Nothing is left of a failed start but the reason for it. */
static void check_rolled_back(struct pidring_process *process, int descriptors)
{
	struct pidring_failure failure;

	check_int(count_descriptors(), descriptors);
	check(has_no_children());
	check_int(pidring_process_pid(process), -ESRCH);
	check_int(pidring_process_sentinel(process), -ESRCH);
	check_int(pidring_process_is_alive(process), 0);
	check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
	check_contains(describe(process), " initial");
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_failure(process, &failure), 0);
}

static void check_fails(struct pidring_process *process, int error, enum pidring_step step)
{
	struct pidring_failure failure;
	int descriptors = count_descriptors();

	for (int i = 0; i < 3; i++) {
		check_int(pidring_process_start(process), -error);
		check(strlen(pidring_explain()) > 0);
		check_rolled_back(process, descriptors);
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.error, error);
		check_int(failure.step, step);
		check(strlen(failure.sentence) > 0);
	}
}

static void check_starts_now(struct pidring_process *process)
{
	struct pidring_failure failure;

	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_failure(process, &failure), -ENODATA);
	check_int(finish(process), 0);
}

/* A program that is missing, and is there later. */
SCENARIO(births_failures, missing_program)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "program");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });

	check_fails(process, ENOENT, PIDRING_STEP_EXEC);
	check_int(symlink("/bin/true", path), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A name that no directory of PATH has: nothing is created at all. */
SCENARIO(births_failures, missing_in_path)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "pidring-test-program");
	const char *const argv[] = { "pidring-test-program", NULL };
	struct pidring_process *process;

	check_int(setenv("PATH", directory, 1), 0);
	process = new_process(engine, (struct pidring_options){ .argv = argv });
	check_fails(process, ENOENT, PIDRING_STEP_LOOK_UP);
	check_int(symlink("/bin/true", path), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A script whose interpreter is missing: the sentence names it. */
SCENARIO(births_failures, missing_interpreter)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "script");
	const char *interpreter = file_in(directory, "interpreter");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });
	struct pidring_failure failure;
	char text[300];

	snprintf(text, sizeof(text), "#!%s\n", interpreter);
	write_file(path, text, 0755);
	check_fails(process, ENOENT, PIDRING_STEP_INTERPRETER);
	check_int(pidring_process_failure(process, &failure), 0);
	check_contains(failure.sentence, "interpreter");
	check_int(symlink("/bin/true", interpreter), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(unlink(interpreter), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A file that may not be executed, also not by root. */
SCENARIO(births_failures, program_not_executable)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "script");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });

	write_file(path, "#!/bin/sh\nexit 0\n", 0644);
	check_fails(process, EACCES, PIDRING_STEP_EXEC);
	check_int(chmod(path, 0755), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A file in no format that the kernel knows is not handed to a shell. */
SCENARIO(births_failures, program_in_no_format)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "script");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });

	write_file(path, "exit 0\n", 0755);
	check_fails(process, ENOEXEC, PIDRING_STEP_EXEC);
	write_file(path, "#!/bin/sh\nexit 0\n", 0755);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A working directory that is missing, for a program. */
SCENARIO(births_failures, missing_directory_of_program)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "below");
	const char *const argv[] = { "true", NULL };
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .argv = argv, .working_directory = path });

	check_fails(process, ENOENT, PIDRING_STEP_WORKING_DIRECTORY);
	check_int(mkdir(path, 0700), 0);
	check_starts_now(process);
	check_int(rmdir(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A working directory that is missing, for a function: the start fails, not the child later. */
SCENARIO(births_failures, missing_directory_of_function)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "below");
	struct pidring_process *process = new_process(
		engine, (struct pidring_options){ .target = return_zero, .working_directory = path });

	check_fails(process, ENOENT, PIDRING_STEP_WORKING_DIRECTORY);
	check_int(mkdir(path, 0700), 0);
	check_starts_now(process);
	check_int(rmdir(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A stream whose descriptor was closed between construction and start. */
SCENARIO(births_failures, stream_closed_since)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "true", NULL };

	for (int kind = 0; kind < 2; kind++) {
		int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
		struct pidring_options options = { .stdout_to = PIDRING_STREAM_DESCRIPTOR,
			                           .stdout_descriptor = descriptor };
		struct pidring_process *process;
		int descriptors;

		if (kind == 0)
			options.argv = argv;
		else
			options.target = return_zero;
		process = new_process(engine, options);
		check_int(close(descriptor), 0);
		descriptors = count_descriptors();
		check_int(pidring_process_start(process), -EBADF);
		check_rolled_back(process, descriptors);
		check_int(open("/dev/null", O_RDWR | O_CLOEXEC), descriptor);
		check_starts_now(process);
		check_int(close(descriptor), 0);
	}
	close_engine(engine);
}

/* Many failing starts in a row leave no descriptor and no child. */
SCENARIO(births_failures, many_failing_starts)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/nonexistent/program", NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });
	int rounds = small_or_normal(20, 300);
	int descriptors;

	check_int(pidring_process_start(process), -ENOENT);
	descriptors = count_descriptors();
	for (int round = 0; round < rounds; round++)
		check_int(pidring_process_start(process), -ENOENT);
	check_rolled_back(process, descriptors);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- limits --- */

/* Only so many more descriptors can be opened. */
static struct rlimit leave_descriptors(int count)
{
	struct rlimit before;
	struct rlimit tight;
	int lowest[16] = { 0 };

	check(count < 16);
	check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	/* The next `count` free numbers are below the limit and no others. */
	for (int i = 0; i <= count; i++)
		lowest[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	tight.rlim_cur = (rlim_t)lowest[count];
	for (int i = 0; i <= count; i++)
		close(lowest[i]);
	check_int(setrlimit(RLIMIT_NOFILE, &tight), 0);
	return before;
}

static void check_with_few_descriptors(struct pidring *engine, struct pidring_options options)
{
	int failed = 0;
	int worked = 0;

	for (int left = 0; left < 12; left++) {
		struct pidring_process *process = new_process(engine, options);
		int descriptors = count_descriptors();
		struct rlimit before = leave_descriptors(left);
		int result = pidring_process_start(process);

		check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (result == 0) {
			worked++;
			check_int(finish(process), 0);
			continue;
		}
		check_int(result, -EMFILE);
		failed++;
		check_rolled_back(process, descriptors);
		check_starts_now(process);
	}
	check(failed >= 1);
	check(worked >= 1);
}

/* With too few free descriptors, however many, a start fails as a whole or works as a whole. */
SCENARIO(births_failures, few_descriptors)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "true", NULL };

	check_with_few_descriptors(engine, (struct pidring_options){ .target = return_zero });
	check_with_few_descriptors(engine,
	                           (struct pidring_options){ .target = return_zero, .libc_fork = true });
	check_with_few_descriptors(engine, (struct pidring_options){ .argv = argv });
	check_with_few_descriptors(engine, (struct pidring_options){ .argv = argv, .daemon = PIDRING_YES });
	check_with_few_descriptors(engine, (struct pidring_options){ .argv = argv,
	                                                             .stdin_to = PIDRING_STREAM_NULL,
	                                                             .stdout_to = PIDRING_STREAM_NULL });
	close_engine(engine);
}

/* The same for asynchronous starts, whose failure may come as an event. */
SCENARIO(births_failures, few_descriptors_asynchronous)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "true", NULL };

	for (int left = 0; left < 12; left++) {
		struct pidring_process *process =
			new_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
		int descriptors = count_descriptors();
		struct rlimit before = leave_descriptors(left);
		int result = pidring_process_start(process);

		if (result == 0)
			check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (result == 0) {
			pidring_process_free(process);
			continue;
		}
		check_int(result, -EMFILE);
		check_rolled_back(process, descriptors);
		pidring_process_free(process);
	}
	close_engine(engine);
}

SUBPROGRAM(births_process_limit)
{
	struct pidring *engine;
	struct rlimit before;
	struct rlimit tight;
	const char *const program[] = { "true", NULL };

	if (setgid(54321) < 0 || setuid(54321) < 0)
		skip("cannot become another user");
	check_int(prctl(PR_SET_DUMPABLE, 1), 0);
	engine = open_engine();
	check_int(getrlimit(RLIMIT_NPROC, &before), 0);
	tight = before;
	tight.rlim_cur = 1;
	for (int kind = 0; kind < 3; kind++) {
		struct pidring_options options = { 0 };
		struct pidring_process *process;

		if (kind == 0)
			options.argv = program;
		else
			options.target = return_zero;
		options.libc_fork = kind == 2;
		process = new_process(engine, options);
		check_int(setrlimit(RLIMIT_NPROC, &tight), 0);
		check_fails(process, EAGAIN, PIDRING_STEP_CLONE);
		check_int(setrlimit(RLIMIT_NPROC, &before), 0);
		check_starts_now(process);
	}
	close_engine(engine);
	return 0;
}

/* A user who may have no more processes gets -EAGAIN, and everything is as before. */
SCENARIO(births_failures, process_limit)
{
	int code = run_subprogram("births_process_limit", NULL, NULL);

	if (code == EXIT_SKIPPED)
		skip("cannot become another user");
	check_int(code, 0);
}
