/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct pidring *engine;

#define ARGV(...)     ((const char *[]){ __VA_ARGS__, NULL })
#define SHELL(script) ARGV("/bin/sh", "-c", script)

/* Runs a program in a new engine and checks what it writes; it must end with 0. */
static void check_output(struct pidring_options options, const char *expected)
{
	engine = open_engine();
	check_text(output_of(engine, options, NULL), expected);
	close_engine(engine);
}

/* Runs `scenarios --sub NAME`, which must return 0. */
static void check_subprogram(const char *name, struct pidring_options options)
{
	const char *const argv[] = { own_path(), "--sub", name, NULL };

	options.argv = argv;
	engine = open_engine();
	check_int(finish(start_process(engine, options)), 0);
	close_engine(engine);
}

/* --- files to run --- */

struct place {
	char path[64];
};

static struct place make_place(void)
{
	struct place place = { "/tmp/pidring-XXXXXX" };

	check(mkdtemp(place.path) != NULL);
	return place;
}

static const char *path_in(const struct place *place, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	return path;
}

static void write_file(const struct place *place, const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(path_in(place, name), "we");

	check(file != NULL);
	fputs(text, file);
	check_int(fclose(file), 0);
	check_int(chmod(path_in(place, name), mode), 0);
}

static void remove_place(const struct place *place, const char *name)
{
	if (name != NULL)
		check_int(unlink(path_in(place, name)), 0);
	check_int(rmdir(place->path), 0);
}

static void check_start_fails(struct pidring_options options, int error, enum pidring_step step,
                              const char *named)
{
	struct pidring_process *process;
	struct pidring_failure failure;
	int descriptors;

	engine = open_engine();
	process = new_process(engine, options);
	descriptors = count_descriptors();
	check_int(pidring_process_start(process), error);
	check_contains(pidring_explain(), named);
	check_int(pidring_process_failure(process, &failure), 0);
	check_text(pidring_step_name(failure.step), pidring_step_name(step));
	check_int(failure.error, -error);
	check_contains(failure.sentence, named);
	check_int(pidring_process_pid(process), -ESRCH);
	check_int(waitpid(-1, NULL, WNOHANG), -1);
	check_int(count_descriptors(), descriptors);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- environment --- */

/* Without a word about it a program has the caller's environment, as it is at the start. */
SCENARIO(program, environment_is_inherited_at_the_start)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	setenv("PIDRING_TEST", "at construction", 1);
	process = new_process(engine, (struct pidring_options){ .argv = SHELL("echo $PIDRING_TEST"),
	                                                        .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                        .stdout_descriptor = ends[1] });
	setenv("PIDRING_TEST", "at the start", 1);
	check_int(pidring_process_start(process), 0);
	close(ends[1]);
	check_text(read_all(ends[0]), "at the start\n");
	check_int(finish(process), 0);
	close(ends[0]);
	close_engine(engine);
}

/* A whole environment replaces the caller's. */
SCENARIO(program, environment_can_be_replaced)
{
	setenv("PIDRING_TEST", "from here", 1);
	check_output(
		(struct pidring_options){ .argv = ARGV("/usr/bin/env"), .environment = ARGV("B=2", "A=1") },
		"B=2\nA=1\n");
}

/* It may be empty. */
SCENARIO(program, environment_can_be_empty)
{
	check_output((struct pidring_options){ .argv = ARGV("/usr/bin/env"),
	                                       .environment = (const char *[]){ NULL } },
	             "");
}

/* Single variables are set and removed on top of the caller's. */
SCENARIO(program, environment_can_be_changed)
{
	setenv("PIDRING_OLD", "old", 1);
	setenv("PIDRING_GONE", "gone", 1);
	setenv("PIDRING_KEPT", "kept", 1);
	check_output((struct pidring_options){ .argv = SHELL("echo $PIDRING_OLD ${PIDRING_GONE-unset} "
	                                                     "$PIDRING_KEPT $PIDRING_NEW [$PIDRING_EMPTY]"),
	                                       .extra_environment = ARGV(
						       "PIDRING_OLD=new", "PIDRING_GONE", "PIDRING_NEW=a=b",
						       "PIDRING_EMPTY=", "PIDRING_NEVER_WAS") },
	             "new unset kept a=b []\n");
}

