/* SPDX-License-Identifier: MIT */
/*
 * Runs scenarios.
 *
 *     scenarios SUITE.NAME               runs one, in this process
 *     scenarios --list                   prints "SUITE.NAME" a line each
 *     scenarios --all [PREFIX] [--jobs N]   runs each (whose name begins so) in a new process
 *               [--except FILE]             but for those that the file lists; where the word after the name
 *                                           is "fresh:", with PIDRING_TEST_START=fresh instead
 *     scenarios --sub NAME ...           runs a main program that a scenario needs
 *
 * PIDRING_TEST_TIMEOUT is the number of seconds after which one counts as hung, 180 unless set.
 */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/mman.h>

static struct scenario *scenarios;
static struct scenario **next_scenario = &scenarios;
static struct subprogram *subprograms;

void register_scenario(struct scenario *scenario)
{
	*next_scenario = scenario;
	next_scenario = &scenario->next;
}

void register_subprogram(struct subprogram *subprogram)
{
	subprogram->next = subprograms;
	subprograms = subprogram;
}

/* --- one scenario, in this process --- */

static void set_watchdog(void)
{
	const char *text = getenv("PIDRING_TEST_TIMEOUT");
	int seconds = text == NULL ? 0 : atoi(text);

	alarm(seconds > 0 ? (unsigned)seconds : 180);
}

