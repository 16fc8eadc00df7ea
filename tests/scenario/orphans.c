/* SPDX-License-Identifier: MIT */
/* An engine that is a subreaper: whoever is left to this process is reaped and told, its own children never so. */
#define _GNU_SOURCE
#include "servers.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

extern char **environ;

static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	check_int(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

static struct pidring *open_subreaper_with(struct pidring_engine_options options)
{
	block_sigchld();
	options.subreaper = true;
	return open_with(options);
}

static struct pidring *open_subreaper(void)
{
	return open_subreaper_with((struct pidring_engine_options){ 0 });
}

static int is_subreaper(void)
{
	int value = -1;

	check_int(prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0), 0);
	return value;
}

/* --- making orphans --- */

struct brood {
	bool waits; /* to be let through the latch, before they end */
	struct latch latch;
	int count;
	int code; /* minus a signal */
};

PIDRING_NORETURN static void live_as_orphan(const struct brood *brood)
{
	struct latch latch = brood->latch;

	if (brood->waits)
		latch_wait(&latch);
	if (brood->code < 0)
		kill(getpid(), -brood->code);
	_exit(brood->code);
}

/* A target: its children outlive it, or end unseen. */
static int leave_brood(void *argument)
{
	const struct brood *brood = argument;

	for (int i = 0; i < brood->count; i++) {
		pid_t pid = fork();

		check(pid >= 0);
		if (pid == 0)
			live_as_orphan(brood);
	}
	return 0;
}

static void make_orphans(struct pidring *engine, struct brood brood)
{
	static struct brood given;

	given = brood;
	check_int(finish(start_function(engine, leave_brood, &given)), 0);
}

/* The next orphan that is told, whatever comes before. */
static struct pidring_event next_orphan(struct pidring *engine)
{
	struct pidring_event event;

	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (event.type != PIDRING_ORPHAN_ENDED);
	check(event.process == NULL);
	check(event.pid > 0);
	check(!event.unknown && !event.last);
	return event;
}

/* So many, all with this code. */
static void expect_orphans(struct pidring *engine, int count, int code)
{
	for (int i = 0; i < count; i++)
		check_int(next_orphan(engine).code, code);
}

/* --- telling --- */

SCENARIO(orphans, exit_code_and_signal_are_told)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();

	check_int(is_subreaper(), 1);
	make_orphans(engine, (struct brood){ true, latch, 1, 7 });
	latch_release(&latch);
	expect_orphans(engine, 1, 7);
	make_orphans(engine, (struct brood){ true, latch, 1, -SIGTERM });
	latch_release(&latch);
	expect_orphans(engine, 1, -SIGTERM);
	check_int(pidring_has_children(), 0);
	latch_close(&latch);
	close_engine(engine);
	check_int(is_subreaper(), 0);
}

/* Also those that have ended before they were left behind. */
SCENARIO(orphans, zombies_are_inherited)
{
	struct pidring *engine = open_subreaper();

	make_orphans(engine, (struct brood){ false, { -1, -1 }, 20, 9 });
	expect_orphans(engine, 20, 9);
	close_engine(engine);
}

/* What was there before the engine is reaped by it. */
SCENARIO(orphans, older_zombies_are_found)
{
	struct pidring *engine;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0)
		_exit(5);
	check_int(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	engine = open_subreaper();
	check_int(next_orphan(engine).pid, pid);
	check_int(waitpid(pid, NULL, 0), -1);
	check_int(errno, ECHILD);
	close_engine(engine);
}

