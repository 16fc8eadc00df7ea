/* SPDX-License-Identifier: MIT */
#include "init_start.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init_environment.h"
#include "init_say.h"
#include "init_words.h"

static void freep(const char ***list)
{
	free(*list);
}

/* --- the control group --- */

static int make_cgroup(struct init *init)
{
	const struct init_options *options = init->options;
	const char *slash = strrchr(options->cgroup, '/');
	struct pidring_cgroup_options wanted = { .size = sizeof(wanted),
		                                 .name = slash ? slash + 1 : options->cgroup,
		                                 .files = options->cgroup_files,
		                                 .file_count = options->cgroup_file_count };
	char parent[PATH_MAX] = "/";
	int result;

	if (slash) {
		wanted.parent = parent;
		if (slash > options->cgroup)
			snprintf(parent, sizeof(parent), "%.*s", (int)(slash - options->cgroup),
			         options->cgroup);
	}
	result = pidring_cgroup_new(&init->cgroup, init->engine, &wanted);
	if (result == 0)
		return 0;
	init_status_failed(&init->status,
	                   &(struct pidring_failure){ .step = PIDRING_STEP_CGROUP, .error = -result });
	init_say(INIT_ERROR, "%s", init_words(pidring_explain()));
	return init->options->manner->own_error;
}

/* --- arguments --- */

static size_t count_words(char *const *words)
{
	size_t count = 0;

	while (words[count])
		count++;
	return count;
}

/* The words, one or two more before them; NULL after them. */
static const char **make_arguments(const char *first, const char *second, char *const *words)
{
	size_t count = count_words(words);
	const char **arguments = calloc(count + 3, sizeof(arguments[0]));
	size_t length = 0;

	if (!arguments)
		return NULL;
	if (first)
		arguments[length++] = first;
	if (second)
		arguments[length++] = second;
	for (size_t i = 0; i < count; i++)
		arguments[length++] = words[i];
	return arguments;
}

/* Where a shell would find it, in memory that stays; the name itself if nowhere. */
static const char *find_program(const char *name)
{
	const char *directory = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(name, '/') || !directory)
		return name;
	for (;;) {
		size_t length = strcspn(directory, ":");

		/* An empty directory is the current one. */
		snprintf(path, sizeof(path), "%.*s/%s", length > 0 ? (int)length : 1,
		         length > 0 ? directory : ".", name);
		if (access(path, X_OK) == 0)
			return strdup(path);
		if (directory[length] == '\0')
			return name;
		directory += length + 1;
	}
}

/* --- the start --- */

static struct pidring_options make_options(struct init *init)
{
	const struct init_options *options = init->options;

	return (struct pidring_options){
		.size = sizeof(struct pidring_options),
		.working_directory = options->directory,
		.keep_descriptors = true,
		.signal_mask = &init->signals.mask,
		.keep_signals = true,
		.ignored_signals = init->signals.child_ignored ? &init->signals.ignored : NULL,
		.new_group = options->place == INIT_PLACE_GROUP,
		.new_session = options->place == INIT_PLACE_SESSION,
		/* A keyboard that somebody else has is not to be taken away. */
		.foreground = options->place == INIT_PLACE_SESSION ||
		              (options->place == INIT_PLACE_GROUP && init->terminal.given),
		.set_umask = options->umask_given,
		.umask = options->umask,
		.death_signal = options->death_signal,
		.confinement = options->confine.used ? &options->confine.made : NULL,
		.cgroup = init->cgroup,
	};
}

static int start_with(struct init *init, const struct pidring_options *options,
                      struct pidring_failure *failure)
{
	int result = pidring_process_new(&init->program, init->engine, options);

	*failure = (struct pidring_failure){ 0 };
	if (result < 0) {
		snprintf(failure->sentence, sizeof(failure->sentence), "%s", pidring_explain());
		return result;
	}
	result = pidring_process_start(init->program);
	if (result < 0 && pidring_process_failure(init->program, failure) < 0)
		snprintf(failure->sentence, sizeof(failure->sentence), "%s", pidring_explain());
	return result;
}

/* A script without #! is the shell's, as with execvp(3). */
static int start_by_shell(struct init *init, struct pidring_options *options, struct pidring_failure *failure)
{
	char **command = init->options->command;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): its cleanup frees it */
	__attribute__((cleanup(freep))) const char **arguments =
		make_arguments("/bin/sh", find_program(command[0]), command + 1);

	if (!arguments)
		return -ENOMEM;
	pidring_process_free(init->program);
	init->program = NULL;
	options->argv = arguments;
	options->program = NULL;
	return start_with(init, options, failure);
}

static int start(struct init *init, struct pidring_failure *failure)
{
	const struct pidring_confinement *confinement = &init->options->confine.made;
	struct pidring_options options = make_options(init);
	bool step = init_environment_needs_step((confinement->namespaces & PIDRING_NAMESPACE_PID) != 0);
	__attribute__((cleanup(freep))) const char **arguments =
		make_arguments(step ? init_step_name : NULL, NULL, init->options->command);
	int result;

	if (!arguments)
		return -ENOMEM;
	options.argv = arguments;
	options.program = step ? init_step_file : NULL;
	result = start_with(init, &options, failure);
	if (result == -ENOEXEC && !confinement->root)
		result = start_by_shell(init, &options, failure);
	return result;
}

/* What a shell would end with. */
static int status_of(const struct init *init, const struct pidring_failure *failure)
{
	switch (failure->step) {
	case PIDRING_STEP_LOOK_UP:
	case PIDRING_STEP_EXEC:
	case PIDRING_STEP_INTERPRETER:
		return failure->error == ENOENT ? INIT_NOT_FOUND : INIT_NOT_RUN;
	default:
		return init->options->manner->own_error;
	}
}

static void say_failure(const struct init *init, const struct pidring_failure *failure)
{
	int status = status_of(init, failure);

	/* Whoever reads the messages of that one looks for the name and the error. */
	if (init->options->manner_name == INIT_DUMB_INIT && status >= INIT_NOT_RUN)
		init_say(INIT_ERROR, "%s: %s", init->options->command[0], strerror(failure->error));
	else
		init_say(INIT_ERROR, "%s", init_words(failure->sentence));
}

int init_start(struct init *init)
{
	struct pidring_failure failure = { 0 };
	int result;

	if (init->options->cgroup) {
		int status = make_cgroup(init);

		if (status != 0)
			return status;
	}
	result = start(init, &failure);
	if (result == 0) {
		init->pid = pidring_process_pid(init->program);
		init->runs = true;
		return 0;
	}
	if (failure.error == 0)
		failure.error = -result;
	init_status_failed(&init->status, &failure);
	if (failure.sentence[0] == '\0')
		snprintf(failure.sentence, sizeof(failure.sentence), "%s", strerror(-result));
	say_failure(init, &failure);
	return status_of(init, &failure);
}
