/* SPDX-License-Identifier: MIT */
/* The end of a parent: which signal its children get, and who lives on. */
#define _GNU_SOURCE
#include "crew.h"
#include "dying_parent.h"

#include <pthread.h>
#include <sched.h>

/* --- the parent that dies --- */

SUBPROGRAM(parent_death_answer)
{
	return answer_for_ever(NULL);
}

struct passing {
	struct pidring_process *process;
	pid_t thread_id;
};

static void *start_and_end(void *argument)
{
	struct passing *passing = argument;

	passing->thread_id = own_thread_id();
	check_int(pidring_process_start(passing->process), 0);
	return NULL;
}

static void start_in_a_passing_thread(struct pidring_process *process)
{
	struct passing passing = { .process = process };
	char path[64];
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, start_and_end, &passing), 0);
	check_int(pthread_join(thread, NULL), 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)passing.thread_id);
	while (access(path, F_OK) == 0)
		sched_yield();
}

/* The words of a mode say what the child is and how it is started. */
static struct pidring_process *construct_by_mode(struct pidring *engine, const char *mode)
{
	const char *argv[] = { own_path(), "--sub", "parent_death_answer", NULL };
	struct pidring_options options = { .stdin_to = PIDRING_STREAM_INHERIT };

	if (strstr(mode, "program") != NULL)
		options.argv = argv;
	else
		options.target = answer_for_ever;
	if (strstr(mode, "daemon") != NULL)
		options.daemon = PIDRING_YES;
	if (strstr(mode, "none") != NULL)
		options.death_signal = PIDRING_NONE;
	if (strstr(mode, "usr1") != NULL)
		options.death_signal = SIGUSR1;
	if (strstr(mode, "asynchronous") != NULL)
		options.asynchronous = true;
	if (strstr(mode, "libc") != NULL)
		options.libc_fork = true;
	if (strstr(mode, "session") != NULL)
		options.new_session = true;
	return new_process(engine, options);
}

static void leave(int signal_number)
{
	_exit(signal_number);
}

/* Starts one child and does nothing until somebody ends it: SIGUSR2 makes it call _exit. */
SUBPROGRAM(parent_death_parent)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;

	signal(SIGUSR2, leave);
	check(argc == 2);
	process = construct_by_mode(engine, argv[1]);
	if (strstr(argv[1], "thread") != NULL)
		start_in_a_passing_thread(process);
	else
		check_int(pidring_process_start(process), 0);
	say("started\n");
	return sleep_forever(NULL);
}

/* Starts one child and dies at once. */
SUBPROGRAM(parent_death_hasty_parent)
{
	struct pidring *engine = open_engine();

	check(argc == 2);
	check_int(pidring_process_start(construct_by_mode(engine, argv[1])), 0);
	raise(SIGKILL);
	return 1;
}

/* --- who gets a signal --- */

static void check_child_gets_signal(const char *mode, const char *line)
{
	struct parent parent = start_parent("parent_death_parent", mode);

	expect_started_and_ready(&parent);
	expect_alive(&parent);
	end_parent(&parent, SIGKILL);
	expect_line(&parent, line);
	expect_silence(&parent);
	close_parent(&parent);
}

static void check_child_lives_on(const char *mode)
{
	struct parent parent = start_parent("parent_death_parent", mode);

	expect_started_and_ready(&parent);
	expect_alive(&parent);
	end_parent(&parent, SIGKILL);
	expect_alive(&parent);
	close(parent.to);
	expect_silence(&parent);
	close(parent.from);
}

/* A daemon function gets SIGTERM when its parent is killed. */
SCENARIO(parent_death, daemon_function)
{
	check_child_gets_signal("function daemon", "signal 15");
}

/* The same when it is made by libc's fork. */
SCENARIO(parent_death, daemon_function_by_libc)
{
	check_child_gets_signal("function daemon libc", "signal 15");
}

/* A daemon program gets SIGTERM when its parent is killed. */
SCENARIO(parent_death, daemon_program)
{
	check_child_gets_signal("program daemon", "signal 15");
}

/* The same after an asynchronous start. */
SCENARIO(parent_death, daemon_program_asynchronous)
{
	check_child_gets_signal("program daemon asynchronous", "signal 15");
}

/* The same in a session of its own. */
SCENARIO(parent_death, daemon_in_a_session)
{
	check_child_gets_signal("program daemon session", "signal 15");
	check_child_gets_signal("function daemon session", "signal 15");
}

