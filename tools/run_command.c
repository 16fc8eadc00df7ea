/* SPDX-License-Identifier: MIT */
#include "run_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char placeholder[] = "{}";
#define PLACEHOLDER_LENGTH (sizeof(placeholder) - 1)

static void freep(char **text)
{
	free(*text);
}

static bool is_runnable(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/*
 * The file in PATH that the name stands for, in memory of its own. NULL where there is any doubt: then each
 * start looks for itself, and says what is wrong.
 */
static char *find_program(const char *name)
{
	const char *directory = getenv("PATH");

	if (!directory || name[0] == '\0' || strchr(name, '/') || strstr(name, placeholder))
		return NULL;
	for (;;) {
		size_t length = strcspn(directory, ":");
		__attribute__((cleanup(freep))) char *path = NULL;

		/* An empty directory is the current one. */
		if (asprintf(&path, "%.*s/%s", length > 0 ? (int)length : 1, length > 0 ? directory : ".",
		             name) < 0) {
			path = NULL;
			return NULL;
		}
		if (is_runnable(path)) {
			char *found = path;

			path = NULL;
			return found;
		}
		if (directory[length] == '\0')
			return NULL;
		directory += length + 1;
	}
}

int run_command_open(struct run_command *command, char *const *words, size_t count)
{
	*command = (struct run_command){ .words = words, .count = count };
	for (size_t i = 0; i < count; i++)
		command->replaces = command->replaces || strstr(words[i], placeholder);
	command->arguments = calloc(count + 2, sizeof(command->arguments[0]));
	if (!command->arguments)
		return -ENOMEM;
	/* The words that nothing is put into are the same for every item. */
	memcpy(command->arguments, words, count * sizeof(words[0]));
	command->program = find_program(words[0]);
	return 0;
}

void run_command_close(struct run_command *command)
{
	free(command->arguments);
	free(command->program);
	free(command->text);
	*command = (struct run_command){ 0 };
}

bool run_command_names_item(const struct run_command *command)
{
	return strstr(command->words[0], placeholder);
}

bool run_command_is_for_shell(const struct run_command *command)
{
	return command->count == 1 && strpbrk(command->words[0], " \t\n|&;<>()$`\\\"'*?[#~!");
}

static size_t filled_length(const char *word, size_t item_length)
{
	size_t length = strlen(word);

	while ((word = strstr(word, placeholder))) {
		length = length - PLACEHOLDER_LENGTH + item_length;
		word += PLACEHOLDER_LENGTH;
	}
	return length;
}

/* Writes the word with the item in it, ended by NUL, and returns where it ends. */
static char *fill_word(char *text, const char *word, const char *item, size_t item_length)
{
	for (const char *found; (found = strstr(word, placeholder)); word = found + PLACEHOLDER_LENGTH) {
		text = mempcpy(text, word, (size_t)(found - word));
		text = mempcpy(text, item, item_length);
	}
	return stpcpy(text, word) + 1;
}

static int make_text_room(struct run_command *command, size_t item_length)
{
	size_t needed = 0;
	char *text;

	for (size_t i = 0; i < command->count; i++)
		needed += filled_length(command->words[i], item_length) + 1;
	if (needed <= command->text_room)
		return 0;
	text = realloc(command->text, 2 * needed);
	if (!text)
		return -ENOMEM;
	command->text = text;
	command->text_room = 2 * needed;
	return 0;
}

int run_command_fill(struct run_command *command, const char *item, size_t length,
                     const char *const **ret_arguments)
{
	char *text;
	int result;

	*ret_arguments = command->arguments;
	if (!command->replaces) {
		command->arguments[command->count] = item;
		return 0;
	}
	result = make_text_room(command, length);
	if (result < 0)
		return result;
	text = command->text;
	for (size_t i = 0; i < command->count; i++) {
		if (!strstr(command->words[i], placeholder))
			continue;
		command->arguments[i] = text;
		text = fill_word(text, command->words[i], item, length);
	}
	return 0;
}