/* The same on top of a whole environment; names that only begin alike are not touched. */
SCENARIO(program, environment_can_be_replaced_and_changed)
{
	setenv("PIDRING_TEST", "from here", 1);
	check_output((struct pidring_options){ .argv = SHELL("echo $A $AB ${B-unset} ${PIDRING_TEST-unset}"),
	                                       .environment = ARGV("A=1", "AB=2", "B=3"),
	                                       .extra_environment = ARGV("A=9", "B") },
	             "9 2 unset unset\n");
	check_output((struct pidring_options){ .argv = ARGV("/usr/bin/env"),
	                                       .environment = ARGV("AB=2"),
	                                       .extra_environment = ARGV("A") },
	             "AB=2\n");
}

/* --- place --- */

/* A working directory of its own. */
SCENARIO(program, working_directory)
{
	check_output((struct pidring_options){ .argv = ARGV("/bin/pwd"), .working_directory = "/usr/bin" },
	             "/usr/bin\n");
}

/* A relative program is looked for from there. */
SCENARIO(program, relative_program_from_the_working_directory)
{
	struct place place = make_place();

	write_file(&place, "script", "#!/bin/sh\necho found\n", 0755);
	check_output((struct pidring_options){ .argv = ARGV("./script"), .working_directory = place.path },
	             "found\n");
	check_start_fails((struct pidring_options){ .argv = ARGV("./script"), .working_directory = "/usr" },
	                  -ENOENT, PIDRING_STEP_EXEC, "./script");
	remove_place(&place, "script");
}

/* A umask of its own; the caller's is not touched. */
SCENARIO(program, umask)
{
	mode_t old = umask(022);

	check_output((struct pidring_options){ .argv = SHELL("umask"), .set_umask = true, .umask = 0137 },
	             "0137\n");
	check_output((struct pidring_options){ .argv = SHELL("umask"), .set_umask = true, .umask = 0 },
	             "0000\n");
	check_output((struct pidring_options){ .argv = SHELL("umask") }, "0022\n");
	check_int(umask(old), 022);
}

SUBPROGRAM(is_session_leader)
{
	check_int(getsid(0), getpid());
	check_int(getpgrp(), getpid());
	return 0;
}

SUBPROGRAM(is_group_leader)
{
	check_int(getpgrp(), getpid());
	check_int(getsid(0), getsid(getppid()));
	return 0;
}

SUBPROGRAM(is_in_the_parents_group)
{
	check_int(getpgrp(), getpgid(getppid()));
	check_int(getsid(0), getsid(getppid()));
	return 0;
}

/* A session of its own, a group of its own, or neither. */
SCENARIO(program, session_and_group)
{
	check_subprogram("is_session_leader", (struct pidring_options){ .new_session = true });
	check_subprogram("is_group_leader", (struct pidring_options){ .new_group = true });
	check_subprogram("is_in_the_parents_group", (struct pidring_options){ .new_group = false });
}

/* --- signals --- */

static bool is_ignored(int number)
{
	struct sigaction action;

	check_int(sigaction(number, NULL, &action), 0);
	return action.sa_handler == SIG_IGN;
}

static bool is_default(int number)
{
	struct sigaction action;

	check_int(sigaction(number, NULL, &action), 0);
	return action.sa_handler == SIG_DFL;
}

static bool is_blocked(int number)
{
	sigset_t mask;

	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	return sigismember(&mask, number) == 1;
}

SUBPROGRAM(has_fresh_signals)
{
	for (int number = 1; number < NSIG; number++)
		check(!is_blocked(number));
	check(is_default(SIGUSR1));
	check(is_default(SIGUSR2));
	check(is_default(SIGPIPE));
	check(is_default(SIGCHLD));
	check(is_default(SIGRTMIN + 3));
	return 0;
}

SUBPROGRAM(has_kept_signals)
{
	for (int number = 1; number < NSIG; number++)
		check_int(is_blocked(number), number == SIGHUP || number == SIGRTMIN + 2);
	check(is_ignored(SIGUSR2));
	check(is_ignored(SIGRTMIN + 3));
	/* A handler does not survive exec in any case. */
	check(is_default(SIGUSR1));
	return 0;
}

static void on_signal(int number)
{
	(void)number;
}

static void with_unusual_signals(const char *name, struct pidring_options options)
{
	sigset_t blocked, before;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGRTMIN + 3, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGRTMIN + 2);
	sigprocmask(SIG_SETMASK, &blocked, &before);
	check_subprogram(name, options);
	check(is_blocked(SIGHUP) && is_blocked(SIGRTMIN + 2) && !is_blocked(SIGUSR1));
	check(is_ignored(SIGUSR2) && !is_default(SIGUSR1));
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* A program begins with an empty mask and default dispositions. */
SCENARIO(program, signals_are_reset)
{
	with_unusual_signals("has_fresh_signals", (struct pidring_options){ .keep_signals = false });
}

