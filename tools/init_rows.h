/* SPDX-License-Identifier: MIT */
/* Every option: its names, what the help says of it, and how its value is taken. */
#ifndef PIDRING_INIT_ROWS_H
#define PIDRING_INIT_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "init_options.h"
#include "option_rows.h"

/* A row has one of four ways to take its value - `flag` (yes or no into an int there), `apply`, `confine`, `text` - or an
 * action. */
struct init_row {
	struct option_row option;
	int (*apply)(struct init_options *options, const char *text, struct init_error *error);
	int (*confine)(struct init_confine *confine, const char *text, struct init_error *error);
	size_t flag, text;       /* where in the options */
	bool repeated;           /* its variable has several values, with spaces between them */
	enum init_action action; /* asked for, not set: no variable stands for it */
};

extern const struct option_rows init_rows;

/* Takes a value into the options; NULL: a flag is given without one. 0, or -EINVAL and a sentence. What is kept of the text
 * is the text itself. */
int init_row_apply(struct init_options *options, const struct init_row *row, const char *text,
                   struct init_error *error);

#endif
