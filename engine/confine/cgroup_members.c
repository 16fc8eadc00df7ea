/* SPDX-License-Identifier: MIT */
/* Who is in a control group: counting, signalling, freezing and killing them. */
#include "confine/cgroup.h"

#include "explain.h"
#include "fields.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- everybody in one group --- */

typedef int (*member_visitor)(void *argument, pid_t pid);

static FILE *open_stream(int directory, const char *name)
{
	int descriptor = openat(directory, name, O_RDONLY | O_CLOEXEC);
	FILE *stream = descriptor < 0 ? NULL : fdopen(descriptor, "r");

	if (!stream && descriptor >= 0)
		close(descriptor);
	return stream;
}

/* Who is not in our PID namespace has the number 0. */
static int visit_members(int directory, member_visitor visit, void *argument)
{
	FILE *stream = open_stream(directory, "cgroup.procs");
	int r = 0, pid;

	if (!stream)
		return -errno;
	while (r == 0 && fields_next_pid(stream, &pid))
		if (pid > 0)
			r = visit(argument, pid);
	if (r == 0 && ferror(stream))
		r = -EIO;
	fclose(stream);
	return r;
}

/* And in all below it. What has been removed meanwhile had nobody in it. */
static int visit_all(int directory, member_visitor visit, void *argument)
{
	int r = visit_members(directory, visit, argument);
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);

	if (!stream) {
		sys_close(&copy);
		return r;
	}
	for (struct dirent *entry; (r == 0 || r == -ENODEV) && (entry = readdir(stream));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		int child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child < 0)
			continue;
		r = visit_all(child, visit, argument);
		close(child);
	}
	closedir(stream);
	return r == -ENODEV || r == -ENOENT ? 0 : r;
}

struct listing {
	pid_t *pids;
	size_t capacity, count;
};

static int note(void *argument, pid_t pid)
{
	struct listing *listing = argument;

	if (listing->count < listing->capacity)
		listing->pids[listing->count] = pid;
	listing->count++;
	return 0;
}

int cgroup_processes(const struct pidring_cgroup *cgroup, pid_t *ret_pids, size_t capacity)
{
	struct listing listing = { ret_pids, capacity, 0 };
	int r = visit_members(cgroup->directory, note, &listing);

	if (r < 0)
		return explain(r, "cannot list who is in the control group '%s': %s", cgroup->path,
		               strerror(-r));
	return (int)listing.count;
}

/* --- signals --- */

/* One bit for each number that has had its signal. */
struct pid_set {
	unsigned char *bits;
	size_t size;
};

static bool has(const struct pid_set *set, pid_t pid)
{
	size_t byte = (size_t)pid / 8;

	return byte < set->size && (set->bits[byte] >> (pid % 8) & 1);
}

static int add(struct pid_set *set, pid_t pid)
{
	enum { STEP = 4096 };
	size_t byte = (size_t)pid / 8;

	if (byte >= set->size) {
		size_t size = (byte / STEP + 1) * STEP;
		unsigned char *bits = realloc(set->bits, size);
		if (!bits)
			return -ENOMEM;
		memset(bits + set->size, 0, size - set->size);
		set->bits = bits;
		set->size = size;
	}
	set->bits[byte] = (unsigned char)(set->bits[byte] | 1 << pid % 8);
	return 0;
}

struct signalling {
	const char *full_path;
	int signal_number;
	struct pid_set done;
	bool somebody_new;
	int sent, error;
};

static bool is_below(const char *path, const char *root)
{
	size_t length = strlen(root);

	return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* As /proc says, after its pidfd was opened: so that is of this one, or of one that is gone. */
static bool is_member(pid_t pid, const char *full_path)
{
	char path[64], *line = NULL;
	size_t size = 0;
	bool found = false;

	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
	FILE *stream = fopen(path, "re");
	if (!stream)
		return false;
	while (!found && getline(&line, &size, stream) > 0) {
		line[strcspn(line, "\n")] = 0;
		found = strncmp(line, "0::", strlen("0::")) == 0 && is_below(line + strlen("0::"), full_path);
	}
	free(line);
	fclose(stream);
	return found;
}

/* Its number may become a stranger's between the list and the signal. */
static int send_to(pid_t pid, int signal_number, const char *full_path)
{
	int pidfd = sys_pidfd_open(pid);

	if (pidfd < 0)
		return pidfd;
	int r = is_member(pid, full_path) ? sys_pidfd_send_signal(pidfd, signal_number) : -ESRCH;
	close(pidfd);
	return r;
}

static int signal_member(void *argument, pid_t pid)
{
	struct signalling *signalling = argument;

	if (has(&signalling->done, pid))
		return 0;
	int r = add(&signalling->done, pid);
	if (r < 0)
		return r;
	signalling->somebody_new = true;
	r = send_to(pid, signalling->signal_number, signalling->full_path);
	if (r >= 0)
		signalling->sent++;
	else if (r != -ESRCH)
		signalling->error = r;
	return 0;
}

static int run_passes(int directory, struct signalling *signalling)
{
	int r = 0;

	do {
		signalling->somebody_new = false;
		r = visit_all(directory, signal_member, signalling);
	} while (r == 0 && signalling->somebody_new);
	return r;
}

int cgroup_signal(const struct pidring_cgroup *cgroup, int signal_number)
{
	struct signalling signalling = { .full_path = cgroup->full_path, .signal_number = signal_number };
	int r = run_passes(cgroup->directory, &signalling);

	free(signalling.done.bits);
	if (r == 0 && signalling.sent == 0)
		r = signalling.error;
	if (r < 0)
		return explain(r, "cannot signal who is in the control group '%s': %s", cgroup->path,
		               strerror(-r));
	return signalling.sent;
}

/* --- all together --- */

int cgroup_freeze(const struct pidring_cgroup *cgroup, bool freeze)
{
	return cgroup_write(cgroup, "cgroup.freeze", freeze ? "1" : "0");
}

/* Before Linux 5.14. Whoever is frozen does not fork, and SIGKILL ends him all the same. */
static int kill_one_by_one(const struct pidring_cgroup *cgroup)
{
	bool frozen = cgroup_freeze(cgroup, true) == 0;
	int r = cgroup_signal(cgroup, SIGKILL);

	if (frozen)
		cgroup_freeze(cgroup, false);
	return r < 0 ? r : 0;
}

int cgroup_kill(struct pidring_cgroup *cgroup)
{
	int r = cgroup_write(cgroup, "cgroup.kill", "1");

	if (r == -EOPNOTSUPP)
		r = kill_one_by_one(cgroup);
	/* Also if it has failed: who knows how far it came. */
	cgroup->killed = true;
	return r;
}
