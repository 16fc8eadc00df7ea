/* SPDX-License-Identifier: MIT */
/* How a child comes to be: the interface of the start methods. They hand back plain records. */
#ifndef PIDRING_BIRTH_BIRTH_H
#define PIDRING_BIRTH_BIRTH_H

#include "birth/child.h"
#include "pidring.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/* The paths that are open here, found out once (PIDRING_CLONE narrows them). */
struct birth_paths {
	enum pidring_birth program;
	bool clone3; /* for function targets */
	bool close_range;
	int self_pidfd; /* of this process: how a child knows that its parent lives */
};

/* All but self_pidfd. -EINVAL: PIDRING_CLONE is neither "vfork" nor "fork". */
int birth_paths_probe(struct birth_paths *ret_paths);

struct newborn {
	pid_t pid;
	int pidfd;
	enum pidring_birth birth;
	/* Who was created on the way, and has been reaped (also if the birth has failed); 0: nobody; SEVERAL. */
	pid_t gone;
};

enum { NEWBORN_SEVERAL = -1 };

/*
 * A slot: the memory that a program's child lives in until its exec. The word is 1 from before the clone
 * until the kernel clears it, when the child has left the memory; only then may the slot be used again.
 */
struct birth_slot {
	STAILQ_ENTRY(birth_slot) link;
	_Atomic uint32_t *word;
	int report_descriptor; /* the reading end where memory is not shared; -1 */
	struct child_plan *plan;

	/* Of one from the pool, which is at the top of its mapping, the stack below, a guard page at the bottom. */
	_Atomic uint32_t own_word;
	struct child_plan own_plan;
	size_t mapping_size;
};

STAILQ_HEAD(birth_slot_list, birth_slot);

/* A free slot from the pool, or a new one. NULL: no memory. The pool is the caller's to lock. */
struct birth_slot *birth_slot_take(struct birth_slot_list *pool);
void birth_slot_give_back(struct birth_slot_list *pool, struct birth_slot *slot);
void birth_slots_release(struct birth_slot_list *pool);

/*
 * Creates the child of slot->plan. All signals are blocked by the caller. Returns 0, or a negated errno (then
 * nothing was created).
 */
int birth_program(const struct birth_paths *paths, struct birth_slot *slot, struct newborn *ret_newborn);

/* Whether the child has left the slot, for the program or for good; never blocks. */
bool birth_program_is_settled(struct birth_slot *slot);
/* Waits until it has. */
void birth_program_wait(struct birth_slot *slot, int pidfd);
/* To be called once, when it has. Afterwards failed_step and failed_error of the plan tell whether the
 * program runs. */
void birth_program_settle(struct birth_slot *slot);
/* Closes what the slot still holds. */
void birth_program_release(struct birth_slot *slot);

/* Opens the pipe of a child with a memory of its own; the creator closes the writer after the clone. With the fork lock
 * held, in which nobody inherits it. */
int birth_report_open(struct birth_slot *slot, int *ret_writer);

/* The namespaces that are made for it. */
uint64_t birth_place_flags(const struct child_plan *plan);
void birth_into_cgroup(struct sys_clone_arguments *arguments, struct child_plan *plan);
/* As fork(2), without anything of libc's: in the child only what is not libc's may run, or what needs no lock of it. */
long birth_clone_bare(const struct birth_paths *paths, struct child_plan *plan, uint64_t flags,
                      int *child_tid, int *ret_pidfd);

struct birth_function {
	bool libc_fork;
	struct birth_slot
		*slot; /* of one that tells whether it could begin, as a program's child does; NULL */
	struct child_plan *plan; /* the slot's, if there is one */
	/* Called in the child, never to return. */
	void (*child)(void *argument);
	void *argument;
};

struct birth_function;

/* libc's fork(), for both kinds of target: the child is held until the parent has opened its pidfd, then
 * calls child(argument), which never returns. To be called with the fork lock held, in whose shelter the
 * caller makes descriptors that no sibling may inherit; the child finds the lock free. If it fails *ret_pid is that of a
 * child that has been reaped, or stays. */
void birth_fork_lock(void);
void birth_fork_unlock(void);
int birth_fork(void (*child)(void *argument), void *argument, int parent_pidfd, pid_t *ret_pid,
               int *ret_pidfd);
/* Ends and reaps a child that nobody else knows of. */
void birth_abandon(pid_t pid);
/* In a child: until the gate, an eventfd, is open. Ends it if the parent ends before. */
void birth_await_gate(int gate, int parent_pidfd);
/* With the fork lock held: by a fork that clones (sibling.c). */
int birth_sibling(const struct birth_paths *paths, const struct birth_function *function,
                  struct newborn *ret_newborn);
/* In a fork that the library did not make: the lock may have been held by a thread that stayed behind. */
void birth_fork_forget(void);

/* What a bare clone3 needs to be a fork of libc's: CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID at thread_id, and in the child
 * the robust list. */
struct birth_repairs {
	int *thread_id;
	void *robust_list;
	size_t robust_list_length;
};

int birth_find_repairs(struct birth_repairs *ret_repairs);
/* In the child. */
void birth_repair(const struct birth_repairs *repairs);
/* Whether nobody else can hold a lock of libc's: there is no other thread, but perhaps the keeper, which holds none while
 * it waits. */
bool birth_is_alone(void);
/* Whether a function that was started by this thread now would be born of clone3. */
bool birth_function_clones(const struct birth_paths *paths);
/* Forks a child that calls function->child. All signals are blocked by the caller, in the child too. */
int birth_function(const struct birth_paths *paths, const struct birth_function *function,
                   struct newborn *ret_newborn);

/*
 * The keeper: a thread of the library's own, made when first needed, that lives as long as the process and
 * creates the children that have a death signal for callers that may end first (the kernel ties the signal to
 * the creating thread). Calls function(argument) there and returns when it has returned. -EAGAIN, -ENOMEM: no
 * thread.
 */
int keeper_call(void (*function)(void *argument), void *argument);
/* Whether there is such a thread. */
bool keeper_is_there(void);
/* In a fork: the keeper has stayed behind. */
void keeper_forget(void);

#endif
