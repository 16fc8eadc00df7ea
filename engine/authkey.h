/* SPDX-License-Identifier: MIT */
/* The auth key on its way to a program: a sealed memfd. */
#ifndef PIDRING_AUTHKEY_H
#define PIDRING_AUTHKEY_H

#include <stddef.h>

/* Returns a close-on-exec descriptor, or a negated errno. */
int authkey_to_memfd(const void *key, size_t length);

#endif
