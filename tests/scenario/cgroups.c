/* SPDX-License-Identifier: MIT */
/* Control groups: made, filled, asked, frozen, ended and removed, and the event when nobody is left. */
#define _GNU_SOURCE
#include "servers.h"

#include <mntent.h>
#include <pthread.h>
#include <sys/stat.h>

static struct pidring_cgroup *open_group(struct pidring *engine)
{
	return open_group_with(engine, (struct pidring_cgroup_options){ 0 });
}

static void close_group(struct pidring_cgroup *group)
{
	check_int(pidring_cgroup_free(group), 0);
}

static struct pidring_process *start_in(struct pidring *engine, struct pidring_cgroup *group,
                                        int (*target)(void *), void *argument)
{
	struct pidring_process *process = start_function(engine, target, argument);

	enter_group(group, pidring_process_pid(process));
	return process;
}

/* Waits for it, whatever comes before. */
static void expect_empty(struct pidring *engine, struct pidring_cgroup *group)
{
	struct pidring_event event;

	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (event.type != PIDRING_CGROUP_EMPTY);
	check(event.cgroup == group);
	check(event.process == NULL);
	check(!event.last);
}

static void expect_nothing(struct pidring *engine)
{
	struct pidring_event event;

	while (pidring_wait(engine, &event, 1, 0) == 1)
		check(event.type != PIDRING_CGROUP_EMPTY);
}

static const char *read_file(struct pidring_cgroup *group, const char *name)
{
	static char text[4096];
	ssize_t length = pidring_cgroup_read(group, name, text, sizeof(text));

	check(length >= 0);
	check_int(length, strlen(text));
	return text;
}

/* --- making and removing --- */

SCENARIO(cgroups, is_made_and_removed)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine), *second = NULL;
	struct pidring_cgroup_options options = { .size = sizeof(options) };
	char name[256];

	check_contains(pidring_cgroup_path(group), "/pidring-");
	check(pidring_cgroup_path(NULL) == NULL);
	check_int(pidring_cgroup_is_populated(group), 0);
	check_int(pidring_cgroup_processes(group, NULL, 0), 0);
	check_contains(read_file(group, "cgroup.events"), "populated 0");
	snprintf(name, sizeof(name), "%s", strrchr(pidring_cgroup_path(group), '/') + 1);
	options.name = name;
	check_int(pidring_cgroup_new(&second, engine, &options), -EEXIST);
	check_contains(pidring_explain(), name);
	close_group(group);
	check_int(pidring_cgroup_new(&second, engine, &options), 0);
	close_group(second);
	check_int(pidring_cgroup_free(NULL), 0);
	close_engine(engine);
}

SCENARIO(cgroups, names_are_made_up)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *first = open_group(engine), *second = open_group(engine);

	check(strcmp(pidring_cgroup_path(first), pidring_cgroup_path(second)) != 0);
	close_group(first);
	close_group(second);
	close_engine(engine);
}

SCENARIO(cgroups, a_child_is_found_in_it)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process = start_in(engine, group, sleep_forever, NULL);
	pid_t pids[4] = { 0 }, pid = pidring_process_pid(process);
	char path[64], text[4096];
	ssize_t length;
	int file;

	check_int(pidring_cgroup_is_populated(group), 1);
	check_int(pidring_cgroup_processes(group, pids, 4), 1);
	check_int(pids[0], pid);
	check_int(pidring_cgroup_processes(group, NULL, 0), 1);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	check(file >= 0);
	length = read(file, text, sizeof(text) - 1);
	close(file);
	check(length > 0);
	text[length] = '\0';
	check_contains(text, pidring_cgroup_path(group));
	kill_and_free(process);
	close_group(group);
	close_engine(engine);
}

/* While somebody is in it nothing is removed. */
SCENARIO(cgroups, a_busy_group_stays)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process = start_in(engine, group, sleep_forever, NULL);

	check_int(pidring_cgroup_free(group), -EBUSY);
	check_contains(pidring_explain(), "somebody is in it");
	check_int(pidring_cgroup_is_populated(group), 1);
	kill_and_free(process);
	expect_empty(engine, group);
	close_group(group);
	close_engine(engine);
}

