/* SPDX-License-Identifier: MIT */
#include "collect.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 64 };

struct bare_child {
	pid_t pid;
	int output;
};

static struct bare_child children[COLLECT_MOST_CHILDREN];

static void start(struct bare_child *child)
{
	posix_spawn_file_actions_t actions;
	char *const *arguments = collect_task()->arguments;
	int ends[2];
	int error = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("pipe2", errno);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	error = posix_spawn(&child->pid, arguments[0], &actions, NULL, arguments, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		bench_fail("posix_spawn", error);
	(void)close(ends[1]);
	child->output = ends[0];
}

/* Whether there may be more. */
static bool read_once(unsigned index)
{
	ssize_t length = read(children[index].output, collect_buffer(), COLLECT_BUFFER_SIZE);

	if (length < 0)
		bench_fail("read", errno);
	if (length > 0)
		collect_take(index, collect_buffer(), (size_t)length);
	return length > 0;
}

static void reap(unsigned index)
{
	int status = 0;

	if (waitpid(children[index].pid, &status, 0) != children[index].pid)
		bench_fail("waitpid", errno);
	if (!WIFEXITED(status))
		bench_fail("a child was killed", 0);
	collect_end(index, WEXITSTATUS(status));
}

void collect_with_blocking_loop(void)
{
	collect_begin();
	for (unsigned index = 0; index < collect_task()->count; index++) {
		start(&children[index]);
		while (read_once(index))
			;
		(void)close(children[index].output);
		reap(index);
	}
	collect_check();
}

static void start_watched(int epoll, unsigned index)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = index } };

	start(&children[index]);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, children[index].output, &event) < 0)
		bench_fail("epoll_ctl", errno);
}

/* An entry outlives close() while a child that is still in its exec holds a copy (epoll(7)). */
static void unwatch(int epoll, unsigned index)
{
	if (epoll_ctl(epoll, EPOLL_CTL_DEL, children[index].output, NULL) < 0)
		bench_fail("epoll_ctl", errno);
	(void)close(children[index].output);
}

void collect_with_epoll(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned count = collect_task()->count;
	unsigned done = 0;

	if (epoll < 0)
		bench_fail("epoll_create1", errno);
	collect_begin();
	for (unsigned index = 0; index < count; index++)
		start_watched(epoll, index);
	while (done < count) {
		int ready = epoll_wait(epoll, events, EVENTS_AT_ONCE, -1);

		for (int index = 0; index < ready; index++) {
			if (read_once(events[index].data.u32))
				continue;
			unwatch(epoll, events[index].data.u32);
			reap(events[index].data.u32);
			done++;
		}
	}
	(void)close(epoll);
	collect_check();
}
