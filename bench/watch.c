/* SPDX-License-Identifier: MIT */
/*
 * One exit while many children are watched: from the signal that ends a child until its status is in hand.
 *
 * The library's children are in one world. In the other, bare ones are watched by three means in turn.
 *
 * The children wait in pause() and are ended with SIGKILL. A pipe to each would cost a second descriptor per
 * child and would meet the usual hard limit.
 */
#include "environment.h"
#include "families.h"
#include "floor.h"
#include "library.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SPARE_DESCRIPTORS = 128,
	SPARE_PIDS = 4000,
	/* Prime, and so a walk over all children in no order that any list has. */
	STRIDE = 7919,
};

static char wait_argument[] = "wait";
static char *arguments[3];
static unsigned watched;
static unsigned turn;

/* Of the one world or the other. */
static struct pidring_process **library_children;
static struct floor_child *bare_children;
static int epoll_descriptor;

static unsigned next_victim(void)
{
	return (unsigned)(((uint64_t)turn++ * STRIDE) % watched);
}

static void end_child(pid_t pid)
{
	if (kill(pid, SIGKILL) < 0)
		bench_fail("kill", errno);
}

/* --- the library's world --- */

static struct pidring_process *start_with_library(void)
{
	struct pidring_process *process = library_new_program(arguments, false);

	library_start(process);
	return process;
}

static void fill_library_world(void)
{
	library_children = calloc(watched, sizeof(struct pidring_process *));
	if (library_children == NULL)
		bench_fail("calloc", ENOMEM);
	for (unsigned index = 0; index < watched; index++)
		library_children[index] = start_with_library();
	library_look();
}

static void empty_library_world(void)
{
	for (unsigned index = 0; index < watched; index++)
		end_child(pidring_process_pid(library_children[index]));
	library_join_all(library_children, watched);
	for (unsigned index = 0; index < watched; index++)
		library_finish(library_children[index], -SIGKILL);
	free(library_children);
	library_close();
}

static int64_t watch_with_library(void)
{
	unsigned victim = next_victim();
	struct pidring_process *process = library_children[victim];
	pid_t pid = pidring_process_pid(process);
	int64_t start = bench_now();
	int64_t elapsed = 0;

	end_child(pid);
	library_wait_for_end(process, -SIGKILL);
	elapsed = bench_now() - start;
	library_finish(process, -SIGKILL);
	library_children[victim] = start_with_library();
	library_look();
	return elapsed;
}

/* --- the bare world --- */

static void start_bare(unsigned index)
{
	struct floor_child *child = &bare_children[index];
	struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = index } };

	child->stack = floor_children()[0].stack;
	floor_start(child, arguments);
	floor_settle(child);
	if (epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, child->pidfd, &event) < 0)
		bench_fail("epoll_ctl", errno);
}

static void forget_bare(unsigned index)
{
	if (epoll_ctl(epoll_descriptor, EPOLL_CTL_DEL, bare_children[index].pidfd, NULL) < 0)
		bench_fail("epoll_ctl", errno);
	(void)close(bare_children[index].pidfd);
}

/* SIGCHLD is blocked and taken with sigtimedwait, which is the fastest way to have it. */
static void block_child_signal(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static void drop_child_signals(void)
{
	struct timespec at_once = { 0 };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	while (sigtimedwait(&set, NULL, &at_once) > 0)
		;
}

static void wait_for_child_signal(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	while (sigwaitinfo(&set, NULL) < 0) {
		if (errno != EINTR)
			bench_fail("sigwaitinfo", errno);
	}
}

static void fill_bare_world(void)
{
	bare_children = calloc(watched, sizeof(*bare_children));
	if (bare_children == NULL)
		bench_fail("calloc", ENOMEM);
	epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_descriptor < 0)
		bench_fail("epoll_create1", errno);
	for (unsigned index = 0; index < watched; index++)
		start_bare(index);
}

static void empty_bare_world(void)
{
	for (unsigned index = 0; index < watched; index++)
		end_child(bare_children[index].pid);
	for (unsigned index = 0; index < watched; index++) {
		if (waitpid(bare_children[index].pid, NULL, 0) != bare_children[index].pid)
			bench_fail("waitpid", errno);
	}
	(void)close(epoll_descriptor);
	free(bare_children);
}

