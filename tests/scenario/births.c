/* SPDX-License-Identifier: MIT */
/* How children come to be: which path is taken, what it leaves alone, and what a failure rolls back. */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

extern char **environ;

static bool is_small(void)
{
	return getenv("PIDRING_TEST_SMALL") != NULL;
}

static const char *forced_clone(void)
{
	const char *value = getenv("PIDRING_CLONE");

	return value == NULL ? "" : value;
}

static void *do_nothing(void *argument)
{
	return argument;
}

static void *wait_in_thread(void *latch)
{
	latch_wait(latch);
	return NULL;
}

/* From now on libc knows this process as one that had threads. */
static void become_threaded(pthread_t *ret_thread, struct latch *latch)
{
	*latch = latch_open();
	check_int(pthread_create(ret_thread, NULL, wait_in_thread, latch), 0);
}

static void become_single(pthread_t thread, struct latch *latch)
{
	latch_release(latch);
	check_int(pthread_join(thread, NULL), 0);
	latch_close(latch);
}

/* --- which path --- */

static enum pidring_birth birth_of_program(struct pidring *engine)
{
	struct pidring_process *process = start_program(engine, "true", NULL);
	enum pidring_birth birth = pidring_process_birth(process);

	check_int(finish(process), 0);
	return birth;
}

static enum pidring_birth birth_of_function(struct pidring *engine, bool libc_fork)
{
	struct pidring_process *process = start_process(
		engine, (struct pidring_options){ .target = return_zero, .libc_fork = libc_fork });
	enum pidring_birth birth = pidring_process_birth(process);

	check_int(finish(process), 0);
	return birth;
}

static bool kernel_is_at_least(int major, int minor)
{
	struct utsname name;
	int found[2] = { 0, 0 };

	check_int(uname(&name), 0);
	check_int(sscanf(name.release, "%d.%d", &found[0], &found[1]), 2);
	return found[0] > major || (found[0] == major && found[1] >= minor);
}

/* What the features promise is what happens, before and after a first thread. */
SCENARIO(births, features_tell_the_truth)
{
	struct pidring *engine = open_engine();
	struct pidring_features features = features_of(engine);
	struct latch latch;
	pthread_t thread;

	check_int(birth_of_program(engine), features.program_birth);
	check_int(birth_of_function(engine, false), features.function_birth);
	become_threaded(&thread, &latch);
	features = features_of(engine);
	check_int(features.function_birth, PIDRING_BIRTH_FORK);
	check_int(birth_of_program(engine), features.program_birth);
	check_int(birth_of_function(engine, false), PIDRING_BIRTH_FORK);
	become_single(thread, &latch);
	close_engine(engine);
}

/* With nothing forced, on a kernel that has everything, the fast paths are the ones taken. */
SCENARIO(births, fast_paths)
{
	struct pidring *engine = open_engine();

	if (forced_clone()[0] != '\0' || is_small() || !kernel_is_at_least(6, 15)) {
		close_engine(engine);
		skip("the environment does not leave the choice free");
	}
	check_int(features_of(engine).program_birth, PIDRING_BIRTH_CLONE_VM);
	check_int(birth_of_program(engine), PIDRING_BIRTH_CLONE_VM);
	check_int(birth_of_function(engine, false), PIDRING_BIRTH_CLONE);
	check(features_of(engine).close_range);
	check(features_of(engine).clear_signal_handlers);
	check(features_of(engine).exit_information);
	close_engine(engine);
}

/* PIDRING_CLONE=vfork and =fork force their paths. */
SCENARIO(births, forced_paths)
{
	struct pidring *engine = open_engine();

	if (strcmp(forced_clone(), "vfork") == 0) {
		check_int(birth_of_program(engine), PIDRING_BIRTH_CLONE_VFORK);
	} else if (strcmp(forced_clone(), "fork") == 0) {
		check_int(birth_of_program(engine), PIDRING_BIRTH_FORK_EXEC);
		check_int(birth_of_function(engine, false), PIDRING_BIRTH_FORK);
	} else {
		close_engine(engine);
		skip("nothing is forced");
	}
	close_engine(engine);
}

/* An object has no birth before its start, and keeps it after its end. */
SCENARIO(births, birth_belongs_to_the_object)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = new_function(engine, return_zero, NULL);
	enum pidring_birth birth;

	check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
	check_int(pidring_process_start(process), 0);
	birth = pidring_process_birth(process);
	check(birth != PIDRING_BIRTH_NONE);
	check_int(join_code(process), 0);
	check_int(pidring_process_birth(process), birth);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- fork handlers --- */

static int prepared, parented;
static atomic_int *childed;

static void count_prepare(void)
{
	prepared++;
}

static void count_parent(void)
{
	parented++;
}

static void count_child(void)
{
	atomic_fetch_add(childed, 1);
}

static void *shared_page(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	return page;
}

