/* SPDX-License-Identifier: MIT */
/* The children of this process as the kernel has them, whoever started them. */
#ifndef PIDRING_CHILDREN_H
#define PIDRING_CHILDREN_H

#include <stddef.h>
#include <sys/types.h>

/* A child that has ended and that the kernel would give out first; 0: there is none, but perhaps running ones; -ECHILD: there is no
 * child at all. Not those that send no signal at their end. Somebody else's whom this process traces is among them. */
pid_t children_first_ended(void);
/* The number of its parent; 0: not to be had. */
pid_t children_parent_of(pid_t pid);
/* All of them, for the caller to free. A list that changes meanwhile may lack some. -ENOMEM, -ENOENT: no /proc. */
int children_list(pid_t **ret_pids, size_t *ret_count);

#endif
