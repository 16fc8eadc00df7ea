/* SPDX-License-Identifier: MIT */
/* In the child: limits, scheduling and the like. */
#include "confine/work.h"

#include "sys/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* linux/ioprio.h, which Debian 12's headers have only in part */
enum { IO_PRIORITY_WHO_PROCESS = 1, IO_PRIORITY_CLASS_SHIFT = 13 };

static long write_file(const char *path, const char *text, size_t length)
{
	long file = raw_call4(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0);

	if (file < 0)
		return file;
	long r = raw_call3(SYS_write, file, (long)text, (long)length);
	raw_call1(SYS_close, file);
	return r < 0 ? r : 0;
}

static long set_limit(const struct confine_setting *setting)
{
	struct rlimit limit = { .rlim_cur = setting->value, .rlim_max = setting->maximum };

	return raw_call4(SYS_prlimit64, 0, setting->number, (long)&limit, 0);
}

static long set_scheduler(const struct confine_setting *setting)
{
	struct sched_param parameter = { .sched_priority = (int)setting->value };

	return raw_call3(SYS_sched_setscheduler, 0, setting->number, (long)&parameter);
}

static long set(const struct confine_setting *setting)
{
	switch (setting->kind) {
	case PIDRING_SETTING_LIMIT:
		return set_limit(setting);
	case PIDRING_SETTING_NICE:
		return raw_call3(SYS_setpriority, PRIO_PROCESS, 0, setting->number);
	case PIDRING_SETTING_SCHEDULER:
		return set_scheduler(setting);
	case PIDRING_SETTING_AFFINITY:
		return raw_call3(SYS_sched_setaffinity, 0, (long)setting->mask_length, (long)setting->mask);
	case PIDRING_SETTING_IO_PRIORITY:
		return raw_call3(SYS_ioprio_set, IO_PRIORITY_WHO_PROCESS, 0,
		                 setting->number << IO_PRIORITY_CLASS_SHIFT | (long)setting->value);
	case PIDRING_SETTING_OOM_SCORE:
		return write_file("/proc/self/oom_score_adj", setting->text, setting->text_length);
	case PIDRING_SETTING_TIMER_SLACK:
		return raw_call5(SYS_prctl, PR_SET_TIMERSLACK, (long)setting->value, 0, 0, 0);
	}
	return -EINVAL;
}

static long set_all(struct confine_work *work, bool (*is_meant)(enum pidring_setting_kind kind))
{
	const struct confinement *confinement = work->confinement;

	for (size_t i = 0; i < confinement->setting_count; i++) {
		const struct confine_setting *setting = &confinement->settings[i];

		if (!is_meant(setting->kind))
			continue;
		work->culprit = i;
		long r = set(setting);
		if (setting->report)
			work->results[i] = (int)r;
		else if (r < 0)
			return r;
	}
	return 0;
}

static bool is_oom_score(enum pidring_setting_kind kind)
{
	return kind == PIDRING_SETTING_OOM_SCORE;
}

static bool is_limit(enum pidring_setting_kind kind)
{
	return kind == PIDRING_SETTING_LIMIT;
}

static bool is_other(enum pidring_setting_kind kind)
{
	return !is_oom_score(kind) && !is_limit(kind);
}

/* While its files in proc are its own, and in a table that is its own (confinement.h, own_memory). */
long confine_oom_scores(struct confine_work *work)
{
	return set_all(work, is_oom_score);
}

long confine_settings(struct confine_work *work)
{
	return set_all(work, is_other);
}

/* When no more descriptors are needed: they may be limited. */
long confine_limits(struct confine_work *work)
{
	return set_all(work, is_limit);
}

long confine_time(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	/* It is none of those that were joined. */
	work->culprit = confinement->join_count;
	if (confinement->time_offsets_length == 0)
		return 0;
	return write_file("/proc/self/timens_offsets", confinement->time_offsets,
	                  confinement->time_offsets_length);
}
