/* SPDX-License-Identifier: MIT */
/* Which functions a server knows: what code was loaded when it was made. */
#ifndef PIDRING_BIRTH_KNOWN_H
#define PIDRING_BIRTH_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct known_segment {
	uintptr_t begin, end;
	uint64_t object; /* tells one object from another that is loaded at the same place later */
};

struct known_functions {
	struct known_segment *segments;
	size_t count;
	unsigned long long unloaded; /* how many objects had been unloaded by then */
};

/* The code that is loaded now. -ENOMEM. */
int known_functions_read(struct known_functions *ret_known);
void known_functions_release(struct known_functions *known);
/* Whether it was loaded then: for the server and its children. */
bool known_functions_have(const struct known_functions *known, const void *function);
/* And has not been replaced since: for the application. */
bool known_functions_still_have(const struct known_functions *known, const void *function);

#endif
