/* SPDX-License-Identifier: MIT */
#include "points.h"

#include "statistics.h"

#include <errno.h>
#include <stdio.h>

static void write_contender(FILE *file, const struct bench_result *result, size_t index)
{
	const struct bench_row *row = result->row;
	double percentiles[STATISTICS_PERCENTILES];

	statistics_percentiles(&result->samples, index, percentiles);
	for (size_t percent = 0; percent < STATISTICS_PERCENTILES; percent++)
		(void)fprintf(file, "%s\t%s\t%u\t%u\t%u\t%zu\t%.0f\n", row->name, row->contenders[index].name,
		              row->conditions.cores, row->conditions.descriptors, row->conditions.megabytes,
		              percent, percentiles[percent]);
}

static void write_row(FILE *file, const struct bench_result *result)
{
	if (result->samples.outcome != BENCH_MEASURED || result->row->unit != BENCH_NANOSECONDS)
		return;
	for (size_t index = 0; index < result->samples.contenders; index++) {
		if (result->samples.missing[index] == NULL)
			write_contender(file, result, index);
	}
}

int points_write(const char *path, const struct bench_result *results, size_t count)
{
	FILE *file = fopen(path, "we");

	if (file == NULL)
		return -errno;
	(void)fprintf(file, "row\tcontender\tcores\tdescriptors\tmegabytes\tpercentile\tnanoseconds\n");
	for (size_t index = 0; index < count; index++)
		write_row(file, &results[index]);
	return fclose(file) == 0 ? 0 : -errno;
}
