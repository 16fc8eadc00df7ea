/* SPDX-License-Identifier: MIT */
/* libc's fork() with a pidfd: the child is held at a gate until its parent has one. */
#include "birth/birth.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Close-on-exec does not act on fork: a child that is forked while another thread has a report pipe open
 * would keep its writing end, and that thread would wait for this child's end. So the library forks one at a
 * time. (A fork of the host's own at that moment is not covered: there the end of the reporting child itself
 * is the sign.)
 */
static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;

void birth_fork_lock(void)
{
	pthread_mutex_lock(&fork_lock);
}

void birth_fork_unlock(void)
{
	pthread_mutex_unlock(&fork_lock);
}

void birth_fork_forget(void)
{
	fork_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

/* A parent that died before never opens the gate. */
void birth_await_gate(int gate, int parent_pidfd)
{
	struct pollfd items[2] = { { .fd = gate, .events = POLLIN },
		                   { .fd = parent_pidfd, .events = POLLIN } };

	while (poll(items, 2, -1) < 0 && errno == EINTR)
		;
	if (!(items[0].revents & POLLIN))
		_exit(126);
}

/* Nobody else knows of this child: end it, and leave no zombie. */
void birth_abandon(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/*
 * Without the gate the child could end, be reaped by a handler of the host's and have its pid given to a
 * stranger before pidfd_open.
 */
int birth_fork(void (*child)(void *argument), void *argument, int parent_pidfd, pid_t *ret_pid,
               int *ret_pidfd)
{
	uint64_t open_gate = 1;
	int gate = eventfd(0, EFD_CLOEXEC);

	if (gate < 0)
		return -errno;

	pid_t pid = fork();
	if (pid == 0) {
		birth_fork_forget();
		birth_await_gate(gate, parent_pidfd);
		close(gate);
		child(argument);
		_exit(126);
	}
	if (pid < 0) {
		int r = -errno;
		close(gate);
		return r;
	}

	*ret_pid = pid;
	int pidfd = sys_pidfd_open(pid);
	if (pidfd < 0) {
		birth_abandon(pid);
		close(gate);
		return pidfd;
	}
	/* Cannot fail: the counter is 0, so nothing blocks. */
	if (write(gate, &open_gate, sizeof open_gate) < 0)
		abort();
	close(gate);
	*ret_pidfd = pidfd;
	return 0;
}
