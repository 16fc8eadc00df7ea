/* SPDX-License-Identifier: MIT */
/* The program's environment, as far as it differs from that of its init. */
#ifndef PIDRING_INIT_ENVIRONMENT_H
#define PIDRING_INIT_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Changes the environment of this process into what the program is to have. 0 or a negated errno. */
int init_environment_make(const char *const *changes, size_t count, const char *home, bool notify);

/*
 * LISTEN_PID and WATCHDOG_PID tell a service manager's variables from inherited ones by the pid of the process that they
 * are for. If they are for this one they are for the program, whose pid nobody knows before it exists. So this program is
 * run in its place, under a name that says so, enters the number and becomes the program.
 *
 * Returns whether that step is needed; with a pid namespace it is not, as the program is 1 there, which is entered here.
 */
bool init_environment_needs_step(bool pid_namespace);

/* The name, which stands before the program and its arguments, and the file to run. */
extern const char init_step_name[];
extern const char init_step_file[];

/* The step itself. Returns the exit status only if the program cannot be run. */
int init_step(char **arguments);

#endif
