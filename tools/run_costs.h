/* SPDX-License-Identifier: MIT */
/* What each job cost: kept while the jobs run, printed as a table at the end. */
#ifndef PIDRING_RUN_COSTS_H
#define PIDRING_RUN_COSTS_H

#include <pidring.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct run_cost;

struct run_costs {
	struct run_cost *rows;
	size_t count;
	size_t room;
	char *items; /* the texts of all rows, one after the other */
	size_t items_length;
	size_t items_room;
	int64_t begun;
};

void run_costs_open(struct run_costs *costs);
void run_costs_close(struct run_costs *costs);

/* Notes the end of the job that was started as the `number`th. -ENOMEM. */
int run_costs_add(struct run_costs *costs, size_t number, const struct pidring_exit_record *record,
                  const char *item, size_t item_length);

/* In the order of the starts. Sorts the rows. */
void run_costs_print(struct run_costs *costs, FILE *file);

#endif
