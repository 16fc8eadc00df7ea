/* SPDX-License-Identifier: MIT */
/* Telling others: lines of JSON on a descriptor, a line end on another, the service manager. */
#ifndef PIDRING_INIT_STATUS_H
#define PIDRING_INIT_STATUS_H

#include <pidring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct init_status {
	int descriptor;       /* for lines of JSON; -1: none */
	int ready_descriptor; /* -1: none */
	const char *socket;   /* of the service manager; NULL: none */
	uint64_t dropped;     /* lines that nobody has made room for */
};

/* Takes both descriptors: copies of our own, whose numbers nothing else gets. What was handed over above 2 is closed; the
 * program has not been started yet. 0 or a negated errno. */
int init_status_take(struct init_status *status);
/* The program runs, as this process (0: there is none). */
void init_status_ready(struct init_status *status, pid_t pid);
/* The program could not be started. */
void init_status_failed(struct init_status *status, const struct pidring_failure *failure);
/* The end has begun. */
void init_status_stopping(struct init_status *status);
/* A signal has come, and went on as another one (0: it was dropped) to so many, or to -errno. */
void init_status_signal(struct init_status *status, int received, int sent, const char *target, int result);
/* Somebody has ended: "ended" for the program, "orphan" for others. */
void init_status_ended(struct init_status *status, const char *name, pid_t pid,
                       const struct pidring_event *event);
/* The last line. */
void init_status_exit(struct init_status *status, int code);

#endif
