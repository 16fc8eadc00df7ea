/* SPDX-License-Identifier: MIT */
/* The buffers that the ring reads into: the kernel takes the next one whenever something can be read. */
#include "watch/uring.h"

#include <errno.h>
#include <sys/mman.h>

void uring_release_buffer_ring(struct uring_watch *self)
{
	if (self->buffer_ring)
		munmap(self->buffer_ring, self->buffer_ring_size);
	self->buffer_ring = NULL;
}

static unsigned power_of_two(size_t least)
{
	unsigned power = 1;

	while (power < least)
		power *= 2;
	return power;
}

static int map_buffer_ring(struct uring_watch *self)
{
	unsigned entries = power_of_two(self->base.buffers.count);
	size_t size = entries * sizeof(struct io_uring_buf);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || !memory)
		return -ENOMEM;
	/* As the ring itself: shared with the kernel, so not with a fork. */
	madvise(memory, size, MADV_DONTFORK);
	self->buffer_ring = memory;
	self->buffer_ring_size = size;
	self->buffer_entries = entries;
	self->most_in_ring = FIRST_BUFFERS;
	return 0;
}

/* In a new ring: what was in the old one's hands is free again. */
static void take_buffers_back(struct uring_watch *self)
{
	struct watch_buffers *buffers = &self->base.buffers;

	for (size_t i = 0; i < buffers->count; i++) {
		struct watch_chunk *chunk = &buffers->chunks[i];
		if (!chunk->in_ring)
			continue;
		chunk->in_ring = false;
		STAILQ_INSERT_TAIL(&buffers->free, chunk, link);
	}
	self->buffers_in_ring = 0;
}

static int uring_register_buffer_ring(struct uring_watch *self)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uint64_t)(uintptr_t)self->buffer_ring,
		.ring_entries = self->buffer_entries,
		.bgid = BUFFER_GROUP,
	};

	take_buffers_back(self);
	io_uring_buf_ring_init(self->buffer_ring);
	return io_uring_register_buf_ring(&self->ring, &registration, 0);
}

/* Some are kept for what the ring cannot read by itself. */
size_t uring_most_buffers(const struct uring_watch *self)
{
	size_t count = self->base.buffers.count;
	size_t kept = count / 4 > 0 ? count / 4 : 1;

	return count - kept;
}

void uring_provide_buffers(struct uring_watch *self)
{
	struct watch_buffers *buffers = &self->base.buffers;
	int mask = io_uring_buf_ring_mask(self->buffer_entries);
	size_t most =
		self->most_in_ring < uring_most_buffers(self) ? self->most_in_ring : uring_most_buffers(self);
	int added = 0;

	if (!self->buffer_ring)
		return;
	while (self->buffers_in_ring < most) {
		struct watch_chunk *chunk = watch_buffers_take(buffers);
		if (!chunk)
			break;
		chunk->in_ring = true;
		io_uring_buf_ring_add(self->buffer_ring, chunk->bytes, WATCH_BUFFER_SIZE,
		                      (unsigned short)(chunk - buffers->chunks), mask, added++);
		self->buffers_in_ring++;
	}
	if (added > 0)
		io_uring_buf_ring_advance(self->buffer_ring, added);
}

/* Without it (no memory, or no more locked memory for an ordinary user) each stream is read by calls. */
void uring_set_up_buffer_ring(struct uring_watch *self)
{
	if (uring_register_buffer_ring(self) == 0) {
		uring_provide_buffers(self);
		return;
	}
	uring_release_buffer_ring(self);
	self->has_multishot = false;
}

/* Before the first item that reads. */
void uring_make_buffer_ring(struct uring_watch *self)
{
	if (self->has_multishot && !self->buffer_ring && map_buffer_ring(self) == 0)
		uring_set_up_buffer_ring(self);
}

struct watch_chunk *uring_chunk_of(struct uring_watch *self, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return NULL;
	struct watch_chunk *chunk = &self->base.buffers.chunks[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
	chunk->in_ring = false;
	self->buffers_in_ring--;
	return chunk;
}
