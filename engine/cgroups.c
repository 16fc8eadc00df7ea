/* SPDX-License-Identifier: MIT */
/* Control groups as the caller has them: made, asked, ended, freed. */
#include "clock.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "household.h"
#include "options.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* All that this process knows, so that a fork can close what is open of them. */
static LIST_HEAD(, pidring_cgroup) all = LIST_HEAD_INITIALIZER(all);

/* --- making --- */

static bool is_below(const struct pidring_cgroup *cgroup, const struct pidring_cgroup *above)
{
	size_t length = strlen(above->path);

	return strncmp(cgroup->path, above->path, length) == 0 && cgroup->path[length] == '/';
}

/* The longest of the paths that it is below is the nearest. */
static void find_above(struct pidring_cgroup *cgroup)
{
	struct pidring_cgroup *other;

	LIST_FOREACH(other, &all, family_link)
	{
		if (other->generation == family.generation && is_below(cgroup, other) &&
		    (!cgroup->above || is_below(other, cgroup->above)))
			cgroup->above = other;
	}
	if (cgroup->above)
		cgroup_reference(cgroup->above);
}

/* With the lock held: a fork that comes later finds every descriptor. */
static int make(struct pidring_cgroup **ret_cgroup, struct pidring *engine,
                const struct pidring_cgroup_options *options)
{
	struct pidring_cgroup *cgroup;
	int r = cgroup_make(&cgroup, options->parent, options->name);

	if (r < 0)
		return r;
	cgroup->generation = family.generation;
	cgroup->user_data = options->user_data;
	cgroup->settles = INT64_MAX;
	find_above(cgroup);
	r = household_watch(engine, cgroup->events, EPOLLPRI, cgroup);
	if (r < 0) {
		cgroup_remove(cgroup);
		cgroup_unreference(cgroup);
		return explain(r, "a control group cannot be watched: %s", strerror(-r));
	}
	LIST_INSERT_HEAD(&all, cgroup, family_link);
	TAILQ_INSERT_TAIL(&engine->household.cgroups, cgroup, link);
	cgroup->engine = engine;
	/* A new one is readable until it has been read. */
	cgroup_look(cgroup, false);
	*ret_cgroup = cgroup;
	return 0;
}

/* With the lock held. */
static void let_go(struct pidring_cgroup *cgroup)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the lists have no NULL in them */
	if (cgroup->engine) {
		cgroup_drop_event(cgroup);
		household_unwatch(cgroup->engine, cgroup->events);
		TAILQ_REMOVE(&cgroup->engine->household.cgroups, cgroup, link);
		cgroup->engine = NULL;
	}
	LIST_REMOVE(cgroup, family_link);
	cgroup_close(cgroup);
	cgroup_unreference(cgroup);
}

/* Who is written into this file is in the group. */
static bool lets_in(const char *name)
{
	return strcmp(name, "cgroup.procs") == 0 || strcmp(name, "cgroup.threads") == 0;
}

/* With the lock held, but for the writing: what a controller does then may take its time, and the group may be freed. Whoever is
 * written into it enters by this call. */
static int write_unlocked(struct pidring_cgroup *cgroup, const char *name, const char *value)
{
	cgroup_reference(cgroup);
	cgroup_entry_begins(cgroup);
	family_leave();
	int r = cgroup_write(cgroup, name, value);
	family_enter();
	cgroup_entry_ended(cgroup, r == 0 && lets_in(name));
	cgroup_unreference(cgroup);
	return r;
}

static int write_files(struct pidring_cgroup *cgroup, const struct pidring_cgroup_options *options)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < options->file_count; i++)
		r = write_unlocked(cgroup, options->files[i].name, options->files[i].value);
	return r;
}

int pidring_cgroup_new(struct pidring_cgroup **ret_cgroup, struct pidring *engine,
                       const struct pidring_cgroup_options *options)
{
	struct pidring_cgroup_options read;
	struct pidring_cgroup *cgroup = NULL;

	if (!ret_cgroup || !engine)
		return explain(-EINVAL, "pidring_cgroup_new: %s is NULL",
		               ret_cgroup ? "engine" : "ret_cgroup");
	int r = cgroup_options_read(&read, options);
	if (r < 0)
		return r;
	family_enter();
	r = make(&cgroup, engine, &read);
	if (r == 0)
		r = write_files(cgroup, &read);
	if (r == 0) {
		*ret_cgroup = cgroup;
	} else if (cgroup) {
		cgroup_remove(cgroup);
		let_go(cgroup);
	}
	family_leave();
	return r;
}

/* --- asking and ending --- */

static int explain_no_group(const char *function)
{
	return explain(-EINVAL, "%s: cgroup is NULL", function);
}

/* With the lock held. */
static int check_ours(const struct pidring_cgroup *cgroup)
{
	if (cgroup->generation == family.generation)
		return 0;
	return explain(-ECHILD, "the control group '%s' was made by another process", cgroup->path);
}

/* Takes the lock if it works. */
static int enter(const struct pidring_cgroup *cgroup, const char *function)
{
	if (!cgroup)
		return explain_no_group(function);
	family_enter();
	int r = check_ours(cgroup);
	if (r < 0)
		family_leave();
	return r;
}

const char *pidring_cgroup_path(struct pidring_cgroup *cgroup)
{
	return cgroup ? cgroup->path : NULL;
}

