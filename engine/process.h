/* SPDX-License-Identifier: MIT */
/* The Process object from inside. All fields are guarded by the family's lock, but where said. */
#ifndef PIDRING_PROCESS_H
#define PIDRING_PROCESS_H

#include "birth/birth.h"
#include "birth/forkserver.h"
#include "launch.h"
#include "options.h"
#include "pidring.h"
#include "stdio/descriptors.h"
#include "stdio/ends.h"
#include "timers.h"
#include "watch/watch.h"

#include <sys/queue.h>

enum process_kind {
	PROCESS_CHILD,  /* constructed by pidring_process_new */
	PROCESS_MAIN,   /* the current process of a main process */
	PROCESS_PARENT, /* the parent, in a function target's process */
};

enum process_state {
	PROCESS_INITIAL,
	PROCESS_STARTING, /* a thread is inside start */
	PROCESS_STARTED,
	PROCESS_ENDED, /* and reaped: the record is there for good */
};

/* deadline_timer, stop_timer, drain_timer. */
enum { TIMERS_PER_PROCESS = 3 };

/* Events of a process that nobody has fetched yet, in the order in which they are handed out. */
enum {
	EVENT_STARTED = 1 << 0,
	EVENT_START_FAILED = 1 << 1,
	EVENT_OUTPUT = 1 << 2, /* there are chunks */
	EVENT_INPUT_DRAINED = 1 << 3,
	EVENT_INPUT_CLOSED = 1 << 4,
	EVENT_STOPPED = 1 << 5,
	EVENT_CONTINUED = 1 << 6,
	EVENT_DEADLINE_PASSED = 1 << 7,
	EVENT_EXITED = 1 << 8,
	EVENT_STDOUT_ENDED = 1 << 9,
	EVENT_STDERR_ENDED = 1 << 10,
	EVENT_GROUP_STOPPED = 1 << 11,
	EVENT_TREE_STOPPED = 1 << 12,
};

/* One thing that an engine watches for a process. It holds a reference to the process from when it is queued
 * until it is over or taken back. */
struct process_watch {
	struct watch_item item;
	struct pidring_process *process;
	void (*reported)(struct process_watch *watch);
	short events; /* what it is to be armed for */
	bool wanted;  /* it is to be armed; else disarmed */
	bool armed; /* and its last report not taken yet: until then the item is for the thread that fetches */
	bool queued; /* to be seen to by whoever waits next */
	bool held;   /* it has its reference */
	TAILQ_ENTRY(process_watch) queue_link;
	SLIST_ENTRY(process_watch) link; /* of the process */
};

SLIST_HEAD(process_watches, process_watch);

enum stop_scope { STOP_PROCESS, STOP_GROUP, STOP_TREE };

/* Stopping it step by step. */
struct stopping {
	const struct pidring_stop_step *steps; /* the next one */
	size_t left;                           /* 0: it is not being stopped */
	struct pidring_stop_step *own_steps;   /* if they are not those of the settings */
	int64_t next;                          /* the moment of the next one */
	bool outlives;                         /* it goes on for the group after the end of its leader */
	int end_code;                          /* how that has come to an end */
	enum stop_scope scope;
	int last_signal; /* that was sent; 0: none */
	unsigned serial; /* counts those that have begun or ended */

	/* Of a tree. */
	bool to_tell;              /* its end, which is still to come */
	bool walking;              /* some thread takes a step of it, without the lock */
	bool is_due;               /* in the family's list */
	bool kills;                /* a step was SIGKILL */
	int tree_code;             /* how it has come to an end */
	struct tree_member *known; /* who was found, by whichever call */
	size_t known_count;
	unsigned known_version;
};

TAILQ_HEAD(process_list, pidring_process);
TAILQ_HEAD(process_watch_list, process_watch);

struct pidring_process {
	enum process_kind kind;
	enum process_state state;
	bool closed;
	bool has_handle;     /* the caller has not freed it yet */
	unsigned references; /* handle, list of children, watches, calls under way */
	unsigned users;      /* calls under way that need the pidfd */
	uint64_t generation; /* of the process that constructed it (family.h) */
	uint64_t seen_generation;

	pid_t parent_pid;
	char *parent_name;
	unsigned *identity;
	size_t identity_length;
	char *name, *type_name;
	bool daemon;
	unsigned char *authkey;
	size_t authkey_length;
	void *user_data;
	struct settings *settings; /* NULL for main and parent */

