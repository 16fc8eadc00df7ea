/* SPDX-License-Identifier: MIT */
/*
 * A spool is a sequence of records: four bytes that say stream and length, then the bytes themselves. First come
 * those in memory. Once one has gone to the file all later ones do, each to the end of the spool's last slot there, a
 * slot being a stretch of fixed size; a record never goes beyond one.
 */
#include "run_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of one spool, and of all together. */
#define MOST_MEMORY     ((size_t)1 << 20)
#define MOST_ALL_MEMORY ((size_t)64 << 20)
#define LEAST_MEMORY    ((size_t)256)

#define SLOT_SIZE ((size_t)64 << 10)
#define HEAD_SIZE sizeof(uint32_t)

#define STREAM_SHIFT 30
#define LENGTH_MASK  ((UINT32_C(1) << STREAM_SHIFT) - 1)

struct run_spool_slot {
	uint32_t number;
	uint32_t used;
};

void run_spool_store_open(struct run_spool_store *store)
{
	*store = (struct run_spool_store){ .file = -1 };
}

void run_spool_store_close(struct run_spool_store *store)
{
	if (store->file >= 0)
		close(store->file);
	free(store->free_slots);
	run_spool_store_open(store);
}

const char *run_spool_directory(void)
{
	const char *directory = getenv("TMPDIR");

	return directory && directory[0] != '\0' ? directory : "/tmp";
}

/* --- records --- */

static uint32_t make_head(unsigned stream, size_t length)
{
	return (uint32_t)stream << STREAM_SHIFT | (uint32_t)length;
}

static uint32_t head_at(const char *bytes)
{
	uint32_t head;

	memcpy(&head, bytes, sizeof(head));
	return head;
}

static void take_records(const char *bytes, size_t length,
                         void (*take)(void *context, unsigned stream, const char *data, size_t length),
                         void *context)
{
	const char *end = bytes + length;

	while (bytes < end) {
		uint32_t head = head_at(bytes);

		take(context, head >> STREAM_SHIFT, bytes + HEAD_SIZE, head & LENGTH_MASK);
		bytes += HEAD_SIZE + (head & LENGTH_MASK);
	}
}

/* --- memory --- */

static bool make_memory(struct run_spool_store *store, struct run_spool *spool, size_t needed)
{
	size_t room = spool->room > 0 ? spool->room : LEAST_MEMORY;
	char *memory;

	if (needed <= spool->room)
		return true;
	while (room < needed)
		room *= 2;
	if (room > MOST_MEMORY || store->memory - spool->room + room > MOST_ALL_MEMORY)
		return false;
	memory = realloc(spool->memory, room);
	if (!memory)
		return false;
	store->memory += room - spool->room;
	spool->memory = memory;
	spool->room = room;
	return true;
}

static bool continues_newest(const struct run_spool *spool, unsigned stream)
{
	return spool->length > 0 && head_at(spool->memory + spool->newest) >> STREAM_SHIFT == stream;
}

/* False: it is to go to the file. */
static bool add_to_memory(struct run_spool_store *store, struct run_spool *spool, unsigned stream,
                          const char *data, size_t length)
{
	bool continues = continues_newest(spool, stream);
	uint32_t head;

	if (spool->slot_count > 0 || length > MOST_MEMORY)
		return false;
	if (!make_memory(store, spool, spool->length + (continues ? 0 : HEAD_SIZE) + length))
		return false;
	if (!continues) {
		spool->newest = spool->length;
		spool->length += HEAD_SIZE;
	}
	memcpy(spool->memory + spool->length, data, length);
	spool->length += length;
	head = make_head(stream, spool->length - spool->newest - HEAD_SIZE);
	memcpy(spool->memory + spool->newest, &head, sizeof(head));
	return true;
}

static void drop_memory(struct run_spool_store *store, struct run_spool *spool)
{
	store->memory -= spool->room;
	free(spool->memory);
	spool->memory = NULL;
	spool->length = 0;
	spool->room = 0;
}

/* --- the file --- */

static int open_named(const char *directory)
{
	char *name = NULL;
	int file;
	int error;

	if (asprintf(&name, "%s/pidring-run-XXXXXX", directory) < 0)
		return -ENOMEM;
	file = mkostemp(name, O_CLOEXEC);
	error = errno;
	if (file >= 0)
		unlink(name);
	free(name);
	return file >= 0 ? file : -error;
}

