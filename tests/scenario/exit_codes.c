/* SPDX-License-Identifier: MIT */
#include "scenario.h"

#include <sys/resource.h>

static struct pidring *engine;

static void check_codes(int (*target)(void *), const int (*pairs)[2], size_t count)
{
	engine = open_engine();
	for (size_t i = 0; i < count; i++) {
		int given = pairs[i][0];

		check_int(finish(start_function(engine, target, &given)), pairs[i][1]);
	}
	close_engine(engine);
}

/* The result of the target is the exit code; the system keeps its low byte, which is never a signal. */
SCENARIO(exit_codes, result_of_the_target)
{
	static const int pairs[][2] = { { 0, 0 },   { 3, 3 },    { 255, 255 }, { 256, 0 },
		                        { 257, 1 }, { -1, 255 }, { -15, 241 }, { 0x7fffff07, 7 } };

	check_codes(return_argument, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

static int compare_and_exit(const void *code, const void *unused)
{
	(void)unused;
	pidring_exit(*(const int *)code);
}

/* From inside a function of libc. */
static int exit_with_argument(void *argument)
{
	int numbers[2] = { *(int *)argument, *(int *)argument };

	qsort(numbers, 2, sizeof(numbers[0]), compare_and_exit);
	return 111;
}

/* pidring_exit ends the child from any depth, with the low byte. */
SCENARIO(exit_codes, exit_from_any_depth)
{
	static const int pairs[][2] = { { 0, 0 }, { 9, 9 }, { 256, 0 }, { -1, 255 }, { -15, 241 } };

	check_codes(exit_with_argument, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

static int raise_argument(void *argument)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	raise(*(int *)argument);
	return 111;
}

/* Death by a signal gives its number with a minus, with a core dump or without. */
SCENARIO(exit_codes, death_by_signal)
{
	static const int pairs[][2] = { { SIGHUP, -SIGHUP },   { SIGINT, -SIGINT },   { SIGKILL, -SIGKILL },
		                        { SIGTERM, -SIGTERM }, { SIGALRM, -SIGALRM }, { 40, -40 },
		                        { SIGUSR1, -SIGUSR1 } };

	check_codes(raise_argument, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

static int dump_core(void *unused)
{
	struct rlimit limit;

	(void)unused;
	/* A sanitizer would catch these two. */
	signal(SIGQUIT, SIG_DFL);
	check_int(chdir("/"), 0);
	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = 1;
	setrlimit(RLIMIT_CORE, &limit);
	raise(SIGQUIT);
	return 111;
}

/* Also for signals that dump core by default. */
SCENARIO(exit_codes, death_by_core_signal)
{
	engine = open_engine();
	check_int(finish(start_function(engine, dump_core, NULL)), -SIGQUIT);
	close_engine(engine);
}

/* Programs: the exit status and the signal. */
SCENARIO(exit_codes, programs)
{
	engine = open_engine();
	check_int(finish(start_program(engine, "/bin/true", NULL)), 0);
	check_int(finish(start_program(engine, "/bin/false", NULL)), 1);
	check_int(finish(start_program(engine, "/bin/sh", "-c", "exit 200", NULL)), 200);
	check_int(finish(start_program(engine, "/bin/sh", "-c", "kill -9 $$", NULL)), -9);
	check_int(finish(start_program(engine, "/bin/sh", "-c", "kill -TERM $$", NULL)), -15);
	close_engine(engine);
}

/* What the target writes to stderr and its exit code. */
static void check_stderr(int (*target)(void *), void *argument, const char *expected, int expected_code)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = target,
	                                                          .argument = argument,
	                                                          .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stderr_descriptor = ends[1] });
	close(ends[1]);
	check_text(read_all(ends[0]), expected);
	check_int(finish(process), expected_code);
	close(ends[0]);
	close_engine(engine);
}

static int exit_with_message(void *text)
{
	pidring_exit_message(text);
}

/* pidring_exit_message writes the text and a newline and ends with 1. */
SCENARIO(exit_codes, message)
{
	check_stderr(exit_with_message, "no disk", "no disk\n", 1);
}

/* An empty message is an empty line. */
SCENARIO(exit_codes, empty_message)
{
	check_stderr(exit_with_message, "", "\n", 1);
}

static int fail_with_text(void *text)
{
	pidring_fail(text);
}

/* pidring_fail writes the process's name before the text and ends with 1. */
SCENARIO(exit_codes, failure)
{
	check_stderr(fail_with_text, "it broke", "Process Process-1:\nit broke\n", 1);
}

static int rename_and_fail(void *text)
{
	check_int(pidring_process_set_name(pidring_current_process(), "renamed"), 0);
	pidring_fail(text);
}

/* The name in the message is the current one. */
SCENARIO(exit_codes, failure_uses_the_current_name)
{
	check_stderr(rename_and_fail, "it broke", "Process renamed:\nit broke\n", 1);
}

static int long_message(void *unused)
{
	static char text[30000];

	(void)unused;
	memset(text, 'm', sizeof(text) - 1);
	pidring_exit_message(text);
}

/* A long message is written whole. */
SCENARIO(exit_codes, long_message)
{
	static char expected[30001];

	memset(expected, 'm', sizeof(expected) - 2);
	expected[sizeof(expected) - 2] = '\n';
	check_stderr(long_message, NULL, expected, 1);
}

static void write_finalizer(void *unused)
{
	(void)unused;
	dprintf(STDERR_FILENO, "finalizer");
}

static int leave_at_once(void *unused)
{
	(void)unused;
	check(pidring_add_finalizer(write_finalizer, NULL, 0) > 0);
	printf("buffered");
	_exit(5);
}

/* _exit in the target ends the child at once: no exit function, nothing flushed. */
SCENARIO(exit_codes, underscore_exit_skips_everything)
{
	struct pidring_process *process;
	int ends[2];

	open_pipe(ends);
	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = leave_at_once,
	                                                          .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stdout_descriptor = ends[1],
	                                                          .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                                          .stderr_descriptor = ends[1] });
	close(ends[1]);
	check_text(read_all(ends[0]), "");
	check_int(finish(process), 5);
	close(ends[0]);
	close_engine(engine);
}