/* Or with the caller's mask and ignored signals. */
SCENARIO(program, signals_can_be_kept)
{
	with_unusual_signals("has_kept_signals", (struct pidring_options){ .keep_signals = true });
}

/* A signal that is pending here is not pending there, and a blocked one here does not kill the child. */
SCENARIO(program, pending_signals_are_not_inherited)
{
	sigset_t blocked, before;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	raise(SIGUSR1);
	check_output((struct pidring_options){ .argv = ARGV("/bin/echo", "alive") }, "alive\n");
	signal(SIGUSR1, SIG_IGN);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* --- descriptors --- */

SUBPROGRAM(has_three_descriptors)
{
	check_int(count_descriptors(), 3);
	for (int descriptor = 0; descriptor < 3; descriptor++)
		check(descriptor_is_open(descriptor));
	return 0;
}

SUBPROGRAM(has_descriptor_50_only)
{
	check(descriptor_is_open(50));
	check(!descriptor_is_open(51));
	return 0;
}

static void with_open_descriptors(const char *name, struct pidring_options options)
{
	check_int(dup2(2, 50), 50);
	check_int(dup3(2, 51, O_CLOEXEC), 51);
	check_int(dup2(2, 700), 700);
	check_subprogram(name, options);
	check(descriptor_is_open(50) && descriptor_is_open(51) && descriptor_is_open(700));
	check_int(fcntl(50, F_GETFD), 0);
	close(50);
	close(51);
	close(700);
}

/* A program has the three standard streams and no other descriptor. */
SCENARIO(program, descriptors_are_closed)
{
	with_open_descriptors("has_three_descriptors", (struct pidring_options){ .keep_descriptors = false });
}

/* Or all that are not close-on-exec. */
SCENARIO(program, descriptors_can_be_kept)
{
	with_open_descriptors("has_descriptor_50_only", (struct pidring_options){ .keep_descriptors = true });
}

/* Not even the sentinels of other children are kept, nor the engine's own descriptors. */
SCENARIO(program, sentinels_are_not_inherited)
{
	struct pidring_process *other;
	const char *const argv[] = { own_path(), "--sub", "has_three_descriptors", NULL };

	engine = open_engine();
	check(pidring_fd(engine) >= 0);
	other = start_function(engine, sleep_forever, NULL);
	check_int(finish(start_process(engine, (struct pidring_options){ .argv = argv })), 0);
	check_int(
		finish(start_process(engine, (struct pidring_options){ .argv = argv, .new_session = true })),
		0);
	kill_and_free(other);
	close_engine(engine);
}

/* --- streams --- */

/* Streams can be the null device. */
SCENARIO(program, streams_can_be_null)
{
	check_output((struct pidring_options){ .argv = SHELL("cat; echo error >&2; echo done"),
	                                       .stdin_to = PIDRING_STREAM_NULL,
	                                       .stderr_to = PIDRING_STREAM_NULL },
	             "done\n");
	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .argv = SHELL("echo nothing"),
	                                                                 .stdout_to = PIDRING_STREAM_NULL })),
	          0);
	close_engine(engine);
}

/* Stdin can come from a descriptor, which stays open here. */
SCENARIO(program, stdin_from_a_descriptor)
{
	int ends[2];

	open_pipe(ends);
	check_int(write(ends[1], "input", 5), 5);
	close(ends[1]);
	check_output((struct pidring_options){ .argv = ARGV("cat"),
	                                       .stdin_to = PIDRING_STREAM_DESCRIPTOR,
	                                       .stdin_descriptor = ends[0] },
	             "input");
	check(descriptor_is_open(ends[0]));
	check_int(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	close(ends[0]);
}

/* A program, unlike a function, inherits stdin. */
SCENARIO(program, stdin_is_inherited)
{
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
	int ends[2];

	open_pipe(ends);
	check_int(write(ends[1], "mine", 4), 4);
	close(ends[1]);
	check_int(dup2(ends[0], 0), 0);
	close(ends[0]);
	check_output((struct pidring_options){ .argv = ARGV("cat") }, "mine");
	check_int(dup2(saved, 0), 0);
	close(saved);
}

/* Stdout and stderr can go to the same descriptor. */
SCENARIO(program, both_outputs_to_one_descriptor)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .argv = SHELL("echo out; echo err >&2"),
	                                                          .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stdout_descriptor = ends[1],
	                                                          .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stderr_descriptor = ends[1] });
	close(ends[1]);
	check_text(read_all(ends[0]), "out\nerr\n");
	check_int(finish(process), 0);
	close(ends[0]);
	close_engine(engine);
}

