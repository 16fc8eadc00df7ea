/* SPDX-License-Identifier: MIT */
/* Ends that a scenario expects: children with a code of their own, and checks of the events that tell of them. */
#ifndef PIDRING_TESTS_EXPECTED_ENDS_H
#define PIDRING_TESTS_EXPECTED_ENDS_H

#include "scenario.h"

/* Targets: */
int seven_after_latch(void *latch);

void check_event_of(const struct pidring_event *event, enum pidring_event_type type,
                    struct pidring_process *process);

#endif
