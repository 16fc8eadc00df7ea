/* SPDX-License-Identifier: MIT */
#include "option_rows.h"

#include <getopt.h>
#include <string.h>

/* getopt's value for a letter is the letter, and for the name of row n this and n. */
#define NAMES 256

const void *option_rows_at(const struct option_rows *rows, size_t index)
{
	return (const char *)rows->first + index * rows->row_size;
}

static int argument_kind(const struct option_row *row)
{
	if (!row->argument)
		return no_argument;
	if (row->argument[0] == '\0' || strncmp(row->argument, "[=", 2) == 0)
		return optional_argument;
	return required_argument;
}

int option_rows_get(const struct option_rows *rows, int argument_count, char **arguments)
{
	/* '+' ends the options at the first other word, ':' leaves the complaints to the caller. */
	char letters[2 + 2 * NAMES] = "+:", *end = letters + 2;
	struct option names[rows->count + 1], *name = names;

	for (size_t i = 0; i < rows->count; i++) {
		const struct option_row *row = option_rows_at(rows, i);
		int kind = argument_kind(row);

		for (const char *letter = row->letters; letter && *letter; letter++) {
			*end++ = *letter;
			if (kind == required_argument)
				*end++ = ':';
		}
		if (row->name)
			*name++ = (struct option){ row->name, kind, NULL, NAMES + (int)i };
	}
	*name = (struct option){ 0 };
	opterr = 0;
	return getopt_long(argument_count, arguments, letters, names, NULL);
}

const void *option_rows_find(const struct option_rows *rows, int value)
{
	if (value >= NAMES)
		return option_rows_at(rows, (size_t)value - NAMES);
	for (size_t i = 0; value != 0 && i < rows->count; i++) {
		const struct option_row *row = option_rows_at(rows, i);

		if (row->letters && strchr(row->letters, value))
			return row;
	}
	return NULL;
}

/* "  -j, -P, --jobs=N"; returns its width. */
static int print_spellings(const struct option_rows *rows, const struct option_row *row, FILE *file)
{
	int width = fprintf(file, "  %s", row->letters ? "" : rows->no_letter);

	for (const char *letter = row->letters; letter && *letter; letter++)
		width += fprintf(file, "-%c, ", *letter);
	return width + fprintf(file, "--%s%s%s", row->name,
	                       argument_kind(row) == required_argument ? "=" : "",
	                       row->argument ? row->argument : "");
}

/* Each line in the help's column; before the first, `width` is printed already. */
static void print_lines(const char *help, int width, int column, FILE *file)
{
	for (const char *end = help; *end; help = end + 1, width = 0) {
		end = strchrnul(help, '\n');
		fprintf(file, "%*s%.*s\n", width < column ? column - width : 1, "", (int)(end - help), help);
	}
}

void option_rows_print(const struct option_rows *rows, FILE *file)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct option_row *row = option_rows_at(rows, i);

		if (row->help && row->name)
			print_lines(row->help, print_spellings(rows, row, file), rows->help_column, file);
		else if (row->help)
			fprintf(file, "\n%s:\n", row->help);
	}
}
