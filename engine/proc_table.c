/* SPDX-License-Identifier: MIT */
/* Reading /proc/PID/stat of one process, and of all. */
#include "proc_table.h"

#include "clock.h"
#include "explain.h"
#include "fields.h"
#include "sys/sys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t proc_ticks_now(void)
{
	struct timespec now;
	uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * hertz + (uint64_t)now.tv_nsec * hertz / CLOCK_SECOND;
}

/* --- one process --- */

/* The name, in parentheses, may have anything in it; what follows has no parenthesis. */
static bool parse(struct proc_entry *ret_entry, const char *text)
{
	const char *after_name = strrchr(text, ')');
	/* Their places after the name, proc(5). */
	enum { STATE = 0, PARENT = 1, GROUP = 2, THREADS = 17, START = 19 };
	const char *state, *threads, *start;

	if (!after_name)
		return false;
	state = fields_at(after_name + 1, STATE);
	threads = fields_at(state, THREADS);
	start = fields_at(threads, START - THREADS);
	if (!*start)
		return false;
	ret_entry->parent = atoi(fields_at(state, PARENT));
	ret_entry->group = atoi(fields_at(state, GROUP));
	ret_entry->start = strtoull(start, NULL, 10);
	ret_entry->state = *state;
	ret_entry->threads = atoi(threads);
	/* A zombie with more threads than one: only its main thread has ended. */
	ret_entry->dead = (*state == 'Z' || *state == 'X') && ret_entry->threads <= 1;
	return true;
}

static int read_entry(struct proc_entry *ret_entry, int directory, const char *path)
{
	char text[1024];
	int descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC);

	if (descriptor < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	ssize_t length = read(descriptor, text, sizeof text - 1);
	int error = errno;
	close(descriptor);
	if (length < 0)
		return -error;
	text[length] = '\0';
	return parse(ret_entry, text) ? 0 : -ESRCH;
}

int proc_entry_read(struct proc_entry *ret_entry, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	*ret_entry = (struct proc_entry){ .pid = pid };
	int r = read_entry(ret_entry, AT_FDCWD, path);
	/* One that is being released; but its number lives on if it has given it to a thread of its that calls execve. */
	if (r == 0 && ret_entry->threads == 0)
		r = read_entry(ret_entry, AT_FDCWD, path);
	return r;
}

static enum proc_stillness stillness_of(char state)
{
	if (strchr("TtZX", state))
		return PROC_STOPPED;
	return state == 'D' ? PROC_BLOCKED : PROC_MOVES;
}

enum proc_stillness proc_stillness(const struct proc_entry *entry)
{
	char path[64];
	enum proc_stillness least = stillness_of(entry->state);
	const struct dirent *name;
	int seen = 0;

	if (entry->threads <= 1 || least == PROC_MOVES)
		return least;
	snprintf(path, sizeof path, "/proc/%d/task", entry->pid);
	DIR *threads = opendir(path);
	if (!threads)
		return PROC_MOVES;
	while (least > PROC_MOVES && (name = readdir(threads))) {
		struct proc_entry thread = { .pid = 0 };

		if (!isdigit((unsigned char)name->d_name[0]))
			continue;
		seen++;
		snprintf(path, sizeof path, "%.20s/stat", name->d_name);
		int r = read_entry(&thread, dirfd(threads), path);
		/* One that has ended meanwhile starts nobody. */
		enum proc_stillness one = r == 0        ? stillness_of(thread.state)
		                          : r == -ESRCH ? PROC_STOPPED
		                                        : PROC_MOVES;
		if (one < least)
			least = one;
	}
	closedir(threads);
	/* The end of one may have had another passed over. */
	return seen < entry->threads ? PROC_MOVES : least;
}

/* --- all of them --- */

enum { SELF_SIZE = 32 };

/* "" if there is none. */
static void read_self(char ret_text[SELF_SIZE])
{
	ssize_t length = readlink("/proc/self", ret_text, SELF_SIZE - 1);

	ret_text[length < 0 ? 0 : length] = '\0';
}

bool proc_is_ours(void)
{
	char text[SELF_SIZE];

	read_self(text);
	return atoi(text) == getpid();
}

