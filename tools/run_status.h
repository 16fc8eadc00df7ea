/* SPDX-License-Identifier: MIT */
/* What the user sees on standard error: messages, and on a terminal a status line that makes way for them. */
#ifndef PIDRING_RUN_STATUS_H
#define PIDRING_RUN_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run_text.h"
#include "run_write.h"

/* The most bytes that a message takes, with its newline. */
#define RUN_STATUS_MESSAGE (4 * 4096 + 1024)

struct run_status {
	struct run_writer *writer;
	bool wanted; /* standard error is a terminal that can do it */
	bool drawn;
	bool stale;      /* something has changed since it was drawn */
	bool unfinished; /* standard error is in the middle of a line that a job has begun */
	int64_t redraw_at;
};

struct run_counts {
	size_t done; /* failed ones among them */
	size_t running;
	size_t failed;
};

/* `writer` must stay. */
void run_status_open(struct run_status *status, struct run_writer *writer);

/* Something has changed: the line is to be redrawn as soon as its turn comes. */
void run_status_changed(struct run_status *status);

/* How long a wait may take, for the line's sake. */
int64_t run_status_timeout(const struct run_status *status);

/* Redraws the line if its turn has come. `item` may be NULL. */
void run_status_refresh(struct run_status *status, const struct run_counts *counts, const char *item,
                        size_t item_length);

void run_status_clear(struct run_status *status);

/* As run_status_clear, for something that is about to be written there; the line comes back. */
void run_status_make_way(struct run_status *status);

/* Prints "pidring-run: ITEM: MESSAGE" in one piece, on a line of its own; `item` may be NULL. Blocks while nobody
 * reads, until a stop signal comes: then the message is dropped. */
__attribute__((format(printf, 4, 5))) void run_status_say(struct run_status *status, const char *item,
                                                          size_t item_length, const char *format, ...);

/* The two halves of it, for a message that is printed later. `text` has room for RUN_STATUS_MESSAGE bytes. */
__attribute__((format(printf, 4, 0))) void run_status_compose(struct run_text *text, const char *item,
                                                              size_t item_length, const char *format,
                                                              va_list arguments);
void run_status_print(struct run_status *status, const char *message, size_t length);

#endif
