/* SPDX-License-Identifier: MIT */
/* Ends: of the application, in every way, of threads that made or used servers, and of the copies that forks make; and
 * applications in PID namespaces. */
#define _GNU_SOURCE
#include "servers.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* --- the end of the application --- */

static void begin_reaping(void)
{
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
}

/* Whatever an application has left is this process's child now, and ends. */
static void check_nothing_left(void)
{
	check(eventually(waitpid(-1, NULL, WNOHANG | __WALL) < 0));
	check_int(errno, ECHILD);
}

static void *raise_here(void *argument)
{
	/* A sanitizer has a handler of its own. */
	signal(*(int *)argument, SIG_DFL);
	raise(*(int *)argument);
	return NULL;
}

/* Opens with a hundred parked children, and ends as it is told. */
SUBPROGRAM(forkserver_ends)
{
	struct pidring *engine = open_parked(100);
	char way = argv[1][0];
	pthread_t thread;
	int number = SIGKILL;

	wait_parked(engine, 100);
	for (int i = 0; i < 3; i++)
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	if (way == 'x')
		exit(3);
	if (way == '_')
		_exit(3);
	if (way == 'r')
		return 3;
	if (way == 'c') {
		close_engine(engine);
		return 3;
	}
	if (way == 't')
		number = SIGTERM;
	if (way == 's') {
		number = SIGSEGV;
		check_int(pthread_create(&thread, NULL, raise_here, &number), 0);
		check_int(pthread_join(thread, NULL), 0);
	}
	raise(number);
	return 1;
}

/* However the application ends, its servers and parked children end with it. */
SCENARIO(parked, ends_with_the_application)
{
	begin_reaping();
	for (const char *way = "x_rckts"; *way != '\0'; way++) {
		char argument[] = { *way, '\0' };
		int code = run_subprogram("forkserver_ends", argument, NULL);

		check_int(code, *way == 'k' ? -SIGKILL : *way == 't' ? -SIGTERM : *way == 's' ? -SIGSEGV : 3);
		check_nothing_left();
	}
}

SUBPROGRAM(forkserver_doomed)
{
	struct pidring *engine = open_parked(2);
	struct pidring_process *process;

	process = start_process(engine, (struct pidring_options){ .target = sleep_forever,
	                                                          .death_signal = SIGKILL,
	                                                          .start_method = PIDRING_FORKSERVER });
	printf("%d ", pidring_process_pid(process));
	process = start_process(engine, (struct pidring_options){ .target = sleep_forever,
	                                                          .daemon = true,
	                                                          .start_method = PIDRING_FORKSERVER });
	printf("%d ", pidring_process_pid(process));
	process = start_process(engine,
	                        (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
	                                                  .death_signal = SIGKILL,
	                                                  .stdout_to = PIDRING_STREAM_NULL,
	                                                  .stderr_to = PIDRING_STREAM_NULL,
	                                                  .start_method = PIDRING_FORKSERVER });
	printf("%d\n", pidring_process_pid(process));
	fflush(stdout);
	raise(SIGKILL);
	return 1;
}

/* The death signal comes when the application dies, to functions, daemons and programs. */
SCENARIO(forkserver_ends, death_signal)
{
	begin_reaping();
	check_int(run_subprogram("forkserver_doomed", NULL, NULL), -SIGKILL);
	check_nothing_left();
}

/* --- the ends of threads --- */

struct passing {
	struct pidring *engine;
	struct pidring_process *process, *daemon;
};

static void *start_and_leave(void *argument)
{
	struct passing *passing = argument;

	passing->process = start_served(passing->engine, sleep_forever, NULL, 0);
	passing->daemon = start_process(passing->engine,
	                                (struct pidring_options){ .target = sleep_forever,
	                                                          .daemon = true,
	                                                          .start_method = PIDRING_FORKSERVER });
	return NULL;
}

/* The thread that started a child ends: nothing happens to the child, the server or those that are parked. */
SCENARIO(forkserver_ends, starting_thread_leaves)
{
	struct passing passing = { .engine = open_parked(2) };
	struct pidring_process *process;

	for (int i = 0; i < 5; i++) {
		pthread_t thread;

		check_int(pthread_create(&thread, NULL, start_and_leave, &passing), 0);
		check_int(pthread_join(thread, NULL), 0);
		check_served(passing.engine, passing.process);
		process = start_served(passing.engine, return_zero, NULL, 0);
		check_served(passing.engine, process);
		check_int(finish(process), 0);
		check_int(pidring_process_is_alive(passing.process), 1);
		check_int(pidring_process_is_alive(passing.daemon), 1);
		kill_and_free(passing.process);
		kill_and_free(passing.daemon);
	}
	check_int(statistics_of(passing.engine).servers_made, serves(passing.engine) ? 1 : 0);
	close_engine(passing.engine);
}

