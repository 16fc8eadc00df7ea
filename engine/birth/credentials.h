/* SPDX-License-Identifier: MIT */
/* What a server must have in common with its application, so that its children are not mightier than that. */
#ifndef PIDRING_BIRTH_CREDENTIALS_H
#define PIDRING_BIRTH_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

enum { CREDENTIALS = 20 };

struct credentials {
	uint64_t values[CREDENTIALS]; /* only to be compared */
};

void credentials_read(struct credentials *ret_credentials);
bool credentials_equal(const struct credentials *a, const struct credentials *b);

#endif
