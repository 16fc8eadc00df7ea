/* SPDX-License-Identifier: MIT */
/*
 * pidring: a process engine for Linux.
 *
 * This header is the whole public interface. It is meant to be read from top to bottom:
 *
 *   1. conventions          5. stopping and asking      9. the family
 *   2. the engine           6. input and output        10. the exit function, finalizers, hooks
 *   3. options              7. the end of a process    11. ending a child from any depth
 *   4. starting, joining    8. names and attributes    12. confinement
 *  13. control groups      14. trees and orphans       15. odds and ends
 *
 * A first program:
 *
 *     struct pidring *engine = NULL;
 *     struct pidring_process *helper = NULL;
 *     int code = 0;
 *
 *     pidring_open(&engine, NULL);
 *     pidring_process_new(&helper, engine, &(struct pidring_options){
 *             .size = sizeof(struct pidring_options),
 *             .argv = (const char *[]){ "gzip", "--version", NULL } });
 *     if (pidring_process_start(helper) < 0)
 *             fprintf(stderr, "%s\n", pidring_explain());
 *     pidring_process_join(helper, PIDRING_FOREVER);
 *     pidring_process_exit_code(helper, &code);
 *     pidring_process_free(helper);
 *     pidring_close(engine);
 */
#ifndef PIDRING_H
#define PIDRING_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/select.h> /* sigset_t, also with -std=c11 */
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * 1. Conventions
 * ==============
 *
 * Return values. Every function that can fail returns 0, a count or another value that is not
 * negative, or a negated errno such as -EINVAL. `errno` itself means nothing after a call. Outputs are
 * parameters named `ret_…`; they are written on success only.
 *
 * Explanations. When a call fails, pidring_explain() has a sentence that says what was wrong with which
 * value. It belongs to the calling thread and lasts until that thread's next failing call.
 *
 * NULL. Every function that takes an engine or a process answers -EINVAL to NULL, unless its comment
 * says otherwise (close and free take NULL and do nothing).
 *
 * Time. Time-outs are nanoseconds of CLOCK_MONOTONIC in an int64_t. PIDRING_FOREVER waits for ever, 0
 * looks once and never blocks, a negative time-out is taken as 0. No wait is shortened by a signal
 * handler, except in pidring_wait_interruptible.
 *
 * Threads. Any function may be called from any thread, unless its comment says otherwise; fetching events
 * of one engine is for one thread at a time. No lock is held across a wait. None of the functions may be
 * called from a signal handler; none is a cancellation point. Freeing an object that another thread is
 * about to use is the caller's error; freeing or closing one that another thread is already waiting for is
 * not.
 *
 * Forks. After a fork() of the host's own, the copy keeps the objects but not the children: starting, joining
 * and testing an object that another process constructed fails with -ECHILD. An engine used in
 * the copy quietly becomes a new one there. The original is never disturbed.
 *
 * What the library never does: install a signal handler, change the disposition of SIGCHLD, wait for a child
 * that it did not start, print (but for the messages of pidring_exit_message and pidring_fail, in a
 * child), or end the process that uses it.
 *
 * Zero is the default everywhere: set `.size` of an option struct, name what differs, leave the rest. A
 * `size` larger than this version's is fine as long as what it does not know is zero; a smaller one than the
 * first version's is -EINVAL. Structs that are filled have a `size`, too, and get as much as it has room for.
 */

#if defined(__GNUC__)
#define PIDRING_PUBLIC   __attribute__((visibility("default")))
#define PIDRING_NORETURN __attribute__((noreturn))
#else
#define PIDRING_PUBLIC
#define PIDRING_NORETURN
#endif

#define PIDRING_VERSION_MAJOR 0
#define PIDRING_VERSION_MINOR 1
#define PIDRING_VERSION_PATCH 0

/* A time-out without end. */
#define PIDRING_FOREVER INT64_MAX
/* For time-outs, deadlines and waits: whole numbers of each. */
#define PIDRING_SECONDS(number)      ((int64_t)(number)*INT64_C(1000000000))
#define PIDRING_MILLISECONDS(number) ((int64_t)(number)*INT64_C(1000000))
/* "None of it" where 0 already means "the default": no death signal. */
#define PIDRING_NONE (-1)
/* The three states of an option that is inherited unless it is set. `true` and PIDRING_YES are the same. */
#define PIDRING_INHERITED 0
#define PIDRING_YES       1
#define PIDRING_NO        (-1)
/* The priority of a finalizer that does not run at exit. */
#define PIDRING_NO_PRIORITY INT_MIN

struct pidring;
struct pidring_process;
struct pidring_cgroup;
struct pidring_confinement;

/* The sentence that goes with the last failure in this thread; "" if there was none. The text is the
 * thread's own buffer: copy it to keep it. */
PIDRING_PUBLIC const char *pidring_explain(void);

/* The version of the library that is running, such as "0.1.0". Static. */
PIDRING_PUBLIC const char *pidring_version(void);

/*
 * 2. The engine
 * =============
 *
 * An engine watches the processes that are started through it and hands out what happened to them as
 * events. A program may have several. Joining and asking does not need events, and the other way round: use
 * either, or both.
 */

/* How an engine learns what happens. */
enum pidring_backend {
	PIDRING_BACKEND_AUTOMATIC = 0, /* io_uring if the kernel has it and allows it, else epoll */
	PIDRING_BACKEND_URING = 1,
	PIDRING_BACKEND_EPOLL = 2,
};

/* How a child came to be. */
enum pidring_birth {
	PIDRING_BIRTH_NONE = 0,        /* not started yet */
	PIDRING_BIRTH_CLONE_VM = 1,    /* program: clone3 with shared memory, the caller goes on meanwhile */
	PIDRING_BIRTH_CLONE_VFORK = 2, /* program: clone with shared memory, the caller suspended */
	PIDRING_BIRTH_FORK_EXEC = 3,   /* program: libc's fork() and pidfd_open, or a bare clone; exec */
	PIDRING_BIRTH_CLONE = 4,       /* function: clone3, repaired to be a fork */
	PIDRING_BIRTH_FORK = 5,        /* function: libc's fork(), held at a gate until its pidfd is open */
	PIDRING_BIRTH_FORKSERVER = 6,  /* both: cloned by a forkserver for this start */
	PIDRING_BIRTH_PARKED = 7,      /* both: cloned by a forkserver ahead of the start, and woken by it */
};

struct pidring_engine_options {
	size_t size; /* sizeof(struct pidring_engine_options) */

	/* PIDRING_BACKEND=uring or =epoll in the environment goes before this. */
	enum pidring_backend backend;

	/* How many descriptors the process should be able to have open: each running child takes one, and one
	 * more for each of its streams that goes to a pipe or memfd (twice that while it is being started). The
	 * soft limit is raised if it is lower (programs that are started get the old one back); -EMFILE if
	 * the hard limit forbids it. 0: leave the limit alone. */
	uint64_t descriptors;

	/* How many bytes of output of all its processes the engine may hold at a time, at least 128 KiB. What it
	 * has no room for stays in the pipes. 0: 4 MiB. */
	size_t output_memory;

	/* The forkserver, for processes with `start_method = PIDRING_FORKSERVER`: a small copy of this process, made
	 * once, that clones children which are this process's own. true: pidring_open starts it; otherwise the first
	 * start that needs it does. The earlier, the better: its children are copies of what this process was then, so
	 * they cost what it cost then, and it can only be made while there is one thread (see PIDRING_FORKSERVER).
	 */
	bool forkserver;
	/* How many servers there may be (this alone makes none): another one is made when all are busy with starts of other threads, or of one
	 * pidring_start_many. 0: as many as this process has processors, at most 8. At most 64. */
	unsigned servers;
	/* So many children are cloned ahead and wait, asleep, for a start: it takes one if there is one, and never
	 * waits for one. Implies `forkserver`. 0: none. At most 4,096. Each is a process of this user, takes a
	 * descriptor here (so there may be half as many as the soft limit), and some 100 KiB of the kernel's memory. They
	 * come a moment after pidring_open, and are seen as "pidring-parked", the servers as "pidring-server"; there is one
	 * more than asked for, which takes the place of a server that dies. */
	unsigned parked;
	/* When fewer than this are left, the servers clone up to `parked` again. 0: half of it. */
	unsigned parked_low;
	/* Called in the first server before it serves: what it makes (tables, loaded libraries, memory) is there in all
	 * children. It shares this process's descriptors and working directory, runs with all signals blocked, and must not
	 * start threads. Once, but again in a server that is made anew; and where functions are forked for want of a server,
	 * in each of them. Descriptors that it opens are open here, not in functions. */
	void (*preload)(void *argument);
	void *preload_argument;

	/* Orphans: this process becomes the subreaper of its descendants (prctl(PR_SET_CHILD_SUBREAPER); an init is one
	 * anyway), the engine reaps every child of this process that pidring did not start and tells it as
	 * PIDRING_ORPHAN_ENDED. So nothing else here may start children and wait for them. It learns of them by SIGCHLD,
	 * through a signalfd: the signal must be blocked in every thread (pidring_open refuses if it is not in the
	 * caller's) and not be ignored. One engine of a process at a time; in the copy of a fork it is none. Undone by
	 * pidring_close, but for an init. They are reaped inside pidring_wait (up to then they are zombies), and one that ends while
	 * children are being started may be told when those starts have got over the creating. Processes whose
	 * engine is another one are reaped there, too, into their own objects, if they are in the way. Takes two descriptors. */
	bool subreaper;
};

/*
 * Opens an engine and stores it in *ret_engine, which the caller ends with pidring_close. `options` may be
 * NULL. Takes at most eleven descriptors, and later, if starts under way together pass more than four with numbers
 * above 127, one more for each further of those, up to sixty: so what is passed does not cost more for having a
 * high number. All are close-on-exec.
 *
 *   -EINVAL   ret_engine is NULL; options->size (see Conventions) or options->backend is wrong;
 *             options->output_memory is less than 128 KiB or more than 1 GiB; options->servers, ->parked or
 *             ->parked_low is too large; preload_argument without preload; options->subreaper, but SIGCHLD is not
 *             blocked in this thread, or ignored; PIDRING_BACKEND is neither "uring" nor
 *             "epoll", or PIDRING_CLONE neither "vfork" nor "fork"
 *   -EBUSY    options->subreaper, and another engine of this process is that already
 *   -EPIPE    the forkserver has ended in its preload function
 *   -ENOSYS   the kernel has no pidfds (before Linux 5.4), or io_uring was insisted on and is not there
 *             (or lacks what Linux 6.1 brought)
 *   -EPERM    io_uring was insisted on and is forbidden here
 *   -EMFILE   no descriptors left, options->descriptors is above the hard limit, or options->parked above half of the
 *             soft limit
 *   -ENFILE, -ENOMEM   the system's own limits
 */
