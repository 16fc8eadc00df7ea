/* SPDX-License-Identifier: MIT */
/*
 * The tests as Criterion sees them: every scenario in every configuration, each in a new process.
 *
 * Criterion's workers have two threads and run under neither ThreadSanitizer nor valgrind, and a scenario
 * wants a process that does nothing else; so this program only spawns the others, which can be run without
 * it ("build/tests/scenarios --all").
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { STATUS_SKIPPED = 77 };

struct configuration {
	const char *name;
	const char *backend;
	const char *clone; /* NULL: the best there is */
	const char
		*start; /* PIDRING_TEST_START (see scenario/start_method.c); NULL: what each scenario says */
};

static const struct configuration configurations[] = {
	{ "uring/clone3", "uring", NULL, NULL },
	{ "uring/vfork", "uring", "vfork", NULL },
	{ "uring/fork", "uring", "fork", NULL },
	{ "epoll/clone3", "epoll", NULL, NULL },
	{ "epoll/vfork", "epoll", "vfork", NULL },
	{ "epoll/fork", "epoll", "fork", NULL },
	{ "uring/forkserver", "uring", NULL, "forkserver" },
	{ "epoll/forkserver", "epoll", NULL, "forkserver" },
	{ "uring/parked", "uring", NULL, "parked" },
};

enum {
	CONFIGURATIONS = sizeof(configurations) / sizeof(configurations[0]),
	LAST_PLAIN = 5, /* the last fallbacks */
};

/* Suites that neither wait nor start anything: one configuration shows as much as six. */
static const char *const once_is_enough[] = { "construction", "options", "confine_options" };

/* Suites that take seconds, and show the same on all paths but for the two ends. */
static const char *const ends_are_enough[] = { "scale", "awkward", "forkserver_scale", "parked_scale" };

/* Suites that set the start method themselves, and those of processes that no server bears. */
static const char *const of_servers[] = {
	"forkserver",           "forkserver_now",       "forkserver_then",
	"forkserver_streams",   "forkserver_programs",  "forkserver_faults",
	"forkserver_ends",      "forkserver_scale",     "parked",
	"parked_scale",         "confine_capabilities", "confine_credentials",
	"confine_dumpable",     "confine_failures",     "confine_joins",
	"confine_many",         "confine_mounts",       "confine_namespaces",
	"confine_parent_death", "confine_paths",        "confine_root",
	"confine_seccomp",      "confine_settings",
};

/* Small: all of them stand in memory that the test framework must map at the same address in every worker, which may
 * fail where that is much. */
struct parameter {
	char program[16]; /* beside this one */
	char scenario[80];
	int configuration;
};

/* --- the list --- */

static void path_of(const char *program, char *path, size_t size)
{
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (length < 0)
		length = 0;
	own[length] = '\0';
	snprintf(path, size, "%s/%s", dirname(own), program);
}

static bool is_in_suite(const char *scenario, const char *const *suites, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(suites[i]);

		if (strncmp(scenario, suites[i], length) == 0 && scenario[length] == '.')
			return true;
	}
	return false;
}

/* Whether the list of exceptions has a line that begins with the scenario and this word. */
static bool is_excepted(const char *scenario, const char *word)
{
	char path[PATH_MAX], line[512], begin[128];
	bool found = false;
	FILE *file;

	path_of("forkserver.except", path, sizeof(path));
	snprintf(begin, sizeof(begin), "%s %s", scenario, word);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strncmp(line, begin, strlen(begin)) == 0;
	fclose(file);
	return found;
}

static bool is_wanted(const char *scenario, int configuration)
{
	if (is_in_suite(scenario, once_is_enough, sizeof(once_is_enough) / sizeof(once_is_enough[0])))
		return configuration == 0;
	if (is_in_suite(scenario, ends_are_enough, sizeof(ends_are_enough) / sizeof(ends_are_enough[0])))
		return configuration == 0 || configuration == LAST_PLAIN;
	if (configurations[configuration].start == NULL)
		return true;
	return !is_in_suite(scenario, of_servers, sizeof(of_servers) / sizeof(of_servers[0])) &&
	       !is_excepted(scenario, "out:");
}

static size_t fill_parameters(struct parameter *parameters, size_t capacity, const char *program, FILE *list)
{
	char line[256];
	size_t count = 0;

	while (fgets(line, sizeof(line), list) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		for (int i = 0; i < CONFIGURATIONS; i++) {
			if (!is_wanted(line, i))
				continue;
			if (count < capacity) {
				struct parameter *parameter = &parameters[count];

				snprintf(parameter->program, sizeof(parameter->program), "%s", program);
				snprintf(parameter->scenario, sizeof(parameter->scenario), "%.79s", line);
				parameter->configuration = i;
			}
			count++;
		}
	}
	return count;
}