/* Stdout and stderr can change places. */
SCENARIO(program, outputs_can_be_swapped)
{
	struct pidring_process *process;
	int first[2], second[2], saved_out, saved_err;

	open_pipe(first);
	open_pipe(second);
	saved_out = fcntl(1, F_DUPFD_CLOEXEC, 20);
	saved_err = fcntl(2, F_DUPFD_CLOEXEC, 20);
	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .argv = SHELL("echo out; echo err >&2"),
	                                                        .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                        .stdout_descriptor = 2,
	                                                        .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                                        .stderr_descriptor = 1 });
	dup2(first[1], 1);
	dup2(second[1], 2);
	check_int(pidring_process_start(process), 0);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	close(first[1]);
	close(second[1]);
	check_int(finish(process), 0);
	check_text(read_all(first[0]), "err\n");
	check_text(read_all(second[0]), "out\n");
	close(first[0]);
	close(second[0]);
	close_engine(engine);
}

/* A stream may go to its own number, also if that is close-on-exec here. */
SCENARIO(program, stream_to_its_own_number)
{
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
	int ends[2];

	open_pipe(ends);
	check_int(write(ends[1], "own", 3), 3);
	close(ends[1]);
	check_int(dup3(ends[0], 0, O_CLOEXEC), 0);
	close(ends[0]);
	check_output((struct pidring_options){ .argv = ARGV("cat"),
	                                       .stdin_to = PIDRING_STREAM_DESCRIPTOR,
	                                       .stdin_descriptor = 0 },
	             "own");
	check_int(fcntl(0, F_GETFD), FD_CLOEXEC);
	check_int(dup2(saved, 0), 0);
	close(saved);
}

/* A descriptor that was closed between construction and start makes the start fail. */
SCENARIO(program, stream_descriptor_closed_since)
{
	struct pidring_process *process;
	int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);

	check(descriptor >= 0);
	check_int(fcntl(descriptor, F_DUPFD_CLOEXEC, 600), 600);
	close(descriptor);
	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .argv = ARGV("cat"),
	                                                        .stdin_to = PIDRING_STREAM_DESCRIPTOR,
	                                                        .stdin_descriptor = 600 });
	close(600);
	check_int(pidring_process_start(process), -EBADF);
	check_int(pidring_process_pid(process), -ESRCH);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- the program that is meant --- */

/* A name without a slash is looked for in the PATH that the program will have. */
SCENARIO(program, looked_up_in_its_own_path)
{
	struct place place = make_place();
	char path[128];

	write_file(&place, "pidring-test-script", "#!/bin/sh\necho found\n", 0755);
	snprintf(path, sizeof(path), "PATH=/no/such/place:%s:/bin", place.path);
	check_output((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                       .extra_environment = ARGV(path) },
	             "found\n");
	check_output(
		(struct pidring_options){ .argv = ARGV("pidring-test-script"), .environment = ARGV(path) },
		"found\n");
	check_start_fails((struct pidring_options){ .argv = ARGV("pidring-test-script") }, -ENOENT,
	                  PIDRING_STEP_LOOK_UP, "pidring-test-script");
	snprintf(path, sizeof(path), "PATH=%s:/usr/bin:/bin", place.path);
	check_int(setenv("PATH", path + 5, 1), 0);
	check_output((struct pidring_options){ .argv = ARGV("pidring-test-script") }, "found\n");
	check_start_fails((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                            .extra_environment = ARGV("PATH=/bin") },
	                  -ENOENT, PIDRING_STEP_LOOK_UP, "pidring-test-script");
	remove_place(&place, "pidring-test-script");
}

/* A file on the PATH that may not be run is passed over for one that may; if it is the only one, that is
 * told. */
SCENARIO(program, looked_up_past_what_cannot_run)
{
	struct place plain = make_place(), right = make_place();
	char path[256];

	write_file(&plain, "pidring-test-script", "no program\n", 0644);
	write_file(&right, "pidring-test-script", "#!/bin/sh\necho right\n", 0755);
	snprintf(path, sizeof(path), "PATH=%s:%s", plain.path, right.path);
	check_output((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                       .extra_environment = ARGV(path) },
	             "right\n");
	snprintf(path, sizeof(path), "PATH=%s", plain.path);
	check_start_fails((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                            .extra_environment = ARGV(path) },
	                  -EACCES, PIDRING_STEP_LOOK_UP, "pidring-test-script");
	remove_place(&plain, "pidring-test-script");
	remove_place(&right, "pidring-test-script");
}

