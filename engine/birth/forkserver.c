/* SPDX-License-Identifier: MIT */
#include "birth/forkserver.h"

#include "birth/credentials.h"
#include "birth/nursery.h"
#include "birth/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

TAILQ_HEAD(entry_list, entry);

/* What the application knows of a box, in its private memory. */
struct entry {
	TAILQ_ENTRY(entry) link;
	struct entry_list *list; /* NULL: a start has it */
	struct birth_slot slot;  /* for the start */
	bool asked;              /* and no answer taken yet */
	enum nursery_request request;
	unsigned server;
	unsigned limit_changes; /* of descriptors, before it was asked for */
	pid_t pid;
	int pidfd; /* of a parked child, and of one that becomes a server; -1 */
};

struct post {
	pid_t pid;
	int pidfd;            /* -1: there is none */
	unsigned outstanding; /* what it was asked for, and no answer was taken yet */
	unsigned starts;      /* of these, what a start waits for */
};

struct forkserver {
	struct nursery *nursery;
	unsigned boxes;
	struct entry *entries;
	struct entry_list free;
	struct entry_list coming; /* to be parked */
	struct entry_list parked;
	struct entry_list leaving; /* children that become servers, until they have left their boxes */
	unsigned parked_count, coming_count;

	unsigned wanted, low; /* of parked children, the one that is kept included */
	unsigned most_servers;
	struct post posts[NURSERY_SERVERS];
	unsigned server_count;

	struct credentials credentials;
	int shares;             /* what the kernel said of that at the beginning */
	struct rlimit limit;    /* of descriptors, that the servers have */
	unsigned limit_changes; /* so often */
	struct server first;    /* what the first server gets */
	unsigned references;
	bool ended;            /* it takes no more starts */
	_Atomic int readiness; /* of the first: EINPROGRESS, 0, or a negated errno */
	struct forkserver_counts counts;
};

static struct nursery_box *box_of(const struct forkserver *forkserver, const struct entry *entry)
{
	return nursery_box(forkserver->nursery, (unsigned)(entry - forkserver->entries));
}

static struct entry *entry_of(const struct forkserver *forkserver, const struct nursery_box *box)
{
	size_t distance = (size_t)((const char *)box - (const char *)forkserver->nursery);

	return &forkserver->entries[distance / NURSERY_BOX_SIZE - 1];
}

struct birth_slot *forkserver_slot(struct forkserver *forkserver, struct nursery_box *box)
{
	struct birth_slot *slot = &entry_of(forkserver, box)->slot;

	slot->word = &box->word;
	slot->plan = &box->plan;
	slot->report_descriptor = -1;
	return slot;
}

static void put(struct entry *entry, struct entry_list *list)
{
	entry->list = list;
	TAILQ_INSERT_HEAD(list, entry, link);
}

static void take(struct entry *entry)
{
	TAILQ_REMOVE(entry->list, entry, link);
	entry->list = NULL;
}

