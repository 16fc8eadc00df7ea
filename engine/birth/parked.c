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
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { EXIT_CANNOT_RUN = 126 };

static const struct server *own_server;
static struct nursery_box *own_box;

/* --- the box --- */

/* The kernel walks this list when the child execs or dies, finds the word with the child's number in it, and wakes
 * whoever waits for it (get_robust_list(2)). */
static void own(struct nursery_box *box, pid_t thread)
{
	struct nursery_robust_list *robust = &box->robust;

	robust->head.list.next = &robust->entry;
	robust->entry.next = &robust->head.list;
	robust->head.futex_offset = (char *)&box->word - (char *)&robust->entry;
	robust->head.list_op_pending = NULL;
	sys_set_robust_list(&robust->head, sizeof robust->head);
	atomic_store(&box->word, (uint32_t)thread | FUTEX_WAITERS);
}

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
static int stop_waiting(const struct server *server, const struct nursery_box *box)
{
	const struct child_plan *plan = &box->plan;

	sys_signal_mask(&(sys_signal_set){ SYS_ALL_SIGNALS }, NULL);
	sigaction(NURSERY_PARENT_SIGNAL, &server->parent_action, NULL);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (server->policy == SCHED_OTHER)
		sched_setscheduler(0, server->policy, &server->scheduling);
	/* Fails if the group has vanished since, with all who were in it. */
	if (!plan->new_session && !plan->new_group)
		setpgid(0, box->group);
	return unshare(CLONE_FS) < 0 ? -errno : 0;
}

/* --- what a stranger might have written --- */

static bool is_inside(const struct nursery_box *box, const void *pointer, size_t size)
{
	uintptr_t begin = (uintptr_t)box->room, at = (uintptr_t)pointer;

	return at >= begin && size <= NURSERY_ROOM && at - begin <= NURSERY_ROOM - size;
}

/* The last byte of what is used is zero, so every string in it ends there at the latest. */
static bool is_string(const struct nursery_box *box, const void *pointer)
{
	return is_inside(box, pointer, 1) && (const unsigned char *)pointer < box->room + box->length;
}

static bool are_strings(const struct nursery_box *box, char *const *strings, size_t *left)
{
	if (!is_inside(box, strings, sizeof *strings))
		return false;
	for (; is_inside(box, strings, sizeof *strings); strings++) {
		if (!*strings)
			return true;
		if (*left == 0 || !is_string(box, *strings))
			return false;
		--*left;
	}
	return false;
}

static bool is_plan_sound(const struct nursery_box *box)
{
	const struct child_plan *plan = &box->plan;
	size_t count = plan->placement_count;

	if (box->length == 0 || box->length > NURSERY_ROOM || box->room[box->length - 1] != 0)
		return false;
	if (count > NURSERY_ROOM / sizeof *plan->placements)
		return false;
	if (count > 0 && !is_inside(box, plan->placements, count * sizeof *plan->placements))
		return false;
	return !plan->working_directory || is_string(box, plan->working_directory);
}

static bool is_program_sound(const struct nursery_box *box)
{
	const struct child_plan *plan = &box->plan;
	size_t left = box->string_count;

	return is_plan_sound(box) && is_string(box, plan->path) && are_strings(box, plan->argv, &left) &&
	       are_strings(box, plan->envp, &left);
}

static bool is_function_sound(const struct server *server, const struct nursery_box *box)
{
	return is_plan_sound(box) && box->message_length <= NURSERY_ROOM &&
	       (!box->target || known_functions_have(&server->known, (const void *)(uintptr_t)box->target));
}

/* --- the tasks --- */

static void ignore_signals(sys_signal_set ignored)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	for (int signal_number = 1; ignored && signal_number <= SYS_SIGNALS; signal_number++)
		if (ignored >> (signal_number - 1) & 1)
			sigaction(signal_number, &action, NULL);
}

static __attribute__((noreturn)) void become_program(const struct server *server, struct nursery_box *box)
{
	struct child_plan *plan = &box->plan;

	if (!is_program_sound(box))
		child_fail(plan, PIDRING_STEP_FORKSERVER, EPROTO);
	int r = stop_waiting(server, box);
	if (r < 0)
		child_fail(plan, PIDRING_STEP_WORKING_DIRECTORY, -r);
	ignore_signals(box->ignored);
	plan->reset = server->handled & ~box->ignored;
	plan->reset_signals = true;
	plan->handlers_cleared = false;
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

static __attribute__((noreturn)) void become_function(const struct server *server, struct nursery_box *box)
{
	static struct child_plan plan;

	if (!is_function_sound(server, box) || stop_waiting(server, box) < 0 ||
	    copy_plan(&plan, &box->plan) < 0)
		_exit(EXIT_CANNOT_RUN);
	void *message = malloc(box->message_length + 1);
	if (!message)
		_exit(EXIT_CANNOT_RUN);
	memcpy(message, box->room, box->message_length);
	prctl(PR_SET_NAME, server->name, 0, 0, 0);
	server->callbacks.live(
		&(struct forkserver_child){ message, box->message_length, &plan, settle_function });
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

static void await_task(const struct server *server, struct nursery_box *box)
{
	if (atomic_load(&box->go) != 0)
		return;
	prctl(PR_SET_NAME, "pidring-parked", 0, 0, 0);
	server->callbacks.park();
	while (atomic_load(&box->go) == 0)
		sys_futex_wait((const uint32_t *)&box->go, 0, INT64_MAX);
}

void parked_live(struct server *server, struct nursery_box *box)
{
	own_server = server;
	own_box = box;
	own(box, *server->thread_id);
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
