/* SPDX-License-Identifier: MIT */
/* Every check of every option, before anything is created. */
#include "options.h"

#include "confine/cgroup.h"
#include "confine/confinement.h"
#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

enum { MOST_SERVERS = 64, MOST_PARKED = 4096 };
enum { LEAST_OUTPUT_MEMORY = 128 * 1024, MOST_OUTPUT_MEMORY = 1024 * 1024 * 1024 };

static int check_forkserver(const struct pidring_engine_options *options)
{
	if (options->servers > MOST_SERVERS)
		return explain(-EINVAL, "pidring_open: servers is %u, more than %d", options->servers,
		               MOST_SERVERS);
	if (options->parked > MOST_PARKED)
		return explain(-EINVAL, "pidring_open: parked is %u, more than %d", options->parked,
		               MOST_PARKED);
	if (options->parked_low > options->parked)
		return explain(-EINVAL, "pidring_open: parked_low is %u, but parked is %u",
		               options->parked_low, options->parked);
	if (options->preload_argument && !options->preload)
		return explain(-EINVAL, "pidring_open: preload_argument is set, but preload is not");
	return 0;
}

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
	return check_forkserver(ret_options);
}

static int check_steps(const struct pidring_stop_step *steps, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (steps[i].signal_number < 0 || steps[i].signal_number > SYS_SIGNALS)
			return explain(-EINVAL, "%s[%zu].signal_number is %d, which is no signal", name, i,
			               steps[i].signal_number);
		if (steps[i].wait < 0)
			return explain(-EINVAL, "%s[%zu].wait is %lld, which is negative", name, i,
			               (long long)steps[i].wait);
	}
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
	return check_steps(ret_options->steps, ret_options->step_count, "steps");
}

int confinement_read(struct pidring_confinement *ret_read, const struct pidring_confinement *given)
{
	return read_struct(ret_read, sizeof *ret_read, sizeof *ret_read, given, given->size,
	                   "pidring_confinement");
}

static bool is_name(const char *text, size_t length)
{
	return length > 0 && strncmp(text, ".", length) != 0 && strncmp(text, "..", length) != 0;
}

/* From one slash on: names with one slash between them, and perhaps one at the end. An empty one would begin at the root of
 * the file system. */
static bool is_plain_path(const char *path)
{
	while (*path == '/' && path[1]) {
		size_t length = strcspn(path + 1, "/");
		if (!is_name(path + 1, length))
			return false;
		path += 1 + length;
	}
	return *path == 0 || path[1] == 0;
}

static int check_cgroup_place(const struct pidring_cgroup_options *options)
{
	const char *name = options->name, *parent = options->parent;

	if (name && (!*name || *name == '.' || strchr(name, '/')))
		return explain(-EINVAL, "'%s' is no name for a control group", name);
	if (parent && (*parent != '/' || !is_plain_path(parent)))
		return explain(-EINVAL, "the parent '%s' is no path from the mount of the control groups on",
		               parent);
	return 0;
}

static int check_cgroup_files(const struct pidring_cgroup_options *options)
{
	if (!options->files && options->file_count > 0)
		return explain(-EINVAL, "files is NULL, but file_count is %zu", options->file_count);
	for (size_t i = 0; i < options->file_count; i++) {
		int r = cgroup_check_name(options->files[i].name);
		if (r < 0)
			return r;
		if (!options->files[i].value)
			return explain(-EINVAL, "the value for '%s' is NULL", options->files[i].name);
	}
	return 0;
}

