/* SPDX-License-Identifier: MIT */
/*
 * The life of a server's child until it is a program, a function's process, or a server.
 *
 * It shares descriptors and working directory with the application while it waits, so that it has them as they are
 * when it begins. What it reads from its box is checked like a stranger's input: a box that was spoilt ends the child,
 * not more.
 */
#include "birth/server.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { EXIT_CANNOT_RUN = 126 };

static const struct server *own_server;
static struct nursery_box *own_box;
static struct child_plan own_plan;

/* --- the box --- */

/* The box is the application's again. */
static void settle(void)
{
	sys_set_robust_list(own_server->robust_list, own_server->robust_list_length);
	nursery_settle(own_box);
}

static void settle_function(void)
{
	settle();
	/* Nothing that the function does can reach another start. */
	munmap(own_server->nursery, nursery_size(own_server->boxes));
}

/* --- beginning --- */

/* What it had as one that waits. */
static int stop_waiting(const struct server *server)
{
	sys_signal_mask(&(sys_signal_set){ SYS_ALL_SIGNALS }, NULL);
	sigaction(NURSERY_PARENT_SIGNAL, &server->parent_action, NULL);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	return unshare(CLONE_FS) < 0 ? -errno : 0;
}

/* --- the tasks --- */

static __attribute__((noreturn)) void become_program(const struct server *server, struct nursery_box *box)
{
	struct child_plan *plan = &box->plan;

	if (!nursery_has_program(box))
		child_fail(plan, PIDRING_STEP_FORKSERVER, EPROTO);
	int r = stop_waiting(server);
	if (r < 0)
		child_fail(plan, PIDRING_STEP_WORKING_DIRECTORY, -r);
	server_complete_plan(server, plan);
	child_run_program(plan);
}

/* Private copies: the box goes back, and the nursery away. */
static int copy_plan(struct child_plan *ret_plan, const struct child_plan *plan)
{
	size_t size = plan->placement_count * sizeof *plan->placements;

	*ret_plan = *plan;
	if (size > 0) {
		ret_plan->placements = malloc(size);
		if (!ret_plan->placements)
			return -ENOMEM;
		memcpy(ret_plan->placements, plan->placements, size);
	}
	if (plan->working_directory) {
		ret_plan->working_directory = strdup(plan->working_directory);
		if (!ret_plan->working_directory)
			return -ENOMEM;
	}
	return 0;
}

static bool is_known(const struct server *server, int (*target)(void *))
{
	return !target || known_functions_have(&server->known, (const void *)(uintptr_t)target);
}

static __attribute__((noreturn)) void become_function(const struct server *server, struct nursery_box *box)
{
	if (!nursery_has_function(box) || !is_known(server, box->target) || stop_waiting(server) < 0 ||
	    copy_plan(&own_plan, &box->plan) < 0)
		_exit(EXIT_CANNOT_RUN);
	server_complete_plan(server, &own_plan);
	void *message = malloc(box->message_length + 1);
	if (!message)
		_exit(EXIT_CANNOT_RUN);
	memcpy(message, box->room, box->message_length);
	prctl(PR_SET_NAME, server->name, 0, 0, 0);
	server->callbacks.live(
		&(struct forkserver_child){ message, box->message_length, &own_plan, settle_function });
	_exit(EXIT_CANNOT_RUN);
}

static __attribute__((noreturn)) void become_server(struct server *server, const struct nursery_box *box)
{
	unsigned index = box->server;

	if (index >= NURSERY_SERVERS)
		_exit(EXIT_CANNOT_RUN);
	server->index = index;
	settle();
	server_serve(server);
}

/* A clone forgets the death signal (prctl(2)); the handler is still there. */
static void watch_parent_again(const struct server *server)
{
	prctl(PR_SET_PDEATHSIG, NURSERY_PARENT_SIGNAL, 0, 0, 0);
	if (getppid() != server->application)
		_exit(0);
}

/* The first call of each kind, and the first write to a page, cost page faults: had now, without any effect. */
static void rehearse(const struct server *server)
{
	struct sched_param scheduling;
	struct sigaction action;

	sys_signal_mask(NULL, &(sys_signal_set){ 0 });
	sigaction(NURSERY_PARENT_SIGNAL, NULL, &action);
	sched_getparam(0, &scheduling);
	sched_setscheduler(0, sched_getscheduler(0), &scheduling);
	setpgid(0, getpgrp());
	unshare(0);
	munmap(NULL, 0);
	sys_futex_wake((const uint32_t *)&own_box->go);
	explicit_bzero(&own_plan, sizeof own_plan);
	server->callbacks.rehearse();
}

static void await_task(const struct server *server, struct nursery_box *box)
{
	if (atomic_load(&box->go) != 0)
		return;
	prctl(PR_SET_NAME, "pidring-parked", 0, 0, 0);
	rehearse(server);
	while (atomic_load(&box->go) == 0)
		sys_futex_wait((const uint32_t *)&box->go, 0, INT64_MAX);
}

void parked_live(struct server *server, struct nursery_box *box)
{
	own_server = server;
	own_box = box;
	child_own(nursery_ownership(box));
	watch_parent_again(server);
	await_task(server, box);
	switch (box->task) {
	case TASK_PROGRAM:
		become_program(server, box);
	case TASK_FUNCTION:
		become_function(server, box);
	case TASK_SERVER:
		become_server(server, box);
	}
	_exit(EXIT_CANNOT_RUN);
}
