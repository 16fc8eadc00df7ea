/* SPDX-License-Identifier: MIT */
/*
 * Reaping what pidring has not started, and nothing else.
 *
 * The kernel gives out one zombie at a time, always the first. Who it is:
 *
 *   one of the family's children   is reaped into its object, as by any other look at it
 *   a start's, not published yet   its start reaps it, or publishes it before long
 *   somebody else's                whom this process traces: the tracer's matter
 *   unknown                        a stranger, if it was there when no birth was under way, or only such as are over by
 *                                  now: then he is reaped. Otherwise one that is just being born, perhaps
 *
 * Births are numbered, so that one who was seen first before a certain birth began need not wait for its end, however many follow.
 * Those whom a server clones send no signal at their end until they have become programs, and that only when their
 * start knows them: wait without __WALL does not find them before. Orphans do send it, whatever they were: the kernel
 * says so when it gives them a new parent.
 *
 * If the first may not be reaped he would hide the rest: then all children are looked at one by one.
 */
#include "orphans.h"

#include "children.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "household.h"
#include "proc_table.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* The engine that reaps; NULL: none does. */
static struct pidring *reaper;
static uint64_t births;

void orphanage_init(struct orphanage *orphanage)
{
	*orphanage = (struct orphanage){ .signals = -1 };
	TAILQ_INIT(&orphanage->suspects);
	TAILQ_INIT(&orphanage->ended);
}

/* --- opening and closing --- */