/* The fork handlers of the host run with libc's fork and not with clone3. */
SCENARIO(births, fork_handlers)
{
	struct pidring *engine = open_engine();
	int expected = 1;

	childed = shared_page();
	check_int(pthread_atfork(count_prepare, count_parent, count_child), 0);
	check_int(birth_of_function(engine, true), PIDRING_BIRTH_FORK);
	check_int(prepared, 1);
	check_int(parented, 1);
	check_int(atomic_load(childed), 1);
	if (birth_of_function(engine, false) == PIDRING_BIRTH_FORK)
		expected = 2;
	check_int(prepared, expected);
	check_int(parented, expected);
	check_int(atomic_load(childed), expected);
	munmap(childed, 4096);
	close_engine(engine);
}

/* --- libc in function children --- */

static pthread_mutex_t mutex_of(int type)
{
	pthread_mutex_t mutex;
	pthread_mutexattr_t attributes;

	check_int(pthread_mutexattr_init(&attributes), 0);
	check_int(pthread_mutexattr_settype(&attributes, type), 0);
	check_int(pthread_mutex_init(&mutex, &attributes), 0);
	pthread_mutexattr_destroy(&attributes);
	return mutex;
}

static atomic_int signals_seen;

static void count_signal(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&signals_seen, 1);
}

static int use_thread_identity(void *argument)
{
	pthread_mutex_t recursive = mutex_of(PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_t checking = mutex_of(PTHREAD_MUTEX_ERRORCHECK);
	const pthread_t *parent_self = argument;
	pthread_t thread;
	void *result = NULL;
	int value = 5;

	check_int(gettid(), getpid());
	check_int(gettid(), syscall(SYS_gettid));
	check(pthread_equal(pthread_self(), *parent_self));
	check_int(pthread_mutex_lock(&recursive), 0);
	check_int(recursive.__data.__owner, getpid());
	check_int(pthread_mutex_lock(&recursive), 0);
	check_int(pthread_mutex_unlock(&recursive), 0);
	check_int(pthread_mutex_unlock(&recursive), 0);
	check_int(pthread_mutex_lock(&checking), 0);
	check_int(checking.__data.__owner, getpid());
	check_int(pthread_mutex_lock(&checking), EDEADLK);
	check_int(pthread_mutex_unlock(&checking), 0);
	check_int(pthread_mutex_unlock(&checking), EPERM);
	signal(SIGUSR1, count_signal);
	check_int(raise(SIGUSR1), 0);
	check_int(atomic_load(&signals_seen), 1);
	check_int(pthread_kill(pthread_self(), SIGUSR1), 0);
	check_int(atomic_load(&signals_seen), 2);
	check_int(pthread_create(&thread, NULL, do_nothing, &value), 0);
	check_int(pthread_join(thread, &result), 0);
	check(result == &value);
	return 0;
}

/* A function child is a thread with an identity of its own: mutexes that know their owner, raise,
 * pthread_kill and new threads work. */
SCENARIO(births, thread_identity_of_the_child)
{
	struct pidring *engine = open_engine();
	pthread_t self = pthread_self();

	check_int(finish(start_function(engine, use_thread_identity, &self)), 0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = use_thread_identity,
	                                                                 .argument = &self,
	                                                                 .libc_fork = true })),
	          0);
	check_int(gettid(), getpid());
	close_engine(engine);
}

static int use_identity_in_grandchild(void *argument)
{
	pthread_t self = pthread_self();

	return finish(start_function(argument, use_thread_identity, &self));
}

/* The same one level further down. */
SCENARIO(births, thread_identity_of_the_grandchild)
{
	struct pidring *engine = open_engine();

	check_int(finish(start_function(engine, use_identity_in_grandchild, engine)), 0);
	close_engine(engine);
}

static int lock_and_die(void *argument)
{
	check_int(pthread_mutex_lock(argument), 0);
	_exit(0);
}

