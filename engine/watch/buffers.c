/* SPDX-License-Identifier: MIT */
/* The memory that output is read into: a fixed number of pieces, used again and again. */
#include "watch/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int watch_buffers_make(struct watch_buffers *buffers)
{
	size_t count = buffers->wanted / WATCH_BUFFER_SIZE;

	if (buffers->count > 0)
		return 0;
	/* Only what is written to takes memory. */
	void *memory = mmap(NULL, count * WATCH_BUFFER_SIZE, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	buffers->chunks = calloc(count, sizeof *buffers->chunks);
	if (!buffers->chunks) {
		munmap(memory, count * WATCH_BUFFER_SIZE);
		return -ENOMEM;
	}
	buffers->memory = memory;
	buffers->count = count;
	for (size_t i = 0; i < count; i++) {
		buffers->chunks[i].bytes = buffers->memory + i * WATCH_BUFFER_SIZE;
		STAILQ_INSERT_TAIL(&buffers->free, &buffers->chunks[i], link);
	}
	return 0;
}

void watch_buffers_release(struct watch_buffers *buffers)
{
	if (buffers->count > 0)
		munmap(buffers->memory, buffers->count * WATCH_BUFFER_SIZE);
	free(buffers->chunks);
	buffers->chunks = NULL;
	buffers->count = 0;
	STAILQ_INIT(&buffers->free);
}

struct watch_chunk *watch_buffers_take(struct watch_buffers *buffers)
{
	struct watch_chunk *chunk = STAILQ_FIRST(&buffers->free);

	if (chunk)
		STAILQ_REMOVE_HEAD(&buffers->free, link);
	return chunk;
}

/* First in line again: it is in the processor's cache. */
void watch_release_chunk(struct watch *watch, struct watch_chunk *chunk)
{
	STAILQ_INSERT_HEAD(&watch->buffers.free, chunk, link);
}
