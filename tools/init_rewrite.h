/* SPDX-License-Identifier: MIT */
/* What becomes of a signal before it is forwarded. */
#ifndef PIDRING_INIT_REWRITE_H
#define PIDRING_INIT_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "init_values.h"

struct init_rewriting {
	bool given;    /* there is a rule; otherwise the signal is forwarded as it is */
	int sent;      /* 0: dropped */
	int64_t delay; /* nanoseconds */
};

/* One for each signal number. */
struct init_rewritings {
	struct init_rewriting of[INIT_SIGNALS + 1];
};

/* Reads "TERM:QUIT", "HUP:0", "15:3+10s", several with commas. Of two rules for one signal the later counts. */
int init_rewrite_read(struct init_rewritings *rewritings, const char *text, struct init_error *error);

/* What becomes of this one. */
struct init_rewriting init_rewrite(const struct init_rewritings *rewritings, int received);

#endif
