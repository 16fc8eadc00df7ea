/* SPDX-License-Identifier: MIT */
/* The items, read from a descriptor in large blocks. */
#ifndef PIDRING_RUN_ITEMS_H
#define PIDRING_RUN_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

struct run_items {
	int descriptor;
	char separator;
	bool always_ready; /* a file: poll(2) would only say yes */
	bool at_end;
	char *buffer;
	size_t room;
	size_t longest;  /* what the kernel takes for one argument, without its NUL */
	size_t begin;    /* of what has been read and not yet handed out */
	size_t searched; /* up to here there is no separator */
	size_t end;
	size_t number; /* of the item that was read last, from 1, empty lines counted */
	char error[160];
};

enum run_items_result {
	RUN_ITEMS_FAILED, /* `error` says why */
	RUN_ITEMS_END,
	RUN_ITEMS_NOT_YET, /* nothing to be had without blocking, or without a longer search: poll the
	                    * descriptor */
	RUN_ITEMS_ONE,
};

/* -ENOMEM. The descriptor stays the caller's. */
int run_items_open(struct run_items *items, int descriptor, bool null_separated);
void run_items_close(struct run_items *items);

/* The next item, ended by NUL; it stands in the reader's buffer until the next call. */
enum run_items_result run_items_next(struct run_items *items, const char **ret_item, size_t *ret_length);

#endif
