/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cgroup_members.h"

#include <mntent.h>

struct pidring_cgroup *open_group(struct pidring *engine)
{
	return open_group_with(engine, (struct pidring_cgroup_options){ 0 });
}

void close_group(struct pidring_cgroup *group)
{
	check_int(pidring_cgroup_free(group), 0);
}

void close_group_and_engine(struct pidring_cgroup *group, struct pidring *engine)
{
	close_group(group);
	close_engine(engine);
}

struct pidring_process *start_in(struct pidring *engine, struct pidring_cgroup *group, int (*target)(void *),
                                 void *argument)
{
	struct pidring_process *process = start_function(engine, target, argument);

	enter_group(group, pidring_process_pid(process));
	return process;
}

void expect_empty(struct pidring *engine, struct pidring_cgroup *group)
{
	struct pidring_event event;

	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (event.type != PIDRING_CGROUP_EMPTY);
	check(event.cgroup == group);
	check(event.process == NULL);
	check(!event.last);
}

void expect_nothing(struct pidring *engine)
{
	struct pidring_event event;

	while (pidring_wait(engine, &event, 1, 0) == 1)
		check(event.type != PIDRING_CGROUP_EMPTY);
}

void expect_quiet(struct pidring *engine)
{
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
}

const char *directory_of(struct pidring_cgroup *group)
{
	static char path[1024];
	FILE *mounts = setmntent("/proc/self/mounts", "re");

	check(mounts != NULL);
	for (struct mntent *mount = getmntent(mounts); mount != NULL; mount = getmntent(mounts))
		if (strcmp(mount->mnt_type, "cgroup2") == 0)
			snprintf(path, sizeof(path), "%s%s", mount->mnt_dir, pidring_cgroup_path(group));
	endmntent(mounts);
	return path;
}
