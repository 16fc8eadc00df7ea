/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "environment.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	ROW_TIME_LIMIT = 120, /* seconds; the slowest row needs a tenth of it */
	NANOSECONDS_A_SECOND = 1000000000,
	QUICK_DIVISOR = 10,
	FEWEST_ROUNDS = 5,
	WARM_UP_DIVISOR = 20,
	FEWEST_WARM_UP_ROUNDS = 2,
};

/* pid 0: no contender lives there. */
struct running_world {
	pid_t pid;
	int requests; /* the socket to it */
};

/* The process group of the row that runs, for the handler that ends it together with the suite. */
static volatile sig_atomic_t running_group;
static const char *running_row = "";
static const char *running_contender = "preparation";

int64_t bench_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NANOSECONDS_A_SECOND + now.tv_nsec;
}

void bench_fail(const char *what, int error)
{
	const char *detail = error != 0 ? strerror(error) : "failed";

	(void)fprintf(stderr, "suite: %s: %s: %s: %s\n", running_row, running_contender, what, detail);
	_exit(EXIT_FAILURE);
}

size_t bench_count_contenders(const struct bench_row *row)
{
	size_t count = 0;

	while (row->contenders[count].name != NULL)
		count++;
	return count;
}

size_t bench_find_contender(const struct bench_row *row, const char *name)
{
	size_t index = 0;

	while (row->contenders[index].name != NULL && strcmp(row->contenders[index].name, name) != 0)
		index++;
	return index;
}

const char *bench_missing(const struct bench_contender *contender)
{
	return contender->missing != NULL ? contender->missing() : NULL;
}

bool bench_is_selected(const struct bench_row *row, const struct bench_settings *settings)
{
	return settings->only == NULL || strstr(row->name, settings->only) != NULL;
}

static size_t count_measures(const struct bench_row *row)
{
	return row->together != NULL ? BENCH_MEASURES : 1;
}

static unsigned count_rounds(const struct bench_row *row, const struct bench_settings *settings)
{
	unsigned rounds = row->rounds;

	if (settings->rounds != 0)
		return settings->rounds;
	/* What is counted hardly differs from one time to the next. */
	if (row->unit == BENCH_CALLS)
		return rounds;
	if (settings->quick)
		rounds /= QUICK_DIVISOR;
	return rounds < FEWEST_ROUNDS ? FEWEST_ROUNDS : rounds;
}

static unsigned count_warm_up_rounds(const struct bench_row *row, unsigned rounds)
{
	unsigned warm_up = rounds / WARM_UP_DIVISOR;

	if (row->unit == BENCH_CALLS)
		return 0;
	return warm_up < FEWEST_WARM_UP_ROUNDS ? FEWEST_WARM_UP_ROUNDS : warm_up;
}

/* xorshift64, always from the same seed: two runs of the suite have the same order. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void shuffle(size_t *order, size_t count, uint64_t *state)
{
	for (size_t last = count - 1; last > 0; last--) {
		size_t other = (size_t)(next_random(state) % (last + 1));
		size_t kept = order[last];

		order[last] = order[other];
		order[other] = kept;
	}
}

/* --- worlds --- */

static bool has_contender(const struct bench_row *row, enum bench_world world)
{
	for (const struct bench_contender *contender = row->contenders; contender->name != NULL;
	     contender++) {
		if (contender->world == world && bench_missing(contender) == NULL)
			return true;
	}
	return false;
}

unsigned bench_count_worlds(const struct bench_row *row)
{
	unsigned count = 0;

	for (unsigned world = 0; world < BENCH_WORLDS; world++) {
		if (has_contender(row, (enum bench_world)world))
			count++;
	}
	return count;
}

static void measure(const struct bench_contender *contender, int64_t *ret_times)
{
	if (contender->measure_all != NULL)
		contender->measure_all(ret_times);
	else
		ret_times[0] = contender->measure();
}

