/* SPDX-License-Identifier: MIT */
/* Starts through a forkserver, as far as they differ from others. */
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "message.h"
#include "start.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int start_find_server(struct start *start)
{
	struct pidring_process *process = start->process;
	const struct settings *settings = process->settings;
	struct forkserver *forkserver;

	/* Servers that die again and again are not worth it. */
	if (settings->start_method != PIDRING_FORKSERVER || start->attempts > 1)
		return 0;
	/* Its children live where it does. */
	if (settings->confinement || settings->cgroup)
		return 0;
	engine_find_forkserver(process->engine, &forkserver);
	if (!forkserver)
		return 0;
	if (settings->target && !forkserver_knows(forkserver, (const void *)(uintptr_t)settings->target))
		return explain(
			-ENXIO,
			"the forkserver does not know the target of process '%s', which was loaded after "
			"the server was made",
			process->name);
	forkserver_reference(forkserver);
	process->forkserver = forkserver;
	return 0;
}

/* With the lock held. */
static void do_without(struct pidring_process *process)
{
	forkserver_unreference(process->forkserver);
	process->forkserver = NULL;
}

int start_await_server(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!process->forkserver)
		return 0;
	int r = forkserver_wait_ready(process->forkserver);
	if (r == 0)
		return 0;
	family_enter();
	if (process->engine)
		r = engine_give_up_forkserver(process->engine, process->forkserver, r);
	if (r == 0)
		do_without(process);
	family_leave();
	return r < 0 ? start_fail(&start->failure, PIDRING_STEP_FORKSERVER, r) : 0;
}

bool start_take_box(struct start *start)
{
	struct pidring_process *process = start->process;

	if (!process->forkserver)
		return false;
	/* An asynchronous start of a program does not even wait for a server, as it can do without. */
	process->box = forkserver_take(process->forkserver,
	                               !start_is_program(process) || !process->settings->asynchronous);
	if (!process->box) {
		do_without(process);
		return false;
	}
	process->slot = forkserver_slot(process->forkserver, process->box);
	start->reports = true;
	return true;
}

static int pack_program(struct start *start)
{
	struct pidring_process *process = start->process;
	struct child_plan *plan = process->slot->plan;

	/* What it would inherit is what the server ignores. */
	if (!process->settings->given_ignored)
		plan->ignored = process->settings->keep_signals ? child_find_ignored() : 0;
	return nursery_pack_program(process->box, plan);
}

static int pack_function(struct start *start)
{
	struct pidring_process *process = start->process;
	size_t length = 0;
	void *message = message_new(process, &length);

	if (!message)
		return explain(-ENOMEM, "no memory for what the child must be told");
	int r = nursery_pack_function(process->box, process->slot->plan, process->settings->target, message,
	                              length);
	message_free(message, length);
	return r < 0 ? explain(r, "what the child must be told is too long: %zu bytes", length) : 0;
}

int start_pack(struct start *start)
{
	const struct pidring_process *process = start->process;
	struct child_plan *plan = process->slot->plan;

	sys_signal_mask(NULL, &start->caller_mask);
	plan->signal_mask = start_is_program(process) ? start_program_mask(start) : start->caller_mask;
	plan->join_group = getpgrp();
	plan->shared_table = true;
	plan->have_close_range = true;
	return start_is_program(start->process) ? pack_program(start) : pack_function(start);
}

/* With the lock held. */
static int take_newborn(struct start *start)
{
	struct pidring_process *process = start->process;

	start->asked = false;
	return forkserver_take_newborn(process->forkserver, process->box, &process->newborn);
}

int start_send(struct start *start)
{
	struct pidring_process *process = start->process;

	family_enter();
	int r = forkserver_send(process->forkserver, process->box);
	start->asked = r > 0;
	start->server_lost = r == -EPIPE;
	if (r == 0)
		r = take_newborn(start);
	family_leave();
	return r < 0 ? r : 0;
}

int start_await_newborn(struct start *start)
{
	enum { MANY = 20 };
	struct pidring_process *process = start->process;
	int r = 0;

	if (!start->asked)
		return 0;
	for (unsigned looks = 1; r == 0 && !forkserver_await(process->box); looks++) {
		family_enter();
		r = forkserver_look_after(process->forkserver);
		if (r == 0 && looks % MANY == 0)
			forkserver_ask_again(process->forkserver, process->box);
		family_leave();
	}
	/* The server may have cloned it before it died. */
	family_enter();
	r = take_newborn(start);
	family_leave();
	start->server_lost = r == -EPIPE;
	if (r == 0 || r == -EPIPE)
		return r;
	explain(r, "the forkserver cannot create a child: %s", strerror(-r));
	return start_fail(&start->failure, PIDRING_STEP_CLONE, r);
}
