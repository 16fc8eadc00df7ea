/* SPDX-License-Identifier: MIT */
#include "birth/known.h"

#include "fingerprint.h"

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <sys/stat.h>

struct reading {
	struct known_functions *known;
	size_t room;
	int error;
};

static uint64_t fingerprint_of(const struct dl_phdr_info *object)
{
	uint64_t fingerprint = fingerprint_add(FINGERPRINT_EMPTY, object->dlpi_addr);

	struct stat status;

	/* Another file under the same name, as after a plugin's update. */
	if (object->dlpi_name && *object->dlpi_name && stat(object->dlpi_name, &status) == 0) {
		fingerprint = fingerprint_add(fingerprint, status.st_ino);
		fingerprint = fingerprint_add(fingerprint, (uint64_t)status.st_mtim.tv_sec);
		fingerprint = fingerprint_add(fingerprint, (uint64_t)status.st_mtim.tv_nsec);
	}
	for (const char *at = object->dlpi_name ? object->dlpi_name : ""; *at; at++)
		fingerprint = fingerprint_add(fingerprint, (unsigned char)*at);
	return fingerprint;
}

static bool make_room(struct reading *reading)
{
	struct known_functions *known = reading->known;

	if (known->count < reading->room)
		return true;
	size_t room = reading->room ? 2 * reading->room : 32;
	struct known_segment *segments = realloc(known->segments, room * sizeof *segments);
	if (!segments)
		return false;
	known->segments = segments;
	reading->room = room;
	return true;
}

static int read_object(struct dl_phdr_info *object, size_t size, void *argument)
{
	struct reading *reading = argument;

	(void)size;
	reading->known->unloaded = object->dlpi_subs;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		if (!make_room(reading)) {
			reading->error = -ENOMEM;
			return 1;
		}
		uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
		reading->known->segments[reading->known->count++] =
			(struct known_segment){ begin, begin + segment->p_memsz, fingerprint_of(object) };
	}
	return 0;
}

int known_functions_read(struct known_functions *ret_known)
{
	struct reading reading = { .known = ret_known };

	*ret_known = (struct known_functions){ 0 };
	dl_iterate_phdr(read_object, &reading);
	if (reading.error < 0)
		known_functions_release(ret_known);
	return reading.error;
}

void known_functions_release(struct known_functions *known)
{
	free(known->segments);
	*known = (struct known_functions){ 0 };
}

static const struct known_segment *find(const struct known_functions *known, const void *function)
{
	uintptr_t address = (uintptr_t)function;

	for (size_t i = 0; i < known->count; i++)
		if (address >= known->segments[i].begin && address < known->segments[i].end)
			return &known->segments[i];
	return NULL;
}

bool known_functions_have(const struct known_functions *known, const void *function)
{
	return find(known, function) != NULL;
}

static int read_unloaded(struct dl_phdr_info *object, size_t size, void *ret_count)
{
	(void)size;
	*(unsigned long long *)ret_count = object->dlpi_subs;
	return 1;
}

/* While nothing has been unloaded, nothing can have been replaced. */
bool known_functions_still_have(const struct known_functions *known, const void *function)
{
	const struct known_segment *then = find(known, function);
	unsigned long long unloaded = 0;

	if (!then)
		return false;
	dl_iterate_phdr(read_unloaded, &unloaded);
	if (unloaded == known->unloaded)
		return true;

	struct known_functions loaded;
	if (known_functions_read(&loaded) < 0)
		return false;
	const struct known_segment *segment = find(&loaded, function);
	bool same = segment && segment->object == then->object;
	known_functions_release(&loaded);
	return same;
}
