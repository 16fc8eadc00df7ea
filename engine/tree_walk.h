/* SPDX-License-Identifier: MIT */
/* Who is in a tree: the part of tree.h that sends nothing. */
#ifndef PIDRING_TREE_WALK_H
#define PIDRING_TREE_WALK_H

#include "tree.h"

/* Finds all who are there now, beside those who were known; the dead are forgotten. 1: somebody could not be judged yet.
 * Errors as proc_table_read, explained. */
int tree_walk(struct tree *tree);
/* This process, from which a walk may begin, but which gets no signal. */
bool tree_is_self(const struct tree *tree, const struct tree_member *member);

#endif
