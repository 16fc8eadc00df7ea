/* SPDX-License-Identifier: MIT */
/* Every check of where streams go, and of descriptors to pass. */
#include "options.h"

#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const stream_names[3] = { "stdin", "stdout", "stderr" };

void options_read_streams(struct stream_options ret_streams[3], const struct pidring_options *options)
{
	ret_streams[0] = (struct stream_options){ options->stdin_to, options->stdin_descriptor,
		                                  options->stdin_path, options->stdin_file };
	ret_streams[1] = (struct stream_options){ options->stdout_to, options->stdout_descriptor,
		                                  options->stdout_path, options->stdout_file };
	ret_streams[2] = (struct stream_options){ options->stderr_to, options->stderr_descriptor,
		                                  options->stderr_path, options->stderr_file };
}

static int check_place(const struct stream_options *stream, int number)
{
	const char *name = stream_names[number];

	if ((int)stream->to < PIDRING_STREAM_DEFAULT || stream->to > PIDRING_STREAM_TERMINAL)
		return explain(-EINVAL, "%s_to is %d, which is no place for a stream", name, (int)stream->to);
	if (stream->to == PIDRING_STREAM_STDOUT && number != STDERR_FILENO)
		return explain(-EINVAL, "%s_to is PIDRING_STREAM_STDOUT, which is for stderr only", name);
	if (stream->to == PIDRING_STREAM_MEMORY && number == STDIN_FILENO)
		return explain(-EINVAL, "%s_to is PIDRING_STREAM_MEMORY, which is for stdout and stderr",
		               name);
	return 0;
}

