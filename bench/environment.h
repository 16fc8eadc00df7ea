/* SPDX-License-Identifier: MIT */
/* What a world looks like, and where the programs are that it starts. */
#ifndef BENCH_ENVIRONMENT_H
#define BENCH_ENVIRONMENT_H

#include "harness.h"

/* Stands for the static program without libc that lies beside the suite. */
#define PROGRAM_NO_OP "no-op"
/* The same for one that tells when it began. */
#define PROGRAM_STAMP "stamp"

/* Why these conditions cannot be had here in so many worlds at once, or NULL. */
const char *environment_missing(const struct bench_conditions *conditions, unsigned worlds);

/* Pins this process, and so all that it creates, to the cores of the row. Ends in bench_fail. */
void environment_pin(const struct bench_conditions *conditions);
/* Pins it to the other cores, if there are any. Ends in bench_fail. */
void environment_pin_elsewhere(const struct bench_conditions *conditions);

/* Opens and touches. Ends in bench_fail. */
void environment_prepare(const struct bench_conditions *conditions);

/* Where the program is: the one beside the suite for PROGRAM_NO_OP, else the name itself. Static. */
const char *environment_program(const char *program);

/* The file `name`, seen from the directory of the suite; in `buffer`. NULL if it cannot be executed. */
const char *environment_beside(const char *name, char *buffer, size_t size);

/* Raises the soft descriptor limit as far as it goes and returns it. */
size_t environment_raise_descriptors(void);

#endif
