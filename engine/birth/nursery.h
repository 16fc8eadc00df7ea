/* SPDX-License-Identifier: MIT */
/*
 * The nursery: memory that an application shares with its forkservers and with the children that have not begun yet.
 * It is at the same address in all of them, so pointers into it mean the same. A head, and boxes: one a child.
 *
 * Who writes what, and when it is read:
 *
 *   asked   the application asks a server to clone; the server takes it back before it does
 *   bell    the application has asked; the server sleeps on it
 *   answer  the server has cloned, or failed; the application may sleep on it
 *   go      the child may begin: its box is filled, and the application has its pidfd; or it is to end. It sleeps on it
 *   ended   the application wants the servers to end. A signal would not reach them if it has given up its power
 *           over them
 *   word    not settled from before the clone until the child no longer needs the box: the child owns it
 *           (child.h)
 *
 * Each side believes nothing that the other could have spoilt: the server and the child keep in private memory what
 * they know from before the clone, and check the rest against it; the application has the kernel confirm that a number is its child's.
 */
#ifndef PIDRING_BIRTH_NURSERY_H
#define PIDRING_BIRTH_NURSERY_H

#include "birth/birth.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NURSERY_SERVERS = 64,
	NURSERY_BOX_SIZE = 1024 * 1024, /* of address space: only touched pages cost anything */
	NURSERY_STACK_SIZE = 32 * 1024, /* at its end: for a child that shares the memory of its server */
	NURSERY_BOX_KEPT = 64 * 1024,   /* what is touched beyond is given back after use */
	NURSERY_SPARE_BOXES = 96,       /* starts under way, beside those that are parked */
	NURSERY_PARENT_SIGNAL = SYS_SIGNALS, /* how servers and parked children hear of their parent's end */
};

/* What a server is asked for: asked = server << NURSERY_REQUEST_BITS | request. */
enum nursery_request {
	REQUEST_NONE = 0,
	REQUEST_PARK = 1, /* a child that will wait for its task */
	REQUEST_NOW = 2,  /* its task is there already: goes before those to be parked */
};

enum { NURSERY_REQUEST_BITS = 2 };

static inline uint32_t nursery_asked(unsigned server, enum nursery_request request)
{
	return server << NURSERY_REQUEST_BITS | request;
}

enum nursery_answer {
	ANSWER_NONE = 0,
	ANSWER_AWAITED = 1, /* none yet, and somebody sleeps on it */
	ANSWER_GIVEN = 2,   /* error, or pid, is there */
};

/* What a child is told to be. */
enum nursery_task {
	TASK_PROGRAM = 1,
	TASK_FUNCTION = 2,
	TASK_SERVER = 3,
};

struct nursery_box {
	struct child_plan plan;
	_Atomic uint32_t word;
	struct child_robust_list robust;
	_Atomic uint32_t answer;
	_Atomic uint32_t go;
	pid_t pid; /* written by the kernel, in the clone */
	int error; /* of the clone; 0, or a negated errno */

	enum nursery_task task;
	unsigned server;       /* SERVER: which one it becomes */
	size_t string_count;   /* PROGRAM: of argv and envp together, without their ends */
	int (*target)(void *); /* FUNCTION: to be known to the server */
	size_t message_length; /* FUNCTION: at `room` */
	size_t length;         /* of what is used of `room` */
	_Alignas(16) unsigned char room[];
};

#define NURSERY_ROOM ((size_t)NURSERY_BOX_SIZE - NURSERY_STACK_SIZE - sizeof(struct nursery_box))

struct nursery_server {
	_Atomic uint32_t bell;
	_Atomic uint32_t sleeps;
	_Atomic uint32_t serves; /* the box, counted from 1, whose request it has taken; 0: none */
};

/* What a child that waits is woken for. */
enum nursery_go {
	GO_NOT_YET = 0,
	GO_BEGIN = CHILD_GATE_OPEN,
	GO_LEAVE = 2, /* ends */
};

struct nursery {
	_Atomic uint32_t ended; /* servers end */
	struct nursery_server servers[NURSERY_SERVERS];
	_Atomic uint32_t asked[]; /* one a box */
};

/* The boxes begin behind the head, at a multiple of their size from its beginning. */
static inline struct nursery_box *nursery_box(struct nursery *nursery, unsigned index)
{
	return (struct nursery_box *)((char *)nursery + ((size_t)index + 1) * NURSERY_BOX_SIZE);
}

/* What the child of a box owns. */
static inline struct child_ownership nursery_ownership(struct nursery_box *box)
{
	return (struct child_ownership){ &box->word, &box->robust };
}

/* The request has come to this, and whoever sleeps on the answer wakes up. */
void nursery_answer(struct nursery_box *box, int error);
/* The child wakes up. */
void nursery_wake(struct nursery_box *box, uint32_t go);
/* Whether what is in the box can be used without harm. */
bool nursery_has_program(const struct nursery_box *box);
bool nursery_has_function(const struct nursery_box *box);

static inline size_t nursery_size(unsigned boxes)
{
	return ((size_t)boxes + 1) * NURSERY_BOX_SIZE;
}

#endif
