/* SPDX-License-Identifier: MIT */
/* What the scenarios of births share. */
#ifndef PIDRING_TESTS_BIRTH_HELPERS_H
#define PIDRING_TESTS_BIRTH_HELPERS_H

#include "scenario.h"

/* The path by which a function comes to be that is started now. */
enum pidring_birth birth_of_function(struct pidring *engine, bool libc_fork);

#endif
