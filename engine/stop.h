/* SPDX-License-Identifier: MIT */
/* Deadlines, and stopping step by step. All with the family's lock held. */
#ifndef PIDRING_STOP_H
#define PIDRING_STOP_H

#include "pidring.h"

#include <stdbool.h>

struct pidring_process;

/* It has been started: sets the deadline of its options. */
void deadline_begin(struct pidring_process *process);
/* It has ended: what only concerned itself is over; its group or tree may be stopped further. */
void stop_at_end(struct pidring_process *process);
/* Nothing is to happen to it any more. */
void stop_forget(struct pidring_process *process);

/* Whether there are steps to come, for itself or its group or tree, or its end is still to be told. */
bool stop_is_under_way(const struct pidring_process *process);

/* What the timers call. */
void deadline_due(struct pidring_process *process);
void stop_due(struct pidring_process *process);
/* To be called by whoever has run timers: takes the steps of trees, for which the lock is released. */
void stop_due_trees(void);

/* --- for the files of stopping alone --- */

/* Nobody tells when the last of a group or tree is gone: nanoseconds. */
enum { STOP_LOOK_EVERY = 20 * 1000 * 1000 };

bool stop_leads_group(const struct pidring_process *process);
/* Why it cannot be signalled by this process; explained. */
int stop_check_started(const struct pidring_process *process, const char *what);
/* And why nothing can be done to it later. */
int stop_check_timed(const struct pidring_process *process, const char *what);
int stop_explain_parent(void);
/* The steps are over. */
void stop_end(struct pidring_process *process);
/* One step, SIGKILL, for the tree: replaces what is under way. To be begun by stop_tree_begin. */
void stop_by_kill(struct pidring_process *process);

/* Takes the first step of one that has been set up; releases the lock meanwhile. Explained. */
int stop_tree_begin(struct pidring_process *process);
/* A step is due: it is taken when the timers have been run. */
void stop_tree_due(struct pidring_process *process);
/* The stop has come to this end: nobody is left (0), or the last signal. */
void stop_tree_tell(struct pidring_process *process, int code);
/* Releases the lock while the signal is sent. A count, or an error that is explained. */
int stop_tree_signal(struct pidring_process *process, int signal_number);
enum pidring_tree_means stop_tree_means(const struct pidring_process *process, int signal_number);

#endif