PIDRING_PUBLIC int pidring_open(struct pidring **ret_engine, const struct pidring_engine_options *options);

/*
 * Closes the engine and releases it. Its processes are not touched: they run on, their objects can still be
 * joined, signalled, asked and freed; only their events are gone, their pipes are closed, deadlines and stops
 * under way are forgotten, and one that was not started yet can no longer be started. NULL is allowed. Not to be called while another thread uses the engine, but for pidring_wait,
 * which makes it fail. Its forkservers and parked children are ended and reaped. (With io_uring, the kernel's tidying up may interrupt one system call of the thread
 * that made the ring, now or when another thread takes over waiting; all restart by themselves but the few
 * that never do, such as epoll_wait(2), which fails with EINTR.)
 *
 *   -EBUSY    another thread is inside pidring_wait; nothing was closed
 */
PIDRING_PUBLIC int pidring_close(struct pidring *engine);

/* What is told of a process. STARTED comes first; between EXITED, the ends of output and INPUT_CLOSED there is no order,
 * nor need output be complete when EXITED comes: the event that says `last` is the one to wait for. */
enum pidring_event_type {
	/* The process has ended; its exit record is there. Exactly once for every process that was started,
	 * unless its object is closed or freed first; also when a join saw the end earlier. */
	PIDRING_EXITED = 1,
	/* An asynchronous start went well: the program, or function, is running. */
	PIDRING_STARTED = 2,
	/* An asynchronous start failed, `code` is the negated errno and pidring_process_failure knows the
	 * rest. PIDRING_EXITED (exit code 127 if the program or its interpreter was missing, else 126)
	 * follows. */
	PIDRING_START_FAILED = 3,
	/* Output of a stream that goes to PIDRING_STREAM_PIPE or PIDRING_STREAM_TERMINAL: `length` bytes at
	 * `data`, at least one. Output of one process comes in the order in which it was read. */
	PIDRING_OUTPUT = 4,
	/* No more output of this stream comes. Exactly once for each that goes to a pipe or terminal of a process
	 * that was started. `code` is 0 at its end, -ECANCELED if it was closed because somebody (a grandchild)
	 * still had it open when the drain time after the process's end was over, or else the negated errno of
	 * reading. */
	PIDRING_OUTPUT_ENDED = 5,
	/* Of input that pidring_process_write could not take whole, all has been written by now. */
	PIDRING_INPUT_DRAINED = 6,
	/* Nobody reads the input any more, or the process has ended: `length` queued bytes were not written.
	 * Exactly once for each process with an input pipe, unless pidring_process_close_input came first and
	 * everything could be written. */
	PIDRING_INPUT_CLOSED = 7,
	/* The deadline has passed; the process is being stopped. */
	PIDRING_DEADLINE_PASSED = 8,
	/* With `report_stops`: a signal, `code`, has stopped the process; or it was continued. Of what follows quickly
	 * only the latest may be told, or nothing. (The kernel does not stop by the terminal what leads a session alone:
	 * ^Z is for a shell's children.) */
	PIDRING_STOPPED = 9,
	PIDRING_CONTINUED = 10,
	/* A stop of the whole group that was still under way when the process had ended is over now. `code` is 0 if
	 * nobody is left in the group (a member counts until somebody has reaped it), else the last signal that was
	 * sent. */
	PIDRING_GROUP_STOPPED = 11,
	/* The same after a stop of the whole tree (`stop_tree`, pidring_process_kill_tree): told once for each that was not
	 * replaced, after the process's end. `code` is 0 if nobody is left of it (a member counts until it ends), else the last
	 * signal that was sent: the steps are over, and so is the wait of the last. After SIGKILL the end is awaited,
	 * whenever it comes, of all but those who may not be signalled. */
	PIDRING_TREE_STOPPED = 12,
	/* With `subreaper`: a process has ended, and was reaped, that was left to this one. `pid` and `code` (as of
	 * EXITED); `process` is NULL. */
	PIDRING_ORPHAN_ENDED = 13,
	/* Everything in a control group that had somebody in it has ended (or left it): `cgroup`; `process` is NULL,
	 * `user_data` the group's. Once each time; of times that follow quickly perhaps once for several. The kernel may take some
	 * milliseconds to say so. Who came and went unseen by the library's own calls is known from the processor time
	 * that he used in it, which may take 40 milliseconds more: who used none, as he slept all the time, is not told of; and
	 * who came and went between such an event and the first look of the engine's 40 milliseconds later is not told apart
	 * from those whom it told of. Who was in a group was in those above it. */
	PIDRING_CGROUP_EMPTY = 14,
};

struct pidring_event {
	enum pidring_event_type type;
	/* EXITED: the exit code, or -ENODATA if `unknown`; START_FAILED and OUTPUT_ENDED: see there; STOPPED: the
	 * signal */
	int code;
	bool unknown; /* EXITED: somebody else reaped the child, and its code is lost */
	bool last;    /* no event of this process comes after this one: it has ended, and so has its output */
	int stream;   /* OUTPUT, OUTPUT_ENDED: STDOUT_FILENO (a terminal, too) or STDERR_FILENO */
	/* OUTPUT: the engine's memory, which stays as it is until the next pidring_wait of this engine, or its close
	 * (also if the process is freed). No NUL follows. */
	const char *data;
	size_t length;                   /* OUTPUT, INPUT_CLOSED */
	struct pidring_process *process; /* the object, still the caller's to close and free */
	void *user_data;                 /* the process's user data */
	pid_t pid;                       /* ORPHAN_ENDED */
	struct pidring_cgroup *cgroup;   /* CGROUP_EMPTY */
};

/*
 * Fetches up to `capacity` events, waiting up to `timeout` for the first. Returns how many there are; 0: none
 * in time. For one thread at a time; the threads may take turns, but a ring belongs to a thread, so turns are
 * not free. An engine with nothing to watch waits all the same: another thread may start something (ask
 * pidring_outstanding first).
 *
 *   -EINVAL   events is NULL or capacity 0
 *   -EBUSY    another thread is inside pidring_wait of this engine
 *   -EMFILE, -ENFILE, -ENOMEM   no new ring could be made, in the copy of a fork or for another thread than
 *             before; or a process could not be watched. Nothing is lost: the next call tries again
 */
PIDRING_PUBLIC int pidring_wait(struct pidring *engine, struct pidring_event *events, size_t capacity,
                                int64_t timeout);

/*
 * As pidring_wait, but a signal handler that runs during the wait ends it:
 *
 *   -EINTR    a signal was handled; nothing is lost
 *
 * `mask`, unless NULL, is the thread's signal mask during the wait only, as in ppoll(2): block a signal, test
 * a flag, and wait with a mask that lets it in.
 */
PIDRING_PUBLIC int pidring_wait_interruptible(struct pidring *engine, struct pidring_event *events,
                                              size_t capacity, int64_t timeout, const sigset_t *mask);

/*
 * A descriptor for any other event loop: readable (level-triggered) when pidring_wait with time-out 0 has
 * something to do, which may be events or may be work of its own (then it returns 0). It belongs to the
 * engine: never read from it, never close it. The same one until pidring_close; after a fork() the copy must
 * ask again.
 *
 *   -EMFILE, -ENFILE, -ENOMEM   it could not be made
 */
PIDRING_PUBLIC int pidring_fd(struct pidring *engine);

/* How many processes of this engine still have an event to come, their end or that of their output: 0 means
 * that waiting is pointless unless something is started. */
PIDRING_PUBLIC int pidring_outstanding(struct pidring *engine);

/* The paths that this engine takes here. */
struct pidring_features {
	size_t size;                       /* set by the caller: sizeof(struct pidring_features) */
	enum pidring_backend backend;      /* URING or EPOLL */
	enum pidring_birth program_birth;  /* CLONE_VM, CLONE_VFORK or FORK_EXEC */
	enum pidring_birth function_birth; /* CLONE or FORK: for a start from this thread, now */
	bool close_range;                  /* close_range(2): else /proc/self/fd is walked */
	bool clear_signal_handlers;        /* CLONE_CLEAR_SIGHAND: else each is reset */
	bool futex_wait;       /* the ring waits for asynchronous starts; else they are looked at by timer */
	bool exit_information; /* PIDFD_GET_INFO tells the code of a child reaped by somebody else */
	bool multishot_read;   /* the ring reads pipes by itself (Linux 6.7); else each read is a call */
	bool silent_write; /* RWF_NOSIGNAL (Linux 6.18); else SIGPIPE is held back and taken around a write */
	bool group_signal; /* PIDFD_SIGNAL_PROCESS_GROUP (Linux 6.9); else a group is signalled by number */
	bool stop_wait; /* the ring waits for stops and continues (Linux 6.7); else they are looked for by timer */
	/* How PIDRING_FORKSERVER starts a function: FORKSERVER, or what is used instead, because clone3 is not there, a
	 * server's clones are refused, or there are threads and no server yet: CLONE or FORK. */
	enum pidring_birth forkserver_birth;
	unsigned servers; /* that run now */
	unsigned parked;  /* children that wait now */
};

/*
 * Fills *ret_features, as much of it as its `size` has room for.
 *
 *   -EINVAL   ret_features is NULL or its size is too small
 */
PIDRING_PUBLIC int pidring_features(struct pidring *engine, struct pidring_features *ret_features);

/* What an engine has done since it was opened (in the copy of a fork: since then). */
struct pidring_statistics {
	size_t size;               /* set by the caller: sizeof(struct pidring_statistics) */
	uint64_t output_bytes;     /* read from pipes and terminals */
	uint64_t ring_reads;       /* pieces of output that the ring read by itself */
	uint64_t call_reads;       /* pieces of output read by a system call each */
	uint64_t buffer_shortages; /* how often a stream that could be read was put off, because all buffers
	                              were in use: each piece of output takes one of 64 KiB, however short */
	uint64_t input_bytes;      /* written to pipes and terminals */
	uint64_t input_writes;     /* by so many system calls */
	uint64_t server_starts;    /* starts of processes through a forkserver, parked or not */
	uint64_t parked_starts;    /* of these, by a child that was parked */
	uint64_t parked_misses;    /* starts that found none, in an engine that parks */
	uint64_t servers_made;     /* more than run: some have died and were replaced */
};

