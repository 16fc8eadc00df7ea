/* SPDX-License-Identifier: MIT */
/*
 * The life of a forkserver: sleep, clone, answer.
 *
 * It has one thread and calls nothing that allocates or waits, but for the preload function. All signals are blocked
 * but one, by which the kernel tells of its parent's end; a thread of the parent that ends sends it, too, hence the
 * look. No disposition but that one's is the application's: so programs need none reset, and what reaches a parked
 * child ends it, which is made good, instead of waiting for it to begin. Functions get them back.
 *
 * Servers and parked children are a process group of their own, in the application's session: what a terminal sends to
 * the application's group is not for them. A child joins that group when it begins.
 */
#include "birth/server.h"

#include "clock.h"

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

bool server_has_parent(const struct server *server)
{
	return getppid() == server->application;
}

/* --- signals --- */

static bool is_default(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

static void keep_action(struct server *server, int signal_number, const struct sigaction *action)
{
	if (!is_default(action) && server->action_count < SYS_SIGNALS)
		server->actions[server->action_count++] = (struct server_action){ signal_number, *action };
}

/* After the preload function, which may have set some. */
static void take_dispositions(struct server *server)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	struct sigaction action = { .sa_handler = look_for_parent, .sa_flags = SA_RESTART }, old;

	sys_hear_hidden_signals();
	sigfillset(&action.sa_mask);
	for (int signal_number = 1; signal_number <= SYS_SIGNALS; signal_number++) {
		if (sigaction(signal_number, NULL, &old) < 0)
			continue;
		keep_action(server, signal_number, &old);
		if (signal_number == NURSERY_PARENT_SIGNAL)
			sigaction(signal_number, &action, NULL);
		else if (!is_default(&old))
			sigaction(signal_number, &by_default, NULL);
	}
}

/* The order: a parent that ends before the prctl is seen by the look after it. */
static void watch_parent(const struct server *server)
{
	const sys_signal_set all_but_one =
		SYS_ALL_SIGNALS & ~((sys_signal_set)1 << (NURSERY_PARENT_SIGNAL - 1));

	application = server->application;
	prctl(PR_SET_PDEATHSIG, NURSERY_PARENT_SIGNAL, 0, 0, 0);
	sys_signal_mask(&all_but_one, NULL);
	look_for_parent(0);
}

/* --- the processor --- */

/* Neither a server nor a parked child takes the processor from whoever wakes it (sched(7), SCHED_BATCH). */
static void step_back(struct server *server)
{
	server->policy = sched_getscheduler(0);
	sched_getparam(0, &server->scheduling);
	if (server->policy == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &server->scheduling);
}

void server_complete_plan(const struct server *server, struct child_plan *plan)
{
	plan->ownership = (struct child_ownership){ 0 };
	plan->gate = NULL;
	plan->reset_signals = true;
	plan->reset = (sys_signal_set)1 << (NURSERY_PARENT_SIGNAL - 1);
	plan->handlers_cleared = false;
	plan->set_scheduling = server->policy == SCHED_OTHER;
	plan->policy = server->policy;
	plan->scheduling = server->scheduling;
}

/* --- one clone --- */

/*
 * The kernel stores the pid before anything else can happen, a death of the server included: a pid in the box is
 * a child.
 */
static struct sys_clone_arguments arguments_for(struct nursery_box *box, uint64_t flags)
{
	/* The page is there then: a fault of the kernel's store fails in a process that has been killed meanwhile. */
	*(volatile pid_t *)&box->pid = 0;
	return (struct sys_clone_arguments){
		.flags = flags | CLONE_PARENT | CLONE_FILES | CLONE_PARENT_SETTID,
		.parent_tid = (uint64_t)(uintptr_t)&box->pid,
	};
}

/* A child that will not do anything but become a program needs no memory of its own: as in birth/exec.c, on a stack in
 * its box. Its word is owned, and not cleared by CLONE_CHILD_CLEARTID, which would fail if the server died before the
 * exec: the memory would be the child's alone by then. */
