/* SPDX-License-Identifier: MIT */
/*
 * What a process has one of: itself, its parent, its children, and the lock that guards all process objects.
 *
 * There is one lock for all objects because its sections are short: no wait, no clone and no exec happens
 * under it.
 *
 * A generation is a process in a line of forks: it grows with every fork, whoever made it. Objects remember
 * the generation that constructed them, which is what "another process's" means. Not getpid(): a child that
 * is the init of a new PID namespace may well have its parent's pid.
 */
#ifndef PIDRING_FAMILY_H
#define PIDRING_FAMILY_H

#include "pidring.h"
#include "process.h"

#include <stdint.h>
#include <sys/queue.h>

LIST_HEAD(engine_list, pidring);

struct family {
	uint64_t generation;
	pid_t pid; /* of this generation */
	struct pidring_process *current;
	struct pidring_process *parent; /* NULL: none */
	bool is_child;                  /* a function target's process, or a plain fork of it */
	unsigned constructed;           /* numbers used up */
	size_t live_objects;
	struct process_list children; /* started here, not known to have ended */
	size_t child_count;
	struct process_list inherited;     /* the original's children, in a fork */
	struct pidring_process *reap_next; /* where the next pass over the children goes on */
	struct engine_list engines;
	struct birth_slot_list slots;
	struct process_list starts;    /* under way, or not settled */
	struct process_list objects;   /* all of them, but for current and parent of a main process */
	struct process_list with_ends; /* those that have ends of streams open here */
	struct process_list due_trees; /* a step of stopping them is due */
	bool limit_raised;
	unsigned undumpable; /* children that may make this process so; then it was, or was not: */
	bool was_dumpable;
	uid_t dumpable_users[3]; /* real, effective, saved: whose it was */
	gid_t dumpable_groups[3];
	struct rlimit old_limit; /* of descriptors, before an engine raised it */
	void (*log)(void *argument, const char *line);
	void *log_argument;
};

extern struct family family;

/* The process whose child this thread is making. */
extern __thread struct pidring_process *family_in_birth;

/* Takes the lock; makes the family at the first call of all, and renews it at the first in a fork. */
void family_enter(void);
void family_leave(void);

/* All the rest with the lock held. */

void family_add_child(struct pidring_process *process);
void family_remove_child(struct pidring_process *process);
/* Reaps children that have ended: all of them, or until some in a row are found running. */
void family_reap(bool thoroughly);
/* The auth key of the current process, made when it is first asked for. */
int family_ensure_authkey(void);
/* In a function target's process: these are the current and the parent process from now on. */
void family_become(struct pidring_process *process, struct pidring_process *parent);
/* And then: closes what the engines of the original still have open here, but for what the plan needs, and
 * moves out of the way what stays. */
void family_leave_engines(struct child_plan *plan);
/* And when the plan is carried out: closes the ends of streams of the original's processes. */
void family_leave_streams(const struct child_plan *plan);

/* Before a fork: what servers have opened here is to be known to the copy. With the lock held. */
void family_collect_servers(void);
/* In a forkserver, which shares the application's descriptors, without the lock: forgets them without closing any. Its
 * children then renew the family as any fork does. */
void family_forget_originals(void);

/* Without the lock. */
__attribute__((format(printf, 1, 2))) void family_log(const char *format, ...);

#endif
