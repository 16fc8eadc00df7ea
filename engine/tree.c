/* SPDX-License-Identifier: MIT */
/*
 * Signalling all of a tree.
 *
 * Never a stranger: what is signalled is a pidfd that was opened before the process has been recognized (pid and start)
 * once more.
 *
 * Everybody. A process whose parent has ended has no place in the tree any more, so nobody is signalled before the whole
 * table has been gone through, and who was found once is remembered. Still a fork that is under way during the walk makes
 * one that is not in the table, and if its parent dies of the signal it will not be found again. What kills is therefore
 * preceded by SIGSTOP, until all who were found stand still, each with all its threads: they do not fork then, and do not
 * die. As a table is not read in one moment, and numbers start again from below, a child of theirs may be missed by the
 * walk that saw them stand still, but not by the next one: if that finds nobody new, everybody has been found.
 *
 * Who is blocked in the kernel may be in the middle of a fork, held up by a lock, or wait in vfork(2) for a child that
 * has been stopped. It is therefore not killed until it has come to stand still, nor is anybody whom it descends from: a
 * child that it makes meanwhile has a parent to be found by, also with CLONE_PARENT. The others are killed, as a vfork
 * comes back when its child has ended.
 *
 * Children are killed before their parents, and the group at last: a process whose end leaves a group to nobody has the
 * kernel continue those of the group that are stopped (setpgid(2)), and they would be born to nobody what they fork then.
 *
 * That holds a fork bomb, too, as long as its processes have parents or the group. Other signals go out at once: to be
 * stopped and continued is something that a process may notice.
 */
#include "tree.h"

#include "clock.h"
#include "explain.h"
#include "proc_table.h"
#include "sys/sys.h"
#include "tree_walk.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Without anything done, until a call gives up: a tracer may let one run on that was to stop, somebody may continue it all
 * the time, a server may have died in the middle of a clone, descriptors may be used up. */
enum { PATIENCE = 1000 * 1000 * 1000 };

/* In seconds, for all the stopping, and then for the signal: somebody who may not be signalled may start others for ever, and
 * who continue each other are hard to stop. */
enum { LONGEST = 10 };

/* In nanoseconds: a fork takes so long. */
enum { NAP = 200000 };

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
}

/* --- one signal --- */

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

/* Whether it is settled with this member. Otherwise descriptors or memory are short. */
static bool send_to_member(struct tree_member *member, int signal_number, struct delivery *delivery)
{
	int r = send(member, signal_number);

	if (r < 0 && r != -EPERM && r != -ESRCH) {
		delivery->error = r;
		return false;
	}
	member->got = true;
	member->got_at = proc_ticks_now();
	member->refused = r == -EPERM;
	member->stopped |= r == 0 && signal_number == SIGSTOP;
	/* It has become another user's since; within a session it may be continued all the same. */
	if (r == -EPERM && member->stopped)
		send(member, SIGCONT);
	delivery->count += r == 0;
	delivery->refused += r == -EPERM;
	return true;
}

/* In one call, which no fork under way escapes. To be stopped or killed twice is no more than once. */
static void send_to_group(const struct tree *tree, int signal_number)
{
	if (tree->leads_group && getpgrp() != tree->root)
		sys_pidfd_signal_group(tree->pidfd, signal_number);
}

/* --- stopping --- */

/* Who is to be stopped, and killed if it stands still. */
static bool is_meant(const struct tree *tree, const struct tree_member *member)
{
	return !member->killed && !member->refused && !tree_is_self(tree, member);
}

static size_t count_meant(const struct tree *tree, enum proc_stillness stillness)
{
	size_t count = 0;

	for (size_t i = 0; i < tree->count; i++)
		count += is_meant(tree, &tree->members[i]) && tree->members[i].stillness == stillness;
	return count;
}

/* Those who move after they have been stopped, too: somebody has continued them. Returns how many were reached for the first
 * time. */
static int stop_movers(struct tree *tree)
{
	struct delivery first = { 0 }, again = { 0 };

	for (size_t i = 0; i < tree->count; i++) {
		struct tree_member *member = &tree->members[i];

		if (is_meant(tree, member) && (!member->got || member->stillness == PROC_MOVES))
			send_to_member(member, SIGSTOP, member->got ? &again : &first);
	}
	return first.count;
}

static void begin_delivery(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		if (!tree->members[i].killed)
			tree->members[i].got = tree->members[i].refused = false;
}

/* Stops all, as far as that can be had; the killing that follows tells what went wrong. */
static void freeze(struct tree *tree, int64_t limit)
{
	int64_t patience = clock_deadline(PATIENCE);
	bool stood_still = false;

	begin_delivery(tree);
	while (clock_remaining(patience) > 0 && clock_remaining(limit) > 0) {
		send_to_group(tree, SIGSTOP);
		int again = tree_walk(tree);
		int reached = again >= 0 ? stop_movers(tree) : 0;
		bool stands_still = again == 0 && reached == 0 && count_meant(tree, PROC_MOVES) == 0;
		if (stands_still && stood_still)
			return;
		stood_still = stands_still;
		if (reached > 0)
			patience = clock_deadline(PATIENCE);
		else if (!stands_still)
			nap();
	}
}

/* --- killing --- */

