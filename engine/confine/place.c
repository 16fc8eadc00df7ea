/* SPDX-License-Identifier: MIT */
/*
 * In the child: the namespaces that it joins, and the files that it sees.
 *
 * Mounts are made where the old root can still be seen, held by descriptors, and put in place in the new root, so that
 * no link in it leads out (open_tree, fsmount, move_mount: Linux 5.2; mount_setattr: 5.12).
 */
#include "confine/work.h"

#include "sys/raw.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* Who lives in a namespace that is joined may have power over all there: not over memory and program of one who is just
 * coming in. An exec undoes it. */
long confine_hide(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;
	bool joins = confinement->join_count > 0 || confinement->joins_pid;

	/* The files of its ids would be root's. */
	if (!joins || confinement->new_user)
		return 0;
	return raw_call5(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

long confine_await_ids(struct confine_work *work)
{
	struct pollfd items[2] = { { .fd = work->gate, .events = POLLIN },
		                   { .fd = work->parent_pidfd, .events = POLLIN } };

	if (work->gate < 0)
		return 0;
	while (raw_call5(SYS_ppoll, (long)items, 2, 0, 0, 0) == -EINTR)
		;
	return items[0].revents & POLLIN ? 0 : -ECANCELED;
}

long confine_join(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;
	long r = 0;

	for (size_t i = 0; i < confinement->join_count && r == 0; i++) {
		work->culprit = i;
		r = raw_call2(SYS_setns, confinement->joins[i].descriptor, confinement->joins[i].type);
	}
	if (r == 0 && work->unshares_cgroup)
		r = raw_call1(SYS_unshare, CLONE_NEWCGROUP);
	/* It is entered by the exec (Linux 6.1): so its offsets can still be set. */
	if (r == 0 && confinement->new_time)
		r = raw_call1(SYS_unshare, CLONE_NEWTIME);
	return r;
}

static bool has_own_mounts(const struct confine_work *work)
{
	return work->confinement->clone_flags & CLONE_NEWNS;
}

static long configure(long context, const struct confine_mount *mount)
{
	long r = mount->source ? raw_call5(SYS_fsconfig, context, FSCONFIG_SET_STRING, (long)"source",
	                                   (long)mount->source, 0)
	                       : 0;

	for (size_t i = 0; i < mount->parameter_count && r == 0; i++) {
		const struct confine_parameter *parameter = &mount->parameters[i];
		r = raw_call5(SYS_fsconfig, context,
		              parameter->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
		              (long)parameter->key, (long)parameter->value, 0);
	}
	return r < 0 ? r : raw_call5(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
}

static long make_file_system(const struct confine_mount *mount)
{
	long context = raw_call2(SYS_fsopen, (long)mount->type, FSOPEN_CLOEXEC);

	if (context < 0)
		return context;
	long r = configure(context, mount);
	if (r == 0)
		r = raw_call3(SYS_fsmount, context, FSMOUNT_CLOEXEC, (long)mount->attributes);
	raw_call1(SYS_close, context);
	return r;
}

static long make_bind(const struct confine_mount *mount)
{
	const long recursive = mount->recursive ? AT_RECURSIVE : 0;
	struct mount_attr attributes = { .attr_set = mount->attributes };
	long tree = raw_call3(SYS_open_tree, AT_FDCWD, (long)mount->source,
	                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);

	if (tree < 0 || mount->attributes == 0)
		return tree;
	long r = raw_call5(SYS_mount_setattr, tree, (long)"", AT_EMPTY_PATH | recursive, (long)&attributes,
	                   sizeof attributes);
	if (r < 0)
		raw_call1(SYS_close, tree);
	return r < 0 ? r : tree;
}

/* Nothing of what is mounted from now on goes back to where it came from. */
long confine_make_mounts(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;
	long r = has_own_mounts(work) ? raw_call5(SYS_mount, 0, (long)"/", 0, MS_REC | MS_PRIVATE, 0) : 0;

	for (size_t i = 0; i < confinement->mount_count && r >= 0; i++) {
		const struct confine_mount *mount = &confinement->mounts[i];

		work->culprit = i;
		r = mount->type ? make_file_system(mount) : make_bind(mount);
		work->descriptors[i] = (int)r;
	}
	return r < 0 ? r : 0;
}

/* pivot_root(2) wants a mount, and puts the old root above the new one if both are the same directory. */
static long pivot(const char *root)
{
	long r = raw_call5(SYS_mount, (long)root, (long)root, 0, MS_BIND | MS_REC, 0);

	if (r == 0)
		r = raw_call1(SYS_chdir, (long)root);
	if (r == 0)
		r = raw_call2(SYS_pivot_root, (long)".", (long)".");
	return r < 0 ? r : raw_call2(SYS_umount2, (long)".", MNT_DETACH);
}

long confine_root(struct confine_work *work)
{
	const char *root = work->confinement->root;

	if (!root)
		return 0;
	/* It is that already, and there would be nothing to pivot. */
	if (root[0] == '/' && !root[1])
		return raw_call1(SYS_chdir, (long)root);
	long r = has_own_mounts(work) ? pivot(root) : raw_call1(SYS_chroot, (long)root);
	return r < 0 ? r : raw_call1(SYS_chdir, (long)"/");
}

/* If something is there already, which is not opened, the move will say whether it fits. */
static long make_target(const char *path, int tree)
{
	struct stat status;
	long r = raw_call2(SYS_fstat, tree, (long)&status);

	if (r < 0)
		return r;
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): fstat has written it */
	r = S_ISDIR(status.st_mode) ? raw_call3(SYS_mkdirat, AT_FDCWD, (long)path, 0755)
	                            : raw_call4(SYS_mknodat, AT_FDCWD, (long)path, S_IFREG | 0644, 0);
	return r == -EEXIST || r == -EROFS ? 0 : r;
}

long confine_place_mounts(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	for (size_t i = 0; i < confinement->mount_count; i++) {
		const struct confine_mount *mount = &confinement->mounts[i];
		int tree = work->descriptors[i];

		work->culprit = i;
		long r = mount->make_target ? make_target(mount->target, tree) : 0;

		if (r == 0)
			r = raw_call5(SYS_move_mount, tree, (long)"", AT_FDCWD, (long)mount->target,
			              MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
		if (r < 0)
			return r;
		raw_call1(SYS_close, tree);
	}
	return 0;
}

long confine_read_only_root(struct confine_work *work)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	if (!work->confinement->read_only_root)
		return 0;
	return raw_call5(SYS_mount_setattr, AT_FDCWD, (long)"/", 0, (long)&attributes, sizeof attributes);
}

long confine_host_name(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	if (!confinement->host_name)
		return 0;
	return raw_call2(SYS_sethostname, (long)confinement->host_name, (long)confinement->host_name_length);
}
