/* SPDX-License-Identifier: MIT */
#include "init_variables.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init_rows.h"
#include "init_say.h"

#define VARIABLE "PIDRING_INIT_"

/* NAME for "name-of-option", in capitals. */
static bool is_variable_of(const char *option, const char *name, size_t length)
{
	if (!option || strlen(option) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] != (option[i] == '-' ? '_' : toupper((unsigned char)option[i])))
			return false;
	return true;
}

static const struct init_row *find_variable(const char *name, size_t length)
{
	for (size_t i = 0; i < init_rows.count; i++) {
		const struct init_row *row = option_rows_at(&init_rows, i);

		if (!row->action && is_variable_of(row->option.name, name, length))
			return row;
	}
	return NULL;
}

/* Each of the words, as a copy that stays. */
static int apply_words(struct init_options *options, const struct init_row *row, const char *text,
                       struct init_error *error)
{
	static const char blanks[] = " \t\n";

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t length = strcspn(text, blanks);
		char *word = strndup(text, length);

		if (!word)
			return init_error_set(error, "no memory");
		if (init_row_apply(options, row, word, error) < 0)
			return -EINVAL;
		text += length;
	}
	return 0;
}

/* The option that an entry of the environment stands for; NULL: none. */
static const struct init_row *row_of_entry(const char *entry)
{
	if (strncmp(entry, VARIABLE, strlen(VARIABLE)) != 0)
		return NULL;
	return find_variable(entry + strlen(VARIABLE), strcspn(entry, "=") - strlen(VARIABLE));
}

bool init_is_variable(const char *entry)
{
	return row_of_entry(entry) != NULL;
}

/* Not refused: who names a service as this program gets such variables from Kubernetes. */
void init_variables_warn(void)
{
	for (char **entry = environ; *entry; entry++)
		if (strncmp(*entry, VARIABLE, strlen(VARIABLE)) == 0 && !row_of_entry(*entry))
			init_say(INIT_WARNING, "%.*s stands for no option", (int)strcspn(*entry, "="),
			         *entry);
}

static int apply_variable(struct init_options *options, const struct init_row *row, const char *entry,
                          struct init_error *error)
{
	size_t length = strcspn(entry, "=");
	const char *value = entry[length] ? entry + length + 1 : "";
	char name[64];
	int result;

	snprintf(name, sizeof(name), "%.*s", (int)(length < 60 ? length : 60), entry);
	result = row->repeated ? apply_words(options, row, value, error)
	                       : init_row_apply(options, row, value, error);
	return result < 0 ? init_error_at(error, name) : 0;
}

/* What the others are told by their variables. */
static void apply_their_variables(struct init_options *options)
{
	const char *setsid = getenv("DUMB_INIT_SETSID");
	const char *debug = getenv("DUMB_INIT_DEBUG");

	if (getenv("TINI_SUBREAPER"))
		options->subreaper = PIDRING_YES;
	if (getenv("TINI_KILL_PROCESS_GROUP"))
		options->target = INIT_TO_GROUP;
	if (setsid && strcmp(setsid, "0") == 0) {
		options->single_child = true;
		options->target = INIT_TO_CHILD;
	}
	if (debug && strcmp(debug, "1") == 0)
		options->verbosity += 3;
}

int init_variables_apply(struct init_options *options, struct init_error *error)
{
	apply_their_variables(options);
	for (char **entry = environ; *entry; entry++) {
		const struct init_row *row = row_of_entry(*entry);

		if (row && apply_variable(options, row, *entry, error) < 0)
			return -EINVAL;
	}
	return 0;
}
