/* SPDX-License-Identifier: MIT */
/* Whole commands: 2,000 no-op jobs, so many at a time. */
#include "environment.h"
#include "families.h"
#include "other.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { JOBS = 2000 };

/* A memfd by its name in /proc: every opening reads it from the start, and nothing is left behind. */
static char job_list[64];
static char slots[16];
static char run_path[PATH_MAX];
static char *no_op;

static const char *find_command(const char *name, char *buffer, size_t size)
{
	static const char *const directories[] = { "/bin", "/usr/bin", "/usr/local/bin" };

	for (size_t index = 0; index < sizeof(directories) / sizeof(*directories); index++) {
		(void)snprintf(buffer, size, "%s/%s", directories[index], name);
		if (access(buffer, X_OK) == 0)
			return buffer;
	}
	return NULL;
}

/* Built beside the suite's directory. */
static const char *find_pidring_run(void)
{
	return environment_beside("../pidring-run", run_path, sizeof(run_path));
}

static const char *missing(const struct bench_row *row)
{
	char path[PATH_MAX];

	(void)row;
	if (find_command("busybox", path, sizeof(path)) == NULL)
		return "there is no busybox";
	if (find_command("xargs", path, sizeof(path)) == NULL)
		return "there is no xargs";
	if (find_pidring_run() == NULL)
		return "pidring-run is not built";
	return NULL;
}

/* One argument a job, which the no-op ignores. */
static void write_job_list(void)
{
	int descriptor = memfd_create("jobs", MFD_CLOEXEC);
	FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");

	if (file == NULL)
		bench_fail("making the list of jobs", errno);
	for (int job = 1; job <= JOBS; job++)
		(void)fprintf(file, "%d\n", job);
	if (fflush(file) != 0)
		bench_fail("writing the list of jobs", errno);
	(void)snprintf(job_list, sizeof(job_list), "/proc/%d/fd/%d", (int)getpid(), descriptor);
}

static void set_up(const struct bench_row *row, enum bench_world world)
{
	(void)world;
	no_op = (char *)(uintptr_t)environment_program(PROGRAM_NO_OP);
	(void)snprintf(slots, sizeof(slots), "%u", row->count);
	write_job_list();
}

/* How many processes and threads the system has made since its start. */
static unsigned long count_births(void)
{
	FILE *file = fopen("/proc/stat", "re");
	char line[4096];
	unsigned long births = 0;

	if (file == NULL)
		bench_fail("/proc/stat", errno);
	while (births == 0 && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "processes ", strlen("processes ")) == 0)
			births = strtoul(line + strlen("processes "), NULL, 10);
	}
	(void)fclose(file);
	return births;
}

/* The list is the standard input of every command. */
static pid_t start_command(char *const argv[])
{
	pid_t pid = fork();

	if (pid < 0)
		bench_fail("fork", errno);
	if (pid > 0)
		return pid;
	if (dup2(open(job_list, O_RDONLY | O_CLOEXEC), STDIN_FILENO) < 0)
		_exit(127);
	(void)execve(argv[0], argv, environ);
	_exit(127);
}

/* A command that did nothing would be the fastest: at least as many processes as jobs must have come to be.
 */
static int64_t measure_command(char *const argv[])
{
	unsigned long births = count_births();
	int64_t start = bench_now();
	int64_t elapsed = 0;

	other_reap(start_command(argv));
	elapsed = bench_now() - start;
	if (count_births() - births < JOBS)
		bench_fail("fewer processes than jobs", 0);
	return elapsed;
}

static int64_t measure_pidring_run(void)
{
	char *argv[] = { run_path, "--jobs", slots, "--ungroup", no_op, NULL };

	return measure_command(argv);
}

static int64_t measure_busybox(void)
{
	char path[PATH_MAX];
	char *argv[] = { path, "xargs", "-n", "1", "-P", slots, no_op, NULL };

	(void)find_command("busybox", path, sizeof(path));
	return measure_command(argv);
}

static int64_t measure_xargs(void)
{
	char path[PATH_MAX];
	char *argv[] = { path, "-n", "1", "-P", slots, no_op, NULL };

	(void)find_command("xargs", path, sizeof(path));
	return measure_command(argv);
}

static const struct bench_contender contenders[] = {
	{ .name = "pidring-run", .measure = measure_pidring_run, .world = BENCH_BARE },
	{ .name = "busybox-xargs", .measure = measure_busybox, .world = BENCH_BARE },
	{ .name = "xargs", .measure = measure_xargs, .world = BENCH_BARE },
	{ 0 },
};

#define ROW(row_name, row_title, row_count)                                                         \
	{                                                                                           \
		.name = (row_name), .title = (row_title), .contenders = contenders,                 \
		.baseline = "busybox-xargs", .rounds = 8, .count = (row_count), .missing = missing, \
		.set_up = set_up                                                                    \
	}

const struct bench_row run_rows[] = {
	ROW("run-2-slots", "2,000 no-op jobs, 2 at a time", 2),
	ROW("run-64-slots", "2,000 no-op jobs, 64 at a time", 64),
	{ 0 },
};
