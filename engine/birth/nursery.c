/* SPDX-License-Identifier: MIT */
/*
 * What a child must know, copied into its box, where a pointer of the application's means nothing, but one into the box
 * does; and the check of what is found there, as if a stranger had written it.
 */
#include "birth/nursery.h"

#include "birth/forkserver.h"

#include <errno.h>
#include <string.h>

void nursery_settle(struct nursery_box *box)
{
	atomic_store(&box->word, 0);
	sys_futex_wake((const uint32_t *)&box->word);
}

/* Where the next piece goes. */
struct packing {
	unsigned char *at, *end;
};

static void *reserve(struct packing *packing, size_t size)
{
	const size_t alignment = _Alignof(max_align_t);
	size_t rounded = (size + alignment - 1) / alignment * alignment;
	void *place = packing->at;

	if (size > NURSERY_ROOM || rounded > (size_t)(packing->end - packing->at))
		return NULL;
	packing->at += rounded;
	return place;
}

static const void *pack(struct packing *packing, const void *bytes, size_t size)
{
	void *place = reserve(packing, size);

	return place ? memcpy(place, bytes, size) : NULL;
}

static const char *pack_string(struct packing *packing, const char *string)
{
	size_t size = strlen(string) + 1;
	void *place = packing->at;

	if (size > (size_t)(packing->end - packing->at))
		return NULL;
	packing->at += size;
	return memcpy(place, string, size);
}

/* After strings, so that the next piece may be anything. */
static bool align(struct packing *packing)
{
	size_t gap = (size_t)(-(uintptr_t)packing->at % _Alignof(max_align_t));

	if (gap > (size_t)(packing->end - packing->at))
		return false;
	packing->at += gap;
	return true;
}

/* The pointers, and then the strings. */
static char **pack_strings(struct packing *packing, char *const *strings, size_t *count)
{
	size_t length = 0;

	while (strings[length])
		length++;
	char **copy = reserve(packing, (length + 1) * sizeof *copy);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		copy[i] = (char *)pack_string(packing, strings[i]);
		if (!copy[i])
			return NULL;
	}
	copy[length] = NULL;
	*count += length;
	return align(packing) ? copy : NULL;
}

/* What both kinds of plan point to. */
static bool pack_plan(struct packing *packing, struct child_plan *plan)
{
	if (plan->placement_count > 0) {
		plan->placements = (void *)pack(packing, plan->placements,
		                                plan->placement_count * sizeof *plan->placements);
		if (!plan->placements)
			return false;
	}
	if (plan->working_directory) {
		plan->working_directory = pack_string(packing, plan->working_directory);
		if (!plan->working_directory)
			return false;
	}
	return true;
}

/* The zero that ends every string, whatever has become of its own. */
static int finish(struct nursery_box *box, const struct packing *packing, const struct child_plan *plan)
{
	*packing->at = 0;
	box->length = (size_t)(packing->at - box->room) + 1;
	box->plan = *plan;
	return 0;
}

static struct packing begin(struct nursery_box *box)
{
	/* Unless it comes to an end, all of it may have been touched. */
	box->length = NURSERY_ROOM;
	return (struct packing){ box->room, box->room + NURSERY_ROOM - 1 };
}

void nursery_answer(struct nursery_box *box, int error)
{
	box->error = error;
	if (atomic_exchange(&box->answer, ANSWER_GIVEN) == ANSWER_AWAITED)
		sys_futex_wake((const uint32_t *)&box->answer);
}

void nursery_wake(struct nursery_box *box, uint32_t go)
{
	atomic_store(&box->go, go);
	sys_futex_wake((const uint32_t *)&box->go);
}

void nursery_read_report(const struct nursery_box *box, struct child_plan *plan)
{
	plan->failed_step = box->plan.failed_step;
	plan->failed_error = box->plan.failed_error;
}

int nursery_pack_program(struct nursery_box *box, const struct child_plan *given)
{
	struct packing packing = begin(box);
	struct child_plan plan = *given;
	size_t count = 0;

	plan.argv = pack_strings(&packing, plan.argv, &count);
	plan.envp = plan.argv ? pack_strings(&packing, plan.envp, &count) : NULL;
	plan.path = plan.envp ? pack(&packing, plan.path, strlen(plan.path) + 1) : NULL;
	if (!plan.path || !pack_plan(&packing, &plan))
		return -E2BIG;
	box->task = TASK_PROGRAM;
	box->string_count = count;
	return finish(box, &packing, &plan);
}

int nursery_pack_function(struct nursery_box *box, const struct child_plan *given, int (*target)(void *),
                          const void *message, size_t length)
{
	struct packing packing = begin(box);
	struct child_plan plan = *given;

	if (!pack(&packing, message, length) || !pack_plan(&packing, &plan))
		return -E2BIG;
	box->task = TASK_FUNCTION;
	box->target = target;
	box->message_length = length;
	return finish(box, &packing, &plan);
}

/* --- the check --- */

static bool is_inside(const struct nursery_box *box, const void *pointer, size_t size)
{
	uintptr_t begin = (uintptr_t)box->room, at = (uintptr_t)pointer;

	return at >= begin && size <= NURSERY_ROOM && at - begin <= NURSERY_ROOM - size;
}

/* The last byte of what is used is zero, so every string in it ends there at the latest. */
static bool is_string(const struct nursery_box *box, const void *pointer)
{
	return is_inside(box, pointer, 1) && (const unsigned char *)pointer < box->room + box->length;
}

static bool are_strings(const struct nursery_box *box, char *const *strings, size_t *left)
{
	if (!is_inside(box, strings, sizeof *strings))
		return false;
	for (; is_inside(box, strings, sizeof *strings); strings++) {
		if (!*strings)
			return true;
		if (*left == 0 || !is_string(box, *strings))
			return false;
		--*left;
	}
	return false;
}

static bool is_plan_sound(const struct nursery_box *box)
{
	const struct child_plan *plan = &box->plan;
	size_t count = plan->placement_count;

	if (box->length == 0 || box->length > NURSERY_ROOM || box->room[box->length - 1] != 0)
		return false;
	if (count > NURSERY_ROOM / sizeof *plan->placements)
		return false;
	if (count > 0 && !is_inside(box, plan->placements, count * sizeof *plan->placements))
		return false;
	/* What a server's child never has. */
	if (plan->confine || plan->candidates || plan->enter_cgroup)
		return false;
	return !plan->working_directory || is_string(box, plan->working_directory);
}

bool nursery_has_program(const struct nursery_box *box)
{
	const struct child_plan *plan = &box->plan;
	size_t left = box->string_count;

	return is_plan_sound(box) && is_string(box, plan->path) && are_strings(box, plan->argv, &left) &&
	       are_strings(box, plan->envp, &left);
}

bool nursery_has_function(const struct nursery_box *box)
{
	return is_plan_sound(box) && box->message_length <= NURSERY_ROOM;
}
