/* SPDX-License-Identifier: MIT */
#include "run_costs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "run_clock.h"
#include "run_exit.h"
#include "run_text.h"

#define ITEM_COLUMNS 4096

struct run_cost {
	size_t number;
	size_t item; /* where its text begins in run_costs.items */
	size_t item_length;
	int64_t wall; /* nanoseconds, as the next two */
	int64_t user;
	int64_t system;
	long resident; /* KiB, the maximum */
	int code;
	bool code_known;
	bool usage_known;
};

void run_costs_open(struct run_costs *costs)
{
	*costs = (struct run_costs){ .begun = run_clock_now() };
}

void run_costs_close(struct run_costs *costs)
{
	free(costs->rows);
	free(costs->items);
	*costs = (struct run_costs){ 0 };
}

/* Makes *memory large enough for `needed` parts of `size` bytes. */
static int grow(void *memory, size_t *room, size_t needed, size_t size)
{
	void *old;
	void *larger;
	size_t new_room = *room ? *room : 256;

	if (needed <= *room)
		return 0;
	while (new_room < needed)
		new_room *= 2;
	memcpy(&old, memory, sizeof(old));
	larger = reallocarray(old, new_room, size);
	if (!larger)
		return -ENOMEM;
	memcpy(memory, &larger, sizeof(larger));
	*room = new_room;
	return 0;
}

static int64_t nanoseconds(const struct timeval *time)
{
	return time->tv_sec * RUN_SECOND + time->tv_usec * INT64_C(1000);
}

int run_costs_add(struct run_costs *costs, size_t number, const struct pidring_exit_record *record,
                  const char *item, size_t item_length)
{
	int result = grow(&costs->rows, &costs->room, costs->count + 1, sizeof(costs->rows[0]));

	if (result == 0)
		result = grow(&costs->items, &costs->items_room, costs->items_length + item_length, 1);
	if (result < 0)
		return result;

	costs->rows[costs->count++] = (struct run_cost){
		.number = number,
		.item = costs->items_length,
		.item_length = item_length,
		.wall = record->end_time - record->start_time,
		.user = nanoseconds(&record->usage.ru_utime),
		.system = nanoseconds(&record->usage.ru_stime),
		.resident = record->usage.ru_maxrss,
		.code = record->code,
		.code_known = record->known,
		.usage_known = record->usage_known,
	};
	memcpy(costs->items + costs->items_length, item, item_length);
	costs->items_length += item_length;
	return 0;
}

static int compare_numbers(const void *left, const void *right)
{
	const struct run_cost *a = left;
	const struct run_cost *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

static void print_seconds(FILE *file, bool known, int64_t time)
{
	if (known)
		fprintf(file, "%9.3f ", (double)time / (double)RUN_SECOND);
	else
		fprintf(file, "%9s ", "?");
}

static void print_figures(FILE *file, const struct run_cost *cost)
{
	print_seconds(file, true, cost->wall);
	print_seconds(file, cost->usage_known, cost->user);
	print_seconds(file, cost->usage_known, cost->system);
	if (cost->usage_known)
		fprintf(file, "%9.1f ", (double)cost->resident / 1024);
	else
		fprintf(file, "%9s ", "?");
}

static void describe_code(const struct run_cost *cost, char *buffer, size_t size)
{
	if (!cost->code_known)
		snprintf(buffer, size, "?");
	else if (cost->code < 0)
		run_exit_signal_name(cost->code, buffer, size);
	else
		snprintf(buffer, size, "%d", cost->code);
}

static void print_row(FILE *file, const struct run_cost *cost, const char *item)
{
	char code[32];
	char data[4 * ITEM_COLUMNS];
	struct run_text text = { data, 0, sizeof(data) };

	describe_code(cost, code, sizeof(code));
	run_text_add_item(&text, item, cost->item_length, ITEM_COLUMNS);
	print_figures(file, cost);
	fprintf(file, "%9s  %.*s\n", code, (int)text.length, text.data);
}

void run_costs_print(struct run_costs *costs, FILE *file)
{
	struct run_cost total = { .usage_known = true, .wall = run_clock_now() - costs->begun };
	size_t failed = 0;

	if (costs->count > 1)
		qsort(costs->rows, costs->count, sizeof(costs->rows[0]), compare_numbers);
	fprintf(file, "%9s %9s %9s %9s %9s  %s\n", "wall s", "user s", "system s", "max MiB", "exit code",
	        "item");
	for (size_t i = 0; i < costs->count; i++) {
		const struct run_cost *cost = &costs->rows[i];

		print_row(file, cost, costs->items + cost->item);
		total.user += cost->user;
		total.system += cost->system;
		if (cost->resident > total.resident)
			total.resident = cost->resident;
		failed += !cost->code_known || cost->code != 0;
	}
	print_figures(file, &total);
	fprintf(file, "%9s  all %zu jobs, %zu failed", "", costs->count, failed);
	if (total.wall > 0)
		fprintf(file, "; on average %.2f processors worked for them",
		        (double)(total.user + total.system) / (double)total.wall);
	fputc('\n', file);
}
