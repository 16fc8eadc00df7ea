/* SPDX-License-Identifier: MIT */
/* waitid and PIDFD_GET_INFO -> one exit record. */
#include "sys/sys.h"
#include "watch/watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <time.h>

/* siginfo has code and signal apart; waitpid's word has them together. */
static int wait_status_of(const siginfo_t *information)
{
	switch (information->si_code) {
	case CLD_EXITED:
		return (information->si_status & 0xff) << 8;
	case CLD_DUMPED:
		return (information->si_status & 0x7f) | 0x80;
	default:
		return information->si_status & 0x7f;
	}
}

/* Whether the kernel has let go of the process: POLLHUP, on kernels that tell (Linux 6.9). */
static bool is_released(int pidfd)
{
	struct pollfd item = { .fd = pidfd, .events = POLLIN };

	return poll(&item, 1, 0) > 0 && (item.revents & POLLHUP);
}

/*
 * Somebody else has reaped it, or SIGCHLD is ignored and the kernel did. waitid() says ECHILD from the moment
 * that the other has laid hands on it, the status is kept a moment later, when the process is released: so
 * this looks again for some milliseconds before it gives the code up for lost.
 */
static enum pidring_reaper ask_for_status(int pidfd, int *ret_wait_status)
{
	enum { ATTEMPTS = 100 };
	const struct timespec between = { .tv_nsec = 100 * 1000L };

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		bool final = is_released(pidfd);
		int r = sys_pidfd_exit_status(pidfd, ret_wait_status);

		if (r == 0)
			return PIDRING_REAPED_ELSEWHERE;
		/* Other errors: a kernel before 6.15. */
		if (final || (r != -ENODATA && r != -ESRCH))
			break;
		nanosleep(&between, NULL);
	}
	return PIDRING_REAPED_UNKNOWN;
}

int watch_reap(int pidfd, struct reaped *ret_reaped)
{
	siginfo_t information;
	int r = sys_waitid_pidfd(pidfd, &information, &ret_reaped->usage);

	if (r == 0 && information.si_pid == 0)
		return 0;
	if (r == 0) {
		ret_reaped->reaper = PIDRING_REAPED_HERE;
		ret_reaped->wait_status = wait_status_of(&information);
		return 1;
	}
	/* The pidfd is the proof of its end. */
	if (watch_sentinel(pidfd, 0) <= 0)
		return 0;
	ret_reaped->reaper = ask_for_status(pidfd, &ret_reaped->wait_status);
	return 1;
}

bool watch_stopped(int pidfd, siginfo_t *ret_information)
{
	ret_information->si_pid = 0;
	if (waitid(P_PIDFD, (id_t)pidfd, ret_information, WSTOPPED | WCONTINUED | WNOHANG | __WALL) < 0)
		return errno == ECHILD;
	return ret_information->si_pid != 0;
}
