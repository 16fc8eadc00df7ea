/* SPDX-License-Identifier: MIT */
#include "stdio/descriptors.h"

#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Below this a number is low enough: copying so much of a table costs nothing that can be measured. */
enum { LOW = 128 };

/* As many stand-ins as an engine has from the beginning. */
enum { FIRST_STAND_INS = 4 };

/* A copy with a low number; -1: none is left. */
static int copy_low(int descriptor)
{
	int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);

	if (copy < LOW)
		return copy;
	close(copy);
	return -1;
}

/* Whether there is one more stand-in. */
static bool grow(struct low_descriptors *low)
{
	int copy = low->null >= 0 && low->count < LOW_STAND_INS ? copy_low(low->null) : -1;

	if (copy < 0)
		return false;
	low->number[low->count++] = copy;
	return true;
}

static int open_all(struct low_descriptors *low)
{
	low->null = -1;
	low->count = 0;
	low->taken = 0;
	low->self = sys_above_streams(sys_pidfd_open(getpid()));
	if (low->self < 0)
		return low->self;

	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return 0;
	/* Not below 3, where it would be taken for a stream, and not high. */
	low->null = copy_low(null);
	close(null);
	while (low->count < FIRST_STAND_INS && grow(low))
		;
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
	for (unsigned i = 0; i < low->count; i++)
		if (!(low->taken >> i & 1))
			sys_close(&low->number[i]);
}

void low_descriptors_close(struct low_descriptors *low, int kept)
{
	low->taken = 0;
	low_descriptors_close_free(low);
	sys_close(&low->null);
	if (low->self == kept)
		low->self = -1;
	sys_close(&low->self);
}

void low_descriptors_forget(struct low_descriptors *low)
{
	*low = (struct low_descriptors){ .references = 1, .self = -1, .null = -1 };
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
	unsigned i = 0;
	while (i < low->count && (low->taken >> i & 1))
		i++;
	if (i == low->count && !grow(low))
		return source;
	if (dup3(source, low->number[i], O_CLOEXEC) < 0)
		return source;
	low->taken |= (uint64_t)1 << i;
	taken->mask |= (uint64_t)1 << i;
	return low->number[i];
}

static void place(struct child_plan *plan, int source, int target)
{
	plan->placements[plan->placement_count++] =
		(struct placement){ .source = source, .target = target, .lifted = -1 };
}

static bool is_open(int descriptor)
{
	return fcntl(descriptor, F_GETFD) >= 0;
}

static enum pidring_stream place_of(const struct settings *settings, int stream)
{
	enum pidring_stream to = settings->streams[stream].to;

	if (to != PIDRING_STREAM_DEFAULT)
		return to;
	return stream == STDIN_FILENO && !settings->program ? PIDRING_STREAM_NULL : PIDRING_STREAM_INHERIT;
}

static int place_stderr_at_stdout(struct child_plan *plan)
{
	int source = STDOUT_FILENO;

	for (unsigned i = 0; i < plan->placement_count; i++)
		if (plan->placements[i].target == STDOUT_FILENO)
			source = plan->placements[i].source;
	if (source == STDOUT_FILENO && !is_open(source))
		return explain(-EBADF, "stderr_to is PIDRING_STREAM_STDOUT, but stdout is not open");
	place(plan, source, STDERR_FILENO);
	return 0;
}

static int place_descriptor(struct child_plan *plan, int source, int stream, const char *option)
{
	if (!is_open(source))
		return explain(-EBADF, "%s_%s is %d, which is not open any more", stream_names[stream],
		               option, source);
	place(plan, source, stream);
	return 0;
}

static int place_stream(struct child_plan *plan, const struct settings *settings,
                        const struct stream_ends *ends, int stream, int null)
{
	const struct stream_setting *setting = &settings->streams[stream];

	switch (place_of(settings, stream)) {
	case PIDRING_STREAM_DEFAULT:
	case PIDRING_STREAM_INHERIT:
		return 0;
	case PIDRING_STREAM_NULL:
		place(plan, null, stream);
		plan->placements[plan->placement_count - 1].courtesy = setting->to == PIDRING_STREAM_DEFAULT;
		return 0;
	case PIDRING_STREAM_DESCRIPTOR:
		return place_descriptor(plan, setting->descriptor, stream, "descriptor");
	case PIDRING_STREAM_FILE:
		return place_descriptor(plan, fileno(setting->file), stream, "file");
	case PIDRING_STREAM_STDOUT:
		return place_stderr_at_stdout(plan);
	case PIDRING_STREAM_TERMINAL:
		place(plan, ends->child[settings_terminal(settings)], stream);
		return 0;
	default:
		place(plan, ends->child[stream], stream);
		return 0;
	}
}

