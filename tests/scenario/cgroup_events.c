/* SPDX-License-Identifier: MIT */
/* When a control group is told as empty: once each time that nobody is left, whoever was in it and however they went. */
#define _GNU_SOURCE
#include "cgroup_members.h"
#include "servers.h"

#include <pthread.h>

SCENARIO(cgroup_events, empty_is_told_each_time)
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
	close_group_and_engine(group, engine);
}

/* Not before the child's end, however it came into the group, and not twice. */
static void check_told_once(struct pidring_options options)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = options.cgroup = open_group(engine);
	struct pidring_process *process = start_process(engine, options);

	check_int(pidring_cgroup_is_populated(group), 1);
	expect_quiet(engine);
	kill_and_free(process);
	expect_empty(engine, group);
	expect_quiet(engine);
	close_group_and_engine(group, engine);
}

SCENARIO(cgroup_events, a_program_is_waited_for)
{
	check_told_once((struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL } });
}

SCENARIO(cgroup_events, a_function_is_waited_for)
{
	check_told_once((struct pidring_options){ .target = sleep_forever });
	check_told_once((struct pidring_options){ .target = sleep_forever, .libc_fork = true });
}

/* A start that fails, of who had entered already: it is told, or not, but nobody is waited for for ever. */
SCENARIO(cgroup_events, who_could_not_start_is_not_waited_for)
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
	close_group_and_engine(group, engine);
}

/* Filled and emptied while nobody looked: told once. */
SCENARIO(cgroup_events, filled_and_emptied_between_two_looks)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);

	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	expect_empty(engine, group);
	/* A late message of the kernel's tells nothing new. */
	expect_quiet(engine);
	/* And again, now that all has settled. */
	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	expect_empty(engine, group);
	close_group_and_engine(group, engine);
}

/* Enters by himself, so that the library knows nothing of it, and ends. */
static void send_stranger(struct pidring *engine, struct pidring_cgroup *group)
{
	char command[1200];

	snprintf(command, sizeof(command), "echo $$ >%s/cgroup.procs", directory_of(group));
	check_int(finish(start_program(engine, "sh", "-c", command, NULL)), 0);
}

/* Somebody has come and gone before the library looks. */
SCENARIO(cgroup_events, a_stranger_who_came_and_went)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);

	for (int i = 0; i < 3; i++) {
		send_stranger(engine, group);
		expect_empty(engine, group);
		expect_quiet(engine);
	}
	close_group_and_engine(group, engine);
}

/* A freeze that changes nothing hides nobody. */
SCENARIO(cgroup_events, a_stranger_after_a_freeze_of_no_effect)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);

	check_int(pidring_cgroup_freeze(group, false), 0);
	check_int(pidring_cgroup_write(group, "cgroup.freeze", "0"), 0);
	send_stranger(engine, group);
	expect_empty(engine, group);
	close_group_and_engine(group, engine);
}

/* Another call's look may be the first after him. */
SCENARIO(cgroup_events, a_stranger_before_a_write)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);

	send_stranger(engine, group);
	check_int(pidring_cgroup_write(group, "cgroup.max.depth", "3"), 0);
	expect_empty(engine, group);
	expect_quiet(engine);
	close_group_and_engine(group, engine);
}

static void write_pid(struct pidring_cgroup *group, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	check_int(pidring_cgroup_write(group, "cgroup.procs", text), 0);
}

/* Who enters by a call of the library's need not run to be known, and is in the groups above as well. */
SCENARIO(cgroup_events, a_sleeper_is_moved)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine), *other = open_group(engine), *below;
	struct pidring_process *sleeper = start_function(engine, sleep_forever, NULL);
	struct pidring_event events[2];
	int count = 0;

	below = open_group_with(engine,
	                        (struct pidring_cgroup_options){ .parent = pidring_cgroup_path(group) });
	write_pid(below, pidring_process_pid(sleeper));
	write_pid(other, pidring_process_pid(sleeper));
	while (count < 2)
		count += pidring_wait(engine, &events[count], 1, PIDRING_FOREVER);
	check_int(events[0].type, PIDRING_CGROUP_EMPTY);
	check_int(events[1].type, PIDRING_CGROUP_EMPTY);
	check(events[0].cgroup != events[1].cgroup);
	check(events[0].cgroup != other && events[1].cgroup != other);
	kill_and_free(sleeper);
	expect_empty(engine, other);
	close_group(below);
	close_group(other);
	close_group_and_engine(group, engine);
}

