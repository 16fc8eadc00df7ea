/* SPDX-License-Identifier: MIT */
/*
 * Finding all of a tree.
 *
 * Never a stranger. A number is a process's only until it has been reaped, and a table of all processes is not read in
 * one moment. So the parent of a member that was born meanwhile is asked for once more, and must still be who it was; the
 * root's number and the group's are looked for only as long as its pidfd vouches for them.
 */
#include "tree_walk.h"

#include "explain.h"
#include "proc_table.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

bool tree_is_self(const struct tree *tree, const struct tree_member *member)
{
	return tree->pidfd < 0 && member->pid == tree->root;
}

static int take(struct tree *tree, struct proc_entry *entry, bool spared)
{
	entry->taken = true;
	return add(tree, &(struct tree_member){ .pid = entry->pid,
	                                        .parent = entry->parent,
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
		member.parent = entry->parent;
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

/* Whether it was the member's child when the table was read. Who was born before that has had no parent of a number that
 * was given away only then; of others both must still be there. */
static int is_child(const struct proc_table *table, const struct proc_entry *child,
                    const struct tree_member *parent)
{
	struct proc_entry now;

	if (child->start < parent->start)
		return 0;
	if (child->start < table->began_at)
		return 1;
	int r = proc_entry_read(&now, child->pid);
	if (r == 0 && (now.start != child->start || now.parent != parent->pid))
		return 0;
	if (r == 0)
		r = proc_entry_read(&now, parent->pid);
	/* It has ended meanwhile, or is hidden from now on. */
	if (r < 0)
		return sys_is_short(r) ? r : 0;
	return now.start == parent->start;
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
		if (entry->taken || entry->dead)
			continue;
		int r = is_child(table, entry, &parent);
		if (r < 0)
			return explain(r, "/proc cannot be read: %s", strerror(-r));
		if (r == 0)
			continue;
		r = tree_is_self(tree, &parent) && tree->leave_out ? tree->leave_out(entry->pid) : 0;
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

int tree_walk(struct tree *tree)
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