/* It can go the moment that its last member was joined, again and again. */
SCENARIO(cgroups, is_free_as_soon_as_it_is_empty)
{
	struct pidring *engine = open_engine();

	for (int i = 0; i < 30; i++) {
		struct pidring_cgroup *group = open_group(engine);

		kill_and_free(start_in(engine, group, sleep_forever, NULL));
		close_group(group);
	}
	close_engine(engine);
}

SCENARIO(cgroups, groups_below)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine), *below;
	struct pidring_process *process;
	char parent[512];

	snprintf(parent, sizeof(parent), "%s/", pidring_cgroup_path(group));
	below = open_group_with(engine, (struct pidring_cgroup_options){ .parent = parent, .name = "below" });
	parent[strlen(parent) - 1] = '\0';
	check_contains(pidring_cgroup_path(below), parent);
	check_contains(pidring_cgroup_path(below), "/below");
	process = start_in(engine, below, sleep_forever, NULL);
	check_int(pidring_cgroup_is_populated(group), 1);
	check_int(pidring_cgroup_processes(group, NULL, 0), 0);
	check_int(pidring_cgroup_free(group), -EBUSY);
	check_int(pidring_cgroup_signal(group, 0), 1);
	check_int(pidring_cgroup_signal(group, SIGTERM), 1);
	check_int(finish(process), -SIGTERM);
	/* With its parent, before it was asked to. */
	close_group(group);
	close_group(below);
	close_engine(engine);
}

/* Where the group is, by the library's own descriptor of it. */
static void find_directory(struct pidring_cgroup *group, char *ret_path, size_t size)
{
	size_t wanted = strlen(pidring_cgroup_path(group));

	for (int descriptor = 3; descriptor < 256; descriptor++) {
		char link[64];

		snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
		ssize_t length = readlink(link, ret_path, size - 1);
		if (length < (ssize_t)wanted)
			continue;
		ret_path[length] = '\0';
		if (strcmp(ret_path + (size_t)length - wanted, pidring_cgroup_path(group)) == 0)
			return;
	}
	check(false);
}

/* A name that begins with a dot hides nobody. */
SCENARIO(cgroups, hidden_group_below)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .target = sleep_forever });
	char directory[PATH_MAX], path[PATH_MAX + sizeof("/.hidden/cgroup.procs")];

	find_directory(group, directory, sizeof(directory));
	snprintf(path, sizeof(path), "%s/.hidden", directory);
	check_int(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/.hidden/cgroup.procs", directory);
	int file = open(path, O_WRONLY | O_CLOEXEC);
	check(file >= 0);
	check(dprintf(file, "%d", pidring_process_pid(process)) > 0);
	close(file);
	check_int(pidring_cgroup_signal(group, SIGTERM), 1);
	check_int(finish(process), -SIGTERM);
	close_group(group);
	close_engine(engine);
}

/* --- files --- */

SCENARIO(cgroups, files_are_written_and_read)
{
	struct pidring *engine = open_engine();
	const struct pidring_cgroup_file files[] = { { "cgroup.max.depth", "3" },
		                                     { "cgroup.max.descendants", "5" } };
	struct pidring_cgroup *group =
		open_group_with(engine, (struct pidring_cgroup_options){ .files = files, .file_count = 2 });
	char two[2];

	check_text(read_file(group, "cgroup.max.depth"), "3\n");
	check_text(read_file(group, "cgroup.max.descendants"), "5\n");
	check_int(pidring_cgroup_write(group, "cgroup.max.depth", "17"), 0);
	check_int(pidring_cgroup_read(group, "cgroup.max.depth", two, sizeof(two)), 3);
	check_text(two, "1");
	check_int(pidring_cgroup_read(group, "cgroup.max.depth", NULL, 0), 3);
	check_int(pidring_cgroup_write(group, "cgroup.max.depth", "many"), -EINVAL);
	check_contains(pidring_explain(), "many");
	check_int(pidring_cgroup_write(group, "../cgroup.procs", "0"), -EINVAL);
	check_int(pidring_cgroup_write(group, "cgroup.max.depth", NULL), -EINVAL);
	check_int(pidring_cgroup_read(group, "nonsense", two, sizeof(two)), -EINVAL);
	check_int(pidring_cgroup_read(group, "cgroup.nonsense", two, sizeof(two)), -EOPNOTSUPP);
	close_group(group);
	close_engine(engine);
}

