/* SPDX-License-Identifier: MIT */
/* How a child with a memory of its own tells why it could not begin: by a pipe that it closes when it does. */
#include "birth/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * The writing end must not have a number at which the child will place something else. The reading end does
 * not block: a copy of the writing end in a stranger must not hold up settle.
 */
int birth_report_open(struct birth_slot *slot, int *ret_writer)
{
	int report[2];

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	int lifted = child_copy_aside(slot->plan, report[1]);
	close(report[1]);
	if (lifted < 0) {
		close(report[0]);
		return lifted;
	}
	fcntl(report[0], F_SETFL, O_NONBLOCK);
	slot->report_descriptor = report[0];
	slot->plan->report_descriptor = slot->plan->kept_descriptor = lifted;
	*ret_writer = lifted;
	return 0;
}
