/* SPDX-License-Identifier: MIT */
/* Starting many at a time: their children are created before the first exec is waited for. */
#include "explain.h"
#include "start.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int compare_pointers(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t) * (void *const *)a, right = (uintptr_t) * (void *const *)b;

	return left < right ? -1 : left > right;
}

static int check_many(struct pidring_process *const *processes, size_t count)
{
	if (!processes && count > 0)
		return explain(-EINVAL, "pidring_start_many: processes is NULL, but count is %zu", count);
	for (size_t i = 0; i < count; i++)
		if (!processes[i])
			return explain(-EINVAL, "pidring_start_many: processes[%zu] is NULL", i);
	if (count < 2)
		return 0;

	const void **sorted = malloc(count * sizeof *sorted);
	if (!sorted)
		return explain(-ENOMEM, "no memory to start %zu processes", count);
	memcpy(sorted, processes, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_pointers);
	int r = 0;
	for (size_t i = 1; i < count && r == 0; i++)
		if (sorted[i] == sorted[i - 1])
			r = explain(-EINVAL, "pidring_start_many: a process is in the array twice");
	free(sorted);
	return r;
}

/* So many slots at a time; a wave's programs have mostly run by the time that its last child is made. */
enum { WAVE = 64 };

/* Whether its second half has nothing to wait for. Without a system call: what is not known so is waited for. */
static bool is_settled(const struct start *start, int result)
{
	if (result < 0 || !start->waits)
		return true;
	struct birth_slot *slot = start->process->slot;
	return slot->report_descriptor < 0 && birth_program_is_settled(slot);
}

/* Some starts of one pidring_start_many. */
struct wave {
	struct start starts[WAVE];
	int results[WAVE];
	size_t made, finished;
	int started;
};

static void finish_next(struct wave *wave)
{
	size_t i = wave->finished++;

	if (wave->results[i] == 0 && start_finish(&wave->starts[i]) == 0)
		wave->started++;
}

/* Those whose program runs already are finished meanwhile: their slots and low descriptors serve for the next. */
static void start_wave(struct wave *wave, struct pidring_process *const *processes, size_t count,
                       sys_signal_set reset)
{
	wave->made = wave->finished = 0;
	while (wave->made < count) {
		size_t i = wave->made++;
		wave->starts[i] = (struct start){ .process = processes[i], .reset = reset };
		wave->results[i] = start_first_half(&wave->starts[i]);
		while (wave->finished < wave->made &&
		       is_settled(&wave->starts[wave->finished], wave->results[wave->finished]))
			finish_next(wave);
	}
	while (wave->finished < count)
		finish_next(wave);
}

int pidring_start_many(struct pidring_process *const *processes, size_t count)
{
	struct wave wave;
	int cancelability;
	int r = check_many(processes, count);

	if (r < 0)
		return r;
	wave.started = 0;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	/* Asking for all signals once is as dear as resetting them in one child. With a clone that
	 * does not clear handlers, each child asks for itself. */
	sys_signal_set reset = count > 1 ? child_find_ignored() : SYS_ALL_SIGNALS;
	for (size_t done = 0; done < count; done += WAVE) {
		size_t left = count - done;

		start_wave(&wave, processes + done, left < WAVE ? left : WAVE, reset);
	}
	pthread_setcancelstate(cancelability, NULL);
	return wave.started;
}
