/* SPDX-License-Identifier: MIT */
/* The manners of pidring-init: its own, and those of the inits whose place it can take. A manner is a set of defaults. */
#ifndef PIDRING_INIT_MANNER_H
#define PIDRING_INIT_MANNER_H

#include <stdbool.h>

/* Whom signals go to. In this and the next three, 0: not said yet. */
enum init_target {
	INIT_TO_CHILD = 1,
	INIT_TO_GROUP,
	INIT_TO_TREE,
};

/* Where the program lives. */
enum init_place {
	INIT_PLACE_SAME = 1, /* in the group of its init */
	INIT_PLACE_GROUP,    /* in a group of its own, which has the terminal if its init had it */
	INIT_PLACE_SESSION,  /* in a session of its own, which has the terminal if its init gave it up */
};

/* What becomes of the others when the program has ended. */
enum init_ending {
	INIT_END_STOP = 1, /* SIGTERM, and SIGKILL when the grace is over */
	INIT_END_LEAVE,    /* nothing */
	INIT_END_SIGNAL,   /* SIGTERM to those who get signals, once, and nobody waits */
	INIT_END_WAIT,     /* they are waited for */
	INIT_END_LAST,     /* the same, and the exit code is that of the last */
};

enum init_manner_name {
	INIT_OWN_MANNER = 1,
	INIT_TINI,
	INIT_DUMB_INIT,
};

struct init_manner {
	const char *prefix;         /* of messages */
	const char *refusal_prefix; /* of those about the command line */
	int verbosity;
	int verbose_step; /* what each -v adds */
	int own_error;    /* the exit status for what is nobody else's fault */
	enum init_target target;
	enum init_place place;
	enum init_ending ending;
	bool subreaper;
	bool dies_with_init; /* the program gets SIGKILL if its init ends */
	bool follows_stops;  /* when the terminal stops the program its init stops, too */
	bool suspends;       /* signals of the terminal that stop also stop the init itself */
	bool stop_for_tstp; /* in a session of its own, such signals become SIGSTOP, which nobody can ignore */
	bool version_on_stderr;
	const char *version; /* what goes before and after the number */
	const char *version_tail;
};

const struct init_manner *init_manner(enum init_manner_name name);

/* The manner that goes with the name by which it was called. */
enum init_manner_name init_manner_of(const char *program);

#endif
