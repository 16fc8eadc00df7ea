/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct pidring *engine;

/* After start the pid, the sentinel and the place among the children are there. */
SCENARIO(start, gives_pid_sentinel_and_place)
{
	struct latch latch = latch_open();
	struct pidring_process *process, *child = NULL;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check(pidring_process_pid(process) > 0);
	check(process_state(pidring_process_pid(process)) != 0);
	check(pidring_process_sentinel(process) >= 0);
	check_int(pidring_process_is_alive(process), 1);
	check(pidring_process_birth(process) != PIDRING_BIRTH_NONE);
	check_int(pidring_active_children(&child, 1), 1);
	check(child == process);
	latch_release(&latch);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

static int write_pid(void *descriptor)
{
	pid_t pid = getpid();

	check_int(write(*(int *)descriptor, &pid, sizeof(pid)), sizeof(pid));
	return 0;
}

/* The pid is the one that the child sees, and stays after the end. */
SCENARIO(start, pid_is_the_childs_own)
{
	struct pidring_process *process;
	pid_t seen = 0;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_function(engine, write_pid, &ends[1]);
	check_int(read(ends[0], &seen, sizeof(seen)), sizeof(seen));
	check_int(pidring_process_pid(process), seen);
	check_int(join_code(process), 0);
	check_int(pidring_process_pid(process), seen);
	pidring_process_free(process);
	close_engine(engine);
	close(ends[0]);
	close(ends[1]);
}

/* A process is started once: not again while it runs, nor after its end. */
SCENARIO(start, second_time_is_refused)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	struct pidring_failure failure;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_STATE);
	latch_release(&latch);
	check_int(join_code(process), 0);
	check_int(pidring_process_start(process), -EALREADY);
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* "Closed" comes before "started already". */
SCENARIO(start, closed_is_checked_first)
{
	struct pidring_process *fresh, *used;

	engine = open_engine();
	fresh = new_function(engine, return_zero, NULL);
	used = start_function(engine, return_zero, NULL);
	check_int(join_code(used), 0);
	check_int(pidring_process_close(fresh), 0);
	check_int(pidring_process_close(used), 0);
	check_int(pidring_process_start(fresh), -EBADF);
	check_int(pidring_process_start(used), -EBADF);
	pidring_process_free(fresh);
	pidring_process_free(used);
	close_engine(engine);
}

/* "Started already" comes before "daemons may have no children". */
SCENARIO(start, second_time_is_checked_before_daemon)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	check_int(pidring_process_set_daemon(pidring_current_process(), true), 0);
	check_int(pidring_process_start(process), -EALREADY);
	check_int(pidring_process_set_daemon(pidring_current_process(), false), 0);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* The current process cannot be started, and that comes before the daemon check. */
SCENARIO(start, current_process_is_refused)
{
	struct pidring_process *current = pidring_current_process();

	check_int(pidring_process_start(current), -ECHILD);
	check_int(pidring_process_set_daemon(current, true), 0);
	check_int(pidring_process_start(current), -ECHILD);
}

static struct pidring_process *sibling;

static int start_sibling(void *unused)
{
	(void)unused;
	check_int(pidring_process_start(sibling), -ECHILD);
	return 0;
}

/* Only the process that constructed a process may start it; the refused attempt changes nothing. */
SCENARIO(start, another_process_is_refused)
{
	engine = open_engine();
	sibling = new_function(engine, return_zero, NULL);
	check_int(finish(start_function(engine, start_sibling, NULL)), 0);
	check_int(pidring_process_start(sibling), 0);
	check_int(finish(sibling), 0);
	close_engine(engine);
}

/* While the current process is a daemon nothing can be started, whatever the new one's flag says. */
SCENARIO(start, daemons_have_no_children)
{
	struct pidring_process *plain, *daemon;

	engine = open_engine();
	plain = new_function(engine, return_zero, NULL);
	daemon = new_process(engine, (struct pidring_options){ .target = return_zero, .daemon = true });
	check_int(pidring_process_set_daemon(pidring_current_process(), true), 0);
	check_int(pidring_process_start(plain), -EPERM);
	check_int(pidring_process_start(daemon), -EPERM);
	check_int(pidring_process_pid(plain), -ESRCH);
	check_int(pidring_process_set_daemon(pidring_current_process(), false), 0);
	check_int(pidring_process_start(plain), 0);
	check_int(pidring_process_start(daemon), 0);
	check_int(finish(plain), 0);
	check_int(finish(daemon), 0);
	close_engine(engine);
}

