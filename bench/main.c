/* SPDX-License-Identifier: MIT */
#include "families.h"
#include "harness.h"
#include "json.h"
#include "points.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct bench_family bench_families[] = {
	{ "program", program_rows },
	{ "burst", burst_rows },
	{ "asynchronous", asynchronous_rows },
	{ "function", function_rows },
	{ "method-function", method_function_rows },
	{ "method-program", method_program_rows },
	{ "rate", rate_rows },
	{ "table", table_rows },
	{ "watch", watch_rows },
	{ "confined", confined_rows },
	{ "run", run_rows },
	{ "output", output_rows },
	{ 0 },
};

enum {
	MAXIMUM_ROWS = 160,
	USAGE_ERROR = 2,
};

struct command_line {
	struct bench_settings settings;
	const char *json;
	const char *points;
	bool list;
};

static const char usage[] =
	"Usage: suite [--rounds N] [--quick] [--only PART] [--json FILE] [--points FILE] [--list]\n"
	"\n"
	"  --rounds N    N rounds of every row, instead of each row's own number\n"
	"  --quick       a tenth of the rounds\n"
	"  --only PART   the rows whose name contains PART\n"
	"  --json FILE   the figures as JSON, too\n"
	"  --points FILE the distributions as a table for plots, too\n"
	"  --list        the rows and their contenders; nothing is measured\n";

__attribute__((noreturn)) static void end_with_usage(FILE *file, int status)
{
	(void)fputs(usage, file);
	exit(status);
}

static unsigned parse_rounds(const char *text)
{
	char *end = NULL;
	unsigned long rounds = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || rounds == 0 || rounds > BENCH_MAXIMUM_ROUNDS)
		end_with_usage(stderr, USAGE_ERROR);
	return (unsigned)rounds;
}

static void apply_option(struct command_line *line, int option)
{
	switch (option) {
	case 'r':
		line->settings.rounds = parse_rounds(optarg);
		return;
	case 'q':
		line->settings.quick = true;
		return;
	case 'o':
		line->settings.only = optarg;
		return;
	case 'j':
		line->json = optarg;
		return;
	case 'p':
		line->points = optarg;
		return;
	case 'l':
		line->list = true;
		return;
	case 'h':
		end_with_usage(stdout, EXIT_SUCCESS);
	default:
		end_with_usage(stderr, USAGE_ERROR);
	}
}

static void parse_command_line(int argc, char **argv, struct command_line *ret_line)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' }, { "quick", no_argument, NULL, 'q' },
		{ "only", required_argument, NULL, 'o' },   { "json", required_argument, NULL, 'j' },
		{ "points", required_argument, NULL, 'p' }, { "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },         { 0 },
	};
	int option = 0;

	*ret_line = (struct command_line){ 0 };
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		apply_option(ret_line, option);
	if (optind != argc)
		end_with_usage(stderr, USAGE_ERROR);
}

static size_t select_rows(const struct bench_settings *settings, struct bench_result *ret_results)
{
	size_t count = 0;

	for (const struct bench_family *family = bench_families; family->name != NULL; family++) {
		for (const struct bench_row *row = family->rows; row->name != NULL; row++) {
			if (bench_is_selected(row, settings) && count < MAXIMUM_ROWS)
				ret_results[count++].row = row;
		}
	}
	return count;
}

static void list(const struct bench_result *results, size_t count)
{
	for (size_t index = 0; index < count; index++) {
		const struct bench_row *row = results[index].row;

		(void)printf("%-36s %s:", row->name, row->title);
		for (const struct bench_contender *contender = row->contenders; contender->name != NULL;
		     contender++)
			(void)printf(" %s", contender->name);
		(void)printf("\n");
	}
}

/* Returns how many rows failed. */
static size_t run(const struct bench_settings *settings, struct bench_result *results, size_t count)
{
	size_t failed = 0;

	for (size_t index = 0; index < count; index++) {
		bench_run_row(results[index].row, settings, &results[index].samples);
		report_row(stdout, &results[index]);
		if (results[index].samples.outcome == BENCH_FAILED)
			failed++;
	}
	return failed;
}

/* Returns whether it worked. */
static bool write_file(const char *path,
                       int (*write_results)(const char *path, const struct bench_result *results,
                                            size_t count),
                       const struct bench_result *results, size_t count)
{
	int written = path != NULL ? write_results(path, results, count) : 0;

	if (written < 0)
		(void)fprintf(stderr, "suite: %s: %s\n", path, strerror(-written));
	return written == 0;
}

static void release(struct bench_result *results, size_t count)
{
	for (size_t index = 0; index < count; index++)
		free(results[index].samples.samples);
}

int main(int argc, char **argv)
{
	static struct bench_result results[MAXIMUM_ROWS];
	struct command_line line;
	size_t count = 0;
	size_t failed = 0;
	bool written = false;

	parse_command_line(argc, argv, &line);
	count = select_rows(&line.settings, results);
	if (count == 0) {
		(void)fprintf(stderr, "suite: no row has '%s' in its name\n", line.settings.only);
		return USAGE_ERROR;
	}
	if (line.list) {
		list(results, count);
		return EXIT_SUCCESS;
	}
	failed = run(&line.settings, results, count);
	report_targets(stdout, results, count);
	written = write_file(line.json, json_write, results, count);
	written = write_file(line.points, points_write, results, count) && written;
	release(results, count);
	if (failed > 0)
		(void)fprintf(stderr, "suite: %zu of %zu rows failed\n", failed, count);
	return !written || failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
