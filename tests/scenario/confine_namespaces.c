/* SPDX-License-Identifier: MIT */
/* New namespaces: each alone, all together, with a user namespace, by root and by an ordinary user. */
#define _GNU_SOURCE
#include "confined.h"

#include <time.h>

enum {
	OF_FUNCTIONS = PIDRING_NAMESPACE_USER | PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID |
	               PIDRING_NAMESPACE_NETWORK | PIDRING_NAMESPACE_UTS | PIDRING_NAMESPACE_IPC |
	               PIDRING_NAMESPACE_CGROUP,
};

static const struct {
	unsigned bit;
	const char *link;
} kinds[] = {
	{ PIDRING_NAMESPACE_USER, "/proc/self/ns/user" },
	{ PIDRING_NAMESPACE_MOUNT, "/proc/self/ns/mnt" },
	{ PIDRING_NAMESPACE_PID, "/proc/self/ns/pid" },
	{ PIDRING_NAMESPACE_NETWORK, "/proc/self/ns/net" },
	{ PIDRING_NAMESPACE_UTS, "/proc/self/ns/uts" },
	{ PIDRING_NAMESPACE_IPC, "/proc/self/ns/ipc" },
	{ PIDRING_NAMESPACE_CGROUP, "/proc/self/ns/cgroup" },
	{ PIDRING_NAMESPACE_TIME, "/proc/self/ns/time" },
};

static const char *own_link(const char *path)
{
	static char target[128];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	check(length > 0);
	target[length] = '\0';
	return target;
}

/* While it lingers: which of its namespaces are others than this process's. */
static unsigned namespaces_of(pid_t pid)
{
	unsigned others = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64], target[128];
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, strrchr(kinds[i].link, '/') + 1);
		length = readlink(path, target, sizeof(target) - 1);
		check(length > 0);
		target[length] = '\0';
		if (strcmp(target, own_link(kinds[i].link)) != 0)
			others |= kinds[i].bit;
	}
	return others;
}

static void check_lingers_in(unsigned namespaces)
{
	struct pidring *engine = open_engine();
	struct lingerer lingerer =
		start_lingerer(engine, (struct pidring_confinement){ .namespaces = namespaces });

	check_int(namespaces_of(pidring_process_pid(lingerer.process)), namespaces);
	end_lingerer(&lingerer);
	close_engine(engine);
}

SCENARIO(confine_namespaces, each_alone)
{
	need_root();
	need_user_namespaces();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		check_lingers_in(kinds[i].bit);
}

SCENARIO(confine_namespaces, all_together)
{
	need_user_namespaces();
	check_lingers_in(OF_FUNCTIONS | PIDRING_NAMESPACE_TIME);
	become_ordinary();
	check_lingers_in(OF_FUNCTIONS | PIDRING_NAMESPACE_TIME);
}

static int linger_in_function(void *argument)
{
	struct latch *latches = argument;

	latch_release(&latches[0]);
	latch_wait(&latches[1]);
	return 23;
}

static void check_function_in(unsigned namespaces)
{
	struct pidring *engine = open_engine();
	struct latch latches[2] = { latch_open(), latch_open() };
	struct pidring_confinement confinement = { .size = sizeof(confinement), .namespaces = namespaces };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .target = linger_in_function,
	                                                        .argument = latches,
	                                                        .confinement = &confinement });

	latch_wait(&latches[0]);
	check_int(namespaces_of(pidring_process_pid(process)), namespaces);
	latch_release(&latches[1]);
	check_int(finish(process), 23);
	latch_close(&latches[0]);
	latch_close(&latches[1]);
	close_engine(engine);
}

SCENARIO(confine_namespaces, of_functions)
{
	need_root();
	need_user_namespaces();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].bit != PIDRING_NAMESPACE_TIME)
			check_function_in(kinds[i].bit);
	check_function_in(OF_FUNCTIONS);
	become_ordinary();
	check_function_in(OF_FUNCTIONS);
}

/* --- what is in them --- */

SCENARIO(confine_namespaces, pid_one)
{
	need_root();
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_PID },
	           QUESTIONS("pid", "parent"), "pid=1\nparent=0\n");
}

SCENARIO(confine_namespaces, host_name)
{
	need_root();
	check_told(
		(struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_UTS, .host_name = "elsewhere" },
		QUESTIONS("host"), "host=elsewhere\n");
}

SCENARIO(confine_namespaces, longest_host_name)
{
	char name[65], expected[80];

	need_root();
	memset(name, 'x', 64);
	name[64] = '\0';
	snprintf(expected, sizeof(expected), "host=%s\n", name);
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_UTS, .host_name = name },
	           QUESTIONS("host"), expected);
}

SCENARIO(confine_namespaces, network)
{
	need_root();
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_NETWORK },
	           QUESTIONS("interfaces"), "interfaces=lo\n");
}