/*
 * Fills *ret_statistics, as much of it as its `size` has room for.
 *
 *   -EINVAL   ret_statistics is NULL or its size is too small
 */
PIDRING_PUBLIC int pidring_statistics(struct pidring *engine, struct pidring_statistics *ret_statistics);

/*
 * Ends the engine's forkservers and parked children; the next start that needs a server makes one, as this process is
 * then: as large as that, and not at all if it has threads (see PIDRING_FORKSERVER). Children that were started are not touched. 0 also if there is
 * none.
 */
PIDRING_PUBLIC int pidring_restart_forkserver(struct pidring *engine);

/*
 * 3. Options of a process
 * =======================
 *
 * A process has a target: a function, a program, or nothing (then the child runs only the hooks and the exit
 * function and ends with 0). Everything is copied by pidring_process_new, but for `argument` without a
 * length and `user_data`, which are handed on as they are (`user_data` is NULL in the child of a forkserver).
 */

/* Where one of the three standard streams of the child goes. */
enum pidring_stream {
	PIDRING_STREAM_DEFAULT =
		0, /* inherited; but /dev/null for the stdin of a function, as in the reference */
	PIDRING_STREAM_INHERIT = 1,
	PIDRING_STREAM_NULL = 2,       /* /dev/null */
	PIDRING_STREAM_DESCRIPTOR = 3, /* the descriptor beside it, which stays the caller's and must stay
	                                * open until the start is known to have worked or failed */
	PIDRING_STREAM_PATH = 4,       /* the file beside it, opened by start */
	PIDRING_STREAM_FILE = 5,       /* the FILE beside it, flushed by start; otherwise as DESCRIPTOR */
	PIDRING_STREAM_PIPE = 6,       /* a pipe to the engine: output comes as events, input goes by
	                                * pidring_process_write */
	PIDRING_STREAM_RAW_PIPE =
		7,                 /* a pipe whose other end is for the caller: pidring_process_take_stream */
	PIDRING_STREAM_STDOUT = 8, /* stderr only: where stdout goes */
	PIDRING_STREAM_MEMORY = 9, /* stdout and stderr: a memfd, to be read with pidring_process_stream */
	PIDRING_STREAM_TERMINAL =
		10, /* a pseudo-terminal, the same for all streams that say so. The child leads a
	                                * new session and has it as its controlling terminal; the other end is the
	                                * engine's, as with PIPE (its output is told as that of stdout, or of stderr if only that
	                                * goes there) */
};

/* A file for a stream. Opened by start in the calling thread, from its working directory (a FIFO blocks it until
 * its other end is there). Each stream opens it for itself: for both in one file, send stderr to
 * PIDRING_STREAM_STDOUT. */
struct pidring_path {
	const char *name;
	int flags; /* as for open(2); 0: O_RDONLY for stdin, else O_WRONLY | O_CREAT | O_TRUNC; to append: O_WRONLY |
	                O_CREAT | O_APPEND */
	mode_t mode; /* of a new file, less the caller's umask; 0: 0666 */
};

/* A descriptor that the child gets beside the standard streams. It stays the caller's, and must stay open until
 * the start is known to have worked or failed. */
struct pidring_descriptor {
	int source; /* here */
	int target; /* in the child, at least 3; 0: the same number */
};

/*
 * How the child comes to be.
 *
 * FORKSERVER, for functions: the child is a copy not of this process as it is, but as it was when the server was made,
 * so its cost does not grow with this process's memory, mappings, descriptors or threads. It is this process's own
 * child all the same (rand() and the like give the same numbers in all of them; pointers in the argument mean something
 * only if what they point to was there then). What it has from now: name, identity, auth key, daemon flag, exit grace, streams, descriptors,
 * working directory, umask, root, process group, the thread's signal mask, and the argument as bytes. What it has from
 * then: memory (so secrets that were wiped since, too), environment, signal handlers and hooks (or as the preload
 * function left them); and, programs as well, scheduling, affinity, resource limits but that of descriptors, namespaces,
 * control group. Above 2 a function has only what `descriptors` names. It sends no SIGCHLD at its end, and only
 * waitid(2) with __WALL finds it, so the host's own waits do not take its exit code.
 *
 * A process that gives up power wants its children to have no more of it. When users, groups, capabilities,
 * no_new_privs, dumpability or session have changed since, or it has left the shared table, directory or root by
 * unshare(2), the server is made anew before the start, as large as this process is then (if there are threads by
 * now there is none any more, and functions are forked: give up power before you open the engine). What the kernel does not tell at a bearable price must be told
 * by you: call pidring_restart_forkserver after adding a seccomp filter or Landlock rules, dropping from the bounding or
 * ambient set, or entering a namespace or control group.
 *
 * start returns when the child has taken what it gets; with `asynchronous` at once, and then descriptors, working
 * directory and umask must stay as they are until PIDRING_STARTED comes.
 *
 * A server can only be made while this process has one thread (libc's locks could be held by others), and not where a
 * sandbox forbids clone3 or this process's children are in a new PID namespace. Otherwise functions are started as by
 * FORK, with `close_descriptors`, from memory as it is now, and programs as by EXEC; pidring_features and
 * pidring_process_birth say so. Rely on neither: what a function needs goes into its argument, or is made by `preload`.
 * Servers that were made go on serving when threads come later, and are replaced by one of their own children when they
 * die.
 *
 * FORKSERVER, for programs: a parked child becomes the program, or else one that a server clones. An asynchronous start of
 * a program that finds none parked goes as by EXEC: it never waits for a server. An asynchronous start of a function that
 * finds none waits for the server's clone, and no longer.
 *
 * Servers share the descriptors, the working directory and the root of this process, as threads do: numbers come into
 * use at any time, setns(2) into a mount or user namespace fails with EINVAL. They end with this process, whichever way
 * that ends: by the exit function; else a moment later (some seconds if it had given up its power over them), and until
 * then its locks and ports are held. After an execve(2) of this process they stay until that program ends: close the
 * engine before. Parked children that somebody kills are replaced. Death signals of children come, as if the thread that
 * made the server (always the main one) had started them.
 */
enum pidring_start_method {
	PIDRING_START_DEFAULT = 0, /* EXEC for a program, FORK for a function */
	PIDRING_FORK = 1,          /* a function, in a copy of this process as it is now */
	PIDRING_EXEC = 2,          /* a program, created by this process */
	PIDRING_FORKSERVER = 3,    /* either, by a server */
};

/* The most bytes of an argument. */
#define PIDRING_ARGUMENT_MAX 524288

/* One step of stopping a process. */
struct pidring_stop_step {
	int signal_number; /* 0: none, only the wait */
	int64_t wait;      /* nanoseconds until the next step, if it has not ended by then */
};

struct pidring_options {
	size_t size; /* sizeof(struct pidring_options) */

	/* --- the target: one of the two --- */

	/* A function: its result is the exit code (its low byte). It runs in a fork of the caller, or of a server. */
	int (*target)(void *argument);
	/* What it gets. With argument_length, that many bytes are copied by pidring_process_new, and the function gets
	 * a copy of its own, followed by a zero and aligned for any type; pidring_argument_length() is their number
	 * there. Without, the pointer itself: not for PIDRING_FORKSERVER, where it would mean nothing. */
	void *argument;
	size_t argument_length;

	/* A program: its arguments, the first of them its name; ended by NULL (what main got is passed on as
	 * (const char *const *)(argv + 1)). A name without a slash is
	 * looked for in the PATH that the program will have in its environment, before anything is created.
	 */
	const char *const *argv;
	/* The file to run, if it is not argv[0]; looked for in the same way. */
	const char *program;

	/* --- the object --- */

	const char *name;      /* NULL or "": made from type_name and the identity, "Process-1:2" */
	const char *type_name; /* NULL: "Process"; shown by describe, and used in default names */
	int daemon;            /* PIDRING_INHERITED, PIDRING_YES or true, PIDRING_NO */
	void *user_data;       /* comes back in events */

	/* --- how it starts --- */

	enum pidring_start_method start_method;

	/* Program, and function with PIDRING_FORKSERVER: start returns as soon as the child exists; whether it could begin
	 * is told by PIDRING_STARTED or PIDRING_START_FAILED. What is known before (a name that is not in PATH, a
	 * limit, a function's directory, files of streams) is still start's own error. */
	bool asynchronous;
	/* Function: always libc's fork(), with its pthread_atfork handlers, also where clone3 would do. */
	bool libc_fork;

	/* --- what it gets --- */

	/* Program: the whole environment, ended by NULL; NULL: the caller's as it is at the start. */
	const char *const *environment;
	/* Program: set on top of that: "NAME=value" sets, "NAME" removes; ended by NULL. */
	const char *const *extra_environment;
	/* The working directory; NULL: the caller's. A relative program is looked for from there. */
	const char *working_directory;
	/* The standard streams. */
	enum pidring_stream stdin_to, stdout_to, stderr_to;
	int stdin_descriptor, stdout_descriptor, stderr_descriptor;
	struct pidring_path stdin_path, stdout_path, stderr_path;
	FILE *stdin_file, *stdout_file, *stderr_file;
	/* The size of a terminal; 0: 24 rows, 80 columns. */
	unsigned short terminal_rows, terminal_columns;
	/* Other descriptors. Any numbers may be exchanged. */
	const struct pidring_descriptor *descriptors;
	size_t descriptor_count;
	/* Program: leave all other descriptors that are not close-on-exec open; the default closes everything
	 * above 2. The cost then grows with the number of open descriptors. */
	bool keep_descriptors;
	/* Function: close everything above 2 that `descriptors` does not name; the default leaves all open, but
	 * for what is the engine's own. The objects of the original's processes are closed, too. */
	bool close_descriptors;
	/* Program: keep the signal mask and the ignored signals of the starting thread; the default is an
	 * empty mask and every disposition SIG_DFL. */
	bool keep_signals;
	/* Program: its signal mask, and the signals that it ignores (all others get SIG_DFL), whatever those of the
	 * starting thread are. NULL: as keep_signals says. */
	const sigset_t *signal_mask, *ignored_signals;
	/* Program: the number under which the child finds its auth key, as a sealed memfd to be read with
	 * pidring_receive_authkey; 3 to 255. 0: the program does not get the key. */
	int authkey_descriptor;

