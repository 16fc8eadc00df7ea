/* SPDX-License-Identifier: MIT */
#include "run_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "option_rows.h"
#include "run_clock.h"

struct error_text {
	char *text;
	size_t size;
};

struct run_row {
	struct option_row option;
	int (*apply)(struct run_options *options, const char *argument, struct error_text *error);
	enum run_action action; /* instead */
};

static int apply_jobs(struct run_options *options, const char *argument, struct error_text *error)
{
	static const size_t most = 1000000;
	size_t digits = strspn(argument, "0123456789");
	unsigned long number;

	if (digits == 0 || argument[digits] != '\0' || digits > 9) {
		snprintf(error->text, error->size, "'%.40s' is no number of jobs (0 to %zu)", argument, most);
		return -EINVAL;
	}
	number = strtoul(argument, NULL, 10);
	if (number > most) {
		snprintf(error->text, error->size, "%lu jobs at a time are too many (0 to %zu)", number,
		         most);
		return -EINVAL;
	}
	options->jobs = number;
	options->jobs_given = true;
	return 0;
}

static int apply_null(struct run_options *options, const char *argument, struct error_text *error)
{
	(void)argument;
	(void)error;
	options->null_separated = true;
	return 0;
}

static int apply_group(struct run_options *options, const char *argument, struct error_text *error)
{
	(void)argument;
	(void)error;
	options->output.mode = RUN_OUTPUT_GROUP;
	return 0;
}

static int apply_line_buffer(struct run_options *options, const char *argument, struct error_text *error)
{
	(void)argument;
	(void)error;
	options->output.mode = RUN_OUTPUT_LINES;
	return 0;
}

static int apply_ungroup(struct run_options *options, const char *argument, struct error_text *error)
{
	(void)argument;
	(void)error;
	options->output.mode = RUN_OUTPUT_UNGROUPED;
	return 0;
}

static int apply_keep_order(struct run_options *options, const char *argument, struct error_text *error)
{
	(void)argument;
	(void)error;
	options->output.keep_order = true;
	return 0;
}

/* Seconds, with up to nine digits after the point, as nanoseconds. */
static int read_seconds(const char *argument, int64_t *ret_time, struct error_text *error)
{
	size_t whole = strspn(argument, "0123456789");
	size_t part = argument[whole] == '.' ? strspn(argument + whole + 1, "0123456789") : 0;
	size_t length = whole + (argument[whole] == '.' ? 1 : 0) + part;
	int64_t time;

	if (whole + part == 0 || argument[length] != '\0' || whole > 9 || part > 9) {
		snprintf(error->text, error->size, "'%.40s' is no number of seconds", argument);
		return -EINVAL;
	}
	time = strtol(argument, NULL, 10) * RUN_SECOND;
	for (int64_t digit = RUN_SECOND / 10, i = 1; (size_t)i <= part; i++, digit /= 10)
		time += (argument[whole + (size_t)i] - '0') * digit;
	*ret_time = time;
	return 0;
}

static int apply_drain(struct run_options *options, const char *argument, struct error_text *error)
{
	int64_t drain;
	int result = read_seconds(argument, &drain, error);

	if (result < 0)
		return result;
	options->output.drain = drain > 0 ? drain : PIDRING_NONE;
	return 0;
}

static int apply_timeout(struct run_options *options, const char *argument, struct error_text *error)
{
	return read_seconds(argument, &options->timeout, error);
}

/* For those who are used to it: without items nothing is run anyway. */
static int apply_no_run_if_empty(struct run_options *options, const char *argument, struct error_text *error)
{
	(void)options;
	(void)argument;
	(void)error;
	return 0;
}

static int apply_costs(struct run_options *options, const char *argument, struct error_text *error)
{
	if (argument && argument[0] == '\0') {
		snprintf(error->text, error->size, "--costs= needs the name of a file after its '='");
		return -EINVAL;
	}
	options->costs = true;
	options->costs_file = argument;
	return 0;
}

