/* SPDX-License-Identifier: MIT */
/* The command line. */
#ifndef PIDRING_RUN_OPTIONS_H
#define PIDRING_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "run_output.h"

enum run_action {
	RUN_ACTION_JOBS = 0,
	RUN_ACTION_HELP,
	RUN_ACTION_VERSION,
};

struct run_options {
	enum run_action action;
	bool jobs_given;
	size_t jobs; /* 0: as many as the system allows */
	bool null_separated;
	struct run_output_settings output;
	int64_t timeout; /* nanoseconds that a job may take; 0: as long as it likes */
	bool costs;
	const char *costs_file; /* NULL: standard output */
	char **command;         /* ended by NULL; empty if there is none */
	size_t command_words;
};

/*
 * Reads the command line. Returns 0, or -EINVAL and a sentence in `error`.
 */
int run_options_parse(struct run_options *ret_options, int argument_count, char **arguments, char *error,
                      size_t error_size);

void run_options_print_help(FILE *file);

#endif
