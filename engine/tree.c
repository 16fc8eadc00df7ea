/* SPDX-License-Identifier: MIT */
/*
 * Walking a tree of processes, and signalling all of it.
 *
 * Never a stranger. A number is a process's only until it has been reaped, and a table of all processes is not read in
 * one moment. So the parent of a new member is asked for once more, and must still be who it was; the root's number and
 * the group's are looked for only as long as its pidfd vouches for them; and what is signalled is a pidfd that was opened
 * before the process has been recognized (pid and start) once more.
 *
 * Everybody. A process whose parent has ended has no place in the tree any more, so nobody is signalled before the whole
 * table has been gone through, and who was found once is remembered. Still a fork that is under way during the walk makes
 * one that is not in the table, and if its parent dies of the signal it will not be found again. What kills is therefore
 * preceded by SIGSTOP, until all who were found stand still, each with all its threads: they do not fork then, and do not
 * die. As a table is not read in one moment, and numbers start again from below, a child of theirs may be missed by the
 * walk that saw them stand still, but not by the next one: if that finds nobody new, everybody has been found.
 *
 * Who is blocked in the kernel may be in the middle of a fork, held up by a lock, or wait in vfork(2) for a child that
 * has been stopped. It is therefore not killed until it has come to stand still, and the others are killed before it: a
 * child that it makes meanwhile has a parent to be found by, and a vfork comes back when its child has ended. That holds a
 * fork bomb, too, as long as its processes have parents or the group. Other signals go out at once: to be stopped and
 * continued is something that a process may notice.
 */
#include "tree.h"

#include "clock.h"
#include "explain.h"
#include "proc_table.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* --- members --- */

static int add(struct tree *tree, const struct tree_member *member)
{
	enum { FIRST_ROOM = 16 };

	if (tree->count == tree->room) {
		size_t room = tree->room > 0 ? 2 * tree->room : FIRST_ROOM;
		struct tree_member *members = reallocarray(tree->members, room, sizeof *members);
		if (!members)
			return explain(-ENOMEM, "no memory for a tree of %zu processes", room);
		tree->members = members;
		tree->room = room;
	}
	tree->members[tree->count++] = *member;
	return 0;
}

static bool is_known(const struct tree *tree, const struct tree_member *member, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (tree->members[i].pid == member->pid && tree->members[i].start == member->start)
			return true;
	return false;
}

int tree_add(struct tree *tree, const struct tree_member *members, size_t count)
{
	size_t before = tree->count;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		if (!is_known(tree, &members[i], before))
			r = add(tree, &members[i]);
	return r;
}

void tree_release(struct tree *tree)
{
	free(tree->members);
	tree->members = NULL;
	tree->count = tree->room = 0;
}

static bool is_self(const struct tree *tree, const struct tree_member *member)
{
	return tree->pidfd < 0 && member->pid == tree->root;
}

static int take(struct tree *tree, struct proc_entry *entry, bool spared)
{
	entry->taken = true;
	return add(tree, &(struct tree_member){ .pid = entry->pid,
	                                        .start = entry->start,
	                                        .got = spared,
	                                        .got_at = entry->start,
	                                        .stillness = proc_stillness(entry) });
}

/* --- one walk --- */

static bool vouches(int result)
{
	return result == 0 || result == -EPERM;
}

/* Whether the root has not been reaped: then its number has not been another's either. */
static bool has_root(const struct tree *tree)
{
	return tree->pidfd < 0 || vouches(sys_pidfd_send_signal(tree->pidfd, 0));
}

/* The number of a group is taken as long as somebody is in it, and who left the last one empty cannot come back. Before
 * Linux 6.9 only the leader vouches for it. */
static bool has_group(const struct tree *tree)
{
	if (!tree->leads_group)
		return false;
	int r = sys_pidfd_signal_group(tree->pidfd, 0);
	return r == -EINVAL ? has_root(tree) : vouches(r);
}

/* Those who are still there; the dead are forgotten. */
static void keep_known(struct tree *tree, const struct proc_table *table)
{
	size_t kept = 0;

	for (size_t i = 0; i < tree->count; i++) {
		struct tree_member member = tree->members[i];
		struct proc_entry *entry = proc_table_find(table, member.pid);

		if (!entry || entry->start != member.start || entry->dead)
			continue;
		entry->taken = true;
		member.stillness = proc_stillness(entry);
		tree->members[kept++] = member;
	}
	tree->count = kept;
}

static int add_root(struct tree *tree, const struct proc_table *table)
{
	struct proc_entry *entry = proc_table_find(table, tree->root);

	if (!entry || entry->taken || entry->dead || !has_root(tree))
		return 0;
	return take(tree, entry, false);
}

/* A fork that was under way when the parent got the signal is over by then, in ticks. */
enum { GRACE = 5 };

/* Those whose parents have ended: when these have got a signal is not known, but that the first did not before it began. */
static int add_group(struct tree *tree, const struct proc_table *table)
{
	int r = 0;

	if (!has_group(tree))
		return 0;
	for (size_t i = 0; i < table->count && r == 0; i++) {
		struct proc_entry *entry = &table->entries[i];

		/* This process may have joined it. */
		if (entry->group == tree->root && !entry->taken && !entry->dead && entry->pid != getpid())
			r = take(tree, entry, tree->spares_later && entry->start > tree->began_at + GRACE);
	}
	return r;
}