SCENARIO(confine_namespaces, private_proc)
{
	need_root();
	check_told(
		(struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_PID | PIDRING_NAMESPACE_MOUNT,
	                                      .private_proc = true },
		QUESTIONS("status", "NSpid", "link", "/proc/self", "flags", "/proc", "read", "/proc/2/comm"),
		"NSpid=1\n/proc/self=1\n/proc=nosuid nodev noexec \n/proc/2/comm=ENOENT\n");
}

/* Without one it sees the outer one, where this process is. */
SCENARIO(confine_namespaces, outer_proc)
{
	char path[64], expected[128];

	need_root();
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)getpid());
	snprintf(expected, sizeof(expected), "pid=1\n%s=%s\n", path, command_of(getpid()));
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_PID },
	           QUESTIONS("pid", "read", path), expected);
}

/* --- time --- */

static void check_clock(const char *question, clockid_t clock, struct pidring_confinement confinement,
                        int64_t offset)
{
	struct pidring *engine = open_engine();
	struct timespec before, after;
	const char *text;
	long long seen;

	confinement.size = sizeof(confinement);
	check_int(clock_gettime(clock, &before), 0);
	text = told(engine, asking(AS_PROGRAM, QUESTIONS(question),
	                           (struct pidring_options){ .confinement = &confinement }));
	check_int(clock_gettime(clock, &after), 0);
	text = strchr(text, '=');
	check(text != NULL);
	seen = atoll(text + 1) - offset;
	check(seen >= (long long)before.tv_sec * 1000000000 + before.tv_nsec);
	check(seen <= (long long)after.tv_sec * 1000000000 + after.tv_nsec);
	close_engine(engine);
}

SCENARIO(confine_namespaces, time_offsets)
{
	struct pidring_confinement confinement = { .namespaces = PIDRING_NAMESPACE_TIME,
		                                   .monotonic_offset = PIDRING_SECONDS(100000) + 7,
		                                   .boot_time_offset = PIDRING_SECONDS(5000) };

	need_root();
	check_clock("monotonic", CLOCK_MONOTONIC, confinement, confinement.monotonic_offset);
	check_clock("boottime", CLOCK_BOOTTIME, confinement, confinement.boot_time_offset);
	confinement.monotonic_offset = 0;
	check_clock("monotonic", CLOCK_MONOTONIC, confinement, 0);
	/* Back, but not before the beginning. */
	confinement.boot_time_offset = -1500000000;
	check_clock("boottime", CLOCK_BOOTTIME, confinement, -1500000000);
}

SCENARIO(confine_namespaces, time_of_an_ordinary_user)
{
	struct pidring_confinement confinement = { .namespaces =
		                                           PIDRING_NAMESPACE_TIME | PIDRING_NAMESPACE_USER,
		                                   .monotonic_offset = PIDRING_SECONDS(1000) };

	need_user_namespaces();
	become_ordinary();
	check_clock("monotonic", CLOCK_MONOTONIC, confinement, confinement.monotonic_offset);
}

/* Its root is the group that the child is put into, on whichever path. */
SCENARIO(confine_namespaces, root_of_control_groups)
{
	static const unsigned places[] = { PIDRING_NAMESPACE_CGROUP,
		                           PIDRING_NAMESPACE_CGROUP | PIDRING_NAMESPACE_USER };
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group_with(engine, (struct pidring_cgroup_options){ 0 });

	need_user_namespaces();
	for (size_t i = 0; i < 2 * TARGET_KINDS; i++) {
		struct pidring_confinement confinement = { .size = sizeof(confinement),
			                                   .namespaces = places[i % 2] };
		struct pidring_options options = { .cgroup = group, .confinement = &confinement };

		check_contains(told(engine, asking((enum target_kind)(i / 2),
		                                   QUESTIONS("read", "/proc/self/cgroup"), options)),
		               "0::/\n");
	}
	check_int(pidring_cgroup_free(group), 0);
	close_engine(engine);
}

/* --- users --- */

SCENARIO(confine_namespaces, own_id_becomes_root)
{
	need_user_namespaces();
	become_ordinary();
	if (geteuid() != NOBODY)
		skip("this is another ordinary user");
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER },
	           QUESTIONS("status", "Uid", "status", "Gid", "read", "/proc/self/uid_map", "read",
	                     "/proc/self/gid_map", "read", "/proc/self/setgroups"),
	           "Uid=0 0 0 0\nGid=0 0 0 0\n/proc/self/uid_map=0 65534 1\n/proc/self/gid_map=0 65534 "
	           "1\n/proc/self/setgroups=deny\n");
}

/* The single own id can have any number inside. */
static int start_in_user_namespace(void *argument)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_USER };

	(void)argument;
	check_int(getpid(), 1);
	for (enum target_kind kind = 0; kind < TARGET_KINDS; kind++)
		check_text(told(engine, asking(kind, QUESTIONS("status", "Uid"),
		                               (struct pidring_options){ .confinement = &confinement })),
		           "Uid=0 0 0 0\n");
	close_engine(engine);
	return 0;
}

