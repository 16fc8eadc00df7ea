/* SPDX-License-Identifier: MIT */
/* What the scenarios of programs share. */
#ifndef PIDRING_TESTS_PROGRAM_HELPERS_H
#define PIDRING_TESTS_PROGRAM_HELPERS_H

#include "scenario.h"

#define ARGV(...)     ((const char *[]){ __VA_ARGS__, NULL })
#define SHELL(script) ARGV("/bin/sh", "-c", script)

/* Runs a program in a new engine and checks what it writes; it must end with 0. */
void check_output(struct pidring_options options, const char *expected);
/* Runs `scenarios --sub NAME`, which must return 0. */
void check_subprogram(const char *name, struct pidring_options options);

#endif
