/* SPDX-License-Identifier: MIT */
/* Whole trees: that of a process, and that of this process. */
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "process.h"
#include "stop.h"
#include "sys/sys.h"
#include "tree.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int check_signal(int signal_number)
{
	if (signal_number < 0 || signal_number > SYS_SIGNALS)
		return explain(-EINVAL, "there is no signal %d", signal_number);
	return 0;
}

/* --- the tree of a process --- */

int pidring_process_signal_tree(struct pidring_process *process, int signal_number,
                                enum pidring_tree_means *ret_means)
{
	if (!process)
		return explain_null("pidring_process_signal_tree");
	if (process->kind == PROCESS_PARENT)
		return stop_explain_parent();
	int r = check_signal(signal_number);
	if (r < 0)
		return r;
	process_enter(process);
	r = stop_check_started(process, "signalled with its tree");
	if (r == 0)
		r = stop_tree_signal(process, signal_number);
	/* Only by now it may be known what its control group is good for. */
	enum pidring_tree_means means = r >= 0 ? stop_tree_means(process, signal_number) : PIDRING_TREE_WALK;
	family_leave();
	if (r >= 0 && ret_means)
		*ret_means = means;
	return r;
}

int pidring_process_kill_tree(struct pidring_process *process, enum pidring_tree_means *ret_means)
{
	if (!process)
		return explain_null("pidring_process_kill_tree");
	if (process->kind == PROCESS_PARENT)
		return stop_explain_parent();
	process_enter(process);
	int r = stop_check_timed(process, "killed with its tree");
	if (r == 0) {
		stop_by_kill(process);
		r = stop_tree_begin(process);
	}
	enum pidring_tree_means means = r == 0 ? stop_tree_means(process, SIGKILL) : PIDRING_TREE_WALK;
	family_leave();
	if (r >= 0 && ret_means)
		*ret_means = means;
	return r;
}

/* --- that of this process --- */

/* Servers and parked children are this process's children like others. */
static int is_servant(pid_t child)
{
	struct pidring *engine;
	int r = 0;

	family_enter();
	LIST_FOREACH(engine, &family.engines, link)
	if (r == 0 && engine->forkserver)
		r = forkserver_has(engine->forkserver, child);
	family_leave();
	return r;
}

static bool has_servants(void)
{
	struct pidring *engine;
	bool found = false;

	family_enter();
	LIST_FOREACH(engine, &family.engines, link)
	found |= engine->forkserver != NULL;
	family_leave();
	return found;
}

/* One call of the kernel's, which nobody escapes and which needs no /proc; but it does not say how many it reached. */
static int signal_everybody(int signal_number)
{
	int r = kill(-1, signal_number) < 0 ? -errno : 1;

	if (r == -ESRCH)
		return 0;
	return r < 0 ? explain(r, "signal %d to all processes: %s", signal_number, strerror(-r)) : r;
}

static int signal_descendants(int signal_number)
{
	struct tree tree = { .root = getpid(), .pidfd = -1, .leave_out = is_servant };
	int r = tree_signal(&tree, signal_number);

	tree_release(&tree);
	return r == -ESRCH ? 0 : r;
}

int pidring_signal_descendants(int signal_number)
{
	int cancelability;
	int r = check_signal(signal_number);

	if (r < 0)
		return r;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	if (getpid() == 1 && !has_servants())
		r = signal_everybody(signal_number);
	else
		r = signal_descendants(signal_number);
	pthread_setcancelstate(cancelability, NULL);
	return r;
}
