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

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { DUMPABLE = 1 };

static void get_ids(uid_t ret_users[3], gid_t ret_groups[3])
{
	getresuid(&ret_users[0], &ret_users[1], &ret_users[2]);
	getresgid(&ret_groups[0], &ret_groups[1], &ret_groups[2]);
}

void dumpable_hold(struct pidring_process *process)
{
	if (!process->confine || !process->confine->confinement->changes_user)
		return;
	if (family.undumpable == 0) {
		family.was_dumpable = prctl(PR_GET_DUMPABLE) == DUMPABLE;
		get_ids(family.dumpable_users, family.dumpable_groups);
	}
	family.undumpable++;
	process->undumpable = true;
}

/* One that has changed its own user meanwhile is undumpable for its own sake. */
static bool is_who_it_was(void)
{
	uid_t users[3];
	gid_t groups[3];

	get_ids(users, groups);
	return memcmp(users, family.dumpable_users, sizeof users) == 0 &&
	       memcmp(groups, family.dumpable_groups, sizeof groups) == 0;
}

static void give_back(void)
{
	if (family.was_dumpable && is_who_it_was())
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
