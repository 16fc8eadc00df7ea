/* SPDX-License-Identifier: MIT */
/* Zombies that a subreaper may not reap, or not yet: they hide nobody who comes after them. */
#define _GNU_SOURCE
#include "subreaper.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

struct lingering {
	struct latch *end;
	struct latch *led; /* let through once the leader is a zombie */
};

static void *outlive_leader(void *argument)
{
	const struct lingering *lingering = argument;

	while (process_state(getpid()) != 'Z')
		sched_yield();
	latch_release(lingering->led);
	latch_wait(lingering->end);
	_exit(13);
}

static int leave_lingering(void *argument)
{
	pid_t pid = fork();
	pthread_t thread;

	check(pid >= 0);
	if (pid > 0)
		return 0;
	check_int(pthread_create(&thread, NULL, outlive_leader, argument), 0);
	syscall(SYS_exit, 0);
	_exit(EXIT_FAILED);
}

/* A leader without life, whose other threads go on, has not ended, and hides nobody. */
SCENARIO(orphans_unreapable, a_leader_that_its_threads_outlive)
{
	struct pidring *engine = open_subreaper();
	struct latch end = latch_open(), led = latch_open();
	static struct lingering lingering;

	lingering = (struct lingering){ &end, &led };
	check_int(finish(start_function(engine, leave_lingering, &lingering)), 0);
	latch_wait(&led);
	make_orphans(engine, (struct brood){ false, { -1, -1 }, 2, 12 });
	expect_orphans(engine, 2, 12);
	latch_release(&end);
	expect_orphans(engine, 1, 13);
	latch_close(&end);
	latch_close(&led);
	close_engine(engine);
}

/* Its child ends, and is not reaped before the latch. */
struct keeping {
	struct latch *begin, *end;
	int pid_pipe;
};

static int keep_zombie(void *argument)
{
	const struct keeping *keeping = argument;
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (pid == 0) {
		latch_wait(keeping->begin);
		_exit(2);
	}
	check_int(write(keeping->pid_pipe, &pid, sizeof(pid)), sizeof(pid));
	latch_wait(keeping->end);
	check_int(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static struct tracing {
	struct pidring *engine;
	struct latch *begin;
	pid_t pid;
} tracing;

/* The tracer's thread is where its tracees come first. */
static void *trace_and_wait(void *unused)
{
	(void)unused;
	if (ptrace(PTRACE_SEIZE, tracing.pid, NULL, NULL) < 0)
		skip("processes cannot be traced here");
	latch_release(tracing.begin);
	check_int(waitid(P_PID, (id_t)tracing.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	make_orphans(tracing.engine, (struct brood){ false, { -1, -1 }, 3, 10 });
	expect_orphans(tracing.engine, 3, 10);
	/* It is still the tracer's. */
	check_int(waitpid(tracing.pid, NULL, 0), tracing.pid);
	return NULL;
}

/* Somebody else's child whom this process traces comes first: nobody but the tracer may have him, and he hides nobody. */
SCENARIO(orphans_unreapable, a_traced_stranger)
{
	struct latch begin = latch_open(), end = latch_open();
	static struct keeping keeping;
	struct pidring_process *process;
	struct pidring *engine;
	pthread_t thread;
	int ends[2];

	open_pipe(ends);
	keeping = (struct keeping){ &begin, &end, ends[1] };
	engine = open_subreaper();
	process = start_function(engine, keep_zombie, &keeping);
	check_int(read(ends[0], &tracing.pid, sizeof(tracing.pid)), sizeof(tracing.pid));
	tracing.engine = engine;
	tracing.begin = &begin;
	check_int(pthread_create(&thread, NULL, trace_and_wait, NULL), 0);
	check_int(pthread_join(thread, NULL), 0);
	latch_release(&end);
	check_int(finish(process), 2);
	latch_close(&begin);
	latch_close(&end);
	close(ends[0]);
	close(ends[1]);
	close_engine(engine);
}