static const struct run_row table[] = {
	{ { "jP", "jobs", "N",
	    "run up to N jobs at a time; 0: as many as the system allows\n"
	    "(default: one for each processor this process may use)" },
	  .apply = apply_jobs },
	{ { NULL, "max-procs", "N", NULL }, .apply = apply_jobs },
	{ { "0", "null", NULL, "items are separated by NUL bytes, not by line ends" }, .apply = apply_null },
	{ { "r", "no-run-if-empty", NULL, "without items nothing is run in any case" },
	  .apply = apply_no_run_if_empty },
	{ { NULL, "group", NULL,
	    "print what a job writes when it has ended, not mixed with what others\n"
	    "write (the default)" },
	  .apply = apply_group },
	{ { NULL, "line-buffer", NULL, "print it line by line as it comes (also --lb)" },
	  .apply = apply_line_buffer },
	{ { NULL, "lb", NULL, NULL }, .apply = apply_line_buffer },
	{ { "u", "ungroup", NULL, "let the jobs write to the output themselves" }, .apply = apply_ungroup },
	{ { "k", "keep-order", NULL, "print in the order of the items" }, .apply = apply_keep_order },
	{ { NULL, "drain", "SECONDS",
	    "how long to wait for the output of what a job has left running\n"
	    "(default: 1)" },
	  .apply = apply_drain },
	{ { NULL, "timeout", "SECONDS",
	    "stop a job that takes longer: SIGTERM, and SIGKILL five seconds later\n"
	    "(default: 0, no limit)" },
	  .apply = apply_timeout },
	{ { NULL, "costs", "[=FILE]",
	    "at the end, print what each job cost, to standard output or to FILE\n"
	    "(which is taken as one only after the '=')" },
	  .apply = apply_costs },
	{ { "h", "help", NULL, "print this text" }, .action = RUN_ACTION_HELP },
	{ { NULL, "version", NULL, "print the version" }, .action = RUN_ACTION_VERSION },
};
static const struct option_rows rows = { .first = table,
	                                 .count = sizeof(table) / sizeof(table[0]),
	                                 .row_size = sizeof(table[0]),
	                                 .no_letter = "",
	                                 .help_column = 25 };

static const char help_head[] =
	"Usage: pidring-run [OPTION ...] [--] COMMAND [ARGUMENT ...]\n"
	"Runs COMMAND once for each item that it reads from standard input, several at a time.\n"
	"An item is a line, as it is. It takes the place of every {} in COMMAND and ARGUMENTs,\n"
	"or is appended if there is none.\n"
	"\n";

static const char help_tail[] =
	"\n"
	"Exit status: 0 all jobs went well, 123 some failed, 124 a job exited with 255,\n"
	"125 a job was ended by a signal, 126 COMMAND cannot be run, 127 COMMAND was not found,\n"
	"1 anything else.\n"
	"\n"
	"Example: find . -name '*.log' | pidring-run gzip -9\n";

/* What to know instead about options that xargs has. "": nothing. */
static const char *hint(int letter)
{
	switch (letter) {
	case 'n':
	case 'L':
		return ": each job gets one item";
	case 'I':
		return ": {} is always replaced";
	case 'd':
		return ": items are lines, or end at NUL bytes with -0";
	default:
		return "";
	}
}

/* `word` is the command-line word that getopt has looked at last, but for letters with more letters after them. */
static void explain_misuse(int value, const char *word, struct error_text *error)
{
	const struct run_row *row = option_rows_find(&rows, optopt);
	const char *trouble = value == ':' ? "needs an argument" : "is no option";

	if (value == '?' && row && !row->option.argument)
		trouble = "takes no argument";
	/* A long name that is none leaves no letter. */
	if ((optopt == 0 || row) && strncmp(word, "--", 2) == 0)
		snprintf(error->text, error->size, "'%.80s' %s", word, trouble);
	else
		snprintf(error->text, error->size, "'-%c' %s%s", optopt, trouble, row ? "" : hint(optopt));
}

int run_options_parse(struct run_options *ret_options, int argument_count, char **arguments, char *error,
                      size_t error_size)
{
	struct error_text error_text = { error, error_size };
	struct run_options options = { 0 };
	int value;

	while ((value = option_rows_get(&rows, argument_count, arguments)) != -1) {
		const struct run_row *row = option_rows_find(&rows, value);

		if (!row) {
			explain_misuse(value, arguments[optind - 1], &error_text);
			return -EINVAL;
		}
		options.action = row->action;
		if (options.action != RUN_ACTION_JOBS)
			break;
		if (row->apply(&options, optarg, &error_text) < 0)
			return -EINVAL;
	}
	if (options.action == RUN_ACTION_JOBS && options.output.keep_order &&
	    options.output.mode == RUN_OUTPUT_UNGROUPED) {
		snprintf(error, error_size, "--keep-order cannot be had with --ungroup");
		return -EINVAL;
	}
	options.command = arguments + optind;
	options.command_words = (size_t)(argument_count - optind);
	*ret_options = options;
	return 0;
}

void run_options_print_help(FILE *file)
{
	fputs(help_head, file);
	option_rows_print(&rows, file);
	fputs(help_tail, file);
}
