/* SPDX-License-Identifier: MIT */
/* The names and reasons are all from this program's own tables, without anything to escape. */
#include "json.h"

#include "statistics.h"
#include "targets.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* By enum bench_unit: at the ends of the names. */
static const char *const units[] = { "ns", "millicalls" };

/* What every hundredth of the samples is at most, from the least to the largest. */
static void write_percentiles(FILE *file, const struct bench_result *result, size_t index)
{
	double percentiles[STATISTICS_PERCENTILES];

	statistics_percentiles(&result->samples, index, percentiles);
	(void)fprintf(file, ",\n          \"percentiles_%s\": [", units[result->row->unit]);
	for (size_t percent = 0; percent < STATISTICS_PERCENTILES; percent++)
		(void)fprintf(file, "%s%.0f", percent > 0 ? ", " : "", percentiles[percent]);
	(void)fprintf(file, "]");
}

static void write_figures(FILE *file, const struct bench_result *result, size_t index)
{
	const struct bench_figures figures = report_figures(result, index, result->row->baseline);
	const char *unit = units[result->row->unit];

	(void)fprintf(file,
	              ", \"median_%s\": %.0f, \"p10_%s\": %.0f, \"p90_%s\": %.0f, "
	              "\"p99_%s\": %.0f, \"ratio\": %.4f, \"paired_ratio\": %.4f",
	              unit, figures.median, unit, figures.p10, unit, figures.p90, unit, figures.p99,
	              figures.ratio, figures.paired_ratio);
	write_percentiles(file, result, index);
}

static void write_contender(FILE *file, const struct bench_result *result, size_t index)
{
	(void)fprintf(file, "        { \"name\": \"%s\"", result->row->contenders[index].name);
	if (result->samples.missing[index] != NULL)
		(void)fprintf(file, ", \"missing\": \"%s\"", result->samples.missing[index]);
	else
		write_figures(file, result, index);
	(void)fprintf(file, " }%s\n", index + 1 < result->samples.contenders ? "," : "");
}

static void write_row(FILE *file, const struct bench_result *result, const char *separator)
{
	const struct bench_row *row = result->row;

	(void)fprintf(file, "    { \"name\": \"%s\", \"title\": \"%s\", \"outcome\": \"%s\",\n", row->name,
	              row->title, report_outcome(result));
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
		report_figures(result, bench_find_contender(result->row, target->contender), target->beside);

	(void)fprintf(file,
	              "%s    { \"row\": \"%s\", \"contender\": \"%s\", \"beside\": \"%s\", \"ratio\": %.5f, "
	              "\"target\": %.3f, \"reached\": %s }",
	              separator, target->row, target->contender, target->beside, figures.ratio, target->limit,
	              figures.ratio <= target->limit ? "true" : "false");
}

static void write_targets(FILE *file, const struct bench_result *results, size_t count)
{
	const char *separator = "";

	for (const struct bench_target *target = bench_targets; target->row != NULL; target++) {
		const struct bench_result *result = report_find(results, count, target->row);

		if (result == NULL || !report_is_measured(result, target->contender) ||
		    !report_is_measured(result, target->beside))
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

int json_write(const char *path, const struct bench_result *results, size_t count)
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
