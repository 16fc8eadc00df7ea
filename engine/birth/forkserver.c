/* SPDX-License-Identifier: MIT */
/* Making and ending a forkserver, and whether it still fits. pool.c has its children, posts.c its servers. */
#include "birth/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned count_living(const struct forkserver *forkserver)
{
	const struct entry *entry;
	unsigned count = 0;

	TAILQ_FOREACH(entry, &forkserver->parked, link)
	if (!pool_is_settled(pool_box(forkserver, entry)))
		count++;
	return count;
}

void forkserver_count(struct forkserver *forkserver, struct forkserver_counts *ret_counts)
{
	forkserver_collect(forkserver);
	*ret_counts = forkserver->counts;
	if (forkserver->ended)
		return;
	unsigned living = count_living(forkserver);
	/* Without the one that is kept. */
	ret_counts->parked = living > 0 ? living - 1 : 0;
	for (unsigned i = 0; i < forkserver->post_count; i++)
		if (forkserver->posts[i].pidfd >= 0)
			ret_counts->servers++;
}

/* The kernel writes the number a moment after the child is there. */
static bool is_being_cloned(const struct forkserver *forkserver, const struct entry *entry)
{
	struct nursery_box *box = pool_box(forkserver, entry);

	return atomic_load(&forkserver->nursery->asked[entry - forkserver->entries]) == REQUEST_NONE &&
	       !pool_is_answered(box) && *(volatile pid_t *)&box->pid == 0;
}

int forkserver_has(struct forkserver *forkserver, pid_t child)
{
	int r = 0;

	forkserver_collect(forkserver);
	if (forkserver->ended)
		return 0;
	for (unsigned i = 0; i < forkserver->post_count; i++)
		if (forkserver->posts[i].pidfd >= 0 && forkserver->posts[i].pid == child)
			return 1;
	for (unsigned i = 0; i < forkserver->boxes; i++) {
		const struct entry *entry = &forkserver->entries[i];

		if (entry->list == &forkserver->parked && entry->pid == child)
			return 1;
		if (entry->list == &forkserver->coming && pool_box(forkserver, entry)->pid == child)
			return 1;
		if (entry->asked && is_being_cloned(forkserver, entry))
			r = -EAGAIN;
	}
	return r;
}

bool forkserver_knows(const struct forkserver *forkserver, const void *function)
{
	return known_functions_still_have(&forkserver->first.known, function);
}

static int shares(const struct forkserver *forkserver)
{
	/* Not getpid(): the main thread may have ended. */
	return sys_share_files(sys_thread_id(), forkserver->posts[0].pid);
}

/* Until the application calls unshare(2). Where it may no longer ask it has given up its power over the server, as in a
 * user namespace. A server that is dead has nothing to compare. */
static bool still_shares(const struct forkserver *forkserver)
{
	const struct post *post = &forkserver->posts[0];

	return post->pidfd < 0 || shares(forkserver) == forkserver->shares || child_has_ended(post->pidfd);
}

/* The descriptors that are passed under high numbers were placed by the application's limit. */
static void keep_limit(struct forkserver *forkserver)
{
	struct rlimit now, *then = &forkserver->limit;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0 ||
	    (now.rlim_cur == then->rlim_cur && now.rlim_max == then->rlim_max))
		return;
	*then = now;
	forkserver->limit_changes++;
	for (unsigned i = 0; i < forkserver->post_count; i++)
		prlimit(forkserver->posts[i].pid, RLIMIT_NOFILE, &now, NULL);
}

bool forkserver_is_current(struct forkserver *forkserver)
{
	struct credentials now;

	if (forkserver->ended)
		return false;
	credentials_read(&now);
	if (!credentials_equal(&now, &forkserver->credentials) || !still_shares(forkserver))
		return false;
	keep_limit(forkserver);
	return true;
}

/* --- making and ending --- */

/* Whether children would be in another PID namespace, whose init the server would be: its own end would be that of the
 * namespace. */
static bool has_namespace_for_children(void)
{
	struct stat own, children;

	if (stat("/proc/self/ns/pid", &own) < 0)
		return false;
	/* One without an init yet has no name. */
	return stat("/proc/self/ns/pid_for_children", &children) < 0 || own.st_ino != children.st_ino;
}

bool forkserver_is_possible(const struct birth_paths *paths)
{
	return paths->clone3 && paths->close_range && birth_is_alone() && !has_namespace_for_children();
}