/* No kernel has this controller, so it is enabled nowhere. */
SCENARIO(cgroups, a_controller_that_is_not_enabled)
{
	struct pidring *engine = open_engine();
	const struct pidring_cgroup_file files[] = { { "cgroup.max.depth", "3" }, { "gravity.max", "9" } };
	char name[64];
	struct pidring_cgroup_options options = {
		.size = sizeof(options), .name = name, .files = files, .file_count = 2
	};
	struct pidring_cgroup *group = open_group(engine), *refused = NULL;

	snprintf(name, sizeof(name), "pidring-test-refused-%d", (int)getpid());
	check_int(pidring_cgroup_new(&refused, engine, &options), -EOPNOTSUPP);
	check_contains(pidring_explain(), "'gravity.max'");
	check_contains(pidring_explain(), "'gravity'");
	check(refused == NULL);
	check_int(pidring_cgroup_write(group, "gravity.max", "9"), -EOPNOTSUPP);
	/* Nothing has remained of it. */
	options.file_count = 1;
	check_int(pidring_cgroup_new(&refused, engine, &options), 0);
	close_group(refused);
	close_group(group);
	close_engine(engine);
}

SCENARIO(cgroups, refusals)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = NULL;
	struct pidring_cgroup_options options = { .size = sizeof(options) };
	const struct pidring_cgroup_file bad_name = { "a/b", "1" }, no_value = { "cgroup.freeze", NULL };
	const char *const names[] = { "", ".", "..", ".hidden", "a/b" };
	const char *const parents[] = { "",      "relative", "/..",  "/a/../b", "//",
		                        "//tmp", "/a//b",    "/./a", "/a/.",    "/a//" };

	check_int(pidring_cgroup_new(NULL, engine, NULL), -EINVAL);
	check_int(pidring_cgroup_new(&group, NULL, NULL), -EINVAL);
	options.size = 1;
	check_int(pidring_cgroup_new(&group, engine, &options), -EINVAL);
	options.size = sizeof(options);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		options.name = names[i];
		check_int(pidring_cgroup_new(&group, engine, &options), -EINVAL);
	}
	options.name = NULL;
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		options.parent = parents[i];
		check_int(pidring_cgroup_new(&group, engine, &options), -EINVAL);
	}
	options.parent = NULL;
	options.file_count = 1;
	check_int(pidring_cgroup_new(&group, engine, &options), -EINVAL);
	options.files = &bad_name;
	check_int(pidring_cgroup_new(&group, engine, &options), -EINVAL);
	options.files = &no_value;
	check_int(pidring_cgroup_new(&group, engine, &options), -EINVAL);
	check(group == NULL);
	check_int(pidring_cgroup_write(NULL, "cgroup.freeze", "1"), -EINVAL);
	check_int(pidring_cgroup_read(NULL, "cgroup.freeze", NULL, 0), -EINVAL);
	check_int(pidring_cgroup_is_populated(NULL), -EINVAL);
	check_int(pidring_cgroup_processes(NULL, NULL, 0), -EINVAL);
	check_int(pidring_cgroup_kill(NULL), -EINVAL);
	check_int(pidring_cgroup_signal(NULL, SIGTERM), -EINVAL);
	check_int(pidring_cgroup_freeze(NULL, true), -EINVAL);
	group = open_group(engine);
	check_int(pidring_cgroup_signal(group, -1), -EINVAL);
	check_int(pidring_cgroup_signal(group, 65), -EINVAL);
	check_int(pidring_cgroup_processes(group, NULL, 1), -EINVAL);
	options =
		(struct pidring_cgroup_options){ .size = sizeof(options), .parent = "/pidring/is/not/there" };
	check_int(pidring_cgroup_new(&group, engine, &options), -ENOENT);
	check_contains(pidring_explain(), "/pidring/is/not/there");
	close_group(group);
	close_engine(engine);
}

