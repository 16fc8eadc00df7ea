/* SPDX-License-Identifier: MIT */
/* What pidring-init knows while the program runs. */
#ifndef PIDRING_INIT_H
#define PIDRING_INIT_H

#include <pidring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "init_options.h"
#include "init_release.h"
#include "init_signals.h"
#include "init_status.h"
#include "init_terminal.h"

enum init_phase {
	INIT_RUNNING = 0, /* the program runs; in pause mode: until a signal */
	INIT_WAITING,     /* it has ended, others have not, and they may take their time */
	INIT_STOPPING,    /* all were asked to end */
	INIT_KILLING,     /* those who did not were killed, and are about to end */
	INIT_OVER,
};

struct init {
	const struct init_options *options;
	struct init_signals signals;
	struct init_terminal terminal;
	struct init_status status;
	struct init_inheritance inheritance;

	struct pidring *engine;
	struct pidring_cgroup *cgroup;   /* NULL: none */
	struct pidring_process *program; /* NULL: none, in pause mode */
	pid_t pid;
	bool runs; /* the program has not ended */
	int code;  /* what the exit status is made of, as of PIDRING_EXITED */
	bool lost; /* somebody else knows it: there is no code */

	enum init_phase phase;
	int64_t phase_end; /* CLOCK_MONOTONIC; PIDRING_FOREVER: it has none */
	int64_t killed;    /* when everybody was killed last */
	int64_t kill_due;  /* when it is to be done again; PIDRING_FOREVER: not at all */
	bool rest_told;    /* the others were sent SIGTERM */

	int64_t due[INIT_SIGNALS + 1]; /* when a signal that came is to be forwarded; 0: none waits */
};

int64_t init_now(void);

#endif
