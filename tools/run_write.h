/* SPDX-License-Identifier: MIT */
/* Writing to a reader that may be slow, or gone, without becoming deaf to the stop signals. */
#ifndef PIDRING_RUN_WRITE_H
#define PIDRING_RUN_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "run_signals.h"

struct run_writer {
	const struct run_signals *signals;
	int64_t patient_until; /* when to stop waiting for readers; 0: no stop signal has been noticed */
	/* Called when a stop signal has come during a wait, which then goes on for a moment. NULL: nothing. */
	void (*on_signal)(void *context);
	void *context;
};

/*
 * Writes all of it. Waits for the reader as long as it takes, but once a stop signal has come only for a moment,
 * together with all later calls.
 *
 *   -ECANCELED   the moment was over
 *   others       as write(2)
 */
int run_write(struct run_writer *writer, int descriptor, const char *data, size_t length);

#endif
