/* SPDX-License-Identifier: MIT */
/* A process's own copy of what its options say, after they were checked. */
#include "options.h"

#include "confine/confinement.h"
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

	options_read_streams(streams, options);
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
		settings->descriptors = options_copy_descriptors(options);
	return options->descriptor_count == 0 || settings->descriptors;
}

/* A zero follows. */
static bool copy_argument(struct settings *settings, const struct pidring_options *options)
{
	settings->argument_length = options->argument_length;
	if (options->argument_length == 0)
		return true;
	settings->argument = calloc(1, options->argument_length + 1);
	if (settings->argument)
		memcpy(settings->argument, options->argument, options->argument_length);
	return settings->argument;
}

static enum pidring_start_method start_method_of(const struct pidring_options *options)
{
	if (options->start_method != PIDRING_START_DEFAULT)
		return options->start_method;
	return options->argv ? PIDRING_EXEC : PIDRING_FORK;
}

/* libc's set is larger than the kernel's, and begins with it. */
static sys_signal_set read_set(const sigset_t *set)
{
	sys_signal_set read = 0;

	if (set)
		memcpy(&read, set, sizeof read);
	return read;
}

/* What is no pointer to copy. */
static struct settings plain_settings(const struct pidring_options *options)
{
	return (struct settings){
		.start_method = start_method_of(options),
		.target = options->target,
		.argument = options->argument,
		.terminal_rows = options->terminal_rows ? options->terminal_rows : 24,
		.terminal_columns = options->terminal_columns ? options->terminal_columns : 80,
		.authkey_descriptor = options->authkey_descriptor,
		.death_signal = options->death_signal,
		.asynchronous = options->asynchronous,
		.libc_fork = options->libc_fork,
		.keep_descriptors = options->keep_descriptors,
		/* Whether a server or this process bears it. */
		.close_descriptors = options->close_descriptors ||
		                     (!options->argv && options->start_method == PIDRING_FORKSERVER),
		.keep_signals = options->keep_signals,
		.new_session = options->new_session,
		.new_group = options->new_group,
		.foreground = options->foreground,
		.cgroup = options->cgroup,
		.given_mask = options->signal_mask,
		.given_ignored = options->ignored_signals,
		.signal_mask = read_set(options->signal_mask),
		.ignored_signals = read_set(options->ignored_signals),
		.set_umask = options->set_umask,
		.umask = options->umask,
		.input_limit = options->input_limit,
		.drain = options->drain,
		.deadline = options->deadline,
		.stop_group = options->stop_group,
		.stop_tree = options->stop_tree,
		.report_stops = options->report_stops,
		.report_exec = options->report_exec,
	};
}

static int copy_confinement(struct settings *settings, const struct pidring_options *options)
{
	return options->confinement ? confinement_new(&settings->confinement, options->confinement) : 0;
}

int settings_new(struct settings **ret_settings, const struct pidring_options *options)
{
	struct settings *settings = malloc(sizeof *settings);
	const char *program = options->program ? options->program : options->argv ? options->argv[0] : NULL;

	if (!settings)
		return explain(-ENOMEM, "no memory for the options of a process");
	*settings = plain_settings(options);
	bool copied = copy_argument(settings, options) && copy_string_option(&settings->program, program) &&
	              copy_string_option(&settings->working_directory, options->working_directory) &&
	              copy_strings_option(&settings->argv, options->argv) &&
	              copy_strings_option(&settings->environment, options->environment) &&
	              copy_strings_option(&settings->extra_environment, options->extra_environment) &&
	              copy_streams(settings, options) && copy_passed(settings, options) &&
	              copy_stop_steps(settings, options);
	int r = copied ? copy_confinement(settings, options)
	               : explain(-ENOMEM, "no memory for the options of a process");
	if (r < 0) {
		settings_free(settings);
		return r;
	}
	*ret_settings = settings;
	return 0;
}

bool settings_engine_has(const struct settings *settings, int stream)
{
	enum pidring_stream to = settings->streams[stream].to;

	return to == PIDRING_STREAM_PIPE || to == PIDRING_STREAM_TERMINAL;
}

bool settings_open_streams(const struct settings *settings)
{
	for (int i = 0; i < 3; i++)
		if (settings->streams[i].to >= PIDRING_STREAM_PATH &&
		    settings->streams[i].to != PIDRING_STREAM_STDOUT)
			return true;
	return false;
}

int settings_terminal(const struct settings *settings)
{
	for (int i = 0; i < 3; i++)
		if (settings->streams[i].to == PIDRING_STREAM_TERMINAL)
			return i;
	return -1;
}

bool settings_live_elsewhere(const struct settings *settings)
{
	const struct confinement *confinement = settings->confinement;

	if (!confinement)
		return false;
	return confinement->root || confinement->mount_count > 0 ||
	       confinement_joins(confinement, CLONE_NEWNS);
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	if (settings->argument_length > 0)
		free(settings->argument);
	free(settings->program);
	free(settings->working_directory);
	free(settings->argv);
	free(settings->environment);
	free(settings->extra_environment);
	for (int i = 0; i < 3; i++)
		free(settings->streams[i].path);
	free(settings->descriptors);
	free(settings->stop_steps);
	confinement_free(settings->confinement);
	free(settings);
}