/* A child that dies with a robust mutex leaves it to the parent: its list of robust mutexes is registered. */
SCENARIO(births, robust_mutex)
{
	struct pidring *engine = open_engine();
	pthread_mutex_t *mutex = shared_page();
	pthread_mutexattr_t attributes;

	check_int(pthread_mutexattr_init(&attributes), 0);
	check_int(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	check_int(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
	check_int(pthread_mutex_init(mutex, &attributes), 0);
	pthread_mutexattr_destroy(&attributes);
	for (int round = 0; round < 3; round++) {
		check_int(finish(start_function(engine, lock_and_die, mutex)), 0);
		check_int(pthread_mutex_lock(mutex), EOWNERDEAD);
		check_int(pthread_mutex_consistent(mutex), 0);
		check_int(pthread_mutex_unlock(mutex), 0);
	}
	munmap(mutex, 4096);
	close_engine(engine);
}

/* --- what a start leaves alone in the caller --- */

/* The child of an asynchronous start shares the caller's memory for a while; it never writes the caller's
 * errno. */
SCENARIO(births, errno_stays_during_asynchronous_starts)
{
	struct pidring *engine = open_engine();
	const char *const programs[][2] = { { "true", NULL }, { "/nonexistent/program", NULL } };

	for (int round = 0; round < 40; round++) {
		struct pidring_process *process =
			start_process(engine, (struct pidring_options){ .argv = programs[round % 2],
		                                                        .asynchronous = true });
		struct pollfd entry = { .fd = pidring_process_sentinel(process), .events = POLLIN };
		int count;

		errno = 4321;
		count = poll(&entry, 1, -1);
		check_int(errno, 4321);
		check_int(count, 1);
		check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		pidring_process_free(process);
	}
	close_engine(engine);
}

static void start_every_kind(struct pidring *engine)
{
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const good[] = { "true", NULL };
	struct pidring_process *group[2];

	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(birth_of_function(engine, true), PIDRING_BIRTH_FORK);
	check_int(finish(start_process(engine, (struct pidring_options){ .argv = good })), 0);
	check_int(
		finish(start_process(engine, (struct pidring_options){ .argv = good, .asynchronous = true })),
		0);
	check_int(finish(start_process(engine, (struct pidring_options){ .argv = good, .daemon = 1 })), 0);
	group[0] = new_process(engine, (struct pidring_options){ .argv = missing });
	group[1] = new_process(engine, (struct pidring_options){ .argv = good });
	check_int(pidring_process_start(group[0]), -ENOENT);
	check_int(pidring_start_many(group, 2), 1);
	check_int(join_code(group[1]), 0);
	pidring_process_free(group[0]);
	pidring_process_free(group[1]);
}

/* No start, good or failing, changes the signal mask of the caller. */
SCENARIO(births, signal_mask_stays)
{
	struct pidring *engine = open_engine();
	sigset_t before;
	sigset_t after;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigaddset(&before, SIGCHLD);
	sigaddset(&before, SIGRTMIN + 3);
	check_int(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	start_every_kind(engine);
	check_int(sigprocmask(SIG_SETMASK, NULL, &after), 0);
	for (int number = 1; number <= SIGRTMAX; number++)
		check_int(sigismember(&after, number), sigismember(&before, number));
	close_engine(engine);
}

struct deliveries {
	pid_t parent;
	atomic_int in_parent;
	atomic_int elsewhere;
	atomic_bool stop;
};

static struct deliveries *deliveries;

static void count_delivery(int signal_number)
{
	(void)signal_number;
	if (syscall(SYS_getpid) == deliveries->parent)
		atomic_fetch_add(&deliveries->in_parent, 1);
	else
		atomic_fetch_add(&deliveries->elsewhere, 1);
}

static void *send_signals(void *argument)
{
	sigset_t set;

	(void)argument;
	sigfillset(&set);
	check_int(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	while (!atomic_load(&deliveries->stop))
		check_int(kill(deliveries->parent, SIGUSR1), 0);
	return NULL;
}

/* Signals that arrive while children are made run handlers in the parent, never in a half-made child. */
SCENARIO(births, signals_during_starts)
{
	struct pidring *engine = open_engine();
	struct sigaction action = { .sa_handler = count_delivery, .sa_flags = SA_RESTART };
	int rounds = is_small() ? 3 : 25;
	pthread_t thread;

	deliveries = shared_page();
	deliveries->parent = getpid();
	sigemptyset(&action.sa_mask);
	check_int(sigaction(SIGUSR1, &action, NULL), 0);
	check_int(pthread_create(&thread, NULL, send_signals, NULL), 0);
	for (int round = 0; round < rounds; round++)
		start_every_kind(engine);
	while (atomic_load(&deliveries->in_parent) == 0)
		sched_yield();
	atomic_store(&deliveries->stop, true);
	check_int(pthread_join(thread, NULL), 0);
	check_int(atomic_load(&deliveries->elsewhere), 0);
	munmap(deliveries, sizeof(*deliveries));
	close_engine(engine);
}

/* --- failing starts --- */

static char *directory_for_files(void)
{
	static char path[64];

	strcpy(path, "/tmp/pidring-births-XXXXXX");
	check(mkdtemp(path) != NULL);
	return path;
}

static const char *file_in(const char *directory, const char *name)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];

	check((size_t)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name) < sizeof(paths[0]));
	return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(descriptor >= 0);
	check_int(write(descriptor, text, strlen(text)), strlen(text));
	check_int(close(descriptor), 0);
	check_int(chmod(path, mode), 0);
}

/* Nothing is left of a failed start but the reason for it. */
static void check_rolled_back(struct pidring_process *process, int descriptors)
{
	struct pidring_failure failure;

	check_int(count_descriptors(), descriptors);
	check(has_no_children());
	check_int(pidring_process_pid(process), -ESRCH);
	check_int(pidring_process_sentinel(process), -ESRCH);
	check_int(pidring_process_is_alive(process), 0);
	check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
	check_contains(describe(process), " initial");
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_process_failure(process, &failure), 0);
}

