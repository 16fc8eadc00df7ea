/* SPDX-License-Identifier: MIT */
/* The signals that ask pidring-run to stop: SIGTERM, SIGINT and SIGHUP. They are let in at chosen moments
 * only. */
#ifndef PIDRING_RUN_SIGNALS_H
#define PIDRING_RUN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct run_signals {
	sigset_t waiting; /* the mask to wait with: lets them in */
	sigset_t working; /* the mask at all other times */
	/* The jobs are to get dispositions and mask as they are here during a wait: either because one of the
	 * signals, or SIGPIPE, was ignored at our start and is to stay so for the jobs, or because
	 * these are the default ones anyway, and handing them on is cheaper than setting each anew. */
	bool handed_on;
	bool pipe_ignored; /* SIGPIPE was, at our start */
};

void run_signals_catch(struct run_signals *signals);

/* Between these two they are let in, and the mask is that of a wait. */
void run_signals_let_in(const struct run_signals *signals);
void run_signals_hold_back(const struct run_signals *signals);

/* Lets in those that have come until now. */
void run_signals_look(const struct run_signals *signals);

/* Which has come first; 0: none. */
int run_signals_first(void);

/* Whether one has come later, a second after the first or more. */
bool run_signals_insisted(void);

/* From here on they end this process, as they would have without run_signals_catch. */
void run_signals_release(const struct run_signals *signals);

/* Ends this process by the signal. */
__attribute__((noreturn)) void run_signals_die_of(int signal_number);

#endif
