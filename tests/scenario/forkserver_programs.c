/* SPDX-License-Identifier: MIT */
/* Programs by the start method FORKSERVER: a parked child becomes the program, with everything that programs are given
 * otherwise, and tells which step failed. */
#define _GNU_SOURCE
#include "servers.h"

#include <sys/stat.h>
#include <sys/syscall.h>

enum { PARKED = 4 };

/* It is filled again whenever one is taken. */
static struct pidring *open_full(void)
{
	struct pidring *engine =
		open_with((struct pidring_engine_options){ .parked = PARKED, .parked_low = PARKED });

	wait_parked(engine, PARKED);
	return engine;
}

/* By a parked child where there are any. */
static void check_output(struct pidring *engine, struct pidring_options options, const char *expected)
{
	uint64_t before = statistics_of(engine).parked_starts;

	options.start_method = PIDRING_FORKSERVER;
	wait_parked(engine, 1);
	check_text(output_of(engine, options, NULL), expected);
	check_int(statistics_of(engine).parked_starts, before + (serves(engine) ? 1 : 0));
}

#define SHELL(text) ((const char *[]){ "sh", "-c", text, NULL })

/* A parked child becomes the program, waited for or not, and says so. */
SCENARIO(forkserver_programs, birth)
{
	struct pidring *engine = open_full();

	for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
		struct pidring_process *process;

		wait_parked(engine, 1);
		process =
			start_process(engine, (struct pidring_options){ .argv = SHELL("exit 3"),
		                                                        .asynchronous = asynchronous,
		                                                        .start_method = PIDRING_FORKSERVER });
		check_int(pidring_process_birth(process),
		          serves(engine) ? PIDRING_BIRTH_PARKED : features_of(engine).program_birth);
		check_int(finish(process), 3);
	}
	close_engine(engine);
}

/* Arguments, the program's own file, environment, working directory, umask, and present values of all of them. */
SCENARIO(forkserver_programs, what_it_is_given)
{
	struct pidring *engine;

	check_int(setenv("PIDRING_TEST_ONE", "old", 1), 0);
	engine = open_full();
	check_output(engine,
	             (struct pidring_options){ .argv = (const char *[]){ "echo", "a", "", "b c", NULL } },
	             "a  b c\n");
	check_output(engine,
	             (struct pidring_options){ .program = "sh",
	                                       .argv = (const char *[]){ "odd", "-c", "echo $0", NULL } },
	             "odd\n");
	check_int(setenv("PIDRING_TEST_ONE", "new", 1), 0);
	check_output(engine, (struct pidring_options){ .argv = SHELL("echo $PIDRING_TEST_ONE") }, "new\n");
	check_output(
		engine,
		(struct pidring_options){ .argv = SHELL("echo $PIDRING_TEST_ONE $PIDRING_TEST_TWO"),
	                                  .extra_environment = (const char *[]){ "PIDRING_TEST_TWO=two",
	                                                                         "PIDRING_TEST_ONE", NULL } },
		"two\n");
	check_output(engine,
	             (struct pidring_options){ .argv = (const char *[]){ "/usr/bin/env", NULL },
	                                       .environment = (const char *[]){ "A=1", "B=2", NULL } },
	             "A=1\nB=2\n");
	check_output(engine, (struct pidring_options){ .argv = SHELL("pwd"), .working_directory = "/tmp" },
	             "/tmp\n");
	check_int(chdir("/usr"), 0);
	check_output(engine, (struct pidring_options){ .argv = SHELL("pwd") }, "/usr\n");
	umask(0137);
	check_output(engine, (struct pidring_options){ .argv = SHELL("umask") }, "0137\n");
	check_output(engine,
	             (struct pidring_options){ .argv = SHELL("umask"), .set_umask = true, .umask = 0123 },
	             "0123\n");
	close_engine(engine);
}

/* Arguments and environment of a megabyte together: more than a box has room for, if it has an end. */
SCENARIO(forkserver_programs, long_arguments)
{
	struct pidring *engine = open_full();
	enum { COUNT = 12, LENGTH = 100000 };
	const char *argv[COUNT + 5] = { "sh", "-c", "echo $# ${#1}", "sh" };
	char *text = malloc(LENGTH + 1);
	struct pidring_process *process;
	struct pidring_options options = { .argv = argv, .start_method = PIDRING_FORKSERVER };

	check(text != NULL);
	memset(text, 'x', LENGTH);
	text[LENGTH] = '\0';
	for (int count = 1; count <= COUNT; count++) {
		char expected[32];

		argv[3 + count] = text;
		snprintf(expected, sizeof(expected), "%d %d\n", count, LENGTH);
		check_text(output_of(engine, options, NULL), expected);
	}
	process = new_process(engine, options);
	pidring_process_free(process);
	free(text);
	close_engine(engine);
}

