/* SPDX-License-Identifier: MIT */
/* Every check of every option, before anything is created. */
#include "options.h"

#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const stream_names[3] = { "stdin", "stdout", "stderr" };

/* One string of an argument list or environment, as the kernel limits it (MAX_ARG_STRLEN). */
enum { LONGEST_STRING = 128 * 1024 };

/* As clone3 treats clone_args: an older caller's struct is filled up with zeros, a newer one's may only have
 * zeros where we know nothing. */
static int read_struct(void *ret_ours, size_t our_size, size_t least_size, const void *given,
                       size_t given_size, const char *name)
{
	const unsigned char *bytes = given;

	if (given_size < least_size)
		return explain(-EINVAL,
		               "%s: size is %zu, the smallest known is %zu; set .size = sizeof(struct %s)",
		               name, given_size, least_size, name);
	for (size_t i = our_size; i < given_size; i++)
		if (bytes[i] != 0)
			return explain(-EINVAL, "%s: an option at offset %zu is newer than this library (%s)",
			               name, i, pidring_version());
	memset(ret_ours, 0, our_size);
	memcpy(ret_ours, given, given_size < our_size ? given_size : our_size);
	return 0;
}

int options_read(struct pidring_options *ret_options, const struct pidring_options *given)
{
	if (!given) {
		*ret_options = (struct pidring_options){ .size = sizeof *ret_options };
		return 0;
	}
	return read_struct(ret_options, sizeof *ret_options, sizeof *ret_options, given, given->size,
	                   "pidring_options");
}

enum { LEAST_OUTPUT_MEMORY = 128 * 1024, MOST_OUTPUT_MEMORY = 1024 * 1024 * 1024 };

int engine_options_read(struct pidring_engine_options *ret_options,
                        const struct pidring_engine_options *given)
{
	if (!given) {
		*ret_options = (struct pidring_engine_options){ .size = sizeof *ret_options };
		return 0;
	}
	int r = read_struct(ret_options, sizeof *ret_options, sizeof *ret_options, given, given->size,
	                    "pidring_engine_options");
	if (r < 0)
		return r;
	if (ret_options->output_memory != 0 && (ret_options->output_memory < LEAST_OUTPUT_MEMORY ||
	                                        ret_options->output_memory > MOST_OUTPUT_MEMORY))
		return explain(-EINVAL, "pidring_open: output_memory is %zu, not between 128 KiB and 1 GiB",
		               ret_options->output_memory);
	if ((int)ret_options->backend < PIDRING_BACKEND_AUTOMATIC ||
	    ret_options->backend > PIDRING_BACKEND_EPOLL)
		return explain(-EINVAL, "pidring_open: there is no backend %d", (int)ret_options->backend);
	return 0;
}

int stop_options_read(struct pidring_stop_options *ret_options, const struct pidring_stop_options *given)
{
	if (!given) {
		*ret_options = (struct pidring_stop_options){ .size = sizeof *ret_options };
		return 0;
	}
	int r = read_struct(ret_options, sizeof *ret_options, sizeof *ret_options, given, given->size,
	                    "pidring_stop_options");
	if (r < 0)
		return r;
	if (ret_options->steps && ret_options->step_count == 0)
		return explain(-EINVAL, "pidring_process_stop: steps is set, but step_count is 0");
	if (!ret_options->steps && ret_options->step_count > 0)
		return explain(-EINVAL, "pidring_process_stop: steps is NULL, but step_count is %zu",
		               ret_options->step_count);
	for (size_t i = 0; i < ret_options->step_count; i++) {
		const struct pidring_stop_step *step = &ret_options->steps[i];

		if (step->signal_number < 0 || step->signal_number > SYS_SIGNALS)
			return explain(-EINVAL, "steps[%zu].signal_number is %d, which is no signal", i,
			               step->signal_number);
		if (step->wait < 0)
			return explain(-EINVAL, "steps[%zu].wait is %lld, which is negative", i,
			               (long long)step->wait);
	}
	return 0;
}

int capture_options_read(struct pidring_capture_options *ret_options,
                         const struct pidring_capture_options *given)
{
	if (!given) {
		*ret_options = (struct pidring_capture_options){ .size = sizeof *ret_options };
		return 0;
	}
	return read_struct(ret_options, sizeof *ret_options, sizeof *ret_options, given, given->size,
	                   "pidring_capture_options");
}