int cgroup_options_read(struct pidring_cgroup_options *ret_options,
                        const struct pidring_cgroup_options *given)
{
	if (!given) {
		*ret_options = (struct pidring_cgroup_options){ .size = sizeof *ret_options };
		return 0;
	}
	int r = read_struct(ret_options, sizeof *ret_options, sizeof *ret_options, given, given->size,
	                    "pidring_cgroup_options");
	if (r == 0)
		r = check_cgroup_place(ret_options);
	return r < 0 ? r : check_cgroup_files(ret_options);
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

static int check_argument(const struct pidring_options *options)
{
	if (options->argument_length > 0 && !options->argument)
		return explain(-EINVAL, "argument_length is %zu, but argument is NULL",
		               options->argument_length);
	if (options->argument_length > PIDRING_ARGUMENT_MAX)
		return explain(-E2BIG, "argument_length is %zu, which is more than %d",
		               options->argument_length, PIDRING_ARGUMENT_MAX);
	if (options->start_method == PIDRING_FORKSERVER && options->argument && options->argument_length == 0)
		return explain(-EINVAL, "argument is a pointer, which means nothing to a child of a "
		                        "forkserver, as argument_length is 0");
	return 0;
}

static int check_start_method(const struct pidring_options *options)
{
	enum pidring_start_method method = options->start_method;

	if ((int)method < PIDRING_START_DEFAULT || method > PIDRING_FORKSERVER)
		return explain(-EINVAL, "there is no start_method %d", (int)method);
	if (method == PIDRING_FORK && options->argv)
		return explain(-EINVAL, "start_method is PIDRING_FORK, but argv is set: a program is started "
		                        "by PIDRING_EXEC or PIDRING_FORKSERVER");
	if (method == PIDRING_EXEC && !options->argv)
		return explain(-EINVAL, "start_method is PIDRING_EXEC, but argv is not set");
	if (method == PIDRING_FORKSERVER && options->libc_fork)
		return explain(-EINVAL, "libc_fork is set, but start_method is PIDRING_FORKSERVER");
	return 0;
}

/* An option of one kind of target means nothing to the other; silence would hide a mistake. */
static int check_kind(const struct pidring_options *options)
{
	const struct {
		bool set;
		const char *name;
	} programs_only[] = {
		{ options->environment, "environment" },
		{ options->extra_environment, "extra_environment" },
		{ options->keep_descriptors, "keep_descriptors" },
		{ options->keep_signals, "keep_signals" },
		{ options->signal_mask, "signal_mask" },
		{ options->ignored_signals, "ignored_signals" },
		{ options->authkey_descriptor != 0, "authkey_descriptor" },
		{ options->report_exec, "report_exec" },
	};

	if (options->foreground && !options->new_group && !options->new_session)
		return explain(-EINVAL, "foreground is set, but neither new_group nor new_session");
	if (options->argv && (options->libc_fork || options->close_descriptors))
		return explain(-EINVAL, "%s is an option of function targets, but argv is set",
		               options->libc_fork ? "libc_fork" : "close_descriptors");
	if (!options->argv && options->asynchronous && options->start_method != PIDRING_FORKSERVER)
		return explain(-EINVAL, "asynchronous is set for a function, but start_method is not "
		                        "PIDRING_FORKSERVER");
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

/* --- the end --- */

static int check_stop_steps(const struct pidring_options *options)
{
	if (options->stop_steps && options->stop_step_count == 0)
		return explain(-EINVAL, "stop_steps is set, but stop_step_count is 0");
	if (!options->stop_steps && options->stop_step_count > 0)
		return explain(-EINVAL, "stop_steps is NULL, but stop_step_count is %zu",
		               options->stop_step_count);
	return check_steps(options->stop_steps, options->stop_step_count, "stop_steps");
}

static int check_end(const struct pidring_options *options)
{
	if (options->drain < PIDRING_NONE)
		return explain(-EINVAL, "drain is %lld, which is negative and not PIDRING_NONE",
		               (long long)options->drain);
	if (options->deadline < 0)
		return explain(-EINVAL, "deadline is %lld, which is negative", (long long)options->deadline);
	if (options->stop_group && !options->new_group && !options->new_session &&
	    !options_have_terminal(options))
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
		r = check_argument(options);
	if (r == 0)
		r = check_start_method(options);
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
		r = options_check_streams(options);
	if (r == 0)
		r = options_check_descriptors(options);
	if (r == 0)
		r = check_end(options);
	if (r == 0)
		r = confinement_check(options);
	return r;
}
