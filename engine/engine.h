/* SPDX-License-Identifier: MIT */
/* The engine from inside. Guarded by the family's lock; the watch belongs to the thread that is fetching. */
#ifndef PIDRING_ENGINE_H
#define PIDRING_ENGINE_H

#include "birth/birth.h"
#include "family.h"
#include "household.h"
#include "pidring.h"
#include "process.h"
#include "stdio/descriptors.h"
#include "timers.h"
#include "watch/watch.h"

struct pidring {
	LIST_ENTRY(pidring) link;
	enum pidring_backend backend;
	struct birth_paths paths;
	struct watch *watch;     /* NULL in a fork, until it is needed */
	struct watch *abandoned; /* the original's, in a fork */
	struct low_descriptors *low;
	uint64_t low_generation; /* the process that `low` was opened in */
	int outstanding;         /* processes whose last event is still to come */
	size_t output_memory;
	struct watch_chunk_list delivered; /* the caller looks at them until the next fetch */
	struct timers timers;
	struct pidring_statistics statistics; /* of input */
	struct watch_counts counts;           /* of output, after the last look */
	int64_t alarm;                        /* what the watch knows of the timers */

	struct forkserver *forkserver; /* NULL: none now */
	struct forkserver_options forkserver_options;
	struct forkserver_counts past_counts; /* of those that there were */
	bool forkserver_refused;              /* its clones are, here */

	bool fetching;                   /* a thread is inside pidring_wait */
	bool driven;                     /* pidring_fd was asked for: another loop looks at the watch */
	bool kicked;                     /* and the fetching thread has not come by since */
	struct process_watch_list queue; /* to be armed */
	struct process_list members;     /* all processes of this engine */
	size_t member_count;
	size_t large_pipes;         /* of output, that hold more than a new one */
	struct process_list events; /* those with pending events */
	struct household household;
};

/* --- with the family's lock held --- */

/* -ENOMEM. */
int engine_add(struct pidring *engine, struct pidring_process *process);
/* The process leaves its engine, if it has one: no events, no watches (those in the kernel's hands keep their
 * reference). */
void engine_remove(struct pidring_process *process);
/* Wakes whoever waits. */
void engine_kick(struct pidring *engine);
void engine_push(struct pidring_process *process, unsigned events);
void engine_withdraw(struct pidring_process *process, unsigned events);
void engine_drop_events(struct pidring_process *process);
/* Its end will be told. */
void engine_count(struct pidring_process *process);
bool engine_has_events(const struct pidring *engine);
size_t engine_take_events(struct pidring *engine, struct pidring_event *events, size_t capacity);
/* The caller has looked at them. */
void engine_release_delivered(struct pidring *engine);
/* From now on `watch` is watched, with the events that its item has now: armed by whoever waits next, who is woken
 * if need be. */
void engine_watch(struct pidring_process *process, struct process_watch *watch);
/* Whether the descriptor of the watch may be closed now; if not, the watch comes by once more (reported). So it
 * may, too, while it is armed for the kernel. */
bool engine_unwatch(struct pidring_process *process, struct process_watch *watch);
/* The watch is closed: what it had of the process's goes with it. */
void engine_forget_watches(struct pidring_process *process);
/* Hands to the watch what was asked for since. A negated errno: not all. */
int engine_see_to_queue(struct pidring *engine);
/* Tells whom it concerns. Whether something has happened to a process that has not ended for all that: a tracer
 * looks at it first. It is watched further. */
bool engine_take_report(struct pidring *engine, struct watch_item *item);
/* If there is none, as in a fork. */
int engine_open_watch(struct pidring *engine);
/* Sets a timer of the process (INT64_MAX: unsets it); whoever waits is made to heed it. Nothing without an
 * engine. */
void engine_set_timer(struct pidring_process *process, struct timer *timer, int64_t moment);
/* The earliest moment at which something is to be done for any process of this engine; INT64_MAX: none. */
int64_t engine_next_timer(const struct pidring *engine);
/* Does what is due. */
void engine_run_timers(struct pidring *engine);
/* Makes sure that `low` is this process's own. */
int engine_own_low(struct pidring *engine);
void engine_after_fork(struct pidring *engine);
/* In a forkserver: forgets, without closing it, what is the application's. */
void engine_forget(struct pidring *engine);

/* --- servers.c --- */

void engine_set_forkserver_options(struct pidring *engine, const struct pidring_engine_options *options);
/* One that can be used now, made if need be; NULL: it cannot be had. */
void engine_find_forkserver(struct pidring *engine, struct forkserver **ret_forkserver);
/* It has failed to get ready: whether it is to be done without. -EPIPE explained. */
int engine_give_up_forkserver(struct pidring *engine, struct forkserver *forkserver, int error);
void engine_drop_forkserver(struct pidring *engine);
void engine_count_forkserver(struct pidring *engine, struct forkserver_counts *ret_counts);
/* How a function is started by PIDRING_FORKSERVER. */
enum pidring_birth engine_forkserver_birth(const struct pidring *engine);
/* In the exit function, without the lock: ends those of all engines. */
void engines_drop_forkservers(void);
/* Without the lock: makes it, as pidring_open was asked to. */
int engine_open_forkserver(struct pidring *engine);
/* In a function target's process: lets go of the rest, but for the sentinel of the parent. */
void engine_become(struct pidring *engine, int parent_pidfd);

#endif
