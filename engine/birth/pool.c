/* SPDX-License-Identifier: MIT */
/*
 * The boxes of a nursery and the children in them, as the application sees them.
 *
 * Servers open no descriptors: numbers would come into use in the application at moments of their own choosing, below
 * the streams, in the midst of a fork. So the application opens a child's pidfd, when it takes the answer. Until then
 * its number cannot become anybody else's, as only the application can reap it, and only by waiting for it with __WALL.
 */
#include "birth/pool.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct nursery_box *pool_box(const struct forkserver *forkserver, const struct entry *entry)
{
	return nursery_box(forkserver->nursery, (unsigned)(entry - forkserver->entries));
}

struct entry *pool_entry(const struct forkserver *forkserver, const struct nursery_box *box)
{
	size_t distance = (size_t)((const char *)box - (const char *)forkserver->nursery);

	return &forkserver->entries[distance / NURSERY_BOX_SIZE - 1];
}

struct birth_slot *forkserver_slot(struct forkserver *forkserver, struct nursery_box *box)
{
	struct entry *entry = pool_entry(forkserver, box);

	entry->slot.word = &box->word;
	entry->slot.plan = &entry->plan;
	entry->slot.report_descriptor = -1;
	return &entry->slot;
}

void pool_put(struct entry *entry, struct entry_list *list)
{
	entry->list = list;
	TAILQ_INSERT_HEAD(list, entry, link);
}

static void take(struct entry *entry)
{
	TAILQ_REMOVE(entry->list, entry, link);
	entry->list = NULL;
}

/* --- asking --- */

static unsigned index_of(const struct forkserver *forkserver, const struct entry *entry)
{
	return (unsigned)(entry - forkserver->entries);
}

void pool_post(struct forkserver *forkserver, const struct entry *entry)
{
	atomic_store(&forkserver->nursery->asked[index_of(forkserver, entry)],
	             nursery_asked(entry->server, entry->request));
}

void pool_ask(struct forkserver *forkserver, struct entry *entry, enum nursery_request request,
              unsigned server)
{
	entry->asked = true;
	entry->limit_changes = forkserver->limit_changes;
	entry->request = request;
	entry->server = server;
	forkserver->posts[server].outstanding++;
	if (request == REQUEST_NOW)
		forkserver->posts[server].starts++;
	pool_post(forkserver, entry);
}

static void ask_anew(struct forkserver *forkserver, struct entry *entry, enum nursery_request request,
                     unsigned server)
{
	struct nursery_box *box = pool_box(forkserver, entry);

	box->pid = 0;
	box->error = 0;
	atomic_store(&box->answer, ANSWER_NONE);
	atomic_store(&box->word, 1);
	pool_ask(forkserver, entry, request, server);
}

/* Answered, or never to be, or of another server from now on. */
void pool_no_longer_asked(struct forkserver *forkserver, struct entry *entry)
{
	if (!entry->asked)
		return;
	entry->asked = false;
	forkserver->posts[entry->server].outstanding--;
	if (entry->request == REQUEST_NOW)
		forkserver->posts[entry->server].starts--;
}

/* Up to the high water mark, shared out among the servers. */
void pool_refill(struct forkserver *forkserver)
{
	uint64_t rung = 0;

	if (forkserver->parked_count + forkserver->coming_count >= forkserver->low)
		return;
	if (forkserver->pause > 0) {
		forkserver->pause--;
		return;
	}
	while (forkserver->parked_count + forkserver->coming_count < forkserver->wanted) {
		struct entry *entry = TAILQ_FIRST(&forkserver->free);
		if (!entry)
			break;
		unsigned server = posts_least_busy(forkserver);
		take(entry);
		atomic_store(&pool_box(forkserver, entry)->go, GO_NOT_YET);
		pool_put(entry, &forkserver->coming);
		forkserver->coming_count++;
		ask_anew(forkserver, entry, REQUEST_PARK, server);
		rung |= (uint64_t)1 << server;
	}
	for (unsigned i = 0; i < forkserver->post_count; i++)
		if (rung >> i & 1)
			posts_ring(forkserver, i);
}

