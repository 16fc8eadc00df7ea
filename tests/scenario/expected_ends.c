/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "expected_ends.h"

int seven_after_latch(void *latch)
{
	latch_wait(latch);
	return 7;
}

int return_low_byte(void *argument)
{
	return (int)(intptr_t)argument;
}

void check_event_of(const struct pidring_event *event, enum pidring_event_type type,
                    struct pidring_process *process)
{
	check_int(event->type, type);
	check(event->process == process);
}

void check_exited(const struct pidring_event *event, struct pidring_process *process, int code)
{
	check_int(event->type, PIDRING_EXITED);
	check(event->process == process);
	check(!event->unknown);
	check_int(event->code, code);
}

void get_end(struct pidring *engine, struct pidring_process *process, int code)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_exited(&event, process, code);
}

void check_no_event(struct pidring *engine)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, 0), 0);
}
