/* SPDX-License-Identifier: MIT */
#include "init_release.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "init_say.h"

/* Where to stop looking without /proc. */
#define MOST_DESCRIPTORS 65536

/* Everything of our own is close-on-exec, and nothing that was inherited can be. */
static void close_inherited(int descriptor)
{
	int flags = fcntl(descriptor, F_GETFD);

	if (descriptor > STDERR_FILENO && flags >= 0 && !(flags & FD_CLOEXEC))
		close(descriptor);
}

static void close_all_inherited(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!directory) {
		for (int descriptor = 3; descriptor < MOST_DESCRIPTORS; descriptor++)
			close_inherited(descriptor);
		return;
	}
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			close_inherited(atoi(entry->d_name));
	closedir(directory);
}

/* A pipe whose program has closed it must be closed. Without /dev/null it stays open. */
static void release_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
}

void init_release(void)
{
	if (chdir("/") < 0)
		init_say(INIT_WARNING, "cannot leave the working directory");
	close_all_inherited();
	release_streams();
}
