/* SPDX-License-Identifier: MIT */
#include "python.h"

#include "environment.h"
#include "other.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The interpreter, and the pipes that are its stdin and stdout. */
static pid_t interpreter;
static int requests, answers;

/* Whether an interpreter can do what it will be asked to do; what it says is nobody's business. */
static int try_interpreter(void)
{
	char *argv[] = { "python3", "-c",
		         "import sys, mmap, resource, multiprocessing.forkserver; "
		         "sys.exit(0 if hasattr(mmap, 'MADV_NOHUGEPAGE') else 1)",
		         NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int status = 0;
	int error = 0;

	(void)posix_spawn_file_actions_init(&actions);
	for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
		(void)posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (error != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

const char *python_missing(void)
{
	static bool tried;
	static int status;

	if (!tried)
		status = try_interpreter();
	tried = true;
	return status == 0 ? NULL : "there is no python3 of 3.8 or later";
}

/* The contender is a module that lies beside the suite. As a module, and not as the main program, it is imported by
 * Python's forkserver once, not by each of its children. */
static void set_module_path(void)
{
	char path[PATH_MAX];
	char *slash = NULL;

	if (environment_beside("python_contender.py", path, sizeof(path)) == NULL)
		bench_fail("the contender in Python is not beside the suite", ENOENT);
	slash = strrchr(path, '/');
	*slash = '\0';
	if (setenv("PYTHONPATH", path, 1) < 0)
		bench_fail("setenv", errno);
}

static void receive(void *ret_data, size_t size)
{
	size_t received = 0;

	while (received < size) {
		ssize_t count = read(answers, (char *)ret_data + received, size - received);

		if (count <= 0)
			bench_fail("the interpreter has ended", count < 0 ? errno : 0);
		received += (size_t)count;
	}
}

static void spawn_interpreter(char *const argv[], int its_stdin, int its_stdout)
{
	posix_spawn_file_actions_t actions;
	int error = 0;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, its_stdin, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, its_stdout, STDOUT_FILENO);
	error = posix_spawnp(&interpreter, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		bench_fail("posix_spawnp", error);
}

void python_open(const struct bench_conditions *conditions)
{
	char megabytes[16], descriptors[16];
	char *argv[] = { "python3", "-c",        "import python_contender; python_contender.main()",
		         megabytes, descriptors, NULL };
	int request_ends[2], answer_ends[2];
	char ready = 0;

	(void)snprintf(megabytes, sizeof(megabytes), "%u", conditions->megabytes);
	(void)snprintf(descriptors, sizeof(descriptors), "%u", conditions->descriptors);
	set_module_path();
	if (pipe2(request_ends, O_CLOEXEC) < 0 || pipe2(answer_ends, O_CLOEXEC) < 0)
		bench_fail("pipe2", errno);
	spawn_interpreter(argv, request_ends[0], answer_ends[1]);
	(void)close(request_ends[0]);
	(void)close(answer_ends[1]);
	requests = request_ends[1];
	answers = answer_ends[0];
	receive(&ready, sizeof(ready));
}

void python_close(void)
{
	(void)close(requests);
	(void)close(answers);
	other_reap(interpreter);
}

void python_measure(char method, int64_t *ret_times)
{
	if (write(requests, &method, sizeof(method)) != sizeof(method))
		bench_fail("asking the interpreter", errno);
	receive(ret_times, BENCH_MEASURES * sizeof(*ret_times));
}