static int check_mount(void)
{
	char text[SELF_SIZE];

	read_self(text);
	if (atoi(text) == getpid())
		return 0;
	if (!*text && access("/proc/uptime", F_OK) < 0)
		return explain(-ENOENT,
		               "no proc is mounted at /proc: the processes of a tree cannot be found");
	return explain(-EIO,
	               "the proc at /proc is that of another PID namespace (self is '%s', not %d): the "
	               "processes of a tree cannot be found",
	               text, (int)getpid());
}

/* False: no memory. */
static bool add(struct proc_table *table, size_t *room, const struct proc_entry *entry)
{
	enum { FIRST_ROOM = 256 };

	if (table->count == *room) {
		size_t more = *room > 0 ? 2 * *room : FIRST_ROOM;
		struct proc_entry *entries = reallocarray(table->entries, more, sizeof *entries);
		if (!entries)
			return false;
		table->entries = entries;
		*room = more;
	}
	table->entries[table->count++] = *entry;
	return true;
}

static int read_all(struct proc_table *table, DIR *directory)
{
	const struct dirent *name;
	size_t room = 0;

	while ((name = readdir(directory))) {
		struct proc_entry entry = { .pid = 0 };
		char path[sizeof name->d_name + sizeof "/stat"];

		if (!isdigit((unsigned char)name->d_name[0]))
			continue;
		entry.pid = atoi(name->d_name);
		snprintf(path, sizeof path, "%s/stat", name->d_name);
		int r = read_entry(&entry, dirfd(directory), path);
		if (sys_is_short(r))
			return r;
		/* It has ended meanwhile, or is hidden. */
		if (r < 0)
			continue;
		if (!add(table, &room, &entry))
			return -ENOMEM;
	}
	return 0;
}

static int compare(pid_t a, pid_t b)
{
	return (a > b) - (a < b);
}

static int compare_parents(const void *a, const void *b)
{
	const struct proc_entry *first = a, *second = b;
	int order = compare(first->parent, second->parent);

	return order != 0 ? order : compare(first->pid, second->pid);
}

static int compare_pids(const void *a, const void *b)
{
	const struct proc_entry *const *first = a, *const *second = b;

	return compare((*first)->pid, (*second)->pid);
}

static int sort(struct proc_table *table)
{
	table->by_pid = calloc(table->count + 1, sizeof(struct proc_entry *));
	if (!table->by_pid)
		return -ENOMEM;
	qsort(table->entries, table->count, sizeof *table->entries, compare_parents);
	for (size_t i = 0; i < table->count; i++)
		table->by_pid[i] = &table->entries[i];
	qsort(table->by_pid, table->count, sizeof(struct proc_entry *), compare_pids);
	return 0;
}

int proc_table_read(struct proc_table *ret_table)
{
	int r = check_mount();

	if (r < 0)
		return r;
	DIR *directory = opendir("/proc");
	if (!directory)
		return explain(-errno, "/proc cannot be read: %s", strerror(errno));
	*ret_table = (struct proc_table){ .began_at = proc_ticks_now() };
	r = read_all(ret_table, directory);
	closedir(directory);
	if (r == 0 && ret_table->count > 0)
		r = sort(ret_table);
	if (r == 0)
		return 0;
	proc_table_release(ret_table);
	return explain(r, "/proc cannot be read: %s", strerror(-r));
}

void proc_table_release(struct proc_table *table)
{
	free(table->entries);
	free(table->by_pid);
	*table = (struct proc_table){ 0 };
}

struct proc_entry *proc_table_find(const struct proc_table *table, pid_t pid)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (table->by_pid[middle]->pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < table->count && table->by_pid[low]->pid == pid ? table->by_pid[low] : NULL;
}

struct proc_entry *proc_table_children(const struct proc_table *table, pid_t parent)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (table->entries[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low < table->count && table->entries[low].parent == parent ? &table->entries[low] : NULL;
}

struct proc_entry *proc_table_next(const struct proc_table *table, const struct proc_entry *child)
{
	size_t next = (size_t)(child - table->entries) + 1;

	if (next >= table->count || table->entries[next].parent != child->parent)
		return NULL;
	return &table->entries[next];
}