int pidring_cgroup_write(struct pidring_cgroup *cgroup, const char *name, const char *value)
{
	int r = enter(cgroup, "pidring_cgroup_write");

	if (r < 0)
		return r;
	r = write_unlocked(cgroup, name, value);
	family_leave();
	return r;
}

ssize_t pidring_cgroup_read(struct pidring_cgroup *cgroup, const char *name, char *buffer, size_t size)
{
	int r = enter(cgroup, "pidring_cgroup_read");

	if (r < 0)
		return r;
	family_leave();
	return cgroup_read(cgroup, name, buffer, size);
}

int pidring_cgroup_is_populated(struct pidring_cgroup *cgroup)
{
	int r = enter(cgroup, "pidring_cgroup_is_populated");

	if (r < 0)
		return r;
	r = cgroup_is_populated(cgroup);
	family_leave();
	return r;
}

int pidring_cgroup_processes(struct pidring_cgroup *cgroup, pid_t *ret_pids, size_t capacity)
{
	int r = enter(cgroup, "pidring_cgroup_processes");

	if (r < 0)
		return r;
	if (!ret_pids && capacity > 0)
		r = explain(-EINVAL, "pidring_cgroup_processes: ret_pids is NULL, but capacity is %zu",
		            capacity);
	else
		r = cgroup_processes(cgroup, ret_pids, capacity);
	family_leave();
	return r;
}

int pidring_cgroup_kill(struct pidring_cgroup *cgroup)
{
	int r = enter(cgroup, "pidring_cgroup_kill");

	if (r < 0)
		return r;
	r = cgroup_kill(cgroup);
	family_leave();
	return r;
}

/* A copy, as the group may be freed meanwhile. */
static int signal_unlocked(struct pidring_cgroup *cgroup, int signal_number, struct cgroup_reached *reached)
{
	/* Those of who starts others all the time would never end. */
	enum { PASSES = 16 };
	int cancelability;
	int directory = watch_above_streams(fcntl(cgroup->directory, F_DUPFD_CLOEXEC, 0));

	if (directory < 0)
		return directory;
	family_leave();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	int r = cgroup_signal(directory, signal_number, PASSES, reached);
	close(directory);
	pthread_setcancelstate(cancelability, NULL);
	family_enter();
	return r;
}

int cgroup_signal_all(struct pidring_cgroup *cgroup, int signal_number, struct cgroup_reached *reached)
{
	cgroup_reference(cgroup);
	int r = signal_unlocked(cgroup, signal_number, reached);
	cgroup->threaded |= r == -EOPNOTSUPP;
	if (r < 0)
		cgroup_explain_signal(cgroup, r);
	cgroup_unreference(cgroup);
	return r < 0 ? r : reached->count;
}

int pidring_cgroup_signal(struct pidring_cgroup *cgroup, int signal_number)
{
	int r = enter(cgroup, "pidring_cgroup_signal");

	if (r < 0)
		return r;
	if (signal_number < 0 || signal_number > SYS_SIGNALS)
		r = explain(-EINVAL, "there is no signal %d", signal_number);
	else
		r = cgroup_signal_all(cgroup, signal_number, &(struct cgroup_reached){ 0 });
	family_leave();
	return r;
}

int pidring_cgroup_freeze(struct pidring_cgroup *cgroup, bool freeze)
{
	int r = enter(cgroup, "pidring_cgroup_freeze");

	if (r < 0)
		return r;
	r = cgroup_freeze(cgroup, freeze);
	family_leave();
	return r;
}

/* --- the end --- */

/* Just after its last member has ended, the kernel may still find a group busy that it calls empty: then a moment is enough. */
static int remove_patiently(struct pidring_cgroup *cgroup)
{
	enum { ATTEMPTS = 200 };
	int r = cgroup_remove(cgroup);

	for (int i = 0; i < ATTEMPTS && r == -EBUSY && cgroup_is_populated(cgroup) == 0; i++) {
		family_leave();
		watch_pause();
		family_enter();
		r = cgroup_remove(cgroup);
	}
	return r;
}

int pidring_cgroup_free(struct pidring_cgroup *cgroup)
{
	if (!cgroup)
		return 0;
	family_enter();
	int r = check_ours(cgroup) == 0 ? remove_patiently(cgroup) : 0;
	if (r == 0)
		let_go(cgroup);
	else
		explain(r, "the control group '%s' cannot be removed: %s", cgroup->path,
		        r == -EBUSY ? "somebody is in it" : strerror(-r));
	family_leave();
	return r;
}

/* --- forks --- */

void cgroups_after_fork(void)
{
	struct pidring_cgroup *cgroup;

	LIST_FOREACH(cgroup, &all, family_link)
	{
		sys_close(&cgroup->events);
		if (!family_in_birth)
			sys_close(&cgroup->directory);
	}
}

/* What the plan has closed or replaced is not to be closed again. */
static void leave(struct pidring_cgroup *cgroup, const struct child_plan *plan)
{
	if (!plan->keep_descriptors || child_is_target(plan, cgroup->directory))
		cgroup->directory = -1;
	sys_close(&cgroup->directory);
}

void cgroups_leave(const struct child_plan *plan)
{
	struct pidring_cgroup *cgroup;

	LIST_FOREACH(cgroup, &all, family_link)
	leave(cgroup, plan);
}

void cgroups_forget(void)
{
	struct pidring_cgroup *cgroup;

	LIST_FOREACH(cgroup, &all, family_link)
	cgroup->directory = cgroup->events = -1;
}