static void check_fails(struct pidring_process *process, int error, enum pidring_step step)
{
	struct pidring_failure failure;
	int descriptors = count_descriptors();

	for (int i = 0; i < 3; i++) {
		check_int(pidring_process_start(process), -error);
		check(strlen(pidring_explain()) > 0);
		check_rolled_back(process, descriptors);
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.error, error);
		check_int(failure.step, step);
		check(strlen(failure.sentence) > 0);
	}
}

static void check_starts_now(struct pidring_process *process)
{
	struct pidring_failure failure;

	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_failure(process, &failure), -ENODATA);
	check_int(finish(process), 0);
}

/* A program that is missing, and is there later. */
SCENARIO(births, missing_program)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "program");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });

	check_fails(process, ENOENT, PIDRING_STEP_EXEC);
	check_int(symlink("/bin/true", path), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A name that no directory of PATH has: nothing is created at all. */
SCENARIO(births, missing_in_path)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "pidring-test-program");
	const char *const argv[] = { "pidring-test-program", NULL };
	struct pidring_process *process;

	check_int(setenv("PATH", directory, 1), 0);
	process = new_process(engine, (struct pidring_options){ .argv = argv });
	check_fails(process, ENOENT, PIDRING_STEP_LOOK_UP);
	check_int(symlink("/bin/true", path), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A script whose interpreter is missing: the sentence names it. */
SCENARIO(births, missing_interpreter)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "script");
	const char *interpreter = file_in(directory, "interpreter");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });
	struct pidring_failure failure;
	char text[300];

	snprintf(text, sizeof(text), "#!%s\n", interpreter);
	write_file(path, text, 0755);
	check_fails(process, ENOENT, PIDRING_STEP_INTERPRETER);
	check_int(pidring_process_failure(process, &failure), 0);
	check_contains(failure.sentence, "interpreter");
	check_int(symlink("/bin/true", interpreter), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(unlink(interpreter), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A file that may not be executed, also not by root. */
SCENARIO(births, program_not_executable)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "script");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });

	write_file(path, "#!/bin/sh\nexit 0\n", 0644);
	check_fails(process, EACCES, PIDRING_STEP_EXEC);
	check_int(chmod(path, 0755), 0);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A file in no format that the kernel knows is not handed to a shell. */
SCENARIO(births, program_in_no_format)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "script");
	const char *const argv[] = { path, NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });

	write_file(path, "exit 0\n", 0755);
	check_fails(process, ENOEXEC, PIDRING_STEP_EXEC);
	write_file(path, "#!/bin/sh\nexit 0\n", 0755);
	check_starts_now(process);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A working directory that is missing, for a program. */
SCENARIO(births, missing_directory_of_program)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "below");
	const char *const argv[] = { "true", NULL };
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .argv = argv, .working_directory = path });

	check_fails(process, ENOENT, PIDRING_STEP_WORKING_DIRECTORY);
	check_int(mkdir(path, 0700), 0);
	check_starts_now(process);
	check_int(rmdir(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A working directory that is missing, for a function: the start fails, not the child later. */
SCENARIO(births, missing_directory_of_function)
{
	struct pidring *engine = open_engine();
	const char *directory = directory_for_files();
	const char *path = file_in(directory, "below");
	struct pidring_process *process = new_process(
		engine, (struct pidring_options){ .target = return_zero, .working_directory = path });

	check_fails(process, ENOENT, PIDRING_STEP_WORKING_DIRECTORY);
	check_int(mkdir(path, 0700), 0);
	check_starts_now(process);
	check_int(rmdir(path), 0);
	check_int(rmdir(directory), 0);
	close_engine(engine);
}

/* A stream whose descriptor was closed between construction and start. */
SCENARIO(births, stream_closed_since)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "true", NULL };

	for (int kind = 0; kind < 2; kind++) {
		int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
		struct pidring_options options = { .stdout_to = PIDRING_STREAM_DESCRIPTOR,
			                           .stdout_descriptor = descriptor };
		struct pidring_process *process;
		int descriptors;

		if (kind == 0)
			options.argv = argv;
		else
			options.target = return_zero;
		process = new_process(engine, options);
		check_int(close(descriptor), 0);
		descriptors = count_descriptors();
		check_int(pidring_process_start(process), -EBADF);
		check_rolled_back(process, descriptors);
		check_int(open("/dev/null", O_RDWR | O_CLOEXEC), descriptor);
		check_starts_now(process);
		check_int(close(descriptor), 0);
	}
	close_engine(engine);
}

/* Only so many more descriptors can be opened. */
static struct rlimit leave_descriptors(int count)
{
	struct rlimit before;
	struct rlimit tight;
	int lowest[16] = { 0 };

