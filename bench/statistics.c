/* SPDX-License-Identifier: MIT */
#include "statistics.h"

#include <stdlib.h>

static int compare(const void *left, const void *right)
{
	double first = *(const double *)left;
	double second = *(const double *)right;

	return (first > second) - (first < second);
}

/* Between two neighbours it interpolates, so that the median of an even count is their mean. */
static double quantile(const double *sorted, size_t count, double share)
{
	double position = share * (double)(count - 1);
	size_t below = (size_t)position;
	size_t above = below + 1 < count ? below + 1 : below;

	return sorted[below] + (sorted[above] - sorted[below]) * (position - (double)below);
}

static double sample_of(const struct bench_samples *samples, size_t round, size_t index)
{
	return (double)samples->samples[round * samples->contenders + index];
}

static void sort_contender(const struct bench_samples *samples, size_t index, double *ret_sorted)
{
	for (size_t round = 0; round < samples->rounds; round++)
		ret_sorted[round] = sample_of(samples, round, index);
	qsort(ret_sorted, samples->rounds, sizeof(*ret_sorted), compare);
}

static void sort_ratios(const struct bench_samples *samples, size_t index, size_t baseline,
                        double *ret_sorted)
{
	for (size_t round = 0; round < samples->rounds; round++)
		ret_sorted[round] = sample_of(samples, round, index) / sample_of(samples, round, baseline);
	qsort(ret_sorted, samples->rounds, sizeof(*ret_sorted), compare);
}

void statistics_of(const struct bench_samples *samples, size_t index, size_t baseline,
                   struct bench_figures *ret_figures)
{
	double *sorted = calloc(samples->rounds, sizeof(*sorted));
	double baseline_median = 0;

	*ret_figures = (struct bench_figures){ 0 };
	if (sorted == NULL)
		return;
	sort_contender(samples, baseline, sorted);
	baseline_median = quantile(sorted, samples->rounds, 0.5);
	sort_contender(samples, index, sorted);
	ret_figures->p10 = quantile(sorted, samples->rounds, 0.1);
	ret_figures->median = quantile(sorted, samples->rounds, 0.5);
	ret_figures->p90 = quantile(sorted, samples->rounds, 0.9);
	ret_figures->p99 = quantile(sorted, samples->rounds, 0.99);
	ret_figures->ratio = ret_figures->median / baseline_median;
	sort_ratios(samples, index, baseline, sorted);
	ret_figures->paired_ratio = quantile(sorted, samples->rounds, 0.5);
	free(sorted);
}

void statistics_percentiles(const struct bench_samples *samples, size_t index,
                            double ret_percentiles[STATISTICS_PERCENTILES])
{
	double *sorted = calloc(samples->rounds, sizeof(*sorted));

	for (size_t percent = 0; percent < STATISTICS_PERCENTILES; percent++)
		ret_percentiles[percent] = 0;
	if (sorted == NULL)
		return;
	sort_contender(samples, index, sorted);
	for (size_t percent = 0; percent < STATISTICS_PERCENTILES; percent++)
		ret_percentiles[percent] =
			quantile(sorted, samples->rounds, (double)percent / (STATISTICS_PERCENTILES - 1));
	free(sorted);
}
