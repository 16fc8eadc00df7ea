/* SPDX-License-Identifier: MIT */
/* The memory of children that share the creator's: a stack with a guard page, and the slot at its top. */
#include "birth/birth.h"

#include <sys/mman.h>
#include <unistd.h>

/* The stages of child.c need less than 4 KiB; the rest is room for the kernel's signal frame and for clone(2)'s wrapper.
 * Only touched pages cost anything. */
enum { STACK_SIZE = 32 * 1024 };

struct birth_slot *birth_slot_take(struct birth_slot_list *pool)
{
	struct birth_slot *slot = STAILQ_FIRST(pool);

	if (slot) {
		STAILQ_REMOVE_HEAD(pool, link);
		return slot;
	}

	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = page + STACK_SIZE + page;
	char *mapping =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (mapping == MAP_FAILED)
		return NULL;
	if (mprotect(mapping, page, PROT_NONE) < 0) {
		munmap(mapping, size);
		return NULL;
	}
	_Static_assert(sizeof(struct birth_slot) <= 4096, "a slot fits into the page above its stack");
	slot = (struct birth_slot *)(mapping + size - page);
	slot->mapping_size = size;
	slot->word = &slot->own_word;
	slot->plan = &slot->own_plan;
	slot->report_descriptor = -1;
	return slot;
}

void birth_slot_give_back(struct birth_slot_list *pool, struct birth_slot *slot)
{
	STAILQ_INSERT_HEAD(pool, slot, link);
}

void birth_slots_release(struct birth_slot_list *pool)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	while (!STAILQ_EMPTY(pool)) {
		struct birth_slot *slot = STAILQ_FIRST(pool);
		STAILQ_REMOVE_HEAD(pool, link);
		size_t size = slot->mapping_size;
		munmap((char *)slot + page - size, size);
	}
}
