/* SPDX-License-Identifier: MIT */
#include "sys/sys.h"

#include "sys/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* linux/pidfd.h of Linux 6.15: the ioctl's size is part of its number, and the kernel takes any size from
 * the first version (64 bytes) on. */
struct pidfd_information {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t pid, tgid, ppid;
	uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_INFORMATION_EXIT (1ULL << 3)
#define PIDFD_GET_INFORMATION  _IOWR(0xFF, 11, struct pidfd_information)

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int sys_pidfd_open(pid_t pid)
{
	return (int)raw_call2(SYS_pidfd_open, pid, 0);
}

int sys_pidfd_send_signal(int pidfd, int signal_number)
{
	return (int)raw_call4(SYS_pidfd_send_signal, pidfd, signal_number, 0, 0);
}

int sys_pidfd_signal_group(int pidfd, int signal_number)
{
	return (int)raw_call4(SYS_pidfd_send_signal, pidfd, signal_number, 0, PIDFD_SIGNAL_PROCESS_GROUP);
}

/* The flag is looked at before the descriptor. */
bool sys_pidfd_signals_groups(void)
{
	return sys_pidfd_signal_group(-1, 0) == -EBADF;
}

int sys_waitid_pidfd(int pidfd, siginfo_t *ret_information, struct rusage *ret_usage)
{
	ret_information->si_pid = 0;
	return (int)raw_call5(SYS_waitid, P_PIDFD, pidfd, (long)ret_information, WEXITED | WNOHANG | __WALL,
	                      (long)ret_usage);
}

void sys_await_pidfd(int pidfd)
{
	while (raw_call5(SYS_waitid, P_PIDFD, pidfd, 0, WEXITED | __WALL, 0) == -EINTR)
		;
}

/* Looks at a child without reaping it. */
static int peek(int kind, int id, siginfo_t *ret_information)
{
	return (int)raw_call5(SYS_waitid, kind, id, (long)ret_information,
	                      WEXITED | WNOHANG | WNOWAIT | __WALL, 0);
}

bool sys_is_child(int pidfd)
{
	return peek(P_PIDFD, pidfd, NULL) == 0;
}

bool sys_is_child_number(pid_t pid)
{
	return peek(P_PID, pid, NULL) == 0;
}

bool sys_has_ended(pid_t pid)
{
	siginfo_t information = { .si_pid = 0 };

	return peek(P_PID, pid, &information) < 0 || information.si_pid != 0;
}

int sys_share_files(pid_t a, pid_t b)
{
	long tables = raw_call5(SYS_kcmp, a, b, KCMP_FILES, 0, 0);
	long directories = tables == 0 ? raw_call5(SYS_kcmp, a, b, KCMP_FS, 0, 0) : tables;

	return directories < 0 ? (int)directories : directories == 0;
}

int sys_pidfd_exit_status(int pidfd, int *ret_wait_status)
{
	struct pidfd_information information = { .mask = PIDFD_INFORMATION_EXIT };
	long r = raw_call3(SYS_ioctl, pidfd, (long)PIDFD_GET_INFORMATION, (long)&information);

	if (r < 0)
		return (int)r;
	if (!(information.mask & PIDFD_INFORMATION_EXIT))
		return -ENODATA;
	*ret_wait_status = information.exit_code;
	return 0;
}

int sys_open_in_root(const char *root, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT };
	int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return -errno;
	long r = raw_call4(SYS_openat2, directory, (long)path, (long)&how, sizeof how);
	close(directory);
	return (int)r;
}

void sys_close(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)raw_call3(SYS_close_range, first, last, flags);
}

int sys_futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline)
{
	struct timespec until = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
	const struct timespec *timeout = deadline == INT64_MAX ? NULL : &until;

	/* The kernel wakes the word of CLONE_CHILD_CLEARTID as a shared futex: no FUTEX_PRIVATE_FLAG. The
	 * BITSET form takes an absolute deadline of CLOCK_MONOTONIC. */
	return (int)raw_call6(SYS_futex, (long)word, FUTEX_WAIT_BITSET, expected, (long)timeout, 0,
	                      (long)FUTEX_BITSET_MATCH_ANY);
}

bool sys_word_is_settled(const uint32_t *word)
{
	return (__atomic_load_n(word, __ATOMIC_ACQUIRE) & FUTEX_TID_MASK) == 0;
}

void sys_futex_wake(const uint32_t *word)
{
	raw_call3(SYS_futex, (long)word, FUTEX_WAKE, 1);
}

void sys_get_capabilities(uint32_t ret_capabilities[6])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	raw_call2(SYS_capget, (long)&header, (long)data);
	_Static_assert(sizeof data == 6 * sizeof *ret_capabilities, "six words");
	memcpy(ret_capabilities, data, sizeof data);
}

int sys_terminal_peer(int master, int flags)
{
	return (int)raw_call3(SYS_ioctl, master, TIOCGPTPEER, flags);
}

void sys_hear_hidden_signals(void)
{
	/* The kernel's struct sigaction: the handler comes first. */
	const unsigned long by_default[4] = { 0 };
	unsigned long action[4] = { 0 };

	for (int signal_number = 32; signal_number <= 33; signal_number++) {
		raw_call4(SYS_rt_sigaction, signal_number, 0, (long)action, (long)SYS_SIGNAL_SET_SIZE);
		if (action[0] == (unsigned long)SIG_IGN)
			raw_call4(SYS_rt_sigaction, signal_number, (long)by_default, 0,
			          (long)SYS_SIGNAL_SET_SIZE);
	}
}

int sys_signal_mask(const sys_signal_set *set, sys_signal_set *ret_old)
{
	return (int)raw_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)set, (long)ret_old,
	                      (long)SYS_SIGNAL_SET_SIZE);
}

int sys_thread_id_address(int **ret_address)
{
	return (int)raw_call5(SYS_prctl, PR_GET_TID_ADDRESS, (long)ret_address, 0, 0, 0);
}

int sys_get_robust_list(void **ret_head, size_t *ret_length)
{
	return (int)raw_call3(SYS_get_robust_list, 0, (long)ret_head, (long)ret_length);
}

int sys_set_robust_list(void *head, size_t length)
{
	return (int)raw_call2(SYS_set_robust_list, (long)head, (long)length);
}

pid_t sys_thread_id(void)
{
	return (pid_t)raw_call0(SYS_gettid);
}

bool sys_is_short(int result)
{
	return result == -EMFILE || result == -ENFILE || result == -ENOMEM;
}

int sys_above_streams(int descriptor)
{
	if (descriptor < 0 || descriptor > STDERR_FILENO)
		return descriptor;
	int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int r = copy < 0 ? -errno : copy;
	close(descriptor);
	return r;
}
