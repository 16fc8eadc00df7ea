/* SPDX-License-Identifier: MIT */
#include "stdio/descriptors.h"

#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Below this a number is low enough: copying so much of a table costs nothing that can be measured. */
enum { LOW = 128 };

static const char *const stream_names[] = { "stdin", "stdout", "stderr" };

/* A copy with a low number; -1: none is left. */
static int copy_low(int descriptor)
{
	int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);

	if (copy < LOW)
		return copy;
	close(copy);
	return -1;
}

static void close_one(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

static int open_all(struct low_descriptors *low)
{
	low->null = -1;
	for (unsigned i = 0; i < CHILD_PLACEMENTS; i++) {
		low->number[i] = -1;
		low->taken[i] = false;
	}
	low->self = sys_pidfd_open(getpid());
	if (low->self < 0)
		return low->self;

	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return 0;
	/* Not below 3, where it would be taken for a stream, and not high. */
	low->null = copy_low(null);
	close(null);
	for (unsigned i = 0; i < CHILD_PLACEMENTS && low->null >= 0; i++)
		low->number[i] = copy_low(low->null);
	return 0;
}

int low_descriptors_new(struct low_descriptors **ret_low)
{
	struct low_descriptors *low = calloc(1, sizeof *low);

	if (!low)
		return -ENOMEM;
	int r = open_all(low);
	if (r < 0) {
		free(low);
		return r;
	}
	low->references = 1;
	*ret_low = low;
	return 0;
}

void low_descriptors_close_free(struct low_descriptors *low)
{
	for (unsigned i = 0; i < CHILD_PLACEMENTS; i++)
		if (!low->taken[i])
			close_one(&low->number[i]);
}

void low_descriptors_close(struct low_descriptors *low, int kept)
{
	for (unsigned i = 0; i < CHILD_PLACEMENTS; i++)
		low->taken[i] = false;
	low_descriptors_close_free(low);
	close_one(&low->null);
	if (low->self == kept)
		low->self = -1;
	close_one(&low->self);
}

int low_descriptors_renew(struct low_descriptors *low)
{
	low->references = 1;
	low_descriptors_close(low, -1);
	return open_all(low);
}

void low_descriptors_unreference(struct low_descriptors *low)
{
	if (!low || --low->references > 0)
		return;
	low_descriptors_close(low, -1);
	free(low);
}

/* The low descriptor that stands in for `source` now, or `source` itself. */
static int lower(int source, struct low_descriptors *low, struct taken_descriptors *taken)
{
	if (source < LOW)
		return source;
	for (unsigned i = 0; i < CHILD_PLACEMENTS; i++) {
		if (low->number[i] < 0 || low->taken[i])
			continue;
		if (dup3(source, low->number[i], O_CLOEXEC) < 0)
			return source;
		low->taken[i] = true;
		taken->number[i] = low->number[i];
		return low->number[i];
	}
	return source;
}

static void place(struct child_plan *plan, int source, int target)
{
	plan->placements[plan->placement_count++] = (struct placement){ source, target };
}

static int place_streams(struct child_plan *plan, const struct settings *settings,
                         enum pidring_stream stdin_default, int null)
{
	for (int i = 0; i < 3; i++) {
		const struct stream_setting *stream = &settings->streams[i];
		enum pidring_stream to = stream->to;

		if (to == PIDRING_STREAM_DEFAULT)
			to = i == 0 ? stdin_default : PIDRING_STREAM_INHERIT;
		if (to == PIDRING_STREAM_NULL)
			place(plan, null, i);
		if (to != PIDRING_STREAM_DESCRIPTOR)
			continue;
		if (fcntl(stream->descriptor, F_GETFD) < 0)
			return explain(-EBADF, "%s_descriptor is %d, which is not open any more",
			               stream_names[i], stream->descriptor);
		place(plan, stream->descriptor, i);
	}
	return 0;
}

int descriptors_place(struct child_plan *plan, const struct settings *settings, int authkey_memfd,
                      struct low_descriptors *low, struct taken_descriptors *ret_taken)
{
	int highest = 2;

	for (unsigned i = 0; i < CHILD_PLACEMENTS; i++)
		ret_taken->number[i] = -1;
	plan->placement_count = 0;
	int r = place_streams(plan, settings, PIDRING_STREAM_INHERIT, low->null);
	if (r < 0)
		return r;
	if (authkey_memfd >= 0)
		place(plan, authkey_memfd, settings->authkey_descriptor);
	for (unsigned i = 0; i < plan->placement_count; i++) {
		struct placement *placement = &plan->placements[i];
		if (placement->source >= 0)
			placement->source = lower(placement->source, low, ret_taken);
		if (placement->source > highest)
			highest = placement->source;
	}
	plan->unshare_from = (unsigned)highest + 1;
	return 0;
}

int descriptors_place_function(struct child_plan *plan, const struct settings *settings,
                               const struct low_descriptors *low)
{
	plan->placement_count = 0;
	return place_streams(plan, settings, PIDRING_STREAM_NULL, low->null);
}

void descriptors_give_back(struct low_descriptors *low, struct taken_descriptors *taken)
{
	for (unsigned i = 0; i < CHILD_PLACEMENTS; i++) {
		if (taken->number[i] < 0)
			continue;
		taken->number[i] = -1;
		/* Its place is kept. */
		dup3(low->null, low->number[i], O_CLOEXEC);
		low->taken[i] = false;
	}
}
