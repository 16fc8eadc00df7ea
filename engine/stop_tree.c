/* SPDX-License-Identifier: MIT */
/*
 * Stopping a tree: who is in it, and the steps.
 *
 * To walk takes a look at every process of the machine. So the lock is released meanwhile: a walk works on a copy of
 * what is known of the tree, and its findings are put beside those of others afterwards. Timers, which run with the
 * lock held, only put the process into a list; whoever has run them then takes the steps that are due. The serial tells
 * a thread that comes back from a walk whether the stop is still the one that it walked for.
 *
 * After the end of the root its orphans cannot be found from it: so who was found is remembered, until a walk finds
 * it gone. While somebody of those is left nobody else is looked for but at the next signal.
 */
#include "stop.h"

#include "clock.h"
#include "confine/cgroup.h"
#include "confine/confinement.h"
#include "engine.h"
#include "explain.h"
#include "family.h"
#include "process.h"
#include "sys/sys.h"
#include "tree.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Whether it is the init of a PID namespace, whose end is that of all in it: the kernel lets nobody see it before. */
static bool is_init(const struct pidring_process *process)
{
	const struct confinement *confinement = process->settings->confinement;

	return confinement && (confinement->clone_flags & CLONE_NEWPID);
}

/* One that has been freed meanwhile tells nothing any more, and of a threaded one nobody is told. */
static bool has_cgroup(const struct pidring_process *process)
{
	const struct pidring_cgroup *cgroup = process->settings->cgroup;

	return cgroup && cgroup_descriptor(cgroup) >= 0 && !cgroup->threaded;
}

enum pidring_tree_means stop_tree_means(const struct pidring_process *process, int signal_number)
{
	if (has_cgroup(process))
		return PIDRING_TREE_CGROUP;
	return is_init(process) && signal_number == SIGKILL ? PIDRING_TREE_NAMESPACE : PIDRING_TREE_WALK;
}

/* --- what is known --- */

static int copy_known(struct tree *ret_tree, const struct pidring_process *process)
{
	const struct stopping *stopping = &process->stopping;

	*ret_tree = (struct tree){ .root = process->pid,
		                   .pidfd = process->pidfd,
		                   .leads_group = stop_leads_group(process) };
	return tree_add(ret_tree, stopping->known, stopping->known_count);
}

static void know(struct stopping *stopping, struct tree *tree)
{
	free(stopping->known);
	stopping->known_version++;
	stopping->known = tree->members;
	stopping->known_count = tree->count;
	tree->members = NULL;
	tree->count = tree->room = 0;
}

/* Another call has walked meanwhile, for a signal of its own. */
static void know_more(struct stopping *stopping, struct tree *tree)
{
	struct tree all = { .pidfd = -1 };

	for (size_t i = 0; i < tree->count; i++)
		tree->members[i].got = false;
	if (tree_add(&all, stopping->known, stopping->known_count) == 0 &&
	    tree_add(&all, tree->members, tree->count) == 0)
		know(stopping, &all);
	tree_release(&all);
}

/* --- one walk --- */

/* What has come of it. */
struct pass {
	int result;     /* a count, or an error that is explained */
	size_t left;    /* who are still there */
	size_t refused; /* of these, who may not be signalled */
};

static void count_left(struct pass *pass, struct tree *tree)
{
	int left = tree_look(tree);

	if (left < 0) {
		/* Nobody knows, and nobody can be signalled. */
		pass->left = pass->refused = 1;
		return;
	}
	pass->left = (size_t)left;
	for (size_t i = 0; i < tree->count; i++)
		pass->refused += tree->members[i].refused;
}

/* Instead of a signal: a walk that only looks. */
enum { LOOK = -1 };

/* Without the lock. After a SIGKILL those who come up later get one, too. */
static void make_pass(struct pass *pass, struct tree *tree, int signal_number, bool kills)
{
	if (signal_number != LOOK)
		pass->result = tree_signal(tree, signal_number);
	count_left(pass, tree);
	if (signal_number != LOOK || !kills || !tree_has_new(tree))
		return;
	tree_signal(tree, SIGKILL);
	*pass = (struct pass){ .result = pass->result };
	count_left(pass, tree);
}

/* Where there is no /proc, this is all that there is of the tree. */
static void signal_without_walk(struct pidring_process *process, int signal_number)
{
	if (stop_leads_group(process))
		sys_pidfd_signal_group(process->pidfd, signal_number);
	sys_pidfd_send_signal(process->pidfd, signal_number);
}

/* Releases the lock meanwhile; the caller holds the process and its pidfd. */
static struct pass walk(struct pidring_process *process, int signal_number, bool kills)
{
	unsigned version = process->stopping.known_version;
	struct pass pass = { 0 };
	struct tree tree;
	int cancelability;

	int r = copy_known(&tree, process);
	if (r < 0) {
		tree_release(&tree);
		return (struct pass){ .result = r, .left = 1, .refused = 1 };
	}
	family_leave();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	make_pass(&pass, &tree, signal_number, kills);
	pthread_setcancelstate(cancelability, NULL);
	family_enter();
	if (process->stopping.known_version == version)
		know(&process->stopping, &tree);
	else
		know_more(&process->stopping, &tree);
	tree_release(&tree);
	return pass;
}

