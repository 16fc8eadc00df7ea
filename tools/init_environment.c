/* SPDX-License-Identifier: MIT */
#include "init_environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init_say.h"
#include "init_variables.h"

static const char *const own_pids[] = { "LISTEN_PID", "WATCHDOG_PID" };
#define OWN_PIDS (sizeof(own_pids) / sizeof(own_pids[0]))

/* Stands for the pid until it is known. */
static const char not_known[] = "-";

const char init_step_name[] = "pidring-init: pid";
/* Of the process that runs it, whose memory is still this program's then. */
const char init_step_file[] = "/proc/self/exe";

/* Options are for this init, not for one that the program may run. In place: unsetenv(3) does not find an entry without
 * a '=', which execve(2) passes on as any other. */
static void remove_own_variables(void)
{
	char **kept = environ;

	for (char **entry = environ; *entry; entry++)
		if (!init_is_variable(*entry))
			*kept++ = *entry;
	*kept = NULL;
}

static int change(const char *text)
{
	const char *equals = strchr(text, '=');
	char *name;
	int result;

	if (!equals)
		return unsetenv(text) < 0 ? -errno : 0;
	name = strndup(text, (size_t)(equals - text));
	if (!name)
		return -ENOMEM;
	result = setenv(name, equals + 1, 1) < 0 ? -errno : 0;
	free(name);
	return result;
}

int init_environment_make(const char *const *changes, size_t count, const char *home, bool notify)
{
	remove_own_variables();
	/* What this init says to the service manager, the program does not say once more. */
	if (notify)
		unsetenv("NOTIFY_SOCKET");
	if (home && setenv("HOME", home, 1) < 0)
		return -errno;
	for (size_t i = 0; i < count; i++) {
		int result = change(changes[i]);

		if (result < 0)
			return result;
	}
	return 0;
}

static bool is_for_us(const char *name)
{
	const char *value = getenv(name);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return value && strcmp(value, pid) == 0;
}

bool init_environment_needs_step(bool pid_namespace)
{
	bool needed = false;

	for (size_t i = 0; i < OWN_PIDS; i++) {
		if (!is_for_us(own_pids[i]))
			continue;
		setenv(own_pids[i], pid_namespace ? "1" : not_known, 1);
		/* The number of a pidfd of ours, which newer service managers add; without it the pid counts. */
		unsetenv("LISTEN_PIDFDID");
		needed = !pid_namespace;
	}
	return needed;
}

int init_step(char **arguments)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	for (size_t i = 0; i < OWN_PIDS; i++) {
		const char *value = getenv(own_pids[i]);

		if (value && strcmp(value, not_known) == 0)
			setenv(own_pids[i], pid, 1);
	}
	execvp(arguments[0], arguments);
	init_say(INIT_ERROR, "cannot run '%s': %s", arguments[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