/* Under mlockall(MCL_FUTURE) the kernel would fill it at once, but for what may not be touched. */
static int map_nursery(struct forkserver *forkserver)
{
	size_t size = nursery_size(forkserver->boxes);
	void *mapping = mmap(NULL, size, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mapping == MAP_FAILED)
		return -errno;
	forkserver->nursery = mapping;
	munlock(mapping, size);
	return mprotect(mapping, size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
}

static int make_entries(struct forkserver *forkserver)
{
	forkserver->entries = calloc(forkserver->boxes, sizeof *forkserver->entries);
	if (!forkserver->entries)
		return -ENOMEM;
	for (unsigned i = forkserver->boxes; i-- > 0;) {
		forkserver->entries[i].pidfd = forkserver->entries[i].reserved = -1;
		pool_put(&forkserver->entries[i], &forkserver->free);
	}
	return 0;
}

/* As in birth/fork.c: a bare clone3 is no fork, but can be made one while there is one thread. */
static int clone_first(struct forkserver *forkserver)
{
	struct server *server = &forkserver->first;
	int pidfd = -1;
	int r = birth_find_repairs(&server->repairs);

	if (r < 0)
		return r;
	struct sys_clone_arguments arguments = {
		.flags = CLONE_FILES | CLONE_FS | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.child_tid = (uint64_t)(uintptr_t)server->repairs.thread_id,
		/* No signal at its end, nor at that of its children, which have the same: what the host waits for
		 * by wait() is not a server. */
		.exit_signal = 0,
	};
	long pid = sys_clone3(&arguments);
	if (pid == 0)
		server_begin(server);
	if (pid < 0)
		return (int)pid;
	int above = sys_above_streams(pidfd);
	/* A number of a standard stream, which the host has closed, is better than none. */
	forkserver->posts[0].pidfd = above >= 0 ? above : sys_pidfd_open((pid_t)pid);
	forkserver->posts[0].pid = forkserver->first_pid = (pid_t)pid;
	forkserver->post_count = 1;
	forkserver->counts.servers_made = 1;
	return 0;
}

static void release(struct forkserver *forkserver)
{
	if (forkserver->nursery)
		munmap(forkserver->nursery, nursery_size(forkserver->boxes));
	known_functions_release(&forkserver->first.known);
	free(forkserver->entries);
	free(forkserver);
}

static void set_up(struct forkserver *forkserver, const struct forkserver_options *options)
{
	TAILQ_INIT(&forkserver->free);
	TAILQ_INIT(&forkserver->coming);
	TAILQ_INIT(&forkserver->parked);
	TAILQ_INIT(&forkserver->leaving);
	forkserver->references = 1;
	forkserver->readiness = EINPROGRESS;
	forkserver->wanted = options->parked + 1;
	forkserver->low = options->parked_low + 1;
	forkserver->most_servers = options->servers;
	forkserver->boxes = options->parked + 1 + NURSERY_SPARE_BOXES;
}

int forkserver_new(struct forkserver **ret_forkserver, const struct forkserver_options *options)
{
	struct forkserver *forkserver = calloc(1, sizeof *forkserver);

	if (!forkserver)
		return -ENOMEM;
	set_up(forkserver, options);
	int r = map_nursery(forkserver);
	if (r == 0)
		r = make_entries(forkserver);
	if (r == 0)
		r = known_functions_read(&forkserver->first.known);
	if (r == 0) {
		credentials_read(&forkserver->credentials);
		getrlimit(RLIMIT_NOFILE, &forkserver->limit);
		forkserver->first.nursery = forkserver->nursery;
		forkserver->first.boxes = forkserver->boxes;
		forkserver->first.application = getpid();
		forkserver->first.callbacks = options->callbacks;
		/* Before the clone: the server finds it when it begins to serve. */
		forkserver->post_count = 1;
		pool_refill(forkserver);
		r = clone_first(forkserver);
	}
	if (r < 0) {
		release(forkserver);
		return r;
	}
	/* A fork of the application's is not to write into it. */
	madvise(forkserver->nursery, nursery_size(forkserver->boxes), MADV_DONTFORK);
	forkserver->shares = shares(forkserver);
	*ret_forkserver = forkserver;
	return 0;
}

/* The first box is asked for first, and its answer says whether the server clones. */
int forkserver_wait_ready(struct forkserver *forkserver)
{
	struct nursery_box *box = nursery_box(forkserver->nursery, 0);
	int readiness = atomic_load(&forkserver->readiness);

	if (readiness <= 0)
		return readiness;
	while (!forkserver_await(box))
		if (forkserver->ended || sys_has_ended(forkserver->first_pid))
			break;
	/* It may have answered last. */
	readiness = pool_is_answered(box) ? box->error : -EPIPE;
	if (readiness > 0)
		readiness = -EPROTO;
	atomic_store(&forkserver->readiness, readiness);
	return readiness;
}

/* Servers first: after that no more children come. */
void forkserver_end(struct forkserver *forkserver)
{
	posts_end(forkserver);
	pool_end(forkserver);
}

void forkserver_reference(struct forkserver *forkserver)
{
	forkserver->references++;
}

void forkserver_unreference(struct forkserver *forkserver)
{
	if (--forkserver->references == 0)
		release(forkserver);
}

/* The nursery is not there (MADV_DONTFORK). */
void forkserver_forget(struct forkserver *forkserver)
{
	for (unsigned i = 0; i < forkserver->post_count; i++)
		sys_close(&forkserver->posts[i].pidfd);
	for (unsigned i = 0; i < forkserver->boxes; i++) {
		sys_close(&forkserver->entries[i].pidfd);
		sys_close(&forkserver->entries[i].reserved);
	}
	forkserver->nursery = NULL;
	release(forkserver);
}
