/* SPDX-License-Identifier: MIT */
/* What a program needs at the moment of its start: its file and its environment. */
#ifndef PIDRING_LAUNCH_H
#define PIDRING_LAUNCH_H

#include "options.h"

struct launch {
	/* A snapshot where the start does not wait for the exec: the caller may change its environment
	 * meanwhile. */
	char **envp;
	const char *path;
	char **candidates; /* where the child looks for it; NULL: at `path` */
	char *found;       /* the path, if it was looked for */
};

/* -ENOENT, -EACCES: no such program in PATH. -ENOMEM. */
int launch_new(struct launch **ret_launch, const struct settings *settings);
void launch_free(struct launch *launch);

bool launch_is_directory(const struct launch *launch, const struct settings *settings);
/* After execve has said ENOENT: whether the file is there, and so its interpreter is missing, whose name is
 * stored if it can be read. */
bool launch_lacks_interpreter(const struct launch *launch, const struct settings *settings,
                              char *ret_interpreter, size_t size);

#endif