	/* --- where it lives --- */

	bool new_session; /* setsid(2): a new session and a new group */
	bool new_group;   /* setpgid(0, 0): a new process group */
	/* With new_group: the group becomes the foreground group of the controlling terminal, if one of its standard
	 * streams is that; with new_session: its stdin becomes its controlling terminal, if it is a terminal that no other
	 * session has. Otherwise nothing happens. */
	bool foreground;
	bool set_umask; /* with `umask` */
	mode_t umask;
	/* The signal that the kernel sends to the child when this *process* ends in any way (which thread
	 * started it does not matter, with one exception: it also comes when the main thread, having started
	 * the child, leaves the others by pthread_exit). 0: SIGTERM for a daemon (SIGKILL if it makes a PID namespace, whose
	 * init heeds nothing else by default), none for others.
	 * PIDRING_NONE: none. The kernel forgets it when the child runs a set-user-ID program or changes its
	 * credentials. */
	int death_signal;

	/* With less power, and in a place of its own: section 12. NULL: as this process. */
	const struct pidring_confinement *confinement;
	/* The control group that it is created in; it must not be freed before the start is known to have worked or
	 * failed. NULL: that of this process. */
	struct pidring_cgroup *cgroup;

	/* --- what is told of it, and its end --- */

	/* How many bytes pidring_process_write queues at most; 0: 1 MiB. */
	size_t input_limit;
	/* How long output is read, after the process has ended, from somebody else who still has it open. What was
	 * written before that moment is read in any case. 0: one second; PIDRING_NONE: no longer;
	 * PIDRING_FOREVER. */
	int64_t drain;
	/* Nanoseconds after the start; when they are over the process is stopped as by pidring_process_stop,
	 * unless that is under way. 0: none. */
	int64_t deadline;
	/* How it is stopped; none: SIGTERM, SIGCONT, 5 s, SIGKILL. */
	const struct pidring_stop_step *stop_steps;
	size_t stop_step_count;
	/* The signals of stopping go to its whole process group, also when it itself has ended already. Needs
	 * new_group, new_session or a terminal. The process's last event comes when that is over
	 * (PIDRING_GROUP_STOPPED); to free it earlier is to leave those that are left alone. */
	bool stop_group;
	/* The same for its whole tree, as of pidring_process_signal_tree; needs no group, and goes before `stop_group`. The end
	 * is told by PIDRING_TREE_STOPPED. */
	bool stop_tree;
	/* PIDRING_STOPPED and PIDRING_CONTINUED are told. */
	bool report_stops;
	/* Program: PIDRING_STARTED is told also if the start was not asynchronous. */
	bool report_exec;
};

/*
 * Constructs a process for `engine` and stores it in *ret_process; the caller ends it with
 * pidring_process_free. Nothing is started, no descriptor is taken. `options` may be NULL: no target. The
 * identity number is used up even if the call fails.
 *
 *   -EINVAL   ret_process or engine is NULL; options->size is wrong (see Conventions); both target and argv;
 *             argv without a first string; an option of programs with a function or the other way round; a
 *             stream, daemon flag, signal, umask, environment entry or descriptor number that cannot be used
 *   -EBADF    a stream goes to a descriptor that is not open, or such a one is to be passed
 *   -ENOMEM   no memory
 *   -E2BIG    one string of argv or of the environment is larger than the kernel takes (128 KiB), or the argument
 *             is longer than PIDRING_ARGUMENT_MAX
 */
PIDRING_PUBLIC int pidring_process_new(struct pidring_process **ret_process, struct pidring *engine,
                                       const struct pidring_options *options);

/*
 * 4. Starting and joining
 * =======================
 */

/*
 * Starts the process, once. First reaps children that have ended (all of them if they are few; of many,
 * some). When it fails the object is as it was before and can be started again; pidring_process_failure tells
 * which step failed. For a program it returns when the program runs or could not be run (see `asynchronous`).
 * stdout and stderr are flushed before a function is started. The thread that calls it may end at any time
 * afterwards. A child with a death signal that is started from another thread than the main one is created
 * from a thread of the library's own, so it does not have the caller's thread attributes (CPU affinity,
 * scheduling class, thread-local values of a function).
 *
 * In this order:
 *   -EBADF      the object is closed
 *   -EALREADY   it was started before, by anybody
 *   -ECHILD     another process constructed it; or it is the current or the parent process
 *   -EPERM      the current process is a daemon: daemons may have no children
 * then:
 *   -ESHUTDOWN  its engine was closed
 *   -ENOENT     the program, its interpreter or the working directory is not there
 *   -EACCES     the program or the directory may not be used
 *   -ENOEXEC    the program is in no format that the kernel knows
 *   -E2BIG      arguments and environment are too large
 *   -EBADF      a stream's descriptor has been closed since
 *   -ENXIO      PIDRING_FORKSERVER: the target was loaded after the server was made, which does not know it
 *   -EPIPE      PIDRING_FORKSERVER: the server has ended in its preload function
 *   -EAGAIN, -ENOMEM, -EMFILE, -ENFILE    the limits of processes, memory, descriptors
 *   others      as execve(2), chdir(2), open(2), clone3(2) give them, with the step from pidring_process_failure
 */
PIDRING_PUBLIC int pidring_process_start(struct pidring_process *process);

/*
 * Starts `count` processes: creates all programs before it waits for the first. Returns how many were
 * started; for each of the others pidring_process_failure has the reason, and it can be started again. 0 if
 * `count` is 0.
 *
 *   -EINVAL   processes or one of them is NULL, or one is in the array twice; nothing was started
 *   -ENOMEM   no memory; nothing was started
 */
PIDRING_PUBLIC int pidring_start_many(struct pidring_process *const *processes, size_t count);

/* The step of a start that failed. */
enum pidring_step {
	PIDRING_STEP_NONE = 0,
	PIDRING_STEP_STATE =
		1, /* the object's state forbids it (the first four errors of start), or its engine was closed */
	PIDRING_STEP_PREPARE = 2,           /* descriptors or memory for the start */
	PIDRING_STEP_LOOK_UP = 3,           /* no such program in PATH */
	PIDRING_STEP_CLONE = 4,             /* clone3, clone, fork or pidfd_open */
	PIDRING_STEP_SESSION = 5,           /* setsid */
	PIDRING_STEP_GROUP = 6,             /* setpgid */
	PIDRING_STEP_WORKING_DIRECTORY = 7, /* chdir */
	PIDRING_STEP_LIMIT = 8,             /* giving the old descriptor limit back */
	PIDRING_STEP_DEATH_SIGNAL = 9,      /* prctl(PR_SET_PDEATHSIG) */
	PIDRING_STEP_DESCRIPTORS = 10,      /* closing or placing descriptors */
	PIDRING_STEP_STREAM = 11,           /* opening or placing a stream or a passed descriptor */
	PIDRING_STEP_SIGNALS = 12,          /* dispositions or mask */
	PIDRING_STEP_EXEC = 13,             /* execve */
	PIDRING_STEP_INTERPRETER = 14,  /* execve: the file is there, its interpreter (#! or ELF) is not */
	PIDRING_STEP_TERMINAL = 15,     /* taking the controlling terminal */
	PIDRING_STEP_FORKSERVER = 16,   /* the server does not know the target, or cannot be made */
	PIDRING_STEP_CGROUP = 17,       /* entering the control group */
	PIDRING_STEP_NAMESPACE = 18,    /* making or joining namespaces */
	PIDRING_STEP_ID_MAP = 19,       /* writing uid_map, gid_map or setgroups of a user namespace */
	PIDRING_STEP_SETTING = 20,      /* a limit, priority, … */
	PIDRING_STEP_MOUNT = 21,        /* a mount */
	PIDRING_STEP_ROOT = 22,         /* pivot_root, chroot, or making the root read-only */
	PIDRING_STEP_HOST_NAME = 23,    /* sethostname */
	PIDRING_STEP_GROUPS = 24,       /* setgroups */
	PIDRING_STEP_USER = 25,         /* setresgid, setresuid */
	PIDRING_STEP_CAPABILITIES = 26, /* bounding, permitted, inheritable or ambient set */
	PIDRING_STEP_SECURE_BITS = 27,  /* prctl(PR_SET_SECUREBITS) */
	PIDRING_STEP_NO_NEW_PRIVILEGES = 28,
	PIDRING_STEP_SECCOMP = 29,
};

struct pidring_failure {
	enum pidring_step step;
	int error;          /* the errno, positive */
	char sentence[512]; /* "cannot run '/usr/bin/foo': its interpreter '/bin/none' is missing" */
};

/*
 * Why the last start of this process failed.
 *
 *   -EINVAL    ret_failure is NULL
 *   -ENODATA   no start failed, or a later one worked
 */
PIDRING_PUBLIC int pidring_process_failure(struct pidring_process *process,
                                           struct pidring_failure *ret_failure);

/* The name of a step, such as "working directory". Static, never NULL. */
PIDRING_PUBLIC const char *pidring_step_name(enum pidring_step step);

/* The name of a birth, such as "parked". Static, never NULL. */
PIDRING_PUBLIC const char *pidring_birth_name(enum pidring_birth birth);

/* How the child came to be; PIDRING_BIRTH_NONE before start. */
PIDRING_PUBLIC enum pidring_birth pidring_process_birth(struct pidring_process *process);

/*
 * Calls the target function in the calling process, as a start would in a child, as often as wanted, and
 * stores its result in *ret_code (0 without a target; may be NULL). Nothing is started.
 *
 *   -EINVAL   it has been started, or its target is a program
 *   -EBADF    closed
 */
PIDRING_PUBLIC int pidring_process_run(struct pidring_process *process, int *ret_code);

/*
 * Waits for the end of the process, at most `timeout`, and reaps it. Returns 0 when it has ended, at once and
 * as often as wanted. Any number of threads may join the same process: one reaps, all see the same exit
 * record. On the parent process it waits for the parent's end and reaps nothing.
 *
 *   -EBADF      closed
 *   -ECHILD     another process constructed it; or it is the current process
 *   -ESRCH      not started
 *   -ETIMEDOUT  still running
 */
PIDRING_PUBLIC int pidring_process_join(struct pidring_process *process, int64_t timeout);

/*
 * Joins all of them, with one deadline for all. 0 when all have ended (also for a count of 0).
 *
 *   -EINVAL     processes or one of them is NULL
 *   -EBADF, -ECHILD, -ESRCH   as join, for one of them; none was waited for
 *   -ETIMEDOUT  at least one is still running; those that have ended are reaped
 */