static int try_to_have_children(void *unused)
{
	struct pidring_process *function = new_function(engine, return_zero, NULL);
	struct pidring_process *not_daemon =
		new_process(engine, (struct pidring_options){ .target = return_zero, .daemon = PIDRING_NO });
	struct pidring_process *program = new_process(
		engine, (struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL } });

	(void)unused;
	check_int(pidring_process_start(function), -EPERM);
	check_int(pidring_process_start(not_daemon), -EPERM);
	check_int(pidring_process_start(program), -EPERM);
	return 0;
}

/* A daemon child cannot start anything. */
SCENARIO(start, daemon_child_cannot_start)
{
	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .target = try_to_have_children,
	                                                                 .daemon = true })),
	          0);
	close_engine(engine);
}

/* Each start first reaps the children that have ended. */
SCENARIO(start, reaps_the_ended)
{
	struct pidring_process *first, *second;
	int code = -1;

	engine = open_engine();
	first = start_function(engine, return_zero, NULL);
	wait_ended(first);
	second = start_function(engine, return_zero, NULL);
	check_int(process_state(pidring_process_pid(first)), 0);
	check_int(pidring_process_exit_code(first, &code), 0);
	check_int(code, 0);
	check_int(finish(second), 0);
	pidring_process_free(first);
	close_engine(engine);
}

static int print_word(void *word)
{
	printf("%s", (const char *)word);
	return 0;
}

SUBPROGRAM(print_around_a_start)
{
	engine = open_engine();
	printf("before,");
	check_int(finish(start_function(engine, print_word, "child,")), 0);
	printf("after");
	close_engine(engine);
	return 0;
}

/* Standard output is flushed before a function is started, so nothing is written twice. */
SCENARIO(start, standard_output_is_flushed_before)
{
	const char *output;

	check_int(run_subprogram("print_around_a_start", NULL, &output), 0);
	check_text(output, "before,child,after");
}

/* Streams for reading are not flushed: that would move the offset that they share with the child. */
SCENARIO(start, input_offsets_are_left_alone)
{
	FILE *file = tmpfile();
	off_t offset;

	check(file != NULL);
	for (int i = 0; i < 100; i++)
		fputs("line\n", file);
	rewind(file);
	check_int(fgetc(file), 'l');
	offset = lseek(fileno(file), 0, SEEK_CUR);
	engine = open_engine();
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(lseek(fileno(file), 0, SEEK_CUR), offset);
	close_engine(engine);
	fclose(file);
}

static void check_is_initial(struct pidring_process *process)
{
	int code;

	check_int(pidring_process_pid(process), -ESRCH);
	check_int(pidring_process_sentinel(process), -ESRCH);
	check_int(pidring_process_join(process, 0), -ESRCH);
	check_int(pidring_process_is_alive(process), 0);
	check_int(pidring_process_exit_code(process, &code), -EAGAIN);
	check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
	check_int(pidring_active_children(NULL, 0), 0);
	check_contains(describe(process), " initial>");
	check_int(pidring_outstanding(engine), 0);
}

/* A start that fails leaves the object as it was, with no descriptor; it can be started later. */
SCENARIO(start, failure_rolls_back)
{
	char directory[] = "/tmp/pidring-XXXXXX";
	char program[64];
	struct pidring_failure failure;
	struct pidring_process *process;
	int descriptors;

	check(mkdtemp(directory) != NULL);
	snprintf(program, sizeof(program), "%s/program", directory);
	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ program, NULL } });
	check_int(pidring_process_failure(process, &failure), -ENODATA);
	descriptors = count_descriptors();
	for (int i = 0; i < 3; i++) {
		check_int(pidring_process_start(process), -ENOENT);
		check_is_initial(process);
	}
	check_int(count_descriptors(), descriptors);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.error, ENOENT);
	check_contains(failure.sentence, program);
	check_int(symlink("/bin/true", program), 0);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_failure(process, &failure), -ENODATA);
	check_int(finish(process), 0);
	close_engine(engine);
	unlink(program);
	rmdir(directory);
}