static void close_descriptor(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

/* --- asking --- */

static void ring(struct forkserver *forkserver, unsigned server)
{
	struct nursery_server *post = &forkserver->nursery->servers[server];

	atomic_fetch_add(&post->bell, 1);
	if (atomic_load(&post->sleeps))
		sys_futex_wake((const uint32_t *)&post->bell);
}

static unsigned least_busy(const struct forkserver *forkserver)
{
	unsigned best = 0;

	for (unsigned i = 1; i < forkserver->server_count; i++)
		if (forkserver->posts[i].outstanding < forkserver->posts[best].outstanding)
			best = i;
	return best;
}

static void post_request(struct forkserver *forkserver, const struct entry *entry)
{
	uint32_t asked = entry->server << NURSERY_REQUEST_BITS | entry->request;

	atomic_store(&forkserver->nursery->asked[entry - forkserver->entries], asked);
}

/* Without the bell. */
static void ask(struct forkserver *forkserver, struct entry *entry, enum nursery_request request,
                unsigned server)
{
	struct nursery_box *box = box_of(forkserver, entry);

	box->pid = 0;
	box->pidfd = -1;
	box->error = 0;
	atomic_store(&box->answer, ANSWER_NONE);
	atomic_store(&box->word, 1);
	entry->asked = true;
	entry->limit_changes = forkserver->limit_changes;
	entry->request = request;
	entry->server = server;
	forkserver->posts[server].outstanding++;
	if (request == REQUEST_NOW)
		forkserver->posts[server].starts++;
	post_request(forkserver, entry);
}

static void ask_to_park(struct forkserver *forkserver, struct entry *entry, unsigned server)
{
	struct nursery_box *box = box_of(forkserver, entry);

	atomic_store(&box->go, GO_NOT_YET);
	put(entry, &forkserver->coming);
	forkserver->coming_count++;
	ask(forkserver, entry, REQUEST_PARK, server);
}

/* Up to the high water mark, shared out among the servers. */
static void refill(struct forkserver *forkserver)
{
	uint64_t rung = 0;

	while (forkserver->parked_count + forkserver->coming_count < forkserver->wanted) {
		struct entry *entry = TAILQ_FIRST(&forkserver->free);
		if (!entry)
			break;
		unsigned server = least_busy(forkserver);
		take(entry);
		ask_to_park(forkserver, entry, server);
		rung |= (uint64_t)1 << server;
	}
	for (unsigned i = 0; i < forkserver->server_count; i++)
		if (rung >> i & 1)
			ring(forkserver, i);
}

/* --- answers --- */

/* Answered, or never to be. */
static void no_longer_asked(struct forkserver *forkserver, struct entry *entry)
{
	if (!entry->asked)
		return;
	entry->asked = false;
	forkserver->posts[entry->server].outstanding--;
	if (entry->request == REQUEST_NOW)
		forkserver->posts[entry->server].starts--;
}

static void drop(struct forkserver *forkserver, struct entry *entry)
{
	entry->pid = 0;
	entry->pidfd = -1;
	atomic_store(&forkserver->nursery->asked[entry - forkserver->entries], REQUEST_NONE);
	put(entry, &forkserver->free);
}

static bool is_answered(struct nursery_box *box)
{
	return atomic_load(&box->answer) == ANSWER_GIVEN;
}

/* The numbers were in shared memory: only what the kernel confirms is believed. Without an answer there is no server any
 * more; a child may be there all the same. */
static int take_answer(struct forkserver *forkserver, struct entry *entry)
{
	struct nursery_box *box = box_of(forkserver, entry);
	int error = is_answered(box) ? box->error : 0, pidfd = box->pidfd;

	no_longer_asked(forkserver, entry);
	if (error < 0)
		return error;
	if (!is_answered(box) && box->pid == 0)
		return -EPIPE;
	entry->pid = box->pid;
	if (error > 0 || pidfd < 0 || entry->pid <= 0 || sys_pidfd_number(pidfd) != entry->pid ||
	    !sys_is_child(pidfd)) {
		forkserver->ended = true;
		return -EPROTO;
	}
	/* What is not above the streams is taken for one by the next child. */
	entry->pidfd = sys_above_streams(pidfd);
	return entry->pidfd < 0 ? entry->pidfd : 0;
}

/* The child has left the box; one that waits, because somebody has killed it. */
static bool is_settled(struct nursery_box *box)
{
	return sys_word_is_settled((const uint32_t *)&box->word);
}

/* One that has ended, or is about to. It might be stopped, and not ours to kill any more: then it is left to itself. */
static void reap(int *pidfd)
{
	enum { MILLISECONDS = 1000 };
	struct pollfd item = { .fd = *pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&item, 1, MILLISECONDS);
	while (r < 0 && errno == EINTR);
	if (r > 0)
		sys_await_pidfd(*pidfd);
	close_descriptor(pidfd);
}

/* By both ways: a process that has given up its power may not signal it, one that is stopped must be. */
static void end_child(struct nursery_box *box, int pidfd)
{
	nursery_wake(box, GO_LEAVE);
	sys_pidfd_send_signal(pidfd, SIGKILL);
}

static void discard_dead(struct forkserver *forkserver, struct entry *entry)
{
	end_child(box_of(forkserver, entry), entry->pidfd);
	reap(&entry->pidfd);
	drop(forkserver, entry);
}

static void collect_coming(struct forkserver *forkserver)
{
	/* So many that have not been answered yet end a pass: they are answered nearly in order. */
	enum { PATIENCE = 4 };
	struct entry *entry, *previous;
	unsigned missing = 0;

	for (entry = TAILQ_LAST(&forkserver->coming, entry_list); entry && missing < PATIENCE;
	     entry = previous) {
		previous = TAILQ_PREV(entry, entry_list, link);
		if (!is_answered(box_of(forkserver, entry))) {
			missing++;
			continue;
		}
		take(entry);
		forkserver->coming_count--;
		if (take_answer(forkserver, entry) < 0) {
			drop(forkserver, entry);
		} else {
			put(entry, &forkserver->parked);
			forkserver->parked_count++;
		}
	}
}

static void collect_leaving(struct forkserver *forkserver)
{
	struct entry *entry, *next;

	for (entry = TAILQ_FIRST(&forkserver->leaving); entry; entry = next) {
		next = TAILQ_NEXT(entry, link);
		if (!is_settled(box_of(forkserver, entry)))
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

/* --- parked children and their tasks --- */

static struct entry *take_living(struct forkserver *forkserver)
{
	struct entry *entry;

	while ((entry = TAILQ_FIRST(&forkserver->parked))) {
		take(entry);
		forkserver->parked_count--;
		if (!is_settled(box_of(forkserver, entry)))
			return entry;
		discard_dead(forkserver, entry);
	}
	return NULL;
}

/* A parked child becomes the server of this post. Its requests wait for it in the nursery. */
static bool man_post(struct forkserver *forkserver, unsigned server)
{
	struct entry *entry = take_living(forkserver);
	struct post *post = &forkserver->posts[server];

	if (!entry)
		return false;
	struct nursery_box *box = box_of(forkserver, entry);
	post->pid = entry->pid;
	post->pidfd = entry->pidfd;
	entry->pidfd = -1;
	box->task = TASK_SERVER;
	box->server = server;
	put(entry, &forkserver->leaving);
	nursery_wake(box, GO_BEGIN);
	forkserver->counts.servers_made++;
	return true;
}

/* What a dead server had taken on: if the child is there it has only not been told, otherwise it is asked for again. */
static void mend_request(struct forkserver *forkserver, struct entry *entry)
{
	struct nursery_box *box = box_of(forkserver, entry);

	if (is_answered(box))
		return;
	if (box->pid == 0) {
		post_request(forkserver, entry);
		return;
	}
	box->error = 0;
	if (atomic_exchange(&box->answer, ANSWER_GIVEN) == ANSWER_AWAITED)
		sys_futex_wake((const uint32_t *)&box->answer);
}

static void mend_requests(struct forkserver *forkserver, unsigned server)
{
	for (unsigned i = 0; i < forkserver->boxes; i++)
		if (forkserver->entries[i].asked && forkserver->entries[i].server == server)
			mend_request(forkserver, &forkserver->entries[i]);
}

/* The one before it must be gone altogether, or both would serve. */
static bool revive(struct forkserver *forkserver, unsigned server)
{
	reap(&forkserver->posts[server].pidfd);
	mend_requests(forkserver, server);
	collect_coming(forkserver);
	return man_post(forkserver, server);
}

int forkserver_look_after(struct forkserver *forkserver)
{
	if (forkserver->ended)
		return -EPIPE;
	for (unsigned i = 0; i < forkserver->server_count; i++) {
		struct post *post = &forkserver->posts[i];

		if (!child_has_ended(post->pidfd))
			continue;
		if (!revive(forkserver, i)) {
			forkserver->ended = true;
			return -EPIPE;
		}
		ring(forkserver, i);
	}
	return 0;
}

static bool all_are_busy(const struct forkserver *forkserver)
{
	for (unsigned i = 0; i < forkserver->server_count; i++)
		if (forkserver->posts[i].starts == 0)
			return false;
	return true;
}

/* When all are busy with starts there is work for one more. */
static void grow(struct forkserver *forkserver)
{
	unsigned server = forkserver->server_count;

	if (server >= forkserver->most_servers || !all_are_busy(forkserver))
		return;
	if (man_post(forkserver, server))
		forkserver->server_count++;
}

/* --- starts --- */

static struct entry *take_parked(struct forkserver *forkserver)
{
	/* The last one is kept. */
	struct entry *entry = forkserver->parked_count > 1 ? take_living(forkserver) : NULL;

	if (forkserver->parked_count + forkserver->coming_count < forkserver->low &&
	    forkserver_look_after(forkserver) == 0)
		refill(forkserver);
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
	return entry ? box_of(forkserver, entry) : NULL;
}

bool forkserver_send(struct forkserver *forkserver, struct nursery_box *box)
{
	struct entry *entry = entry_of(forkserver, box);

	forkserver->counts.starts++;
	if (entry->pidfd >= 0) {
		forkserver->counts.parked_starts++;
		if (entry->limit_changes != forkserver->limit_changes)
			prlimit(entry->pid, RLIMIT_NOFILE, &forkserver->limit, NULL);
		nursery_wake(box, GO_BEGIN);
		return false;
	}
	forkserver_look_after(forkserver);
	grow(forkserver);
	atomic_store(&box->go, GO_BEGIN);
	ask(forkserver, entry, REQUEST_NOW, least_busy(forkserver));
	ring(forkserver, entry->server);
	return true;
}

bool forkserver_await(struct nursery_box *box)
{
	enum { SOME_TIME = 50 * 1000 * 1000 };
	uint32_t none = ANSWER_NONE;
	struct timespec now;

	if (is_answered(box))
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	atomic_compare_exchange_strong(&box->answer, &none, ANSWER_AWAITED);
	while (!is_answered(box))
		if (sys_futex_wait((const uint32_t *)&box->answer, ANSWER_AWAITED,
		                   (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + SOME_TIME) == -ETIMEDOUT)
			break;
	return is_answered(box);
}

int forkserver_take_newborn(struct forkserver *forkserver, struct nursery_box *box,
                            struct newborn *ret_newborn)
{
	struct entry *entry = entry_of(forkserver, box);
	bool was_parked = !entry->asked;
	int r = was_parked ? 0 : take_answer(forkserver, entry);

	if (r < 0)
		return r;
	*ret_newborn = (struct newborn){ entry->pid, entry->pidfd,
		                         was_parked ? PIDRING_BIRTH_PARKED : PIDRING_BIRTH_FORKSERVER };
	entry->pidfd = -1;
	return 0;
}

void forkserver_give_back(struct forkserver *forkserver, struct nursery_box *box)
{
	struct entry *entry = entry_of(forkserver, box);

	no_longer_asked(forkserver, entry);
	/* There was an auth key in it. */
	explicit_bzero(box->room, box->length < NURSERY_BOX_KEPT ? box->length : NURSERY_BOX_KEPT);
	if (box->length >= NURSERY_BOX_KEPT - sizeof *box)
		madvise((char *)box + NURSERY_BOX_KEPT, NURSERY_BOX_SIZE - NURSERY_BOX_KEPT, MADV_REMOVE);
	/* It was parked, and its start has come to nothing. */
	if (entry->pidfd >= 0) {
		put(entry, &forkserver->parked);
		forkserver->parked_count++;
		return;
	}
	drop(forkserver, entry);
}

void forkserver_count(struct forkserver *forkserver, struct forkserver_counts *ret_counts)
{
	forkserver_collect(forkserver);
	*ret_counts = forkserver->counts;
	if (forkserver->ended)
		return;
	ret_counts->servers = forkserver->server_count;
	/* Without the one that is kept. */
	ret_counts->parked = forkserver->parked_count > 0 ? forkserver->parked_count - 1 : 0;
}

bool forkserver_knows(const struct forkserver *forkserver, const void *function)
{
	return known_functions_still_have(&forkserver->first.known, function);
}

static int shares(const struct forkserver *forkserver)
{
	return sys_share_files(forkserver->first.application, forkserver->posts[0].pid);
}

/* Until the application calls unshare(2). Where it may no longer ask it has given up its power over the server, as in a
 * user namespace. A server that is dead has nothing to compare. */
static bool still_shares(const struct forkserver *forkserver)
{
	return shares(forkserver) == forkserver->shares || child_has_ended(forkserver->posts[0].pidfd);
}

/* A server opens pidfds, and so has to have the application's limit. */
static void keep_limit(struct forkserver *forkserver)
{
	struct rlimit now, *then = &forkserver->limit;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0 ||
	    (now.rlim_cur == then->rlim_cur && now.rlim_max == then->rlim_max))
		return;
	*then = now;
	forkserver->limit_changes++;
	for (unsigned i = 0; i < forkserver->server_count; i++)
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
		forkserver->entries[i].pidfd = -1;
		put(&forkserver->entries[i], &forkserver->free);
	}
	return 0;
}

/* As in birth/fork.c: a bare clone3 is no fork, but can be made one while there is one thread. */
static int clone_first(struct forkserver *forkserver)
{
	struct server *server = &forkserver->first;
	int pidfd = -1;
	int r = sys_thread_id_address(&server->thread_id);

	if (r == 0)
		r = sys_get_robust_list(&server->robust_list, &server->robust_list_length);
	if (r < 0)
		return r;
	struct sys_clone_arguments arguments = {
		.flags = CLONE_FILES | CLONE_FS | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.child_tid = (uint64_t)(uintptr_t)server->thread_id,
		/* No signal at its end, nor at that of its children, which have the same: what the host waits for
		 * by wait() is not a server. */
		.exit_signal = 0,
	};
	long pid = sys_clone3(&arguments);
	if (pid == 0)
		server_begin(server);
	if (pid < 0)
		return (int)pid;
	forkserver->posts[0] = (struct post){ .pid = (pid_t)pid, .pidfd = sys_above_streams(pidfd) };
	forkserver->server_count = 1;
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
		refill(forkserver);
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
	while (!forkserver_await(box)) {
		if (!child_has_ended(forkserver->posts[0].pidfd))
			continue;
		/* It may have answered last. */
		if (!is_answered(box)) {
			atomic_store(&forkserver->readiness, -EPIPE);
			return -EPIPE;
		}
	}
	readiness = box->error < 0 ? box->error : 0;
	atomic_store(&forkserver->readiness, readiness);
	return readiness;
}

static void end_all(struct forkserver *forkserver, struct entry_list *list)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, list, link)
	if (entry->pidfd >= 0)
		end_child(box_of(forkserver, entry), entry->pidfd);
}