PIDRING_PUBLIC int pidring_join_all(struct pidring_process *const *processes, size_t count, int64_t timeout);

/* What pidring_wait_any waits for: a process, or if that is NULL any descriptor that becomes readable. */
struct pidring_wait_item {
	struct pidring_process *process;
	int descriptor;
	bool ready; /* written by pidring_wait_any */
};

/*
 * Waits until at least one item is ready, at most `timeout`. Returns how many are and sets `ready` of every
 * item; 0: none in time. A process is ready when it has ended (it is not reaped by this, its exit code can be
 * had without blocking); a descriptor when it is readable or its other end has gone. The same one may be
 * there twice.
 *
 *   -EINVAL   no items and PIDRING_FOREVER; items is NULL but count is not 0; more items than the soft
 *             descriptor limit (poll(2) refuses them)
 *   -EBADF    a process is closed, a descriptor negative or not open
 *   -ESRCH    a process is not started (or is the current process)
 *   -ENOMEM   no memory
 */
PIDRING_PUBLIC int pidring_wait_any(struct pidring_wait_item *items, size_t count, int64_t timeout);

/*
 * 5. Stopping and asking
 * ======================
 */

/*
 * Sends a signal to the process itself (not to its group or children), through its pidfd: it never reaches a
 * stranger, whatever has become of the pid, and whichever thread closes the object meanwhile. 0 also if the
 * process has ended. Allowed in any process that has the object. Signal 0 only tests.
 *
 *   -EBADF    closed
 *   -ESRCH    not started, or the current process
 *   -EPERM    not allowed to signal it; the parent process is never signalled
 *   -EINVAL   no such signal
 */
PIDRING_PUBLIC int pidring_process_signal(struct pidring_process *process, int signal_number);
/* Sends SIGTERM; as pidring_process_signal. */
PIDRING_PUBLIC int pidring_process_terminate(struct pidring_process *process);
/* Sends SIGKILL; as pidring_process_signal. */
PIDRING_PUBLIC int pidring_process_kill(struct pidring_process *process);

/*
 * Sends a signal to the process group that the process leads (`new_group`, `new_session`, a terminal), also when
 * the process itself has ended, as long as the object is not closed. Never reaches a stranger: where the kernel
 * cannot signal a group by pidfd (before Linux 6.9) only as long as the leader has not been reaped.
 *
 *   -EBADF    closed
 *   -ESRCH    not started, or nobody is left in the group
 *   -EPERM    it leads no group of its own; or not allowed to signal any of its members
 *   -ECHILD   another process constructed it
 *   -EINVAL   no such signal
 */
PIDRING_PUBLIC int pidring_process_signal_group(struct pidring_process *process, int signal_number);

/* How pidring_process_stop goes about it. */
struct pidring_stop_options {
	size_t size; /* sizeof(struct pidring_stop_options) */
	const struct pidring_stop_step *steps;
	size_t step_count; /* 0: as the options of the process say */
	bool group;        /* as `stop_group`; also on if that is */
	bool tree;         /* as `stop_tree`; also on if that is, and goes before `group` */
};

/*
 * Begins to stop the process: sends the first signal at once and returns; the others follow, each after its
 * wait, until the process has ended (with `group` or `tree`: until nobody is left in its group or tree), whenever somebody is
 * inside pidring_wait or a join of a process of this engine, or drives it by pidring_fd. A stop that is under way
 * is replaced. `options` may be NULL. 0 also if the process has ended.
 *
 *   -EBADF      closed
 *   -ESRCH      not started, or the current process
 *   -ECHILD     another process constructed it
 *   -ESHUTDOWN  its engine was closed
 *   -EPERM      the parent process; not allowed to signal it (with `tree`: any of its tree); `group`, but it leads none
 *   -EIO, -ENOENT, -EMFILE, -ENFILE   with `tree`: as pidring_process_signal_tree; nothing has begun
 *   -EINVAL     options->size, a signal, or a negative wait
 *   -ENOMEM
 */
PIDRING_PUBLIC int pidring_process_stop(struct pidring_process *process,
                                        const struct pidring_stop_options *options);

/*
 * Moves the deadline of a process that runs: `timeout` nanoseconds from now, PIDRING_FOREVER: none.
 *
 *   -EBADF, -ESRCH, -ECHILD, -ESHUTDOWN, -ENOMEM   as pidring_process_stop
 */
PIDRING_PUBLIC int pidring_process_set_deadline(struct pidring_process *process, int64_t timeout);

/*
 * 1: it runs (a zombie does not); 0: it has ended, or was not started. The current process is alive. Reaps
 * what has ended.
 *
 *   -EBADF    closed
 *   -ECHILD   another process constructed it (but the parent process can be asked)
 */
PIDRING_PUBLIC int pidring_process_is_alive(struct pidring_process *process);

/*
 * The pid, from start to close, also after the end. The current process: getpid().
 *
 *   -EBADF    closed
 *   -ESRCH    not started
 */
PIDRING_PUBLIC pid_t pidring_process_pid(struct pidring_process *process);

/*
 * The sentinel: the pidfd, the same descriptor from start to close, readable once the process has ended
 * (POLLIN, with POLLHUP once it is reaped: wait for any event). It belongs to the object: poll it, signal it,
 * duplicate it, but do not close it and do not waitid() on it.
 *
 *   -EBADF    closed
 *   -ESRCH    not started, or the current process
 */
PIDRING_PUBLIC int pidring_process_sentinel(struct pidring_process *process);

/*
 * Closes the object: reaps the ended process, releases the sentinel, drops its pending events. Afterwards
 * only name, daemon flag, auth key, user data, identity, describe, close and free work. Closing a closed
 * object, or the current process, does nothing.
 *
 *   -EBUSY    it is still running (or being started); nothing changed
 */
PIDRING_PUBLIC int pidring_process_close(struct pidring_process *process);

/*
 * Ends the object; NULL is allowed. A running process is not touched: it is detached, reaped by the library
 * when it has ended, still terminated at exit if it is a daemon and waited for at exit in any case. The
 * current and the parent process cannot be freed; for them this does nothing. Pending events of the object
 * are dropped. In another process than the one that started it, it frees this process's copy.
 */
PIDRING_PUBLIC void pidring_process_free(struct pidring_process *process);

/*
 * 6. Input and output
 * ===================
 *
 * Streams that go to PIDRING_STREAM_PIPE are read and written by the engine, while somebody is inside
 * pidring_wait (or drives it by pidring_fd): a process that writes more than a pipe holds waits for that, so a
 * join without it may last for ever. Output comes as events; nothing is read that no event is asked for, so
 * memory is bounded whatever the processes do. The end of a process does not wait for the end of its output: a
 * grandchild may still have it open. The event that says `last` is the moment to free the object; to free it
 * earlier closes its pipes. In the copy of a fork there are no streams of the original's processes.
 */

/*
 * Queues bytes for the process's stdin (a pipe or terminal) and writes as many of them at once as the pipe takes;
 * never blocks, never raises SIGPIPE. The bytes are copied. Returns how many were taken: fewer than `length` if
 * the queue is full (`input_limit`), and then PIDRING_INPUT_DRAINED comes when it is empty. May be called before
 * the start. 0 if `length` is 0.
 *
 *   -EAGAIN     the queue is full; PIDRING_INPUT_DRAINED comes when it is empty
 *   -EPIPE      nobody reads it any more, the process has ended, or pidring_process_close_input was called
 *   -ENOTCONN   stdin goes neither to a pipe nor to a terminal
 *   -EINVAL     data is NULL but length is not 0
 *   -EBADF      closed
 *   -ECHILD     another process constructed it
 *   -ESHUTDOWN  its engine was closed
 *   -ENOMEM
 */
PIDRING_PUBLIC ssize_t pidring_process_write(struct pidring_process *process, const void *data,
                                             size_t length);

/*
 * Closes the process's stdin when all that is queued has been written. On a terminal: types its end-of-file
 * character (twice if the last line is not complete), which means something only to those who read lines. 0
 * also if it is closed already.
 *
 *   -ENOTCONN, -EBADF, -ECHILD, -ESHUTDOWN, -ENOMEM   as pidring_process_write
 */
PIDRING_PUBLIC int pidring_process_close_input(struct pidring_process *process);

/* How many bytes are queued for stdin and not written yet. -ENOTCONN, -EBADF, -ECHILD as pidring_process_write. */
PIDRING_PUBLIC ssize_t pidring_process_queued_input(struct pidring_process *process);

/*
 * Output of this process is not read until pidring_process_resume: it waits when its pipes are full. What was
 * read before still arrives. The drain time does not run meanwhile.
 *
 *   -ENOTCONN   neither stdout nor stderr goes to a pipe or terminal
 *   -EBADF, -ECHILD, -ESHUTDOWN   as pidring_process_write
 */
PIDRING_PUBLIC int pidring_process_pause(struct pidring_process *process);
/* Reads on; as pidring_process_pause. */
PIDRING_PUBLIC int pidring_process_resume(struct pidring_process *process);

/*
 * The descriptor at this end of a stream (STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO) that goes to
 * PIDRING_STREAM_RAW_PIPE, _MEMORY or _TERMINAL. It belongs to the object and is closed with it. A memfd holds
 * what was written, from offset 0: fstat(2), pread(2) or mmap(2) it, the position is the child's. What is read from
 * a terminal is lost to the engine: use it to ask, not to read. (After an asynchronous start, the child's end of a
 * pipe stays open here until it is known how the start went.)
 *
 *   -ENOTCONN   the stream goes elsewhere, or was taken
 *   -ESRCH      not started
 *   -EINVAL     there is no such stream
 *   -EBADF      closed
 *   -ECHILD     another process constructed it
 */
PIDRING_PUBLIC int pidring_process_stream(struct pidring_process *process, int stream);

/* The same for PIDRING_STREAM_RAW_PIPE and _MEMORY, and it is the caller's from now on: close-on-exec, blocking.
 * Errors as pidring_process_stream. */
PIDRING_PUBLIC int pidring_process_take_stream(struct pidring_process *process, int stream);

/*
 * Tells the process's terminal its new size; its foreground group gets SIGWINCH.
 *
 *   -ENOTCONN   it has no terminal of ours
 *   -ESRCH, -EBADF, -ECHILD   as pidring_process_stream
 *   -EINVAL     rows or columns is 0
 */