SCENARIO(orphans, a_thousand)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();

	make_orphans(engine, (struct brood){ true, latch, 1000, 3 });
	for (int i = 0; i < 1000; i++)
		latch_release(&latch);
	expect_orphans(engine, 1000, 3);
	check_int(pidring_has_children(), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* A program that the host starts by itself is no child of pidring's. */
SCENARIO(orphans, a_spawned_child_is_reaped)
{
	struct pidring *engine = open_subreaper();
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 6", NULL };
	struct pidring_event event;
	pid_t pid;

	check_int(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
	event = next_orphan(engine);
	check_int(event.pid, pid);
	check_int(event.code, 6);
	close_engine(engine);
}

/* --- beside own children --- */

SCENARIO(orphans, own_children_keep_their_codes)
{
	enum { OWN = 200 };
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	struct pidring_process *own[OWN];
	static int codes[OWN];
	int exits = 0, orphans = 0;

	make_orphans(engine, (struct brood){ true, latch, OWN, 44 });
	for (int i = 0; i < OWN; i++) {
		codes[i] = i;
		own[i] = start_function(engine, return_argument, &codes[i]);
		latch_release(&latch);
	}
	/* The one that left the orphans is freed by now, and has no event. */
	while (exits < OWN || orphans < OWN) {
		struct pidring_event event;

		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		if (event.type == PIDRING_ORPHAN_ENDED) {
			check_int(event.code, 44);
			orphans++;
		} else {
			check_int(event.type, PIDRING_EXITED);
			check(!event.unknown);
			exits++;
		}
	}
	for (int i = 0; i < OWN; i++) {
		struct pidring_exit_record record = { .size = sizeof(record) };

		check_int(join_code(own[i]), i);
		check_int(pidring_process_exit_record(own[i], &record), 0);
		check_int(record.reaper, PIDRING_REAPED_HERE);
		check(record.usage_known);
		pidring_process_free(own[i]);
	}
	latch_close(&latch);
	close_engine(engine);
}

/* A child of an engine that nobody asks has ended first: it does not hide who comes after it, and loses nothing. */
SCENARIO(orphans, another_engines_child_is_in_nobodys_way)
{
	static int eleven = 11;
	struct pidring *engine = open_subreaper(), *other = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process;
	struct pidring_event event;

	make_orphans(engine, (struct brood){ true, latch, 3, 4 });
	process = start_function(other, return_argument, &eleven);
	wait_ended(process);
	for (int i = 0; i < 3; i++)
		latch_release(&latch);
	expect_orphans(engine, 3, 4);
	check_int(pidring_wait(other, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.process == process);
	check_int(event.code, 11);
	check_int(finish(process), 11);
	latch_close(&latch);
	close_engine(other);
	close_engine(engine);
}

/* So many of them that they are not seen to in one look: it goes on without anything else happening. */
SCENARIO(orphans, behind_very_many)
{
	enum { MANY = 600 };
	struct pidring *engine = open_subreaper_with((struct pidring_engine_options){ .descriptors = 2000 });
	struct pidring *other = open_engine();
	static struct pidring_process *processes[MANY];
	struct pidring_event event;

	for (int i = 0; i < MANY; i++)
		processes[i] = start_function(other, NULL, NULL);
	pid_t pid = fork();
	check(pid >= 0);
	if (pid == 0)
		_exit(7);
	for (int i = 0; i < MANY; i++)
		wait_ended(processes[i]);
	check_int(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	event = next_orphan(engine);
	check_int(event.pid, pid);
	check_int(event.code, 7);
	for (int i = 0; i < MANY; i++)
		check_int(finish(processes[i]), 0);
	close_engine(other);
	close_engine(engine);
}

/* A child that was let go of is pidring's for all that. */
SCENARIO(orphans, a_freed_child_is_no_orphan)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();

	pidring_process_free(start_function(engine, wait_for_latch, &latch));
	latch_release(&latch);
	while (!has_no_children())
		check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 10 * MILLISECONDS), 0);
	latch_close(&latch);
	close_engine(engine);
}

static void *start_many_times(void *argument)
{
	enum { STARTS = 60 };
	struct pidring *engine = argument;

	for (int i = 0; i < STARTS; i++) {
		bool fails = i % 3 == 0;
		struct pidring_process *process =
			new_process(engine, (struct pidring_options){
						    .argv = (const char *[]){ "sh", "-c", "exit 21", NULL },
						    .program = fails ? "/dev/null" : "/bin/sh",
						    .asynchronous = i % 2 == 0,
					    });
		int result = pidring_process_start(process);

		if (result == 0) {
			check_int(join_code(process), fails ? 126 : 21);
		} else {
			check(fails);
			check_int(result, -EACCES);
		}
		pidring_process_free(process);
	}
	return NULL;
}

/* Children that are being born in other threads are never taken for strangers, also if they end at once. */
SCENARIO(orphans, births_under_way)
{
	enum { THREADS = 3, ORPHANS = 100 };
	struct pidring *engine = open_subreaper(), *other = open_engine();
	struct latch latch = latch_open();
	pthread_t threads[THREADS];

	make_orphans(engine, (struct brood){ true, latch, ORPHANS, 33 });
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_create(&threads[i], NULL, start_many_times, other), 0);
	for (int i = 0; i < ORPHANS; i++) {
		latch_release(&latch);
		check_int(next_orphan(engine).code, 33);
	}
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_join(threads[i], NULL), 0);
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 0), 0);
	check(has_no_children());
	latch_close(&latch);
	close_engine(other);
	close_engine(engine);
}

