/* SPDX-License-Identifier: MIT */
/* What a server must have in common with its application, so that its children are not mightier than that. */
#ifndef PIDRING_BIRTH_CREDENTIALS_H
#define PIDRING_BIRTH_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct credentials {
	uid_t users[3];
	gid_t groups[3];
	uint64_t supplementary; /* a fingerprint of the other groups */
	uint32_t capabilities[6];
	int file_user, file_group;
	uint32_t no_new_privileges, seccomp_mode, secure_bits, dumpable;
	pid_t session;
};

void credentials_read(struct credentials *ret_credentials);
bool credentials_equal(const struct credentials *a, const struct credentials *b);

#endif