int options_fill(void *ret_struct, const void *ours, size_t our_size, size_t least_size)
{
	size_t size = *(const size_t *)ret_struct;

	if (size < least_size)
		return explain(-EINVAL, "size is %zu, the smallest known is %zu; set .size before the call",
		               size, least_size);
	memcpy(ret_struct, ours, size < our_size ? size : our_size);
	*(size_t *)ret_struct = size;
	return 0;
}

static int check_string(const char *string, const char *option)
{
	if (strnlen(string, LONGEST_STRING) < LONGEST_STRING)
		return 0;
	return explain(-E2BIG, "%s: a string of 128 KiB or more, which the kernel does not take", option);
}

static int check_strings(const char *const *strings, const char *option)
{
	for (size_t i = 0; strings && strings[i]; i++) {
		int r = check_string(strings[i], option);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_target(const struct pidring_options *options)
{
	if (options->target && options->argv)
		return explain(-EINVAL, "target and argv are both set: a process has one target");
	if (!options->argv && options->program)
		return explain(-EINVAL, "program is '%s', but argv is not set", options->program);
	if (options->argv && !options->argv[0])
		return explain(-EINVAL, "argv is empty: its first string names the program");
	if (options->argv && !options->program && !*options->argv[0])
		return explain(-EINVAL, "argv[0] is an empty string: there is no program to run");
	if (options->program && !*options->program)
		return explain(-EINVAL, "program is an empty string");
	if (options->argument && !options->target)
		return explain(-EINVAL, "argument is set, but there is no target function that would get it");
	return check_strings(options->argv, "argv");
}

/* An option of one kind of target means nothing to the other; silence would hide a mistake. */
static int check_kind(const struct pidring_options *options)
{
	const struct {
		bool set;
		const char *name;
	} programs_only[] = {
		{ options->asynchronous, "asynchronous" },
		{ options->environment, "environment" },
		{ options->extra_environment, "extra_environment" },
		{ options->keep_descriptors, "keep_descriptors" },
		{ options->keep_signals, "keep_signals" },
		{ options->authkey_descriptor != 0, "authkey_descriptor" },
		{ options->report_exec, "report_exec" },
	};

	if (options->argv && (options->libc_fork || options->close_descriptors))
		return explain(-EINVAL, "%s is an option of function targets, but argv is set",
		               options->libc_fork ? "libc_fork" : "close_descriptors");
	for (size_t i = 0; !options->argv && i < sizeof programs_only / sizeof programs_only[0]; i++)
		if (programs_only[i].set)
			return explain(-EINVAL, "%s is an option of programs, but argv is not set",
			               programs_only[i].name);
	return 0;
}

static int check_environment(const char *const *environment, const char *option, bool may_remove)
{
	for (size_t i = 0; environment && environment[i]; i++) {
		const char *equals = strchr(environment[i], '=');

		if (equals == environment[i] || !*environment[i])
			return explain(-EINVAL, "%s[%zu] is '%s', which has no name", option, i,
			               environment[i]);
		if (!equals && !may_remove)
			return explain(-EINVAL, "%s[%zu] is '%s', which has no '='", option, i,
			               environment[i]);
	}
	return check_strings(environment, option);
}

/* --- streams --- */

/* What the options say of one stream. */
struct stream_options {
	enum pidring_stream to;
	int descriptor;
	struct pidring_path path;
	FILE *file;
};

static void read_streams(struct stream_options ret_streams[3], const struct pidring_options *options)
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

static bool has_terminal(const struct pidring_options *options)
{
	return options->stdin_to == PIDRING_STREAM_TERMINAL ||
	       options->stdout_to == PIDRING_STREAM_TERMINAL || options->stderr_to == PIDRING_STREAM_TERMINAL;
}

/* What the terminal echoes and prints must be read by somebody. */
static int check_terminal(const struct pidring_options *options)
{
	if (!has_terminal(options) && (options->terminal_rows || options->terminal_columns))
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

static int check_streams(const struct pidring_options *options)
{
	struct stream_options streams[3];
	int r = 0;

	read_streams(streams, options);
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

/* With all targets filled in, sorted by them. NULL: no memory. */
static struct pidring_descriptor *copy_descriptors(const struct pidring_options *options)
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
	struct pidring_descriptor *sorted = copy_descriptors(options);
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

static int check_descriptors(const struct pidring_options *options)
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

/* --- the end --- */

static int check_stop_steps(const struct pidring_options *options)
{
	if (options->stop_steps && options->stop_step_count == 0)
		return explain(-EINVAL, "stop_steps is set, but stop_step_count is 0");
	if (!options->stop_steps && options->stop_step_count > 0)
		return explain(-EINVAL, "stop_steps is NULL, but stop_step_count is %zu",
		               options->stop_step_count);
	for (size_t i = 0; i < options->stop_step_count; i++) {
		const struct pidring_stop_step *step = &options->stop_steps[i];
		if (step->signal_number < 0 || step->signal_number > SYS_SIGNALS)
			return explain(-EINVAL, "stop_steps[%zu].signal_number is %d, which is no signal", i,
			               step->signal_number);
		if (step->wait < 0)
			return explain(-EINVAL, "stop_steps[%zu].wait is %lld, which is negative", i,
			               (long long)step->wait);
	}
	return 0;
}

static int check_end(const struct pidring_options *options)
{
	if (options->drain < PIDRING_NONE)
		return explain(-EINVAL, "drain is %lld, which is negative and not PIDRING_NONE",
		               (long long)options->drain);
	if (options->deadline < 0)
		return explain(-EINVAL, "deadline is %lld, which is negative", (long long)options->deadline);
	if (options->stop_group && !options->new_group && !options->new_session && !has_terminal(options))
		return explain(
			-EINVAL,
			"stop_group is set, but the process leads no group: it needs new_group, new_session "
			"or a terminal");
	return check_stop_steps(options);
}

/* A larger number would be copied with everything below it, or run into the limit of descriptors. */
enum { HIGHEST_AUTHKEY_DESCRIPTOR = 255 };

static int check_numbers(const struct pidring_options *options)
{
	int descriptor = options->authkey_descriptor;

	if (options->daemon < PIDRING_NO || options->daemon > PIDRING_YES)
		return explain(-EINVAL, "daemon is %d, not PIDRING_INHERITED, PIDRING_YES or PIDRING_NO",
		               options->daemon);
	if (options->death_signal < PIDRING_NONE || options->death_signal > SYS_SIGNALS)
		return explain(-EINVAL, "death_signal is %d, which is no signal", options->death_signal);
	if (descriptor != 0 && (descriptor < 3 || descriptor > HIGHEST_AUTHKEY_DESCRIPTOR))
		return explain(-EINVAL, "authkey_descriptor is %d, not between 3 and %d", descriptor,
		               HIGHEST_AUTHKEY_DESCRIPTOR);
	if (options->umask & ~(mode_t)0777)
		return explain(-EINVAL, "umask is 0%o, which has more than permission bits",
		               (unsigned)options->umask);
	if (options->umask && !options->set_umask)
		return explain(-EINVAL, "umask is 0%o, but set_umask is not set", (unsigned)options->umask);
	return 0;
}

static int check_working_directory(const struct pidring_options *options)
{
	if (options->working_directory && !*options->working_directory)
		return explain(-EINVAL, "working_directory is an empty string");
	return 0;
}

int options_check(const struct pidring_options *options)
{
	int r = check_target(options);

	if (r == 0)
		r = check_kind(options);
	if (r == 0)
		r = check_environment(options->environment, "environment", false);
	if (r == 0)
		r = check_environment(options->extra_environment, "extra_environment", true);
	if (r == 0)
		r = check_working_directory(options);
	if (r == 0)
		r = check_numbers(options);
	if (r == 0)
		r = check_streams(options);
	if (r == 0)
		r = check_descriptors(options);
	if (r == 0)
		r = check_end(options);
	return r;
}

/* Pointers and bytes in one allocation. */
static char **copy_strings(const char *const *strings)
{
	size_t count = 0, bytes = 0;

	for (; strings[count]; count++)
		bytes += strlen(strings[count]) + 1;

	char **copy = malloc((count + 1) * sizeof *copy + bytes);
	if (!copy)
		return NULL;
	char *at = (char *)(copy + count + 1);
	for (size_t i = 0; i < count; i++) {
		copy[i] = at;
		at = stpcpy(at, strings[i]) + 1;
	}
	copy[count] = NULL;
	return copy;
}

static bool copy_string_option(char **ret_copy, const char *string)
{
	*ret_copy = string ? strdup(string) : NULL;
	return !string || *ret_copy;
}

static bool copy_strings_option(char ***ret_copy, const char *const *strings)
{
	*ret_copy = strings ? copy_strings(strings) : NULL;
	return !strings || *ret_copy;
}

static bool copy_streams(struct settings *settings, const struct pidring_options *options)
{
	struct stream_options streams[3];
	bool copied = true;

	read_streams(streams, options);
	for (int i = 0; i < 3; i++) {
		const struct pidring_path *path = &streams[i].path;
		int flags = i == STDIN_FILENO ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;

		settings->streams[i] = (struct stream_setting){
			.to = streams[i].to,
			.descriptor = streams[i].descriptor,
			.file = streams[i].file,
			.flags = path->flags ? path->flags : flags,
			.mode = path->mode ? path->mode : 0666,
		};
		copied &= copy_string_option(&settings->streams[i].path, path->name);
	}
	return copied;
}

static bool copy_stop_steps(struct settings *settings, const struct pidring_options *options)
{
	size_t count = options->stop_step_count;

	settings->stop_step_count = count;
	if (count == 0)
		return true;
	settings->stop_steps = calloc(count, sizeof *settings->stop_steps);
	if (settings->stop_steps)
		memcpy(settings->stop_steps, options->stop_steps, count * sizeof *settings->stop_steps);
	return settings->stop_steps;
}

static bool copy_passed(struct settings *settings, const struct pidring_options *options)
{
	settings->descriptor_count = options->descriptor_count;
	if (options->descriptor_count > 0)
		settings->descriptors = copy_descriptors(options);
	return options->descriptor_count == 0 || settings->descriptors;
}

/* What is no pointer to copy. */
static struct settings plain_settings(const struct pidring_options *options)
{
	return (struct settings){
		.target = options->target,
		.argument = options->argument,
		.terminal_rows = options->terminal_rows ? options->terminal_rows : 24,
		.terminal_columns = options->terminal_columns ? options->terminal_columns : 80,
		.authkey_descriptor = options->authkey_descriptor,
		.death_signal = options->death_signal,
		.asynchronous = options->asynchronous,
		.libc_fork = options->libc_fork,
		.keep_descriptors = options->keep_descriptors,
		.close_descriptors = options->close_descriptors,
		.keep_signals = options->keep_signals,
		.new_session = options->new_session,
		.new_group = options->new_group,
		.set_umask = options->set_umask,
		.umask = options->umask,
		.input_limit = options->input_limit,
		.drain = options->drain,
		.deadline = options->deadline,
		.stop_group = options->stop_group,
		.report_stops = options->report_stops,
		.report_exec = options->report_exec,
	};
}

int settings_new(struct settings **ret_settings, const struct pidring_options *options)
{
	struct settings *settings = malloc(sizeof *settings);
	const char *program = options->program ? options->program : options->argv ? options->argv[0] : NULL;

	if (!settings)
		return explain(-ENOMEM, "no memory for the options of a process");
	*settings = plain_settings(options);
	bool copied = copy_string_option(&settings->program, program) &&
	              copy_string_option(&settings->working_directory, options->working_directory) &&
	              copy_strings_option(&settings->argv, options->argv) &&
	              copy_strings_option(&settings->environment, options->environment) &&
	              copy_strings_option(&settings->extra_environment, options->extra_environment) &&
	              copy_streams(settings, options) && copy_passed(settings, options) &&
	              copy_stop_steps(settings, options);
	if (!copied) {
		settings_free(settings);
		return explain(-ENOMEM, "no memory for the options of a process");
	}
	*ret_settings = settings;
	return 0;
}

bool settings_engine_has(const struct settings *settings, int stream)
{
	enum pidring_stream to = settings->streams[stream].to;

	return to == PIDRING_STREAM_PIPE || to == PIDRING_STREAM_TERMINAL;
}

int settings_terminal(const struct settings *settings)
{
	for (int i = 0; i < 3; i++)
		if (settings->streams[i].to == PIDRING_STREAM_TERMINAL)
			return i;
	return -1;
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	free(settings->program);
	free(settings->working_directory);
	free(settings->argv);
	free(settings->environment);
	free(settings->extra_environment);
	for (int i = 0; i < 3; i++)
		free(settings->streams[i].path);
	free(settings->descriptors);
	free(settings->stop_steps);
	free(settings);
}