static int check_signal(void)
{
	struct sigaction action;
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	if (sigismember(&mask, SIGCHLD) != 1)
		return explain(-EINVAL, "subreaper is set, but SIGCHLD is not blocked in this thread");
	sigaction(SIGCHLD, NULL, &action);
	if ((!(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN) ||
	    action.sa_flags & SA_NOCLDWAIT)
		return explain(-EINVAL,
		               "subreaper is set, but SIGCHLD is ignored (or SA_NOCLDWAIT is set): the "
		               "kernel reaps all children then");
	return 0;
}

static int open_signals(struct pidring *engine)
{
	struct orphanage *orphanage = &engine->household.orphanage;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	orphanage->signals = watch_above_streams(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	if (orphanage->signals < 0)
		return orphanage->signals;
	return household_watch(engine, orphanage->signals, EPOLLIN, NULL);
}

static int become_subreaper(struct orphanage *orphanage)
{
	if (prctl(PR_GET_CHILD_SUBREAPER, &orphanage->was_subreaper, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int orphans_open(struct pidring *engine)
{
	struct orphanage *orphanage = &engine->household.orphanage;
	int r = check_signal();

	if (r < 0)
		return r;
	if (reaper)
		return explain(-EBUSY, "subreaper is set, but another engine of this process has it");
	r = open_signals(engine);
	if (r == 0)
		r = become_subreaper(orphanage);
	if (r < 0)
		return explain(r, "orphans cannot be waited for: %s", strerror(-r));
	/* Some may be there from before. */
	orphanage->open = orphanage->due = true;
	reaper = engine;
	return 0;
}

static void release(struct orphan_list *list)
{
	while (!TAILQ_EMPTY(list)) {
		struct orphan *orphan = TAILQ_FIRST(list);

		TAILQ_REMOVE(list, orphan, link);
		free(orphan);
	}
}

/* Its descriptor is watched no longer. */
static void close_orphanage(struct pidring *engine)
{
	struct orphanage *orphanage = &engine->household.orphanage;

	sys_close(&orphanage->signals);
	release(&orphanage->suspects);
	release(&orphanage->ended);
	if (reaper == engine)
		reaper = NULL;
}

void orphans_close(struct pidring *engine)
{
	const struct orphanage *orphanage = &engine->household.orphanage;

	if (orphanage->open)
		prctl(PR_SET_CHILD_SUBREAPER, orphanage->was_subreaper, 0, 0, 0);
	close_orphanage(engine);
}

/* A fork is no subreaper (prctl(2)). */
void orphans_after_fork(struct pidring *engine)
{
	close_orphanage(engine);
}

/* --- births --- */

void orphans_birth_begins(struct pidring_process *process)
{
	process->newborn.pid = process->newborn.gone = 0;
	process->birth_number = ++births;
}

static bool is_birth_under_way(uint64_t up_to)
{
	const struct pidring_process *process;

	TAILQ_FOREACH(process, &family.starts, start_link)
	if (process->birth_number != 0 && process->birth_number <= up_to)
		return true;
	return false;
}

static struct orphan *find_suspect(struct orphanage *orphanage, pid_t pid)
{
	struct orphan *orphan;

	TAILQ_FOREACH(orphan, &orphanage->suspects, link)
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the list */
	if (orphan->pid == pid)
		return orphan;
	return NULL;
}

static void forget_suspect(struct orphanage *orphanage, struct orphan *orphan)
{
	TAILQ_REMOVE(&orphanage->suspects, orphan, link);
	free(orphan);
}

static void look_again(void)
{
	if (!reaper || !reaper->household.orphanage.put_off)
		return;
	reaper->household.orphanage.put_off = false;
	reaper->household.orphanage.due = true;
	engine_kick(reaper);
}

static void clear(struct orphanage *orphanage, pid_t pid)
{
	struct orphan *orphan = pid > 0 ? find_suspect(orphanage, pid) : NULL;

	if (orphan)
		forget_suspect(orphanage, orphan);
}

/* Whom it has created. A number that it has set free may be another birth's next time. */
static void clear_suspicion(struct orphanage *orphanage, const struct newborn *newborn)
{
	struct orphan *orphan;

	clear(orphanage, newborn->pid);
	clear(orphanage, newborn->gone);
	if (newborn->gone != NEWBORN_SEVERAL)
		return;
	TAILQ_FOREACH(orphan, &orphanage->suspects, link)
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): likewise */
	orphan->number = births;
}

void orphans_birth_ended(struct pidring_process *process)
{
	process->birth_number = 0;
	if (reaper)
		clear_suspicion(&reaper->household.orphanage, &process->newborn);
	look_again();
}

void orphans_start_ended(void)
{
	look_again();
}

/* --- reaping --- */

static struct pidring_process *find_child(pid_t pid)
{
	struct pidring_process *process;

	TAILQ_FOREACH(process, &family.children, family_link)
	if (process->pid == pid)
		return process;
	return NULL;
}

/* While a birth is under way its newborn is another thread's to write. */
static bool is_newborn(pid_t pid)
{
	const struct pidring_process *process;

	TAILQ_FOREACH(process, &family.starts, start_link)
	if (process->state == PROCESS_STARTING && process->birth_number == 0 && process->newborn.pid == pid)
		return true;
	return false;
}

static struct orphan *suspect(struct orphanage *orphanage, pid_t pid)
{
	struct orphan *orphan = find_suspect(orphanage, pid);

	if (orphan)
		return orphan;
	orphan = calloc(1, sizeof *orphan);
	if (!orphan)
		return NULL;
	orphan->pid = pid;
	orphan->number = births;
	TAILQ_INSERT_TAIL(&orphanage->suspects, orphan, link);
	return orphan;
}

static void reap(struct orphanage *orphanage, struct orphan *orphan)
{
	siginfo_t information = { 0 };

	if (waitid(P_PID, (id_t)orphan->pid, &information, WEXITED | WNOHANG) < 0 ||
	    information.si_pid == 0) {
		/* Somebody else has been faster. */
		forget_suspect(orphanage, orphan);
		return;
	}
	orphan->code =
		information.si_code == CLD_EXITED ? information.si_status & 0xff : -information.si_status;
	TAILQ_REMOVE(&orphanage->suspects, orphan, link);
	TAILQ_INSERT_TAIL(&orphanage->ended, orphan, link);
}

/* One who has ended. 1: he is reaped; 0: he may not be, now; -ENOMEM. */
static int see_to(struct orphanage *orphanage, pid_t pid)
{
	struct pidring_process *process = find_child(pid);

	if (process)
		return process_look(process);
	if (is_newborn(pid)) {
		orphanage->put_off = true;
		return 0;
	}
	struct orphan *orphan = suspect(orphanage, pid);
	if (!orphan)
		return -ENOMEM;
	if (is_birth_under_way(orphan->number)) {
		orphanage->put_off = true;
		return 0;
	}
	reap(orphanage, orphan);
	return 1;
}

/* Those of whom it was not known, and is now. */
static void see_to_suspects(struct orphanage *orphanage)
{
	struct orphan *orphan, *next;

	for (orphan = TAILQ_FIRST(&orphanage->suspects); orphan; orphan = next) {
		next = TAILQ_NEXT(orphan, link);
		if (is_birth_under_way(orphan->number))
			orphanage->put_off = true;
		else if (find_child(orphan->pid) || is_newborn(orphan->pid))
			forget_suspect(orphanage, orphan);
		else
			reap(orphanage, orphan);
	}
}

static bool has_ended(pid_t pid)
{
	siginfo_t information = { 0 };

	return waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       information.si_pid == pid;
}

/* The lock is not held for long. */
enum { BATCH = 256 };

/* Returns how many have been reaped. */
static int see_to_each(struct orphanage *orphanage)
{
	pid_t *pids = NULL;
	size_t count = 0;
	int reaped = 0;
	int r = proc_is_ours() ? children_list(&pids, &count) : -ENOENT;

	for (size_t i = 0; r >= 0 && i < count && reaped < BATCH; i++) {
		r = has_ended(pids[i]) ? see_to(orphanage, pids[i]) : 0;
		reaped += r > 0;
	}
	free(pids);
	/* Without /proc the first must go first. */
	return r == -ENOMEM ? r : reaped;
}

/* Somebody whom this process traces, perhaps. A proc that is not ours tells of others. */
static bool is_anothers(pid_t pid)
{
	pid_t parent = children_parent_of(pid);

	return parent != 0 && parent != getpid() && proc_is_ours();
}

/* 1: all strangers have been reaped, or so many that it is enough for now; 0: the first may not be. */
static int see_to_first(struct orphanage *orphanage)
{
	for (int i = 0; i < BATCH; i++) {
		pid_t pid = children_first_ended();
		if (pid <= 0)
			return 1;
		if (is_anothers(pid))
			return 0;
		int r = see_to(orphanage, pid);
		if (r <= 0)
			return r;
	}
	orphanage->due = true;
	return 1;
}

int orphans_look(struct pidring *engine)
{
	struct orphanage *orphanage = &engine->household.orphanage;

	orphanage->due = orphanage->put_off = false;
	see_to_suspects(orphanage);
	int r = see_to_first(orphanage);
	if (r == 0) {
		r = see_to_each(orphanage);
		/* A list may lack some while it changes. */
		orphanage->due = r > 0;
	}
	if (r < 0)
		orphanage->due = true;
	return r < 0 ? r : 0;
}

void orphans_take_signals(struct pidring *engine)
{
	enum { SOME = 16 };
	struct signalfd_siginfo signals[SOME];

	while (read(engine->household.orphanage.signals, signals, sizeof signals) > 0)
		;
	/* What is not done now stays due. */
	orphans_look(engine);
}

/* --- events --- */

bool orphanage_has_events(const struct orphanage *orphanage)
{
	return !TAILQ_EMPTY(&orphanage->ended);
}

void orphanage_take_event(struct orphanage *orphanage, struct pidring_event *ret_event)
{
	struct orphan *orphan = TAILQ_FIRST(&orphanage->ended);

	*ret_event = (struct pidring_event){ .type = PIDRING_ORPHAN_ENDED,
		                             .pid = orphan->pid,
		                             .code = orphan->code };
	TAILQ_REMOVE(&orphanage->ended, orphan, link);
	free(orphan);
}
