/* SPDX-License-Identifier: MIT */
#include "init_manner.h"

#include <stddef.h>
#include <string.h>

#include "init_say.h"

/* dockerd asks its init for "--version" and reads what stands between "tini version " and " - ", whatever the init is
 * called. */
#define VERSION_FOR_DOCKER "tini version "

static const struct init_manner manners[] = {
	[INIT_OWN_MANNER] = { .prefix = "pidring-init: ",
	                      .refusal_prefix = "pidring-init: ",
	                      .verbosity = INIT_WARNING,
	                      .verbose_step = 1,
	                      .own_error = 125,
	                      .target = INIT_TO_CHILD,
	                      .place = INIT_PLACE_GROUP,
	                      .ending = INIT_END_STOP,
	                      .subreaper = true,
	                      .dies_with_init = true,
	                      .follows_stops = true,
	                      .version = VERSION_FOR_DOCKER,
	                      .version_tail = " - pidring-init" },
	[INIT_TINI] = { .prefix = "tini: ",
	                .refusal_prefix = "tini: ",
	                .verbosity = INIT_WARNING,
	                .verbose_step = 1,
	                .own_error = 1,
	                .target = INIT_TO_CHILD,
	                .place = INIT_PLACE_GROUP,
	                .ending = INIT_END_LEAVE,
	                .version = VERSION_FOR_DOCKER,
	                .version_tail = " - pidring-init" },
	[INIT_DUMB_INIT] = { .prefix = "[dumb-init] ",
	                     .refusal_prefix = "dumb-init: ",
	                     .verbosity = INIT_ERROR,
	                     .verbose_step = INIT_DETAIL,
	                     .own_error = 1,
	                     .target = INIT_TO_GROUP,
	                     .place = INIT_PLACE_SESSION,
	                     .ending = INIT_END_SIGNAL,
	                     .suspends = true,
	                     .stop_for_tstp = true,
	                     .version_on_stderr = true,
	                     .version = "dumb-init v",
	                     .version_tail = " (pidring-init)" },
};

const struct init_manner *init_manner(enum init_manner_name name)
{
	return &manners[name];
}

enum init_manner_name init_manner_of(const char *program)
{
	static const struct {
		const char *called;
		enum init_manner_name manner;
	} names[] = {
		{ "tini", INIT_TINI },
		{ "tini-static", INIT_TINI },
		{ "docker-init", INIT_TINI },
		{ "dumb-init", INIT_DUMB_INIT },
	};
	const char *slash = strrchr(program, '/');
	const char *called = slash ? slash + 1 : program;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].called, called) == 0)
			return names[i].manner;
	return INIT_OWN_MANNER;
}
