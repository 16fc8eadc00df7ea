/* SPDX-License-Identifier: MIT */
/*
 * The kernel, as far as Debian 12's headers and libc do not give it: constants newer than they are, and one
 * function a system call. Every function returns what the kernel does: a negated errno on failure.
 */
#ifndef PIDRING_SYS_SYS_H
#define PIDRING_SYS_SYS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The kernel's signal set: one bit a signal, 64 of them. libc's sigset_t is larger and hides two of them. */
typedef uint64_t sys_signal_set;
#define SYS_ALL_SIGNALS     (~(sys_signal_set)0)
#define SYS_SIGNALS         64
#define SYS_SIGNAL_SET_SIZE sizeof(sys_signal_set)

/* linux/sched.h: 5.5, 5.7 */
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
/* linux/sched.h: 5.7, 5.6 */
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
/* linux/memfd.h: 6.3 */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
/* The ring's opcodes, and the flags of its futex (a shared one, of 32 bits): 6.7, newer than liburing 2.3 */
enum {
	SYS_RING_READ_MULTISHOT = 49,
	SYS_RING_WAITID = 50,
	SYS_RING_FUTEX_WAIT = 51,
	SYS_FUTEX2_32_BITS_SHARED = 2,
};
/* linux/pidfd.h: 6.9 */
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP (1U << 2)
#endif
/* linux/close_range.h: 5.9 */
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

/* The kernel's struct clone_args, as of Linux 5.7 (88 bytes): what an older one does not know must be zero.
 */
struct sys_clone_arguments {
	uint64_t flags;
	uint64_t pidfd;
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};

/* clone3 with no arguments: -EINVAL where it is there. */
long sys_clone3_probe(void);
/* clone3(2) as a fork: returns in the child, too. */
long sys_clone3(const struct sys_clone_arguments *arguments);
/* clone3(2) onto the stack in the arguments: the child calls function(argument), which must not return. */
long sys_clone3_call(const struct sys_clone_arguments *arguments, void (*function)(void *), void *argument);
/* clone(2) as a fork, with a pidfd: returns in the child, too. */
long sys_clone(uint64_t flags, int *ret_pidfd, int *child_tid);
/* clone(2) with CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD onto the stack that ends at `stack_top`;
 * returns once the child has left the memory. */
long sys_clone_vfork(void *stack_top, int *ret_pidfd, int (*function)(void *), void *argument);

int sys_pidfd_open(pid_t pid);
int sys_pidfd_send_signal(int pidfd, int signal_number);
/* To the group whose leader it is or was. -ESRCH: nobody is in it, or it does not exist yet. -EINVAL: before
 * Linux 6.9. */
int sys_pidfd_signal_group(int pidfd, int signal_number);
bool sys_pidfd_signals_groups(void);
/* waitid(2) on a pidfd for its end, without blocking, with the rusage that libc's waitid leaves out. Returns
 * 0 with si_pid 0 while it runs. Any child, also one that sends no SIGCHLD. */
int sys_waitid_pidfd(int pidfd, siginfo_t *ret_information, struct rusage *ret_usage);
/* The same, but waits for it, and tells nothing. */
void sys_await_pidfd(int pidfd);
/* Whether it is a pidfd of a child of this process, ended or not, that nobody has reaped. */
bool sys_is_child(int pidfd);
/* The same of a number. */
bool sys_is_child_number(pid_t pid);
/* Whether a child has ended, or is none (any more). */
bool sys_has_ended(pid_t pid);
/* 1: both processes have the same table of descriptors, and the same working directory, root and umask; 0: not; or why
 * the kernel does not say (kcmp(2)). */
int sys_share_files(pid_t a, pid_t b);
/* The wait status of a process that somebody has reaped: ioctl(PIDFD_GET_INFO) with PIDFD_INFO_EXIT,
 * Linux 6.15. */
int sys_pidfd_exit_status(int pidfd, int *ret_wait_status);

/* write(2) to a descriptor that does not block, without SIGPIPE; interrupted calls are taken up again. */
ssize_t sys_write_silently(int descriptor, const void *bytes, size_t length);
/* Whether that takes one system call (RWF_NOSIGNAL, Linux 6.18). */
bool sys_writes_silently(void);

/* Whether it failed for want of descriptors or memory, which may pass, and says nothing of what was asked for. */
bool sys_is_short(int result);
/* The descriptor itself, or if it has the number of a standard stream, which the host has closed, a copy above; the
 * original is closed then. For what a system call returned: a negated errno stays one. */
int sys_above_streams(int descriptor);

/* Opens a file for reading, whose path's links count from `root` and do not lead out of it (openat2(2), Linux 5.6). */
int sys_open_in_root(const char *root, const char *path);

/* Closes it, unless it is -1, which it is afterwards. */
void sys_close(int *descriptor);
int sys_close_range(unsigned first, unsigned last, unsigned flags);

/* Waits until *word is not `expected`, or a wake-up, or the deadline of CLOCK_MONOTONIC nanoseconds
 * (INT64_MAX: none). */
int sys_futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline);

/* The other end of a pseudo-terminal, opened whatever is mounted: ioctl(TIOCGPTPEER), Linux 4.13. */
int sys_terminal_peer(int master, int flags);

/* Whether the kernel has let go of a word by which it tells that a child has left its creator's memory, or has ended:
 * that of CLONE_CHILD_CLEARTID is zero then, that of a robust futex nobody's. */
bool sys_word_is_settled(const uint32_t *word);
/* Wakes one who waits, in whichever process. */
void sys_futex_wake(const uint32_t *word);

/* capget(2) of this thread: effective, permitted, inheritable, twice 32 bits. All zero if it fails. */
void sys_get_capabilities(uint32_t ret_capabilities[6]);

/* The two signals that libc hides get their default if they are ignored, as somebody's child may have them. */
void sys_hear_hidden_signals(void);

int sys_signal_mask(const sys_signal_set *set, sys_signal_set *ret_old);

/* The address that the kernel clears and wakes when this thread ends: libc's copy of the thread id. */
int sys_thread_id_address(int **ret_address);
/* The robust futex list of this thread. */
int sys_get_robust_list(void **ret_head, size_t *ret_length);
int sys_set_robust_list(void *head, size_t length);

pid_t sys_thread_id(void);

#endif
