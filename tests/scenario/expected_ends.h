/* SPDX-License-Identifier: MIT */
/* Ends that a scenario expects: children with a code of their own, and checks of the events that tell of them. */
#ifndef PIDRING_TESTS_EXPECTED_ENDS_H
#define PIDRING_TESTS_EXPECTED_ENDS_H

#include "scenario.h"

/* Targets: */
int seven_after_latch(void *latch);
int return_low_byte(void *argument); /* of the argument itself */

void check_event_of(const struct pidring_event *event, enum pidring_event_type type,
                    struct pidring_process *process);
void check_exited(const struct pidring_event *event, struct pidring_process *process, int code);
/* The next event, which must be the end of this process. */
void get_end(struct pidring *engine, struct pidring_process *process, int code);
void check_no_event(struct pidring *engine);

#endif
