/* SPDX-License-Identifier: MIT */
#include "init_words.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct pair {
	const char *field, *option;
};

/* Of two that fit the first counts. */
static const struct pair beginnings[] = {
	{ "user_name: ", "--user: " },
	{ "keep_capabilities: ", "--cap-keep: " },
	{ "drop_capabilities: ", "--cap-drop: " },
	{ "capabilities: ", "--capabilities: " },
	{ "more than one of keep_capabilities, drop_capabilities and capabilities are set",
	  "more than one of --cap-keep, --cap-drop and --capabilities are given" },
	{ "confinement: root is ", "--root: " },
	{ "confinement: host_name has ", "--hostname: it has " },
	{ "confinement: user_name is ", "--user: " },
	{ "confinement: namespaces is ", "--namespaces: " },
	{ "confinement: groups", "--groups: " },
	{ "confinement: user ", "--user: it " },
	{ "confinement: group ", "--user: its group " },
	{ "confinement: seccomp ", "--seccomp: it " },
};

static const struct pair endings[] = {
	{ "set `group`", "say --user=UID:GROUP" },
};

#define COUNT(pairs) (sizeof(pairs) / sizeof((pairs)[0]))

static const struct pair *find_beginning(const char *sentence)
{
	for (size_t i = 0; i < COUNT(beginnings); i++)
		if (strncmp(sentence, beginnings[i].field, strlen(beginnings[i].field)) == 0)
			return &beginnings[i];
	return NULL;
}

/* Not by strstr(3), which is large in a static program. */
static void replace_ending(char *text, size_t size)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < COUNT(endings); i++) {
		size_t tail = strlen(endings[i].field);

		if (length >= tail && strcmp(text + length - tail, endings[i].field) == 0)
			snprintf(text + length - tail, size - (length - tail), "%s", endings[i].option);
	}
}

const char *init_words(const char *sentence)
{
	static char text[600];
	const struct pair *beginning = find_beginning(sentence);

	snprintf(text, sizeof(text), "%s%s", beginning ? beginning->option : "",
	         sentence + (beginning ? strlen(beginning->field) : 0));
	replace_ending(text, sizeof(text));
	return text;
}
