/* SPDX-License-Identifier: MIT */
#include "run_items.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As much as a pipe holds. */
#define BLOCK ((size_t)65536)

int run_items_open(struct run_items *items, int descriptor, bool null_separated)
{
	struct stat status;
	/* The kernel's MAX_ARG_STRLEN, which no header or system call tells. */
	size_t longest = 32 * (size_t)sysconf(_SC_PAGESIZE) - 1;

	*items = (struct run_items){
		.descriptor = descriptor,
		.separator = null_separated ? '\0' : '\n',
		.always_ready = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode),
		.longest = longest,
		.room = longest + 1 + BLOCK,
	};
	items->buffer = malloc(items->room);
	return items->buffer ? 0 : -ENOMEM;
}

void run_items_close(struct run_items *items)
{
	free(items->buffer);
	items->buffer = NULL;
}

static bool is_ready(const struct run_items *items)
{
	struct pollfd descriptor = { .fd = items->descriptor, .events = POLLIN };

	return items->always_ready || poll(&descriptor, 1, 0) != 0;
}

static void make_room(struct run_items *items)
{
	if (items->room - items->end >= BLOCK)
		return;
	memmove(items->buffer, items->buffer + items->begin, items->end - items->begin);
	items->end -= items->begin;
	items->searched -= items->begin;
	items->begin = 0;
}

/* Reads one block. RUN_ITEMS_ONE: there is more to look at, or the end. */
static enum run_items_result read_block(struct run_items *items)
{
	ssize_t count;

	if (!is_ready(items))
		return RUN_ITEMS_NOT_YET;
	make_room(items);
	count = read(items->descriptor, items->buffer + items->end, BLOCK);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return RUN_ITEMS_NOT_YET;
	if (count < 0) {
		snprintf(items->error, sizeof(items->error), "cannot read the items: %s", strerror(errno));
		return RUN_ITEMS_FAILED;
	}
	items->end += (size_t)count;
	items->at_end = count == 0;
	return RUN_ITEMS_ONE;
}

static enum run_items_result refuse(struct run_items *items, const char *trouble)
{
	snprintf(items->error, sizeof(items->error), "%s %zu %s", items->separator ? "line" : "item",
	         items->number, trouble);
	return RUN_ITEMS_FAILED;
}

/* Hands out what lies before `separator`, the position of one or the end of everything. */
static enum run_items_result cut_item(struct run_items *items, size_t separator, const char **ret_item,
                                      size_t *ret_length)
{
	char *item = items->buffer + items->begin;
	size_t length = separator - items->begin;

	items->number++;
	if (length > items->longest)
		return refuse(items, "is longer than the system allows an argument to be");
	if (items->separator && memchr(item, '\0', length))
		return refuse(items, "has a NUL byte in it (-0 takes items that are separated by NUL bytes)");

	item[length] = '\0';
	items->begin = separator < items->end ? separator + 1 : items->end;
	items->searched = items->begin;
	*ret_item = item;
	*ret_length = length;
	return RUN_ITEMS_ONE;
}

/* As run_items_next, but hands out empty lines, too. `has_read`: whether a block has been read for this item. */
static enum run_items_result next_part(struct run_items *items, bool *has_read, const char **ret_item,
                                       size_t *ret_length)
{
	for (;;) {
		char *found = memchr(items->buffer + items->searched, items->separator,
		                     items->end - items->searched);
		enum run_items_result result;

		if (found)
			return cut_item(items, (size_t)(found - items->buffer), ret_item, ret_length);
		items->searched = items->end;
		if (items->at_end && items->begin == items->end)
			return RUN_ITEMS_END;
		if (items->at_end || items->end - items->begin > items->longest)
			return cut_item(items, items->end, ret_item, ret_length);
		if (*has_read && !items->at_end)
			return RUN_ITEMS_NOT_YET;
		result = read_block(items);
		*has_read = true;
		if (result != RUN_ITEMS_ONE)
			return result;
	}
}

enum run_items_result run_items_next(struct run_items *items, const char **ret_item, size_t *ret_length)
{
	enum run_items_result result;
	bool has_read = false;

	/* No more than a block at a time: empty lines may come without end. */
	do
		result = next_part(items, &has_read, ret_item, ret_length);
	while (result == RUN_ITEMS_ONE && *ret_length == 0 && items->separator);
	return result;
}