static void bear_program(struct server *server, struct nursery_box *box)
{
	struct sys_clone_arguments arguments = arguments_for(box, CLONE_VM | CLONE_CLEAR_SIGHAND);

	if (!nursery_has_program(box)) {
		nursery_answer(box, -EPROTO);
		return;
	}
	server_complete_plan(server, &box->plan);
	box->plan.ownership = nursery_ownership(box);
	box->plan.gate = &box->go;
	box->plan.gate_owner = &box->pid;
	arguments.stack = (uint64_t)(uintptr_t)box + NURSERY_BOX_SIZE - NURSERY_STACK_SIZE;
	arguments.stack_size = NURSERY_STACK_SIZE;
	long pid = sys_clone3_call(&arguments, child_run_program, &box->plan);
	nursery_answer(box, pid < 0 ? (int)pid : 0);
}

static void bear(struct server *server, struct nursery_box *box, bool now)
{
	struct sys_clone_arguments arguments =
		arguments_for(box, CLONE_FS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID);

	arguments.child_tid = (uint64_t)(uintptr_t)server->repairs.thread_id;
	long pid = sys_clone3(&arguments);

	if (pid == 0)
		parked_live(server, box, now);
	nursery_answer(box, pid < 0 ? (int)pid : 0);
}

/* --- serving --- */

/* The first box that this server is asked about in this way. */
static bool take_request(struct server *server, enum nursery_request request, unsigned *ret_box)
{
	const uint32_t wanted = nursery_asked(server->index, request);
	struct nursery_server *post = &server->nursery->servers[server->index];

	for (unsigned i = 0; i < server->boxes; i++) {
		uint32_t asked = wanted;
		if (atomic_load_explicit(&server->nursery->asked[i], memory_order_relaxed) != wanted)
			continue;
		/* First: what is neither asked for any more nor served, nor answered, has been lost. */
		atomic_store(&post->serves, i + 1);
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
	unsigned index;
	bool now = take_request(server, REQUEST_NOW, &index);

	if (!now && !take_request(server, REQUEST_PARK, &index))
		return false;
	struct nursery_box *box = nursery_box(server->nursery, index);
	if (now && box->task == TASK_PROGRAM)
		bear_program(server, box);
	else
		bear(server, box, now);
	atomic_store(&server->nursery->servers[server->index].serves, 0);
	return true;
}

bool server_sleep(const struct server *server, _Atomic uint32_t *word, uint32_t expected, unsigned seconds)
{
	return sys_futex_wait((const uint32_t *)word, expected, clock_now() + seconds * CLOCK_SECOND) !=
	               -ETIMEDOUT ||
	       server_has_parent(server);
}

/* What the kernel has not told this server, it has not told its children either. */
static void dismiss(struct server *server)
{
	for (unsigned i = 0; i < server->boxes; i++) {
		struct nursery_box *box = nursery_box(server->nursery, i);

		if (atomic_load(&box->go) == GO_NOT_YET)
			nursery_wake(box, GO_LEAVE);
	}
	atomic_store(&server->nursery->ended, 1);
}

void server_serve(struct server *server)
{
	struct nursery_server *post = &server->nursery->servers[server->index];

	prctl(PR_SET_NAME, "pidring-server", 0, 0, 0);
	while (!atomic_load(&server->nursery->ended)) {
		uint32_t seen = atomic_load(&post->bell);

		while (serve_one(server))
			;
		/* Whoever rings now sees that it sleeps, or is seen here. */
		atomic_store(&post->sleeps, 1);
		if (atomic_load(&post->bell) == seen && !server_sleep(server, &post->bell, seen, 1))
			dismiss(server);
		atomic_store(&post->sleeps, 0);
	}
	_exit(0);
}

static void preload(const struct server *server)
{
	if (!server->callbacks.preload)
		return;
	server->callbacks.preload(server->callbacks.preload_argument);
	fflush(stdout);
	fflush(stderr);
	/* It may have used the library. */
	server->callbacks.forget();
}

void server_begin(struct server *server)
{
	birth_repair(&server->repairs);
	prctl(PR_GET_NAME, server->name, 0, 0, 0);
	setpgid(0, 0);
	server->callbacks.forget();
	/* What the application has not written yet is not to be written by every child. */
	__fpurge(stdout);
	__fpurge(stderr);
	preload(server);
	take_dispositions(server);
	watch_parent(server);
	step_back(server);
	server_serve(server);
}
