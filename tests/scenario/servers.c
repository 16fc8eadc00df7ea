/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "servers.h"

#include <dirent.h>
#include <sys/mman.h>

struct pidring *open_with(struct pidring_engine_options options)
{
	struct pidring *engine = NULL;
	const char *backend = getenv("PIDRING_BACKEND");
	int result;

	options.size = sizeof(options);
	result = pidring_open(&engine, &options);
	if ((result == -ENOSYS || result == -EPERM) && backend != NULL && strcmp(backend, "uring") == 0)
		skip("io_uring is missing or forbidden here");
	check_int(result, 0);
	return engine;
}

struct pidring *open_served(void)
{
	return open_with((struct pidring_engine_options){ .forkserver = true });
}

struct pidring *open_parked(unsigned parked)
{
	return open_with((struct pidring_engine_options){ .parked = parked });
}

bool serves(struct pidring *engine)
{
	return features_of(engine).forkserver_birth == PIDRING_BIRTH_FORKSERVER;
}

void need_server(struct pidring *engine)
{
	if (!serves(engine))
		skip("there are no servers here");
}

void wait_parked(struct pidring *engine, unsigned count)
{
	if (!serves(engine))
		return;
	if (!eventually(features_of(engine).parked >= count))
		fail("%u are parked, of %u", features_of(engine).parked, count);
}

struct pidring_process *new_served(struct pidring *engine, int (*target)(void *), const void *bytes,
                                   size_t length)
{
	return new_process(engine, (struct pidring_options){ .target = target,
	                                                     .argument = (void *)bytes,
	                                                     .argument_length = length,
	                                                     .start_method = PIDRING_FORKSERVER });
}

struct pidring_process *start_served(struct pidring *engine, int (*target)(void *), const void *bytes,
                                     size_t length)
{
	struct pidring_process *process = new_served(engine, target, bytes, length);

	check_int(pidring_process_start(process), 0);
	return process;
}

struct pidring_process *start_served_program(struct pidring *engine, const char *const *argv)
{
	return start_process(engine,
	                     (struct pidring_options){ .argv = argv, .start_method = PIDRING_FORKSERVER });
}

void check_served(struct pidring *engine, struct pidring_process *process)
{
	enum pidring_birth birth = pidring_process_birth(process);

	if (serves(engine))
		check(birth == PIDRING_BIRTH_FORKSERVER || birth == PIDRING_BIRTH_PARKED);
	else
		check(birth != PIDRING_BIRTH_FORKSERVER && birth != PIDRING_BIRTH_PARKED);
}

void check_still_serves(struct pidring *engine)
{
	struct pidring_process *process = start_served(engine, return_zero, NULL, 0);

	check_served(engine, process);
	check_int(finish(process), 0);
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(memory != MAP_FAILED);
	return memory;
}

void place_file(int number, char letter)
{
	int descriptor = memfd_create("letter", MFD_CLOEXEC);

	check(descriptor >= 0);
	check_int(write(descriptor, &letter, 1), 1);
	check_int(dup3(descriptor, number, O_CLOEXEC), number);
	close(descriptor);
}

static size_t find_in(const char *path, const char *name, pid_t *pids, size_t capacity, size_t count)
{
	FILE *file = fopen(path, "re");
	int pid;

	if (file == NULL)
		return count;
	while (fscanf(file, "%d", &pid) == 1)
		if (strcmp(command_of(pid), name) == 0) {
			if (count < capacity)
				pids[count] = pid;
			count++;
		}
	fclose(file);
	return count;
}

size_t find_servants(const char *name, pid_t *pids, size_t capacity)
{
	DIR *directory = opendir("/proc/self/task");
	size_t count = 0;

	check(directory != NULL);
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
		char path[64];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/children", atoi(entry->d_name));
		count = find_in(path, name, pids, capacity, count);
	}
	closedir(directory);
	return count;
}

pid_t only_server(void)
{
	pid_t pid = 0;

	/* A child is called as its server until it has a name of its own. */
	check(eventually(find_servants("pidring-server", &pid, 1) == 1));
	return pid;
}

long long status_number(pid_t pid, const char *label)
{
	char path[64], line[256];
	long long number = -1;
	size_t length = strlen(label);
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, label, length) == 0 && line[length] == ':')
			number = strtoll(line + length + 1, NULL, 10);
	fclose(file);
	return number;
}