/* --- the event --- */

SCENARIO(cgroups, empty_is_told_each_time)
{
	struct pidring *engine = open_engine();
	static int mark;
	struct pidring_cgroup *group =
		open_group_with(engine, (struct pidring_cgroup_options){ .user_data = &mark });

	expect_nothing(engine);
	for (int i = 0; i < 5; i++) {
		struct pidring_process *process = start_in(engine, group, sleep_forever, NULL);
		struct pidring_event event;

		expect_nothing(engine);
		kill_and_free(process);
		do
			check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		while (event.type != PIDRING_CGROUP_EMPTY);
		check(event.cgroup == group);
		check(event.user_data == &mark);
		expect_nothing(engine);
	}
	close_group(group);
	close_engine(engine);
}

/* Not before the child's end, however it came into the group, and not twice. */
static void check_told_once(struct pidring_options options)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = options.cgroup = open_group(engine);
	struct pidring_process *process = start_process(engine, options);

	check_int(pidring_cgroup_is_populated(group), 1);
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	kill_and_free(process);
	expect_empty(engine, group);
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	close_group(group);
	close_engine(engine);
}

SCENARIO(cgroups, a_program_is_waited_for)
{
	check_told_once((struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL } });
}

SCENARIO(cgroups, a_function_is_waited_for)
{
	check_told_once((struct pidring_options){ .target = sleep_forever });
	check_told_once((struct pidring_options){ .target = sleep_forever, .libc_fork = true });
}

/* A start that fails, of who had entered already: it is told, or not, but nobody is waited for for ever. */
SCENARIO(cgroups, who_could_not_start_is_not_waited_for)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "/dev/null", NULL },
	                                                      .cgroup = group });

	check_int(pidring_process_start(process), -EACCES);
	pidring_process_free(process);
	process = start_process(engine, (struct pidring_options){ .target = sleep_forever, .cgroup = group });
	kill_and_free(process);
	expect_empty(engine, group);
	close_group(group);
	close_engine(engine);
}

/* Filled and emptied while nobody looked: told once. */
SCENARIO(cgroups, filled_and_emptied_between_two_looks)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);

	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	expect_empty(engine, group);
	/* A late message of the kernel's tells nothing new. */
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	/* And again, now that all has settled. */
	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	expect_empty(engine, group);
	close_group(group);
	close_engine(engine);
}

/* The directory of the group. */
static const char *directory_of(struct pidring_cgroup *group)
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

/* Somebody enters by himself, of whom the library knows nothing, and has gone before it looks. */
SCENARIO(cgroups, a_stranger_who_came_and_went)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	char command[1200];

	snprintf(command, sizeof(command), "echo $$ >%s/cgroup.procs", directory_of(group));
	for (int i = 0; i < 3; i++) {
		check_int(finish(start_program(engine, "sh", "-c", command, NULL)), 0);
		expect_empty(engine, group);
		/* Until all has settled. */
		check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	}
	close_group(group);
	close_engine(engine);
}

/* A freeze that changes nothing hides nobody. */
SCENARIO(cgroups, a_stranger_after_a_freeze_of_no_effect)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	char command[1200];

	snprintf(command, sizeof(command), "echo $$ >%s/cgroup.procs", directory_of(group));
	check_int(pidring_cgroup_freeze(group, false), 0);
	check_int(pidring_cgroup_write(group, "cgroup.freeze", "0"), 0);
	check_int(finish(start_program(engine, "sh", "-c", command, NULL)), 0);
	expect_empty(engine, group);
	close_group(group);
	close_engine(engine);
}

