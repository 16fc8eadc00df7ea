/* SPDX-License-Identifier: MIT */
/*
 * A function in new namespaces, of a process with threads. libc's fork() makes no namespaces, and a bare clone would leave
 * the locks of other threads held for ever. So both: in a fork there is one thread, and it clones the child as a sibling
 * of its own (CLONE_PARENT), says which that is, and ends.
 */
#include "birth/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

struct family_of_two {
	const struct birth_paths *paths;
	const struct birth_function *function;
	int gate[2];   /* a pipe: the child waits for a byte, and ends if its other end is closed */
	int answer[2]; /* a pipe: its pid, or a negated errno */
};

static void begin_child(const struct family_of_two *two, const struct birth_repairs *repairs)
{
	birth_repair(repairs);
	close(two->answer[1]);
	birth_await_gate(two->gate[0], two->paths->self_pidfd);
	close(two->gate[0]);
	two->function->child(two->function->argument);
	_exit(126);
}

/* In the fork. */
static void clone_sibling(void *argument)
{
	const struct family_of_two *two = argument;
	struct birth_repairs repairs;
	int pidfd = -1;
	long pid = birth_find_repairs(&repairs);

	close(two->answer[0]);
	close(two->gate[1]);
	if (pid == 0) {
		pid = birth_clone_bare(two->paths, two->function->plan,
		                       CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
		                       repairs.thread_id, &pidfd);
		if (pid == 0)
			begin_child(two, &repairs);
	}
	int answer = (int)pid;
	if (write(two->answer[1], &answer, sizeof answer) < 0)
		_exit(126);
	_exit(0);
}

static int read_answer(int reader)
{
	int answer = 0;
	ssize_t length;

	do
		length = read(reader, &answer, sizeof answer);
	while (length < 0 && errno == EINTR);
	return length == (ssize_t)sizeof answer ? answer : -ECANCELED;
}

/* It waits at the gate, so the number is its own. One that nobody lets in ends by itself. */
static int take_sibling(const struct family_of_two *two, struct newborn *ret_newborn)
{
	int pid = read_answer(two->answer[0]);

	if (pid < 0)
		return pid;
	int pidfd = sys_pidfd_open(pid);
	if (pidfd < 0) {
		birth_abandon(pid);
		ret_newborn->gone = NEWBORN_SEVERAL;
		return pidfd;
	}
	if (write(two->gate[1], "", 1) < 0)
		abort();
	*ret_newborn = (struct newborn){ pid, pidfd, PIDRING_BIRTH_FORK, ret_newborn->gone };
	return 0;
}

static int fork_and_take(struct family_of_two *two, struct newborn *ret_newborn)
{
	pid_t go_between = 0;
	int pidfd = -1;
	int r = birth_fork(clone_sibling, two, two->paths->self_pidfd, &go_between, &pidfd);

	sys_close(&two->answer[1]);
	ret_newborn->gone = go_between;
	if (r < 0)
		return r;
	r = take_sibling(two, ret_newborn);
	sys_await_pidfd(pidfd);
	close(pidfd);
	return r;
}

int birth_sibling(const struct birth_paths *paths, const struct birth_function *function,
                  struct newborn *ret_newborn)
{
	/* Its number there would be another's here. */
	if (function->plan->confine->confinement->joins_pid)
		return -EOPNOTSUPP;
	struct family_of_two two = { paths, function, { -1, -1 }, { -1, -1 } };
	bool opened = pipe2(two.gate, O_CLOEXEC) == 0 && pipe2(two.answer, O_CLOEXEC) == 0;
	int r = opened ? fork_and_take(&two, ret_newborn) : -errno;

	for (int i = 0; i < 2; i++) {
		sys_close(&two.gate[i]);
		sys_close(&two.answer[i]);
	}
	return r;
}