/* The auth key finds its place among the descriptors, which are sorted. */
static int place_passed(struct child_plan *plan, const struct settings *settings, int authkey_memfd)
{
	bool pending = authkey_memfd >= 0;

	for (size_t i = 0; i < settings->descriptor_count; i++) {
		const struct pidring_descriptor *passed = &settings->descriptors[i];

		if (!is_open(passed->source))
			return explain(
				-EBADF,
				"a descriptor to pass is not open any more: %d, which would be %d in the "
				"child",
				passed->source, passed->target);
		if (pending && settings->authkey_descriptor < passed->target) {
			place(plan, authkey_memfd, settings->authkey_descriptor);
			pending = false;
		}
		place(plan, passed->source, passed->target);
	}
	if (pending)
		place(plan, authkey_memfd, settings->authkey_descriptor);
	return 0;
}

/* Whether the child must raise its soft limit for its highest target. */
static bool is_above_limit(const struct child_plan *plan)
{
	struct rlimit limit;
	int highest = plan->placement_count ? plan->placements[plan->placement_count - 1].target : 0;

	if (highest <= STDERR_FILENO || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	return (rlim_t)highest >= limit.rlim_cur;
}

/* Whether some must be lifted out of the way of others, which takes numbers that the limit may not have. */
static bool needs_room(const struct child_plan *plan)
{
	for (unsigned i = 0; i < plan->placement_count; i++) {
		int source = plan->placements[i].source;
		if (source > STDERR_FILENO && source != plan->placements[i].target &&
		    child_is_target(plan, source))
			return true;
	}
	return false;
}

static int make_placements(struct child_plan *plan, const struct settings *settings,
                           const struct stream_ends *ends, int authkey_memfd, int null)
{
	/* Streams, and the auth key. */
	size_t room = 3 + 1 + settings->descriptor_count;
	int r = 0;

	plan->placements = calloc(room, sizeof *plan->placements);
	plan->placement_count = 0;
	if (!plan->placements)
		return explain(-ENOMEM, "no memory to pass %zu descriptors", room);
	for (int i = 0; i < 3 && r == 0; i++)
		r = place_stream(plan, settings, ends, i, null);
	if (r == 0)
		r = place_passed(plan, settings, authkey_memfd);
	if (r < 0) {
		free(plan->placements);
		plan->placements = NULL;
		return r;
	}
	plan->raise_limit = is_above_limit(plan) || needs_room(plan);
	plan->terminal = settings_terminal(settings);
	return 0;
}

int descriptors_place(struct child_plan *plan, const struct settings *settings,
                      const struct stream_ends *ends, int authkey_memfd, struct low_descriptors *low,
                      struct taken_descriptors *ret_taken)
{
	int highest = STDERR_FILENO;

	ret_taken->mask = 0;
	int r = make_placements(plan, settings, ends, authkey_memfd, low->null);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < plan->placement_count; i++) {
		struct placement *placement = &plan->placements[i];
		placement->source = lower(placement->source, low, ret_taken);
		if (placement->source > highest)
			highest = placement->source;
	}
	plan->unshare_from = (unsigned)highest + 1;
	return 0;
}

int descriptors_place_function(struct child_plan *plan, const struct settings *settings,
                               const struct stream_ends *ends, const struct low_descriptors *low)
{
	return make_placements(plan, settings, ends, -1, low->null);
}

void descriptors_give_back(struct low_descriptors *low, struct taken_descriptors *taken)
{
	for (unsigned i = 0; i < low->count; i++) {
		if (!(taken->mask >> i & 1))
			continue;
		/* Its place is kept. */
		dup3(low->null, low->number[i], O_CLOEXEC);
	}
	low->taken &= ~taken->mask;
	taken->mask = 0;
}
