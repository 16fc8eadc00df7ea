/* SPDX-License-Identifier: MIT */
/*
 * What the scenarios of whole trees share: members, and what tells whether somebody is left of them.
 *
 * Every member has the writing end of `alive` open, so that its other end is at its end when, and only when, nobody is
 * left.
 */
#ifndef PIDRING_TESTS_TREE_MEMBERS_H
#define PIDRING_TESTS_TREE_MEMBERS_H

#include "ready_children.h"

extern int alive[2]; /* members have alive[1] */

/* Makes it, the engine, and the latch that each member lets one through when it is there. */
void prepare(void);
/* Closes alive[1] first: without the members there is nobody left who could write. */
void check_nobody_is_left(void);
/* Checks that, and closes the three. */
void tidy_up(void);
/* For who expects that somebody is: alive[0] stays open. */
bool somebody_is_left(void);
/* Until so many more are there. */
void wait_for_members(int count);
/* From now on mounts of this process are seen by itself and its children alone; false: that is not allowed here. */
bool unshare_mounts(void);

/* --- members --- */

/* Lets one through, and sleeps until a signal ends it. */
int stay(void);
/* SIGTERM does not end it. */
int stay_stubbornly(void);

/* Targets: */
int alone(void *unused);
/* Two children, each with two children: seven. */
int three_levels(void *unused);
/* It and its child obey, one of each of their children does not. */
int half_stubborn(void *unused);
/* The parent ends at once; the daemon stays in the group. */
int with_daemon_of_the_group(void *unused);
/* The daemon has a session of its own; its parent ends when it is let go. */
int with_daemon_of_its_own(void *latch);
/* Three levels that add up in `memory`, an _Atomic int, how often they got SIGUSR1. */
int count_signals(void *memory);
/* Several who start others all the time, each of whom lives for a while. */
int crowd(void *unused);

/* --- starts --- */

/* Waits until so many members are there. */
struct pidring_process *start_tree(int (*target)(void *), struct pidring_options options, int members);

/* --- stops --- */

extern const struct pidring_stop_step term_then_kill[2];

/* These steps for the whole tree. */
struct pidring_stop_options tree_steps(const struct pidring_stop_step *steps, size_t count);

/* --- events --- */

/* It must be of this process. */
struct pidring_event next_event(struct pidring_process *process);
/* The end of the process with this code, and one event more to come. */
void await_exit(struct pidring_process *process, int code);
/* The end of the stop of its tree, the last event: 0, or the signal that left somebody. */
void await_tree(struct pidring_process *process, int code);
/* Kills the tree, awaits both ends, and tidies up: nobody is left. */
void kill_all_of(struct pidring_process *process);

#endif
