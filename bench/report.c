/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "statistics.h"
#include "targets.h"

#include <string.h>

/* Samples are thousandths of what is printed: of a microsecond, of a call. */
enum { SAMPLES_A_UNIT = 1000 };

/* By enum bench_unit. */
static const char *const unit_names[] = { "microseconds", "calls" };

const char *report_outcome(const struct bench_result *result)
{
	/* By enum bench_outcome. */
	static const char *const names[] = { "measured", "skipped", "failed" };

	return names[result->samples.outcome];
}

static double units(double samples)
{
	return samples / SAMPLES_A_UNIT;
}

struct bench_figures report_figures(const struct bench_result *result, size_t index, const char *beside)
{
	struct bench_figures figures;

	statistics_of(&result->samples, index, bench_find_contender(result->row, beside), &figures);
	return figures;
}

bool report_is_measured(const struct bench_result *result, const char *contender)
{
	size_t index = bench_find_contender(result->row, contender);

	return result->samples.outcome == BENCH_MEASURED && index < result->samples.contenders &&
	       result->samples.missing[index] == NULL;
}

/* How much a second, if it is one child that writes, or how many children. */
static void print_rate(FILE *file, const struct bench_row *row, double nanoseconds)
{
	const double mebibyte = 1 << 20, second = 1e9;

	if (row->bytes > 0 && row->count == 1 && nanoseconds > 0)
		(void)fprintf(file, " %8.0f MiB/s", (double)row->bytes / mebibyte * second / nanoseconds);
	if (row->per_child && nanoseconds > 0)
		(void)fprintf(file, " %8.0f children/s", second / nanoseconds);
}

static void print_contender(FILE *file, const struct bench_result *result, size_t index)
{
	const char *name = result->row->contenders[index].name;
	const char *missing = result->samples.missing[index];
	struct bench_figures figures;

	if (missing != NULL) {
		(void)fprintf(file, "  %-20s not measured: %s\n", name, missing);
		return;
	}
	figures = report_figures(result, index, result->row->baseline);
	(void)fprintf(file, "  %-20s %11.2f %11.2f %11.2f %11.2f %8.3f %8.3f", name, units(figures.median),
	              units(figures.p10), units(figures.p90), units(figures.p99), figures.ratio,
	              figures.paired_ratio);
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
	(void)fprintf(file, "  %-20s %11s %11s %11s %11s %8s %8s\n", "contender", "median", "p10", "p90",
	              "p99", "ratio", "paired");
	for (size_t index = 0; index < result->samples.contenders; index++)
		print_contender(file, result, index);
	(void)fprintf(file, "\n");
	(void)fflush(file);
}

const struct bench_result *report_find(const struct bench_result *results, size_t count, const char *row)
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

	(void)fprintf(file, "%-38s %-18s %-14s ", target->row, target->contender, target->beside);
	if (!report_is_measured(result, target->contender) || !report_is_measured(result, target->beside)) {
		(void)fprintf(file, "%10s %10s %8s %7.3f  %s\n", "-", "-", "-", target->limit,
		              result->samples.outcome == BENCH_MEASURED ? "not measured"
		                                                        : report_outcome(result));
		return;
	}
	figures =
		report_figures(result, bench_find_contender(result->row, target->contender), target->beside);
	(void)fprintf(file, "%10.2f %10.2f %8.4f %7.3f  %s\n", units(figures.median), units(figures.p90),
	              figures.ratio, target->limit, figures.ratio <= target->limit ? "yes" : "no");
}

void report_targets(FILE *file, const struct bench_result *results, size_t count)
{
	(void)fprintf(file, "%-38s %-18s %-14s %10s %10s %8s %7s  %s\n", "row", "contender", "beside",
	              "median", "p90", "ratio", "target", "reached");
	for (const struct bench_target *target = bench_targets; target->row != NULL; target++) {
		const struct bench_result *result = report_find(results, count, target->row);

		if (result != NULL)
			print_target(file, target, result);
	}
}
