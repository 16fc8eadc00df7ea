/* SPDX-License-Identifier: MIT */
#include "init_options.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "init_rows.h"
#include "init_variables.h"
#include "option_rows.h"

#define DEFAULT_GRACE PIDRING_SECONDS(10)

/* --- the command line --- */

/* `word` is the command-line word that getopt has looked at last. */
static int explain_misuse(int value, const char *word, struct init_error *error)
{
	if (value == ':')
		return init_error_set(error, "option '%.80s' needs an argument", word);
	/* Where a letter is wrong that others follow, getopt is not through with its word: this is the one before. */
	if (optopt == 0 && strncmp(word, "--", 2) == 0)
		return init_error_set(error, "unrecognized option '%.80s'; try --help", word);
	return init_error_set(error, "invalid option -- '%c'", optopt);
}

static int apply_command_line(struct init_options *options, int argument_count, char **arguments,
                              struct init_error *error)
{
	char spelling[64];
	int value;

	while ((value = option_rows_get(&init_rows, argument_count, arguments)) != -1) {
		const struct init_row *row = option_rows_find(&init_rows, value);

		if (!row)
			return explain_misuse(value, arguments[optind - 1], error);
		if (row->action) {
			options->action = row->action;
			return 0;
		}
		if (init_row_apply(options, row, optarg, error) < 0) {
			snprintf(spelling, sizeof(spelling), "--%s", row->option.name);
			return init_error_at(error, spelling);
		}
	}
	options->command = arguments + optind;
	return 0;
}

/* --- what was not said --- */

static bool is_yes(int flag)
{
	return flag == PIDRING_YES;
}

static void fill_flag(int *flag, bool fallback)
{
	if (*flag == PIDRING_INHERITED)
		*flag = fallback ? PIDRING_YES : PIDRING_NO;
}

static void fill_place(struct init_options *options)
{
	/* dumb-init's word for one child is also its word for no session. */
	bool same = options->single_child && options->manner_name == INIT_DUMB_INIT;

	if (!options->place)
		options->place = same ? INIT_PLACE_SAME : options->manner->place;
	if (!options->target)
		options->target = options->manner->target;
}

static void fill_rewritings(struct init_options *options)
{
	static const int stopping[] = { SIGTSTP, SIGTTIN, SIGTTOU };

	if (!options->manner->stop_for_tstp || options->place != INIT_PLACE_SESSION)
		return;
	for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
		if (!options->rewritings.of[stopping[i]].given)
			options->rewritings.of[stopping[i]] =
				(struct init_rewriting){ .given = true, .sent = SIGSTOP };
}

static void fill_verbosity(struct init_options *options)
{
	const char *level = getenv("TINI_VERBOSITY");
	int least = level ? atoi(level) : options->manner->verbosity;

	options->verbosity = least + options->verbosity * options->manner->verbose_step;
	if (is_yes(options->quiet))
		options->verbosity = 0;
}

static void fill(struct init_options *options)
{
	const struct init_manner *manner = init_manner(options->manner_name);

	options->manner = manner;
	fill_flag(&options->subreaper, manner->subreaper);
	fill_flag(&options->quiet, false);
	fill_flag(&options->warn_on_reap, false);
	fill_flag(&options->pause, false);
	fill_flag(&options->notify, false);
	fill_place(options);
	fill_rewritings(options);
	fill_verbosity(options);
	if (!options->ending)
		options->ending = manner->ending;
	if (!options->death_signal)
		options->death_signal = manner->dies_with_init ? SIGKILL : PIDRING_NONE;
	if (!options->grace_given)
		options->grace = DEFAULT_GRACE;
	if (!options->terminating_given)
		options->terminating = UINT64_C(1) << (SIGTERM - 1);
}

static int check(const struct init_options *options, struct init_error *error)
{
	if (options->target == INIT_TO_GROUP && options->place == INIT_PLACE_SAME)
		return init_error_set(error,
		                      "signals can go to the program's group only if it has one of its own");
	if (is_yes(options->pause) && options->command[0])
		return init_error_set(error, "--pause runs no program");
	if (options->cgroup_file_count > 0 && !options->cgroup)
		return init_error_set(error, "--cgroup-set needs --cgroup");
	return 0;
}

int init_options_parse(struct init_options *ret_options, int argument_count, char **arguments,
                       struct init_error *error)
{
	struct init_options *options = ret_options;
	int result;

	options->ready_descriptor = -1;
	options->status_descriptor = -1;
	options->manner_name = init_manner_of(argument_count > 0 ? arguments[0] : "");
	for (size_t i = 0; i < sizeof(options->codes); i++)
		options->codes[i] = (unsigned char)i;
	result = init_variables_apply(options, error);
	if (result == 0)
		result = apply_command_line(options, argument_count, arguments, error);
	fill(options);
	if (result < 0 || options->action != INIT_ACTION_RUN)
		return result;
	result = check(options, error);
	return result < 0 ? result : init_confine_finish(&options->confine, error);
}

/* --- help --- */

static const char help_head[] =
	"Usage: pidring-init [OPTION ...] [--] PROGRAM [ARGUMENT ...]\n"
	"Runs PROGRAM as the init of a container, or as any parent: forwards signals to it, reaps\n"
	"what is left to it, ends with its exit status, and takes the rest with it.\n";

static const char help_tail[] =
	"\n"
	"Every option can be set by an environment variable: PIDRING_INIT_GRACE for --grace.\n"
	"Those of tini and dumb-init are heeded, too.\n"
	"\n"
	"Exit status: the program's, or 128 and the number of the signal that ended it; 127 it was not\n"
	"found, 126 it cannot be run, 125 anything else went wrong before it ran (like tini and\n"
	"dumb-init: 1).\n";

void init_options_print_help(FILE *file)
{
	fputs(help_head, file);
	option_rows_print(&init_rows, file);
	fputs(help_tail, file);
}
