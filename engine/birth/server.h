/* SPDX-License-Identifier: MIT */
/* The life of a forkserver, and of the children that wait in it. */
#ifndef PIDRING_BIRTH_SERVER_H
#define PIDRING_BIRTH_SERVER_H

#include "birth/forkserver.h"
#include "birth/known.h"
#include "birth/nursery.h"

#include <sched.h>
#include <signal.h>

/* A disposition of the application's that is not SIG_DFL. */
struct server_action {
	int signal_number;
	struct sigaction action;
};

/* What a server knows, in its private memory: nothing that is written to the nursery later changes it. */
struct server {
	struct nursery *nursery;
	unsigned boxes;
	unsigned index;
	pid_t application;
	struct known_functions known;
	struct forkserver_callbacks callbacks;

	struct birth_repairs repairs; /* of its children */

	/* What its children get back when they begin. */
	struct server_action actions[SYS_SIGNALS];
	unsigned action_count;
	struct sched_param scheduling;
	int policy;
	char name[16];
};

/* In the clone that is to be the first server, with all signals blocked. */
__attribute__((noreturn)) void server_begin(struct server *server);
/* What of a plan only the server knows. */
void server_complete_plan(const struct server *server, struct child_plan *plan);
/* From a child: becomes the server with server->index. */
__attribute__((noreturn)) void server_serve(struct server *server);
bool server_has_parent(const struct server *server);
/* Waits until the word is not `expected`, or for some seconds. False: the parent has ended, although the signal that
 * tells of it has not come: it does not if the parent had given up its power over this process. */
bool server_sleep(const struct server *server, _Atomic uint32_t *word, uint32_t expected, unsigned seconds);
/* In a server's clone: waits for its task, unless it is there `now`, and carries it out. */
__attribute__((noreturn)) void parked_live(struct server *server, struct nursery_box *box, bool now);

#endif