	pid_t pid;
	int pidfd; /* -1: none */
	enum pidring_birth birth;
	int64_t start_time;
	struct pidring_exit_record record;
	struct pidring_failure failure;
	bool entering;                           /* its control group, which waits for it (household.h) */
	struct newborn newborn;                  /* its pidfd, from the birth until it is taken over; -1 */
	uint64_t birth_number;                   /* of a birth under way (orphans.h); 0: none */
	struct birth_slot *slot;                 /* a start that is not settled */
	struct nursery_box *box;                 /* that the slot is in; NULL: it is one of the family's */
	struct forkserver *forkserver;           /* that this start uses; with `low` */
	bool told;                               /* how it went */
	struct launch *launch;                   /* with the slot */
	struct confine_work *confine;            /* with the slot; NULL: it is not confined */
	bool undumpable;                         /* with the slot: it may make this process so */
	struct taken_descriptors taken;          /* with the slot */
	struct low_descriptors *low;             /* during a start: what its child may still look at */
	TAILQ_ENTRY(pidring_process) start_link; /* with `low` */
	struct placement *placements;            /* with `low`: the plan's */
	struct stream_ends ends;                 /* the child's: with `low`; ours: until they are closed */
	bool has_own_ends;                       /* some of ours are open */
	TAILQ_ENTRY(pidring_process) ends_link;
	int authkey_memfd; /* with the slot, as its child takes it from the shared table; -1: none */

	struct pidring *engine; /* NULL: closed */
	bool counted;           /* its end is still outstanding in the engine */
	unsigned pending_events;
	struct process_watches watches; /* all of them */
	struct process_watch exit_watch, birth_watch;
	struct output *output;           /* NULL: no stream comes to the engine */
	struct input *input;             /* NULL: stdin does not come from it */
	struct job_control *job_control; /* NULL: not to be told */
	struct timer deadline_timer, stop_timer, drain_timer;
	bool deadline_passed;
	struct stopping stopping;
	TAILQ_ENTRY(pidring_process) engine_link, event_link, tree_link;

	struct process_list *listed_in; /* children, inherited, or NULL */
	TAILQ_ENTRY(pidring_process) family_link;
	TAILQ_ENTRY(pidring_process) object_link;
};

/* --- with the family's lock held --- */

/* Adds one to those of the process. */
void process_add_watch(struct pidring_process *process, struct process_watch *watch,
                       void (*reported)(struct process_watch *watch));

/* Whether this process constructed it. */
bool process_is_ours(const struct pidring_process *process);
/* Reaps it if it has ended. True: it has ended. */
bool process_look(struct pidring_process *process);
void process_unreference(struct pidring_process *process);
/* The engine and it part: nothing is read, written or watched for its caller any more. */
void process_drop_streams(struct pidring_process *process);
/* Closes what the engine no longer needs of a closed process. */
void process_release_pidfd(struct pidring_process *process);
/* Opens what its streams need, but for the paths. Explains a failure; the caller closes what has been opened. */
int process_open_ends(struct pidring_process *process, const struct stream_ends *paths);
/* Closes our side of its streams. */
void process_close_own_ends(struct pidring_process *process);
void process_close_own_end(struct pidring_process *process, int stream);
/* Our side of one is no longer the process's: the caller has it, or closes it. */
void process_take_own_end(struct pidring_process *process, int stream);
/* Settles an asynchronous start, if it is decided. */
void process_settle(struct pidring_process *process);
/* In a fork: forgets what only the original's threads and engines could give back. */
void process_localize(struct pidring_process *process);
/* The signal that goes out when its parent ends; 0: none. */
int process_death_signal(const struct pidring_process *process);

/* From before the birth of one that changes its user until it has left this process's memory (dumpable.c). */
void dumpable_hold(struct pidring_process *process);
void dumpable_release(struct pidring_process *process);
void dumpable_after_fork(void);

/* --- without the lock --- */

/* Enters the family, and looks at the object as this process sees it. */
void process_enter(struct pidring_process *process);
/* The parent's end: nothing is reaped. */
int process_join_parent(struct pidring_process *process, int64_t timeout);

/* --- what is wrong with a call; each explains it and returns its error --- */

int explain_null(const char *function);                                       /* -EINVAL */
int explain_closed(const struct pidring_process *process);                    /* -EBADF */
int explain_foreign(const struct pidring_process *process, const char *what); /* -ECHILD */
int explain_no_engine(const struct pidring_process *process);                 /* -ESHUTDOWN */
int explain_not_started(const struct pidring_process *process);               /* -ESRCH */

void process_wipe_authkey(struct pidring_process *process);

/* Main and parent objects. NULL: no memory. */
struct pidring_process *process_new_special(enum process_kind kind, const char *name, pid_t pid, int pidfd);

/* The object of a function's process that was constructed elsewhere. NULL: no memory. */
struct pidring_process *process_new_child(void);

/* Its memory alone; NULL is allowed. */
void process_release_special(struct pidring_process *process);

#endif