struct survivor {
	struct pidring *engine;
	pthread_t main_thread;
};

static void *go_on(void *argument)
{
	struct survivor *survivor = argument;
	bool served = serves(survivor->engine);

	check_int(pthread_join(survivor->main_thread, NULL), 0);
	check(eventually(process_state(getpid()) == 'Z'));
	for (int i = 0; i < 20; i++) {
		struct pidring_process *process =
			start_served(survivor->engine, return_argument, &i, sizeof(i));

		if (served)
			check(pidring_process_birth(process) >= PIDRING_BIRTH_FORKSERVER);
		check_int(finish(process), i);
		check_int(finish(start_served_program(survivor->engine, (const char *[]){ "true", NULL })),
		          0);
	}
	check_int(statistics_of(survivor->engine).servers_made, served ? 1 : 0);
	check_int(pidring_restart_forkserver(survivor->engine), 0);
	check_int(finish(start_served(survivor->engine, return_zero, NULL, 0)), 0);
	close_engine(survivor->engine);
	exit(12);
}

SUBPROGRAM(forkserver_main_thread_leaves)
{
	static struct survivor survivor;
	pthread_t thread;

	survivor.engine = open_with((struct pidring_engine_options){ .parked = 3, .servers = 1 });
	survivor.main_thread = pthread_self();
	wait_parked(survivor.engine, 3);
	check_int(pthread_create(&thread, NULL, go_on, &survivor), 0);
	pthread_exit(NULL);
}

/* The main thread leaves by pthread_exit: the server it made lives on and serves the others. */
SCENARIO(forkserver_ends, main_thread_leaves)
{
	begin_reaping();
	check_int(run_subprogram("forkserver_main_thread_leaves", NULL, NULL), 12);
	check_nothing_left();
}

static void *open_elsewhere(void *argument)
{
	struct pidring **engine = argument;

	*engine = open_parked(2);
	return NULL;
}

/* An engine that was opened by a thread that has ended since: with a fork as long as there were two threads, with a server
 * when there is one again. */
SCENARIO(forkserver_ends, opened_by_a_thread)
{
	struct pidring *engine;
	struct pidring_process *process;
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, open_elsewhere, &engine), 0);
	check_int(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 20; i++) {
		process = start_served(engine, return_zero, NULL, 0);
		check_int(finish(process), 0);
	}
	close_engine(engine);
}

/* --- threads before the server --- */

static void *wait_there(void *latch)
{
	latch_wait(latch);
	return NULL;
}

/* A server cannot be made while there are other threads: a fork is used instead, everything says so, and the function
 * has the descriptors that it would have by a server. */
static int has_no_descriptors(void *argument)
{
	int descriptor = *(int *)argument;

	check(!descriptor_is_open(descriptor));
	return 6;
}

SCENARIO(forkserver_ends, threads_before_the_server)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	struct pidring *engine;
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, wait_there, &latch), 0);
	engine = open_parked(4);
	check(!serves(engine));
	check_int(features_of(engine).servers, 0);
	process = start_served(engine, has_no_descriptors, &latch.writer, sizeof(int));
	check_int(pidring_process_birth(process), features_of(engine).forkserver_birth);
	check_int(finish(process), 6);
	check_int(statistics_of(engine).servers_made, 0);
	check_int(statistics_of(engine).server_starts, 0);
	process = start_served_program(engine, (const char *[]){ "true", NULL });
	check_int(pidring_process_birth(process), features_of(engine).program_birth);
	check_int(finish(process), 0);
	latch_release(&latch);
	check_int(pthread_join(thread, NULL), 0);
	check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	close_engine(engine);
	latch_close(&latch);
}

/* --- forks of the application --- */

static void check_copy(struct pidring *engine, bool close_it)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (pid == 0) {
		bool served = serves(engine);
		struct pidring_process *process = start_served(engine, return_zero, NULL, 0);

		check_int(pidring_process_birth(process),
		          served ? pidring_process_birth(process) : features_of(engine).forkserver_birth);
		check(!served || pidring_process_birth(process) >= PIDRING_BIRTH_FORKSERVER);
		check_int(finish(process), 0);
		check_int(statistics_of(engine).servers_made, served ? 1 : 0);
		if (close_it)
			close_engine(engine);
		_exit(0);
	}
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
}