	check(count < 16);
	check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	/* The next `count` free numbers are below the limit and no others. */
	for (int i = 0; i <= count; i++)
		lowest[i] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	tight.rlim_cur = (rlim_t)lowest[count];
	for (int i = 0; i <= count; i++)
		close(lowest[i]);
	check_int(setrlimit(RLIMIT_NOFILE, &tight), 0);
	return before;
}

static void check_with_few_descriptors(struct pidring *engine, struct pidring_options options)
{
	int failed = 0;
	int worked = 0;

	for (int left = 0; left < 12; left++) {
		struct pidring_process *process = new_process(engine, options);
		int descriptors = count_descriptors();
		struct rlimit before = leave_descriptors(left);
		int result = pidring_process_start(process);

		check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (result == 0) {
			worked++;
			check_int(finish(process), 0);
			continue;
		}
		check_int(result, -EMFILE);
		failed++;
		check_rolled_back(process, descriptors);
		check_starts_now(process);
	}
	check(failed >= 1);
	check(worked >= 1);
}

/* With too few free descriptors, however many, a start fails as a whole or works as a whole. */
SCENARIO(births, few_descriptors)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "true", NULL };

	check_with_few_descriptors(engine, (struct pidring_options){ .target = return_zero });
	check_with_few_descriptors(engine,
	                           (struct pidring_options){ .target = return_zero, .libc_fork = true });
	check_with_few_descriptors(engine, (struct pidring_options){ .argv = argv });
	check_with_few_descriptors(engine, (struct pidring_options){ .argv = argv, .daemon = PIDRING_YES });
	check_with_few_descriptors(engine, (struct pidring_options){ .argv = argv,
	                                                             .stdin_to = PIDRING_STREAM_NULL,
	                                                             .stdout_to = PIDRING_STREAM_NULL });
	close_engine(engine);
}

/* The same for asynchronous starts, whose failure may come as an event. */
SCENARIO(births, few_descriptors_asynchronous)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "true", NULL };

	for (int left = 0; left < 12; left++) {
		struct pidring_process *process =
			new_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
		int descriptors = count_descriptors();
		struct rlimit before = leave_descriptors(left);
		int result = pidring_process_start(process);

		if (result == 0)
			check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (result == 0) {
			pidring_process_free(process);
			continue;
		}
		check_int(result, -EMFILE);
		check_rolled_back(process, descriptors);
		pidring_process_free(process);
	}
	close_engine(engine);
}

SUBPROGRAM(births_process_limit)
{
	struct pidring *engine;
	struct rlimit before;
	struct rlimit tight;
	const char *const program[] = { "true", NULL };

	if (setgid(54321) < 0 || setuid(54321) < 0)
		skip("cannot become another user");
	check_int(prctl(PR_SET_DUMPABLE, 1), 0);
	engine = open_engine();
	check_int(getrlimit(RLIMIT_NPROC, &before), 0);
	tight = before;
	tight.rlim_cur = 1;
	for (int kind = 0; kind < 3; kind++) {
		struct pidring_options options = { 0 };
		struct pidring_process *process;

		if (kind == 0)
			options.argv = program;
		else
			options.target = return_zero;
		options.libc_fork = kind == 2;
		process = new_process(engine, options);
		check_int(setrlimit(RLIMIT_NPROC, &tight), 0);
		check_fails(process, EAGAIN, PIDRING_STEP_CLONE);
		check_int(setrlimit(RLIMIT_NPROC, &before), 0);
		check_starts_now(process);
	}
	close_engine(engine);
	return 0;
}

/* A user who may have no more processes gets -EAGAIN, and everything is as before. */
SCENARIO(births, process_limit)
{
	int code = run_subprogram("births_process_limit", NULL, NULL);

	if (code == EXIT_SKIPPED)
		skip("cannot become another user");
	check_int(code, 0);
}

/* Many failing starts in a row leave no descriptor and no child. */
SCENARIO(births, many_failing_starts)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/nonexistent/program", NULL };
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .argv = argv });
	int rounds = is_small() ? 20 : 300;
	int descriptors;

	check_int(pidring_process_start(process), -ENOENT);
	descriptors = count_descriptors();
	for (int round = 0; round < rounds; round++)
		check_int(pidring_process_start(process), -ENOENT);
	check_rolled_back(process, descriptors);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- a program whose execve takes as long as the scenario wants --- */

/* A lease on the file makes execve wait until the lease is given back. */
/* An asynchronous start comes back with a pid while execve has not happened; its events come when it has. */
SCENARIO(births, asynchronous_start_does_not_wait)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	const char *const argv[] = { slow.path, NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	struct pidring_event event;

	check(pidring_process_pid(process) > 0);
	check(pidring_process_sentinel(process) >= 0);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check_int(pidring_process_close(process), -EBUSY);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_wait(engine, &event, 1, 20 * MILLISECONDS), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(finish(start_program(engine, "true", NULL)), 0);
	let_go(&slow);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 0);
	check_int(finish(process), 0);
	remove_slow_program(&slow);
	close_engine(engine);
}

