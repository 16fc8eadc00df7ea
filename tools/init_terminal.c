/* SPDX-License-Identifier: MIT */
#include "init_terminal.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "init_signals.h"

static void closep(FILE **file)
{
	if (*file)
		fclose(*file);
}

static void closedirp(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

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

/* Whether somebody else is in the group of this process: another part of its pipeline, or the script that runs it. Without
 * /proc nobody is known. */
static bool is_alone(void)
{
	__attribute__((cleanup(closedirp))) DIR *directory = opendir("/proc");
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && getpgid(pid) == getpgrp())
			return false;
	}
	return true;
}

bool init_terminal_may_be_given(const struct init_terminal *terminal)
{
	pid_t group;

	if (terminal->descriptor < 0 || !terminal->had_foreground)
		return false;
	group = tcgetpgrp(terminal->descriptor);
	return (tcgetpgrp(STDIN_FILENO) == group && tcgetpgrp(STDOUT_FILENO) == group) || is_alone();
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

void init_terminal_give(struct init_terminal *terminal, pid_t group)
{
	terminal->given = true;
	/* From the background, too: SIGTTOU is blocked. */
	tcsetpgrp(terminal->descriptor, group);
}

void init_terminal_take_back(const struct init_terminal *terminal, pid_t group)
{
	if (terminal->descriptor >= 0 && tcgetpgrp(terminal->descriptor) == group)
		tcsetpgrp(terminal->descriptor, getpgrp());
}

/* 0: not known. Not by sscanf(3), which brings much of libc into a static program. */
static pid_t parent_of(pid_t pid)
{
	__attribute__((cleanup(closep))) FILE *file = NULL;
	char text[512], *end;

	snprintf(text, sizeof(text), "/proc/%d/stat", (int)pid);
	file = fopen(text, "re");
	if (!file || !fgets(text, sizeof(text), file))
		return 0;
	/* A name may have anything in it, but nothing after it has a parenthesis. After that: ") S 123". */
	end = strrchr(text, ')');
	/* cppcheck-suppress resourceLeak ; its cleanup closes it */
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

bool init_terminal_has_shell(void)
{
	/* The kernel's own rule for a group that is not orphaned. Those of the group between a shell and this process, such as a
	 * script that waits for it, are its witnesses, too. */
	for (pid_t above = getppid(); above > 1 && getsid(above) == getsid(0); above = parent_of(above))
		if (getpgid(above) != getpgrp())
			return true;
	return false;
}
