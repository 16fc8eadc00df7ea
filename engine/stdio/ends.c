/* SPDX-License-Identifier: MIT */
#include "stdio/ends.h"

#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* The same for libc's calls. */
static int above_streams(int descriptor)
{
	return descriptor < 0 ? -errno : sys_above_streams(descriptor);
}

static void close_all(int descriptors[3])
{
	for (int i = 0; i < 3; i++) {
		if (descriptors[i] >= 0)
			close(descriptors[i]);
		descriptors[i] = -1;
	}
}

void stream_ends_close_child(struct stream_ends *ends)
{
	close_all(ends->child);
}

void stream_ends_close_own(struct stream_ends *ends)
{
	close_all(ends->own);
}

bool stream_ends_has_own(const struct stream_ends *ends)
{
	return ends->own[0] >= 0 || ends->own[1] >= 0 || ends->own[2] >= 0;
}

/* --- files and paths --- */

static int flush_file(const struct settings *settings, int stream)
{
	if (stream == STDIN_FILENO || fflush(settings->streams[stream].file) == 0)
		return 0;
	return explain(-errno, "cannot flush %s_file: %s", stream_names[stream], strerror(errno));
}

static int open_path(struct stream_ends *ends, const struct settings *settings, int stream)
{
	const struct stream_setting *setting = &settings->streams[stream];
	int opened = above_streams(open(setting->path, setting->flags | O_CLOEXEC | O_NOCTTY, setting->mode));

	if (opened < 0)
		return explain(opened, "cannot open '%s' for %s: %s", setting->path, stream_names[stream],
		               strerror(-opened));
	ends->child[stream] = opened;
	return 0;
}

int stream_ends_open_paths(struct stream_ends *ends, const struct settings *settings)
{
	int r = 0;

	*ends = STREAM_ENDS_NONE;
	for (int i = 0; i < 3 && r == 0; i++) {
		if (settings->streams[i].to == PIDRING_STREAM_FILE)
			r = flush_file(settings, i);
		else if (settings->streams[i].to == PIDRING_STREAM_PATH)
			r = open_path(ends, settings, i);
	}
	return r;
}

/* --- pipes and memory --- */

static int open_pipe(struct stream_ends *ends, int stream)
{
	int both[2];

	if (pipe2(both, O_CLOEXEC) < 0)
		return -errno;
	int reading = above_streams(both[0]), writing = above_streams(both[1]);
	bool child_reads = stream == STDIN_FILENO;
	ends->child[stream] = child_reads ? reading : writing;
	ends->own[stream] = child_reads ? writing : reading;
	if (reading < 0)
		return reading;
	return writing < 0 ? writing : 0;
}

static int open_memfd(const char *name)
{
	int memfd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	/* Before Linux 6.3. */
	if (memfd < 0 && errno == EINVAL)
		memfd = memfd_create(name, MFD_CLOEXEC);
	return above_streams(memfd);
}

static int open_memory(struct stream_ends *ends, int stream)
{
	int memfd = open_memfd(stream == STDOUT_FILENO ? "pidring-stdout" : "pidring-stderr");

	if (memfd < 0)
		return memfd;
	ends->own[stream] = memfd;
	ends->child[stream] = above_streams(fcntl(memfd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
	return ends->child[stream] < 0 ? ends->child[stream] : 0;
}

/* --- the terminal --- */

/* Before Linux 4.13 the peer has to be opened by its name. */
static int open_peer(int master)
{
	char name[64];
	int peer = sys_terminal_peer(master, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (peer >= 0)
		return above_streams(peer);
	int r = ptsname_r(master, name, sizeof name);
	return r != 0 ? -r : above_streams(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

static int set_up_terminal(int master, const struct settings *settings)
{
	struct winsize size = { .ws_row = settings->terminal_rows, .ws_col = settings->terminal_columns };
	int flags = fcntl(master, F_GETFL);

	if (unlockpt(master) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0 || flags < 0 ||
	    fcntl(master, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int open_terminal(struct stream_ends *ends, const struct settings *settings)
{
	int first = settings_terminal(settings);
	int output = settings->streams[STDOUT_FILENO].to == PIDRING_STREAM_TERMINAL ? STDOUT_FILENO
	                                                                            : STDERR_FILENO;
	int master = above_streams(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));

	if (master < 0)
		return master;
	ends->own[output] = master;
	int r = set_up_terminal(master, settings);
	if (r < 0)
		return r;
	ends->child[first] = open_peer(master);
	if (ends->child[first] < 0)
		return ends->child[first];
	if (first == STDIN_FILENO)
		ends->own[STDIN_FILENO] = above_streams(fcntl(master, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
	return first == STDIN_FILENO && ends->own[first] < 0 ? ends->own[first] : 0;
}

/* --- all --- */

static int open_stream(struct stream_ends *ends, const struct settings *settings, int stream)
{
	int r = 0;

	switch (settings->streams[stream].to) {
	case PIDRING_STREAM_PIPE:
	case PIDRING_STREAM_RAW_PIPE:
		r = open_pipe(ends, stream);
		return r < 0 ? explain(r, "no pipe for %s: %s", stream_names[stream], strerror(-r)) : 0;
	case PIDRING_STREAM_MEMORY:
		r = open_memory(ends, stream);
		return r < 0 ? explain(r, "no memfd for %s: %s", stream_names[stream], strerror(-r)) : 0;
	case PIDRING_STREAM_TERMINAL:
		if (stream == settings_terminal(settings))
			r = open_terminal(ends, settings);
		return r < 0 ? explain(r, "no terminal for %s: %s", stream_names[stream], strerror(-r)) : 0;
	default:
		return 0;
	}
}

int stream_ends_open(struct stream_ends *ends, const struct settings *settings)
{
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++)
		r = open_stream(ends, settings, i);
	return r;
}
