/* SPDX-License-Identifier: MIT */
/*
 * Whether this process may be looked into while children change their user in its memory.
 *
 * The kernel makes a memory undumpable when one who has it changes its user (commit_creds): rightly, since until its exec
 * the child could be traced by its new user's processes, and this process's memory read. So it stays that way until the
 * last such child has left, and then becomes again what it was.
 */
#include "family.h"

#include "confine/work.h"
#include "process.h"

#include <sys/prctl.h>

enum { DUMPABLE = 1 };

void dumpable_hold(struct pidring_process *process)
{
	if (!process->confine || !process->confine->confinement->changes_user)
		return;
	if (family.undumpable == 0)
		family.was_dumpable = prctl(PR_GET_DUMPABLE) == DUMPABLE;
	family.undumpable++;
	process->undumpable = true;
}

static void give_back(void)
{
	if (family.was_dumpable)
		prctl(PR_SET_DUMPABLE, DUMPABLE);
}

void dumpable_release(struct pidring_process *process)
{
	if (!process->undumpable)
		return;
	process->undumpable = false;
	if (--family.undumpable == 0)
		give_back();
}

/* The copy shares its memory with nobody. */
void dumpable_after_fork(void)
{
	if (family.undumpable > 0)
		give_back();
	family.undumpable = 0;
}
