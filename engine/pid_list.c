/* SPDX-License-Identifier: MIT */
#include "pid_list.h"

#include <errno.h>
#include <stdlib.h>

int pid_list_add(struct pid_list *list, pid_t pid)
{
	enum { FIRST_ROOM = 64 };

	if (list->count == list->room) {
		size_t room = list->room > 0 ? 2 * list->room : FIRST_ROOM;
		pid_t *pids = reallocarray(list->pids, room, sizeof *pids);
		if (!pids)
			return -ENOMEM;
		list->pids = pids;
		list->room = room;
	}
	list->pids[list->count++] = pid;
	return 0;
}
