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
	uid_t users[3] = { 0 };
	gid_t groups[3] = { 0 };
	uint32_t capabilities[6];

	getresuid(&users[0], &users[1], &users[2]);
	getresgid(&groups[0], &groups[1], &groups[2]);
	sys_get_capabilities(capabilities);
	*ret_credentials = (struct credentials){ {
		users[0],
		users[1],
		users[2],
		groups[0],
		groups[1],
		groups[2],
		/* An impossible one changes nothing, and the present one is returned. */
		(uint64_t)setfsuid((uid_t)-1),
		(uint64_t)setfsgid((gid_t)-1),
		fingerprint_groups(),
		capabilities[0],
		capabilities[1],
		capabilities[2],
		capabilities[3],
		capabilities[4],
		capabilities[5],
		(uint64_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
		(uint64_t)prctl(PR_GET_SECCOMP, 0, 0, 0, 0),
		(uint64_t)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0),
		(uint64_t)prctl(PR_GET_DUMPABLE, 0, 0, 0, 0),
		(uint64_t)getsid(0),
	} };
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
	return memcmp(a->values, b->values, sizeof a->values) == 0;
}
