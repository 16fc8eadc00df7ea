/* SPDX-License-Identifier: MIT */
/* Command-line options from a table of rows: what getopt_long(3) wants and what --help prints are made from it. */
#ifndef PIDRING_OPTION_ROWS_H
#define PIDRING_OPTION_ROWS_H

#include <stddef.h>
#include <stdio.h>

struct option_row {
	const char *letters;  /* each is a short spelling; NULL: there is none */
	const char *name;     /* NULL: there is no long one; with a help text, this is a heading */
	const char *argument; /* NULL: it takes none; "[=FILE]": a name may have one; "": so, unsaid */
	const char *help;     /* NULL: it is not in the help */
};

struct option_rows {
	const void *first; /* of a tool's own rows, which begin with a struct option_row */
	size_t count, row_size;
	const char *no_letter; /* what the help shows in the place of letters where there are none */
	int help_column;
};

const void *option_rows_at(const struct option_rows *rows, size_t index);

/* getopt_long(3): the options end at the first word that is none, and nothing is said of misuse. */
int option_rows_get(const struct option_rows *rows, int argument_count, char **arguments);

/* The row of getopt's value, or of what it has left in `optopt`. NULL: none. */
const void *option_rows_find(const struct option_rows *rows, int value);

void option_rows_print(const struct option_rows *rows, FILE *file);

#endif