static struct pass signal_init(struct pidring_process *process, int signal_number)
{
	bool ended = process_look(process);
	struct pass pass = { .left = !ended };

	if (signal_number == LOOK)
		return pass;
	int r = ended ? -ESRCH : sys_pidfd_send_signal(process->pidfd, signal_number);
	pass.refused = r == -EPERM;
	if (r < 0)
		pass.result = explain(r, "signal %d to process '%s': %s", signal_number, process->name,
		                      strerror(-r));
	else
		pass.result = 1;
	return pass;
}

/* The process itself may not have entered its group yet, or have left it. `result`: of the signal to it there. */
static void count_process(struct pass *pass, struct pidring_process *process, int result)
{
	if (process_look(process))
		return;
	pass->left++;
	pass->refused += result == -EPERM;
}

static int signal_itself(struct pidring_process *process, int signal_number)
{
	return process_look(process) ? -ESRCH : sys_pidfd_send_signal(process->pidfd, signal_number);
}

/* Of the signal to the group, `itself`: to the process, and how many got one of them. */
static int result_of(const struct pidring_cgroup *cgroup, int result, int itself, int count)
{
	if (result < 0 && result != -EPERM)
		return result;
	if (count > 0)
		return count;
	if (result == -EPERM || itself == -EPERM)
		return explain(-EPERM, "nobody in control group '%s' may be signalled", cgroup->path);
	return explain(-ESRCH, "nobody is left in control group '%s'", cgroup->path);
}

/* First the process itself: nobody is born of it after that, wherever it is. An empty group is not killed, as nothing could
 * be started in it afterwards. */
static struct pass kill_cgroup(struct pidring_process *process)
{
	struct pidring_cgroup *cgroup = process->settings->cgroup;
	struct cgroup_reached reached = { .wanted = process->pid };
	struct pass pass = { 0 };

	cgroup_count(cgroup, &reached);
	int itself = signal_itself(process, SIGKILL);
	int populated = cgroup_is_populated(cgroup);
	int r = populated > 0 ? cgroup_kill(cgroup) : populated;
	if (reached.count == 0 && populated > 0)
		reached.count = 1;
	cgroup->threaded |= r == -EOPNOTSUPP;
	pass.left = populated != 0;
	pass.refused = populated < 0;
	count_process(&pass, process, itself);
	pass.result =
		result_of(cgroup, r, itself, reached.count + (itself == 0 && !reached.has_wanted ? 1 : 0));
	return pass;
}

static struct pass look_at_cgroup(struct pidring_process *process)
{
	int populated = cgroup_is_populated(process->settings->cgroup);
	struct pass pass = { .left = populated != 0, .refused = populated < 0 };

	count_process(&pass, process, 0);
	return pass;
}

/* Releases the lock meanwhile. */
static struct pass signal_cgroup(struct pidring_process *process, int signal_number)
{
	struct pidring_cgroup *cgroup = process->settings->cgroup;
	struct cgroup_reached reached = { .wanted = process->pid };

	int r = cgroup_signal_all(cgroup, signal_number, &reached);
	int itself = reached.has_wanted ? -ESRCH : signal_itself(process, signal_number);
	struct pass pass = look_at_cgroup(process);
	pass.result = result_of(cgroup, r, itself, reached.count + (itself == 0 ? 1 : 0));
	return pass;
}

static struct pass reach_cgroup(struct pidring_process *process, int signal_number)
{
	if (signal_number == LOOK)
		return look_at_cgroup(process);
	return signal_number == SIGKILL ? kill_cgroup(process) : signal_cgroup(process, signal_number);
}

/* By whatever means there is. */
static struct pass reach(struct pidring_process *process, int signal_number, bool kills)
{
	if (has_cgroup(process)) {
		struct pass pass = reach_cgroup(process, signal_number);
		if (has_cgroup(process) || pass.result != -EOPNOTSUPP)
			return pass;
	}
	if (is_init(process) &&
	    (signal_number == LOOK || signal_number == SIGKILL || process->state == PROCESS_ENDED))
		return signal_init(process, signal_number);
	return walk(process, signal_number, kills);
}

static void hold(struct pidring_process *process)
{
	process->references++;
	process->users++;
}

static void let_go(struct pidring_process *process)
{
	process->users--;
	process_release_pidfd(process);
	process_unreference(process);
}

int stop_tree_signal(struct pidring_process *process, int signal_number)
{
	hold(process);
	process_look(process);
	struct pass pass = reach(process, signal_number, false);
	let_go(process);
	return pass.result;
}

/* --- step by step --- */

void stop_tree_tell(struct pidring_process *process, int code)
{
	process->stopping.tree_code = code;
	process->stopping.to_tell = false;
	engine_push(process, EVENT_TREE_STOPPED);
}

