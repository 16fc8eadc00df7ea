/* SPDX-License-Identifier: MIT */
#include "callers.h"

#include "harness.h"
#include "other.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- processes: the second one is a copy, so a function has the same address in both --- */

struct request {
	caller_work work;
	unsigned share;
};

static pid_t second_process;
static int second_end;

__attribute__((noreturn)) static void live_as_caller(int end, void (*set_up)(void), void (*tear_down)(void))
{
	struct request request;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (set_up != NULL)
		set_up();
	while (read(end, &request, sizeof(request)) == sizeof(request)) {
		request.work(request.share);
		if (write(end, "", 1) != 1)
			bench_fail("telling that the work is done", errno);
	}
	if (tear_down != NULL)
		tear_down();
	_exit(EXIT_SUCCESS);
}

void callers_make_process(void (*set_up)(void), void (*tear_down)(void))
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("socketpair", errno);
	second_process = fork();
	if (second_process < 0)
		bench_fail("fork", errno);
	if (second_process == 0) {
		(void)close(ends[0]);
		live_as_caller(ends[1], set_up, tear_down);
	}
	(void)close(ends[1]);
	second_end = ends[0];
}

void callers_end_process(void)
{
	(void)close(second_end);
	other_reap(second_process);
}

void callers_work_as_processes(caller_work work, unsigned share)
{
	const struct request request = { work, share };
	char done = 0;

	if (write(second_end, &request, sizeof(request)) != sizeof(request))
		bench_fail("asking the second caller", errno);
	work(share);
	if (read(second_end, &done, 1) != 1)
		bench_fail("the second caller has ended", 0);
}

/* --- threads: the second one waits at a barrier for its work, and at another one when it has done it --- */

static pthread_t second_thread;
static pthread_barrier_t beginning, ending;
static struct request thread_request;

static void *live_as_thread(void *argument)
{
	for (;;) {
		(void)pthread_barrier_wait(&beginning);
		if (thread_request.work == NULL)
			return argument;
		thread_request.work(thread_request.share);
		(void)pthread_barrier_wait(&ending);
	}
}

void callers_make_thread(void)
{
	int error = pthread_barrier_init(&beginning, NULL, 2);

	if (error == 0)
		error = pthread_barrier_init(&ending, NULL, 2);
	if (error == 0)
		error = pthread_create(&second_thread, NULL, live_as_thread, NULL);
	if (error != 0)
		bench_fail("making a thread", error);
}

void callers_end_thread(void)
{
	thread_request = (struct request){ 0 };
	(void)pthread_barrier_wait(&beginning);
	(void)pthread_join(second_thread, NULL);
}

void callers_work_as_threads(caller_work work, unsigned share)
{
	thread_request = (struct request){ work, share };
	(void)pthread_barrier_wait(&beginning);
	work(share);
	(void)pthread_barrier_wait(&ending);
}
