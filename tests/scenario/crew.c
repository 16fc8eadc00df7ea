/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "crew.h"

#include <sched.h>
#include <sys/syscall.h>

enum { MOST_CREW = 32 };

pthread_t start_thread(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, function, argument), 0);
	return thread;
}

void end_thread(pthread_t thread)
{
	check_int(pthread_join(thread, NULL), 0);
}

void run_crew(int count, void *(*function)(void *), void *argument)
{
	pthread_t crew[MOST_CREW];

	check(count <= MOST_CREW);
	for (int i = 0; i < count; i++)
		crew[i] = start_thread(function, argument);
	for (int i = 0; i < count; i++)
		end_thread(crew[i]);
}

pid_t own_thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static bool own_thread_exists(pid_t thread_id)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)thread_id);
	return access(path, F_OK) == 0;
}

void wait_thread_gone(pid_t thread_id)
{
	while (own_thread_exists(thread_id))
		sched_yield();
}

static bool is_waiting_call(long number)
{
	static const long calls[] = {
		SYS_ppoll,      SYS_epoll_pwait, SYS_epoll_pwait2, SYS_io_uring_enter, SYS_waitid, SYS_futex,
#ifdef SYS_poll
		SYS_poll,
#endif
#ifdef SYS_epoll_wait
		SYS_epoll_wait,
#endif
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == number)
			return true;
	return false;
}

void wait_thread_blocked(atomic_int *thread_id)
{
	char path[64];
	char text[64];

	while (atomic_load(thread_id) == 0)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", atomic_load(thread_id));
	for (;;) {
		int descriptor = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t length;

		if (descriptor < 0 && own_thread_exists(atomic_load(thread_id)))
			skip("the kernel does not tell what a thread is blocked in");
		if (descriptor < 0)
			fail("the thread has ended instead of waiting");
		length = read(descriptor, text, sizeof(text) - 1);
		close(descriptor);
		if (length > 0) {
			text[length] = '\0';
			if (text[0] >= '0' && text[0] <= '9' && is_waiting_call(strtol(text, NULL, 10)))
				return;
		}
		sched_yield();
	}
}
