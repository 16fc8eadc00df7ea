/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "expected_ends.h"

int seven_after_latch(void *latch)
{
	latch_wait(latch);
	return 7;
}

void check_event_of(const struct pidring_event *event, enum pidring_event_type type,
                    struct pidring_process *process)
{
	check_int(event->type, type);
	check(event->process == process);
}
