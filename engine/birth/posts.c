/* SPDX-License-Identifier: MIT */
/* The servers of a forkserver: which is asked, and what comes after one that has died. */
#include "birth/pool.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

void posts_ring(struct forkserver *forkserver, unsigned server)
{
	struct nursery_server *post = &forkserver->nursery->servers[server];

	atomic_fetch_add(&post->bell, 1);
	if (atomic_load(&post->sleeps))
		sys_futex_wake((const uint32_t *)&post->bell);
}

unsigned posts_least_busy(const struct forkserver *forkserver)
{
	unsigned best = 0;

	for (unsigned i = 1; i < forkserver->post_count; i++) {
		const struct post *post = &forkserver->posts[i], *other = &forkserver->posts[best];

		if (post->pidfd >= 0 && (other->pidfd < 0 || post->outstanding < other->outstanding))
			best = i;
	}
	return best;
}

/* A parked child becomes the server of this post. */
static bool man_post(struct forkserver *forkserver, unsigned server)
{
	struct entry *entry = pool_take_living(forkserver);
	struct post *post = &forkserver->posts[server];

	if (!entry)
		return false;
	struct nursery_box *box = pool_box(forkserver, entry);
	post->pid = entry->pid;
	post->pidfd = entry->pidfd;
	entry->pidfd = -1;
	box->task = TASK_SERVER;
	box->server = server;
	pool_put(entry, &forkserver->leaving);
	nursery_wake(box, GO_BEGIN);
	forkserver->counts.servers_made++;
	return true;
}

static bool all_are_busy(const struct forkserver *forkserver)
{
	for (unsigned i = 0; i < forkserver->post_count; i++)
		if (forkserver->posts[i].pidfd < 0 || forkserver->posts[i].starts == 0)
			return false;
	return true;
}

void posts_grow(struct forkserver *forkserver)
{
	unsigned server = forkserver->post_count;

	if (server >= forkserver->most_servers || !all_are_busy(forkserver))
		return;
	forkserver->posts[server] = (struct post){ .pidfd = -1 };
	if (man_post(forkserver, server))
		forkserver->post_count++;
	pool_refill(forkserver);
}

/* --- when one has died --- */

typedef void (*entry_visitor)(struct forkserver *forkserver, struct entry *entry);

/* What these servers were asked for and have not answered. */
static void visit_unanswered(struct forkserver *forkserver, uint64_t servers, entry_visitor visit)
{
	for (unsigned i = 0; servers && i < forkserver->boxes; i++) {
		struct entry *entry = &forkserver->entries[i];

		if (entry->asked && (servers >> entry->server & 1) &&
		    !pool_is_answered(pool_box(forkserver, entry)))
			visit(forkserver, entry);
	}
}

/* What a dead server had taken on: if the child is there it has only not been told; otherwise it is asked for again.
 * While nobody stands at the post: who comes there must not have begun on what is mended here. */
static void mend_request(struct forkserver *forkserver, struct entry *entry)
{
	struct nursery_box *box = pool_box(forkserver, entry);

	if (box->pid == 0)
		pool_post(forkserver, entry);
	else
		nursery_answer(box, 0);
}

/* From a post that nobody stands at to one that is manned. */
static void hand_over(struct forkserver *forkserver, struct entry *entry)
{
	enum nursery_request request = entry->request;
	unsigned server = posts_least_busy(forkserver);

	pool_no_longer_asked(forkserver, entry);
	pool_ask(forkserver, entry, request, server);
	posts_ring(forkserver, server);
}

/* Those that have died since the last look: they must be gone altogether before others get what they were asked for. */
static uint64_t bury(struct forkserver *forkserver)
{
	uint64_t dead = 0;

	for (unsigned i = 0; i < forkserver->post_count; i++) {
		struct post *post = &forkserver->posts[i];

		if (post->pidfd < 0 || !child_has_ended(post->pidfd))
			continue;
		pool_reap(&post->pidfd);
		dead |= (uint64_t)1 << i;
	}
	return dead;
}

/* Those that nobody stands at, after those that can be manned are. */
static uint64_t man_posts(struct forkserver *forkserver)
{
	uint64_t vacant = 0;

	for (unsigned i = 0; i < forkserver->post_count; i++)
		if (forkserver->posts[i].pidfd < 0 && !man_post(forkserver, i))
			vacant |= (uint64_t)1 << i;
	return vacant;
}

static bool has_server(const struct forkserver *forkserver)
{
	return forkserver->posts[posts_least_busy(forkserver)].pidfd >= 0;
}

int forkserver_look_after(struct forkserver *forkserver)
{
	if (forkserver->ended)
		return -EPIPE;
	uint64_t dead = bury(forkserver);
	visit_unanswered(forkserver, dead, mend_request);
	/* Children that they have left behind are perhaps the only ones that can take their place. */
	if (dead)
		forkserver_collect(forkserver);
	uint64_t vacant = man_posts(forkserver);
	if (!has_server(forkserver)) {
		posts_end(forkserver);
		return -EPIPE;
	}
	visit_unanswered(forkserver, vacant, hand_over);
	if (dead)
		pool_refill(forkserver);
	return 0;
}

/* By both ways: a process that has given up its power may not signal them, and one that is stopped must be. */
void posts_end(struct forkserver *forkserver)
{
	if (atomic_exchange(&forkserver->ended, true))
		return;
	atomic_store(&forkserver->nursery->ended, 1);
	for (unsigned i = 0; i < forkserver->post_count; i++) {
		posts_ring(forkserver, i);
		if (forkserver->posts[i].pidfd >= 0)
			sys_pidfd_send_signal(forkserver->posts[i].pidfd, SIGKILL);
	}
	for (unsigned i = 0; i < forkserver->post_count; i++)
		if (forkserver->posts[i].pidfd >= 0)
			pool_reap(&forkserver->posts[i].pidfd);
}
