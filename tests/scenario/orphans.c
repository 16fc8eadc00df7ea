/* SPDX-License-Identifier: MIT */
/* An engine that is a subreaper: whoever is left to this process is reaped and told. */
#define _GNU_SOURCE
#include "subreaper.h"

#include <linux/sched.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

extern char **environ;

/* --- telling --- */

SCENARIO(orphans, exit_code_and_signal_are_told)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();

	check_int(is_subreaper(), 1);
	make_orphans(engine, (struct brood){ true, latch, 1, 7 });
	latch_release(&latch);
	expect_orphans(engine, 1, 7);
	make_orphans(engine, (struct brood){ true, latch, 1, -SIGTERM });
	latch_release(&latch);
	expect_orphans(engine, 1, -SIGTERM);
	check_int(pidring_has_children(), 0);
	latch_close(&latch);
	close_engine(engine);
	check_int(is_subreaper(), 0);
}

/* Also those that have ended before they were left behind. */
SCENARIO(orphans, zombies_are_inherited)
{
	struct pidring *engine = open_subreaper();

	make_orphans(engine, (struct brood){ false, { -1, -1 }, 20, 9 });
	expect_orphans(engine, 20, 9);
	close_engine(engine);
}

/* What was there before the engine is reaped by it. */
SCENARIO(orphans, older_zombies_are_found)
{
	struct pidring *engine;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0)
		_exit(5);
	check_int(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	engine = open_subreaper();
	check_int(next_orphan(engine).pid, pid);
	check_int(waitpid(pid, NULL, 0), -1);
	check_int(errno, ECHILD);
	close_engine(engine);
}

SCENARIO(orphans, a_thousand)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();

	make_orphans(engine, (struct brood){ true, latch, 1000, 3 });
	for (int i = 0; i < 1000; i++)
		latch_release(&latch);
	expect_orphans(engine, 1000, 3);
	check_int(pidring_has_children(), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* A program that the host starts by itself is no child of pidring's. */
SCENARIO(orphans, a_spawned_child_is_reaped)
{
	struct pidring *engine = open_subreaper();
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 6", NULL };
	struct pidring_event event;
	pid_t pid;

	check_int(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
	event = next_orphan(engine);
	check_int(event.pid, pid);
	check_int(event.code, 6);
	close_engine(engine);
}

/* As PID 1, with the proc of another namespace: that one's numbers are others'. */
static int be_init_without_proc(void)
{
	struct pidring *engine;

	if (getpid() != 1)
		return EXIT_FAILED;
	engine = open_subreaper();
	make_orphans(engine, (struct brood){ false, { -1, -1 }, 20, 9 });
	expect_orphans(engine, 20, 9);
	check_int(pidring_has_children(), 0);
	close_engine(engine);
	return 0;
}

SCENARIO(orphans, of_an_init_with_a_strange_proc)
{
	struct clone_args arguments = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	int status;

	if (pid == 0)
		_exit(be_init_without_proc());
	if (pid < 0)
		skip("no namespaces here");
	check_int(waitpid((pid_t)pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_int(WEXITSTATUS(status), 0);
}

/* --- other loops, threads, forks --- */

SCENARIO(orphans, in_another_loop)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	int descriptor = pidring_fd(engine), orphans = 0;

	check(descriptor >= 0);
	make_orphans(engine, (struct brood){ true, latch, 5, 1 });
	for (int i = 0; i < 5; i++)
		latch_release(&latch);
	while (orphans < 5) {
		struct pollfd item = { .fd = descriptor, .events = POLLIN };
		struct pidring_event event;

		check_int(poll(&item, 1, -1), 1);
		if (pidring_wait(engine, &event, 1, 0) == 1 && event.type == PIDRING_ORPHAN_ENDED)
			orphans++;
	}
	latch_close(&latch);
	close_engine(engine);
}

static void *release_five(void *latch)
{
	for (int i = 0; i < 5; i++)
		latch_release(latch);
	return NULL;
}

/* SIGCHLD wakes whoever waits. */
SCENARIO(orphans, a_waiting_thread_wakes_up)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	pthread_t thread;

	make_orphans(engine, (struct brood){ true, latch, 5, 1 });
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 0), 0);
	check_int(pthread_create(&thread, NULL, release_five, &latch), 0);
	expect_orphans(engine, 5, 1);
	check_int(pthread_join(thread, NULL), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* A copy of the host is an orphan like any other for the original; in it the engine reaps nobody, and another one may. */
SCENARIO(orphans, a_fork_of_the_host)
{
	struct pidring *engine = open_subreaper();
	pid_t copy = fork();
	struct pidring_event event;

	check(copy >= 0);
	if (copy == 0) {
		struct pidring *another;
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(15);
		check_int(is_subreaper(), 0);
		check_int(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
		check_int(pidring_wait(engine, &event, 1, 0), 0);
		check_int(waitpid(pid, &status, 0), pid);
		check_int(WEXITSTATUS(status), 15);
		another = open_subreaper();
		make_orphans(another, (struct brood){ false, { -1, -1 }, 2, 16 });
		expect_orphans(another, 2, 16);
		close_engine(another);
		close_engine(engine);
		_exit(14);
	}
	event = next_orphan(engine);
	check_int(event.pid, copy);
	check_int(event.code, 14);
	close_engine(engine);
}

SCENARIO(orphans, closed_with_events_pending)
{
	struct pidring *engine = open_subreaper();
	struct pidring_event event;

	make_orphans(engine, (struct brood){ false, { -1, -1 }, 10, 2 });
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	close_engine(engine);
	check_int(is_subreaper(), 0);
	/* Those that it has not seen are the host's again. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	engine = open_subreaper();
	close_engine(engine);
}

/* What the host had set stays. */
SCENARIO(orphans, a_host_that_is_a_subreaper_stays_one)
{
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	close_engine(open_subreaper());
	check_int(is_subreaper(), 1);
}

/* --- refusals --- */

SCENARIO(orphans, refusals)
{
	struct pidring_engine_options options = { .size = sizeof(options), .subreaper = true };
	struct pidring *engine, *second = NULL;
	sigset_t set;

	check_int(pidring_open(&second, &options), -EINVAL);
	check_contains(pidring_explain(), "SIGCHLD");
	block_sigchld();
	signal(SIGCHLD, SIG_IGN);
	check_int(pidring_open(&second, &options), -EINVAL);
	check_contains(pidring_explain(), "ignored");
	signal(SIGCHLD, SIG_DFL);
	engine = open_subreaper();
	check_int(pidring_open(&second, &options), -EBUSY);
	check_contains(pidring_explain(), "another engine");
	check_int(is_subreaper(), 1);
	close_engine(engine);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
