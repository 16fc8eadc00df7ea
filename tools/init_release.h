/* SPDX-License-Identifier: MIT */
/* An init lives as long as its container, and must not hold what it does not need. */
#ifndef PIDRING_INIT_RELEASE_H
#define PIDRING_INIT_RELEASE_H

#include <stdbool.h>

struct init_inheritance {
	bool has_low; /* one of the lowest numbers above 2 was open */
};

/* Looks what was inherited, before anything of our own is opened. Opens those of the three standard descriptors that were
 * handed over closed, so that nothing of our own lands there. The program finds them closed. */
void init_release_prepare(struct init_inheritance *inheritance);

/* Lets go of the working directory, of inherited descriptors above 2, and of standard input and output: what it has
 * to say goes to standard error. To be called when the program has what it needs. */
void init_release(const struct init_inheritance *inheritance);

#endif
