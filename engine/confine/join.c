/* SPDX-License-Identifier: MIT */
/* Existing namespaces that a child joins. */
#include "confine/confinement.h"

#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* In the order of PIDRING_NAMESPACE_…'s bits. */
static const int types[] = { CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,
	                     CLONE_NEWUTS,  CLONE_NEWIPC, CLONE_NEWCGROUP, CLONE_NEWTIME };

uint64_t join_types(unsigned namespaces)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
		if (namespaces >> i & 1)
			found |= (unsigned)types[i];
	return found;
}

int join_read(struct confine_join *ret_join, const struct pidring_join *given)
{
	int type = (int)join_types(given->namespaces);

	if (given->namespaces == 0)
		type = ioctl(given->descriptor, NS_GET_NSTYPE);
	if (type < 0 && errno == EBADF)
		return explain(-EBADF, "joins: descriptor %d is not open", given->descriptor);
	/* Nothing but a pidfd can be asked to send nothing. */
	if (given->namespaces != 0 && sys_pidfd_send_signal(given->descriptor, 0) == -EBADF)
		return explain(-EINVAL, "joins: descriptor %d is no pidfd, but `namespaces` is set",
		               given->descriptor);
	if (type <= 0)
		return explain(-EINVAL, "joins: descriptor %d is no namespace", given->descriptor);
	*ret_join = (struct confine_join){ given->descriptor, type };
	return 0;
}

/*
 * setns(2) into a PID namespace concerns the children that come: so the thread that creates the child enters, and comes
 * back. That it may come back is tried before.
 */
int join_enter_pid(const struct confinement *confinement, int *ret_own)
{
	int own = open("/proc/thread-self/ns/pid_for_children", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return -errno;
	int r = setns(own, CLONE_NEWPID) < 0 ? -errno : 0;
	if (r == 0 && setns(confinement->pid_join.descriptor, CLONE_NEWPID) < 0)
		r = -errno;
	if (r < 0)
		close(own);
	else
		*ret_own = own;
	return r;
}

void join_leave_pid(int own)
{
	/* To go on would be to create all that come later in a stranger's namespace. */
	if (setns(own, CLONE_NEWPID) < 0)
		abort();
	close(own);
}
