/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "birth_helpers.h"

enum pidring_birth birth_of_function(struct pidring *engine, bool libc_fork)
{
	struct pidring_process *process = start_process(
		engine, (struct pidring_options){ .target = return_zero, .libc_fork = libc_fork });
	enum pidring_birth birth = pidring_process_birth(process);

	check_int(finish(process), 0);
	return birth;
}