static struct steady {
	struct pidring *engine;
	atomic_bool enough;
} steady;

/* Each of these has a go-between, who is this process's child, too. */
static void *start_confined(void *unused)
{
	const struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                         .namespaces = PIDRING_NAMESPACE_UTS };
	void *refused = NULL;

	(void)unused;
	while (!atomic_load(&steady.enough)) {
		struct pidring_process *process =
			new_process(steady.engine, (struct pidring_options){ .confinement = &confinement });

		if (pidring_process_start(process) == 0)
			check_int(join_code(process), 0);
		else
			refused = steady.engine;
		pidring_process_free(process);
	}
	return refused;
}

/* However many births follow, of which there is always one under way. */
SCENARIO(orphans, births_without_end)
{
	enum { THREADS = 4, ORPHANS = 5 };
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	pthread_t threads[THREADS];
	bool refused = false;
	void *result;

	steady.engine = open_engine();
	make_orphans(engine, (struct brood){ true, latch, ORPHANS, 7 });
	for (int i = 0; i < THREADS; i++)
		check_int(pthread_create(&threads[i], NULL, start_confined, NULL), 0);
	for (int i = 0; i < ORPHANS; i++)
		latch_release(&latch);
	expect_orphans(engine, ORPHANS, 7);
	atomic_store(&steady.enough, true);
	for (int i = 0; i < THREADS; i++) {
		check_int(pthread_join(threads[i], &result), 0);
		refused |= result != NULL;
	}
	latch_close(&latch);
	close_engine(steady.engine);
	close_engine(engine);
	if (refused)
		skip("no namespaces here");
}

/* As PID 1, with the proc of another namespace: that one's numbers are others'. */
static int be_init_without_proc(void)
{
	struct pidring *engine;

	if (getpid() != 1)
		return EXIT_FAILED;
	engine = open_subreaper();
	make_orphans(engine, (struct brood){ false, { -1, -1 }, 20, 9 });
	expect_orphans(engine, 20, 9);
	check_int(pidring_has_children(), 0);
	close_engine(engine);
	return 0;
}

SCENARIO(orphans, of_an_init_with_a_strange_proc)
{
	struct clone_args arguments = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	int status;

	if (pid == 0)
		_exit(be_init_without_proc());
	if (pid < 0)
		skip("no namespaces here");
	check_int(waitpid((pid_t)pid, &status, 0), pid);
	check(WIFEXITED(status));
	check_int(WEXITSTATUS(status), 0);
}

static struct slow_start {
	struct pidring *engine;
	struct slow_program program;
} slow_start;

static void *start_slowly(void *unused)
{
	(void)unused;
	check_int(finish(start_program(slow_start.engine, slow_start.program.path, NULL)), 0);
	return NULL;
}

/* While the creating of a child takes its time, who has ended may have to wait, and is told when it is over. */
SCENARIO(orphans, a_slow_birth)
{
	struct latch latch = latch_open();
	struct pidring *engine;
	struct pidring_event event;
	pthread_t thread;
	int orphans = 0;

	slow_start.program = make_slow_program();
	engine = slow_start.engine = open_subreaper();
	make_orphans(engine, (struct brood){ true, latch, 3, 5 });
	check_int(pthread_create(&thread, NULL, start_slowly, NULL), 0);
	for (int i = 0; i < 3; i++)
		latch_release(&latch);
	while (pidring_wait(engine, &event, 1, 50 * MILLISECONDS) == 1)
		orphans += event.type == PIDRING_ORPHAN_ENDED;
	let_go(&slow_start.program);
	expect_orphans(engine, 3 - orphans, 5);
	check_int(pthread_join(thread, NULL), 0);
	remove_slow_program(&slow_start.program);
	latch_close(&latch);
	close_engine(engine);
}

SCENARIO(orphans, servers_and_parked_children_stay)
{
	struct pidring *engine = open_subreaper_with((struct pidring_engine_options){ .parked = 4 });
	struct latch latch = latch_open();
	static int code = 17;

	need_server(engine);
	wait_parked(engine, 4);
	check_int(pidring_has_children(), 0);
	for (int i = 0; i < 10; i++) {
		struct pidring_process *process = start_served(engine, return_argument, &code, sizeof(code));

		make_orphans(engine, (struct brood){ true, latch, 2, 8 });
		latch_release(&latch);
		latch_release(&latch);
		expect_orphans(engine, 2, 8);
		check_int(finish(process), 17);
		process = start_served_program(engine, (const char *[]){ "sh", "-c", "exit 19", NULL });
		check_int(finish(process), 19);
	}
	check(features_of(engine).servers > 0);
	check_still_serves(engine);
	latch_close(&latch);
	close_engine(engine);
}