static void prepare_world(const struct bench_row *row, enum bench_world world)
{
	environment_pin(&row->conditions);
	if (world != BENCH_PYTHON && !row->grown_last)
		environment_prepare(&row->conditions);
	if (row->set_up != NULL)
		row->set_up(row, world);
	if (world != BENCH_PYTHON && row->grown_last)
		environment_prepare(&row->conditions);
}

/* Ends with the end of its socket: then the row is over, or has failed. */
__attribute__((noreturn)) static void live_as_world(const struct bench_row *row, enum bench_world world,
                                                    int requests)
{
	size_t index = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	prepare_world(row, world);
	if (write(requests, &index, sizeof(index)) != sizeof(index))
		bench_fail("saying that everything is prepared", errno);
	while (read(requests, &index, sizeof(index)) == sizeof(index)) {
		int64_t times[BENCH_MEASURES] = { 0 };

		running_contender = row->contenders[index].name;
		if (row->rehearsed)
			measure(&row->contenders[index], times);
		measure(&row->contenders[index], times);
		if (write(requests, times, sizeof(times)) != sizeof(times))
			bench_fail("telling the time", errno);
	}
	running_contender = "clean-up";
	if (row->tear_down != NULL)
		row->tear_down(world);
	_exit(EXIT_SUCCESS);
}

static void make_world(const struct bench_row *row, enum bench_world world, struct running_world *ret_world)
{
	int ends[2];
	size_t prepared = 0;

	if (!has_contender(row, world))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("socketpair", errno);
	ret_world->pid = fork();
	if (ret_world->pid < 0)
		bench_fail("fork", errno);
	if (ret_world->pid == 0) {
		(void)close(ends[0]);
		live_as_world(row, world, ends[1]);
	}
	(void)close(ends[1]);
	ret_world->requests = ends[0];
	if (read(ends[0], &prepared, sizeof(prepared)) != sizeof(prepared))
		bench_fail("a world could not be prepared", 0);
}

/* All sockets first: the world that was made last holds copies of the others' ends. */
static void end_worlds(const struct running_world *worlds)
{
	for (size_t world = 0; world < BENCH_WORLDS; world++) {
		if (worlds[world].pid != 0)
			(void)close(worlds[world].requests);
	}
	for (size_t world = 0; world < BENCH_WORLDS; world++) {
		int status = 0;

		if (worlds[world].pid == 0)
			continue;
		if (waitpid(worlds[world].pid, &status, 0) != worlds[world].pid || status != 0)
			bench_fail("a world did not end well", 0);
	}
}

static void measure_in_world(const struct running_world *world, size_t index, int64_t *ret_times)
{
	const ssize_t size = BENCH_MEASURES * sizeof(*ret_times);

	if (write(world->requests, &index, sizeof(index)) != sizeof(index))
		bench_fail("asking for a measurement", errno);
	if (read(world->requests, ret_times, (size_t)size) != size)
		bench_fail("a world has ended", 0);
}

/* The contenders of a row that take part, in the order of their turns. */
struct turns {
	size_t order[BENCH_MAXIMUM_CONTENDERS];
	size_t count;
	uint64_t state;
};

static struct turns make_turns(const struct bench_row *row)
{
	struct turns turns = { .state = 0x9e3779b97f4a7c15 };

	for (size_t index = 0; row->contenders[index].name != NULL; index++) {
		if (bench_missing(&row->contenders[index]) == NULL)
			turns.order[turns.count++] = index;
	}
	return turns;
}

/* The samples of a round: those of all contenders by the first measure, then by the second, and so on. */
static void measure_round(const struct bench_row *row, const struct running_world *worlds,
                          struct turns *turns, size_t count, int64_t *ret_samples)
{
	shuffle(turns->order, turns->count, &turns->state);
	for (size_t turn = 0; turn < turns->count; turn++) {
		size_t index = turns->order[turn];
		int64_t times[BENCH_MEASURES];

		running_contender = row->contenders[index].name;
		measure_in_world(&worlds[row->contenders[index].world], index, times);
		for (size_t which = 0; which < count_measures(row); which++)
			ret_samples[which * count + index] = times[which];
	}
}

