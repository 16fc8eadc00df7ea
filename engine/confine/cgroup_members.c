/* SPDX-License-Identifier: MIT */
/* Who is in a control group: counting, signalling, freezing and killing them. */
#include "confine/cgroup.h"

#include "explain.h"
#include "fields.h"
#include "pid_list.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
	/* -EOPNOTSUPP: the group is threaded, and its processes are those of a group above. */
	if (r == 0 && ferror(stream))
		r = -errno;
	fclose(stream);
	return r;
}

typedef int (*group_visitor)(void *argument, int directory);

static int visit_group(int directory, group_visitor visit, void *argument);

static int visit_child(int directory, const char *name, group_visitor visit, void *argument)
{
	int child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = child < 0 ? -errno : visit_group(child, visit, argument);

	sys_close(&child);
	return cgroup_is_gone(r) ? 0 : r;
}

static int visit_below(int directory, group_visitor visit, void *argument)
{
	DIR *stream;
	int r = cgroup_open_list(&stream, directory);

	if (r < 0)
		return r;
	for (struct dirent *entry; r == 0 && (entry = readdir(stream));)
		if (cgroup_is_below(entry))
			r = visit_child(directory, entry->d_name, visit, argument);
	closedir(stream);
	return r;
}

/* And all below it. What has been removed meanwhile had nobody in it. */
static int visit_group(int directory, group_visitor visit, void *argument)
{
	int r = visit(argument, directory);

	if (r == 0 || cgroup_is_gone(r))
		r = visit_below(directory, visit, argument);
	return cgroup_is_gone(r) ? 0 : r;
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

int cgroup_explain_signal(const struct pidring_cgroup *cgroup, int error)
{
	return explain(error, "cannot signal who is in the control group '%s': %s", cgroup->path,
	               strerror(-error));
}

static int append(void *list, pid_t pid)
{
	return pid_list_add(list, pid);
}

static int count_member(void *argument, pid_t pid)
{
	struct cgroup_reached *reached = argument;

	reached->count++;
	reached->has_wanted |= pid == reached->wanted;
	return 0;
}

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
	int signal_number;
	pid_t wanted;
	bool has_wanted;
	struct pid_set done;
	bool somebody_new;
	int sent, error;
};

/* With a pidfd of whoever had the number then. */
struct candidate {
	pid_t pid;
	int pidfd;
	bool is_member;
};

/* So many are looked at together. */
enum { BATCH = 64 };

struct batch {
	struct candidate candidates[BATCH];
	size_t count;
};

static int recognize(void *argument, pid_t pid)
{
	struct batch *batch = argument;

	for (size_t i = 0; i < batch->count; i++)
		batch->candidates[i].is_member |= batch->candidates[i].pid == pid;
	return 0;
}

static int signal_candidate(struct signalling *signalling, const struct candidate *candidate)
{
	int r = add(&signalling->done, candidate->pid);

	if (r < 0)
		return r;
	signalling->somebody_new = true;
	signalling->has_wanted |= candidate->pid == signalling->wanted;
	r = sys_pidfd_send_signal(candidate->pidfd, signalling->signal_number);
	if (r >= 0)
		signalling->sent++;
	else if (r != -ESRCH)
		signalling->error = r;
	return 0;
}

/* A number may become a stranger's between the list and the pidfd. Who is in the list after that is the one whose pidfd it
 * is, or a later one; then the pidfd's has ended. */
static int signal_batch(struct signalling *signalling, int directory, struct batch *batch)
{
	int r = batch->count > 0 ? visit_members(directory, recognize, batch) : 0;

	for (size_t i = 0; i < batch->count; i++) {
		if (r == 0 && batch->candidates[i].is_member)
			r = signal_candidate(signalling, &batch->candidates[i]);
		close(batch->candidates[i].pidfd);
	}
	batch->count = 0;
	return r;
}

static int open_candidate(struct signalling *signalling, int directory, struct batch *batch, pid_t pid)
{
	int pidfd = sys_pidfd_open(pid);

	if ((pidfd == -EMFILE || pidfd == -ENFILE) && batch->count > 0) {
		int r = signal_batch(signalling, directory, batch);
		if (r < 0)
			return r;
		pidfd = sys_pidfd_open(pid);
	}
	if (pidfd == -ESRCH)
		return 0;
	if (pidfd < 0)
		return pidfd;
	batch->candidates[batch->count++] = (struct candidate){ .pid = pid, .pidfd = pidfd };
	return 0;
}

static int signal_listed(struct signalling *signalling, int directory, const struct pid_list *list)
{
	struct batch batch = { .count = 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (has(&signalling->done, list->pids[i]))
			continue;
		r = open_candidate(signalling, directory, &batch, list->pids[i]);
		if (r == 0 && batch.count == BATCH)
			r = signal_batch(signalling, directory, &batch);
	}
	int last = signal_batch(signalling, directory, &batch);
	return r < 0 ? r : last;
}

/* Of those who are in it now. */
static int signal_group(void *argument, int directory)
{
	struct pid_list list = { 0 };
	int r = visit_members(directory, append, &list);

	if (r == 0)
		r = signal_listed(argument, directory, &list);
	free(list.pids);
	return r;
}

int cgroup_signal(int directory, int signal_number, unsigned passes, struct cgroup_reached *reached)
{
	struct signalling signalling = { .signal_number = signal_number, .wanted = reached->wanted };
	int r = 0;

	do {
		signalling.somebody_new = false;
		r = visit_group(directory, signal_group, &signalling);
	} while (r == 0 && signalling.somebody_new && --passes > 0);
	free(signalling.done.bits);
	reached->has_wanted = signalling.has_wanted;
	reached->count = signalling.sent;
	return r == 0 && signalling.sent == 0 ? signalling.error : r;
}

/* --- all together --- */

static int count_group(void *argument, int directory)
{
	return visit_members(directory, count_member, argument);
}

int cgroup_count(const struct pidring_cgroup *cgroup, struct cgroup_reached *reached)
{
	return visit_group(cgroup->directory, count_group, reached);
}

int cgroup_freeze(const struct pidring_cgroup *cgroup, bool freeze)
{
	return cgroup_write(cgroup, "cgroup.freeze", freeze ? "1" : "0");
}

/* Before Linux 5.14. Whoever is frozen does not fork, so there is an end to it, and SIGKILL ends him all the same. */
static int kill_one_by_one(const struct pidring_cgroup *cgroup)
{
	bool frozen = cgroup_freeze(cgroup, true) == 0;
	int r = cgroup_signal(cgroup->directory, SIGKILL, UINT_MAX, &(struct cgroup_reached){ 0 });

	if (frozen)
		cgroup_freeze(cgroup, false);
	return r < 0 ? cgroup_explain_signal(cgroup, r) : 0;
}

int cgroup_kill(struct pidring_cgroup *cgroup)
{
	int r = cgroup_write(cgroup, "cgroup.kill", "1");

	if (r == -EOPNOTSUPP)
		r = kill_one_by_one(cgroup);
	cgroup->killed |= r == 0;
	return r;
}