/* --- answers --- */

static void drop(struct forkserver *forkserver, struct entry *entry)
{
	sys_close(&entry->reserved);
	entry->pid = 0;
	entry->pidfd = -1;
	atomic_store(&forkserver->nursery->asked[index_of(forkserver, entry)], REQUEST_NONE);
	pool_put(entry, &forkserver->free);
}

bool pool_is_answered(struct nursery_box *box)
{
	uint32_t answer = atomic_load(&box->answer);

	/* What nobody of ours has written is no reason to wait. */
	return answer != ANSWER_NONE && answer != ANSWER_AWAITED;
}

bool pool_is_settled(struct nursery_box *box)
{
	return sys_word_is_settled((const uint32_t *)&box->word);
}

static bool is_owned(struct nursery_box *box)
{
	return atomic_load(&box->word) == ((uint32_t)box->pid | FUTEX_WAITERS);
}

/* The number was in shared memory: only what the kernel confirms is believed. */
static int open_child(struct entry *entry, pid_t pid)
{
	sys_close(&entry->reserved);
	int pidfd = pid > 0 ? sys_above_streams(sys_pidfd_open(pid)) : -EPROTO;
	if (pidfd < 0)
		return pidfd == -ESRCH ? -EPROTO : pidfd;
	if (!sys_is_child(pidfd)) {
		close(pidfd);
		return -EPROTO;
	}
	entry->pid = pid;
	entry->pidfd = pidfd;
	return 0;
}

/* One that has ended, or is about to. It might be stopped, and not ours to kill any more: then it is left to itself. */
void pool_reap(int *pidfd)
{
	enum { MILLISECONDS = 1000 };
	struct pollfd item = { .fd = *pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&item, 1, MILLISECONDS);
	while (r < 0 && errno == EINTR);
	if (r > 0)
		sys_await_pidfd(*pidfd);
	sys_close(pidfd);
}