static void check_start_without_descriptors(struct pidring_options options)
{
	struct pidring_process *process = new_process(engine, options);
	struct rlimit limit, none;
	int result;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = pidring_process_start(process);
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(result, -EMFILE);
	check_is_initial(process);
	check_int(waitpid(-1, NULL, WNOHANG), -1);
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 0);
}

/* Without a descriptor for the sentinel there is no child, and nothing is left of the attempt. */
SCENARIO(start, no_descriptor_left)
{
	int descriptors;

	engine = open_engine();
	descriptors = count_descriptors();
	check_start_without_descriptors((struct pidring_options){ .target = return_zero });
	check_start_without_descriptors(
		(struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL } });
	check_int(count_descriptors(), descriptors);
	close_engine(engine);
}

static void check_start_without_processes(struct pidring_options options)
{
	struct pidring_process *process = new_process(engine, options);
	struct pidring_failure failure;

	check_int(pidring_process_start(process), -EAGAIN);
	check_is_initial(process);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_CLONE);
	check_int(failure.error, EAGAIN);
	pidring_process_free(process);
}

/* The limit of processes makes a start fail with -EAGAIN and leaves nothing behind. */
SCENARIO(start, process_limit)
{
	struct rlimit limit, none;

	engine = open_engine();
	/* The limit does not hold for root. The user change makes /proc/self unreadable unless told
	 * otherwise. */
	if (getuid() == 0)
		check_int(setresuid(65534, 65534, 65534), 0);
	check_int(prctl(PR_SET_DUMPABLE, 1), 0);
	check_int(getrlimit(RLIMIT_NPROC, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	check_int(setrlimit(RLIMIT_NPROC, &none), 0);
	check_start_without_processes((struct pidring_options){ .target = return_zero });
	check_start_without_processes(
		(struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL } });
	check_int(setrlimit(RLIMIT_NPROC, &limit), 0);
	close_engine(engine);
}

/* When the engine is closed nothing can be started through it any more. */
SCENARIO(start, closed_engine_is_refused)
{
	struct pidring_process *function, *program;

	engine = open_engine();
	function = new_function(engine, return_zero, NULL);
	program = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL } });
	close_engine(engine);
	check_int(pidring_process_start(function), -ESHUTDOWN);
	check_int(pidring_process_start(program), -ESHUTDOWN);
	check_int(pidring_process_pid(function), -ESRCH);
	pidring_process_free(function);
	pidring_process_free(program);
}

/* Without a target the child does nothing and ends with 0. */
SCENARIO(start, no_target_ends_with_zero)
{
	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .name = "idle" })), 0);
	close_engine(engine);
}

static int check_argument(void *argument)
{
	check(argument == &engine);
	return 5;
}

/* The argument is handed on as it is. */
SCENARIO(start, argument_is_handed_on)
{
	engine = open_engine();
	check_int(finish(start_function(engine, check_argument, &engine)), 5);
	close_engine(engine);
}

/* All texts of the options are copied by the construction. */
SCENARIO(start, options_are_copied)
{
	char shell[] = "/bin/sh", flag[] = "-c", script[] = "echo $WORD; pwd; exit 4", word[] = "WORD=first";
	char directory[] = "/usr", name[] = "given", type[] = "Kind";
	const char *argv[] = { shell, flag, script, NULL };
	const char *extra[] = { word, NULL };
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .argv = argv,
	                                                        .extra_environment = extra,
	                                                        .working_directory = directory,
	                                                        .name = name,
	                                                        .type_name = type,
	                                                        .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                        .stdout_descriptor = ends[1] });
	memset(shell, 'x', sizeof(shell) - 1);
	memset(flag, 'x', sizeof(flag) - 1);
	memset(script, 'x', sizeof(script) - 1);
	memset(word, 'x', sizeof(word) - 1);
	memset(directory, 'x', sizeof(directory) - 1);
	memset(name, 'x', sizeof(name) - 1);
	memset(type, 'x', sizeof(type) - 1);
	argv[0] = extra[0] = NULL;
	check_int(pidring_process_start(process), 0);
	close(ends[1]);
	check_text(read_all(ends[0]), "first\n/usr\n");
	check_contains(describe(process), "<Kind name='given' ");
	check_int(finish(process), 4);
	close(ends[0]);
	close_engine(engine);
}

