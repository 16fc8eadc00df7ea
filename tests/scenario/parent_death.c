/* SPDX-License-Identifier: MIT */
/* The end of a parent: what its children get, and what they can know about it. */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

extern char **environ;

static int small_or(int small, int normal)
{
	return getenv("PIDRING_TEST_SMALL") != NULL ? small : normal;
}

/* --- a life that answers --- */

static void report_signal(int signal_number)
{
	char text[] = "signal 00\n";

	text[7] = (char)('0' + signal_number / 10);
	text[8] = (char)('0' + signal_number % 10);
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(0);
}

static void say(const char *line)
{
	size_t length = strlen(line);

	check_int(write(STDOUT_FILENO, line, length), length);
}

/* Says "ready", answers each byte of stdin with "alive", and says which signal ended it. It ends when stdin
 * does. */
static int answer_for_ever(void *argument)
{
	struct sigaction action = { .sa_handler = report_signal };
	char byte;

	(void)argument;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	say("ready\n");
	while (read(STDIN_FILENO, &byte, 1) == 1)
		say("alive\n");
	return 0;
}

SUBPROGRAM(parent_death_answer)
{
	return answer_for_ever(NULL);
}

/* --- the parent that dies --- */

static pid_t own_thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
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

/* --- the side of the scenario --- */

struct parent {
	pid_t pid;
	int to;   /* stdin of the parent and its child */
	int from; /* stdout of both */
};

static struct parent start_parent(const char *name, const char *mode)
{
	char *argv[] = { (char *)own_path(), "--sub", (char *)name, (char *)mode, NULL };
	posix_spawn_file_actions_t actions;
	struct parent parent;
	int to[2];
	int from[2];

	/* What the parent leaves behind becomes this process's, so that its end can be looked at. */
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	open_pipe(to);
	open_pipe(from);
	check_int(posix_spawn_file_actions_init(&actions), 0);
	check_int(posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO), 0);
	check_int(posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO), 0);
	check_int(posix_spawn(&parent.pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	parent.to = to[1];
	parent.from = from[0];
	return parent;
}

static void read_line(int descriptor, char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		check(length + 1 < size);
		check_int(read(descriptor, line + length, 1), 1);
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = '\0';
}

static void expect_line(struct parent *parent, const char *expected)
{
	char line[128];

	read_line(parent->from, line, sizeof(line));
	check_text(line, expected);
}

/* Both lines, in whichever order they come. */
static void expect_started_and_ready(struct parent *parent)
{
	char lines[2][128];

	read_line(parent->from, lines[0], sizeof(lines[0]));
	read_line(parent->from, lines[1], sizeof(lines[1]));
	if (strcmp(lines[0], "ready") == 0) {
		check_text(lines[1], "started");
	} else {
		check_text(lines[0], "started");
		check_text(lines[1], "ready");
	}
}

static void expect_alive(struct parent *parent)
{
	for (int i = 0; i < 3; i++) {
		check_int(write(parent->to, "?", 1), 1);
		expect_line(parent, "alive");
	}
}

/* Waits for the orphans; none may have failed a check. */
static void reap_orphans(void)
{
	int status;

	while (waitpid(-1, &status, 0) > 0)
		check(!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILED);
	check_int(errno, ECHILD);
}

/* Until nobody holds the other end, and all have ended. */
static void expect_silence(struct parent *parent)
{
	check_text(read_all(parent->from), "");
	reap_orphans();
}

/* When this returns, every death signal has been sent. */
static void reap_parent(struct parent *parent)
{
	int status;

	check_int(waitpid(parent->pid, &status, 0), parent->pid);
	check(!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILED);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		skip("the parent could not do it here");
}

static void end_parent(struct parent *parent, int signal_number)
{
	check_int(kill(parent->pid, signal_number), 0);
	reap_parent(parent);
}

static void close_parent(struct parent *parent)
{
	close(parent->to);
	close(parent->from);
}

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

/* --- who gets a signal --- */

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
	int rounds = small_or(3, 25);

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

/* --- what a child knows of its parent --- */

struct knowledge {
	struct latch go;
	pid_t parent_pid;
};

static int look_at_parent(void *argument)
{
	struct knowledge *knowledge = argument;
	struct pidring_process *parent = pidring_parent_process();
	int64_t begin;
	int code;

	check(parent != NULL);
	check(parent == pidring_parent_process());
	check_text(name_of(parent), "MainProcess");
	check_int(pidring_process_pid(parent), knowledge->parent_pid);
	check_int(pidring_process_pid(parent), getppid());
	check_int(pidring_process_identity(parent, NULL, 0), 0);
	check_int(pidring_process_daemon(parent), 0);
	check_int(pidring_process_is_alive(parent), 1);
	check_int(pidring_process_join(parent, 0), -ETIMEDOUT);
	check_int(pidring_process_join(parent, -1), -ETIMEDOUT);
	begin = now();
	check_int(pidring_process_join(parent, 20 * MILLISECONDS), -ETIMEDOUT);
	check(now() - begin >= 20 * MILLISECONDS);
	check(pidring_process_sentinel(parent) >= 0);
	check(!is_readable(pidring_process_sentinel(parent)));
	check_int(pidring_process_exit_code(parent, &code), -EAGAIN);
	check_int(pidring_process_terminate(parent), -EPERM);
	check_int(pidring_process_kill(parent), -EPERM);
	check_int(pidring_process_start(parent), -ECHILD);
	return 0;
}

/* A function child knows its living parent by name, pid and sentinel, and may not signal it. */
SCENARIO(parent_death, living_parent)
{
	struct pidring *engine = open_engine();
	struct knowledge knowledge = { .parent_pid = getpid() };

	check(pidring_parent_process() == NULL);
	check_int(finish(start_function(engine, look_at_parent, &knowledge)), 0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = look_at_parent,
	                                                                 .argument = &knowledge,
	                                                                 .libc_fork = true })),
	          0);
	close_engine(engine);
}

