/* SPDX-License-Identifier: MIT */
#include "other.h"

#include "harness.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t other_posix_spawn(char *const argv[])
{
	pid_t pid = 0;
	int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);

	if (error != 0)
		bench_fail("posix_spawn", error);
	return pid;
}

pid_t other_vfork(char *const argv[])
{
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execve(argv[0], argv, environ);
		_exit(127);
	}
	if (pid < 0)
		bench_fail("vfork", errno);
	return pid;
}

pid_t other_fork(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execve(argv[0], argv, environ);
		_exit(127);
	}
	if (pid < 0)
		bench_fail("fork", errno);
	return pid;
}

pid_t other_fork_call(int (*function)(void *argument), void *argument)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(function(argument));
	if (pid < 0)
		bench_fail("fork", errno);
	return pid;
}

static int return_at_once(void *argument)
{
	(void)argument;
	return 0;
}

pid_t other_fork_function(void)
{
	return other_fork_call(return_at_once, NULL);
}

void other_reap(pid_t pid)
{
	int status = 0;

	if (waitpid(pid, &status, 0) != pid)
		bench_fail("waitpid", errno);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		bench_fail("the child did not end with 0", 0);
}