/* A child that is killed before its execve ends as killed, and one end is told. */
SCENARIO(births, killed_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	const char *const argv[] = { slow.path, NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	struct pidring_event event = { 0 };

	check_int(pidring_process_kill(process), 0);
	while (event.type != PIDRING_EXITED)
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.code, -SIGKILL);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(finish(process), -SIGKILL);
	let_go(&slow);
	remove_slow_program(&slow);
	check_int(finish(start_program(engine, "true", NULL)), 0);
	close_engine(engine);
}

/* The object may be freed and the engine closed while the child is still on its way to execve. */
SCENARIO(births, freed_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	const char *const argv[] = { slow.path, NULL };
	struct pidring_process *freed =
		start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	struct pidring_process *kept =
		start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	siginfo_t information = { 0 };
	pid_t pid = pidring_process_pid(freed);

	pidring_process_free(freed);
	close_engine(engine);
	let_go(&slow);
	check_int(finish(kept), 0);
	check_int(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL), 0);
	check_int(information.si_code, CLD_EXITED);
	check_int(information.si_status, 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_live_objects(), 0);
	remove_slow_program(&slow);
}

/* A signal that comes before execve is not lost: it ends the child there or as soon as the program runs. */
SCENARIO(births, terminated_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	const char *const argv[] = { slow.path, NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });

	check_int(pidring_process_terminate(process), 0);
	let_go(&slow);
	check_int(finish(process), -SIGTERM);
	remove_slow_program(&slow);
	close_engine(engine);
}

/* A copy of the host that is made in the middle of an asynchronous start frees the object and closes the
 * engine without waiting for a word that never comes there; the original's start goes on. */
SCENARIO(births, copied_before_execve)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	const char *const argv[] = { slow.path, NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	struct pidring_event event;
	int status = -1;
	pid_t copy = fork();

	check(copy >= 0);
	if (copy == 0) {
		alarm(60);
		check_contains(describe(process), " unknown");
		check_int(finish(start_program(engine, "true", NULL)), 0);
		pidring_process_free(process);
		check_int(pidring_close(engine), 0);
		_exit(0);
	}
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	let_go(&slow);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	check_int(finish(process), 0);
	remove_slow_program(&slow);
	close_engine(engine);
}

struct slow_start {
	struct pidring_process *process;
	atomic_int thread_id;
	int result;
};

static void *start_slowly(void *argument)
{
	struct slow_start *slow_start = argument;

	atomic_store(&slow_start->thread_id, gettid());
	slow_start->result = pidring_process_start(slow_start->process);
	return NULL;
}

/* Until the child of the start is there, wherever the starting thread is. */
static void wait_for_a_child(void)
{
	for (;;) {
		siginfo_t information = { 0 };

		/* WNOHANG succeeds when there is a child and fails with ECHILD when there is none. */
		if (waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0)
			return;
		check_int(errno, ECHILD);
		sched_yield();
	}
}