static int count_calls(void *count)
{
	return ++*(int *)count;
}

/* run calls the target here, as often as wanted, as long as the process is not started. */
SCENARIO(start, run_calls_the_target_here)
{
	struct pidring_process *process;
	int calls = 0;
	int code = 0;

	engine = open_engine();
	process = new_function(engine, count_calls, &calls);
	check_int(pidring_process_run(process, &code), 0);
	check_int(code, 1);
	check_int(pidring_process_run(process, NULL), 0);
	check_int(calls, 2);
	check_int(pidring_process_pid(process), -ESRCH);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_run(process, &code), -EINVAL);
	check_int(join_code(process), 3);
	check_int(pidring_process_run(process, &code), -EINVAL);
	check_int(calls, 2);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_run(process, &code), -EBADF);
	pidring_process_free(process);
	close_engine(engine);
}

/* run without a target gives 0; a program cannot be run here. */
SCENARIO(start, run_needs_no_target_but_no_program)
{
	struct pidring_process *idle, *program;
	int code = 9;

	engine = open_engine();
	idle = new_process(engine, (struct pidring_options){ .name = "idle" });
	program = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL } });
	check_int(pidring_process_run(idle, &code), 0);
	check_int(code, 0);
	check_int(pidring_process_run(program, &code), -EINVAL);
	pidring_process_free(idle);
	pidring_process_free(program);
	close_engine(engine);
}

static int some_value = 1;
static pid_t starter_group, starter_session;

static void on_signal(int number)
{
	(void)number;
}

static int look_around(void *descriptor)
{
	struct sigaction action;
	sigset_t mask;
	char directory[256];

	check_int(some_value, 2);
	some_value = 3;
	check_int(getpgrp(), starter_group);
	check_int(getsid(0), starter_session);
	check(descriptor_is_open(*(int *)descriptor));
	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, "/usr");
	check_int(umask(0), 031);
	check_int(sigaction(SIGUSR1, NULL, &action), 0);
	check(action.sa_handler == on_signal);
	check_int(sigaction(SIGUSR2, NULL, &action), 0);
	check(action.sa_handler == SIG_IGN);
	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	for (int number = 1; number < NSIG; number++)
		check_int(sigismember(&mask, number), number == SIGHUP);
	return 0;
}

/* A function child is a fork: memory, descriptors, directory, umask, group and signals are its parent's. */
SCENARIO(start, function_child_is_a_fork)
{
	struct sigaction catching = { .sa_handler = on_signal }, ignoring = { .sa_handler = SIG_IGN };
	sigset_t only_hangup, after;
	int descriptor = open("/dev/null", O_RDONLY);

	sigemptyset(&only_hangup);
	sigaddset(&only_hangup, SIGHUP);
	engine = open_engine();
	some_value = 2;
	starter_group = getpgrp();
	starter_session = getsid(0);
	check_int(chdir("/usr"), 0);
	umask(031);
	sigaction(SIGUSR1, &catching, NULL);
	sigaction(SIGUSR2, &ignoring, NULL);
	sigprocmask(SIG_SETMASK, &only_hangup, NULL);
	check_int(finish(start_function(engine, look_around, &descriptor)), 0);
	check_int(some_value, 2);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number < NSIG; number++)
		check_int(sigismember(&after, number), number == SIGHUP);
	close(descriptor);
	close_engine(engine);
}

static int check_own_session(void *unused)
{
	(void)unused;
	check_int(getsid(0), getpid());
	check_int(getpgrp(), getpid());
	return 0;
}