PIDRING_PUBLIC int pidring_process_resize(struct pidring_process *process, unsigned short rows,
                                          unsigned short columns);

/*
 * 7. The end of a process
 * =======================
 */

/*
 * Stores the exit code: 0 to 255, or minus the number of the signal that ended the process. Looks (and
 * reaps), but never blocks.
 *
 *   -EAGAIN    not known: not started, or running, or asked in another process than the one that started it,
 *              or the current or parent process
 *   -ENODATA   it has ended, but somebody else reaped it and its code is lost
 *   -EBADF     closed
 *   -EINVAL    ret_code is NULL
 */
PIDRING_PUBLIC int pidring_process_exit_code(struct pidring_process *process, int *ret_code);

/* The name of an exit code that stands for a signal: "-SIGTERM" for -15; NULL if it has none. Static. */
PIDRING_PUBLIC const char *pidring_exit_code_name(int code);

enum pidring_reaper {
	PIDRING_REAPED_HERE = 1, /* by this library: everything is known */
	PIDRING_REAPED_ELSEWHERE =
		2, /* by somebody else (or SIGCHLD is ignored); the kernel still knew the status */
	PIDRING_REAPED_UNKNOWN = 3, /* by somebody else, and the status is lost */
};

struct pidring_exit_record {
	size_t size; /* set by the caller: sizeof(struct pidring_exit_record) */
	pid_t pid;
	enum pidring_reaper reaper;
	bool known;      /* code, wait_status and core_dumped mean something */
	int code;        /* as pidring_process_exit_code */
	int wait_status; /* as waitpid(2) gives it, for WIFEXITED and its kin */
	bool core_dumped;
	bool usage_known;     /* `usage` means something: only if reaped here */
	struct rusage usage;  /* of the process and those of its children that it waited for */
	int64_t start_time;   /* CLOCK_MONOTONIC nanoseconds just before the child was created */
	int64_t end_time;     /* the same when its end was noticed here (the kernel does not keep the moment
	                        itself) */
	bool deadline_passed; /* before its end */
	int stop_signal;      /* the last, but for SIGCONT, that stopping it has sent; 0: none */
};

/*
 * Fills *ret_record, as much of it as its `size` has room for. Looks, but never blocks.
 *
 *   -EAGAIN   as pidring_process_exit_code
 *   -EBADF    closed
 *   -EINVAL   ret_record is NULL or its size is too small
 */
PIDRING_PUBLIC int pidring_process_exit_record(struct pidring_process *process,
                                               struct pidring_exit_record *ret_record);

/* How pidring_capture goes about it. */
struct pidring_capture_options {
	size_t size;       /* sizeof(struct pidring_capture_options) */
	const void *input; /* for its stdin; NULL: /dev/null, unless the process's options say otherwise */
	size_t input_length;
	size_t limit;       /* the most bytes that are kept of each stream; 0: no limit */
	bool stop_at_limit; /* the process is stopped then; otherwise the rest is read and dropped */
	bool together;      /* stderr goes into stdout */
};

/* One stream that was captured. */
struct pidring_captured_stream {
	char *data; /* a NUL follows; never NULL */
	size_t length;
	bool truncated; /* there was more than the limit */
	bool cut;       /* somebody still had it open when the drain time was over */
};

struct pidring_captured {
	size_t size; /* set by the caller: sizeof(struct pidring_captured) */
	struct pidring_captured_stream output, error;
	size_t unwritten; /* bytes of the input that could not be written (of those that were, some may not have been
	                     read) */
	struct pidring_exit_record record;
	struct pidring_failure failure; /* the start's, if that failed: then all else is zero */
};

/*
 * The simple call: starts the program (or function) of `options`, feeds it, collects its stdout and stderr, and
 * returns when it has ended and its output is complete, with the exit record. stdout and stderr are
 * captured unless `options` sends them elsewhere. The deadline of `options` is heeded, and stops it (for a shell's
 * command set new_group and stop_group as well: otherwise what the shell has started lives on, and is waited for as
 * long as `drain` says). Any amount
 * goes in both directions. `capture` may be NULL. Other engines are not touched; any thread may call it.
 * *ret_captured is to be released by pidring_captured_release. It is written when the process could be started, also if
 * something failed later, and when its start failed, which `failure` explains; else it stays as it is.
 *
 *   -EINVAL     ret_captured is NULL, a size is wrong, input is NULL but its length is not 0, or
 *               an option that makes no sense here: asynchronous, stdin_to with an input, stderr_to with
 *               together, a raw pipe or memory
 *   -ENOMEM     there was no memory for the output: the process was stopped
 *   others      as pidring_open, pidring_process_new and pidring_process_start
 */
PIDRING_PUBLIC int pidring_capture(struct pidring_captured *ret_captured,
                                   const struct pidring_options *options,
                                   const struct pidring_capture_options *capture);

/* Frees what it holds; all zero afterwards but for its size. NULL is allowed. */
PIDRING_PUBLIC void pidring_captured_release(struct pidring_captured *captured);

/*
 * 8. Names and attributes
 * =======================
 *
 * Texts are copied into the caller's buffer as snprintf does: at most `size` bytes with the final NUL, and
 * the length that it has (without the NUL) is returned, so a result >= size means that it was cut. `buffer`
 * may be NULL if size is 0. These work in any state and in any process.
 */

/* The name. -EINVAL: buffer is NULL but size is not 0. */
PIDRING_PUBLIC int pidring_process_name(struct pidring_process *process, char *buffer, size_t size);
/* Sets the name, at any time; the child sees what was set before start. -EINVAL: name is NULL. -ENOMEM. */
PIDRING_PUBLIC int pidring_process_set_name(struct pidring_process *process, const char *name);

/*
 * The representation: <TYPE name='NAME'[ pid=N] parent=N STATUS[ exitcode=C][ daemon]>, where STATUS is
 * initial, started, stopped, closed or unknown (another process's). Names are shown as UTF-8 between single
 * quotes (double ones if the name has a single and no double quote); backslashes, control characters and
 * bytes that are no UTF-8 are escaped as \\, \n, \r, \t, \xNN. Looks, so it may reap. -EINVAL: buffer is NULL
 * but size is not 0.
 */
PIDRING_PUBLIC int pidring_process_describe(struct pidring_process *process, char *buffer, size_t size);

/* The identity: the numbers on the way from the main process down, none for main and parent. Stores up to
 * `capacity` of them and returns how many there are. -EINVAL: ret_numbers is NULL but capacity is not 0. */
PIDRING_PUBLIC int pidring_process_identity(struct pidring_process *process, unsigned *ret_numbers,
                                            size_t capacity);

/* The pid of the process that constructed it; 0 for the main and the parent process. */
PIDRING_PUBLIC pid_t pidring_process_parent_pid(struct pidring_process *process);

/* 1: a daemon, ended when its parent ends; 0: not. */
PIDRING_PUBLIC int pidring_process_daemon(struct pidring_process *process);
/*
 * Sets the daemon flag. On the current process: what is constructed from now on inherits it, and while it is
 * set nothing can be started.
 *
 *   -EALREADY  it has been started
 *   -EBADF     closed
 *   -EPERM     the parent process
 */
PIDRING_PUBLIC int pidring_process_set_daemon(struct pidring_process *process, bool daemon);

/*
 * The auth key: a secret that a family of processes shares, 32 random bytes unless set otherwise, inherited
 * at construction. Stores up to `capacity` bytes and returns the length. It is in no text that the library
 * makes, and wiped when freed.
 *
 *   -ENOKEY   the parent process
 *   -EINVAL   ret_key is NULL but capacity is not 0
 */
PIDRING_PUBLIC int pidring_process_authkey(struct pidring_process *process, void *ret_key, size_t capacity);
/* Sets it, any length, also 0, at any time. -EINVAL: key is NULL but length is not 0. -EPERM: the parent
 * process. -ENOMEM. -E2BIG: longer than 65,536 bytes. */
PIDRING_PUBLIC int pidring_process_set_authkey(struct pidring_process *process, const void *key,
                                               size_t length);
/*
 * In a program that was started with `authkey_descriptor`: takes the key from that descriptor, makes it the
 * current process's auth key and closes the descriptor.
 *
 *   -EBADF    no such descriptor
 *   -EINVAL   it is no sealed memfd as pidring makes them (it is left open)
 *   -ENOMEM
 */
PIDRING_PUBLIC int pidring_receive_authkey(int descriptor);

/* The user data, as given or set last; NULL for NULL. */
PIDRING_PUBLIC void *pidring_process_user_data(struct pidring_process *process);
PIDRING_PUBLIC int pidring_process_set_user_data(struct pidring_process *process, void *user_data);

/*
 * 9. The family
 * =============
 */

/* The object of this process: always the same, never NULL, never to be freed. In a function target it is the
 * object that was started. */
PIDRING_PUBLIC struct pidring_process *pidring_current_process(void);

/* In a function target with an argument that was copied: how many bytes it has. 0 elsewhere. */
PIDRING_PUBLIC size_t pidring_argument_length(void);

/* The object of the process that started this one through the library (as a function target); NULL in a main
 * process and in plain forks of it. Name and pid are those recorded at construction; is_alive and join watch
 * the real parent. */
PIDRING_PUBLIC struct pidring_process *pidring_parent_process(void);

/*
 * Reaps what has ended, then stores up to `capacity` of the children of this process that still run, in the
 * order of their start, and returns how many there are. Children whose object was freed are not among them.
 * -EINVAL: ret_processes is NULL but capacity is not 0.
 */
PIDRING_PUBLIC int pidring_active_children(struct pidring_process **ret_processes, size_t capacity);

/* In a child or in a copy made by fork(): closes the sentinels of the processes that were started by the
 * original and inherited here. Their objects become closed. Returns how many. */
PIDRING_PUBLIC int pidring_drop_inherited(void);

/* How many process objects are alive in this process (constructed, and not freed or not yet let go by the
 * engine), without the current and the parent process. For leak tests. */
PIDRING_PUBLIC size_t pidring_live_objects(void);

/*
 * 10. The exit function, finalizers, hooks
 * ========================================
 *
 * The exit function runs once in a process: in a function target's process when the target is done, in a main
 * process from atexit() (registered when the library is first used), not after _exit() or death by a signal.
 * In this order: finalizers with a priority of at least 0; SIGTERM to every daemon child; join of every
 * child, daemon or not, without a limit; finalizers with a negative priority. So a program that returns from
 * main waits for its children.
 */

