/* SPDX-License-Identifier: MIT */
/* Which children this process has, from wait and from /proc. */
#include "children.h"

#include "family.h"
#include "fields.h"
#include "pid_list.h"
#include "proc_table.h"
#include "sys/sys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t children_first_ended(void)
{
	siginfo_t information = { 0 };

	if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) < 0)
		return -errno;
	return information.si_pid;
}

pid_t children_parent_of(pid_t pid)
{
	struct proc_entry entry;

	return proc_entry_read(&entry, pid) == 0 ? entry.parent : 0;
}

/* Of one thread (proc_tid_children(5)). -ENOENT: the kernel has no such file. */
static int add_thread(struct pid_list *list, const char *thread)
{
	char path[64];
	int pid, r = 0;

	snprintf(path, sizeof path, "/proc/self/task/%.20s/children", thread);
	FILE *stream = fopen(path, "re");
	if (!stream)
		return -errno;
	while (r == 0 && fields_next_pid(stream, &pid))
		r = pid_list_add(list, pid);
	fclose(stream);
	return r;
}

static int list_by_threads(struct pid_list *list)
{
	DIR *threads = opendir("/proc/self/task");
	bool found = false;
	int r = 0;

	if (!threads)
		return -errno;
	for (struct dirent *entry; r != -ENOMEM && (entry = readdir(threads));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		r = add_thread(list, entry->d_name);
		found |= r == 0;
	}
	closedir(threads);
	if (r == -ENOMEM)
		return r;
	/* A thread that has ended meanwhile has none left. */
	return found ? 0 : -ENOENT;
}

static int list_by_parents(struct pid_list *list)
{
	DIR *processes = opendir("/proc");
	pid_t own = getpid();
	int r = 0;

	if (!processes)
		return -errno;
	for (struct dirent *entry; r == 0 && (entry = readdir(processes));) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		if (pid > 0 && children_parent_of(pid) == own)
			r = pid_list_add(list, pid);
	}
	closedir(processes);
	return r;
}

int children_list(pid_t **ret_pids, size_t *ret_count)
{
	struct pid_list list = { 0 };
	int r = list_by_threads(&list);

	if (r == -ENOENT)
		r = list_by_parents(&list);
	if (r < 0) {
		free(list.pids);
		return r;
	}
	*ret_pids = list.pids;
	*ret_count = list.count;
	return 0;
}

/* Functions from a forkserver send no signal at their end, like the servers and those that wait in them. */
static bool has_silent_children(void)
{
	struct pidring_process *process;

	TAILQ_FOREACH(process, &family.children, family_link)
	if (process->pidfd >= 0 && sys_is_child(process->pidfd))
		return true;
	return false;
}

int pidring_has_children(void)
{
	if (children_first_ended() >= 0)
		return 1;
	family_enter();
	bool found = has_silent_children();
	family_leave();
	return found;
}