/* A fork of the application uses servers of its own, and leaves those of the original alone. */
SCENARIO(forkserver_ends, forked_copy)
{
	struct pidring *engine = open_parked(3);
	struct pidring_process *running = start_served(engine, sleep_forever, NULL, 0);
	uint64_t made = statistics_of(engine).servers_made;

	for (int i = 0; i < 4; i++) {
		check_copy(engine, i % 2);
		check_still_serves(engine);
		check_int(pidring_process_is_alive(running), 1);
	}
	check_int(statistics_of(engine).servers_made, made);
	kill_and_free(running);
	close_engine(engine);
}

/* The copy outlives the original's engine. */
SCENARIO(forkserver_ends, copy_outlives_the_engine)
{
	struct latch latch = latch_open();
	struct pidring *engine = open_parked(3);
	pid_t pid;
	int status;

	check_still_serves(engine);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		latch_wait(&latch);
		for (int i = 0; i < 5; i++)
			check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
		close_engine(engine);
		_exit(0);
	}
	close_engine(engine);
	check_int(find_servants("pidring-parked", NULL, 0), 0);
	latch_release(&latch);
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
	latch_close(&latch);
}

/* --- PID namespaces --- */

/* A child that is PID 1 of a new namespace; in a new user namespace if that is what it takes. */
static pid_t clone_init(void)
{
	uint64_t arguments[11] = { CLONE_NEWPID, [4] = SIGCHLD };
	long pid = syscall(SYS_clone3, arguments, 64);

	if (pid < 0) {
		arguments[0] |= CLONE_NEWUSER;
		pid = syscall(SYS_clone3, arguments, 64);
	}
	if (pid < 0)
		skip("no PID namespace can be made here");
	return (pid_t)pid;
}

static void use_engine(struct pidring *engine)
{
	for (int i = 0; i < 8; i++) {
		struct pidring_process *process = start_served(engine, return_argument, &i, sizeof(i));

		check_int(finish(process), i);
		check_int(finish(start_served_program(engine, (const char *[]){ "true", NULL })), 0);
	}
}

/* The application is PID 1: the kernel refuses its servers what they need, and a fork is used instead. */
SCENARIO(forkserver_ends, application_is_init)
{
	int status;
	pid_t pid = clone_init();

	if (pid == 0) {
		struct pidring *engine = open_parked(3);

		check_int(getpid(), 1);
		use_engine(engine);
		close_engine(engine);
		check(waitpid(-1, NULL, WNOHANG | __WALL) < 0);
		_exit(0);
	}
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
}

static int unshare_pids(void)
{
	return unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0;
}

/* The application's children go to a new namespace, as whose first process a server would be: a fork is used. */
SUBPROGRAM(forkserver_new_namespace)
{
	struct pidring *engine;
	struct pidring_process *process;

	if (!unshare_pids())
		return EXIT_SKIPPED;
	engine = open_parked(3);
	process = start_served(engine, return_zero, NULL, 0);
	check(pidring_process_birth(process) != PIDRING_BIRTH_NONE);
	check_int(finish(process), 0);
	close_engine(engine);
	return 0;
}

SCENARIO(forkserver_ends, children_in_a_new_namespace)
{
	int code = run_subprogram("forkserver_new_namespace", NULL, NULL);

	if (code == EXIT_SKIPPED)
		skip("no PID namespace can be made here");
	check_int(code, 0);
}

/* The same after the server was made: it goes on where it is. */
SUBPROGRAM(forkserver_new_namespace_later)
{
	struct pidring *engine = open_parked(3);

	use_engine(engine);
	if (!unshare_pids())
		return EXIT_SKIPPED;
	/* When the first process of the namespace has ended the kernel lets nobody in any more (pid_namespaces(7)): there can be
	 * only one that comes by a fork. Who is not root has made a user namespace, too, and so has other power than the server,
	 * which is made anew, or done without. */
	if (serves(engine) && geteuid() == 0)
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	check_int(pidring_restart_forkserver(engine), 0);
	check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	close_engine(engine);
	return 0;
}

SCENARIO(forkserver_ends, children_in_a_new_namespace_later)
{
	int code = run_subprogram("forkserver_new_namespace_later", NULL, NULL);

	if (code == EXIT_SKIPPED)
		skip("no PID namespace can be made here");
	check_int(code, 0);
}
