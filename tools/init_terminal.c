/* SPDX-License-Identifier: MIT */
#include "init_terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "init_signals.h"

void init_terminal_open(struct init_terminal *terminal)
{
	terminal->descriptor = -1;
	for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
		pid_t group = tcgetpgrp(descriptor);

		if (group < 0)
			continue;
		/* The standard one may be replaced later. */
		terminal->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
		terminal->had_foreground = group == getpgrp();
		return;
	}
}

void init_terminal_give_up(struct init_terminal *terminal)
{
	static const int told[] = { SIGHUP, SIGCONT };
	sigset_t before;

	if (terminal->descriptor < 0)
		return;
	/* What somebody has sent before is not to be forgotten with what the kernel sends now. */
	sigpending(&before);
	ioctl(terminal->descriptor, TIOCNOTTY);
	if (getsid(0) == getpid())
		for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
			if (!sigismember(&before, told[i]))
				init_signals_forget(told[i]);
	close(terminal->descriptor);
	terminal->descriptor = -1;
}

bool init_terminal_is_ours(const struct init_terminal *terminal)
{
	return terminal->descriptor >= 0 && tcgetpgrp(terminal->descriptor) == getpgrp();
}

void init_terminal_give(const struct init_terminal *terminal, pid_t group)
{
	/* From the background, too: SIGTTOU is blocked. */
	tcsetpgrp(terminal->descriptor, group);
}

void init_terminal_take_back(const struct init_terminal *terminal, pid_t group)
{
	if (terminal->descriptor >= 0 && tcgetpgrp(terminal->descriptor) == group)
		tcsetpgrp(terminal->descriptor, getpgrp());
}

bool init_terminal_has_shell(void)
{
	pid_t parent = getppid();

	/* The kernel's own rule for a group that is not orphaned, of which this process is the only witness. */
	return parent > 1 && getsid(parent) == getsid(0) && getpgid(parent) != getpgrp();
}