/* Nobody was in it. */
SCENARIO(cgroups, frozen_by_a_stranger)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	char command[2400];

	snprintf(command, sizeof(command), "echo 1 >%s/cgroup.freeze; echo 0 >%s/cgroup.freeze",
	         directory_of(group), directory_of(group));
	for (int i = 0; i < 3; i++) {
		check_int(finish(start_program(engine, "sh", "-c", command, NULL)), 0);
		check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	}
	close_group(group);
	close_engine(engine);
}

/* Just after a change that meant nothing. */
SCENARIO(cgroups, a_stranger_after_a_freeze_by_another)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	char freeze[2400], enter[1200];

	snprintf(freeze, sizeof(freeze), "echo 1 >%s/cgroup.freeze; echo 0 >%s/cgroup.freeze",
	         directory_of(group), directory_of(group));
	snprintf(enter, sizeof(enter), "echo $$ >%s/cgroup.procs", directory_of(group));
	for (int i = 0; i < 3; i++) {
		check_int(finish(start_program(engine, "sh", "-c", freeze, NULL)), 0);
		check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 15 * MILLISECONDS), 0);
		check_int(finish(start_program(engine, "sh", "-c", enter, NULL)), 0);
		expect_empty(engine, group);
		check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	}
	close_group(group);
	close_engine(engine);
}

/* Those below, where nobody ever was, are as empty as before. */
SCENARIO(cgroups, frozen_from_above)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine), *below;

	below = open_group_with(engine,
	                        (struct pidring_cgroup_options){ .parent = pidring_cgroup_path(group) });
	check_int(pidring_cgroup_freeze(group, true), 0);
	check_int(pidring_cgroup_freeze(group, false), 0);
	check_int(pidring_cgroup_write(group, "cgroup.freeze", "1"), 0);
	check_int(pidring_cgroup_write(group, "cgroup.freeze", "0"), 0);
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	close_group(below);
	close_group(group);
	close_engine(engine);
}

/* Somebody else tidies up before the library has looked. */
SCENARIO(cgroups, removed_by_somebody_else)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);

	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	check(eventually(rmdir(directory_of(group)) == 0));
	expect_empty(engine, group);
	check_int(pidring_cgroup_is_populated(group), 0);
	check_int(pidring_cgroup_signal(group, SIGTERM), 0);
	close_group(group);
	close_engine(engine);
}

SCENARIO(cgroups, removed_after_its_tree_was_killed)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .target = sleep_forever, .cgroup = group });
	struct pidring_event event;

	check_int(pidring_process_kill_tree(process, NULL), 0);
	check(eventually(rmdir(directory_of(group)) == 0));
	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (!event.last);
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, 0);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	pidring_process_free(process);
	close_group(group);
	close_engine(engine);
}

SCENARIO(cgroups, many_groups)
{
	enum { GROUPS = 100 };
	struct pidring *engine = open_engine();
	struct pidring_cgroup *groups[GROUPS];
	bool told[GROUPS] = { false };

	for (intptr_t i = 0; i < GROUPS; i++) {
		groups[i] =
			open_group_with(engine, (struct pidring_cgroup_options){ .user_data = (void *)i });
		kill_and_free(start_in(engine, groups[i], sleep_forever, NULL));
	}
	for (int count = 0; count < GROUPS;) {
		struct pidring_event events[7];
		int got = pidring_wait(engine, events, 7, PIDRING_FOREVER);

		check(got > 0);
		for (int i = 0; i < got; i++) {
			intptr_t which = (intptr_t)events[i].user_data;

			check_int(events[i].type, PIDRING_CGROUP_EMPTY);
			check(events[i].cgroup == groups[which]);
			check(!told[which]);
			told[which] = true;
			count++;
		}
	}
	for (int i = 0; i < GROUPS; i++)
		close_group(groups[i]);
	close_engine(engine);
}

