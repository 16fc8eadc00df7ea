/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "statistics.h"
#include "targets.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* Samples are thousandths of what is printed: of a microsecond, of a call. */
enum { SAMPLES_A_UNIT = 1000 };

/* By enum bench_unit: in the tables, and at the ends of the names in JSON. */
static const char *const unit_names[] = { "microseconds", "calls" };
static const char *const json_units[] = { "ns", "millicalls" };

/* By enum bench_outcome. */
static const char *const outcome_names[] = { "measured", "skipped", "failed" };

static double units(double samples)
{
	return samples / SAMPLES_A_UNIT;
}

static struct bench_figures figures_of(const struct bench_result *result, size_t index, const char *beside)
{
	struct bench_figures figures;

	statistics_of(&result->samples, index, bench_find_contender(result->row, beside), &figures);
	return figures;
}

/* How much a second, if it is one child that writes. */
static void print_rate(FILE *file, const struct bench_row *row, double nanoseconds)
{
	const double mebibyte = 1 << 20, second = 1e9;

	if (row->bytes > 0 && row->count == 1 && nanoseconds > 0)
		(void)fprintf(file, " %8.0f MiB/s", (double)row->bytes / mebibyte * second / nanoseconds);
}

static void print_contender(FILE *file, const struct bench_result *result, size_t index)
{
	const struct bench_figures figures = figures_of(result, index, result->row->baseline);

	(void)fprintf(file, "  %-16s %11.2f %11.2f %11.2f %11.2f %8.3f %8.3f",
	              result->row->contenders[index].name, units(figures.median), units(figures.p10),
	              units(figures.p90), units(figures.p99), figures.ratio, figures.paired_ratio);
	print_rate(file, result->row, figures.median);
	(void)fprintf(file, "\n");
}

void report_row(FILE *file, const struct bench_result *result)
{
	const struct bench_row *row = result->row;

	(void)fprintf(file, "%s: %s", row->name, row->title);
	if (result->samples.outcome == BENCH_SKIPPED) {
		(void)fprintf(file, "\n  skipped: %s\n\n", result->samples.reason);
		return;
	}
	if (result->samples.outcome == BENCH_FAILED) {
		(void)fprintf(file, "\n  failed: no figures\n\n");
		return;
	}
	(void)fprintf(file, "; %zu rounds, %s, ratio to %s\n", result->samples.rounds, unit_names[row->unit],
	              row->baseline);
	(void)fprintf(file, "  %-16s %11s %11s %11s %11s %8s %8s\n", "contender", "median", "p10", "p90",
	              "p99", "ratio", "paired");
	for (size_t index = 0; index < result->samples.contenders; index++)
		print_contender(file, result, index);
	(void)fprintf(file, "\n");
	(void)fflush(file);
}

static const struct bench_result *find_result(const struct bench_result *results, size_t count,
                                              const char *row)
{
	for (size_t index = 0; index < count; index++) {
		if (strcmp(results[index].row->name, row) == 0)
			return &results[index];
	}
	return NULL;
}

static void print_target(FILE *file, const struct bench_target *target, const struct bench_result *result)
{
	struct bench_figures figures;

	(void)fprintf(file, "%-34s %-12s %-14s ", target->row, target->contender, target->beside);
	if (result->samples.outcome != BENCH_MEASURED) {
		(void)fprintf(file, "%10s %10s %8s %7.2f  %s\n", "-", "-", "-", target->limit,
		              outcome_names[result->samples.outcome]);
		return;
	}
	figures = figures_of(result, bench_find_contender(result->row, target->contender), target->beside);
	(void)fprintf(file, "%10.2f %10.2f %8.3f %7.2f  %s\n", units(figures.median), units(figures.p90),
	              figures.ratio, target->limit, figures.ratio <= target->limit ? "yes" : "no");
}

void report_targets(FILE *file, const struct bench_result *results, size_t count)
{
	(void)fprintf(file, "%-34s %-12s %-14s %10s %10s %8s %7s  %s\n", "row", "contender", "beside",
	              "median", "p90", "ratio", "target", "reached");
	for (const struct bench_target *target = bench_targets; target->row != NULL; target++) {
		const struct bench_result *result = find_result(results, count, target->row);

		if (result != NULL)
			print_target(file, target, result);
	}
}

