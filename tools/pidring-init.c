/* SPDX-License-Identifier: MIT */
/* pidring-init: runs a program as an init does: forwards signals, reaps orphans, ends with it and takes the rest along. */
#include <pidring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "init.h"
#include "init_environment.h"
#include "init_options.h"
#include "init_release.h"
#include "init_say.h"
#include "init_start.h"
#include "init_supervise.h"
#include "init_variables.h"

static const char license[] =
	"pidring is free software under the MIT License: it may be used, copied, changed and sold by\n"
	"anybody who keeps the copyright notice. It comes without any warranty.\n";

static int print(const struct init_options *options)
{
	const struct init_manner *manner = options->manner;
	FILE *file = manner->version_on_stderr ? stderr : stdout;

	if (options->action == INIT_ACTION_VERSION)
		fprintf(file, "%s%s%s\n", manner->version, pidring_version(), manner->version_tail);
	else if (options->action == INIT_ACTION_LICENSE)
		fputs(license, stdout);
	else
		init_options_print_help(file);
	return fflush(file) == 0 ? 0 : manner->own_error;
}

/* The parent that has ended before it was asked for the signal sends none. */
static void watch_parent(const struct init_options *options, pid_t parent)
{
	if (options->parent_death_signal == 0)
		return;
	prctl(PR_SET_PDEATHSIG, options->parent_death_signal);
	if (getppid() != parent)
		kill(getpid(), options->parent_death_signal);
}

static int open_engine(struct init *init)
{
	/* A ring would tell nothing sooner, is forbidden in many containers, and costs a moment to make. */
	const struct pidring_engine_options options = { .size = sizeof(options),
		                                        .backend = PIDRING_BACKEND_EPOLL,
		                                        .subreaper = true };
	int result, before = 0;

	/* It may have been made one before this program was run. */
	prctl(PR_GET_CHILD_SUBREAPER, &before);
	result = pidring_open(&init->engine, &options);
	if (result == 0)
		result = pidring_fd(init->engine);
	if (result < 0)
		return result;
	if (init->options->subreaper == PIDRING_YES || before || getpid() == 1)
		return 0;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	init_say(INIT_WARNING,
	         "this is neither PID 1 nor a subreaper (-s), so zombie reaping won't work for orphans");
	return 0;
}

static void prepare_terminal(struct init *init)
{
	init_terminal_open(&init->terminal);
	if (init->options->place == INIT_PLACE_SESSION)
		init_terminal_give_up(&init->terminal);
	init->terminal.given = init_terminal_may_be_given(&init->terminal);
}

/* Starts what there is to start. 0, or the exit status. */
static int begin(struct init *init)
{
	const struct init_options *options = init->options;
	int result = init_status_take(&init->status);

	if (result == 0)
		result = init_signals_open(&init->signals);
	if (result == 0)
		result = open_engine(init);
	if (result == 0)
		result = init_environment_make(options->changes, options->change_count, options->confine.home,
		                               options->notify == PIDRING_YES);
	if (result < 0) {
		init_status_failed(&init->status, &(struct pidring_failure){ .error = -result });
		init_say(INIT_ERROR, "%s", pidring_explain()[0] ? pidring_explain() : strerror(-result));
		return options->manner->own_error;
	}
	if (options->pause == PIDRING_YES)
		return 0;
	prepare_terminal(init);
	return init_start(init);
}

static int exit_status(const struct init *init)
{
	int code = init->lost       ? init->options->manner->own_error
	           : init->code < 0 ? 128 - init->code
	                            : init->code;

	return init->options->codes[code & 255];
}

/* Nothing here waits for anybody: those who are left are not to hold it up. */
__attribute__((noreturn)) static void finish(struct init *init, int status)
{
	/* Removed if it is empty. */
	pidring_cgroup_free(init->cgroup);
	init_status_exit(&init->status, status);
	_exit(status);
}

static int run(struct init *init)
{
	const char *socket = getenv("NOTIFY_SOCKET");
	int status;

	init->phase_end = PIDRING_FOREVER;
	init->kill_due = PIDRING_FOREVER;
	init->terminal.descriptor = -1;
	init->status = (struct init_status){ .descriptor = init->options->status_descriptor,
		                             .ready_descriptor = init->options->ready_descriptor };
	if (init->options->notify == PIDRING_YES && socket)
		init->status.socket = strdup(socket);
	status = begin(init);
	if (status != 0)
		finish(init, status);
	init_say(INIT_NOTICE, "the program runs as %d", (int)init->pid);
	init_status_ready(&init->status, init->pid);
	init_release(&init->inheritance);
	init_supervise(init);
	finish(init, exit_status(init));
}

static int refuse(const struct init_options *options, const char *what)
{
	init_say_set(options->manner->refusal_prefix, options->verbosity);
	init_say(INIT_ERROR, "%s", what);
	return options->manner->own_error;
}

int main(int argument_count, char **arguments)
{
	/* Zero, and so no memory until it is written to: it is large. */
	static struct init_options options;
	pid_t parent = getppid();
	struct init init = { 0 };
	struct init_error error;
	int result;

	if (argument_count > 1 && strcmp(arguments[0], init_step_name) == 0)
		return init_step(arguments + 1);
	init_release_prepare(&init.inheritance);
	init_signals_hold(&init.signals);
	result = init_options_parse(&options, argument_count, arguments, &error);
	init_say_set(options.manner->prefix, options.verbosity);
	if (result < 0)
		return refuse(&options, error.text);
	if (options.action != INIT_ACTION_RUN)
		return print(&options);
	if (!options.command[0] && options.pause != PIDRING_YES)
		return refuse(&options, "no program is given; --help tells more");
	init_variables_warn();
	watch_parent(&options, parent);
	init.options = &options;
	return run(&init);
}