SCENARIO(cgroups, in_another_loop)
{
	struct pidring *engine = open_engine();
	int descriptor = pidring_fd(engine);
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process = start_in(engine, group, sleep_forever, NULL);
	bool empty = false;

	check(descriptor >= 0);
	check_int(pidring_process_kill(process), 0);
	while (!empty) {
		struct pollfd item = { .fd = descriptor, .events = POLLIN };
		struct pidring_event event;

		check_int(poll(&item, 1, -1), 1);
		empty = pidring_wait(engine, &event, 1, 0) == 1 && event.type == PIDRING_CGROUP_EMPTY;
	}
	check_int(finish(process), -SIGKILL);
	close_group(group);
	close_engine(engine);
}

static struct filling {
	struct pidring *engine;
	struct pidring_cgroup *group;
} filling;

static void *fill_and_empty(void *unused)
{
	(void)unused;
	filling.group = open_group(filling.engine);
	kill_and_free(start_in(filling.engine, filling.group, sleep_forever, NULL));
	return NULL;
}

/* A thread that waits already hears of a group that another one makes. */
SCENARIO(cgroups, a_group_that_is_made_during_a_wait)
{
	struct pidring_event event;
	pthread_t thread;

	filling.engine = open_engine();
	check_int(pthread_create(&thread, NULL, fill_and_empty, NULL), 0);
	do
		check_int(pidring_wait(filling.engine, &event, 1, PIDRING_FOREVER), 1);
	while (event.type != PIDRING_CGROUP_EMPTY);
	check_int(pthread_join(thread, NULL), 0);
	check(event.cgroup == filling.group);
	close_group(filling.group);
	close_engine(filling.engine);
}

/* An event that was not fetched goes with the group, or with the engine. */
SCENARIO(cgroups, freed_with_an_event_pending)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *first = open_group(engine), *second = open_group(engine);
	struct pidring_event event;

	kill_and_free(start_in(engine, first, sleep_forever, NULL));
	kill_and_free(start_in(engine, second, sleep_forever, NULL));
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_CGROUP_EMPTY);
	close_group(event.cgroup == first ? second : first);
	expect_nothing(engine);
	close_engine(engine);
	close_group(event.cgroup);
}

/* --- signals, freezing, the end --- */

/* A target: a family of four that lives on without its head. */
static int leave_family(void *latch)
{
	latch_wait(latch);
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			sleep_forever(NULL);
	return 0;
}

static struct pidring_cgroup *open_family(struct pidring *engine)
{
	struct pidring_cgroup *group = open_group(engine);
	struct latch latch = latch_open();
	struct pidring_process *process = start_in(engine, group, leave_family, &latch);

	latch_release(&latch);
	check_int(finish(process), 0);
	latch_close(&latch);
	check_int(pidring_cgroup_processes(group, NULL, 0), 4);
	return group;
}

SCENARIO(cgroups, everybody_gets_a_signal)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_family(engine);

	check_int(pidring_cgroup_signal(group, 0), 4);
	check_int(pidring_cgroup_signal(group, SIGTERM), 4);
	expect_empty(engine, group);
	check_int(pidring_cgroup_signal(group, SIGTERM), 0);
	close_group(group);
	close_engine(engine);
}

SCENARIO(cgroups, everybody_is_killed)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_family(engine);

	check_int(pidring_cgroup_kill(group), 0);
	expect_empty(engine, group);
	check_int(pidring_cgroup_is_populated(group), 0);
	close_group(group);
	close_engine(engine);
}

/* A target: forks as fast as it can. */
static int multiply(void *latch)
{
	enum { MANY = 200 };

	latch_wait(latch);
	for (int i = 0; i < MANY; i++)
		if (fork() == 0)
			sleep_forever(NULL);
	return sleep_forever(NULL);
}

