/* SPDX-License-Identifier: MIT */
#include "environment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	MEGABYTE = 1 << 20,
	SPARE_DESCRIPTORS = 64,
	SPARE_MEGABYTES = 512,
};

static size_t count_cores(void)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return 1;
	return (size_t)CPU_COUNT(&allowed);
}

static size_t count_free_megabytes(void)
{
	long pages = sysconf(_SC_AVPHYS_PAGES);
	long page_size = sysconf(_SC_PAGESIZE);

	if (pages <= 0 || page_size <= 0)
		return 0;
	return (size_t)pages / (MEGABYTE / (size_t)page_size);
}

static size_t hard_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	return (size_t)limit.rlim_max;
}

const char *environment_missing(const struct bench_conditions *conditions, unsigned worlds)
{
	if (conditions->cores > count_cores())
		return "not enough cores";
	if (conditions->descriptors != 0 &&
	    hard_descriptor_limit() < conditions->descriptors + SPARE_DESCRIPTORS)
		return "the hard limit of descriptors is too low";
	if (conditions->megabytes != 0 &&
	    count_free_megabytes() < (size_t)worlds * conditions->megabytes + SPARE_MEGABYTES)
		return "not enough free memory";
	return NULL;
}

size_t environment_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		bench_fail("getrlimit", errno);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		bench_fail("setrlimit", errno);
	return (size_t)limit.rlim_cur;
}

/* The last cores, as the first ones tend to get the interrupts. */
static cpu_set_t choose_cores(const cpu_set_t *allowed, unsigned cores)
{
	cpu_set_t chosen;
	unsigned taken = 0;

	CPU_ZERO(&chosen);
	for (size_t core = CPU_SETSIZE; core > 0 && taken < cores; core--) {
		if (!CPU_ISSET(core - 1, allowed))
			continue;
		CPU_SET(core - 1, &chosen);
		taken++;
	}
	return chosen;
}

static cpu_set_t allowed_cores(void)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		bench_fail("sched_getaffinity", errno);
	return allowed;
}

static void pin(const cpu_set_t *cores)
{
	if (sched_setaffinity(0, sizeof(*cores), cores) < 0)
		bench_fail("sched_setaffinity", errno);
}

void environment_pin(const struct bench_conditions *conditions)
{
	cpu_set_t allowed = allowed_cores();
	cpu_set_t chosen = choose_cores(&allowed, conditions->cores);

	if (conditions->cores != 0)
		pin(&chosen);
}

void environment_pin_elsewhere(const struct bench_conditions *conditions)
{
	cpu_set_t allowed = allowed_cores();
	cpu_set_t chosen = choose_cores(&allowed, conditions->cores);
	cpu_set_t others;

	CPU_XOR(&others, &allowed, &chosen);
	if (CPU_COUNT(&others) > 0)
		pin(&others);
}

static void open_descriptors(unsigned count)
{
	int first = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (first < 0)
		bench_fail("opening /dev/null", errno);
	(void)environment_raise_descriptors();
	for (unsigned opened = 1; opened < count; opened++) {
		if (fcntl(first, F_DUPFD_CLOEXEC, 0) < 0)
			bench_fail("opening descriptors", errno);
	}
}

/* Huge pages would hide what a fork copies: most heaps do not get them, so this one does not either. */
static void touch_memory(unsigned megabytes)
{
	size_t size = (size_t)megabytes * MEGABYTE;
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("mapping memory", errno);
	(void)madvise((void *)(uintptr_t)memory, size, MADV_NOHUGEPAGE);
	for (size_t offset = 0; offset < size; offset += page_size)
		memory[offset] = 1;
}

void environment_prepare(const struct bench_conditions *conditions)
{
	if (conditions->descriptors != 0)
		open_descriptors(conditions->descriptors);
	if (conditions->megabytes != 0)
		touch_memory(conditions->megabytes);
}

const char *environment_beside(const char *name, char *buffer, size_t size)
{
	char suite[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", suite, sizeof(suite) - 1);
	char *slash = NULL;
	int needed = 0;

	if (length < 0)
		return NULL;
	suite[length] = '\0';
	slash = strrchr(suite, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	needed = snprintf(buffer, size, "%s/%s", suite, name);
	if (needed < 0 || (size_t)needed >= size || access(buffer, X_OK) < 0)
		return NULL;
	return buffer;
}

static const char *beside_suite(const char *name, char *buffer)
{
	if (environment_beside(name, buffer, PATH_MAX) == NULL)
		bench_fail("a program is not beside the suite", ENOENT);
	return buffer;
}

const char *environment_program(const char *program)
{
	static char no_op[PATH_MAX], stamp[PATH_MAX];

	if (strcmp(program, PROGRAM_NO_OP) == 0)
		return beside_suite("noop", no_op);
	if (strcmp(program, PROGRAM_STAMP) == 0)
		return beside_suite("stamp", stamp);
	return program;
}
