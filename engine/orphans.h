/* SPDX-License-Identifier: MIT */
/*
 * Orphans: children of this process that pidring has not started. One engine of the process reaps them (its option
 * `subreaper`). With the family's lock held.
 */
#ifndef PIDRING_ORPHANS_H
#define PIDRING_ORPHANS_H

#include "pidring.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Its memory is there before it is reaped, so that none is lost. */
struct orphan {
	TAILQ_ENTRY(orphan) link;
	pid_t pid;
	int code;
	uint64_t number; /* of the last birth that had begun when it was seen first */
};

TAILQ_HEAD(orphan_list, orphan);

struct orphanage {
	bool open;
	int signals;                 /* a signalfd for SIGCHLD; -1 */
	int was_subreaper;           /* before */
	bool due;                    /* somebody may have ended */
	bool put_off;                /* and it is not known whose he is, until a birth is over */
	struct orphan_list suspects; /* who may be strangers, or being born just now */
	struct orphan_list ended;    /* with an event to fetch */
};

void orphanage_init(struct orphanage *orphanage);
bool orphanage_has_events(const struct orphanage *orphanage);
void orphanage_take_event(struct orphanage *orphanage, struct pidring_event *ret_event);

/* This engine is to reap them. Explains what is wrong. */
int orphans_open(struct pidring *engine);
void orphans_close(struct pidring *engine);
void orphans_after_fork(struct pidring *engine);
/* SIGCHLD has come. */
void orphans_take_signals(struct pidring *engine);
/* Reaps who has ended. -ENOMEM: not all. */
int orphans_look(struct pidring *engine);

/* From before the clone until the child is known by its number (or that there is none), nobody whom the family does not know is
 * taken for a stranger. */
void orphans_birth_begins(struct pidring_process *process);
void orphans_birth_ended(struct pidring_process *process);
/* A start that has been known as such is over. */
void orphans_start_ended(void);

#endif