/* Both were there all the time, and the one was the other's child then. */
static bool is_child(const struct proc_entry *child, const struct tree_member *parent)
{
	struct proc_entry now;

	if (child->start < parent->start)
		return false;
	if (proc_entry_read(&now, child->pid) < 0 || now.start != child->start || now.parent != parent->pid)
		return false;
	return proc_entry_read(&now, parent->pid) == 0 && now.start == parent->start;
}

static bool is_later(const struct proc_entry *child, const struct tree_member *parent)
{
	return parent->got && child->start > parent->got_at + GRACE;
}

static int add_children(struct tree *tree, const struct proc_table *table, struct tree_member parent,
                        bool *ret_again)
{
	struct proc_entry *entry = proc_table_children(table, parent.pid);

	for (; entry; entry = proc_table_next(table, entry)) {
		if (entry->taken || entry->dead || !is_child(entry, &parent))
			continue;
		int r = is_self(tree, &parent) && tree->leave_out ? tree->leave_out(entry->pid) : 0;
		if (r == -EAGAIN)
			*ret_again = true;
		if (r == 0)
			r = take(tree, entry, tree->spares_later && is_later(entry, &parent));
		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

/* Of all members from this one on. */
static int add_descendants(struct tree *tree, const struct proc_table *table, size_t first, bool *ret_again)
{
	int r = 0;

	for (size_t i = first; i < tree->count && r == 0; i++)
		r = add_children(tree, table, tree->members[i], ret_again);
	return r;
}

/* Finds all who are there now. 1: somebody could not be judged yet. */
static int walk(struct tree *tree)
{
	struct proc_table table;
	bool again = false;
	int r = proc_table_read(&table);

	if (r < 0)
		return r;
	keep_known(tree, &table);
	r = add_root(tree, &table);
	if (r == 0)
		r = add_descendants(tree, &table, 0, &again);
	size_t found = tree->count;
	if (r == 0)
		r = add_group(tree, &table);
	if (r == 0)
		r = add_descendants(tree, &table, found, &again);
	proc_table_release(&table);
	return r < 0 ? r : again;
}

/* --- signals --- */

/* Sends it to the process that it was, whoever has the number now. */
static int send(const struct tree_member *member, int signal_number)
{
	struct proc_entry now;
	int pidfd = sys_pidfd_open(member->pid);

	if (pidfd < 0)
		return pidfd;
	int r = proc_entry_read(&now, member->pid);
	if (r == 0)
		r = now.start == member->start ? sys_pidfd_send_signal(pidfd, signal_number) : -ESRCH;
	close(pidfd);
	return r;
}

/* What came of a signal to all. */
struct delivery {
	int count;   /* who got it */
	int refused; /* by so many */
	int error;   /* of others that are there; 0: none */
};

/* As the kernel tells when a process was started. */
static uint64_t ticks_now(void)
{
	struct timespec now;
	uint64_t hertz = (uint64_t)sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * hertz + (uint64_t)now.tv_nsec * hertz / CLOCK_SECOND;
}

static void send_to_member(struct tree_member *member, int signal_number, struct delivery *delivery)
{
	int r = send(member, signal_number);

	member->got = true;
	member->got_at = ticks_now();
	member->refused = r == -EPERM;
	if (r == 0)
		delivery->count++;
	else if (r == -EPERM)
		delivery->refused++;
	else if (r != -ESRCH)
		delivery->error = r;
}

/* Returns to how many it was tried. */
static size_t send_to_new(struct tree *tree, int signal_number, struct delivery *delivery)
{
	size_t tried = 0;

	for (size_t i = 0; i < tree->count; i++) {
		struct tree_member *member = &tree->members[i];

		if (member->got || is_self(tree, member))
			continue;
		send_to_member(member, signal_number, delivery);
		tried++;
	}
	return tried;
}

/* In nanoseconds: a fork takes so long. */
enum { NAP = 200000 };

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
}

static void begin_delivery(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		if (!tree->members[i].killed)
			tree->members[i].got = tree->members[i].refused = false;
}

/* Of those who obey, and live on. */
static size_t count_still(const struct tree *tree, enum proc_stillness stillness)
{
	size_t count = 0;

	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_member *member = &tree->members[i];
		count += member->stillness == stillness && !member->refused && !member->killed &&
		         !is_self(tree, member);
	}
	return count;
}

/* In one call, which no fork under way escapes. To be stopped or killed twice is no more than once. */
static void send_to_group(const struct tree *tree, int signal_number)
{
	if (tree->leads_group && getpgrp() != tree->root)
		sys_pidfd_signal_group(tree->pidfd, signal_number);
}

/* A tracer may let one run on that was to stop; a server may have died in the middle of a clone. */
enum { PATIENCE = 1000 * 1000 * 1000 };