/* Registers `function`, to be called with `argument` by the exit function of this process (not of its
 * children): highest priority first, of equal ones the latest registered first. With PIDRING_NO_PRIORITY it
 * is not called at exit. Returns a positive handle. -EINVAL: no function. -ENOMEM. */
PIDRING_PUBLIC int64_t pidring_add_finalizer(void (*function)(void *argument), void *argument, int priority);
/* Calls the finalizer now, and then never again. -ENOENT: it has run or been cancelled, or another
 * process registered it. */
PIDRING_PUBLIC int pidring_run_finalizer(int64_t handle);
/* Forgets the finalizer. -ENOENT: as above. */
PIDRING_PUBLIC int pidring_cancel_finalizer(int64_t handle);

/* Registers `function`, to be called in every function target's process before the target, in the order of
 * registration, with the new current process in place; children inherit the registration. Returns a positive
 * handle. -EINVAL: no function. -ENOMEM. */
PIDRING_PUBLIC int64_t pidring_add_after_fork_hook(void (*function)(void *argument), void *argument);
/* Forgets the hook. -ENOENT: no such hook. */
PIDRING_PUBLIC int pidring_remove_after_fork_hook(int64_t handle);

/* How long the exit function waits for daemon children after SIGTERM before it sends them SIGKILL.
 * PIDRING_FOREVER, the default: it never does. Inherited by function targets. */
PIDRING_PUBLIC int pidring_set_exit_grace(int64_t grace);

/* 1 once the exit function of this process has begun. */
PIDRING_PUBLIC int pidring_is_exiting(void);

/* A callback for the lines that tell of a process's life ("child process calling self.run()", "process
 * shutting down", …). NULL: none, the default. Inherited by function targets. It may be called from any
 * thread and must not call the library. */
PIDRING_PUBLIC int pidring_set_log(void (*function)(void *argument, const char *line), void *argument);

/*
 * 11. Ending a child from any depth
 * =================================
 *
 * In a function target's process these end it as if the target had returned: exit function, then the message,
 * then stdout and stderr are flushed, then _exit(). atexit() handlers do not run. Called again inside a
 * finalizer, the last call's code wins and the rest of the exit function still runs. In a main process they
 * end with exit(), which runs atexit() handlers and so the exit function.
 */

/* Ends with the low byte of `code`. */
PIDRING_PUBLIC PIDRING_NORETURN void pidring_exit(int code);
/* Prints `text` and a newline to stderr and ends with 1. */
PIDRING_PUBLIC PIDRING_NORETURN void pidring_exit_message(const char *text);
/* Prints "Process NAME:\nTEXT\n" to stderr and ends with 1. */
PIDRING_PUBLIC PIDRING_NORETURN void pidring_fail(const char *text);

/*
 * 12. Confinement
 * ===============
 *
 * What a process may do less than this one, and the place where it lives. All of it is checked, looked up and copied by
 * pidring_process_new and made by the child itself, or by the kernel in the clone, before the target begins; the step
 * that fails is told as for every other (of functions, too), and nothing remains of the child then. For programs and
 * functions, with every start method but PIDRING_FORKSERVER: such a start goes as by EXEC or FORK. In this order:
 *
 *   control group, new namespaces (in the clone), joined namespaces, time offsets; streams and descriptors; limits and
 *   scheduling; mounts, root, host name, working directory; bounding set, groups, user, capabilities, secure bits,
 *   no_new_privileges; death signal; seccomp.
 *
 * So whatever the child opens by name before its target (mounts, the working directory) it opens as it was created, and
 * files of streams are opened by the caller. A name of a program without a slash is looked for in PATH by the child, where
 * it then is (the step is PIDRING_STEP_EXEC).
 *
 * What others would feel in a memory that is shared makes the child of a program a copy of this process until its exec,
 * which costs what a fork costs: joined namespaces, an OOM score. All else keeps the fast paths. While a program's child
 * changes its user or group, until its exec, the kernel makes this process undumpable (PR_GET_DUMPABLE), rightly: its new
 * user's processes could otherwise look into this memory through it. When the start is known to have worked or failed
 * (an asynchronous one when that is told) it is again what it was, unless this process has changed its own user meanwhile; set it
 * undumpable before that, not during it.
 */

/* Namespaces, to be or-ed. */
enum pidring_namespace {
	PIDRING_NAMESPACE_USER = 1 << 0,
	PIDRING_NAMESPACE_MOUNT = 1 << 1, /* its mounts are private: none goes in or out */
	PIDRING_NAMESPACE_PID = 1 << 2,   /* the child is its init: when it ends, so does everything in it */
	PIDRING_NAMESPACE_NETWORK = 1 << 3,
	PIDRING_NAMESPACE_UTS = 1 << 4,
	PIDRING_NAMESPACE_IPC = 1 << 5,
	PIDRING_NAMESPACE_CGROUP = 1 << 6,
	PIDRING_NAMESPACE_TIME = 1 << 7, /* programs only */
};

/* One namespace, or several of one process, that exist. */
struct pidring_join {
	/* A namespace (/proc/PID/ns/…), or a pidfd of the process whose namespaces are meant. Must stay open until the
	 * start is known to have worked or failed. */
	int descriptor;
	unsigned namespaces; /* of a pidfd: which; 0: the descriptor is a namespace */
};

/* `count` ids from `inside` on are, seen from here, those from `outside` on. */
struct pidring_id_map {
	uint32_t inside, outside, count;
};

/* A mount that the child sees. */
struct pidring_mount {
	/* Where, in the child's root; absolute. It is looked for after the root has been changed, so links cannot lead out
	 * of that. */
	const char *target;
	/* A bind mount: a file or directory here (absolute). With `type`: what the file system calls its source, or NULL. */
	const char *source;
	/* A new file system: "tmpfs", "proc", …; NULL: a bind mount. */
	const char *type;
	const char *data; /* of a new file system: "size=1m,mode=0755"; NULL: none */
	bool recursive;   /* of a bind mount: with the mounts below it */
	bool read_only, no_set_user_id, no_devices, no_exec;
	bool make_target; /* the last component of the target is made if it is not there: a directory (or for a file, a
	                     file) */
};

/* A limit, priority and the like. */
enum pidring_setting_kind {
	PIDRING_SETTING_LIMIT =
		1, /* `number` is RLIMIT_…, `value` the soft and `maximum` the hard one (RLIM_INFINITY:
	                                  * none) */
	PIDRING_SETTING_NICE = 2,      /* `number`: -20 to 19 */
	PIDRING_SETTING_SCHEDULER = 3, /* `number` is SCHED_…, `value` the priority of a real-time class */
	PIDRING_SETTING_AFFINITY = 4,  /* `mask`, `mask_length` bytes, as sched_setaffinity(2) has it */
	PIDRING_SETTING_IO_PRIORITY =
		5, /* `number` is the class: 1 real-time, 2 best effort, 3 idle; `value` the level, 0 to
	                                  * 7 */
	PIDRING_SETTING_OOM_SCORE = 6,   /* `number` goes to /proc/self/oom_score_adj: -1000 to 1000 */
	PIDRING_SETTING_TIMER_SLACK = 7, /* `value` in nanoseconds, at least 1 */
};

struct pidring_setting {
	enum pidring_setting_kind kind;
	int number;
	uint64_t value, maximum;
	const void *mask;
	size_t mask_length;
	/* NULL: it is required, and the start fails with PIDRING_STEP_SETTING. Must stay until then, or until the process is
	 * freed. Otherwise the child goes on without it, and
	 * 0 or the negated errno is stored here before start returns or PIDRING_STARTED is told. */
	int *report;
};

/* A value of a secure-bits option means what prctl(PR_SET_SECUREBITS) says: SECBIT_… of <linux/securebits.h>. */
struct sock_fprog;

struct pidring_confinement {
	size_t size; /* sizeof(struct pidring_confinement) */

	/* --- namespaces --- */

	unsigned namespaces; /* new ones: PIDRING_NAMESPACE_… */
	/* None of a kind that `namespaces` makes. A child that joins is undumpable from then on (a program until its exec), so
	 * time offsets beside take root. The root, if there is one, is then looked for where it is, by the child.
	 * A PID namespace among them, and new ones, cannot be had together by a function of a process with threads
	 * (-EOPNOTSUPP from start). */
	const struct pidring_join *joins;
	size_t join_count;
	/* Of a new user namespace. None: the effective user and group of this process become `inside` 0 there (setgroups(2) is
	 * forbidden then). Maps other than of one's own single id need CAP_SETUID and CAP_SETGID here. */
	const struct pidring_id_map *user_map, *group_map;
	size_t user_map_count, group_map_count;
	const char *host_name;                      /* needs PIDRING_NAMESPACE_UTS */
	int64_t monotonic_offset, boot_time_offset; /* nanoseconds; need PIDRING_NAMESPACE_TIME */

	/* --- files --- */

	/* The directory that becomes its root: by pivot_root(2) with PIDRING_NAMESPACE_MOUNT, else by chroot(2). Its working
	 * directory is / unless `working_directory` says otherwise, which counts from there. */
	const char *root;
	bool read_only_root; /* the mount that is its root; needs PIDRING_NAMESPACE_MOUNT */
	/* In this order; need PIDRING_NAMESPACE_MOUNT. */
	const struct pidring_mount *mounts;
	size_t mount_count; /* so many descriptors are needed at a time */
	/* A proc of its own at /proc (nosuid, nodev, noexec): needs PIDRING_NAMESPACE_MOUNT and _PID. */
	bool private_proc;

	/* --- limits and scheduling --- */

	const struct pidring_setting *settings;
	size_t setting_count;

	/* --- power --- */

	/* A user by name or number, from /etc/passwd (that of `root`, if there is one): its user id, group id and
	 * supplementary groups (of /etc/group), as far as they are not set below. A number that is not there has only itself: then set
	 * `group`. */
	const char *user_name;
	bool set_user; /* with `user`: real, effective and saved */
	uid_t user;
	bool set_group;
	gid_t group;
	bool set_groups; /* the supplementary groups; none if group_count is 0 */
	const gid_t *groups;
	size_t group_count;

