/* SPDX-License-Identifier: MIT */
/*
 * A tree of processes that is found by walking: the root, the group that it leads, all who descend from them, and all who
 * were found before and are still there. Who they are is their pid and the moment of their start. To be used without the
 * family's lock.
 */
#ifndef PIDRING_TREE_H
#define PIDRING_TREE_H

#include "proc_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tree_member {
	pid_t pid, parent;
	uint64_t start;
	bool got;                      /* the last signal, or is to be spared it */
	uint64_t got_at;               /* as `start` */
	bool refused;                  /* it may not be signalled */
	bool killed;                   /* before the others */
	bool stopped;                  /* before it is to be killed */
	bool spared;                   /* until nobody is blocked who descends from it */
	enum proc_stillness stillness; /* when it was last seen */
};

struct tree {
	/* The root: a child of this process, or with `pidfd` -1 this process itself, which is walked from but is no member
	 * that anything is sent to. */
	pid_t root;
	int pidfd;
	bool leads_group;
	/* Of a child of this process that is none of the tree: 0: it is; 1: leave it out; -EAGAIN: not known yet. May be
	 * NULL. */
	int (*leave_out)(pid_t child);
	uint64_t began_at; /* the signal under way, as `start` */
	bool spares_later; /* the signal under way is not for those whose parents had got it before they were born */

	struct tree_member *members; /* parents before their children; those found in earlier walks first */
	size_t count, room;
};

/* Sends a signal once to each, and to those who come meanwhile, until a walk finds nobody new. (Born of somebody who had
 * got it already is not new, but for SIGKILL: who starts others all the time would keep this call for ever.) Returns how many got it.
 * -ESRCH: nobody is there; -EPERM: none of them may be signalled; others as proc_table_read, explained. */
int tree_signal(struct tree *tree, int signal_number);
/* Forgets who has ended, and if that is everybody walks once more. Returns how many are left; errors as of tree_signal. */
int tree_look(struct tree *tree);
/* Whether somebody was found that has not got the last signal, nor been refused it. */
bool tree_has_new(const struct tree *tree);
/* Adds members of another walk. -ENOMEM. */
int tree_add(struct tree *tree, const struct tree_member *members, size_t count);
void tree_release(struct tree *tree);

#endif