SCENARIO(cgroups, who_forks_meanwhile_is_killed_too)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct latch latch = latch_open();
	struct pidring_process *process = start_in(engine, group, multiply, &latch);

	latch_release(&latch);
	check(eventually(pidring_cgroup_processes(group, NULL, 0) > 10));
	check_int(pidring_cgroup_kill(group), 0);
	expect_empty(engine, group);
	check_int(finish(process), -SIGKILL);
	latch_close(&latch);
	close_group(group);
	close_engine(engine);
}

SCENARIO(cgroups, is_frozen_and_thawed)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process;
	struct latch latch = latch_open();

	/* Of an empty group it is no news. */
	check_int(pidring_cgroup_freeze(group, true), 0);
	check_int(pidring_cgroup_freeze(group, false), 0);
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 100 * MILLISECONDS), 0);
	process = start_in(engine, group, wait_for_latch, &latch);
	check_int(pidring_cgroup_freeze(group, true), 0);
	check(eventually(strstr(read_file(group, "cgroup.events"), "frozen 1") != NULL));
	latch_release(&latch);
	check_int(pidring_process_join(process, 20 * MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_cgroup_freeze(group, false), 0);
	check_int(finish(process), 0);
	expect_empty(engine, group);
	latch_close(&latch);
	close_group(group);
	close_engine(engine);
}

/* --- forks --- */

static void check_as_a_copy(struct pidring *engine, struct pidring_cgroup *group)
{
	char path[512];

	check_int(pidring_cgroup_kill(group), -ECHILD);
	check_int(pidring_cgroup_write(group, "cgroup.kill", "1"), -ECHILD);
	check_int(pidring_cgroup_is_populated(group), -ECHILD);
	snprintf(path, sizeof(path), "%s", pidring_cgroup_path(group));
	check_contains(path, "/pidring-");
	/* What has the number of a descriptor of the original's is not its. */
	close_group(group);
	group = open_group(engine);
	check(strcmp(pidring_cgroup_path(group), path) != 0);
	close_group(group);
	close_engine(engine);
}

/* The original's groups are not a copy's: it has none of their descriptors, and leaves them alone. */
SCENARIO(cgroups, a_fork_of_the_host)
{
	struct pidring *engine = open_engine();
	int descriptors = count_descriptors(), status;
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process = start_in(engine, group, sleep_forever, NULL);
	pid_t copy = fork();

	check(copy >= 0);
	if (copy == 0) {
		check_int(pidring_drop_inherited(), 1);
		check(count_descriptors() <= descriptors);
		check_as_a_copy(engine, group);
		pidring_process_free(process);
		_exit(0);
	}
	check_int(waitpid(copy, &status, 0), copy);
	check_int(WEXITSTATUS(status), 0);
	check(WIFEXITED(status));
	check_int(pidring_cgroup_is_populated(group), 1);
	expect_nothing(engine);
	kill_and_free(process);
	expect_empty(engine, group);
	close_group(group);
	close_engine(engine);
}

static int count_in_function(void *unused)
{
	(void)unused;
	return count_descriptors();
}

/* Nor has a function's process. */
SCENARIO(cgroups, functions_do_not_have_its_descriptors)
{
	struct pidring *engine = open_engine();
	int before = finish(start_function(engine, count_in_function, NULL));
	struct pidring_cgroup *group = open_group(engine);

	check_int(finish(start_function(engine, count_in_function, NULL)), before);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = count_in_function,
	                                                                 .libc_fork = true })),
	          before);
	close_group(group);
	close_engine(engine);
}

/* A copy that has the descriptors until it ends does not keep the entry of a group that is gone. */
SCENARIO(cgroups, freed_while_a_sibling_has_copies)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_cgroup *group = open_group(engine);
	pid_t copy = _Fork();
	int status;

	check(copy >= 0);
	if (copy == 0) {
		latch_wait(&latch);
		_exit(0);
	}
	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	close_group(group);
	expect_nothing(engine);
	group = open_group(engine);
	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	expect_empty(engine, group);
	latch_release(&latch);
	check_int(waitpid(copy, &status, 0), copy);
	latch_close(&latch);
	close_group(group);
	close_engine(engine);
}
