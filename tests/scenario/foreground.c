/* SPDX-License-Identifier: MIT */
/* A program that gets a terminal's foreground, or a terminal of its own, from somebody who has one. */
#define _GNU_SOURCE
#include "confined.h"

#include <termios.h>

/* --- a shell's children --- */

static const char *const starter_kinds[] = { "program", "later", "server", "function" };

/* A target that answers about its terminal. */
static struct pidring_options of_kind(const char *kind, struct pidring_options options)
{
	static const char *const question[] = { "terminal", NULL };
	enum target_kind target = AS_PROGRAM;

	if (strcmp(kind, "later") == 0)
		target = AS_PROGRAM_LATER;
	if (strcmp(kind, "function") == 0)
		target = AS_FUNCTION;
	if (strcmp(kind, "server") == 0)
		options.start_method = PIDRING_FORKSERVER;
	return asking(target, question, options);
}

/* What a shell does: it takes its terminal back when the job has ended. */
static void take_the_terminal_back(void)
{
	sigset_t mask, before;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTTOU);
	check_int(sigprocmask(SIG_BLOCK, &mask, &before), 0);
	check_int(tcsetpgrp(STDIN_FILENO, getpgrp()), 0);
	check_int(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

/* Leads a session with a terminal, and starts a job in the foreground and one that is not. */
SUBPROGRAM(foreground_shell)
{
	struct pidring *engine = open_engine();
	struct pidring_options options = { .new_group = true, .stdin_to = PIDRING_STREAM_INHERIT };

	check_int(tcgetpgrp(STDIN_FILENO), getpgrp());
	options.foreground = true;
	check_text(told(engine, of_kind(argv[1], options)), "terminal=foreground\n");
	check(tcgetpgrp(STDIN_FILENO) != getpgrp());
	/* In the background now: a job can take the terminal from there, too. */
	check_text(told(engine, of_kind(argv[1], options)), "terminal=foreground\n");
	take_the_terminal_back();
	options.foreground = false;
	check_text(told(engine, of_kind(argv[1], options)), "terminal=background\n");
	check_int(tcgetpgrp(STDIN_FILENO), getpgrp());
	close_engine(engine);
	return 0;
}

static void run_with_terminal(const char *subprogram, const char *kind)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", subprogram, kind, NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = argv,
	                                                        .stdin_to = PIDRING_STREAM_TERMINAL,
	                                                        .stdout_to = PIDRING_STREAM_TERMINAL,
	                                                        .stderr_to = PIDRING_STREAM_INHERIT });

	check_int(finish(process), 0);
	close_engine(engine);
}

SCENARIO(foreground, jobs_of_a_shell)
{
	for (size_t i = 0; i < sizeof(starter_kinds) / sizeof(starter_kinds[0]); i++)
		run_with_terminal("foreground_shell", starter_kinds[i]);
}

/* With the terminal as none of the standard streams nothing happens. */
SUBPROGRAM(foreground_elsewhere)
{
	struct pidring *engine = open_engine();
	struct pidring_options options = { .new_group = true,
		                           .foreground = true,
		                           .stdin_to = PIDRING_STREAM_NULL,
		                           .stderr_to = PIDRING_STREAM_NULL };

	check_text(told(engine, asking(AS_PROGRAM, QUESTIONS("terminal"), options)), "terminal=background\n");
	check_int(tcgetpgrp(STDIN_FILENO), getpgrp());
	close_engine(engine);
	return 0;
}

SCENARIO(foreground, terminal_is_no_stream)
{
	run_with_terminal("foreground_elsewhere", "program");
}

/* Any of the three streams will do. */
SUBPROGRAM(foreground_by_stderr)
{
	struct pidring *engine = open_engine();
	struct pidring_options options = { .new_group = true,
		                           .foreground = true,
		                           .stdin_to = PIDRING_STREAM_NULL,
		                           .stderr_to = PIDRING_STREAM_DESCRIPTOR,
		                           .stderr_descriptor = STDIN_FILENO };

	check_text(told(engine, asking(AS_PROGRAM, QUESTIONS("terminal"), options)), "terminal=foreground\n");
	close_engine(engine);
	return 0;
}

SCENARIO(foreground, terminal_is_stderr)
{
	run_with_terminal("foreground_by_stderr", "program");
}

/* --- a terminal of one's own --- */

struct terminal {
	int manager, line;
};

static struct terminal open_terminal(void)
{
	struct terminal terminal = { .manager = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC) };

	check(terminal.manager >= 0);
	check_int(grantpt(terminal.manager), 0);
	check_int(unlockpt(terminal.manager), 0);
	terminal.line = open(ptsname(terminal.manager), O_RDWR | O_NOCTTY | O_CLOEXEC);
	check(terminal.line >= 0);
	return terminal;
}

static void close_terminal(struct terminal *terminal)
{
	close(terminal->line);
	close(terminal->manager);
}

static struct pidring_options of_own_session(int input)
{
	return (struct pidring_options){ .new_session = true,
		                         .stdin_to = PIDRING_STREAM_DESCRIPTOR,
		                         .stdin_descriptor = input };
}

SCENARIO(foreground, session_takes_its_stdin)
{
	struct pidring *engine = open_engine();

	for (size_t i = 0; i < sizeof(starter_kinds) / sizeof(starter_kinds[0]); i++) {
		struct terminal terminal = open_terminal();
		struct pidring_options options = of_own_session(terminal.line);

		check_text(told(engine, of_kind(starter_kinds[i], options)), "terminal=none\n");
		options.foreground = true;
		check_text(told(engine, of_kind(starter_kinds[i], options)), "terminal=foreground\n");
		close_terminal(&terminal);
	}
	close_engine(engine);
}

/* Root could steal it; nobody does. */
SCENARIO(foreground, terminal_of_another_session)
{
	struct pidring *engine = open_engine();
	struct terminal terminal = open_terminal();
	struct pidring_options options = of_own_session(terminal.line);
	struct pidring_process *owner;
	int input[2];

	options.foreground = true;
	open_pipe(input);
	options.stdout_to = PIDRING_STREAM_NULL;
	options.descriptors = &(struct pidring_descriptor){ .source = input[0], .target = 3 };
	options.descriptor_count = 1;
	options.argv = (const char *[]){ "sh", "-c", "read line <&3", NULL };
	owner = start_process(engine, options);
	options = of_own_session(terminal.line);
	options.foreground = true;
	check_text(told(engine, asking(AS_PROGRAM, QUESTIONS("terminal"), options)), "terminal=none\n");
	check_int(write(input[1], "\n", 1), 1);
	check_int(finish(owner), 0);
	close(input[0]);
	close(input[1]);
	close_terminal(&terminal);
	close_engine(engine);
}

/* No terminal at all. */
SCENARIO(foreground, no_terminal)
{
	struct pidring *engine = open_engine();

	for (size_t i = 0; i < sizeof(starter_kinds) / sizeof(starter_kinds[0]); i++) {
		struct pidring_options options = { .foreground = true, .stdin_to = PIDRING_STREAM_NULL };

		options.new_session = true;
		check_text(told(engine, of_kind(starter_kinds[i], options)), "terminal=none\n");
		options.new_group = true;
		check_text(told(engine, of_kind(starter_kinds[i], options)), "terminal=none\n");
	}
	close_engine(engine);
}

SCENARIO(foreground, needs_a_group_or_session)
{
	check_refused_options((struct pidring_options){ .target = return_zero, .foreground = true }, -EINVAL,
	                      "foreground", "new_group");
}
