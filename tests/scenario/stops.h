/* SPDX-License-Identifier: MIT */
/* What the scenarios of stops and deadlines share: ladders, and what is told of their end. */
#ifndef PIDRING_TESTS_STOPS_H
#define PIDRING_TESTS_STOPS_H

#include "ready_children.h"

/* --- ladders --- */

static const struct pidring_stop_step term_then_kill[] = { { SIGTERM, 20 * MILLISECONDS }, { SIGKILL, 0 } };
static const struct pidring_stop_step only_kill[] = { { SIGKILL, 0 } };
/* Nothing happens before a long time is over. */
static const struct pidring_stop_step patient[] = { { 0, 3600 * 1000 * MILLISECONDS }, { SIGKILL, 0 } };

#define STEPS(array)                                                           \
	(struct pidring_stop_options)                                          \
	{                                                                      \
		.size = sizeof(struct pidring_stop_options), .steps = (array), \
		.step_count = sizeof(array) / sizeof((array)[0])               \
	}

int stop(struct pidring_process *process, struct pidring_stop_options options);

/* --- their end --- */

struct pidring_exit_record record_of(struct pidring_process *process);
/* The record says this. Frees the process. */
void check_end(struct pidring_process *process, int code, int stop_signal, bool deadline_passed);
/* Waits for one event, which must be this one, of this process. */
void await(enum pidring_event_type type, struct pidring_process *process);

#endif
