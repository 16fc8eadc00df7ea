/* SPDX-License-Identifier: MIT */
#include "init_release.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "init_say.h"

/* Each of our own descriptors has got the lowest number that was free. So many free ones in a row are not between two of
 * them: fewer have been closed again. */
#define FREE_IN_A_ROW 64
/* Where to stop without close_range(2). */
#define MOST_DESCRIPTORS 65536

/* Everything of our own is close-on-exec, and nothing that was inherited can be. Whether there was anything. */
static int close_if_inherited(unsigned descriptor)
{
	int flags = fcntl((int)descriptor, F_GETFD);

	if (flags >= 0 && !(flags & FD_CLOEXEC))
		close((int)descriptor);
	return flags >= 0;
}

/* One call tells which of them are open; if it may not be asked for so many, each is asked by itself. */
static int close_inherited_from(unsigned first)
{
	struct pollfd items[FREE_IN_A_ROW];
	int found = 0;

	for (unsigned i = 0; i < FREE_IN_A_ROW; i++)
		items[i] = (struct pollfd){ .fd = (int)(first + i) };
	int asked = poll(items, FREE_IN_A_ROW, 0) >= 0;
	for (unsigned i = 0; i < FREE_IN_A_ROW; i++)
		if (!asked || !(items[i].revents & POLLNVAL))
			found |= close_if_inherited(first + i);
	return found;
}

static void close_inherited(void)
{
	unsigned descriptor = STDERR_FILENO + 1;

	while (close_inherited_from(descriptor))
		descriptor += FREE_IN_A_ROW;
	if (close_range(descriptor, ~0U, 0) == 0)
		return;
	/* Before Linux 5.9, and where it is forbidden. */
	for (; descriptor < MOST_DESCRIPTORS; descriptor++)
		close((int)descriptor);
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

void init_release_occupy(void)
{
	int descriptor;

	do {
		descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
		/* Without it, something that can neither be read nor written. */
		if (descriptor < 0)
			descriptor = open("/", O_PATH | O_CLOEXEC);
	} while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	if (descriptor >= 0)
		close(descriptor);
}

void init_release(void)
{
	if (chdir("/") < 0)
		init_say(INIT_WARNING, "cannot leave the working directory");
	close_inherited();
	release_streams();
}