/* Joins the parent for ever and then looks at what is left of it. */
static int wait_for_end_of_parent(void *argument)
{
	struct pidring_process *parent = pidring_parent_process();
	pid_t recorded = pidring_process_pid(parent);
	int code;

	(void)argument;
	check_int(recorded, getppid());
	say("ready\n");
	check_int(pidring_process_join(parent, PIDRING_FOREVER), 0);
	check_int(pidring_process_is_alive(parent), 0);
	check_int(pidring_process_join(parent, PIDRING_FOREVER), 0);
	check_int(pidring_process_join(parent, 0), 0);
	check(is_readable(pidring_process_sentinel(parent)));
	check_int(pidring_process_pid(parent), recorded);
	check_int(pidring_process_exit_code(parent, &code), -EAGAIN);
	check_text(name_of(parent), "MainProcess");
	say("parent gone\n");
	return 0;
}

SUBPROGRAM(parent_death_observed)
{
	struct pidring *engine = open_engine();
	struct pidring_options options = { .target = wait_for_end_of_parent };

	options.libc_fork = argc == 2 && strcmp(argv[1], "libc") == 0;
	start_process(engine, options);
	return sleep_forever(NULL);
}

static void check_end_is_seen(const char *mode)
{
	struct parent parent = start_parent("parent_death_observed", mode);

	expect_line(&parent, "ready");
	check_int(kill(parent.pid, SIGKILL), 0);
	expect_line(&parent, "parent gone");
	reap_parent(&parent);
	expect_silence(&parent);
	close_parent(&parent);
}

/* A join of the parent comes back at its end, also before anybody has reaped it, and its object stays as it
 * was. */
SCENARIO(parent_death, end_of_the_parent)
{
	check_end_is_seen("raw");
	check_end_is_seen("libc");
}

/* A sibling that was started later does not keep the parent alive in the eyes of the first. */
SUBPROGRAM(parent_death_with_sibling)
{
	struct pidring *engine = open_engine();

	start_function(engine, wait_for_end_of_parent, NULL);
	start_process(engine, (struct pidring_options){ .target = answer_for_ever,
	                                                .stdin_to = PIDRING_STREAM_INHERIT });
	return sleep_forever(NULL);
}

