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
	birth_repair(&own_server->repairs);
	nursery_settle(own_box);
}

static void settle_function(void)
{
	settle();
	/* Nothing that the function does can reach another start. */
	munmap(own_server->nursery, nursery_size(own_server->boxes));
}

/* --- beginning --- */

static __attribute__((noreturn)) void fail_function(enum pidring_step step, int error)
{
	child_fail(&own_box->plan, step, error);
}

/* What it had as one that waits. The mask comes after the prctl: a signal that comes between finds its handler. */
static int stop_waiting(void)
{
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	sys_signal_mask(&(sys_signal_set){ SYS_ALL_SIGNALS }, NULL);
	return unshare(CLONE_FS) < 0 ? -errno : 0;
}

/* A program has none of them. */
static void take_actions_back(const struct server *server)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };

	sigaction(NURSERY_PARENT_SIGNAL, &by_default, NULL);
	for (unsigned i = 0; i < server->action_count; i++)
		sigaction(server->actions[i].signal_number, &server->actions[i].action, NULL);
}

/* --- the tasks --- */

static __attribute__((noreturn)) void become_program(const struct server *server, struct nursery_box *box)
{
	struct child_plan *plan = &box->plan;

	if (!nursery_has_program(box))
		child_fail(plan, PIDRING_STEP_FORKSERVER, EPROTO);
	int r = stop_waiting();
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

static __attribute__((noreturn)) void become_function(const struct server *server, struct nursery_box *box,
                                                      bool gated)
{
	struct forkserver_child child = { .target = box->target,
		                          .length = box->message_length,
		                          .plan = &own_plan,
		                          .settle = settle_function,
		                          .fail = fail_function };

	if (!nursery_has_function(box) || child.length > NURSERY_ROOM || !is_known(server, child.target))
		fail_function(PIDRING_STEP_FORKSERVER, EPROTO);
	int r = stop_waiting();
	if (r < 0)
		fail_function(PIDRING_STEP_WORKING_DIRECTORY, -r);
	take_actions_back(server);
	child.message = malloc(child.length + 1);
	if (!child.message || copy_plan(&own_plan, &box->plan) < 0)
		fail_function(PIDRING_STEP_PREPARE, ENOMEM);
	memcpy(child.message, box->room, child.length);
	server_complete_plan(server, &own_plan);
	own_plan.gate = gated ? &box->go : NULL;
	own_plan.gate_owner = &box->pid;
	prctl(PR_SET_NAME, server->name, 0, 0, 0);
	server->callbacks.live(&child);
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
	if (!server_has_parent(server))
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

/* What would end a process ends this one: it is replaced, while a signal that waited would end whoever begins. What would
 * only stop it waits. */
static void let_signals_in(void)
{
	const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	sys_signal_set mask = 0;

	for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
		mask |= (sys_signal_set)1 << (stops[i] - 1);
	sys_signal_mask(&mask, NULL);
}

static void await_task(const struct server *server, struct nursery_box *box)
{
	/* So many may wait that they look seldom; a server that sees its parent gone wakes them. */
	enum { SELDOM = 30 };

	if (atomic_load(&box->go) != GO_NOT_YET)
		return;
	prctl(PR_SET_NAME, "pidring-parked", 0, 0, 0);
	rehearse(server);
	let_signals_in();
	while (atomic_load(&box->go) == GO_NOT_YET)
		if (!server_sleep(server, &box->go, GO_NOT_YET, SELDOM))
			_exit(0);
	if (atomic_load(&box->go) == GO_LEAVE)
		_exit(0);
}

void parked_live(struct server *server, struct nursery_box *box, bool now)
{
	own_server = server;
	own_box = box;
	child_own(nursery_ownership(box));
	watch_parent_again(server);
	if (!now)
		await_task(server, box);
	switch (box->task) {
	case TASK_PROGRAM:
		become_program(server, box);
	case TASK_FUNCTION:
		become_function(server, box, now);
	case TASK_SERVER:
		become_server(server, box);
	}
	_exit(EXIT_CANNOT_RUN);
}
