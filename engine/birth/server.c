/* SPDX-License-Identifier: MIT */
/*
 * The life of a forkserver: sleep, clone, answer.
 *
 * It has one thread and calls nothing that allocates or waits, but for the preload function. All signals are blocked
 * but one, by which the kernel tells of its parent's end; a thread of the parent that ends sends it, too, hence the
 * look. Servers and parked children are a process group of their own, in the application's session: what a terminal
 * sends to the application's group would otherwise wait in a parked child, and end it when it begins. A child joins the
 * application's group then.
 */
#include "birth/server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* For the handler, which has no argument. */
static pid_t application;

static void look_for_parent(int signal_number)
{
	(void)signal_number;
	if (getppid() != application)
		_exit(0);
}

/* The order: a parent that ends before the prctl is seen by the look after it. */
static void watch_parent(struct server *server)
{
	const sys_signal_set all_but_one =
		SYS_ALL_SIGNALS & ~((sys_signal_set)1 << (NURSERY_PARENT_SIGNAL - 1));
	struct sigaction action = { .sa_handler = look_for_parent, .sa_flags = SA_RESTART };

	application = server->application;
	sigfillset(&action.sa_mask);
	sigaction(NURSERY_PARENT_SIGNAL, &action, &server->parent_action);
	prctl(PR_SET_PDEATHSIG, NURSERY_PARENT_SIGNAL, 0, 0, 0);
	sys_signal_mask(&all_but_one, NULL);
	look_for_parent(0);
}

/* Neither a server nor a parked child takes the processor from whoever wakes it (sched(7), SCHED_BATCH). */
static void step_back(struct server *server)
{
	server->policy = sched_getscheduler(0);
	sched_getparam(0, &server->scheduling);
	if (server->policy == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &server->scheduling);
}

/* --- one clone --- */

static void answer(struct nursery_box *box, long error)
{
	box->error = (int)error;
	if (atomic_exchange(&box->answer, ANSWER_GIVEN) == ANSWER_AWAITED)
		sys_futex_wake((const uint32_t *)&box->answer);
}

/* The kernel stores pid and pidfd before anything else can happen, a death of the server included: a pid in the box is
 * a child. */
static void bear(struct server *server, struct nursery_box *box)
{
	struct sys_clone_arguments arguments = {
		.flags = CLONE_PARENT | CLONE_FILES | CLONE_FS | CLONE_PIDFD | CLONE_PARENT_SETTID |
		         CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
		.pidfd = (uint64_t)(uintptr_t)&box->pidfd,
		.parent_tid = (uint64_t)(uintptr_t)&box->pid,
		.child_tid = (uint64_t)(uintptr_t)server->thread_id,
	};
	long pid = sys_clone3(&arguments);

	if (pid == 0)
		parked_live(server, box);
	answer(box, pid < 0 ? pid : 0);
}

/* --- serving --- */

/* The first box that this server is asked about in this way. */
static bool take_request(struct server *server, enum nursery_request request, unsigned *ret_box)
{
	const uint32_t wanted = server->index << NURSERY_REQUEST_BITS | request;

	for (unsigned i = 0; i < server->boxes; i++) {
		uint32_t asked = wanted;
		if (atomic_load_explicit(&server->nursery->asked[i], memory_order_relaxed) != wanted)
			continue;
		if (!atomic_compare_exchange_strong(&server->nursery->asked[i], &asked, REQUEST_NONE))
			continue;
		*ret_box = i;
		return true;
	}
	return false;
}

/* Starts that wait go before children that will. */
static bool serve_one(struct server *server)
{
	unsigned box;

	if (!take_request(server, REQUEST_NOW, &box) && !take_request(server, REQUEST_PARK, &box))
		return false;
	bear(server, nursery_box(server->nursery, box));
	return true;
}

void server_serve(struct server *server)
{
	struct nursery_server *post = &server->nursery->servers[server->index];

	prctl(PR_SET_NAME, "pidring-server", 0, 0, 0);
	for (;;) {
		uint32_t seen = atomic_load(&post->bell);

		while (serve_one(server))
			;
		/* Whoever rings now sees that it sleeps, or is seen here. */
		atomic_store(&post->sleeps, 1);
		if (atomic_load(&post->bell) == seen)
			sys_futex_wait((const uint32_t *)&post->bell, seen, INT64_MAX);
		atomic_store(&post->sleeps, 0);
	}
}

void server_begin(struct server *server)
{
	sys_set_robust_list(server->robust_list, server->robust_list_length);
	prctl(PR_GET_NAME, server->name, 0, 0, 0);
	setpgid(0, 0);
	watch_parent(server);
	server->callbacks.forget();
	/* What the application has not written yet is not to be written by every child. */
	__fpurge(stdout);
	__fpurge(stderr);
	if (server->callbacks.preload)
		server->callbacks.preload(server->callbacks.preload_argument);
	server->handled = child_find_handled() & ~((sys_signal_set)1 << (NURSERY_PARENT_SIGNAL - 1));
	step_back(server);
	server_serve(server);
}
