/* SPDX-License-Identifier: MIT */
/* What the scenarios of forkservers and parked children share. */
#ifndef PIDRING_TESTS_SERVERS_H
#define PIDRING_TESTS_SERVERS_H

#include "scenario.h"

/* Conditions that come about by themselves are waited for so long; then they count as never. */
#define PATIENCE (20 * PIDRING_SECONDS(1))

/* True once `condition` is; false when the patience is over. */
#define eventually(condition)                                              \
	({                                                                 \
		int64_t patience_end = now() + PATIENCE;                   \
		bool came_true;                                            \
		while (!(came_true = (condition)) && now() < patience_end) \
			poll(NULL, 0, 1);                                  \
		came_true;                                                 \
	})

struct pidring *open_with(struct pidring_engine_options options);
/* With a server from the beginning, where there can be one. */
struct pidring *open_served(void);
struct pidring *open_parked(unsigned parked);

/* Whether functions are started through servers here; otherwise by a fork, and the scenario checks that. */
bool serves(struct pidring *engine);
/* Ends the scenario where they are not, because what it shows is a server's. */
void need_server(struct pidring *engine);
/* Waits until so many are parked. */
void wait_parked(struct pidring *engine, unsigned count);

/* By start method FORKSERVER, with so many bytes. */
struct pidring_process *new_served(struct pidring *engine, int (*target)(void *), const void *bytes,
                                   size_t length);
struct pidring_process *start_served(struct pidring *engine, int (*target)(void *), const void *bytes,
                                     size_t length);
/* A program by start method FORKSERVER. */
struct pidring_process *start_served_program(struct pidring *engine, const char *const *argv);
/* It came from a server, parked or not, unless there are none here. */
void check_served(struct pidring *engine, struct pidring_process *process);
/* One start through the server, of a function that has nothing to do. */
void check_still_serves(struct pidring *engine);

/* Memory that stays shared with children. */
void *shared_memory(size_t size);

/* A file with this letter in it, under this number; close-on-exec. */
void place_file(int number, char letter);

/* Children of this process with this name ("pidring-server", "pidring-parked"); how many there are, and up to `capacity` of
 * their pids. Ended ones that nobody has reaped are among them. */
size_t find_servants(const char *name, pid_t *pids, size_t capacity);
/* The one server there is. */
pid_t only_server(void);

/* The number that stands in a line of /proc/PID/status; -1: no such line. */
long long status_number(pid_t pid, const char *label);

#endif