/* Where /proc is another PID namespace's, a child has another number there: somebody else may have its pid. */
SCENARIO(confine_namespaces, ids_in_another_proc)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_PID };

	need_root();
	need_user_namespaces();
	check_int(finish(start_process(engine, (struct pidring_options){ .target = start_in_user_namespace,
	                                                                 .confinement = &confinement })),
	          0);
	close_engine(engine);
}

SCENARIO(confine_namespaces, own_id_under_another_number)
{
	struct pidring_id_map user = { .inside = 1234, .count = 1 }, group = { .inside = 99, .count = 1 };

	need_user_namespaces();
	become_ordinary();
	user.outside = geteuid();
	group.outside = getegid();
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                         .user_map = &user,
	                                         .user_map_count = 1,
	                                         .group_map = &group,
	                                         .group_map_count = 1 },
	           QUESTIONS("status", "Uid", "status", "Gid"), "Uid=1234 1234 1234 1234\nGid=99 99 99 99\n");
}

/* A range of ids, into which it can change; setgroups(2) works there. */
SCENARIO(confine_namespaces, maps_of_ranges)
{
	struct pidring_id_map users[] = { { 0, 100000, 1000 }, { 1000, 0, 1 }, { 2000, 300000, 65536 } };
	struct pidring_id_map groups[] = { { 0, 200000, 1000 }, { 5000, 0, 1 } };
	gid_t group = 77;
	struct pidring_confinement confinement = { .namespaces = PIDRING_NAMESPACE_USER,
		                                   .user_map = users,
		                                   .user_map_count = 3,
		                                   .group_map = groups,
		                                   .group_map_count = 2,
		                                   .set_user = true,
		                                   .user = 17,
		                                   .set_group = true,
		                                   .group = 18,
		                                   .set_groups = true,
		                                   .groups = &group,
		                                   .group_count = 1 };

	need_root();
	need_user_namespaces();
	check_told(
		confinement,
		QUESTIONS("status", "Uid", "status", "Gid", "status", "Groups", "read", "/proc/self/uid_map"),
		"Uid=17 17 17 17\nGid=18 18 18 18\nGroups=77\n"
		"/proc/self/uid_map=0 100000 1000 1000 0 1 2000 300000 65536\n");
}

/* As seen from here it is what the map says. */
SCENARIO(confine_namespaces, mapped_user_outside)
{
	struct pidring *engine = open_engine();
	struct pidring_id_map map = { 0, 100000, 1000 };
	struct lingerer lingerer;
	char path[64];
	char *status;

	need_root();
	need_user_namespaces();
	lingerer = start_lingerer(engine, (struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                                                .user_map = &map,
	                                                                .user_map_count = 1,
	                                                                .group_map = &map,
	                                                                .group_map_count = 1,
	                                                                .set_user = true,
	                                                                .user = 5,
	                                                                .set_group = true,
	                                                                .group = 6,
	                                                                .set_groups = true });
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pidring_process_pid(lingerer.process));
	status = text_of(path);
	check_contains(status, "Uid:\t100005\t100005\t100005\t100005\n");
	check_contains(status, "Gid:\t100006\t100006\t100006\t100006\n");
	free(status);
	end_lingerer(&lingerer);
	close_engine(engine);
}

/* As many as the kernel takes, in lines so short that it takes them at once: there is room for 4,095 bytes. */
SCENARIO(confine_namespaces, largest_map)
{
	struct pidring_id_map map[340];

	need_root();
	need_user_namespaces();
	for (uint32_t i = 0; i < 340; i++)
		map[i] = (struct pidring_id_map){ i, 1000 + i, 1 };
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                         .user_map = map,
	                                         .user_map_count = 340,
	                                         .group_map = map,
	                                         .group_map_count = 340,
	                                         .set_user = true,
	                                         .user = 339,
	                                         .set_group = true,
	                                         .group = 338 },
	           QUESTIONS("status", "Uid", "status", "Gid"), "Uid=339 339 339 339\nGid=338 338 338 338\n");
}

/* An ordinary user has a place of its own: its mounts, its processes, its net, its name. */
SCENARIO(confine_namespaces, ordinary_user_in_its_own_place)
{
	struct pidring_mount mount = { .target = "/mnt", .type = "tmpfs" };
	struct pidring_confinement confinement = { .namespaces = OF_FUNCTIONS,
		                                   .mounts = &mount,
		                                   .mount_count = 1,
		                                   .host_name = "own",
		                                   .private_proc = true };

	need_user_namespaces();
	become_ordinary();
	check_told(confinement,
	           QUESTIONS("pid", "host", "interfaces", "list", "/mnt", "write", "/mnt/new", "status",
	                     "NSpid"),
	           "pid=1\nhost=own\ninterfaces=lo\n/mnt=\n/mnt/new=OK\nNSpid=1\n");
}

/* Its power there is no power here. */
SCENARIO(confine_namespaces, no_power_outside)
{
	need_user_namespaces();
	become_ordinary();
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER },
	           QUESTIONS("write", "/etc/passwd"), "/etc/passwd=EACCES\n");
	check_fails((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_NETWORK },
	            PIDRING_STEP_NAMESPACE, EPERM, "namespace");
}
