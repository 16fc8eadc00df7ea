/* SPDX-License-Identifier: MIT */
/* Every check of every option, before anything is created. */
#include "options.h"

#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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
	if ((int)ret_options->backend < PIDRING_BACKEND_AUTOMATIC ||
	    ret_options->backend > PIDRING_BACKEND_EPOLL)
		return explain(-EINVAL, "pidring_open: there is no backend %d", (int)ret_options->backend);
	return 0;
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
	};

	if (options->argv && options->libc_fork)
		return explain(-EINVAL, "libc_fork is an option of function targets, but argv is set");
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

static int check_stream(enum pidring_stream to, int descriptor, const char *name)
{
	if ((int)to < PIDRING_STREAM_DEFAULT || to > PIDRING_STREAM_DESCRIPTOR)
		return explain(-EINVAL, "%s_to is %d, which is no place for a stream", name, (int)to);
	if (to != PIDRING_STREAM_DESCRIPTOR && descriptor != 0)
		return explain(-EINVAL, "%s_descriptor is %d, but %s_to is not PIDRING_STREAM_DESCRIPTOR",
		               name, descriptor, name);
	if (to == PIDRING_STREAM_DESCRIPTOR && fcntl(descriptor, F_GETFD) < 0)
		return explain(-EBADF, "%s_descriptor is %d, which is not open", name, descriptor);
	return 0;
}

static int check_streams(const struct pidring_options *options)
{
	int r = check_stream(options->stdin_to, options->stdin_descriptor, "stdin");

	if (r == 0)
		r = check_stream(options->stdout_to, options->stdout_descriptor, "stdout");
	if (r == 0)
		r = check_stream(options->stderr_to, options->stderr_descriptor, "stderr");
	return r;
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

int settings_new(struct settings **ret_settings, const struct pidring_options *options)
{
	struct settings *settings = calloc(1, sizeof *settings);
	const char *program = options->program ? options->program : options->argv ? options->argv[0] : NULL;

	if (!settings)
		return explain(-ENOMEM, "no memory for the options of a process");
	settings->target = options->target;
	settings->argument = options->argument;
	settings->streams[0] = (struct stream_setting){ options->stdin_to, options->stdin_descriptor };
	settings->streams[1] = (struct stream_setting){ options->stdout_to, options->stdout_descriptor };
	settings->streams[2] = (struct stream_setting){ options->stderr_to, options->stderr_descriptor };
	settings->authkey_descriptor = options->authkey_descriptor;
	settings->death_signal = options->death_signal;
	settings->asynchronous = options->asynchronous;
	settings->libc_fork = options->libc_fork;
	settings->keep_descriptors = options->keep_descriptors;
	settings->keep_signals = options->keep_signals;
	settings->new_session = options->new_session;
	settings->new_group = options->new_group;
	settings->set_umask = options->set_umask;
	settings->umask = options->umask;

	bool copied = copy_string_option(&settings->program, program) &&
	              copy_string_option(&settings->working_directory, options->working_directory) &&
	              copy_strings_option(&settings->argv, options->argv) &&
	              copy_strings_option(&settings->environment, options->environment) &&
	              copy_strings_option(&settings->extra_environment, options->extra_environment);
	if (!copied) {
		settings_free(settings);
		return explain(-ENOMEM, "no memory for the options of a process");
	}
	*ret_settings = settings;
	return 0;
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
	free(settings);
}