/* Stops all, as far as that can be had; the killing that follows tells what went wrong. */
static void freeze(struct tree *tree)
{
	struct delivery delivery = { 0 };
	int64_t patience = clock_deadline(PATIENCE);
	bool stood_still = false;

	tree->spares_later = false;
	begin_delivery(tree);
	for (;;) {
		send_to_group(tree, SIGSTOP);
		int again = walk(tree);
		if (again < 0)
			return;
		bool found = send_to_new(tree, SIGSTOP, &delivery) > 0;
		bool stands_still = !again && !found && count_still(tree, PROC_MOVES) == 0;
		if (stands_still && stood_still)
			return;
		if (found)
			patience = clock_deadline(PATIENCE);
		else if (clock_remaining(patience) == 0)
			return;
		else if (!stands_still)
			nap();
		stood_still = stands_still;
	}
}

static size_t kill_stopped(struct tree *tree, struct delivery *delivery)
{
	size_t killed = 0;

	for (size_t i = 0; i < tree->count; i++) {
		struct tree_member *member = &tree->members[i];

		if (member->stillness != PROC_STOPPED || member->killed || is_self(tree, member))
			continue;
		send_to_member(member, SIGKILL, delivery);
		member->killed = true;
		killed++;
	}
	return killed;
}

/* Until nobody is blocked any more. Who is for long waits for a device: that one is not forking. */
static void kill_around_blocked(struct tree *tree, struct delivery *delivery)
{
	int64_t patience = clock_deadline(PATIENCE);

	for (;;) {
		freeze(tree);
		if (count_still(tree, PROC_BLOCKED) == 0 || clock_remaining(patience) == 0)
			return;
		if (kill_stopped(tree, delivery) > 0)
			patience = clock_deadline(PATIENCE);
		else
			nap();
	}
}

static int result_of(const struct delivery *delivery)
{
	if (delivery->count > 0)
		return delivery->count;
	if (delivery->error < 0)
		return explain(delivery->error, "no process of the tree could be signalled");
	if (delivery->refused > 0)
		return explain(-EPERM, "none of the %d processes of the tree may be signalled",
		               delivery->refused);
	return explain(-ESRCH, "nobody is left of the tree");
}

/* The dead start nobody; who lives on may go on for ever. */
static bool is_over(int signal_number, size_t tried, bool again, int64_t patience)
{
	if (clock_remaining(patience) == 0)
		return tried == 0 || signal_number != SIGKILL;
	return tried == 0 && !again;
}

static int deliver(struct tree *tree, int signal_number, struct delivery *ret_delivery)
{
	begin_delivery(tree);
	tree->spares_later = signal_number != SIGKILL;
	tree->began_at = ticks_now();
	int64_t patience = clock_deadline(PATIENCE);
	for (;;) {
		int again = walk(tree);
		if (signal_number == SIGKILL)
			send_to_group(tree, signal_number);
		if (again < 0)
			return again;
		size_t tried = send_to_new(tree, signal_number, ret_delivery);
		if (is_over(signal_number, tried, again, patience))
			return 0;
		if (tried == 0)
			nap();
	}
}

/* Nobody stays stopped. Without a descriptor who it is cannot be made sure of, but SIGCONT does a stranger no harm. */
static void end_half_way(struct tree *tree)
{
	send_to_group(tree, SIGKILL);
	if (tree->pidfd >= 0)
		sys_pidfd_send_signal(tree->pidfd, SIGKILL);
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_member *member = &tree->members[i];

		if (is_self(tree, member))
			continue;
		int r = send(member, SIGKILL);
		if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
			kill(member->pid, SIGCONT);
	}
}

/* Before anybody is stopped a walk has shown that it can be made. */
static int kill_all(struct tree *tree, struct delivery *ret_delivery)
{
	int r = walk(tree);

	if (r < 0)
		return r;
	for (size_t i = 0; i < tree->count; i++)
		tree->members[i].killed = false;
	kill_around_blocked(tree, ret_delivery);
	r = deliver(tree, SIGKILL, ret_delivery);
	if (r < 0)
		end_half_way(tree);
	return r;
}

int tree_signal(struct tree *tree, int signal_number)
{
	struct delivery delivery = { 0 };
	int r = signal_number == SIGKILL ? kill_all(tree, &delivery)
	                                 : deliver(tree, signal_number, &delivery);

	return r < 0 ? r : result_of(&delivery);
}

bool tree_has_new(const struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		if (!tree->members[i].got && !is_self(tree, &tree->members[i]))
			return true;
	return false;
}

static bool lives(const struct tree_member *member)
{
	struct proc_entry now;

	int r = proc_entry_read(&now, member->pid);
	/* Of whom it cannot be known now it is not forgotten that he was there. */
	if (r < 0)
		return r != -ESRCH;
	return now.start == member->start && !now.dead;
}

int tree_look(struct tree *tree)
{
	size_t kept = 0;

	for (size_t i = 0; i < tree->count; i++)
		if (lives(&tree->members[i]))
			tree->members[kept++] = tree->members[i];
	tree->count = kept;
	if (kept > 0)
		return (int)kept;
	tree->spares_later = false;
	int r = walk(tree);
	return r < 0 ? r : (int)tree->count;
}
