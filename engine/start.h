/* SPDX-License-Identifier: MIT */
/* A start under way, for the files that it is spread over. */
#ifndef PIDRING_START_H
#define PIDRING_START_H

#include "birth/birth.h"
#include "process.h"

struct start {
	struct pidring_process *process;
	struct birth_paths paths;
	struct child_plan
		function_plan; /* unless it is in a slot, as are those of programs, and of functions that tell
	                                    whether they could begin */
	struct pidring_process *parent; /* this process as a function's child will see it */
	sys_signal_set caller_mask;
	int result;
	bool waits;                          /* there is a second half */
	bool reports;                        /* the child tells whether it could begin */
	bool asked;                          /* of a server, whose answer is still to come */
	struct forkserver_callbacks instead; /* of a server that could not be had */
	bool server_lost;                    /* the last one has died before it did what it was asked for */
	unsigned attempts;                   /* that ended so */
	sys_signal_set reset;
	struct pidring_failure failure;
};

/* --- start.c --- */

/* Creates the child; start_finish, if it worked, waits for what is to be waited for. `process` and `reset` are set. */
int start_first_half(struct start *start);
int start_finish(struct start *start);

bool start_is_program(const struct pidring_process *process);

/* --- start_prepare.c --- */

/* Everything that the child will need. What has been made when it fails is given back by start_release. */
int start_prepare(struct start *start);

/* --- start_birth.c --- */

/* Creates the child, or asks a server for it. */
int start_give_birth(struct start *start);
/* The caller's mask is known. */
sys_signal_set start_program_mask(const struct start *start);
/* With the lock held: whatever has a number is known to forks by one name, in which it is closed in the copy. */
void start_take_newborn(struct pidring_process *process);
/* Without: the child that could not run its program has ended or is about to; nobody has seen it. */
void start_reap_stillborn(struct pidring_process *process);

/* --- start_failure.c --- */

/* Keeps the sentence that explain() has, which is the thread's. Returns the error. */
int start_fail(struct pidring_failure *ret_failure, enum pidring_step step, int error);
/* start->result says why there is no child. */
int start_explain_birth(struct start *start);
/* The child of process->slot has reported a failure. */
int start_explain_child(struct pidring_process *process, struct pidring_failure *ret_failure);

/* --- settle.c --- */

/* What the child has told of its plan, once it is settled. */
void start_read_report(struct pidring_process *process);
/* With the lock held: gives back what a settled or failed start no longer needs. */
void start_release(struct pidring_process *process);
/* Its control group need not wait for it any more. */
void start_entry_ended(struct pidring_process *process, bool created);
/* With the lock held: nobody waits for the child to take what it needs; the watch, or the end, will tell. */
void start_leave_to_watch(struct pidring_process *process);

/* --- start_server.c: with a forkserver --- */

/* With the lock held: finds the server, if there can be one. */
int start_find_server(struct start *start);
/* Without: waits until it serves. */
int start_await_server(struct start *start);
/* With the lock held: a box for the child, in process->slot. False: none is to be had. */
bool start_take_box(struct start *start);
/* With the lock held: what the plan points to goes into the box. */
int start_pack(struct start *start);
/* Creates the child, or asks for one. */
int start_send(struct start *start);
/* What was asked for. -EPIPE: there is no server any more, and nothing was created. */
int start_await_newborn(struct start *start);

#endif
