/* SPDX-License-Identifier: MIT */
/* Fields of the kernel's text files, with blanks between them. Not by scanf(3): it brings all of libc's floating-point numbers
 * into a static program. */
#ifndef PIDRING_FIELDS_H
#define PIDRING_FIELDS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where the field begins, counted from 0; at the text's end if there are not so many. */
static inline const char *fields_at(const char *text, unsigned index)
{
	static const char blanks[] = " \t\n";

	text += strspn(text, blanks);
	for (; index > 0; index--) {
		text += strcspn(text, blanks);
		text += strspn(text, blanks);
	}
	return text;
}

/* Its length. */
static inline size_t fields_length(const char *field)
{
	return strcspn(field, " \t\n");
}

/* The next pid of a file that has nothing else in it. */
static inline bool fields_next_pid(FILE *stream, int *ret_pid)
{
	int letter = getc(stream), pid = 0;

	while (letter == ' ' || letter == '\n')
		letter = getc(stream);
	if (letter < '0' || letter > '9')
		return false;
	for (; letter >= '0' && letter <= '9'; letter = getc(stream))
		pid = 10 * pid + (letter - '0');
	*ret_pid = pid;
	return true;
}

#endif
