/* SPDX-License-Identifier: MIT */
/* In the child: its creator's table is left, and what it is not to have is closed. By raw calls alone (child.c says why). */
#include "birth/child_stages.h"

#include "sys/raw.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>

/* Leaves the shared table: the kernel copies only what is below unshare_from, so the cost does not grow with
 * the table (Linux 5.9). */
long stage_unshare(struct child_plan *plan)
{
	if (!plan->shared_table)
		return 0;
	if (plan->keep_descriptors)
		return raw_call1(SYS_unshare, CLONE_FILES);
	return raw_call3(SYS_close_range, plan->unshare_from, (long)UINT_MAX, CLOSE_RANGE_UNSHARE);
}

/* --- closing the rest --- */

/* -1: it is not. Close-on-exec ends it. */
static long kept_parent(const struct child_plan *plan)
{
	return plan->keep_parent ? plan->parent_pidfd : -1;
}

static bool is_kept(const struct child_plan *plan, long descriptor)
{
	return descriptor <= 2 || descriptor == plan->kept_descriptor || descriptor == kept_parent(plan) ||
	       child_is_target(plan, descriptor);
}

/* Closes what is between *from and the next one that is kept, and goes on behind that. */
static long close_up_to(long *from, long kept)
{
	long r = kept > *from ? raw_call3(SYS_close_range, *from, kept - 1, 0) : 0;

	if (kept >= *from)
		*from = kept + 1;
	return r;
}

/* The same up to `limit`, with what is kept beside the targets. */
static long close_below(const struct child_plan *plan, long *from, long limit)
{
	long report = plan->kept_descriptor, parent = kept_parent(plan);
	long low = report < parent ? report : parent, high = report < parent ? parent : report;
	long r = 0;

	if (low >= *from && low < limit)
		r = close_up_to(from, low);
	if (r >= 0 && high >= *from && high < limit)
		r = close_up_to(from, high);
	return r;
}

static long close_between_kept(const struct child_plan *plan)
{
	long from = 3, r = 0;

	for (unsigned i = 0; i < plan->placement_count && r >= 0; i++) {
		r = close_below(plan, &from, plan->placements[i].target);
		if (r >= 0)
			r = close_up_to(&from, plan->placements[i].target);
	}
	if (r >= 0)
		r = close_below(plan, &from, INT_MAX);
	return r < 0 ? r : raw_call3(SYS_close_range, from, (long)UINT_MAX, 0);
}

static long parse_number(const char *text)
{
	long number = 0;

	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): getdents64 has written it */
	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (*text - '0');
	return number;
}

/* The kernel's struct linux_dirent64. */
struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* Without close_range: /proc/self/fd lists what is open. Closing while reading may skip entries, hence until
 * a pass finds nothing. */
static long close_listed(const struct child_plan *plan)
{
	long directory =
		raw_call4(SYS_openat, AT_FDCWD, (long)"/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_Alignas(struct directory_entry) char buffer[1024];
	bool found = true;

	if (directory < 0)
		return directory;
	while (found) {
		long length;

		found = false;
		raw_call3(SYS_lseek, directory, 0, 0 /* SEEK_SET */);
		while ((length = raw_call3(SYS_getdents64, directory, (long)buffer, sizeof buffer)) > 0) {
			for (long at = 0; at < length;) {
				const struct directory_entry *entry = (const void *)(buffer + at);
				long descriptor = parse_number(entry->name);

				at += entry->length;
				if (descriptor < 0 || descriptor == directory || is_kept(plan, descriptor))
					continue;
				raw_call1(SYS_close, descriptor);
				found = true;
			}
		}
		if (length < 0)
			break;
	}
	raw_call1(SYS_close, directory);
	return 0;
}

/* Without /proc, too: every number that could be open. */
static long close_numbers(const struct child_plan *plan)
{
	struct rlimit limit = { 0 };
	long r = raw_call4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);

	if (r < 0)
		return r;
	/* The hard limit: the soft one may have been lowered below an open descriptor. */
	for (long descriptor = 3; (uint64_t)descriptor < limit.rlim_max && descriptor < INT_MAX; descriptor++)
		if (!is_kept(plan, descriptor))
			raw_call1(SYS_close, descriptor);
	return 0;
}

long stage_close(struct child_plan *plan)
{
	/* stage_unshare left nothing above 2 behind, and nothing came since. */
	bool closed_by_unshare = plan->shared_table && plan->unshare_from <= 3 && plan->placement_count == 0;

	if (plan->keep_descriptors || closed_by_unshare)
		return 0;
	if (plan->have_close_range)
		return close_between_kept(plan);
	if (close_listed(plan) == 0)
		return 0;
	return close_numbers(plan);
}