	/* Capabilities by name, "cap_net_bind_service,CHOWN" (any case, with "cap_" or without; "all"). Keep: these and no others are permitted,
	 * effective, and stay so if the user changes and over the exec (inheritable, ambient, bounding); "" keeps none. Drop:
	 * these are taken from all sets. One of the two. */
	const char *keep_capabilities, *drop_capabilities;
	/* Inheritable, ambient and bounding as cap_iab_from_text(3) has it: "^cap_net_raw,!cap_sys_admin"; alone, not with keep
	 * or drop. */
	const char *capabilities;
	bool set_secure_bits;
	unsigned secure_bits;
	bool no_new_privileges;

	/* A BPF program, installed last: before the execve(2) of a program, which it must allow; before the target of a
	 * function, of which it must allow what the library needs: close, write, futex, gettid, exit_group, rt_sigprocmask. Needs
	 * no_new_privileges, or CAP_SYS_ADMIN there. Copied. */
	const struct sock_fprog *seccomp;
	unsigned seccomp_flags; /* SECCOMP_FILTER_FLAG_… */
};

/*
 * Errors of pidring_process_new that come from here: -EINVAL (impossible values and combinations, unknown capabilities,
 * settings, namespaces), -ENOENT (no such user; no such root), -E2BIG (more than 340 id maps, or than fit into 4,095 bytes of text; 65,536 groups, 1,024 mounts,
 * joins or settings, or 4,096 instructions), -EOPNOTSUPP (a time namespace for a function), -ENOMEM. Those of start are what the
 * system calls give, with the step.
 */

/*
 * 13. Control groups
 * ==================
 *
 * A control group of version 2 (cgroups(7)): processes are created in it, live and can be ended in it together. A new
 * one is a directory below this process's own group, or below `parent`; it is removed when it is freed. Its limits are
 * files, and there are only those of the controllers that are enabled there.
 */

/* One file of a control group, such as "memory.max", and what is written to it. */
struct pidring_cgroup_file {
	const char *name, *value;
};

struct pidring_cgroup_options {
	size_t size; /* sizeof(struct pidring_cgroup_options) */
	const char *
		parent; /* a path below the mount of the hierarchy, "/" or "/machines"; NULL: where this process is */
	const char *name;                        /* of the directory; NULL: one is made up */
	const struct pidring_cgroup_file *files; /* written in this order */
	size_t file_count;
	void *user_data; /* comes back in events */
};

/*
 * Makes a control group and stores it in *ret_cgroup; the caller ends it with pidring_cgroup_free, before the engine is
 * closed. `engine` tells when it is empty; `options` may be NULL. Takes two descriptors, and one more the first group of an engine.
 * In the copy of a fork all but pidring_cgroup_path and pidring_cgroup_free (which leaves the group alone there) fail with -ECHILD.
 *
 *   -EINVAL      ret_cgroup or engine is NULL; options->size; a name with a slash or that begins with a dot, a parent
 *                without a slash at its beginning or with an empty name, "." or ".." in it; a file's name, or there is no such file
 *   -ENOSYS      no hierarchy of version 2 is mounted
 *   -EOPNOTSUPP  a file belongs to a controller that is not enabled there, or the kernel is too old for it
 *   -EEXIST      the name is taken
 *   -ENOENT      there is no such parent; this process's own group is not below the mount
 *   -EACCES, -EPERM, -EROFS, -EMFILE, -ENOMEM, and what writing a file gives (-EINVAL, -ERANGE: the value)
 */
PIDRING_PUBLIC int pidring_cgroup_new(struct pidring_cgroup **ret_cgroup, struct pidring *engine,
                                      const struct pidring_cgroup_options *options);

/* Its path below the mount (which is that in /proc/PID/cgroup, unless only a part of the hierarchy is mounted). The group's memory. NULL for NULL. */
PIDRING_PUBLIC const char *pidring_cgroup_path(struct pidring_cgroup *cgroup);
/* Writes a file of it. Errors as pidring_cgroup_new. */
PIDRING_PUBLIC int pidring_cgroup_write(struct pidring_cgroup *cgroup, const char *name, const char *value);
/* Reads a file of it, as snprintf does (section 8): the length, of which at most size - 1 bytes and a NUL were stored. -EOPNOTSUPP,
 * -EINVAL as pidring_cgroup_new. */
PIDRING_PUBLIC ssize_t pidring_cgroup_read(struct pidring_cgroup *cgroup, const char *name, char *buffer,
                                           size_t size);
/* 1: somebody is in it or below it; 0: nobody (a zombie does not count), or somebody else has removed it. */
PIDRING_PUBLIC int pidring_cgroup_is_populated(struct pidring_cgroup *cgroup);
/* Stores up to `capacity` pids of those in it (not below) and returns how many there are. */
PIDRING_PUBLIC int pidring_cgroup_processes(struct pidring_cgroup *cgroup, pid_t *ret_pids, size_t capacity);
/*
 * Ends everything in it with SIGKILL, at once and whoever forks meanwhile (cgroup.kill, Linux 5.14; without it, by
 * freezing the group and killing until nobody new is found). Afterwards nothing can be started in it: some kernels go on to
 * kill whatever is created in it, so that is refused everywhere (-ESTALE from pidring_process_start).
 */
PIDRING_PUBLIC int pidring_cgroup_kill(struct pidring_cgroup *cgroup);
/* Sends a signal to each process in it or below it, and to those who come meanwhile, until a pass finds nobody new, or after
 * some passes where there is always somebody new (only pidring_cgroup_kill is sure to reach all of those). Returns how many
 * got it. -EINVAL: no such signal. -EPERM: not allowed to signal any of them. -EOPNOTSUPP: the group is threaded.
 * -EMFILE, -ENFILE, -ENOMEM: not all of them may have got it. */
PIDRING_PUBLIC int pidring_cgroup_signal(struct pidring_cgroup *cgroup, int signal_number);
/* Stops all in it from running, or lets them go on; returns when the kernel has been told. -EOPNOTSUPP: before Linux 5.2. */
PIDRING_PUBLIC int pidring_cgroup_freeze(struct pidring_cgroup *cgroup, bool freeze);
/*
 * Removes the group, with the empty ones below it, and releases it; an event of it that was not fetched is gone. NULL is
 * allowed.
 *
 *   -EBUSY   somebody is in it, or in a group below it; nothing was done
 *   -EACCES, -EPERM, -EROFS   it may not be removed (any more)
 */
PIDRING_PUBLIC int pidring_cgroup_free(struct pidring_cgroup *cgroup);

/*
 * 14. Trees and orphans
 * =====================
 *
 * The tree of a process is itself and everything that came of it. Three means find it: its control group, if it was
 * started in one (all that is in the group); its PID namespace, if it has made one; else a walk along the parents of all
 * processes, together with its process group if it leads one, until a pass finds nobody new. The first two are airtight: nobody can leave (but a group, who may write to that of
 * others; the process itself is reached wherever it is). Of a threaded group nobody is told: there it is a walk.
 * A walk misses who has lost its parents before (unless it is in the group, or an earlier call has found it) and a daemon
 * that left both. With `subreaper` whoever it missed becomes this process's child and ends in PIDRING_ORPHAN_ENDED.
 *
 * A walk looks at every process of the machine in /proc (some microseconds each), never with a lock held. It signals nobody
 * but those whom it has recognized by pid and moment of start, through a pidfd. Before SIGKILL it sends SIGSTOP, until all
 * whom it finds stand still, so that nobody is born behind its back (`report_stops` may tell of it). Any other signal each
 * gets once; who is born of somebody that has it already does not get it.
 */
enum pidring_tree_means {
	PIDRING_TREE_CGROUP = 1,
	PIDRING_TREE_NAMESPACE = 2,
	PIDRING_TREE_WALK = 3,
};

/*
 * Sends a signal to every process of the tree, also when the process itself has ended. Returns how many got it, and in
 * *ret_means (which may be NULL) how they were found. With a PID namespace only SIGKILL is sent by means of it (to its init: 1,
 * whoever else is in it); other signals go to those whom a walk finds. Signal 0 only counts.
 *
 *   -EBADF    closed
 *   -ESRCH    not started; nobody is left
 *   -EPERM    not allowed to signal any of them
 *   -ECHILD   another process constructed it
 *   -EINVAL   no such signal
 *   -EIO, -ENOENT   no /proc to walk in: it is that of another PID namespace, or none is mounted
 *   -EMFILE, -ENFILE, -ENOMEM   the walk could not be made, or ended half-way
 */
PIDRING_PUBLIC int pidring_process_signal_tree(struct pidring_process *process, int signal_number,
                                               enum pidring_tree_means *ret_means);
/* Ends the whole tree by SIGKILL at once (0 of PIDRING_TREE_WALK does not mean that nobody has escaped: a subreaper reaches those
 * with pidring_signal_descendants; among them are children that the process has by CLONE_PARENT). A walk takes milliseconds, but
 * up to twenty seconds if members are continued all the time, or start others and may not be signalled; PIDRING_TREE_STOPPED tells when nobody is left (but not after the process's last
 * event). A stop that is under way is replaced, also if the call fails (then its end is told, if the process has ended). Who was
 * stopped for it is killed also if the walk ends half-way. Errors as pidring_process_signal_tree, but 0 if nobody is left;
 * -ESHUTDOWN: its engine was closed. */
PIDRING_PUBLIC int pidring_process_kill_tree(struct pidring_process *process,
                                             enum pidring_tree_means *ret_means);

/* Sends a signal to every descendant of this process (forkservers and parked children excepted), until a pass finds nobody
 * new. Returns how many got it; 0: there is none. As PID 1 of a namespace, without forkservers: to everybody else in it, by one
 * call of the kernel's, without /proc (1 stands for any number then). -EINVAL: no such signal. -EPERM: none of them may be
 * signalled. -EIO, -ENOENT, -EMFILE, -ENFILE, -ENOMEM: as pidring_process_signal_tree. */
PIDRING_PUBLIC int pidring_signal_descendants(int signal_number);
/* 1: this process has children that have not been reaped, whoever started them (forkservers and parked children
 * excepted, and what the host has cloned without SIGCHLD); 0: none, and so, for a subreaper or init, no descendant at all. */
PIDRING_PUBLIC int pidring_has_children(void);

/*
 * 15. For __attribute__((cleanup))
 * ================================
 */

static inline void pidring_closep(struct pidring **engine)
{
	(void)pidring_close(*engine);
}

static inline void pidring_process_freep(struct pidring_process **process)
{
	pidring_process_free(*process);
}

static inline void pidring_cgroup_freep(struct pidring_cgroup **cgroup)
{
	(void)pidring_cgroup_free(*cgroup);
}

#ifdef __cplusplus
}
#endif

#endif
