/* SPDX-License-Identifier: MIT */
/* The environment variables that stand for options. */
#ifndef PIDRING_INIT_VARIABLES_H
#define PIDRING_INIT_VARIABLES_H

#include <stdbool.h>

#include "init_options.h"

/* Takes them into the options, and those of other inits. 0, or -EINVAL and a sentence. */
int init_variables_apply(struct init_options *options, struct init_error *error);

/* Warns of variables that are named as if they stood for options. The program gets them. */
void init_variables_warn(void);

/* Whether an entry of the environment stands for an option. */
bool init_is_variable(const char *entry);

#endif