static void finish(struct pidring_process *process, int code)
{
	if (process->stopping.to_tell)
		stop_tree_tell(process, code);
	stop_end(process);
}

static int take_signal(struct stopping *stopping)
{
	int signal_number = stopping->steps->signal_number;

	stopping->next = clock_deadline(stopping->steps->wait);
	stopping->steps++;
	stopping->left--;
	stopping->kills |= signal_number == SIGKILL;
	/* Beforehand: another thread may reap the process during the walk. SIGCONT ends nothing. */
	if (signal_number > 0 && signal_number != SIGCONT)
		stopping->last_signal = signal_number;
	return signal_number;
}

static bool is_due(const struct stopping *stopping)
{
	return stopping->left > 0 && clock_remaining(stopping->next) == 0;
}

/* There are no more steps: of a SIGKILL the end is awaited, whenever it comes, if it can come. */
static bool gives_up(const struct stopping *stopping, const struct pass *pass)
{
	if (stopping->left > 0 || (stopping->kills && pass->refused < pass->left))
		return false;
	return clock_remaining(stopping->next) == 0;
}

/* The end of the process brings us back by itself. */
static void sleep_on(struct pidring_process *process)
{
	const struct stopping *stopping = &process->stopping;
	int64_t next = stopping->left > 0 ? stopping->next : INT64_MAX;
	int64_t look = process->state == PROCESS_ENDED ? clock_deadline(STOP_LOOK_EVERY) : INT64_MAX;

	engine_set_timer(process, &process->stop_timer, look < next ? look : next);
}

/* After a walk. True: the next step is due already. */
static bool judge(struct pidring_process *process, const struct pass *pass)
{
	struct stopping *stopping = &process->stopping;
	bool ended = process_look(process);

	if (ended && pass->left == 0) {
		finish(process, 0);
	} else if (ended && gives_up(stopping, pass)) {
		finish(process, stopping->last_signal);
	} else if (is_due(stopping)) {
		return true;
	} else {
		sleep_on(process);
	}
	return false;
}

static bool cannot_walk(int result)
{
	return result < 0 && result != -ESRCH && result != -EPERM;
}

enum turn { TURN_LAST, TURN_MORE };

/* The first signal could not be sent: nothing has begun. But what it was to replace is over, and the process's end may have
 * been told as not its last event. */
static void give_up(struct pidring_process *process, unsigned serial, int last_signal)
{
	if (process->stopping.serial != serial)
		return;
	process->stopping.last_signal = last_signal;
	if (process->state == PROCESS_ENDED && !(process->pending_events & EVENT_EXITED))
		finish(process, last_signal);
	else
		stop_end(process);
}

/* `first`: of a caller, who is told when it fails. */
static enum turn take_turn(struct pidring_process *process, bool first, int *ret_error)
{
	struct stopping *stopping = &process->stopping;
	int before = stopping->last_signal;
	unsigned serial = stopping->serial;

	bool ended = process_look(process);
	int signal_number = is_due(stopping) ? take_signal(stopping) : 0;
	if (signal_number == 0 && !ended) {
		sleep_on(process);
		return is_due(stopping) ? TURN_MORE : TURN_LAST;
	}
	stopping->walking = true;
	struct pass pass = reach(process, signal_number > 0 ? signal_number : LOOK, stopping->kills);
	bool failed = pass.result == -EPERM || cannot_walk(pass.result);
	if (first && failed) {
		*ret_error = pass.result;
		give_up(process, serial, before);
		return TURN_LAST;
	}
	if (stopping->serial != serial)
		return TURN_LAST;
	stopping->walking = false;
	if (cannot_walk(pass.result))
		signal_without_walk(process, signal_number);
	return judge(process, &pass) ? TURN_MORE : TURN_LAST;
}

static int carry_on(struct pidring_process *process, bool is_first)
{
	struct stopping *stopping = &process->stopping;
	unsigned serial = stopping->serial;
	enum turn turn = TURN_MORE;
	int error = 0;

	hold(process);
	for (bool first = is_first; turn == TURN_MORE && stopping->serial == serial; first = false)
		turn = take_turn(process, first, &error);
	let_go(process);
	return error;
}

int stop_tree_begin(struct pidring_process *process)
{
	return carry_on(process, true);
}

void stop_tree_due(struct pidring_process *process)
{
	if (process->stopping.is_due)
		return;
	process->stopping.is_due = true;
	process->references++;
	TAILQ_INSERT_TAIL(&family.due_trees, process, tree_link);
}

static bool is_under_way(const struct stopping *stopping)
{
	return stopping->scope == STOP_TREE && !stopping->walking &&
	       (stopping->left > 0 || stopping->to_tell);
}

void stop_due_trees(void)
{
	struct pidring_process *process;

	while ((process = TAILQ_FIRST(&family.due_trees))) {
		TAILQ_REMOVE(&family.due_trees, process, tree_link);
		process->stopping.is_due = false;
		if (is_under_way(&process->stopping))
			carry_on(process, false);
		process_unreference(process);
	}
}
