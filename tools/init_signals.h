/* SPDX-License-Identifier: MIT */
/* The signals that are sent to pidring-init: all are blocked from its first line on, and read. */
#ifndef PIDRING_INIT_SIGNALS_H
#define PIDRING_INIT_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct init_signals {
	int descriptor; /* a signalfd of all but SIGCHLD; -1: not opened yet */
	sigset_t mask;  /* what was blocked at the start, and is to be for the program */
	/* What was ignored stays so here, and for the program. Only SIGCHLD does not: then, what was ignored. */
	bool child_ignored;
	sigset_t ignored;
};

/* Blocks all signals, and notes how they were. To be called first of all, so that none is lost. */
void init_signals_hold(struct init_signals *signals);

/* Opens the descriptor. 0 or a negated errno. */
int init_signals_open(struct init_signals *signals);

/* Takes one signal that has come, and whether the kernel itself has sent it, as for a key of the terminal; 0: none has. */
int init_signals_read(const struct init_signals *signals, bool *ret_by_kernel);

/* Takes this one, if it has come, and forgets it. */
void init_signals_forget(int signal_number);

#endif
