/* SPDX-License-Identifier: MIT */
/* What of a confinement has failed, in words: of several the one that it was, with its names. */
#include "confine/work.h"

#include <stdio.h>

static const char *const setting_names[] = {
	[PIDRING_SETTING_LIMIT] = "limit",
	[PIDRING_SETTING_NICE] = "niceness",
	[PIDRING_SETTING_SCHEDULER] = "scheduler",
	[PIDRING_SETTING_AFFINITY] = "affinity",
	[PIDRING_SETTING_IO_PRIORITY] = "I/O priority",
	[PIDRING_SETTING_OOM_SCORE] = "OOM score",
	[PIDRING_SETTING_TIMER_SLACK] = "timer slack",
};

static void describe_setting(const struct confinement *confinement, size_t index, char *buffer, size_t size)
{
	const struct confine_setting *setting = &confinement->settings[index];

	if (setting->kind == PIDRING_SETTING_LIMIT)
		snprintf(buffer, size, "settings[%zu] (limit %d: %llu, at most %llu)", index, setting->number,
		         (unsigned long long)setting->value, (unsigned long long)setting->maximum);
	else
		snprintf(buffer, size, "settings[%zu] (%s, number %d)", index, setting_names[setting->kind],
		         setting->number);
}

static void describe_mount(const struct confinement *confinement, size_t index, char *buffer, size_t size)
{
	const struct confine_mount *mount = &confinement->mounts[index];

	if (mount->type)
		snprintf(buffer, size, "mount of a new %s on '%s'", mount->type, mount->target);
	else
		snprintf(buffer, size, "mount of '%s' on '%s'", mount->source, mount->target);
}

/* The index comes from a child: it is believed only as far as there is such a one. */
void confine_describe(const struct confinement *confinement, enum pidring_step step, size_t culprit,
                      char *buffer, size_t size)
{
	if (step == PIDRING_STEP_SETTING && culprit < confinement->setting_count)
		describe_setting(confinement, culprit, buffer, size);
	else if (step == PIDRING_STEP_MOUNT && culprit < confinement->mount_count)
		describe_mount(confinement, culprit, buffer, size);
	else if (step == PIDRING_STEP_NAMESPACE && culprit < confinement->join_count)
		snprintf(buffer, size, "namespace behind descriptor %d",
		         confinement->joins[culprit].descriptor);
	else if (step == PIDRING_STEP_ROOT && confinement->root)
		snprintf(buffer, size, "root '%s'", confinement->root);
	else if (step == PIDRING_STEP_HOST_NAME)
		snprintf(buffer, size, "host name '%s'", confinement->host_name);
	else if (step == PIDRING_STEP_CAPABILITIES)
		snprintf(buffer, size,
		         "capabilities (one to keep is missing, or there is no CAP_SETPCAP to lower the "
		         "bounding set, which takes no_new_privileges then)");
	else if (step == PIDRING_STEP_USER)
		snprintf(buffer, size, "user %u and group %u", confinement->user, confinement->group);
}