/* Whoever started this program may have other habits. */
static void reset_signals(void)
{
	static const int habits[] = { SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM };
	sigset_t none;

	for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++)
		signal(habits[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int complain(const char *what, long long count)
{
	dprintf(STDERR_FILENO, "left behind: %s (%lld)\n", what, count);
	return EXIT_FAILED;
}

static int run_here(const struct scenario *scenario)
{
	int descriptors, left;
	pid_t child;

	closefrom(3); /* what was inherited by accident */
	descriptors = count_descriptors();
	set_watchdog();
	reset_signals();
	scenario->run();
	child = waitpid(-1, NULL, WNOHANG | __WALL);
	if (child > 0)
		return complain("a child that was not reaped, pid", child);
	if (child == 0)
		return complain("a running child", 1);
	if (pidring_live_objects() != 0)
		return complain("objects that were not freed", (long long)pidring_live_objects());
	left = count_descriptors() - descriptors;
	if (left != 0)
		return complain("open descriptors", left);
	return 0;
}

static int run_by_name(const char *full_name)
{
	for (const struct scenario *scenario = scenarios; scenario != NULL; scenario = scenario->next) {
		size_t length = strlen(scenario->suite);

		if (strncmp(full_name, scenario->suite, length) == 0 && full_name[length] == '.' &&
		    strcmp(full_name + length + 1, scenario->name) == 0)
			return run_here(scenario);
	}
	fprintf(stderr, "no scenario is called '%s'\n", full_name);
	return EXIT_FAILED;
}

static int run_subprogram_by_name(int argc, char **argv)
{
	for (const struct subprogram *entry = subprograms; entry != NULL; entry = entry->next)
		if (strcmp(argv[0], entry->name) == 0) {
			set_watchdog();
			return entry->run(argc, argv);
		}
	fprintf(stderr, "no subprogram is called '%s'\n", argv[0]);
	return EXIT_FAILED;
}

/* --- all scenarios, each in a process of its own --- */

enum exception { NO_EXCEPTION, LEFT_OUT, FRESH };

/* A line that begins with the name; what follows a blank says why. */
static enum exception exception_for(FILE *exceptions, const char *full_name)
{
	size_t length = strlen(full_name);
	char line[512];

	if (exceptions == NULL)
		return NO_EXCEPTION;
	rewind(exceptions);
	while (fgets(line, sizeof(line), exceptions) != NULL)
		if (strncmp(line, full_name, length) == 0 && strchr(" \t\n", line[length]) != NULL)
			return strncmp(line + length, " fresh:", 7) == 0 ? FRESH : LEFT_OUT;
	return NO_EXCEPTION;
}

struct run {
	const struct scenario *scenario;
	pid_t pid;
	int output; /* a file, not a pipe: an orphan that keeps it open holds up nobody */
};

static struct run begin_run(const struct scenario *scenario, enum exception exception)
{
	struct run run = { .scenario = scenario };
	char full_name[256];

	snprintf(full_name, sizeof(full_name), "%s.%s", scenario->suite, scenario->name);
	run.output = memfd_create("output", MFD_CLOEXEC);
	check(run.output >= 0);
	run.pid = fork();
	check(run.pid >= 0);
	if (run.pid == 0) {
		setpgid(0, 0);
		dup2(run.output, STDOUT_FILENO);
		dup2(run.output, STDERR_FILENO);
		if (exception == FRESH)
			setenv("PIDRING_TEST_START", "fresh", 1);
		execl(own_path(), own_path(), full_name, (char *)NULL);
		_exit(127);
	}
	setpgid(run.pid, run.pid);
	return run;
}

static void print_output(const struct run *run)
{
	lseek(run->output, 0, SEEK_SET);
	printf("%s", read_all(run->output));
}

struct totals {
	int passed, failed, skipped;
};

static void end_run(struct run *run, int status, struct totals *totals)
{
	const struct scenario *scenario = run->scenario;

	kill(-run->pid, SIGKILL); /* what a failed scenario left running */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		printf("passed  %s.%s\n", scenario->suite, scenario->name);
		totals->passed++;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		printf("SKIPPED %s.%s\n", scenario->suite, scenario->name);
		print_output(run);
		totals->skipped++;
	} else {
		printf("FAILED  %s.%s (%s %d)\n", scenario->suite, scenario->name,
		       WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		print_output(run);
		totals->failed++;
	}
	fflush(stdout);
	close(run->output);
	run->pid = 0;
}

enum { MOST_JOBS = 64 };

static void await_one(struct run *runs, int jobs, struct totals *totals)
{
	int status = 0;
	pid_t pid = waitpid(-1, &status, 0);

	check(pid > 0);
	for (int i = 0; i < jobs; i++)
		if (runs[i].pid == pid) {
			end_run(&runs[i], status, totals);
			return;
		}
}

static int free_place(const struct run *runs, int jobs)
{
	for (int i = 0; i < jobs; i++)
		if (runs[i].pid == 0)
			return i;
	return -1;
}

static int run_all(const char *prefix, FILE *exceptions, int jobs)
{
	struct run runs[MOST_JOBS] = { 0 };
	struct totals totals = { 0 };
	char full_name[256];

	for (const struct scenario *scenario = scenarios; scenario != NULL; scenario = scenario->next) {
		enum exception exception;

		snprintf(full_name, sizeof(full_name), "%s.%s", scenario->suite, scenario->name);
		if (strncmp(full_name, prefix, strlen(prefix)) != 0)
			continue;
		exception = exception_for(exceptions, full_name);
		if (exception == LEFT_OUT) {
			printf("LEFT OUT %s\n", full_name);
			totals.skipped++;
			continue;
		}
		if (free_place(runs, jobs) < 0)
			await_one(runs, jobs, &totals);
		runs[free_place(runs, jobs)] = begin_run(scenario, exception);
	}
	for (int i = 0; i < jobs; i++)
		while (runs[i].pid != 0)
			await_one(runs, jobs, &totals);
	printf("%d passed, %d failed, %d skipped\n", totals.passed, totals.failed, totals.skipped);
	return totals.failed == 0 ? 0 : 1;
}

static int run_all_as_asked(int argc, char **argv)
{
	const char *prefix = "";
	FILE *exceptions = NULL;
	int jobs = 1;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
			jobs = atoi(argv[++i]);
		else if (strcmp(argv[i], "--except") == 0 && i + 1 < argc)
			exceptions = fopen(argv[++i], "re");
		else
			prefix = argv[i];
	}
	if (jobs < 1 || jobs > MOST_JOBS) {
		fprintf(stderr, "--jobs takes a number from 1 to %d\n", MOST_JOBS);
		return 2;
	}
	return run_all(prefix, exceptions, jobs);
}

static void print_list(void)
{
	for (const struct scenario *scenario = scenarios; scenario != NULL; scenario = scenario->next)
		printf("%s.%s\n", scenario->suite, scenario->name);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		print_list();
		return 0;
	}
	if (argc >= 2 && strcmp(argv[1], "--all") == 0)
		return run_all_as_asked(argc - 2, argv + 2);
	if (argc >= 3 && strcmp(argv[1], "--sub") == 0)
		return run_subprogram_by_name(argc - 2, argv + 2);
	if (argc == 2 && argv[1][0] != '-')
		return run_by_name(argv[1]);
	fprintf(stderr, "usage: %s SUITE.NAME | --list | --all [PREFIX] [--jobs N] [--except FILE]\n",
	        argv[0]);
	return 2;
}
