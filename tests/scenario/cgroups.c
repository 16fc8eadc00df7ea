/* SPDX-License-Identifier: MIT */
/* Control groups: made, filled, asked, frozen, ended and removed. */
#define _GNU_SOURCE
#include "cgroup_members.h"
#include "servers.h"

#include <sys/stat.h>

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
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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

/* A name that begins with a dot hides nobody. */
SCENARIO(cgroups, hidden_group_below)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group(engine);
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .target = sleep_forever });
	const char *directory = directory_of(group);
	char path[PATH_MAX + sizeof("/.hidden/cgroup.procs")];

	snprintf(path, sizeof(path), "%s/.hidden", directory);
	check_int(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/.hidden/cgroup.procs", directory);
	int file = open(path, O_WRONLY | O_CLOEXEC);
	check(file >= 0);
	check(dprintf(file, "%d", pidring_process_pid(process)) > 0);
	close(file);
	check_int(pidring_cgroup_signal(group, SIGTERM), 1);
	check_int(finish(process), -SIGTERM);
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
}

SCENARIO(cgroups, everybody_is_killed)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_family(engine);

	check_int(pidring_cgroup_kill(group), 0);
	expect_empty(engine, group);
	check_int(pidring_cgroup_is_populated(group), 0);
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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
	expect_quiet(engine);
	process = start_in(engine, group, wait_for_latch, &latch);
	check_int(pidring_cgroup_freeze(group, true), 0);
	check(eventually(strstr(read_file(group, "cgroup.events"), "frozen 1") != NULL));
	latch_release(&latch);
	check_int(pidring_process_join(process, 20 * MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_cgroup_freeze(group, false), 0);
	check_int(finish(process), 0);
	expect_empty(engine, group);
	latch_close(&latch);
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
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
	close_group_and_engine(group, engine);
}