static void measure_rounds(const struct bench_row *row, const struct running_world *worlds, size_t count,
                           unsigned rounds, int64_t *ret_samples)
{
	struct turns turns = make_turns(row);
	unsigned warm_up = count_warm_up_rounds(row, rounds);

	for (unsigned round = 0; round < warm_up; round++)
		measure_round(row, worlds, &turns, count, ret_samples);
	for (unsigned round = 0; round < rounds; round++)
		measure_round(row, worlds, &turns, count, ret_samples + round * count_measures(row) * count);
}

/* --- the row's process --- */

static void send_samples(int descriptor, const int64_t *samples, size_t size)
{
	const char *bytes = (const char *)samples;

	while (size > 0) {
		ssize_t written = write(descriptor, bytes, size);

		if (written < 0)
			bench_fail("sending the samples", errno);
		bytes += written;
		size -= (size_t)written;
	}
}

/* Each signal that is ignored is one more call for some contenders. By raw calls, as libc hides two of them, which make ignores. */
static void heed_all_signals(void)
{
	const struct raw_signal_action by_default = { 0 };
	struct raw_signal_action action;

	for (long number = 1; number <= RAW_SIGNALS; number++)
		if (raw_call(SYS_rt_sigaction, number, 0, (long)&action, RAW_SIGNAL_SET_SIZE, 0) == 0 &&
		    action.handler == SIG_IGN)
			(void)raw_call(SYS_rt_sigaction, number, (long)&by_default, 0, RAW_SIGNAL_SET_SIZE,
			               0);
}

/* What the suite did to its own signals is undone, and what its starter did, so that the contenders find a plain process. */
static void reset_signals(void)
{
	sigset_t none;

	heed_all_signals();
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void live_as_row(const struct bench_row *row, size_t count, unsigned rounds,
                                                  int64_t *samples, int descriptor, pid_t suite)
{
	struct running_world worlds[BENCH_WORLDS] = { 0 };

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != suite)
		_exit(EXIT_FAILURE);
	reset_signals();
	for (unsigned world = 0; world < BENCH_WORLDS; world++)
		make_world(row, (enum bench_world)world, &worlds[world]);
	/* On the row's own core it would get between caller and child. */
	environment_pin_elsewhere(&row->conditions);
	measure_rounds(row, worlds, count, rounds, samples);
	running_contender = "clean-up";
	end_worlds(worlds);
	send_samples(descriptor, samples, rounds * count_measures(row) * count * sizeof(*samples));
	_exit(EXIT_SUCCESS);
}

/* --- the suite's process --- */

/* Whether all of it came before the end of the stream and of the time. */
static bool receive_samples(int descriptor, int64_t *ret_samples, size_t size)
{
	int64_t deadline = bench_now() + (int64_t)ROW_TIME_LIMIT * NANOSECONDS_A_SECOND;
	char *bytes = (char *)ret_samples;

	while (size > 0) {
		struct pollfd item = { .fd = descriptor, .events = POLLIN };
		int64_t left = (deadline - bench_now()) / 1000000;
		ssize_t received = 0;

		if (left <= 0)
			return false;
		if (poll(&item, 1, (int)left) <= 0)
			continue;
		received = read(descriptor, bytes, size);
		if (received <= 0)
			return false;
		bytes += received;
		size -= (size_t)received;
	}
	return true;
}

/* Ends with the suite what the row left behind or still does. */
static void end_with_row(int signal_number)
{
	if (running_group > 0)
		(void)kill(-(pid_t)running_group, SIGKILL);
	_exit(128 + signal_number);
}

