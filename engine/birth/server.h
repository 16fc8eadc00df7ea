/* SPDX-License-Identifier: MIT */
/* The life of a forkserver, and of the children that wait in it. */
#ifndef PIDRING_BIRTH_SERVER_H
#define PIDRING_BIRTH_SERVER_H

#include "birth/forkserver.h"
#include "birth/known.h"
#include "birth/nursery.h"

#include <sched.h>
#include <signal.h>

/* What a server knows, in its private memory: nothing that is written to the nursery later changes it. */
struct server {
	struct nursery *nursery;
	unsigned boxes;
	unsigned index;
	pid_t application;
	struct known_functions known;
	struct forkserver_callbacks callbacks;

	/* How its children are made a fork of libc's (birth/fork.c). */
	int *thread_id;
	void *robust_list;
	size_t robust_list_length;

	/* What its children get back when they begin. */
	struct sigaction parent_action;
	struct sched_param scheduling;
	int policy;
	char name[16];
	sys_signal_set handled; /* the signals that are not SIG_DFL */
};

/* In the clone that is to be the first server, with all signals blocked. */
__attribute__((noreturn)) void server_begin(struct server *server);
/* From a child: becomes the server with server->index. */
__attribute__((noreturn)) void server_serve(struct server *server);
/* In a server's clone: waits for its task, and carries it out. */
__attribute__((noreturn)) void parked_live(struct server *server, struct nursery_box *box);

#endif
