/* SPDX-License-Identifier: MIT */
/*
 * Start method `fork`: a function, in a copy of the caller.
 *
 *   CLONE  clone3 for a single-threaded caller. A bare clone3 is not fork(): libc's copy of the thread id
 * would stay the parent's, and the robust futex list would be empty; both are repaired. libc's locks need no
 * repair, as nobody else could hold them. FORK   libc's fork() for a threaded caller, whose other threads may
 * hold the locks of malloc and stdio (gated.c).
 */
#include "birth/birth.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <unistd.h>

/* PR_GET_TID_ADDRESS needs CONFIG_CHECKPOINT_RESTORE: without it libc's fork() it is. */
int birth_find_repairs(struct birth_repairs *ret_repairs)
{
	int r = sys_thread_id_address(&ret_repairs->thread_id);

	if (r < 0)
		return r;
	return sys_get_robust_list(&ret_repairs->robust_list, &ret_repairs->robust_list_length);
}

void birth_repair(const struct birth_repairs *repairs)
{
	sys_set_robust_list(repairs->robust_list, repairs->robust_list_length);
}

static int clone_function(const struct birth_paths *paths, const struct birth_function *function,
                          const struct birth_repairs *repairs, struct newborn *ret_newborn)
{
	int pidfd = -1;
	long pid = birth_clone_bare(paths, function->plan, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
	                            repairs->thread_id, &pidfd);

	if (pid < 0)
		return (int)pid;
	if (pid == 0) {
		birth_repair(repairs);
		if (function->slot)
			birth_fork_forget();
		function->child(function->argument);
		_exit(126);
	}
	*ret_newborn = (struct newborn){ (pid_t)pid, pidfd, PIDRING_BIRTH_CLONE, 0 };
	return 0;
}

/* With the fork lock held. */
static int fork_function(const struct birth_paths *paths, const struct birth_function *function,
                         struct newborn *ret_newborn)
{
	pid_t pid = 0;
	int pidfd = -1;
	int r = birth_fork(function->child, function->argument, paths->self_pidfd, &pid, &pidfd);

	if (r == 0)
		*ret_newborn = (struct newborn){ pid, pidfd, PIDRING_BIRTH_FORK, 0 };
	else
		ret_newborn->gone = pid;
	return r;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/* ThreadSanitizer's runtime has a thread of its own, of which libc does not know, and must see every fork. */
#ifdef __SANITIZE_THREAD__
static const bool may_clone = false;
#else
static const bool may_clone = true;
#endif

static bool is_single_threaded(void)
{
	return may_clone && __libc_single_threaded;
}

/* libc never says so again once there was a second thread. The kernel counts those that are there: /proc/PID/task has a
 * link for each, and two of its own. */
bool birth_is_alone(void)
{
	struct stat status;

	if (is_single_threaded())
		return true;
	if (!may_clone || stat("/proc/self/task", &status) < 0)
		return false;
	return status.st_nlink == 2 + 1 + (keeper_is_there() ? 1U : 0U);
}

bool birth_function_clones(const struct birth_paths *paths)
{
	struct birth_repairs repairs;

	return paths->clone3 && is_single_threaded() && birth_find_repairs(&repairs) == 0;
}

/* libc's fork() makes no namespaces. */
static bool is_cloned(const struct birth_paths *paths, const struct birth_function *function,
                      struct birth_repairs *ret_repairs)
{
	bool wanted = !function->libc_fork && (paths->clone3 || birth_place_flags(function->plan));

	return wanted && is_single_threaded() && birth_find_repairs(ret_repairs) == 0;
}

static int bear(const struct birth_paths *paths, const struct birth_function *function,
                const struct birth_repairs *repairs, struct newborn *ret_newborn)
{
	if (repairs)
		return clone_function(paths, function, repairs, ret_newborn);
	if (birth_place_flags(function->plan))
		return birth_sibling(paths, function, ret_newborn);
	return fork_function(paths, function, ret_newborn);
}

int birth_function(const struct birth_paths *paths, const struct birth_function *function,
                   struct newborn *ret_newborn)
{
	struct birth_repairs repairs;
	int writer = -1, r = 0;
	bool cloned = is_cloned(paths, function, &repairs);

	if (cloned && !function->slot)
		return clone_function(paths, function, &repairs, ret_newborn);
	birth_fork_lock();
	if (function->slot)
		r = birth_report_open(function->slot, &writer);
	if (r == 0)
		r = bear(paths, function, cloned ? &repairs : NULL, ret_newborn);
	if (writer >= 0)
		close(writer);
	if (r < 0 && function->slot)
		birth_program_release(function->slot);
	birth_fork_unlock();
	return r;
}
