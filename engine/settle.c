/* SPDX-License-Identifier: MIT */
/*
 * After the birth: what a child still looks at (its slot, descriptors that stand in for others, its ends of streams)
 * is kept until it has left the creator's memory and table, and then given back.
 */
#include "engine.h"
#include "family.h"
#include "household.h"
#include "orphans.h"
#include "start.h"
#include "sys/sys.h"

#include <stdlib.h>
#include <unistd.h>

static void give_slot_back(struct pidring_process *process)
{
	birth_program_release(process->slot);
	descriptors_give_back(process->low, &process->taken);
	if (process->box)
		forkserver_give_back(process->forkserver, process->box);
	else
		birth_slot_give_back(&family.slots, process->slot);
	process->box = NULL;
	process->slot = NULL;
}

void start_entry_ended(struct pidring_process *process, bool created)
{
	if (!process->entering)
		return;
	process->entering = false;
	cgroup_entry_ended(process->settings->cgroup, created);
}

void start_release(struct pidring_process *process)
{
	/* Of one that has failed only the kernel knows how far it came. */
	start_entry_ended(process, process->slot && process->slot->plan->failed_error == 0);
	if (process->slot)
		give_slot_back(process);
	if (process->forkserver)
		forkserver_unreference(process->forkserver);
	process->forkserver = NULL;
	free(process->placements);
	process->placements = NULL;
	stream_ends_close_child(&process->ends);
	sys_close(&process->authkey_memfd);
	launch_free(process->launch);
	process->launch = NULL;
	dumpable_release(process);
	confine_work_free(process->confine);
	process->confine = NULL;
	low_descriptors_unreference(process->low);
	process->low = NULL;
	TAILQ_REMOVE(&family.starts, process, start_link);
	orphans_start_ended();
}

void start_leave_to_watch(struct pidring_process *process)
{
	if (!process->engine)
		return;
	if (birth_program_is_settled(process->slot)) {
		process_settle(process);
		return;
	}
	process->birth_watch.item.descriptor = process->slot->report_descriptor;
	process->birth_watch.item.word = (const uint32_t *)process->slot->word;
	engine_watch(process, &process->birth_watch);
}

void start_read_report(struct pidring_process *process)
{
	if (process->box)
		nursery_read_report(process->box, process->slot->plan);
	else
		birth_program_settle(process->slot);
	/* Who has freed the process may have freed where it was to be told, too. */
	if (process->confine && process->has_handle && process->slot->plan->failed_error == 0)
		confine_work_report(process->confine);
}

/* Tells once how an asynchronous start went. */
static void tell(struct pidring_process *process)
{
	struct birth_slot *slot = process->slot;

	process->told = true;
	start_read_report(process);
	if (slot->plan->failed_error != 0) {
		start_explain_child(process, &process->failure);
		engine_push(process, EVENT_START_FAILED);
	} else {
		engine_push(process, EVENT_STARTED);
	}
}

void process_settle(struct pidring_process *process)
{
	struct birth_slot *slot = process->slot;

	if (!slot)
		return;
	if (!process->told && process->state != PROCESS_ENDED && !birth_program_is_settled(slot))
		return;
	if (process->box && !birth_program_is_settled(slot))
		nursery_settle(process->box);
	if (!process->told)
		tell(process);
	/* While the kernel still has the slot in a watch, its descriptor may not be closed: this comes by
	 * again. */
	if (engine_unwatch(process, &process->birth_watch))
		start_release(process);
}