SUBPROGRAM(served_streams)
{
	struct stat status;
	int open_ones = 0;

	check_int(fstat(STDIN_FILENO, &status), 0);
	for (int i = 3; i < 1024; i++)
		if (descriptor_is_open(i)) {
			char letter = '?';

			check_int(pread(i, &letter, 1, 0), 1);
			printf("%d=%c ", i, letter);
			open_ones++;
		}
	printf("%d", open_ones);
	return 0;
}

/* Descriptors that were made after the parked child are there under their numbers, and nothing else; with
 * keep_descriptors also what is not close-on-exec. */
SCENARIO(forkserver_programs, descriptors)
{
	struct pidring *engine = open_full();
	const struct pidring_descriptor passed[] = { { 120, 121 }, { 121, 120 }, { 300, 3 } };
	struct pidring_options options = { .argv = (const char *[]){ own_path(), "--sub", "served_streams",
		                                                     NULL },
		                           .descriptors = passed,
		                           .descriptor_count = 3 };

	place_file(120, 'a');
	place_file(121, 'b');
	place_file(300, 'c');
	check_int(dup2(300, 77), 77); /* not close-on-exec */
	check_output(engine, options, "3=c 120=b 121=a 3");
	options.keep_descriptors = true;
	check_output(engine, options, "3=c 77=c 120=b 121=a 4");
	close(120);
	close(121);
	close(300);
	close(77);
	close_engine(engine);
}

static void on_signal(int number)
{
	(void)number;
}

/* Signals: all fresh, or with keep_signals the mask and what the application ignores at the start. */
SCENARIO(forkserver_programs, signals)
{
	struct pidring *engine;
	sigset_t mask;
	const char *const count = "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\n\\t '";

	/* libc's own, which nobody else can reset, and which whoever runs the tests may have ignored. */
	for (int number = 32; number < SIGRTMIN; number++)
		check_int(syscall(SYS_rt_sigaction, number, (const long[4]){ 0 }, NULL, 8), 0);
	signal(SIGUSR1, on_signal);
	signal(SIGHUP, SIG_IGN);
	engine = open_full();
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	check_int(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
	check_output(engine, (struct pidring_options){ .argv = SHELL(count) },
	             "SigBlk:0000000000000000SigIgn:0000000000000000");
	check_output(engine, (struct pidring_options){ .argv = SHELL(count), .keep_signals = true },
	             "SigBlk:0000000008000000SigIgn:0000000000000800");
	close_engine(engine);
}

/* A terminal's signal, or a handler of the application's, never gets at a child that is parked. */
SCENARIO(forkserver_programs, group_signals_pass_by)
{
	struct pidring *engine;
	struct sigaction action = { .sa_handler = SIG_IGN };

	check_int(setpgid(0, 0), 0);
	engine = open_full();
	check_int(sigaction(SIGINT, &action, NULL), 0);
	check_int(kill(0, SIGINT), 0);
	for (int i = 0; i < PARKED; i++) {
		check_int(finish(start_served_program(engine, SHELL("exit 7"))), 7);
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	}
	close_engine(engine);
}

/* The auth key, a session, a group, a deadline and a stop. */
SCENARIO(forkserver_programs, other_options)
{
	struct pidring *engine = open_full();
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct pidring_process *process;

	process =
		new_process(engine, (struct pidring_options){ .argv = (const char *[]){ own_path(), "--sub",
	                                                                                "receive_key", NULL },
	                                                      .authkey_descriptor = 7,
	                                                      .start_method = PIDRING_FORKSERVER });
	check_int(pidring_process_set_authkey(process, "secret", 6), 0);
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 31);
	wait_parked(engine, 1);
	process = start_process(
		engine, (struct pidring_options){
				.argv = (const char *[]){ own_path(), "--sub", "is_session_leader", NULL },
				.new_session = true,
				.start_method = PIDRING_FORKSERVER });
	check_int(finish(process), 0);
	wait_parked(engine, 1);
	process = start_process(engine,
	                        (struct pidring_options){ .argv = (const char *[]){ own_path(), "--sub",
	                                                                            "is_group_leader", NULL },
	                                                  .new_group = true,
	                                                  .start_method = PIDRING_FORKSERVER });
	check_int(finish(process), 0);
	wait_parked(engine, 1);
	process = start_process(
		engine, (struct pidring_options){ .argv = (const char *[]){ own_path(), "--sub",
	                                                                    "is_in_the_parents_group", NULL },
	                                          .start_method = PIDRING_FORKSERVER });
	check_int(finish(process), 0);
	wait_parked(engine, 1);
	process = start_process(engine,
	                        (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
	                                                  .deadline = 20 * MILLISECONDS,
	                                                  .start_method = PIDRING_FORKSERVER });
	check_int(join_code(process), -SIGTERM);
	check_int(pidring_process_exit_record(process, &record), 0);
	check(record.deadline_passed);
	check_int(record.stop_signal, SIGTERM);
	pidring_process_free(process);
	process = start_served_program(engine, SHELL("trap '' TERM; sleep 1000"));
	check_int(pidring_process_stop(
			  process,
			  &(struct pidring_stop_options){
				  .size = sizeof(struct pidring_stop_options),
				  .steps = (struct pidring_stop_step[]){ { SIGKILL, PIDRING_FOREVER } },
				  .step_count = 1 }),
	          0);
	check_int(finish(process), -SIGKILL);
	close_engine(engine);
}

