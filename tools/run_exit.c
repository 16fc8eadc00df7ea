/* SPDX-License-Identifier: MIT */
#include "run_exit.h"

#include <pidring.h>
#include <stdio.h>

void run_exit_signal_name(int code, char *buffer, size_t size)
{
	const char *name = pidring_exit_code_name(code);

	if (name)
		snprintf(buffer, size, "%s", name[0] == '-' ? name + 1 : name);
	else
		snprintf(buffer, size, "signal %d", -code);
}
