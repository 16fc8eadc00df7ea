/* SPDX-License-Identifier: MIT */
/* Lines of text for the terminal, built in a buffer of fixed size, with items shown so that they can do no
 * harm. */
#ifndef PIDRING_RUN_TEXT_H
#define PIDRING_RUN_TEXT_H

#include <stdarg.h>
#include <stddef.h>

struct run_text {
	char *data; /* not ended by NUL */
	size_t length;
	size_t room;
};

/* What does not fit is left out. */
void run_text_add(struct run_text *text, const char *string);
void run_text_add_bytes(struct run_text *text, const char *bytes, size_t count);
__attribute__((format(printf, 2, 3))) void run_text_format(struct run_text *text, const char *format, ...);
__attribute__((format(printf, 2, 0))) void run_text_format_list(struct run_text *text, const char *format,
                                                                va_list arguments);

/*
 * Adds an item: what is printable in UTF-8 as it is, everything else as \\, \n, \r, \t or \xNN; cut, with
 * "..." at its end, where it would need more than `columns` columns of a terminal.
 */
void run_text_add_item(struct run_text *text, const char *item, size_t length, size_t columns);

#endif