/* --- who may not be reaped --- */

struct lingering {
	struct latch *end;
	struct latch *led; /* let through once the leader is a zombie */
};

static void *outlive_leader(void *argument)
{
	const struct lingering *lingering = argument;

	while (process_state(getpid()) != 'Z')
		sched_yield();
	latch_release(lingering->led);
	latch_wait(lingering->end);
	_exit(13);
}

static int leave_lingering(void *argument)
{
	pid_t pid = fork();
	pthread_t thread;

	check(pid >= 0);
	if (pid > 0)
		return 0;
	check_int(pthread_create(&thread, NULL, outlive_leader, argument), 0);
	syscall(SYS_exit, 0);
	_exit(EXIT_FAILED);
}

/* A leader without life, whose other threads go on, has not ended, and hides nobody. */
SCENARIO(orphans, a_leader_that_its_threads_outlive)
{
	struct pidring *engine = open_subreaper();
	struct latch end = latch_open(), led = latch_open();
	static struct lingering lingering;

	lingering = (struct lingering){ &end, &led };
	check_int(finish(start_function(engine, leave_lingering, &lingering)), 0);
	latch_wait(&led);
	make_orphans(engine, (struct brood){ false, { -1, -1 }, 2, 12 });
	expect_orphans(engine, 2, 12);
	latch_release(&end);
	expect_orphans(engine, 1, 13);
	latch_close(&end);
	latch_close(&led);
	close_engine(engine);
}

/* Its child ends, and is not reaped before the latch. */
struct keeping {
	struct latch *begin, *end;
	int pid_pipe;
};

