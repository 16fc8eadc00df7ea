/* SPDX-License-Identifier: MIT */
/* What the command line and the environment say. */
#ifndef PIDRING_INIT_OPTIONS_H
#define PIDRING_INIT_OPTIONS_H

#include <pidring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "init_confine.h"
#include "init_manner.h"
#include "init_rewrite.h"
#include "init_values.h"

enum init_action {
	INIT_ACTION_RUN = 0,
	INIT_ACTION_HELP,
	INIT_ACTION_VERSION,
	INIT_ACTION_LICENSE,
};

#define INIT_CHANGES      256
#define INIT_CGROUP_FILES 32

struct init_options {
	enum init_action action;
	enum init_manner_name manner_name;
	const struct init_manner *manner;
	char **command; /* ended by NULL; empty if there is none */
	int verbosity;
	/* Flags are PIDRING_YES or PIDRING_NO in the end. */
	int quiet, warn_on_reap, pause;

	/* signals */
	enum init_target target;
	struct init_rewritings rewritings;
	uint64_t terminating; /* bit n - 1: signal n begins the end */
	bool terminating_given;
	int parent_death_signal; /* that this process gets when its parent ends; 0: none */
	int death_signal;        /* that the program gets when this process ends; PIDRING_NONE: none */

	/* place */
	enum init_place place;
	int subreaper;

	/* end */
	enum init_ending ending;
	int64_t grace;
	bool grace_given;
	bool single_child;
	unsigned char codes[256]; /* what each exit code becomes */

	/* telling others; descriptors are -1 if there is none */
	int notify;
	int ready_descriptor, status_descriptor;

	/* the program */
	struct init_confine confine;
	const char *directory;
	bool umask_given;
	mode_t umask;
	const char *changes[INIT_CHANGES]; /* of the environment: NAME=VALUE or NAME */
	size_t change_count;
	const char *cgroup;
	struct pidring_cgroup_file cgroup_files[INIT_CGROUP_FILES];
	size_t cgroup_file_count;
};

/*
 * Reads the environment, and then the command line, which goes before it, into options that are all zero. Returns 0, or -EINVAL and a sentence; the manner
 * is known in either case.
 */
int init_options_parse(struct init_options *ret_options, int argument_count, char **arguments,
                       struct init_error *error);

void init_options_print_help(FILE *file);

#endif
