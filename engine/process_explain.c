/* SPDX-License-Identifier: MIT */
/* What is wrong with a call for a process, in words. */
#include "process.h"

#include "explain.h"

#include <errno.h>

int explain_null(const char *function)
{
	return explain(-EINVAL, "%s: process is NULL", function);
}

int explain_closed(const struct pidring_process *process)
{
	return explain(-EBADF, "process '%s' is closed", process->name);
}

int explain_foreign(const struct pidring_process *process, const char *what)
{
	return explain(-ECHILD, "process '%s' cannot be %s here: it is not a child of this process",
	               process->name, what);
}

int explain_no_engine(const struct pidring_process *process)
{
	return explain(-ESHUTDOWN, "the engine of process '%s' was closed", process->name);
}

int explain_not_started(const struct pidring_process *process)
{
	return explain(-ESRCH, "process '%s' has not been started", process->name);
}