static void watch_for_interruption(void)
{
	struct sigaction action = { .sa_handler = end_with_row };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

/* The row is still a zombie when its group is signalled, so the number cannot belong to anybody else. */
static void end_row(pid_t row)
{
	(void)kill(-row, SIGKILL);
	while (waitpid(row, NULL, 0) < 0 && errno == EINTR)
		;
	running_group = 0;
}

static bool run_apart(const struct bench_row *row, size_t count, unsigned rounds, int64_t *ret_samples)
{
	int ends[2];
	pid_t suite = getpid();
	pid_t child = 0;
	bool complete = false;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	watch_for_interruption();
	(void)fflush(NULL);
	running_row = row->name;
	child = fork();
	if (child == 0) {
		(void)close(ends[0]);
		live_as_row(row, count, rounds, ret_samples, ends[1], suite);
	}
	(void)close(ends[1]);
	if (child > 0) {
		/* Both sides do it: whichever is first, the group exists before anything relies on it. */
		(void)setpgid(child, child);
		running_group = child;
		complete = receive_samples(ends[0], ret_samples,
		                           rounds * count_measures(row) * count * sizeof(*ret_samples));
		end_row(child);
	}
	(void)close(ends[0]);
	return complete;
}

/* --- a run, and the rows that it is shown in --- */

/* The last run. */
static struct {
	const char *together;
	struct bench_samples samples;
} last_run;

static const char *find_missing(const struct bench_row *row)
{
	const char *reason = environment_missing(&row->conditions, bench_count_worlds(row));

	if (reason == NULL && row->missing != NULL)
		reason = row->missing(row);
	return reason;
}

static void find_missing_contenders(const struct bench_row *row, struct bench_samples *samples)
{
	for (size_t index = 0; index < samples->contenders; index++)
		samples->missing[index] = bench_missing(&row->contenders[index]);
}

static void run(const struct bench_row *row, const struct bench_settings *settings,
                struct bench_samples *ret_samples)
{
	size_t count = bench_count_contenders(row);
	unsigned rounds = count_rounds(row, settings);

	*ret_samples =
		(struct bench_samples){ .outcome = BENCH_SKIPPED, .contenders = count, .rounds = rounds };
	ret_samples->reason = find_missing(row);
	if (ret_samples->reason != NULL)
		return;
	find_missing_contenders(row, ret_samples);
	ret_samples->outcome = BENCH_FAILED;
	ret_samples->samples = calloc(rounds * count_measures(row) * count, sizeof(*ret_samples->samples));
	if (ret_samples->samples != NULL && run_apart(row, count, rounds, ret_samples->samples))
		ret_samples->outcome = BENCH_MEASURED;
}

/* Of all measures of a run, the row's own. */
static void take_measure(const struct bench_row *row, const struct bench_samples *all,
                         struct bench_samples *ret_samples)
{
	size_t count = all->contenders;

	*ret_samples = *all;
	ret_samples->samples = NULL;
	if (all->outcome != BENCH_MEASURED)
		return;
	ret_samples->samples = calloc(all->rounds * count, sizeof(*ret_samples->samples));
	if (ret_samples->samples == NULL) {
		ret_samples->outcome = BENCH_FAILED;
		return;
	}
	for (size_t round = 0; round < all->rounds; round++)
		memcpy(ret_samples->samples + round * count,
		       all->samples + (round * BENCH_MEASURES + row->measure) * count,
		       count * sizeof(*all->samples));
}

void bench_run_row(const struct bench_row *row, const struct bench_settings *settings,
                   struct bench_samples *ret_samples)
{
	if (row->together == NULL) {
		run(row, settings, ret_samples);
		return;
	}
	if (last_run.together == NULL || strcmp(last_run.together, row->together) != 0) {
		free(last_run.samples.samples);
		run(row, settings, &last_run.samples);
		last_run.together = row->together;
	}
	take_measure(row, &last_run.samples, ret_samples);
}
