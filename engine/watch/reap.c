/* SPDX-License-Identifier: MIT */
/* waitid and PIDFD_GET_INFO -> one exit record. */
#include "sys/sys.h"
#include "watch/watch.h"

#include <errno.h>

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
	/* ECHILD: somebody else has reaped it, or SIGCHLD is ignored and the kernel did. The pidfd is the
	 * proof of its end. */
	if (watch_sentinel(pidfd, 0) <= 0)
		return 0;
	if (sys_pidfd_exit_status(pidfd, &ret_reaped->wait_status) == 0)
		ret_reaped->reaper = PIDRING_REAPED_ELSEWHERE;
	else
		ret_reaped->reaper = PIDRING_REAPED_UNKNOWN;
	return 1;
}
