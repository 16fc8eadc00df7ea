/* SPDX-License-Identifier: MIT */
/* What a child must know, copied into its box: a pointer of the application's means nothing there, one into the box does. */
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
	/* The next piece is aligned again. */
	return reserve(packing, (size_t)(-(uintptr_t)packing->at % _Alignof(max_align_t))) ? copy : NULL;
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
	return (struct packing){ box->room, (unsigned char *)box + NURSERY_BOX_SIZE - 1 };
}

int nursery_pack_program(struct nursery_box *box, sys_signal_set ignored)
{
	struct packing packing = begin(box);
	struct child_plan plan = box->plan;
	size_t count = 0;

	plan.argv = pack_strings(&packing, plan.argv, &count);
	plan.envp = plan.argv ? pack_strings(&packing, plan.envp, &count) : NULL;
	plan.path = plan.envp ? pack(&packing, plan.path, strlen(plan.path) + 1) : NULL;
	if (!plan.path || !pack_plan(&packing, &plan))
		return -E2BIG;
	box->task = TASK_PROGRAM;
	box->ignored = ignored;
	box->string_count = count;
	return finish(box, &packing, &plan);
}

int nursery_pack_function(struct nursery_box *box, int (*target)(void *), const void *message, size_t length)
{
	struct packing packing = begin(box);
	struct child_plan plan = box->plan;

	if (!pack(&packing, message, length) || !pack_plan(&packing, &plan))
		return -E2BIG;
	box->task = TASK_FUNCTION;
	box->target = target;
	box->message_length = length;
	return finish(box, &packing, &plan);
}
