/* SPDX-License-Identifier: MIT */
/* Messages of pidring-init: on standard error, and never at the price of waiting for a reader. */
#ifndef PIDRING_INIT_SAY_H
#define PIDRING_INIT_SAY_H

#include <stddef.h>

enum init_level {
	INIT_ERROR = 0,   /* told in any case */
	INIT_WARNING = 1, /* something is not as it was meant */
	INIT_NOTICE = 2,  /* what happens to the program */
	INIT_DETAIL = 3,  /* every signal, everybody who is reaped */
};

/* What messages begin with, and the last level that is told. `prefix` must stay. */
void init_say_set(const char *prefix, int verbosity);

__attribute__((format(printf, 2, 3))) void init_say(enum init_level level, const char *format, ...);

/*
 * Writes all of it, unless the reader would have to be waited for (`patience` milliseconds at most) or has gone:
 * then nothing. What is longer than a pipe takes at a time (4,096 bytes) may be cut.
 *
 *   -EAGAIN   there was no room
 *   others    as write(2)
 */
int init_write(int descriptor, const char *data, size_t length, int patience);

#endif
