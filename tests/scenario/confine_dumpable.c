/* SPDX-License-Identifier: MIT */
/* Whether this process may be looked into while children change their user in its memory, and afterwards. */
#define _GNU_SOURCE
#include "confined_place.h"

#include <sys/prctl.h>
#include <sys/stat.h>

/* While children change their user in this process's memory it may not be looked into; then it may again, however many they
 * were, and whatever became of them. */
SCENARIO(confine_dumpable, dumpable_afterwards)
{
	enum { COUNT = 12 };
	struct pidring *engine = open_engine();
	struct pidring_process *processes[COUNT];
	struct pidring_mount bad = { .target = "/no/such/target", .type = "tmpfs" };

	need_root();
	for (int round = 0; round < 2; round++) {
		int dumpable = 1 - round;

		check_int(prctl(PR_SET_DUMPABLE, dumpable), 0);
		for (int i = 0; i < COUNT; i++) {
			struct place place;

			make_place(&place, i);
			if (i % 4 == 1)
				place.confinement.mounts = &bad;
			processes[i] = start_process(
				engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
			                                          .asynchronous = true,
			                                          .confinement = &place.confinement });
		}
		for (int i = 0; i < COUNT; i++)
			check_int(finish(processes[i]), i % 4 == 1 ? 126 : 0);
		check_int(prctl(PR_GET_DUMPABLE), dumpable);
	}
	close_engine(engine);
}

/* One that has changed its own user meanwhile is undumpable for its own sake, and stays so. */
SCENARIO(confine_dumpable, user_changed_meanwhile)
{
	struct slow_program slow;
	struct pidring *engine;
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .set_user = true,
		                                   .user = NOBODY };
	struct pidring_process *process;
	struct pidring_event event;
	int dumpable;

	need_root();
	slow = make_slow_program_unless_suspended();
	check_int(chmod(slow.directory, 0755), 0);
	check_int(chmod(slow.path, 0755), 0);
	engine = open_engine();
	check_int(prctl(PR_SET_DUMPABLE, 1), 0);
	process = start_process(engine, (struct pidring_options){ .argv = (const char *[]){ slow.path, NULL },
	                                                          .asynchronous = true,
	                                                          .confinement = &confinement });
	check_int(setresuid(NOBODY, 0, 0), 0);
	check_int(seteuid(NOBODY), 0);
	dumpable = prctl(PR_GET_DUMPABLE);
	check(dumpable != 1);
	check_int(seteuid(0), 0);
	let_go(&slow);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check_int(prctl(PR_GET_DUMPABLE), dumpable);
	check_int(finish(process), 0);
	check_int(prctl(PR_GET_DUMPABLE), dumpable);
	remove_slow_program(&slow);
	close_engine(engine);
}