/* A start that waits for a slow execve holds up nobody else. */
SCENARIO(births, slow_start_holds_up_nobody)
{
	struct slow_program slow = make_slow_program();
	struct pidring *engine = open_engine();
	const char *const argv[] = { slow.path, NULL };
	struct slow_start slow_start = { .process = new_process(engine,
		                                                (struct pidring_options){ .argv = argv }) };
	pthread_t thread;

	check_int(pthread_create(&thread, NULL, start_slowly, &slow_start), 0);
	wait_for_a_child();
	check_int(finish(start_program(engine, "true", NULL)), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check(pidring_active_children(NULL, 0) <= 1);
	let_go(&slow);
	check_int(pthread_join(thread, NULL), 0);
	check_int(slow_start.result, 0);
	check_int(finish(slow_start.process), 0);
	remove_slow_program(&slow);
	close_engine(engine);
}

/* --- memory and environment after an asynchronous start --- */

/* Arguments and environment may be overwritten and freed as soon as the object is constructed, and the object
 * right after the start. */
SCENARIO(births, arguments_may_be_overwritten)
{
	struct pidring *engine = open_engine();
	int rounds = is_small() ? 3 : 50;

	for (int round = 0; round < rounds; round++) {
		char *script = strdup("test \"$1\" = one && test \"$GIVEN\" = yes && printf good");
		char *one = strdup("one");
		char *given = strdup("GIVEN=yes");
		const char **argv = calloc(6, sizeof(*argv));
		const char **environment = calloc(2, sizeof(*environment));
		struct pidring_process *process;
		char answer[4];
		int ends[2];

		check(script != NULL && one != NULL && given != NULL && argv != NULL && environment != NULL);
		argv[0] = "/bin/sh";
		argv[1] = "-c";
		argv[2] = script;
		argv[3] = "sh";
		argv[4] = one;
		environment[0] = given;
		open_pipe(ends);
		process = new_process(engine, (struct pidring_options){
						      .argv = argv,
						      .environment = environment,
						      .asynchronous = true,
						      .stdout_to = PIDRING_STREAM_DESCRIPTOR,
						      .stdout_descriptor = ends[1],
					      });
		memset(script, 'x', strlen(script));
		memset(argv, 0, 6 * sizeof(*argv));
		check_int(pidring_process_start(process), 0);
		memset(one, 'x', strlen(one));
		memset(given, 'x', strlen(given));
		memset(environment, 0, 2 * sizeof(*environment));
		free(script);
		free(one);
		free(given);
		free(argv);
		free(environment);
		pidring_process_free(process);
		/* The stream must stay open until the program runs, and this says that it does. */
		check_int(read(ends[0], answer, sizeof(answer)), 4);
		check(memcmp(answer, "good", 4) == 0);
		close(ends[0]);
		close(ends[1]);
		while (waitid(P_ALL, 0, &(siginfo_t){ 0 }, WEXITED | WNOWAIT) == 0)
			pidring_active_children(NULL, 0);
	}
	close_engine(engine);
}

/* The environment that a child inherits is that of the moment of its start, whatever setenv does afterwards.
 */
SCENARIO(births, setenv_after_an_asynchronous_start)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/bin/sh", "-c", "test \"$PIDRING_TEST_VALUE\" = before", NULL };
	char name[64];
	char value[512];
	int rounds = is_small() ? 3 : 50;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int round = 0; round < rounds; round++) {
		struct pidring_process *process;

		check_int(setenv("PIDRING_TEST_VALUE", "before", 1), 0);
		process =
			start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
		check_int(setenv("PIDRING_TEST_VALUE", value, 1), 0);
		for (int i = 0; i < 20; i++) {
			snprintf(name, sizeof(name), "PIDRING_TEST_%d_%d", round, i);
			check_int(setenv(name, value, 1), 0);
		}
		check_int(unsetenv("PIDRING_TEST_VALUE"), 0);
		check_int(finish(process), 0);
	}
	close_engine(engine);
}

/* A descriptor that the library makes for the start only, such as that of the auth key, is there when the
 * child gets to it, however late. */
SCENARIO(births, authkey_arrives_every_time)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/bin/sh", "-c", "test -e /proc/self/fd/7", NULL };
	int rounds = is_small() ? 5 : 100;

	for (int round = 0; round < rounds; round++) {
		struct pidring_process *process =
			start_process(engine, (struct pidring_options){ .argv = argv,
		                                                        .authkey_descriptor = 7,
		                                                        .asynchronous = round % 2 == 0 });

		check_int(finish(process), 0);
	}
	close_engine(engine);
}

/* --- descriptors --- */

/* Prints which descriptors are open, without the one that the list is read from. */
SUBPROGRAM(births_list_descriptors)
{
	for (int descriptor = 0; descriptor < 20000; descriptor++)
		if (fcntl(descriptor, F_GETFD) >= 0)
			dprintf(STDOUT_FILENO, "%d ", descriptor);
	return 0;
}

static bool allow_descriptors(rlim_t count)
{
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= count)
		return true;
	if (limit.rlim_max < count)
		return false;
	limit.rlim_cur = count;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

enum { THOUSANDS = 5000 };

static int thousands[THOUSANDS];

static void open_thousands(void)
{
	for (int i = 0; i < THOUSANDS; i++) {
		thousands[i] = fcntl(STDERR_FILENO, F_DUPFD, 3);
		check(thousands[i] >= 0);
	}
	check(thousands[THOUSANDS - 1] > 4000);
}

static void close_thousands(void)
{
	for (int i = 0; i < THOUSANDS; i++)
		close(thousands[i]);
}

/* With 5,000 descriptors open that are not close-on-exec a program has 0, 1 and 2, and streams with numbers
 * above 4,000 come out right. */
SCENARIO(births, thousands_of_descriptors)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "births_list_descriptors", NULL };
	const char *const copy[] = { "sh", "-c", "cat; printf error >&2", NULL };
	struct pidring_process *process;
	int input[2];
	int output[2];
	int error[2];

	if (!allow_descriptors(6000))
		skip("not so many descriptors are allowed");
	open_thousands();
	check_text(output_of(engine, (struct pidring_options){ .argv = argv }, NULL), "0 1 2 ");
	open_pipe(input);
	open_pipe(output);
	open_pipe(error);
	check(input[0] > 4000 && output[1] > 4000 && error[1] > 4000);
	process = start_process(engine, (struct pidring_options){
						.argv = copy,
						.stdin_to = PIDRING_STREAM_DESCRIPTOR,
						.stdin_descriptor = input[0],
						.stdout_to = PIDRING_STREAM_DESCRIPTOR,
						.stdout_descriptor = output[1],
						.stderr_to = PIDRING_STREAM_DESCRIPTOR,
						.stderr_descriptor = error[1],
					});
	close(input[0]);
	close(output[1]);
	close(error[1]);
	check_int(write(input[1], "input", 5), 5);
	close(input[1]);
	check_text(read_all(output[0]), "input");
	check_text(read_all(error[0]), "error");
	close(output[0]);
	close(error[0]);
	check_int(finish(process), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	close_engine(engine);
	close_thousands();
}

