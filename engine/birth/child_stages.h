/* SPDX-License-Identifier: MIT */
/* The stages of a child that are in files of their own. child.c has the order, and says what may be done in them. Each
 * returns what the kernel says: a negated errno. */
#ifndef PIDRING_BIRTH_CHILD_STAGES_H
#define PIDRING_BIRTH_CHILD_STAGES_H

#include "birth/child.h"

/* --- child_placements.c --- */

/* The parent's pidfd goes out of the way of what will be placed. */
long stage_move_parent(struct child_plan *plan);
long stage_placements(struct child_plan *plan);

/* --- child_close.c --- */

/* From the creator's table to one of its own. */
long stage_unshare(struct child_plan *plan);
/* Whatever else is open, but for what is to be kept. */
long stage_close(struct child_plan *plan);

#endif