/* So are those with whom it is made. */
SCENARIO(cgroup_events, made_with_somebody_in_it)
{
	struct pidring *engine = open_engine();
	struct pidring_process *sleeper = start_function(engine, sleep_forever, NULL);
	char text[16];
	const struct pidring_cgroup_file file = { "cgroup.procs", text };
	struct pidring_cgroup *other = open_group(engine), *group;

	snprintf(text, sizeof(text), "%d", (int)pidring_process_pid(sleeper));
	group = open_group_with(engine, (struct pidring_cgroup_options){ .files = &file, .file_count = 1 });
	write_pid(other, pidring_process_pid(sleeper));
	expect_empty(engine, group);
	kill_and_free(sleeper);
	expect_empty(engine, other);
	close_group(other);
	close_group_and_engine(group, engine);
}

static int open_freezer(struct pidring_cgroup *group)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/cgroup.freeze", directory_of(group));
	int freezer = open(path, O_WRONLY | O_CLOEXEC);
	check(freezer >= 0);
	return freezer;
}

/* As somebody else does it, unknown to the library. */
static void freeze_and_thaw(int freezer)
{
	check_int(pwrite(freezer, "1", 1, 0), 1);
	check_int(pwrite(freezer, "0", 1, 0), 1);
}

/* Long after an event, but before the engine has looked again. */
SCENARIO(cgroup_events, frozen_before_the_next_look)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	int freezer = open_freezer(group);

	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	expect_empty(engine, group);
	poll(NULL, 0, 100);
	freeze_and_thaw(freezer);
	expect_quiet(engine);
	close(freezer);
	close_group_and_engine(group, engine);
}

/* What cannot be known for want of a descriptor is known when there are some again. */
SCENARIO(cgroup_events, without_descriptors)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	int freezer = open_freezer(group), copies[32], count = 0;
	struct rlimit limit, tight;

	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 60 * MILLISECONDS), 0);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)freezer + 8;
	check_int(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while (count < 32 && (copies[count] = fcntl(freezer, F_DUPFD_CLOEXEC, 0)) >= 0)
		count++;
	check(count < 32);
	freeze_and_thaw(freezer);
	expect_quiet(engine);
	while (count > 0)
		close(copies[--count]);
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect_quiet(engine);
	send_stranger(engine, group);
	expect_empty(engine, group);
	close(freezer);
	close_group_and_engine(group, engine);
}

/* Nobody was in it. */
SCENARIO(cgroup_events, frozen_by_a_stranger)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	int freezer = open_freezer(group);

	for (int i = 0; i < 3; i++) {
		freeze_and_thaw(freezer);
		expect_quiet(engine);
	}
	close(freezer);
	close_group_and_engine(group, engine);
}

/* Just after a change that meant nothing. */
SCENARIO(cgroup_events, a_stranger_after_a_freeze_by_another)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	int freezer = open_freezer(group);

	for (int i = 0; i < 3; i++) {
		freeze_and_thaw(freezer);
		check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 15 * MILLISECONDS), 0);
		send_stranger(engine, group);
		expect_empty(engine, group);
		expect_quiet(engine);
	}
	close(freezer);
	close_group_and_engine(group, engine);
}

/* Those below, where nobody ever was, are as empty as before. */
SCENARIO(cgroup_events, frozen_from_above)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine), *below;

	below = open_group_with(engine,
	                        (struct pidring_cgroup_options){ .parent = pidring_cgroup_path(group) });
	check_int(pidring_cgroup_freeze(group, true), 0);
	check_int(pidring_cgroup_freeze(group, false), 0);
	check_int(pidring_cgroup_write(group, "cgroup.freeze", "1"), 0);
	check_int(pidring_cgroup_write(group, "cgroup.freeze", "0"), 0);
	expect_quiet(engine);
	close_group(below);
	close_group_and_engine(group, engine);
}

/* Somebody else tidies up before the library has looked. */
SCENARIO(cgroup_events, removed_by_somebody_else)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);

	kill_and_free(start_in(engine, group, sleep_forever, NULL));
	check(eventually(rmdir(directory_of(group)) == 0));
	expect_empty(engine, group);
	check_int(pidring_cgroup_is_populated(group), 0);
	check_int(pidring_cgroup_signal(group, SIGTERM), 0);
	close_group_and_engine(group, engine);
}

SCENARIO(cgroup_events, removed_after_its_tree_was_killed)
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
	close_group_and_engine(group, engine);
}

SCENARIO(cgroup_events, many_groups)
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

SCENARIO(cgroup_events, in_another_loop)
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
	close_group_and_engine(group, engine);
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
SCENARIO(cgroup_events, a_group_that_is_made_during_a_wait)
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
SCENARIO(cgroup_events, freed_with_an_event_pending)
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
