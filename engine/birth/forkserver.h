/* SPDX-License-Identifier: MIT */
/*
 * Start method `forkserver`, from the application's side: a nursery, the servers on it, and their parked children.
 *
 * The first server is a clone of the application that shares its table of descriptors and its working directory, as do
 * its children while they wait: one that leaves the table takes along what the application has open at that moment. All
 * further servers, and the one that takes the place of a dead one, are parked children with another task: one is always
 * kept for that.
 *
 * All functions are called with the family's lock held, but for those that say so.
 */
#ifndef PIDRING_BIRTH_FORKSERVER_H
#define PIDRING_BIRTH_FORKSERVER_H

#include "birth/birth.h"

#include <stdbool.h>
#include <stddef.h>

struct forkserver;
struct nursery_box;

/* What a function's child begins with. All of it is the child's own. */
struct forkserver_child {
	int (*target)(void *argument);
	void *message; /* as it was packed */
	size_t length;
	struct child_plan *plan;
	/* To be called when the plan has been carried out, which is told to whoever waits for the start; or when it could
	 * not be: then it does not return. */
	void (*settle)(void);
	void (*fail)(enum pidring_step step, int error);
};

/* What is called in the servers and their children. */
struct forkserver_callbacks {
	/* In the first server: forgets, without closing it, whatever is the application's (and what preload has
	 * opened). */
	void (*forget)(void);
	void (*preload)(void *argument); /* NULL: none */
	void *preload_argument;
	/* In a child that will wait: whatever can be done ahead. */
	void (*rehearse)(void);
	/* Lives a function's child, and never returns. */
	void (*live)(const struct forkserver_child *child);
};

struct forkserver_options {
	unsigned servers; /* at most */
	unsigned parked, parked_low;
	struct forkserver_callbacks callbacks;
};

struct forkserver_counts {
	unsigned servers, parked;
	uint64_t starts, parked_starts, parked_misses, servers_made;
};

/* Whether a server can be made here and now. */
bool forkserver_is_possible(const struct birth_paths *paths);
/* Makes one, with one server. All signals are to be blocked. -ENOMEM, -EAGAIN and what clone3 says. The caller has a
 * reference. */
int forkserver_new(struct forkserver **ret_forkserver, const struct forkserver_options *options);
/* Ends and reaps its servers and parked children; those that were started live on. */
void forkserver_end(struct forkserver *forkserver);
void forkserver_reference(struct forkserver *forkserver);
void forkserver_unreference(struct forkserver *forkserver);
/* In a fork: closes what was inherited of it, and frees it. */
void forkserver_forget(struct forkserver *forkserver);

/* Without the lock: waits until its first server has answered. -EPIPE: it has died before; another error: its clones
 * are refused. At once if that is known. */
int forkserver_wait_ready(struct forkserver *forkserver);
/* Whether it may still be used: it lives, and this process has the same credentials as then. */
bool forkserver_is_current(struct forkserver *forkserver);
/* Whether this child is a server, or waits for its task: 1; 0: neither; -EAGAIN: it may be one that is being cloned at
 * this moment. */
int forkserver_has(struct forkserver *forkserver, pid_t child);
bool forkserver_knows(const struct forkserver *forkserver, const void *function);
void forkserver_count(struct forkserver *forkserver, struct forkserver_counts *ret_counts);
/* So that a fork that comes now knows what there is to close. */
void forkserver_collect(struct forkserver *forkserver);

/* A box with a child that is parked; otherwise, if it may be asked for, one without. NULL: neither. */
struct nursery_box *forkserver_take(struct forkserver *forkserver, bool may_ask);
/* How its start goes on. */
struct birth_slot *forkserver_slot(struct forkserver *forkserver, struct nursery_box *box);
/* Copies the plan into the box, and what it points to. -E2BIG: it has no room. */
int nursery_pack_program(struct nursery_box *box, const struct child_plan *plan);
int nursery_pack_function(struct nursery_box *box, const struct child_plan *plan, int (*target)(void *),
                          const void *message, size_t length);
/* What the child has told of its plan. */
void nursery_read_report(const struct nursery_box *box, struct child_plan *plan);
/* Sends the child on its way (0), or asks a server for one (1: its answer is to be awaited). -EPIPE: there is none any more;
 * -EMFILE. */
int forkserver_send(struct forkserver *forkserver, struct nursery_box *box);
/* Without the lock: waits for the answer, some time. False: there is none yet. */
bool forkserver_await(struct nursery_box *box);
/* Replaces servers that have died. -EPIPE: there is none any more, and cannot be; what was asked for and is not
 * answered will not be. */
int forkserver_look_after(struct forkserver *forkserver);
/* Asks again if the request has been lost, which takes somebody who writes to the nursery. */
void forkserver_ask_again(struct forkserver *forkserver, struct nursery_box *box);
/* The child that has been sent; or the answer's error. */
int forkserver_take_newborn(struct forkserver *forkserver, struct nursery_box *box,
                            struct newborn *ret_newborn);
/* The child has no more use for the box, and who watches it is told. For the child; and for the application when a child
 * has ended that may not have come so far as to own the box. */
void nursery_settle(struct nursery_box *box);
/* The child has left the box, or there was none. */
void forkserver_give_back(struct forkserver *forkserver, struct nursery_box *box);

#endif