/* An ordinary child gets nothing and lives on. */
SCENARIO(parent_death, ordinary_children_live_on)
{
	check_child_lives_on("function");
	check_child_lives_on("program");
	check_child_lives_on("program asynchronous");
}

/* PIDRING_NONE turns it off for a daemon. */
SCENARIO(parent_death, turned_off)
{
	check_child_lives_on("function daemon none");
	check_child_lives_on("program daemon none");
}

/* An ordinary child can have a death signal of its choice. */
SCENARIO(parent_death, other_signal)
{
	check_child_gets_signal("function usr1", "signal 10");
	check_child_gets_signal("program usr1", "signal 10");
}

/* A daemon's own choice goes before SIGTERM. */
SCENARIO(parent_death, daemon_with_other_signal)
{
	check_child_gets_signal("program daemon usr1", "signal 10");
}

/* A child that a passing thread started is tied to the process: it outlives the thread, not the parent. */
SCENARIO(parent_death, started_by_a_passing_thread)
{
	check_child_gets_signal("function daemon thread", "signal 15");
	check_child_gets_signal("program daemon thread", "signal 15");
	check_child_gets_signal("program daemon thread asynchronous", "signal 15");
}

/* A parent that leaves by _exit runs no exit function; its daemon gets the death signal all the same. */
SCENARIO(parent_death, parent_leaves_by_itself)
{
	struct parent parent = start_parent("parent_death_parent", "program daemon");

	expect_started_and_ready(&parent);
	end_parent(&parent, SIGUSR2);
	expect_line(&parent, "signal 15");
	expect_silence(&parent);
	close_parent(&parent);
}

/* --- the parent is faster --- */

static void check_no_orphan(const char *mode)
{
	int rounds = small_or_normal(3, 25);

	for (int round = 0; round < rounds; round++) {
		struct parent parent = start_parent("parent_death_hasty_parent", mode);

		reap_parent(&parent);
		/* What it says depends on how far it came; that it ends does not. */
		read_all(parent.from);
		reap_orphans();
		close_parent(&parent);
	}
}

/* A parent that dies right after the start leaves no daemon function behind. */
SCENARIO(parent_death, hasty_parent_of_function)
{
	check_no_orphan("function daemon");
	check_no_orphan("function daemon libc");
}

/* The same for a program that is started asynchronously: the parent may be gone before the child has asked
 * for the signal. */
SCENARIO(parent_death, hasty_parent_of_program)
{
	check_no_orphan("program daemon asynchronous");
}

/* --- another PID namespace --- */

/* Until the scenario closes its end of stdin, without reading from it. */
static int wait_for_hang_up(void *argument)
{
	struct pollfd entry = { .fd = STDIN_FILENO };

	(void)argument;
	check_int(poll(&entry, 1, -1), 1);
	return 0;
}

/* The first child is the namespace's init and stays; the second is the one that is watched. Both see a parent
 * with the pid 0. */
SUBPROGRAM(parent_death_outside)
{
	struct pidring *engine = open_engine();
	struct pidring_options init = { .target = wait_for_hang_up, .stdin_to = PIDRING_STREAM_INHERIT };

	check(argc == 2);
	if (unshare(CLONE_NEWPID) < 0)
		skip("PID namespaces are not allowed here");
	start_process(engine, init);
	check_int(pidring_process_start(construct_by_mode(engine, argv[1])), 0);
	say("started\n");
	return sleep_forever(NULL);
}

static void check_from_outside(const char *mode)
{
	struct parent parent = start_parent("parent_death_outside", mode);
	struct pollfd entry = { .fd = parent.from, .events = POLLIN };

	check_int(poll(&entry, 1, -1), 1);
	if ((entry.revents & POLLIN) == 0)
		reap_parent(&parent);
	expect_started_and_ready(&parent);
	expect_alive(&parent);
	end_parent(&parent, SIGKILL);
	expect_line(&parent, "signal 15");
	close(parent.to);
	expect_silence(&parent);
	close(parent.from);
}

/* A parent in another PID namespace, which the child sees as 0, is no dead parent: the child lives until the
 * parent really dies. */
SCENARIO(parent_death, parent_outside_the_namespace)
{
	check_from_outside("function daemon");
	check_from_outside("program daemon");
}