static int open_file(struct run_spool_store *store)
{
	int file;

	if (store->file >= 0)
		return 0;
	file = open(run_spool_directory(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* Not every file system can. */
	if (file < 0)
		file = open_named(run_spool_directory());
	if (file < 0)
		return file;
	store->file = file;
	return 0;
}

/* Takes a free slot or a new one. */
static int add_slot(struct run_spool_store *store, struct run_spool *spool)
{
	if (spool->slot_count == spool->slot_room) {
		size_t room = 2 * spool->slot_room + 2;
		struct run_spool_slot *slots = realloc(spool->slots, room * sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		spool->slots = slots;
		spool->slot_room = room;
	}
	if (store->free_count == 0 && store->slots == UINT32_MAX)
		return -EFBIG;
	spool->slots[spool->slot_count++].number =
		store->free_count > 0 ? store->free_slots[--store->free_count] : store->slots++;
	spool->slots[spool->slot_count - 1].used = 0;
	return 0;
}

static void free_slot(struct run_spool_store *store, uint32_t number)
{
	if (store->free_count == store->free_room) {
		size_t room = 2 * store->free_room + 16;
		uint32_t *slots = realloc(store->free_slots, room * sizeof(*slots));

		/* Then it is not used again. */
		if (!slots)
			return;
		store->free_slots = slots;
		store->free_room = room;
	}
	store->free_slots[store->free_count++] = number;
	if (store->free_count < store->slots)
		return;
	/* Nothing is left in the file: others may have the room. A file that stays as long does no harm. */
	store->free_count = 0;
	store->slots = 0;
	if (ftruncate(store->file, 0) < 0)
		return;
}

static int write_record(int file, off_t position, uint32_t head, const char *data, size_t length)
{
	struct iovec pieces[2] = { { &head, sizeof(head) }, { (void *)(uintptr_t)data, length } };
	struct iovec *piece = pieces;

	while (piece < pieces + 2) {
		ssize_t count = pwritev(file, piece, (int)(pieces + 2 - piece), position);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		position += count;
		for (; piece < pieces + 2 && (size_t)count >= piece->iov_len; piece++)
			count -= (ssize_t)piece->iov_len;
		if (piece < pieces + 2) {
			piece->iov_base = (char *)piece->iov_base + count;
			piece->iov_len -= (size_t)count;
		}
	}
	return 0;
}

/* Appends what the last slot has room for. Returns how much, or a negated errno. */
static ssize_t add_to_slot(struct run_spool_store *store, struct run_spool *spool, unsigned stream,
                           const char *data, size_t length)
{
	struct run_spool_slot *slot;
	size_t room;
	int result;

	if (spool->slot_count == 0 || spool->slots[spool->slot_count - 1].used + HEAD_SIZE >= SLOT_SIZE) {
		result = add_slot(store, spool);
		if (result < 0)
			return result;
	}
	slot = &spool->slots[spool->slot_count - 1];
	room = SLOT_SIZE - slot->used - HEAD_SIZE;
	if (length > room)
		length = room;
	result = write_record(store->file, (off_t)slot->number * (off_t)SLOT_SIZE + slot->used,
	                      make_head(stream, length), data, length);
	if (result < 0)
		return result;
	slot->used += (uint32_t)(HEAD_SIZE + length);
	return (ssize_t)length;
}

static int add_to_file(struct run_spool_store *store, struct run_spool *spool, unsigned stream,
                       const char *data, size_t length)
{
	int result = open_file(store);

	if (result < 0)
		return result;
	while (length > 0) {
		ssize_t count = add_to_slot(store, spool, stream, data, length);

		if (count < 0)
			return (int)count;
		data += count;
		length -= (size_t)count;
	}
	return 0;
}

static int read_slot(int file, const struct run_spool_slot *slot, char *buffer)
{
	off_t position = (off_t)slot->number * (off_t)SLOT_SIZE;
	size_t length = 0;

	while (length < slot->used) {
		ssize_t count = pread(file, buffer + length, slot->used - length, position + (off_t)length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		length += (size_t)count;
	}
	return 0;
}

static int empty_slots(struct run_spool_store *store, struct run_spool *spool,
                       void (*take)(void *context, unsigned stream, const char *data, size_t length),
                       void *context)
{
	char buffer[SLOT_SIZE];
	int result = 0;

	for (size_t i = 0; i < spool->slot_count; i++) {
		uint32_t number = spool->slots[i].number;

		if (result == 0)
			result = read_slot(store->file, &spool->slots[i], buffer);
		/* It may be wanted for what is taken. */
		free_slot(store, number);
		if (result == 0)
			take_records(buffer, spool->slots[i].used, take, context);
	}
	return result;
}

/* --- both --- */

int run_spool_add(struct run_spool_store *store, struct run_spool *spool, unsigned stream, const char *data,
                  size_t length)
{
	if (add_to_memory(store, spool, stream, data, length))
		return 0;
	return add_to_file(store, spool, stream, data, length);
}

bool run_spool_is_empty(const struct run_spool *spool)
{
	return spool->length == 0 && spool->slot_count == 0;
}

int run_spool_empty(struct run_spool_store *store, struct run_spool *spool,
                    void (*take)(void *context, unsigned stream, const char *data, size_t length),
                    void *context)
{
	/* `take` sees it empty already. */
	struct run_spool full = *spool;
	int result = 0;

	*spool = (struct run_spool){ 0 };
	if (full.length > 0)
		take_records(full.memory, full.length, take, context);
	drop_memory(store, &full);
	if (full.slot_count > 0)
		result = empty_slots(store, &full, take, context);
	free(full.slots);
	return result;
}