static int keep_zombie(void *argument)
{
	const struct keeping *keeping = argument;
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (pid == 0) {
		latch_wait(keeping->begin);
		_exit(2);
	}
	check_int(write(keeping->pid_pipe, &pid, sizeof(pid)), sizeof(pid));
	latch_wait(keeping->end);
	check_int(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static struct tracing {
	struct pidring *engine;
	struct latch *begin;
	pid_t pid;
} tracing;

/* The tracer's thread is where its tracees come first. */
static void *trace_and_wait(void *unused)
{
	(void)unused;
	if (ptrace(PTRACE_SEIZE, tracing.pid, NULL, NULL) < 0)
		skip("processes cannot be traced here");
	latch_release(tracing.begin);
	check_int(waitid(P_PID, (id_t)tracing.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	make_orphans(tracing.engine, (struct brood){ false, { -1, -1 }, 3, 10 });
	expect_orphans(tracing.engine, 3, 10);
	/* It is still the tracer's. */
	check_int(waitpid(tracing.pid, NULL, 0), tracing.pid);
	return NULL;
}

/* Somebody else's child whom this process traces comes first: nobody but the tracer may have him, and he hides nobody. */
SCENARIO(orphans, a_traced_stranger)
{
	struct latch begin = latch_open(), end = latch_open();
	static struct keeping keeping;
	struct pidring_process *process;
	struct pidring *engine;
	pthread_t thread;
	int ends[2];

	open_pipe(ends);
	keeping = (struct keeping){ &begin, &end, ends[1] };
	engine = open_subreaper();
	process = start_function(engine, keep_zombie, &keeping);
	check_int(read(ends[0], &tracing.pid, sizeof(tracing.pid)), sizeof(tracing.pid));
	tracing.engine = engine;
	tracing.begin = &begin;
	check_int(pthread_create(&thread, NULL, trace_and_wait, NULL), 0);
	check_int(pthread_join(thread, NULL), 0);
	latch_release(&end);
	check_int(finish(process), 2);
	latch_close(&begin);
	latch_close(&end);
	close(ends[0]);
	close(ends[1]);
	close_engine(engine);
}

/* --- other loops, threads, forks --- */

SCENARIO(orphans, in_another_loop)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	int descriptor = pidring_fd(engine), orphans = 0;

	check(descriptor >= 0);
	make_orphans(engine, (struct brood){ true, latch, 5, 1 });
	for (int i = 0; i < 5; i++)
		latch_release(&latch);
	while (orphans < 5) {
		struct pollfd item = { .fd = descriptor, .events = POLLIN };
		struct pidring_event event;

		check_int(poll(&item, 1, -1), 1);
		if (pidring_wait(engine, &event, 1, 0) == 1 && event.type == PIDRING_ORPHAN_ENDED)
			orphans++;
	}
	latch_close(&latch);
	close_engine(engine);
}

static void *release_five(void *latch)
{
	for (int i = 0; i < 5; i++)
		latch_release(latch);
	return NULL;
}

/* SIGCHLD wakes whoever waits. */
SCENARIO(orphans, a_waiting_thread_wakes_up)
{
	struct pidring *engine = open_subreaper();
	struct latch latch = latch_open();
	pthread_t thread;

	make_orphans(engine, (struct brood){ true, latch, 5, 1 });
	check_int(pidring_wait(engine, &(struct pidring_event){ 0 }, 1, 0), 0);
	check_int(pthread_create(&thread, NULL, release_five, &latch), 0);
	expect_orphans(engine, 5, 1);
	check_int(pthread_join(thread, NULL), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* A copy of the host is an orphan like any other for the original; in it the engine reaps nobody, and another one may. */
SCENARIO(orphans, a_fork_of_the_host)
{
	struct pidring *engine = open_subreaper();
	pid_t copy = fork();
	struct pidring_event event;

	check(copy >= 0);
	if (copy == 0) {
		struct pidring *another;
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(15);
		check_int(is_subreaper(), 0);
		check_int(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
		check_int(pidring_wait(engine, &event, 1, 0), 0);
		check_int(waitpid(pid, &status, 0), pid);
		check_int(WEXITSTATUS(status), 15);
		another = open_subreaper();
		make_orphans(another, (struct brood){ false, { -1, -1 }, 2, 16 });
		expect_orphans(another, 2, 16);
		close_engine(another);
		close_engine(engine);
		_exit(14);
	}
	event = next_orphan(engine);
	check_int(event.pid, copy);
	check_int(event.code, 14);
	close_engine(engine);
}

SCENARIO(orphans, closed_with_events_pending)
{
	struct pidring *engine = open_subreaper();
	struct pidring_event event;

	make_orphans(engine, (struct brood){ false, { -1, -1 }, 10, 2 });
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	close_engine(engine);
	check_int(is_subreaper(), 0);
	/* Those that it has not seen are the host's again. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	engine = open_subreaper();
	close_engine(engine);
}

/* What the host had set stays. */
SCENARIO(orphans, a_host_that_is_a_subreaper_stays_one)
{
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	close_engine(open_subreaper());
	check_int(is_subreaper(), 1);
}

/* --- refusals --- */

SCENARIO(orphans, refusals)
{
	struct pidring_engine_options options = { .size = sizeof(options), .subreaper = true };
	struct pidring *engine, *second = NULL;
	sigset_t set;

	check_int(pidring_open(&second, &options), -EINVAL);
	check_contains(pidring_explain(), "SIGCHLD");
	block_sigchld();
	signal(SIGCHLD, SIG_IGN);
	check_int(pidring_open(&second, &options), -EINVAL);
	check_contains(pidring_explain(), "ignored");
	signal(SIGCHLD, SIG_DFL);
	engine = open_subreaper();
	check_int(pidring_open(&second, &options), -EBUSY);
	check_contains(pidring_explain(), "another engine");
	check_int(is_subreaper(), 1);
	close_engine(engine);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* --- whether there are children --- */

SCENARIO(orphans, has_children)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	pid_t pid;

	check_int(pidring_has_children(), 0);
	process = start_program(engine, "sleep", "1000", NULL);
	check_int(pidring_has_children(), 1);
	check_int(pidring_process_kill(process), 0);
	wait_ended(process);
	check_int(pidring_has_children(), 1);
	check_int(finish(process), -SIGKILL);
	check_int(pidring_has_children(), 0);
	pid = fork();
	if (pid == 0)
		_exit(0);
	check_int(pidring_has_children(), 1);
	check_int(waitpid(pid, NULL, 0), pid);
	check_int(pidring_has_children(), 0);
	close_engine(engine);
}

/* Servers and parked children are not counted, functions that they have started are. */
SCENARIO(orphans, has_children_of_servers)
{
	struct pidring *engine = open_parked(2);
	struct pidring_process *process;

	need_server(engine);
	wait_parked(engine, 2);
	check_int(pidring_has_children(), 0);
	process = start_served(engine, sleep_forever, NULL, 0);
	check_int(pidring_has_children(), 1);
	check_int(pidring_process_kill(process), 0);
	wait_ended(process);
	check_int(pidring_has_children(), 1);
	check_int(finish(process), -SIGKILL);
	check_int(pidring_has_children(), 0);
	close_engine(engine);
}