/* --- JSON: the names and reasons are all from this program's own tables, without anything to escape --- */

static void write_contender(FILE *file, const struct bench_result *result, size_t index)
{
	const struct bench_figures figures = figures_of(result, index, result->row->baseline);
	const char *unit = json_units[result->row->unit];

	(void)fprintf(file,
	              "        { \"name\": \"%s\", \"median_%s\": %.0f, \"p10_%s\": %.0f, \"p90_%s\": %.0f, "
	              "\"p99_%s\": %.0f, \"ratio\": %.4f, \"paired_ratio\": %.4f }%s\n",
	              result->row->contenders[index].name, unit, figures.median, unit, figures.p10, unit,
	              figures.p90, unit, figures.p99, figures.ratio, figures.paired_ratio,
	              index + 1 < result->samples.contenders ? "," : "");
}

static void write_row(FILE *file, const struct bench_result *result, const char *separator)
{
	const struct bench_row *row = result->row;

	(void)fprintf(file, "    { \"name\": \"%s\", \"title\": \"%s\", \"outcome\": \"%s\",\n", row->name,
	              row->title, outcome_names[result->samples.outcome]);
	if (result->samples.reason != NULL)
		(void)fprintf(file, "      \"reason\": \"%s\",\n", result->samples.reason);
	(void)fprintf(file, "      \"cores\": %u, \"descriptors\": %u, \"megabytes\": %u,\n",
	              row->conditions.cores, row->conditions.descriptors, row->conditions.megabytes);
	if (row->bytes > 0)
		(void)fprintf(file, "      \"children\": %u, \"bytes\": %zu, \"write_size\": %u,\n",
		              row->count, row->bytes, row->write_size);
	(void)fprintf(file, "      \"rounds\": %zu, \"baseline\": \"%s\",\n      \"contenders\": [\n",
	              result->samples.rounds, row->baseline);
	for (size_t index = 0;
	     result->samples.outcome == BENCH_MEASURED && index < result->samples.contenders; index++)
		write_contender(file, result, index);
	(void)fprintf(file, "      ] }%s\n", separator);
}

static void write_target(FILE *file, const struct bench_target *target, const struct bench_result *result,
                         const char *separator)
{
	const struct bench_figures figures =
		figures_of(result, bench_find_contender(result->row, target->contender), target->beside);

	(void)fprintf(file,
	              "%s    { \"row\": \"%s\", \"contender\": \"%s\", \"beside\": \"%s\", \"ratio\": %.4f, "
	              "\"target\": %.2f, \"reached\": %s }",
	              separator, target->row, target->contender, target->beside, figures.ratio, target->limit,
	              figures.ratio <= target->limit ? "true" : "false");
}

static void write_targets(FILE *file, const struct bench_result *results, size_t count)
{
	const char *separator = "";

	for (const struct bench_target *target = bench_targets; target->row != NULL; target++) {
		const struct bench_result *result = find_result(results, count, target->row);

		if (result == NULL || result->samples.outcome != BENCH_MEASURED)
			continue;
		write_target(file, target, result, separator);
		separator = ",\n";
	}
	(void)fprintf(file, "\n");
}

static void write_system(FILE *file)
{
	struct utsname system;
	cpu_set_t allowed;
	int cores = 0;

	(void)uname(&system);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		cores = CPU_COUNT(&allowed);
	(void)fprintf(file, "  \"kernel\": \"%s\", \"machine\": \"%s\", \"cores\": %d, \"time\": %lld,\n",
	              system.release, system.machine, cores, (long long)time(NULL));
}

int report_json(const char *path, const struct bench_result *results, size_t count)
{
	FILE *file = fopen(path, "we");

	if (file == NULL)
		return -errno;
	(void)fprintf(file, "{\n");
	write_system(file);
	(void)fprintf(file, "  \"rows\": [\n");
	for (size_t index = 0; index < count; index++)
		write_row(file, &results[index], index + 1 < count ? "," : "");
	(void)fprintf(file, "  ],\n  \"targets\": [\n");
	write_targets(file, results, count);
	(void)fprintf(file, "  ]\n}\n");
	return fclose(file) == 0 ? 0 : -errno;
}
