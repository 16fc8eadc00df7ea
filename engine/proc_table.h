/* SPDX-License-Identifier: MIT */
/* All processes, as /proc shows them. No lock is needed; none should be held, as it takes some microseconds for each. */
#ifndef PIDRING_PROC_TABLE_H
#define PIDRING_PROC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_entry {
	pid_t pid, parent, group;
	uint64_t start; /* in ticks since the machine's: with the pid, that is who it is */
	char state;     /* of the first thread: 'R', 'S', 'D', 'T', 't', 'Z', … */
	int threads;
	bool dead;  /* it has ended, with all its threads */
	bool taken; /* the caller's mark */
};

struct proc_table {
	struct proc_entry *entries; /* by parent */
	struct proc_entry **by_pid;
	size_t count;
	uint64_t began_at; /* the reading, as `start` */
};

/* As the kernel tells when a process was started. */
uint64_t proc_ticks_now(void);

/* Whether the pids in /proc are those of this process's namespace: others would lead to strangers. */
bool proc_is_ours(void);
/* -ENOENT: no /proc is mounted, -EIO: that of another PID namespace; both explained. -ENOMEM, -EMFILE, -ENFILE. */
int proc_table_read(struct proc_table *ret_table);
void proc_table_release(struct proc_table *table);
/* NULL: there was none. */
struct proc_entry *proc_table_find(const struct proc_table *table, pid_t pid);
/* The first child; the others follow it, as long as their parent is the same. NULL: none. */
struct proc_entry *proc_table_children(const struct proc_table *table, pid_t parent);
struct proc_entry *proc_table_next(const struct proc_table *table, const struct proc_entry *child);

/* One of them, now. -ESRCH: there is none. */
int proc_entry_read(struct proc_entry *ret_entry, pid_t pid);

/* What a stop has come to. */
enum proc_stillness {
	PROC_MOVES,
	PROC_BLOCKED, /* a thread waits in the kernel, may be in the middle of a fork, and stops when it comes back */
	PROC_STOPPED, /* with all its threads */
};

/* Of a process whose entry has been read. */
enum proc_stillness proc_stillness(const struct proc_entry *entry);

#endif