static int64_t watch_with_epoll(void)
{
	unsigned victim = next_victim();
	struct epoll_event event = { 0 };
	int64_t start = bench_now();
	int64_t elapsed = 0;

	end_child(bare_children[victim].pid);
	if (epoll_wait(epoll_descriptor, &event, 1, -1) != 1)
		bench_fail("epoll_wait", errno);
	floor_take_status(bare_children[event.data.u32].pidfd, CLD_KILLED, SIGKILL);
	elapsed = bench_now() - start;
	if (event.data.u32 != victim)
		bench_fail("another child ended", 0);
	forget_bare(victim);
	start_bare(victim);
	return elapsed;
}

/* A signal tells neither how many have ended nor (if several came as one) which: all are asked. */
static unsigned reap_by_asking_each(unsigned victim)
{
	unsigned reaped = 0;

	for (unsigned index = 0; index < watched; index++) {
		int status = 0;
		pid_t pid = waitpid(bare_children[index].pid, &status, WNOHANG);

		if (pid == 0)
			continue;
		if (pid < 0)
			bench_fail("waitpid", errno);
		if (index != victim || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			bench_fail("another child ended, or otherwise", 0);
		reaped++;
	}
	return reaped;
}

/* Until there is none, as more may have ended than signals came. */
static unsigned reap_any(unsigned victim)
{
	unsigned reaped = 0;

	for (;;) {
		siginfo_t information;

		information.si_pid = 0;
		if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG) < 0 && errno != ECHILD)
			bench_fail("waitid", errno);
		if (information.si_pid == 0)
			return reaped;
		if (information.si_pid != bare_children[victim].pid || information.si_status != SIGKILL)
			bench_fail("another child ended, or otherwise", 0);
		reaped++;
	}
}

/* The victim's pidfd is out of the epoll set meanwhile: its wake-up is not these means' to pay for. */
static int64_t watch_with_signal(unsigned (*reap)(unsigned victim))
{
	unsigned victim = next_victim();
	int64_t start = 0;
	int64_t elapsed = 0;

	forget_bare(victim);
	block_child_signal();
	drop_child_signals();
	start = bench_now();
	end_child(bare_children[victim].pid);
	wait_for_child_signal();
	if (reap(victim) != 1)
		bench_fail("no child was reaped", 0);
	elapsed = bench_now() - start;
	start_bare(victim);
	return elapsed;
}

static int64_t watch_with_waitpid_each(void)
{
	return watch_with_signal(reap_by_asking_each);
}

static int64_t watch_with_waitid_all(void)
{
	return watch_with_signal(reap_any);
}

/* --- the rows --- */

static void set_up(const struct bench_row *row, enum bench_world world)
{
	arguments[0] = (char *)(uintptr_t)environment_program(PROGRAM_NO_OP);
	arguments[1] = wait_argument;
	watched = row->count;
	(void)environment_raise_descriptors();
	if (world == BENCH_LIBRARY)
		fill_library_world();
	else
		fill_bare_world();
}

static void tear_down(enum bench_world world)
{
	if (world == BENCH_LIBRARY)
		empty_library_world();
	else
		empty_bare_world();
}

static const struct bench_contender contenders[] = {
	{ .name = "pidring", .measure = watch_with_library, .world = BENCH_LIBRARY },
	{ .name = "epoll", .measure = watch_with_epoll, .world = BENCH_BARE },
	{ .name = "waitpid-each", .measure = watch_with_waitpid_each, .world = BENCH_BARE },
	{ .name = "waitid-all", .measure = watch_with_waitid_all, .world = BENCH_BARE },
	{ 0 },
};

static unsigned long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long number = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%lu", &number) != 1)
		number = 0;
	(void)fclose(file);
	return number;
}

static const char *missing(const struct bench_row *row)
{
	struct bench_conditions conditions = { .descriptors = row->count + SPARE_DESCRIPTORS };
	unsigned worlds = bench_count_worlds(row);
	unsigned long pids = read_number("/proc/sys/kernel/pid_max");

	if (pids < (unsigned long)worlds * row->count + SPARE_PIDS)
		return "the kernel has too few pids";
	return environment_missing(&conditions, worlds);
}

#define ROW(row_count, row_count_text, row_rounds)                                                           \
	{                                                                                                    \
		.name = "watch-" #row_count, .title = "one exit while " row_count_text " watched, one core", \
		.contenders = contenders, .baseline = "waitid-all", .conditions = { .cores = 1 },            \
		.rounds = (row_rounds), .rehearsed = true, .count = (row_count), .missing = missing,         \
		.set_up = set_up, .tear_down = tear_down                                                     \
	}

const struct bench_row watch_rows[] = {
	ROW(1, "1 child is", 1000),
	ROW(100, "100 children are", 1000),
	ROW(1000, "1,000 children are", 500),
	ROW(10000, "10,000 children are", 200),
	{ 0 },
};
