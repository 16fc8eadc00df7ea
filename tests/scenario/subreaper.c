/* SPDX-License-Identifier: MIT */
/* An engine that is a subreaper, and orphans for it: see subreaper.h. */
#define _GNU_SOURCE
#include "subreaper.h"

#include <sys/prctl.h>

#include "servers.h"

void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	check_int(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

struct pidring *open_subreaper_with(struct pidring_engine_options options)
{
	block_sigchld();
	options.subreaper = true;
	return open_with(options);
}

struct pidring *open_subreaper(void)
{
	return open_subreaper_with((struct pidring_engine_options){ 0 });
}

int is_subreaper(void)
{
	int value = -1;

	check_int(prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0), 0);
	return value;
}

/* --- orphans --- */

PIDRING_NORETURN static void live_as_orphan(const struct brood *brood)
{
	struct latch latch = brood->latch;

	if (brood->waits)
		latch_wait(&latch);
	if (brood->code < 0)
		kill(getpid(), -brood->code);
	_exit(brood->code);
}

/* A target: its children outlive it, or end unseen. */
static int leave_brood(void *argument)
{
	const struct brood *brood = argument;

	for (int i = 0; i < brood->count; i++) {
		pid_t pid = fork();

		check(pid >= 0);
		if (pid == 0)
			live_as_orphan(brood);
	}
	return 0;
}

void make_orphans(struct pidring *engine, struct brood brood)
{
	static struct brood given;

	given = brood;
	check_int(finish(start_function(engine, leave_brood, &given)), 0);
}

struct pidring_event next_orphan(struct pidring *engine)
{
	struct pidring_event event;

	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (event.type != PIDRING_ORPHAN_ENDED);
	check(event.process == NULL);
	check(event.pid > 0);
	check(!event.unknown && !event.last);
	return event;
}

void expect_orphans(struct pidring *engine, int count, int code)
{
	for (int i = 0; i < count; i++)
		check_int(next_orphan(engine).code, code);
}