static void free_parameters(struct criterion_test_params *parameters)
{
	cr_free(parameters->params);
}

/* Asks the program for its scenarios twice: for their number, then for their names. */
static struct criterion_test_params parameters_of(const char *program)
{
	struct parameter *parameters = NULL;
	char command[PATH_MAX + 16];
	char path[PATH_MAX];
	size_t count = 0;

	path_of(program, path, sizeof(path));
	snprintf(command, sizeof(command), "'%s' --list", path);
	for (int pass = 0; pass < 2; pass++) {
		FILE *list = popen(command, "re");

		if (list == NULL)
			break;
		if (pass == 1)
			parameters = cr_calloc(count, sizeof(*parameters));
		count = fill_parameters(parameters, pass == 0 ? 0 : count, program, list);
		if (pclose(list) != 0 || count == 0) {
			fprintf(stderr, "%s has no list of scenarios: none of them is run\n", path);
			count = 0;
			break;
		}
	}
	return cr_make_param_array(struct parameter, parameters, count, free_parameters);
}

/* --- one run --- */

static char **environment_for(const struct configuration *configuration, const char *scenario)
{
	static char start[64];
	static char backend[64];
	static char clone[64];
	static char *environment[4096];
	size_t count = 0;

	for (char **entry = environ; *entry != NULL && count < 4000; entry++)
		if (strncmp(*entry, "PIDRING_BACKEND=", 16) != 0 &&
		    strncmp(*entry, "PIDRING_CLONE=", 14) != 0 &&
		    strncmp(*entry, "PIDRING_TEST_START=", 19) != 0)
			environment[count++] = *entry;
	snprintf(backend, sizeof(backend), "PIDRING_BACKEND=%s", configuration->backend);
	environment[count++] = backend;
	if (configuration->clone != NULL) {
		snprintf(clone, sizeof(clone), "PIDRING_CLONE=%s", configuration->clone);
		environment[count++] = clone;
	}
	if (configuration->start != NULL) {
		snprintf(start, sizeof(start), "PIDRING_TEST_START=%s",
		         is_excepted(scenario, "fresh:") ? "fresh" : configuration->start);
		environment[count++] = start;
	}
	environment[count] = NULL;
	return environment;
}

/* In a group of its own, so that what a failed scenario leaves running can be ended, and with signals as a
 * shell gives them. Output goes to a file, not to a pipe that an orphan might keep open. */
static pid_t spawn(const struct parameter *parameter, char **environment, int output)
{
	char path[PATH_MAX];
	char *argv[] = { path, (char *)parameter->scenario, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	pid_t pid;
	int error;

	path_of(parameter->program, path, sizeof(path));
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes,
	                         POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	error = posix_spawn(&pid, path, &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return error == 0 ? pid : -1;
}

static void run(const struct parameter *parameter)
{
	const struct configuration *configuration = &configurations[parameter->configuration];
	static char text[16384];
	int output = memfd_create("output", MFD_CLOEXEC);
	int status = 0;
	ssize_t length;
	pid_t pid;

	cr_assert(output >= 0, "no memfd");
	pid = spawn(parameter, environment_for(configuration, parameter->scenario), output);
	cr_assert(pid > 0, "[%s] %s: %s could not be run", configuration->name, parameter->scenario,
	          parameter->program);
	cr_assert(waitpid(pid, &status, 0) == pid, "waitpid failed");
	kill(-pid, SIGKILL);
	length = pread(output, text, sizeof(text) - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	close(output);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED)
		fprintf(stderr, "[%s] %s: %s", configuration->name, parameter->scenario, text);
	else if (WIFSIGNALED(status))
		cr_assert(false, "[%s] %s: ended by signal %d%s\n%s", configuration->name,
		          parameter->scenario, WTERMSIG(status),
		          WTERMSIG(status) == SIGALRM ? " (it hung)" : "", text);
	else
		cr_assert(WEXITSTATUS(status) == 0, "[%s] %s: status %d\n%s", configuration->name,
		          parameter->scenario, WEXITSTATUS(status), text);
}

ParameterizedTestParameters(pidring, scenarios)
{
	return parameters_of("scenarios");
}

ParameterizedTest(struct parameter *parameter, pidring, scenarios)
{
	run(parameter);
}

ParameterizedTestParameters(pidring, loops)
{
	return parameters_of("loops");
}

ParameterizedTest(struct parameter *parameter, pidring, loops)
{
	run(parameter);
}