/* There is no descriptor to hold it by. */
static void abandon(pid_t pid)
{
	if (pid <= 0 || !sys_is_child_number(pid))
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

/* As in posts_end. */
static void end_child(struct nursery_box *box, int pidfd)
{
	nursery_wake(box, GO_LEAVE);
	sys_pidfd_send_signal(pidfd, SIGKILL);
}

static void discard(struct forkserver *forkserver, struct entry *entry)
{
	end_child(pool_box(forkserver, entry), entry->pidfd);
	pool_reap(&entry->pidfd);
	drop(forkserver, entry);
}

/* With an answer. False: it cannot be taken yet. */
static bool take_to_park(struct forkserver *forkserver, struct entry *entry)
{
	/* A refill that fails would fail again. */
	enum { PAUSE = 64 };
	struct nursery_box *box = pool_box(forkserver, entry);
	pid_t pid = box->pid;

	if (box->error == 0 && !is_owned(box) && !pool_is_settled(box))
		return false;
	int r = box->error == 0 ? open_child(entry, pid) : box->error;
	if (sys_is_short(r))
		return box->error != 0;
	take(entry);
	forkserver->coming_count--;
	pool_no_longer_asked(forkserver, entry);
	if (r == -EPROTO || r > 0)
		posts_end(forkserver);
	if (r != 0) {
		if (box->error == 0)
			abandon(pid);
		forkserver->pause = PAUSE;
		drop(forkserver, entry);
		return true;
	}
	/* Now that there is a pidfd it is known to be of the one that owns the box, if that lives. */
	if (pool_is_settled(box)) {
		discard(forkserver, entry);
		return true;
	}
	pool_put(entry, &forkserver->parked);
	forkserver->parked_count++;
	return true;
}

static void collect_coming(struct forkserver *forkserver)
{
	/* So many that cannot be had yet end a pass: they come nearly in order. */
	enum { PATIENCE = 4 };
	struct entry *entry, *previous;
	unsigned missing = 0;

	for (entry = TAILQ_LAST(&forkserver->coming, entry_list); entry && missing < PATIENCE;
	     entry = previous) {
		previous = TAILQ_PREV(entry, entry_list, link);
		if (!pool_is_answered(pool_box(forkserver, entry)) || !take_to_park(forkserver, entry))
			missing++;
	}
}

static void collect_leaving(struct forkserver *forkserver)
{
	struct entry *entry, *next;

	for (entry = TAILQ_FIRST(&forkserver->leaving); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		if (!pool_is_settled(pool_box(forkserver, entry)))
			continue;
		take(entry);
		drop(forkserver, entry);
	}
}

void forkserver_collect(struct forkserver *forkserver)
{
	if (forkserver->ended)
		return;
	collect_coming(forkserver);
	collect_leaving(forkserver);
}

/* --- starts --- */

struct entry *pool_take_living(struct forkserver *forkserver)
{
	struct entry *entry;

	while ((entry = TAILQ_FIRST(&forkserver->parked))) {
		take(entry);
		forkserver->parked_count--;
		if (!pool_is_settled(pool_box(forkserver, entry)))
			return entry;
		discard(forkserver, entry);
	}
	return NULL;
}

static struct entry *take_parked(struct forkserver *forkserver)
{
	/* The last one is kept. */
	struct entry *entry = forkserver->parked_count > 1 ? pool_take_living(forkserver) : NULL;

	if (forkserver->parked_count + forkserver->coming_count < forkserver->low &&
	    forkserver_look_after(forkserver) == 0)
		pool_refill(forkserver);
	return entry;
}

struct nursery_box *forkserver_take(struct forkserver *forkserver, bool may_ask)
{
	if (forkserver->ended)
		return NULL;
	forkserver_collect(forkserver);
	struct entry *entry = take_parked(forkserver);
	if (!entry && forkserver->wanted > 1)
		forkserver->counts.parked_misses++;
	if (!entry && may_ask && !forkserver->ended) {
		entry = TAILQ_FIRST(&forkserver->free);
		if (entry)
			take(entry);
	}
	return entry ? pool_box(forkserver, entry) : NULL;
}

static int send_parked(struct forkserver *forkserver, struct entry *entry)
{
	forkserver->counts.starts++;
	forkserver->counts.parked_starts++;
	if (entry->limit_changes != forkserver->limit_changes)
		prlimit(entry->pid, RLIMIT_NOFILE, &forkserver->limit, NULL);
	nursery_wake(pool_box(forkserver, entry), GO_BEGIN);
	return 0;
}

int forkserver_send(struct forkserver *forkserver, struct nursery_box *box)
{
	struct entry *entry = pool_entry(forkserver, box);

	if (entry->pidfd >= 0)
		return send_parked(forkserver, entry);
	int r = forkserver_look_after(forkserver);
	if (r < 0)
		return r;
	/* A child that runs must not come to nothing for want of a number. */
	entry->reserved = fcntl(forkserver->posts[posts_least_busy(forkserver)].pidfd, F_DUPFD_CLOEXEC, 3);
	/* EINVAL: the limit is not above the streams. */
	if (entry->reserved < 0)
		return errno == EINVAL ? -EMFILE : -errno;
	forkserver->counts.starts++;
	posts_grow(forkserver);
	atomic_store(&box->go, GO_NOT_YET);
	ask_anew(forkserver, entry, REQUEST_NOW, posts_least_busy(forkserver));
	posts_ring(forkserver, entry->server);
	return 1;
}

bool forkserver_await(struct nursery_box *box)
{
	enum { SOME_TIME = 50 * 1000 * 1000 };
	uint32_t none = ANSWER_NONE;

	if (pool_is_answered(box))
		return true;
	int64_t deadline = clock_now() + SOME_TIME;
	atomic_compare_exchange_strong(&box->answer, &none, ANSWER_AWAITED);
	while (!pool_is_answered(box))
		if (sys_futex_wait((const uint32_t *)&box->answer, ANSWER_AWAITED, deadline) == -ETIMEDOUT)
			break;
	return pool_is_answered(box);
}

void forkserver_ask_again(struct forkserver *forkserver, struct nursery_box *box)
{
	struct entry *entry = pool_entry(forkserver, box);
	struct nursery *nursery = forkserver->nursery;
	unsigned index = index_of(forkserver, entry);
	uint32_t wanted = nursery_asked(entry->server, entry->request);

	if (!entry->asked || forkserver->ended || atomic_load(&nursery->asked[index]) == wanted ||
	    atomic_load(&nursery->servers[entry->server].serves) == index + 1 || pool_is_answered(box) ||
	    box->pid != 0)
		return;
	pool_post(forkserver, entry);
	posts_ring(forkserver, entry->server);
}

/* Without an answer there is no server any more; a child may be there all the same. */
static int take_answer(struct forkserver *forkserver, struct entry *entry)
{
	struct nursery_box *box = pool_box(forkserver, entry);
	int error = pool_is_answered(box) ? box->error : 0;

	pool_no_longer_asked(forkserver, entry);
	if (error < 0)
		return error;
	if (!pool_is_answered(box) && box->pid == 0)
		return -EPIPE;
	int r = error > 0 ? -EPROTO : open_child(entry, box->pid);
	if (r == 0)
		nursery_wake(box, GO_BEGIN);
	else
		abandon(box->pid);
	if (r == -EPROTO)
		posts_end(forkserver);
	return r;
}

int forkserver_take_newborn(struct forkserver *forkserver, struct nursery_box *box,
                            struct newborn *ret_newborn)
{
	struct entry *entry = pool_entry(forkserver, box);
	bool was_parked = !entry->asked;
	int r = was_parked ? 0 : take_answer(forkserver, entry);

	if (r < 0)
		return r;
	*ret_newborn = (struct newborn){ entry->pid, entry->pidfd,
		                         was_parked ? PIDRING_BIRTH_PARKED : PIDRING_BIRTH_FORKSERVER, 0 };
	entry->pidfd = -1;
	return 0;
}

/* What was touched is given back, but for a little; there may have been an auth key in it. */
static void clean(struct nursery_box *box)
{
	size_t used = box->length < NURSERY_ROOM ? box->length : NURSERY_ROOM;

	if (sizeof *box + used > NURSERY_BOX_KEPT) {
		madvise((char *)box + NURSERY_BOX_KEPT, NURSERY_BOX_SIZE - NURSERY_BOX_KEPT, MADV_REMOVE);
		used = NURSERY_BOX_KEPT - sizeof *box;
	}
	explicit_bzero(box->room, used);
}

void forkserver_give_back(struct forkserver *forkserver, struct nursery_box *box)
{
	struct entry *entry = pool_entry(forkserver, box);

	pool_no_longer_asked(forkserver, entry);
	clean(box);
	if (entry->pidfd < 0) {
		drop(forkserver, entry);
	} else if (forkserver->ended) {
		discard(forkserver, entry);
	} else {
		/* It was parked, and its start has come to nothing. */
		pool_put(entry, &forkserver->parked);
		forkserver->parked_count++;
	}
}

/* --- the end --- */

static void end_all(struct forkserver *forkserver, struct entry_list *list)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, list, link)
	if (entry->pidfd >= 0 || open_child(entry, pool_box(forkserver, entry)->pid) == 0)
		end_child(pool_box(forkserver, entry), entry->pidfd);
	else
		abandon(pool_box(forkserver, entry)->pid);
}

static void reap_all(struct entry_list *list)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, list, link)
	if (entry->pidfd >= 0)
		pool_reap(&entry->pidfd);
}

void pool_end(struct forkserver *forkserver)
{
	end_all(forkserver, &forkserver->coming);
	end_all(forkserver, &forkserver->parked);
	reap_all(&forkserver->coming);
	reap_all(&forkserver->parked);
}