/* --- what cannot be run --- */

struct refused {
	const char *const *argv;
	const char *directory;
	int error;
	enum pidring_step step;
	int code;
};

static char place[] = "/tmp/pidring-served-XXXXXX";

static const char *in_place(const char *name)
{
	static char paths[4][64];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, 64, "%s/%s", place, name);
	return path;
}

static void write_script(const char *path, const char *text)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	check(descriptor >= 0);
	check_int(write(descriptor, text, strlen(text)), strlen(text));
	close(descriptor);
}

static void check_refused(struct pidring *engine, const struct refused *refused, bool asynchronous)
{
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .argv = refused->argv,
	                                                      .working_directory = refused->directory,
	                                                      .asynchronous = asynchronous,
	                                                      .start_method = PIDRING_FORKSERVER });
	int descriptors = count_descriptors(), result;
	struct pidring_failure failure;
	struct pidring_event event;

	wait_parked(engine, PARKED);
	descriptors = count_descriptors();
	result = pidring_process_start(process);
	if (!asynchronous) {
		check_int(result, -refused->error);
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.step, refused->step);
		check_int(failure.error, refused->error);
		check(failure.sentence[0] != '\0');
		check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
		wait_parked(engine, PARKED);
		check_int(count_descriptors(), descriptors);
	} else {
		check_int(result, 0);
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_START_FAILED);
		check_int(event.code, -refused->error);
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.step, refused->step);
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_EXITED);
		check_int(event.code, refused->code);
	}
	pidring_process_free(process);
}

/* Each step that can fail is told, by start or as an event, with the errno; the engine goes on. */
SCENARIO(forkserver_programs, refused)
{
	struct pidring *engine = open_full();

	check(mkdtemp(place) != NULL);
	check_int(mkdir(in_place("directory"), 0755), 0);
	write_script(in_place("script"), "#!/nonexistent/interpreter\n");
	write_script(in_place("text"), "\001\002no program");
	write_script(in_place("locked"), "#!/bin/sh\n");
	check_int(chmod(in_place("locked"), 0644), 0);
	for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
		const char *const missing[] = { in_place("missing"), NULL };
		const struct refused of_missing = { missing, NULL, ENOENT, PIDRING_STEP_EXEC, 127 };
		const char *const script[] = { in_place("script"), NULL };
		const struct refused of_script = { script, NULL, ENOENT, PIDRING_STEP_INTERPRETER, 127 };
		const char *const text[] = { in_place("text"), NULL };
		const struct refused of_text = { text, NULL, ENOEXEC, PIDRING_STEP_EXEC, 126 };

		check_refused(engine, &of_missing, asynchronous);
		check_refused(engine, &of_script, asynchronous);
		check_refused(engine, &of_text, asynchronous);
		{
			const char *const directory[] = { in_place("directory"), NULL };
			const struct refused of_directory = { directory, NULL, EACCES, PIDRING_STEP_EXEC,
				                              126 };
			const char *const locked[] = { in_place("locked"), NULL };
			const struct refused of_locked = { locked, NULL, EACCES, PIDRING_STEP_EXEC, 126 };
			const char *const fine[] = { "/bin/true", NULL };
			const struct refused nowhere = { fine, in_place("gone"), ENOENT,
				                         PIDRING_STEP_WORKING_DIRECTORY, 126 };

			check_refused(engine, &of_directory, asynchronous);
			check_refused(engine, &of_locked, asynchronous);
			check_refused(engine, &nowhere, asynchronous);
		}
	}
	check_int(finish(start_served_program(engine, (const char *[]){ "true", NULL })), 0);
	check_int(finish(start_program(engine, "rm", "-r", place, NULL)), 0);
	close_engine(engine);
}

