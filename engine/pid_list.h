/* SPDX-License-Identifier: MIT */
/* Pids, as many as come. All zero: none. */
#ifndef PIDRING_PID_LIST_H
#define PIDRING_PID_LIST_H

#include <stddef.h>
#include <sys/types.h>

struct pid_list {
	pid_t *pids; /* to be freed by whoever has the list */
	size_t count, room;
};

/* -ENOMEM. */
int pid_list_add(struct pid_list *list, pid_t pid);

#endif
