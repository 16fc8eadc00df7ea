/* SPDX-License-Identifier: MIT */
#include "init_signals.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "init_values.h"

/* What the kernel takes for a set. */
#define KERNEL_SET_SIZE (INIT_SIGNALS / 8)

/* libc keeps two real-time signals for itself: it neither blocks them nor lets them be named. It uses them between
 * threads, of which there is one here, and anybody else may send them. So the kernel is asked directly. */
static void change_mask(int how, const uint64_t *set, sigset_t *ret_before)
{
	sigemptyset(ret_before);
	syscall(SYS_rt_sigprocmask, how, set, ret_before, KERNEL_SET_SIZE);
}

static uint64_t bit(int signal_number)
{
	return UINT64_C(1) << (signal_number - 1);
}

static bool is_ignored(int signal_number)
{
	struct sigaction action;

	return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void note_ignored(sigset_t *ret_ignored)
{
	sigemptyset(ret_ignored);
	for (int number = 1; number <= INIT_SIGNALS; number++)
		if (is_ignored(number))
			sigaddset(ret_ignored, number);
}

void init_signals_hold(struct init_signals *signals)
{
	const uint64_t all = ~UINT64_C(0);

	signals->descriptor = -1;
	change_mask(SIG_BLOCK, &all, &signals->mask);
	if (!is_ignored(SIGCHLD))
		return;
	/* If it stayed so, the kernel would reap in our place and tell nobody. */
	note_ignored(&signals->ignored);
	signals->child_ignored = true;
	signal(SIGCHLD, SIG_DFL);
}

int init_signals_open(struct init_signals *signals)
{
	/* That one is the engine's. */
	const uint64_t read = ~bit(SIGCHLD);
	sigset_t set;

	sigemptyset(&set);
	memcpy(&set, &read, sizeof(read));
	signals->descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals->descriptor < 0 ? -errno : 0;
}

int init_signals_read(const struct init_signals *signals, bool *ret_by_kernel)
{
	struct signalfd_siginfo information;

	if (read(signals->descriptor, &information, sizeof(information)) != (ssize_t)sizeof(information))
		return 0;
	*ret_by_kernel = information.ssi_code == SI_KERNEL;
	return (int)information.ssi_signo;
}

void init_signals_forget(int signal_number)
{
	const struct timespec at_once = { 0 };
	sigset_t only;

	sigemptyset(&only);
	sigaddset(&only, signal_number);
	sigtimedwait(&only, NULL, &at_once);
}
