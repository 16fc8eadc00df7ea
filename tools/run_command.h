/* SPDX-License-Identifier: MIT */
/* The command and how an item gets into it. */
#ifndef PIDRING_RUN_COMMAND_H
#define PIDRING_RUN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct run_command {
	char *const *words;
	size_t count;
	bool replaces; /* {} is somewhere in the words; otherwise the item comes after them */
	/* The file that words[0] stands for; NULL: to be looked up at each start. */
	char *program;
	const char **arguments;
	char *text; /* of the arguments that were made for the item filled in last */
	size_t text_room;
};

/* -ENOMEM. `words` must stay. */
int run_command_open(struct run_command *command, char *const *words, size_t count);
void run_command_close(struct run_command *command);

/* Whether the item says which program is run. */
bool run_command_names_item(const struct run_command *command);
/* Whether it is one word that only a shell would understand. */
bool run_command_is_for_shell(const struct run_command *command);

/*
 * The argument list for an item, ended by NULL. It stands until the next call, and no longer than the item.
 *
 *   -ENOMEM
 */
int run_command_fill(struct run_command *command, const char *item, size_t length,
                     const char *const **ret_arguments);

#endif