static void reap_all(struct entry_list *list)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, list, link)
	if (entry->pidfd >= 0)
		reap(&entry->pidfd);
}

/* Servers first: after that no more children come. */
static void end_servers(struct forkserver *forkserver)
{
	atomic_store(&forkserver->nursery->ended, 1);
	for (unsigned i = 0; i < forkserver->server_count; i++) {
		ring(forkserver, i);
		if (forkserver->posts[i].pidfd >= 0)
			sys_pidfd_send_signal(forkserver->posts[i].pidfd, SIGKILL);
	}
	for (unsigned i = 0; i < forkserver->server_count; i++)
		if (forkserver->posts[i].pidfd >= 0)
			reap(&forkserver->posts[i].pidfd);
}

/* What is still asked for by a start will be found by it: a child, or none. */
static void take_last_answers(struct forkserver *forkserver)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, &forkserver->coming, link)
	{
		struct nursery_box *box = box_of(forkserver, entry);

		if (box->pid != 0)
			take_answer(forkserver, entry);
	}
}

void forkserver_end(struct forkserver *forkserver)
{
	forkserver->ended = true;
	end_servers(forkserver);
	take_last_answers(forkserver);
	end_all(forkserver, &forkserver->coming);
	end_all(forkserver, &forkserver->parked);
	reap_all(&forkserver->coming);
	reap_all(&forkserver->parked);
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
	for (unsigned i = 0; i < forkserver->server_count; i++)
		close_descriptor(&forkserver->posts[i].pidfd);
	for (unsigned i = 0; i < forkserver->boxes; i++)
		close_descriptor(&forkserver->entries[i].pidfd);
	forkserver->nursery = NULL;
	release(forkserver);
}