static int check_own_group(void *session)
{
	check_int(getpgrp(), getpid());
	check_int(getsid(0), *(pid_t *)session);
	return 0;
}

static int check_placed(void *unused)
{
	char directory[64];

	(void)unused;
	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, "/");
	check_int(umask(0), 017);
	return 0;
}

/* A function can be given a session, a group, a directory and a umask of its own. */
SCENARIO(start, function_child_can_be_placed)
{
	pid_t session = getsid(0);
	mode_t mask = umask(022);

	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .target = check_own_session,
	                                                                 .new_session = true })),
	          0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = check_own_group,
	                                                                 .argument = &session,
	                                                                 .new_group = true })),
	          0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = check_placed,
	                                                                 .working_directory = "/",
	                                                                 .set_umask = true,
	                                                                 .umask = 017 })),
	          0);
	check_int(umask(mask), 022);
	close_engine(engine);
}

/* A function's working directory that is not there makes the start fail in that step. */
SCENARIO(start, function_child_needs_its_directory)
{
	struct pidring_process *process;
	struct pidring_failure failure;

	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .target = return_zero,
	                                                        .working_directory = "/no/such/place" });
	check_int(pidring_process_start(process), -ENOENT);
	check_is_initial(process);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	check_contains(failure.sentence, "/no/such/place");
	pidring_process_free(process);
	close_engine(engine);
}

static int libc_fork_hooks;

static void count_atfork(void)
{
	libc_fork_hooks++;
}

static int return_atfork_count(void *unused)
{
	(void)unused;
	return libc_fork_hooks;
}

/* On request a function is started by libc's fork, which runs the handlers of pthread_atfork. */
SCENARIO(start, libc_fork_runs_its_handlers)
{
	struct pidring_process *process;

	engine = open_engine();
	check_int(pthread_atfork(NULL, NULL, count_atfork), 0);
	process = start_process(engine,
	                        (struct pidring_options){ .target = return_atfork_count, .libc_fork = true });
	check_int(pidring_process_birth(process), PIDRING_BIRTH_FORK);
	check_int(finish(process), 1);
	close_engine(engine);
}

/* Steps have names; a number that is none has one too. */
SCENARIO(start, steps_have_names)
{
	for (int step = PIDRING_STEP_NONE; step <= PIDRING_STEP_INTERPRETER; step++) {
		const char *name = pidring_step_name((enum pidring_step)step);

		check(name != NULL && name[0] != '\0');
		for (int other = PIDRING_STEP_NONE; other < step; other++)
			check(strcmp(name, pidring_step_name((enum pidring_step)other)) != 0);
	}
	check_text(pidring_step_name(PIDRING_STEP_WORKING_DIRECTORY), "working directory");
	check(pidring_step_name((enum pidring_step)1000) != NULL);
}

/* The features are those that the environment asks for, and the children come to be that way. */
SCENARIO(start, forced_paths_are_taken)
{
	const char *backend = getenv("PIDRING_BACKEND");
	const char *clone = getenv("PIDRING_CLONE");
	struct pidring_features features = { .size = sizeof(features) };
	struct pidring_process *function, *program;

	engine = open_engine();
	check_int(pidring_features(engine, &features), 0);
	if (backend != NULL && strcmp(backend, "epoll") == 0)
		check_int(features.backend, PIDRING_BACKEND_EPOLL);
	else if (backend != NULL)
		check_int(features.backend, PIDRING_BACKEND_URING);
	if (clone != NULL && strcmp(clone, "vfork") == 0)
		check_int(features.program_birth, PIDRING_BIRTH_CLONE_VFORK);
	if (clone != NULL && strcmp(clone, "fork") == 0) {
		check_int(features.program_birth, PIDRING_BIRTH_FORK_EXEC);
		check_int(features.function_birth, PIDRING_BIRTH_FORK);
	}
	function = start_function(engine, return_zero, NULL);
	program = start_program(engine, "/bin/true", NULL);
	check_int(pidring_process_birth(function), features.function_birth);
	check_int(pidring_process_birth(program), features.program_birth);
	check_int(finish(function), 0);
	check_int(finish(program), 0);
	close_engine(engine);
}
