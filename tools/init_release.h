/* SPDX-License-Identifier: MIT */
/* An init lives as long as its container, and must not hold what it does not need. */
#ifndef PIDRING_INIT_RELEASE_H
#define PIDRING_INIT_RELEASE_H

/* Lets go of the working directory, of inherited descriptors above 2, and of standard input and output: what it has
 * to say goes to standard error. To be called when the program has what it needs. */
void init_release(void);

/* Opens those of the three standard descriptors that were handed over closed, so that nothing of our own lands there. The
 * program finds them closed. */
void init_release_occupy(void);

#endif
