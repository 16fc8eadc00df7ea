/* SPDX-License-Identifier: MIT */
#include "birth/credentials.h"

#include "fingerprint.h"
#include "sys/sys.h"

#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

static uint64_t fingerprint_groups(void)
{
	gid_t few[64], *groups = few;
	int count = getgroups((int)(sizeof few / sizeof few[0]), few);
	uint64_t fingerprint = FINGERPRINT_EMPTY;

	if (count < 0) {
		/* NGROUPS_MAX. */
		groups = calloc(65536, sizeof *groups);
		count = groups ? getgroups(65536, groups) : -1;
	}
	for (int i = 0; i < count; i++)
		fingerprint = fingerprint_add(fingerprint, groups[i]);
	if (groups != few)
		free(groups);
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
	ret_credentials->dumpable = (uint32_t)prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	/* An impossible one changes nothing, and the present one is returned. */
	ret_credentials->file_user = setfsuid((uid_t)-1);
	ret_credentials->file_group = setfsgid((gid_t)-1);
	ret_credentials->session = getsid(0);
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}