/* The end of the parent is seen while a later sibling lives on. */
SCENARIO(parent_death, sibling_hides_nothing)
{
	struct parent parent = start_parent("parent_death_with_sibling", NULL);

	expect_line(&parent, "ready");
	expect_line(&parent, "ready");
	end_parent(&parent, SIGKILL);
	expect_line(&parent, "parent gone");
	expect_alive(&parent);
	close(parent.to);
	expect_silence(&parent);
	close(parent.from);
}

/* --- depth --- */

struct depth {
	struct pidring *engine;
	struct latch ready;
	struct latch gone;
	struct latch middle_pid;
};

static int third_level(void *argument)
{
	struct depth *depth = argument;
	struct pidring_process *parent = pidring_parent_process();
	unsigned identity[4] = { 0 };

	check_int(pidring_process_identity(pidring_current_process(), identity, 4), 3);
	check(identity[0] == 1 && identity[1] == 1 && identity[2] == 1);
	check_text(name_of(pidring_current_process()), "Process-1:1:1");
	check_text(name_of(parent), "middle");
	check_int(pidring_process_pid(parent), getppid());
	check_int(pidring_process_is_alive(parent), 1);
	latch_release(&depth->ready);
	check_int(pidring_process_join(parent, PIDRING_FOREVER), 0);
	check_int(pidring_process_is_alive(parent), 0);
	latch_release(&depth->gone);
	return 0;
}

static int second_level(void *argument)
{
	struct depth *depth = argument;

	check_text(name_of(pidring_parent_process()), "Process-1");
	start_function(depth->engine, third_level, depth);
	return sleep_forever(NULL);
}

static int first_level(void *argument)
{
	struct depth *depth = argument;
	struct pidring_process *second = start_process(
		depth->engine,
		(struct pidring_options){ .target = second_level, .argument = depth, .name = "middle" });

	latch_wait(&depth->ready);
	check_int(pidring_process_kill(second), 0);
	check_int(join_code(second), -SIGKILL);
	latch_wait(&depth->gone);
	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	return 4;
}

/* Three levels down a process sees the end of its own parent, while its grandparent lives on. */
SCENARIO(parent_death, grandchild_sees_its_parent)
{
	struct depth depth = { .engine = open_engine(), .ready = latch_open(), .gone = latch_open() };
	struct pidring_process *process = start_function(depth.engine, first_level, &depth);

	check_int(finish(process), 4);
	latch_close(&depth.ready);
	latch_close(&depth.gone);
	close_engine(depth.engine);
}

static int start_a_daemon_and_die(void *argument)
{
	struct depth *depth = argument;

	start_process(depth->engine, (struct pidring_options){ .target = answer_for_ever,
	                                                       .stdin_to = PIDRING_STREAM_INHERIT,
	                                                       .daemon = PIDRING_YES });
	return sleep_forever(NULL);
}

/* The main process of a small tree: its child has a daemon and is killed when stdin says so. */
SUBPROGRAM(parent_death_tree)
{
	struct depth depth = { .engine = open_engine() };
	struct pidring_process *middle =
		start_process(depth.engine, (struct pidring_options){ .target = start_a_daemon_and_die,
	                                                              .argument = &depth,
	                                                              .stdin_to = PIDRING_STREAM_INHERIT });
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	check_int(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	say("started\n");
	check_int(sigwait(&set, &number), 0);
	kill_and_free(middle);
	say("killed\n");
	check_int(sigwait(&set, &number), 0);
	return 0;
}

/* A daemon of a function child is tied to that child, not to the main process. */
SCENARIO(parent_death, daemon_of_a_child)
{
	struct parent parent = start_parent("parent_death_tree", NULL);
	char lines[2][128];

	expect_started_and_ready(&parent);
	expect_alive(&parent);
	check_int(kill(parent.pid, SIGUSR2), 0);
	read_line(parent.from, lines[0], sizeof(lines[0]));
	read_line(parent.from, lines[1], sizeof(lines[1]));
	check(strcmp(lines[0], "signal 15") == 0 || strcmp(lines[1], "signal 15") == 0);
	check(strcmp(lines[0], "killed") == 0 || strcmp(lines[1], "killed") == 0);
	end_parent(&parent, SIGUSR2);
	expect_silence(&parent);
	close_parent(&parent);
}
