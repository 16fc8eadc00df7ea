/* SPDX-License-Identifier: MIT */
/* A confinement with something of everything: see confined_place.h. */
#define _GNU_SOURCE
#include "confined_place.h"

void make_place(struct place *place, int number)
{
	*place = (struct place){
		.mount = { .target = "/mnt", .type = "tmpfs", .data = "size=64k" },
		.setting = { .kind = PIDRING_SETTING_NICE, .number = number % 19 },
		.confinement = { .size = sizeof(place->confinement),
		                 .namespaces = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID |
		                               PIDRING_NAMESPACE_UTS,
		                 .private_proc = true,
		                 .set_user = true,
		                 .user = (uid_t)(1000 + number),
		                 .keep_capabilities = "cap_kill" },
	};
	snprintf(place->host, sizeof(place->host), "place-%d", number);
	place->confinement.mounts = &place->mount;
	place->confinement.mount_count = 1;
	place->confinement.settings = &place->setting;
	place->confinement.setting_count = 1;
	place->confinement.host_name = place->host;
}

const char *const *const place_questions =
	QUESTIONS("pid", "host", "niceness", "list", "/mnt", "status", "Uid", "status", "CapEff");

const char *place_text(int number, char *text, size_t size)
{
	int user = 1000 + number;

	snprintf(text, size,
	         "pid=1\nhost=place-%d\nniceness=%d\n/mnt=\nUid=%d %d %d %d\nCapEff=0000000000000020\n",
	         number, number % 19, user, user, user, user);
	return text;
}
