/* SPDX-License-Identifier: MIT */
/* The plan of a child: everything that happens between clone and target, decided before the clone. */
#ifndef PIDRING_BIRTH_CHILD_H
#define PIDRING_BIRTH_CHILD_H

#include "confine/work.h"
#include "pidring.h"
#include "sys/sys.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One descriptor that the child gets. */
struct placement {
	int source;    /* in the creator's table; -1: /dev/null is opened */
	int target;    /* in the child's */
	int lifted;    /* the child's: where the source is out of the way of another's target; -1 */
	bool courtesy; /* if it fails, the target stays what it was */
};

/* A list of one robust futex, as the kernel reads it. */
struct child_robust_list {
	struct robust_list_head head;
	struct robust_list entry;
};

/* A word that the child owns as one owns a robust futex: the kernel settles and wakes it when the child execs or dies,
 * whatever it dies of. CLONE_CHILD_CLEARTID does not act in a process that has its memory to itself. */
struct child_ownership {
	_Atomic uint32_t *word;
	struct child_robust_list *list;
};

enum { CHILD_GATE_OPEN = 1 };

struct child_plan {
	/* Every stage is skipped unless its field asks for it. */
	struct child_ownership ownership; /* of a server's child */
	bool set_scheduling;              /* back to what a server had */
	int policy;
	struct sched_param scheduling;
	pid_t join_group;                 /* 0: stays in its creator's */
	_Atomic uint32_t *gate;           /* the target waits while this is zero; NULL: it does not */
	const volatile pid_t *gate_owner; /* with it: who may pass */
	sys_signal_set ignored;           /* what is to be ignored although its creator does not */
	bool reset_signals;         /* dispositions to SIG_DFL; else only handlers, if the clone did not */
	sys_signal_set reset;       /* those that may need it: all, or what the creator knows to be ignored */
	bool handlers_cleared;      /* CLONE_CLEAR_SIGHAND did that */
	sys_signal_set signal_mask; /* set last, before exec */
	bool new_session, new_group;
	bool set_umask;
	mode_t umask;
	const char *working_directory;
	bool set_descriptor_limit;
	struct rlimit descriptor_limit;
	int death_signal; /* 0: none */
	pid_t parent_pid;
	int parent_pidfd; /* -1: none */

	/* Descriptors. */
	bool shared_table; /* CLONE_FILES: leave the creator's table, taking only what is below unshare_from
	                      along */
	unsigned unshare_from;
	bool keep_descriptors;
	bool have_close_range;
	struct placement *placements; /* sorted by target; each target is there once */
	unsigned placement_count;
	bool raise_limit; /* a target is not below the soft limit */
	bool foreground;
	int terminal;        /* the target that becomes the controlling terminal; -1: none */
	int kept_descriptor; /* what else must stay open and where it is; -1: none */

	/* Its place and its power. */
	struct confine_work *confine; /* NULL: those of its creator */
	bool enter_cgroup;            /* `cgroup`, the descriptor of its directory */
	bool cgroup_by_clone;         /* done */
	int cgroup;
	bool keep_parent; /* parent_pidfd is needed until the death signal is set */

	/* The program. */
	const char *path;
	char *const *
		candidates; /* what it may be, if it is to be looked for where the child is then; NULL: `path` */
	char *const *argv;
	char *const *envp;

	/* How a failure is told: in these two if the memory is shared, else as a struct child_report to
	 * report_descriptor. */
	int report_descriptor; /* -1: the memory is shared */
	int failed_step;       /* enum pidring_step */
	int failed_error;      /* errno, positive */
	size_t failed_culprit; /* which of several, of what its place and power are (confine/work.h) */
};

struct child_report {
	int failed_step;
	int failed_error;
	size_t failed_culprit;
};

/* The last stage of a function, which must come right before its target. Returns as child_prepare_function. */
int child_filter_function(struct child_plan *plan);

/* In the child of a program: carries out the plan, ends in the program or in exit_group. */
__attribute__((noreturn)) void child_run_program(void *plan);
/* The same with the signature that clone(2)'s wrapper wants. */
int child_run_program_clone(void *plan);
/* In the fork of a function target: the stages that go for functions, too. Returns 0, or a negated errno with
 * failed_step set. */
int child_prepare_function(struct child_plan *plan);

void child_own(struct child_ownership ownership);
/* Tells of a failure and ends. */
__attribute__((noreturn)) void child_fail(struct child_plan *plan, enum pidring_step step, int error);

/* The signals that this process ignores. */
sys_signal_set child_find_ignored(void);

/* Whether the child will place something at this number. */
bool child_is_target(const struct child_plan *plan, long descriptor);
/* A close-on-exec copy with the lowest free number from 3 on that is no target. */
int child_copy_aside(const struct child_plan *plan, int descriptor);

/* Whether the process of this pidfd has ended. */
bool child_has_ended(int pidfd);

#endif