/* What cannot be read, or written, makes programs fail in odd ways. */
static bool suits(int flags, int number)
{
	return (flags & O_ACCMODE) != (number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int check_descriptor(const struct stream_options *stream, int number)
{
	const char *name = stream_names[number];

	if (stream->to != PIDRING_STREAM_DESCRIPTOR && stream->descriptor != 0)
		return explain(-EINVAL, "%s_descriptor is %d, but %s_to is not PIDRING_STREAM_DESCRIPTOR",
		               name, stream->descriptor, name);
	if (stream->to != PIDRING_STREAM_DESCRIPTOR)
		return 0;
	int flags = fcntl(stream->descriptor, F_GETFL);
	if (flags < 0)
		return explain(-EBADF, "%s_descriptor is %d, which is not open", name, stream->descriptor);
	if (!suits(flags, number))
		return explain(-EINVAL, "%s_descriptor is %d, which is open for %s only", name,
		               stream->descriptor, number == STDIN_FILENO ? "writing" : "reading");
	return 0;
}

static int check_path(const struct stream_options *stream, int number)
{
	const struct pidring_path *path = &stream->path;
	const char *name = stream_names[number];

	if (stream->to != PIDRING_STREAM_PATH && (path->name || path->flags || path->mode))
		return explain(-EINVAL, "%s_path is set, but %s_to is not PIDRING_STREAM_PATH", name, name);
	if (stream->to != PIDRING_STREAM_PATH)
		return 0;
	if (!path->name)
		return explain(-EINVAL, "%s_to is PIDRING_STREAM_PATH, but %s_path has no name", name, name);
	if (!*path->name)
		return explain(-EINVAL, "%s_path.name is an empty string", name);
	if (path->flags && !suits(path->flags, number))
		return explain(-EINVAL, "%s_path.flags open '%s' for %s only: %s or O_RDWR is missing", name,
		               path->name, number == STDIN_FILENO ? "writing" : "reading",
		               number == STDIN_FILENO ? "O_RDONLY" : "O_WRONLY");
	if (path->mode & ~(mode_t)07777)
		return explain(-EINVAL, "%s_path.mode is 0%o, which has more than permission bits", name,
		               (unsigned)path->mode);
	return 0;
}

static int check_file(const struct stream_options *stream, const char *name)
{
	if (stream->to != PIDRING_STREAM_FILE)
		return stream->file ? explain(-EINVAL, "%s_file is set, but %s_to is not PIDRING_STREAM_FILE",
		                              name, name)
		                    : 0;
	if (!stream->file)
		return explain(-EINVAL, "%s_to is PIDRING_STREAM_FILE, but %s_file is NULL", name, name);
	int descriptor = fileno(stream->file);
	if (descriptor < 0)
		return explain(-EBADF, "%s_file has no descriptor", name);
	if (fcntl(descriptor, F_GETFD) < 0)
		return explain(-EBADF, "%s_file has descriptor %d, which is not open", name, descriptor);
	return 0;
}

bool options_have_terminal(const struct pidring_options *options)
{
	return options->stdin_to == PIDRING_STREAM_TERMINAL ||
	       options->stdout_to == PIDRING_STREAM_TERMINAL || options->stderr_to == PIDRING_STREAM_TERMINAL;
}

/* What the terminal echoes and prints must be read by somebody. */
static int check_terminal(const struct pidring_options *options)
{
	if (!options_have_terminal(options) && (options->terminal_rows || options->terminal_columns))
		return explain(-EINVAL,
		               "terminal_rows is %u and terminal_columns %u, but no stream goes to a "
		               "PIDRING_STREAM_TERMINAL",
		               options->terminal_rows, options->terminal_columns);
	if (options->stdin_to == PIDRING_STREAM_TERMINAL && options->stdout_to != PIDRING_STREAM_TERMINAL &&
	    options->stderr_to != PIDRING_STREAM_TERMINAL)
		return explain(-EINVAL,
		               "stdin_to is PIDRING_STREAM_TERMINAL, but neither stdout_to nor stderr_to is: "
		               "nobody would read what the terminal shows");
	return 0;
}

int options_check_streams(const struct pidring_options *options)
{
	struct stream_options streams[3];
	int r = 0;

	options_read_streams(streams, options);
	for (int i = 0; i < 3 && r == 0; i++) {
		r = check_place(&streams[i], i);
		if (r == 0)
			r = check_descriptor(&streams[i], i);
		if (r == 0)
			r = check_path(&streams[i], i);
		if (r == 0)
			r = check_file(&streams[i], stream_names[i]);
	}
	return r < 0 ? r : check_terminal(options);
}

/* --- passed descriptors --- */

static int check_passed(const struct pidring_descriptor *passed, size_t index, rlim_t limit)
{
	int source = passed->source, target = passed->target;

	if (fcntl(source, F_GETFD) < 0)
		return explain(-EBADF, "descriptors[%zu].source is %d, which is not open", index, source);
	if (target == 0 && source <= STDERR_FILENO)
		return explain(-EINVAL,
		               "descriptors[%zu].target is 0, which means the number of its source, %d: "
		               "below 3 there "
		               "are stdin_to, stdout_to and stderr_to",
		               index, source);
	if (target != 0 && target <= STDERR_FILENO)
		return explain(-EINVAL, "descriptors[%zu].target is %d, which is not at least 3", index,
		               target);
	int number = target ? target : source;
	if ((rlim_t)number >= limit)
		return explain(
			-EINVAL,
			"descriptors[%zu]: its number in the child is %d, but the hard limit (RLIMIT_NOFILE) "
			"is %llu",
			index, number, (unsigned long long)limit);
	return 0;
}

static int compare_targets(const void *a, const void *b)
{
	const struct pidring_descriptor *left = a, *right = b;

	return left->target < right->target ? -1 : left->target > right->target;
}

struct pidring_descriptor *options_copy_descriptors(const struct pidring_options *options)
{
	size_t count = options->descriptor_count;
	struct pidring_descriptor *copy = calloc(count, sizeof *copy);

	if (!copy)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		copy[i] = options->descriptors[i];
		if (copy[i].target == 0)
			copy[i].target = copy[i].source;
	}
	qsort(copy, count, sizeof *copy, compare_targets);
	return copy;
}

static int check_targets(const struct pidring_options *options)
{
	struct pidring_descriptor *sorted = options_copy_descriptors(options);
	int r = 0;

	if (!sorted)
		return explain(-ENOMEM, "no memory for %zu descriptors", options->descriptor_count);
	for (size_t i = 0; i < options->descriptor_count && r == 0; i++) {
		if (i > 0 && sorted[i].target == sorted[i - 1].target)
			r = explain(-EINVAL, "descriptors: two of them have the target %d", sorted[i].target);
		else if (sorted[i].target == options->authkey_descriptor)
			r = explain(-EINVAL,
			            "authkey_descriptor is %d, which is a target of descriptors, too",
			            sorted[i].target);
	}
	free(sorted);
	return r;
}

int options_check_descriptors(const struct pidring_options *options)
{
	struct rlimit limit;

	if (options->descriptor_count == 0 && options->descriptors)
		return explain(-EINVAL, "descriptors is set, but descriptor_count is 0");
	if (options->descriptor_count == 0)
		return 0;
	if (!options->descriptors)
		return explain(-EINVAL, "descriptors is NULL, but descriptor_count is %zu",
		               options->descriptor_count);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return explain(-errno, "getrlimit: %s", strerror(errno));
	for (size_t i = 0; i < options->descriptor_count; i++) {
		int r = check_passed(&options->descriptors[i], i, limit.rlim_max);
		if (r < 0)
			return r;
	}
	return check_targets(options);
}
