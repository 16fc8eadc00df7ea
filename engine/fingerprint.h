/* SPDX-License-Identifier: MIT */
/* FNV-1a: tells things apart that are only to be compared. */
#ifndef PIDRING_FINGERPRINT_H
#define PIDRING_FINGERPRINT_H

#include <stdint.h>

#define FINGERPRINT_EMPTY UINT64_C(14695981039346656037)

static inline uint64_t fingerprint_add(uint64_t fingerprint, uint64_t value)
{
	return (fingerprint ^ value) * UINT64_C(1099511628211);
}

#endif
