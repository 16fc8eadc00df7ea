/* SPDX-License-Identifier: MIT */
/* What the kernel says of processes, descriptors and the time. */
#define _GNU_SOURCE
#include "scenario.h"

#include <dirent.h>
#include <time.h>

/* Of the process that the pidfd is of; 0: it is no pidfd, or its process was reaped. */
static pid_t pid_of_pidfd(int descriptor)
{
	char path[64], line[128];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", descriptor);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (pid == 0 && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Pid: %d", &pid) != 1)
			pid = 0;
	fclose(file);
	return pid > 0 ? pid : 0;
}

const char *command_of(pid_t pid)
{
	static char name[64];
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	name[0] = '\0';
	file = fopen(path, "re");
	if (file == NULL)
		return name;
	if (fgets(name, sizeof(name), file) == NULL)
		name[0] = '\0';
	fclose(file);
	name[strcspn(name, "\n")] = '\0';
	return name;
}

bool is_servant(pid_t pid)
{
	const char *name = command_of(pid);

	return strcmp(name, "pidring-server") == 0 || strcmp(name, "pidring-parked") == 0;
}

bool has_no_children(void)
{
	FILE *file;
	int pid;

	if (!start_method_is_varied())
		return waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0;
	file = fopen("/proc/thread-self/children", "re");
	check(file != NULL);
	while (fscanf(file, "%d", &pid) == 1)
		if (!is_servant(pid)) {
			fclose(file);
			return false;
		}
	fclose(file);
	return true;
}

int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	check(directory != NULL);
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
		int descriptor = atoi(entry->d_name);
		pid_t pid;

		if (entry->d_name[0] == '.' || descriptor == dirfd(directory))
			continue;
		pid = start_method_is_varied() ? pid_of_pidfd(descriptor) : 0;
		if (pid == 0 || !is_servant(pid))
			count++;
	}
	closedir(directory);
	return count;
}

void lower_descriptor_limits(rlim_t soft, rlim_t hard)
{
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < hard)
		skip("the hard limit is lower than the scenario needs");
	limit.rlim_cur = soft;
	limit.rlim_max = hard;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && errno == EPERM)
		skip("the hard limit cannot be lowered here");
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(limit.rlim_max, hard);
}

bool descriptor_is_open(int descriptor)
{
	return fcntl(descriptor, F_GETFD) >= 0;
}

char process_state(pid_t pid)
{
	char path[64];
	char text[512];
	const char *after_name;
	ssize_t length;
	int descriptor;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0)
		return 0;
	length = read(descriptor, text, sizeof(text) - 1);
	close(descriptor);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	after_name = strrchr(text, ')');
	check(after_name != NULL);
	return after_name[2];
}

int64_t now(void)
{
	struct timespec time;

	check_int(clock_gettime(CLOCK_MONOTONIC, &time), 0);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