/* A directory that has been removed under the application: programs start there all the same, as by EXEC. */
SCENARIO(forkserver_programs, in_a_removed_directory)
{
	struct pidring *engine = open_full();

	check(mkdtemp(place) != NULL);
	check_int(chdir(place), 0);
	check_int(rmdir(place), 0);
	for (int i = 0; i < 3; i++) {
		wait_parked(engine, 1);
		check_int(finish(start_served_program(engine, (const char *[]){ "true", NULL })), 0);
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
	}
	check_int(chdir("/"), 0);
	close_engine(engine);
}

/* --- asynchronous --- */

/* A program whose execve is held up: its start returns at once, others go on meanwhile, and its events come when it runs. */
SCENARIO(forkserver_programs, slow_execve_holds_up_nobody)
{
	struct slow_program slow;
	struct pidring *engine = open_parked(PARKED);
	bool suspended = !serves(engine) && features_of(engine).program_birth == PIDRING_BIRTH_CLONE_VFORK;
	struct pidring_process *process;
	struct pidring_event event;

	close_engine(engine);
	if (suspended)
		skip("on this path the caller is suspended until execve");
	slow = make_slow_program();
	engine = open_full();
	process = start_process(engine, (struct pidring_options){ .argv = (const char *[]){ slow.path, NULL },
	                                                          .asynchronous = true,
	                                                          .start_method = PIDRING_FORKSERVER });
	check(pidring_process_pid(process) > 0);
	for (int i = 0; i < 2 * PARKED; i++) {
		check_int(finish(start_served(engine, return_zero, NULL, 0)), 0);
		check_int(finish(start_served_program(engine, (const char *[]){ "true", NULL })), 0);
	}
	while (pidring_wait(engine, &event, 1, 0) > 0)
		check(event.process != process);
	check_int(pidring_process_is_alive(process), 1);
	let_go(&slow);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, 0);
	pidring_process_free(process);
	remove_slow_program(&slow);
	close_engine(engine);
}

/* An asynchronous start that finds no parked child goes as by EXEC. */
SCENARIO(forkserver_programs, asynchronous_without_parked)
{
	struct pidring *engine = open_served();
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                        .asynchronous = true,
	                                                        .start_method = PIDRING_FORKSERVER });

	check_int(pidring_process_birth(process), features_of(engine).program_birth);
	check_int(finish(process), 0);
	check_int(statistics_of(engine).server_starts, 0);
	close_engine(engine);
}

/* Programs and functions mixed, two hundred at once, more than are parked. */
SCENARIO(forkserver_programs, start_many)
{
	enum { COUNT = 200 };
	struct pidring *engine = open_parked(16);
	struct pidring_process *processes[COUNT];
	struct pidring_failure failure;
	uint64_t starts = 0;

	for (int i = 0; i < COUNT; i++) {
		char command[32];

		snprintf(command, sizeof(command), "exit %d", i);
		if (i % 20 == 7)
			processes[i] = new_process(
				engine,
				(struct pidring_options){ .argv = (const char *[]){ "/nonexistent", NULL },
			                                  .start_method = PIDRING_FORKSERVER });
		else if (i % 2 == 0)
			processes[i] = new_process(
				engine, (struct pidring_options){
						.argv = (const char *[]){ "sh", "-c", command, NULL },
						.start_method = PIDRING_FORKSERVER });
		else
			processes[i] = new_served(engine, return_argument, &i, sizeof(i));
	}
	check_int(pidring_start_many(processes, COUNT), COUNT - COUNT / 20);
	for (int i = 0; i < COUNT; i++) {
		if (i % 20 == 7) {
			check_int(pidring_process_failure(processes[i], &failure), 0);
			check_int(failure.error, ENOENT);
			check_int(pidring_process_birth(processes[i]), PIDRING_BIRTH_NONE);
			pidring_process_free(processes[i]);
			continue;
		}
		if (i % 2 != 0)
			check_served(engine, processes[i]);
		starts += pidring_process_birth(processes[i]) >= PIDRING_BIRTH_FORKSERVER;
		check_int(finish(processes[i]), i);
	}
	check(statistics_of(engine).server_starts >= starts);
	close_engine(engine);
}
