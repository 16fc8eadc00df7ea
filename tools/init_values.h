/* SPDX-License-Identifier: MIT */
/* Reading what stands behind an option: numbers, times, signals, names of a table. */
#ifndef PIDRING_INIT_VALUES_H
#define PIDRING_INIT_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last signal number that Linux knows. */
#define INIT_SIGNALS 64

/* What was wrong with a value. */
struct init_error {
	char text[256];
};

/* Stores the sentence; always -EINVAL. */
__attribute__((format(printf, 2, 3))) int init_error_set(struct init_error *error, const char *format, ...);

/* Puts what the value is about before a sentence about it; always -EINVAL. */
int init_error_at(struct init_error *error, const char *where);

/* A word of a small language. */
struct init_word {
	const char *text;
	int value;
};

/* These return 0, or -EINVAL and a sentence that says what was wrong with which text. `length`: only so much of the
 * text; they do not need a NUL. */

/* A whole number, decimal. */
int init_read_number(const char *text, size_t length, int64_t least, int64_t most, int64_t *ret_number,
                     struct init_error *error);
/* "10", "10s", "1.5s", "500ms", "2m" in nanoseconds; "forever" is PIDRING_FOREVER. */
int init_read_time(const char *text, size_t length, int64_t *ret_time, struct init_error *error);
/* "TERM", "SIGTERM", "15", "RTMIN+2", "RTMAX-1", in any case. */
int init_read_signal(const char *text, size_t length, int *ret_signal, struct init_error *error);
/* yes, true, on, 1; no, false, off, 0, in any case. */
int init_read_flag(const char *text, bool *ret_flag, struct init_error *error);
/* One of the words of a table that ends with NULL; `what` names their kind. */
int init_read_word(const char *text, size_t length, const struct init_word *words, const char *what,
                   int *ret_value, struct init_error *error);

/* Calls `each` with every part of a list with commas, until one fails. Empty parts are errors. */
int init_read_list(const char *list,
                   int (*each)(void *context, const char *part, size_t length, struct init_error *error),
                   void *context, struct init_error *error);

/* "SIGTERM", "SIGRTMIN+2"; lasts until the next call. */
const char *init_signal_name(int signal_number);

#endif
