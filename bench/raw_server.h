/* SPDX-License-Identifier: MIT */
/*
 * The raw floor of a forkserver: a process that clones children of its parent, and nothing around that. It comes in three
 * kinds, which do the same work but for how they are told and how descriptors travel: the child gets three of the caller's
 * descriptors as its standard streams, nothing above them, and ends with 0; the caller gets its pidfd.
 */
#ifndef BENCH_RAW_SERVER_H
#define BENCH_RAW_SERVER_H

#include <sys/types.h>

enum raw_server_kind {
	RAW_SERVER_FUTEX = 0,  /* shares the table of descriptors, is woken by a futex */
	RAW_SERVER_SOCKET = 1, /* shares the table, is asked through a socket */
	RAW_SERVER_RIGHTS =
		2, /* has a table of its own: descriptors travel through the socket (SCM_RIGHTS) */
	RAW_SERVER_KINDS = 3,
};

/* All kinds, as copies of this process as it is now. Ends in bench_fail, as the others do. */
void raw_servers_open(void);
void raw_servers_close(void);

/* Returns the pidfd of a new child of this process. */
int raw_server_start(enum raw_server_kind kind, const int streams[3]);
/* Waits for its end, which must be with 0. */
void raw_server_reap(int pidfd);

#endif
