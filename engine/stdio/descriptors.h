/* SPDX-License-Identifier: MIT */
/* Which descriptors a child gets, and how, without a cost that grows with the number of open ones. */
#ifndef PIDRING_STDIO_DESCRIPTORS_H
#define PIDRING_STDIO_DESCRIPTORS_H

#include "birth/child.h"
#include "options.h"
#include "stdio/ends.h"

#include <stdbool.h>
#include <stdint.h>

/* So many descriptors with high numbers can be passed by an engine's starts under way at the cost of low ones.
 */
enum { LOW_STAND_INS = 64 };

/*
 * A child that shares its creator's table takes along what is below a number and leaves the rest, so
 * descriptors to pass must have low numbers. An engine keeps a few: /dev/null itself, and some that stand in
 * for high ones during a start, more of them once a start has needed them.
 *
 * A child looks at them in the shared table until it has left it, which may be after the engine was closed:
 * so every start under way holds a reference.
 */
struct low_descriptors {
	unsigned references;
	int self; /* a pidfd of this process: how a child knows that its parent lives */
	int null; /* -1: could not be had; then the child opens it */
	int number[LOW_STAND_INS];
	unsigned count;
	uint64_t taken; /* a bit for each number */
};

/* -ENOMEM, or what pidfd_open says. */
int low_descriptors_new(struct low_descriptors **ret_low);
void low_descriptors_unreference(struct low_descriptors *low);
/* In a fork: opens this process's own in place of the inherited ones, to which nobody else refers here. */
int low_descriptors_renew(struct low_descriptors *low);
/* In a fork: closes the stand-ins that no start had taken. */
void low_descriptors_close_free(struct low_descriptors *low);
/* In a process that shares the table of the one whose they are. */
void low_descriptors_forget(struct low_descriptors *low);
/* In a fork: closes all, but for the pidfd of the parent if it is `kept`. */
void low_descriptors_close(struct low_descriptors *low, int kept);

/* The low descriptors that one start has taken: a bit for each. */
struct taken_descriptors {
	uint64_t mask;
};

/*
 * Makes the placements of the plan for a program: streams, passed descriptors, and the auth key's memfd if it
 * is not -1. The caller frees them when the child no longer looks at them. -EBADF: a descriptor is not open;
 * -ENOMEM; then nothing is taken.
 */
int descriptors_place(struct child_plan *plan, const struct settings *settings,
                      const struct stream_ends *ends, int authkey_memfd, struct low_descriptors *low,
                      struct taken_descriptors *ret_taken);
/* For a function, whose table is a copy anyway. */
int descriptors_place_function(struct child_plan *plan, const struct settings *settings,
                               const struct stream_ends *ends, const struct low_descriptors *low);
/* Gives the low descriptors back, once the child has left the table. */
void descriptors_give_back(struct low_descriptors *low, struct taken_descriptors *taken);

#endif