static struct tree_member *find(const struct tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].pid == pid)
			return &tree->members[i];
	return NULL;
}

/* The blocked, and those from whom they descend. */
static void spare_blocked(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		tree->members[i].spared = false;
	for (size_t i = 0; i < tree->count; i++) {
		struct tree_member *member = &tree->members[i];

		if (!is_meant(tree, member) || member->stillness != PROC_BLOCKED)
			continue;
		for (; member && !member->spared; member = find(tree, member->parent))
			member->spared = true;
	}
}

static size_t kill_unspared(struct tree *tree, struct delivery *delivery)
{
	size_t killed = 0;

	for (size_t i = tree->count; i-- > 0;) {
		struct tree_member *member = &tree->members[i];

		if (!is_meant(tree, member) || member->stillness != PROC_STOPPED || member->spared)
			continue;
		member->killed = send_to_member(member, SIGKILL, delivery);
		killed += member->killed;
	}
	return killed;
}

/* Until nobody is blocked any more. Who is for long waits for a device: that one is not forking. */
static void kill_around_blocked(struct tree *tree, struct delivery *delivery)
{
	int64_t limit = clock_deadline(LONGEST * CLOCK_SECOND);
	int64_t patience = clock_deadline(PATIENCE);

	for (;;) {
		freeze(tree, limit);
		if (count_meant(tree, PROC_BLOCKED) == 0)
			return;
		if (clock_remaining(patience) == 0 || clock_remaining(limit) == 0)
			return;
		spare_blocked(tree);
		if (kill_unspared(tree, delivery) > 0)
			patience = clock_deadline(PATIENCE);
		else
			nap();
	}
}

/* --- a signal to all --- */

/* Of a kill the children before their parents; otherwise the parents first, who might start others in their place. Returns
 * how many got it. */
static int send_to_new(struct tree *tree, int signal_number, struct delivery *delivery)
{
	int before = delivery->count;

	delivery->error = 0;
	for (size_t i = 0; i < tree->count; i++) {
		size_t place = signal_number == SIGKILL ? tree->count - 1 - i : i;
		struct tree_member *member = &tree->members[place];

		if (!member->got && !tree_is_self(tree, member))
			send_to_member(member, signal_number, delivery);
	}
	return delivery->count - before;
}

/* Descriptors or memory are short, which may pass. Nobody waits for that who has not sent anything yet. */
static bool may_pass(int result, int signal_number, const struct delivery *delivery)
{
	if (result >= 0)
		return true;
	return (delivery->count > 0 || signal_number == SIGKILL) && sys_is_short(result);
}

static int deliver(struct tree *tree, int signal_number, struct delivery *delivery)
{
	int64_t limit = clock_deadline(LONGEST * CLOCK_SECOND);
	int64_t patience = clock_deadline(PATIENCE);

	begin_delivery(tree);
	tree->spares_later = signal_number != SIGKILL;
	tree->began_at = proc_ticks_now();
	for (;;) {
		int r = tree_walk(tree);
		int reached = r < 0 ? 0 : send_to_new(tree, signal_number, delivery);
		if (signal_number == SIGKILL)
			send_to_group(tree, signal_number);
		if (r >= 0 && delivery->error < 0)
			r = explain(delivery->error, "not every process of the tree could be signalled: %s",
			            strerror(-delivery->error));
		if ((r == 0 && reached == 0) || !may_pass(r, signal_number, delivery))
			return r;
		if (reached > 0 && signal_number == SIGKILL)
			patience = clock_deadline(PATIENCE);
		if (clock_remaining(patience) == 0 || clock_remaining(limit) == 0)
			return r < 0 ? r : 0;
		if (reached == 0)
			nap();
	}
}

static int result_of(const struct delivery *delivery)
{
	if (delivery->count > 0)
		return delivery->count;
	if (delivery->refused > 0)
		return explain(-EPERM, "none of the %d processes of the tree may be signalled",
		               delivery->refused);
	return explain(-ESRCH, "nobody is left of the tree");
}

/* Nobody stays stopped. Without a descriptor who it is cannot be made sure of, but SIGCONT does a stranger no harm. */
static void end_half_way(struct tree *tree)
{
	for (size_t i = tree->count; i-- > 0;) {
		const struct tree_member *member = &tree->members[i];

		if (tree_is_self(tree, member))
			continue;
		int r = send(member, SIGKILL);
		if (sys_is_short(r))
			kill(member->pid, SIGCONT);
	}
	if (tree->pidfd >= 0)
		sys_pidfd_send_signal(tree->pidfd, SIGKILL);
	send_to_group(tree, SIGKILL);
}

/* Before anybody is stopped a walk has shown that it can be made. */
static int kill_all(struct tree *tree, struct delivery *delivery)
{
	int r = tree_walk(tree);

	if (r < 0)
		return r;
	for (size_t i = 0; i < tree->count; i++)
		tree->members[i].killed = tree->members[i].stopped = false;
	tree->spares_later = false;
	kill_around_blocked(tree, delivery);
	r = deliver(tree, SIGKILL, delivery);
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
		if (!tree->members[i].got && !tree_is_self(tree, &tree->members[i]))
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
	int r = tree_walk(tree);
	return r < 0 ? r : (int)tree->count;
}
