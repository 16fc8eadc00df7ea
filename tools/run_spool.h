/* SPDX-License-Identifier: MIT */
/*
 * Output that waits: in memory as long as it is little, then in a temporary file that has no name. All spools share
 * one file, so that any number of them takes one descriptor.
 */
#ifndef PIDRING_RUN_SPOOL_H
#define PIDRING_RUN_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all spools have in common. */
struct run_spool_store {
	size_t memory; /* that they take, all together */
	int file;      /* -1: none has been needed yet */
	uint32_t slots;
	uint32_t *free_slots;
	size_t free_count;
	size_t free_room;
};

/* All zero: empty. */
struct run_spool {
	char *memory;
	size_t length;
	size_t room;
	size_t newest; /* where the newest record in memory begins */
	/* What came when there was no more memory for it. */
	struct run_spool_slot *slots;
	size_t slot_count;
	size_t slot_room;
};

void run_spool_store_open(struct run_spool_store *store);
void run_spool_store_close(struct run_spool_store *store);
/* Where the file is made: TMPDIR or /tmp. */
const char *run_spool_directory(void);

/* Adds bytes of a stream, 0 to 3. 0 or a negated errno: then a part of them may be missing at the end. */
int run_spool_add(struct run_spool_store *store, struct run_spool *spool, unsigned stream, const char *data,
                  size_t length);

bool run_spool_is_empty(const struct run_spool *spool);

/* Hands everything to `take`, in the order in which it was added, and empties the spool. `take` may add to other
 * spools and empty them. 0, or a negated errno: the rest could not be read, and is lost. */
int run_spool_empty(struct run_spool_store *store, struct run_spool *spool,
                    void (*take)(void *context, unsigned stream, const char *data, size_t length),
                    void *context);

#endif
