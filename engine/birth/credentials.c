/* SPDX-License-Identifier: MIT */
#include "birth/credentials.h"

#include "fingerprint.h"
#include "sys/sys.h"

#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static uint64_t fingerprint_groups(void)
{
	gid_t groups[256];
	int count = getgroups((int)(sizeof groups / sizeof groups[0]), groups);
	uint64_t fingerprint = FINGERPRINT_EMPTY;

	/* More than that: their number must do. */
	if (count < 0)
		return (uint64_t)getgroups(0, NULL);
	for (int i = 0; i < count; i++)
		fingerprint = fingerprint_add(fingerprint, groups[i]);
	return fingerprint;
}

void credentials_read(struct credentials *ret_credentials)
{
	/* Padding, too: it is compared as bytes. */
	memset(ret_credentials, 0, sizeof *ret_credentials);
	uid_t *users = ret_credentials->users;
	gid_t *groups = ret_credentials->groups;

	getresuid(&users[0], &users[1], &users[2]);
	getresgid(&groups[0], &groups[1], &groups[2]);
	ret_credentials->supplementary = fingerprint_groups();
	sys_get_capabilities(ret_credentials->capabilities);
	ret_credentials->no_new_privileges = (uint32_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	ret_credentials->seccomp_mode = (uint32_t)prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
	ret_credentials->secure_bits = (uint32_t)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	ret_credentials->session = getsid(0);
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}