/* The file to run can be another than the name says. */
SCENARIO(program, file_and_name_can_differ)
{
	check_output(
		(struct pidring_options){ .argv = ARGV("my name", "-c", "echo $0"), .program = "/bin/sh" },
		"my name\n");
	check_output((struct pidring_options){ .argv = ARGV("", "-c", "echo \"[$0]\""), .program = "sh" },
	             "[]\n");
}

/* Arguments arrive as they are. */
SCENARIO(program, arguments_arrive_as_they_are)
{
	check_output((struct pidring_options){ .argv = ARGV("printf", "[%s]", "", "a b", "*", "$HOME", "\n",
	                                                    "'") },
	             "[][a b][*][$HOME][\n][']");
}

/* --- failures, each in its step --- */

/* No such file. */
SCENARIO(program, missing)
{
	check_start_fails((struct pidring_options){ .argv = ARGV("/no/such/program") }, -ENOENT,
	                  PIDRING_STEP_EXEC, "/no/such/program");
}

/* The file is there, but what should interpret it is not. */
SCENARIO(program, missing_interpreter)
{
	struct place place = make_place();

	write_file(&place, "script", "#!/no/such/interpreter -x\n", 0755);
	check_start_fails((struct pidring_options){ .argv = ARGV(path_in(&place, "script")) }, -ENOENT,
	                  PIDRING_STEP_INTERPRETER, "/no/such/interpreter");
	remove_place(&place, "script");
}

/* No such working directory. */
SCENARIO(program, missing_working_directory)
{
	check_start_fails(
		(struct pidring_options){ .argv = ARGV("/bin/true"), .working_directory = "/no/such/place" },
		-ENOENT, PIDRING_STEP_WORKING_DIRECTORY, "/no/such/place");
}

/* A working directory that is a file. */
SCENARIO(program, working_directory_is_a_file)
{
	check_start_fails(
		(struct pidring_options){ .argv = ARGV("/bin/true"), .working_directory = "/etc/passwd" },
		-ENOTDIR, PIDRING_STEP_WORKING_DIRECTORY, "/etc/passwd");
}

/* A file that may not be run. */
SCENARIO(program, not_executable)
{
	struct place place = make_place();

	write_file(&place, "script", "#!/bin/sh\n", 0644);
	check_start_fails((struct pidring_options){ .argv = ARGV(path_in(&place, "script")) }, -EACCES,
	                  PIDRING_STEP_EXEC, path_in(&place, "script"));
	remove_place(&place, "script");
}

/* A directory. */
SCENARIO(program, is_a_directory)
{
	check_start_fails((struct pidring_options){ .argv = ARGV("/usr/bin") }, -EACCES, PIDRING_STEP_EXEC,
	                  "/usr/bin");
}

/* A file in no known format; no shell is tried on it. */
SCENARIO(program, unknown_format)
{
	struct place place = make_place();

	write_file(&place, "text", "exit 0\n", 0755);
	check_start_fails((struct pidring_options){ .argv = ARGV(path_in(&place, "text")) }, -ENOEXEC,
	                  PIDRING_STEP_EXEC, path_in(&place, "text"));
	remove_place(&place, "text");
}

/* More arguments than the kernel takes together. */
SCENARIO(program, too_many_arguments)
{
	static char large[100001];
	static const char *argv[302];

	memset(large, 'l', sizeof(large) - 1);
	argv[0] = "/bin/true";
	for (size_t i = 1; i <= 300; i++)
		argv[i] = large;
	check_start_fails((struct pidring_options){ .argv = argv }, -E2BIG, PIDRING_STEP_EXEC, "/bin/true");
}

/* --- the descriptor limit --- */

/* An engine that raised the limit gives programs the old one back; functions keep the raised one. */
SCENARIO(program, gets_the_old_descriptor_limit)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 900 };
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 321;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close_engine(open_engine());
	check_int(pidring_open(&engine, &options), 0);
	check_text(output_of(engine, (struct pidring_options){ .argv = SHELL("ulimit -S -n") }, NULL),
	           "321\n");
	close_engine(engine);
}