static void exit_nine(void *unused)
{
	(void)unused;
	pidring_exit(9);
}

static int exit_in_finalizer(void *unused)
{
	(void)unused;
	check(pidring_add_finalizer(write_finalizer, NULL, 1) > 0);
	check(pidring_add_finalizer(exit_nine, NULL, 5) > 0);
	check(pidring_add_finalizer(write_finalizer, NULL, -1) > 0);
	return 3;
}

/* An exit call inside a finalizer replaces the code; the rest of the exit function still runs. */
SCENARIO(exit_codes, last_exit_call_wins)
{
	check_stderr(exit_in_finalizer, NULL, "finalizerfinalizer", 9);
}

static void exit_eight(void *unused)
{
	(void)unused;
	pidring_exit(8);
}

static int exit_in_two_finalizers(void *unused)
{
	(void)unused;
	check(pidring_add_finalizer(exit_nine, NULL, 5) > 0);
	check(pidring_add_finalizer(exit_eight, NULL, -5) > 0);
	pidring_exit_message("not said any more");
}

/* Of several exit calls the last one decides. */
SCENARIO(exit_codes, later_finalizer_wins)
{
	engine = open_engine();
	check_int(finish(start_process(engine, (struct pidring_options){ .target = exit_in_two_finalizers,
	                                                                 .stderr_to = PIDRING_STREAM_NULL })),
	          8);
	close_engine(engine);
}

static int have_a_failing_child(void *unused)
{
	static int code = 9;

	(void)unused;
	check_int(finish(start_function(engine, return_argument, &code)), 9);
	start_function(engine, return_argument, &code);
	return 0;
}

/* The exit codes of children never change their parent's. */
SCENARIO(exit_codes, children_do_not_matter)
{
	engine = open_engine();
	check_int(finish(start_function(engine, have_a_failing_child, NULL)), 0);
	close_engine(engine);
}

static void print_at_exit(void)
{
	dprintf(STDERR_FILENO, "atexit\n");
}

SUBPROGRAM(main_exits_by_call)
{
	check(argc == 2);
	/* The first use of the library registers its own handler. */
	check(pidring_add_finalizer(write_finalizer, NULL, 0) > 0);
	atexit(print_at_exit);
	if (strcmp(argv[1], "exit") == 0)
		pidring_exit(0x107);
	if (strcmp(argv[1], "message") == 0)
		pidring_exit_message("main's message");
	pidring_fail("main's failure");
}

/* In a main process the three calls end with exit(): handlers of atexit and the exit function run. */
SCENARIO(exit_codes, main_process_ends_with_exit)
{
	const char *output;

	check_int(run_subprogram("main_exits_by_call", "exit", &output), 7);
	check_text(output, "atexit\nfinalizer");
	check_int(run_subprogram("main_exits_by_call", "message", &output), 1);
	check_contains(output, "main's message\n");
	check_contains(output, "atexit\nfinalizer");
	check_int(run_subprogram("main_exits_by_call", "fail", &output), 1);
	check_contains(output, "Process MainProcess:\nmain's failure\n");
	check_contains(output, "atexit\nfinalizer");
}
