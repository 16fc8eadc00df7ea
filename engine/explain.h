/* SPDX-License-Identifier: MIT */
/* The sentence that goes with a failure. */
#ifndef PIDRING_EXPLAIN_H
#define PIDRING_EXPLAIN_H

/* Remembers the sentence for this thread and returns `error`. */
__attribute__((format(printf, 2, 3))) int explain(int error, const char *format, ...);

#endif
