/* SPDX-License-Identifier: MIT */
/* The terminal, if there is one: the program is to have its keyboard, and the init to give it back. */
#ifndef PIDRING_INIT_TERMINAL_H
#define PIDRING_INIT_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

struct init_terminal {
	int descriptor;      /* the controlling terminal; -1: none */
	bool had_foreground; /* this process's group had the keyboard */
	bool given;          /* the program has had it since */
};

/* Looks for it among the standard descriptors. */
void init_terminal_open(struct init_terminal *terminal);

/* Gives it up as the controlling terminal of this session, if this process leads that, so that another session can have
 * it. Those in its foreground are hung up by that, this process excepted. */
void init_terminal_give_up(struct init_terminal *terminal);

/* Whether this process's group has the keyboard now. */
bool init_terminal_is_ours(const struct init_terminal *terminal);

/* Whether the program is to have the keyboard from its start on: nobody else reads from it by then, such as the next part
 * of a pipeline. */
bool init_terminal_may_be_given(const struct init_terminal *terminal);

/* Gives the keyboard to a group. */
void init_terminal_give(struct init_terminal *terminal, pid_t group);

/* Takes it back, if `group` has it. */
void init_terminal_take_back(const struct init_terminal *terminal, pid_t group);

/* Whether somebody would notice that this process's group is stopped and continue it: a shell with job control. */
bool init_terminal_has_shell(void);

#endif
