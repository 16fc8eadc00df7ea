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

/* One call tells which of them are open, as nothing can be asked of a closed one. 0 where so many may not be asked for. */
static int look(struct pollfd items[FREE_IN_A_ROW], unsigned first)
{
	for (unsigned i = 0; i < FREE_IN_A_ROW; i++)
		items[i] = (struct pollfd){ .fd = (int)(first + i) };
	return poll(items, FREE_IN_A_ROW, 0) >= 0;
}

static bool is_open(const struct pollfd *item)
{
	return !(item->revents & POLLNVAL);
}

/* Everything of our own is close-on-exec, and nothing that was inherited can be. Whether there was anything. */
static int close_if_inherited(unsigned descriptor)
{
	int flags = fcntl((int)descriptor, F_GETFD);

	if (flags >= 0 && !(flags & FD_CLOEXEC))
		close((int)descriptor);
	return flags >= 0;
}

static int close_inherited_from(unsigned first)
{
	struct pollfd items[FREE_IN_A_ROW];
	int asked = look(items, first), found = 0;

	for (unsigned i = 0; i < FREE_IN_A_ROW; i++)
		if (!asked || is_open(&items[i]))
			found |= close_if_inherited(first + i);
	return found;
}

static void close_inherited(bool has_low)
{
	unsigned descriptor = STDERR_FILENO + 1;

	if (!has_low)
		descriptor += FREE_IN_A_ROW;
	while (has_low && close_inherited_from(descriptor))
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

static void occupy_streams(void)
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

/* Most are given the three streams and nothing else, and that is soon known. */
void init_release_prepare(struct init_inheritance *inheritance)
{
	struct pollfd items[FREE_IN_A_ROW];

	for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
		if (fcntl(stream, F_GETFD) < 0)
			occupy_streams();
	inheritance->has_low = !look(items, STDERR_FILENO + 1);
	for (unsigned i = 0; i < FREE_IN_A_ROW; i++)
		inheritance->has_low |= is_open(&items[i]);
}

void init_release(const struct init_inheritance *inheritance)
{
	if (chdir("/") < 0)
		init_say(INIT_WARNING, "cannot leave the working directory");
	close_inherited(inheritance->has_low);
	release_streams();
}
