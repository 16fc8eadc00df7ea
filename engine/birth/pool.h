/* SPDX-License-Identifier: MIT */
/* What the application knows of a forkserver: for the files that it is spread over. With the family's lock held. */
#ifndef PIDRING_BIRTH_POOL_H
#define PIDRING_BIRTH_POOL_H

#include "birth/credentials.h"
#include "birth/forkserver.h"
#include "birth/nursery.h"
#include "birth/server.h"

#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/resource.h>

TAILQ_HEAD(entry_list, entry);

/* Of a box, in the application's private memory. */
struct entry {
	TAILQ_ENTRY(entry) link;
	struct entry_list *list; /* NULL: a start has it */
	struct birth_slot slot;  /* for the start */
	struct child_plan plan;  /* of the slot: the box gets a copy */
	bool asked;              /* and no answer taken yet */
	enum nursery_request request;
	unsigned server;
	unsigned limit_changes; /* of descriptors, before it was asked for */
	int reserved;           /* the number that the pidfd will have; -1 */
	pid_t pid;
	int pidfd; /* of a parked child; -1 */
};

/* What a server stands at. */
struct post {
	pid_t pid;
	int pidfd;            /* -1: nobody does */
	unsigned outstanding; /* what it was asked for, and no answer was taken yet */
	unsigned starts;      /* of these, what a start waits for */
};

struct forkserver {
	struct nursery *nursery;
	unsigned boxes;
	struct entry *entries;
	struct entry_list free;
	struct entry_list coming; /* to be parked */
	struct entry_list parked;
	struct entry_list leaving; /* children that become servers, until they have left their boxes */
	unsigned parked_count, coming_count;
	unsigned wanted, low; /* of parked children, the one that is kept included */
	unsigned pause;       /* so many starts long none are asked for, as the last could not be had */

	unsigned most_servers;
	struct post posts[NURSERY_SERVERS];
	unsigned post_count;

	struct credentials credentials;
	int shares;             /* what the kernel said of that at the beginning */
	struct rlimit limit;    /* of descriptors, that the servers have */
	unsigned limit_changes; /* so often */
	struct server first;    /* what the first server gets */
	pid_t first_pid;
	unsigned references;
	_Atomic bool ended;    /* there are no servers any more */
	_Atomic int readiness; /* of the first: EINPROGRESS, 0, or a negated errno */
	struct forkserver_counts counts;
};

/* --- pool.c: boxes and the children in them --- */

struct nursery_box *pool_box(const struct forkserver *forkserver, const struct entry *entry);
struct entry *pool_entry(const struct forkserver *forkserver, const struct nursery_box *box);
void pool_put(struct entry *entry, struct entry_list *list);
/* Asks for as many as there should be, if they are few. */
void pool_refill(struct forkserver *forkserver);
/* A parked child that lives, any of them. NULL: there is none. */
struct entry *pool_take_living(struct forkserver *forkserver);
/* Where its server finds it, without the bell. */
void pool_post(struct forkserver *forkserver, const struct entry *entry);
/* Of this server, without the bell; what is in the box stays. */
void pool_ask(struct forkserver *forkserver, struct entry *entry, enum nursery_request request,
              unsigned server);
void pool_no_longer_asked(struct forkserver *forkserver, struct entry *entry);
bool pool_is_answered(struct nursery_box *box);
/* The child has left the box; one that waits, because somebody has killed it. */
bool pool_is_settled(struct nursery_box *box);
/* Ends and reaps all that wait. */
void pool_end(struct forkserver *forkserver);
/* A process that has ended, or is about to; closes its pidfd. */
void pool_reap(int *pidfd);

/* --- posts.c: servers --- */

void posts_ring(struct forkserver *forkserver, unsigned server);
/* There is one that lives, or seemed to. */
unsigned posts_least_busy(const struct forkserver *forkserver);
/* One server more, if all are busy with starts. */
void posts_grow(struct forkserver *forkserver);
/* Ends and reaps all: what has not been answered then will not be. */
void posts_end(struct forkserver *forkserver);

#endif