/* The scenario's own 0, 1 and 2, put aside while three files stand in for them. */
struct standins {
	int saved[3];
	int files[3];
};

static struct standins put_standins(bool close_on_exec)
{
	struct standins standins;

	for (int i = 0; i < 3; i++) {
		standins.saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		standins.files[i] = memfd_create("stand-in", MFD_CLOEXEC);
		check(standins.saved[i] >= 0 && standins.files[i] >= 0);
	}
	for (int i = 0; i < 3; i++)
		dup3(standins.files[i], i, close_on_exec ? O_CLOEXEC : 0);
	return standins;
}

static void remove_standins(struct standins *standins)
{
	for (int i = 0; i < 3; i++) {
		dup2(standins->saved[i], i);
		close(standins->saved[i]);
	}
}

/* Each descriptor says its number into whatever file it leads to. */
SUBPROGRAM(births_write_numbers)
{
	for (int i = 0; i < 3; i++)
		if (write(i, &"012"[i], 1) != 1)
			return 1;
	return 0;
}

static int write_numbers(void *argument)
{
	return subprogram_births_write_numbers(0, argument);
}

static void check_standin(int file, int number, const int *placed)
{
	char expected[4] = "";
	char found[8] = "";
	size_t length = 0;

	for (int i = 0; i < 3; i++)
		if (placed[i] == number)
			expected[length++] = (char)('0' + i);
	expected[length] = '\0';
	check(pread(file, found, sizeof(found) - 1, 0) >= 0);
	check_text(found, expected);
	close(file);
}

static void check_crossing(struct pidring *engine, const int *placed, bool function, bool close_on_exec)
{
	const char *const argv[] = { own_path(), "--sub", "births_write_numbers", NULL };
	struct standins standins = put_standins(close_on_exec);
	struct pidring_options options = {
		.size = sizeof(options),
		.stdin_to = PIDRING_STREAM_DESCRIPTOR,
		.stdin_descriptor = placed[0],
		.stdout_to = PIDRING_STREAM_DESCRIPTOR,
		.stdout_descriptor = placed[1],
		.stderr_to = PIDRING_STREAM_DESCRIPTOR,
		.stderr_descriptor = placed[2],
	};
	struct pidring_process *process = NULL;
	int result;

	if (function)
		options.target = write_numbers;
	else
		options.argv = argv;
	result = pidring_process_new(&process, engine, &options);
	if (result == 0)
		result = pidring_process_start(process);
	if (result == 0)
		result = pidring_process_join(process, PIDRING_FOREVER);
	remove_standins(&standins);
	check_int(result, 0);
	check_int(finish(process), 0);
	for (int i = 0; i < 3; i++)
		check_standin(standins.files[i], i, placed);
}

static void check_all_crossings(bool function)
{
	struct pidring *engine = open_engine();

	for (int number = 0; number < 27; number++) {
		const int placed[3] = { number / 9, number / 3 % 3, number % 3 };

		check_crossing(engine, placed, function, number % 2 == 0);
	}
	close_engine(engine);
}

/* All 27 ways of connecting 0, 1 and 2 with each other, swaps and circles among them, for a program. */
SCENARIO(births, crossed_streams_of_program)
{
	check_all_crossings(false);
}

/* The same for a function. */
SCENARIO(births, crossed_streams_of_function)
{
	check_all_crossings(true);
}

/* In a host that has closed 0, 1 and 2 the engine's own descriptors may get these numbers; children do not
 * get them. */
SUBPROGRAM(births_without_streams)
{
	const char *const list[] = { own_path(), "--sub", "births_list_descriptors", NULL };
	int report = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 20);
	struct pidring *engine;
	struct pidring_process *running;
	const char *text;

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	engine = open_engine();
	running = start_function(engine, sleep_forever, NULL);
	text = output_of(engine, (struct pidring_options){ .argv = list }, NULL);
	dprintf(report, "%s", text);
	kill_and_free(running);
	close_engine(engine);
	return 0;
}

/* A program without standard streams of its own starts a program with one stream: it has that one and no
 * other. */
SCENARIO(births, host_without_streams)
{
	const char *output;

	check_int(run_subprogram("births_without_streams", NULL, &output), 0);
	check_text(output, "1 ");
}
