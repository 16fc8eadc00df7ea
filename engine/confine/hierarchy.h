/* SPDX-License-Identifier: MIT */
/* Where the control groups of version 2 are mounted, and where in there this process is. */
#ifndef PIDRING_CONFINE_HIERARCHY_H
#define PIDRING_CONFINE_HIERARCHY_H

/* A control group that is there. */
struct hierarchy_place {
	int directory; /* O_PATH */
	char *below;   /* its path below the mount: "/", or without a slash at its end */
};

/* Opens the group at `parent`, a path below the mount, or if that is NULL the one that this process is in. Explains what is
 * wrong. -ENOSYS: no such hierarchy is mounted. -ENOENT: it is not to be seen from here. */
int hierarchy_open(const char *parent, struct hierarchy_place *ret_place);
void hierarchy_close(struct hierarchy_place *place);

#endif
