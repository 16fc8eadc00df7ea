/* SPDX-License-Identifier: MIT */
/* Terminals for the standard streams of a child: it leads a session there, and learns of their size. */
#define _GNU_SOURCE
#include "talkers.h"

#include <sys/ioctl.h>
#include <termios.h>

static volatile sig_atomic_t was_resized;

static void note_resize(int signal_number)
{
	(void)signal_number;
	was_resized = 1;
}

/* Looks at its terminal, tells of its size, and of the next one. What it reads first is a line. */
static int look_at_terminal(void *argument)
{
	struct winsize size = { 0 };
	sigset_t blocked, before;
	char line[64];
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);

	(void)argument;
	check(terminal >= 0);
	check_int(getsid(0), getpid());
	check_int(tcgetpgrp(terminal), getpid());
	for (int i = 0; i < 3; i++)
		check(isatty(i));
	signal(SIGWINCH, note_resize);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	check_int(ioctl(terminal, TIOCGWINSZ, &size), 0);
	check(dprintf(terminal, "%dx%d;", size.ws_row, size.ws_col) > 0);
	while (!was_resized)
		sigsuspend(&before);
	check_int(ioctl(terminal, TIOCGWINSZ, &size), 0);
	ssize_t length = read(STDIN_FILENO, line, sizeof(line) - 1);
	check(length > 0);
	line[length] = '\0';
	check(dprintf(STDERR_FILENO, "%dx%d;got %s", size.ws_row, size.ws_col, line) > 0);
	close(terminal);
	return 7;
}

SUBPROGRAM(places_terminal)
{
	return look_at_terminal(NULL);
}

/* Reads from a terminal, which does not block, until the text is there. */
static void await_text(int terminal, char *text, size_t size, const char *part)
{
	size_t length = strlen(text);

	while (strstr(text, part) == NULL) {
		struct pollfd item = { .fd = terminal, .events = POLLIN };

		check(poll(&item, 1, 20000) == 1);
		ssize_t count = read(terminal, text + length, size - 1 - length);
		check(count > 0);
		length += (size_t)count;
		text[length] = '\0';
	}
}

static void check_terminal(struct pidring *engine, struct pidring_options options, const char *first_size)
{
	char text[1024] = "";
	struct pidring_process *process = start_process(engine, options);
	int input = pidring_process_stream(process, STDIN_FILENO);
	int output = pidring_process_stream(process, STDOUT_FILENO);

	check(input > 2 && output > 2 && input != output);
	check_int(pidring_process_stream(process, STDERR_FILENO), output);
	check_int(pidring_process_take_stream(process, STDOUT_FILENO), -ENOTCONN);
	check_int(fcntl(output, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	check_int(fcntl(input, F_GETFD), FD_CLOEXEC);
	await_text(output, text, sizeof(text), first_size);
	check_int(pidring_process_resize(process, 0, 80), -EINVAL);
	check_int(pidring_process_resize(process, 33, 0), -EINVAL);
	check_int(pidring_process_resize(process, 33, 99), 0);
	check_int(write(input, "word\n", 5), 5);
	await_text(output, text, sizeof(text), "33x99;got word");
	check_int(join_code(process), 7);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_resize(process, 33, 99), -EBADF);
	pidring_process_free(process);
}

/* The child leads a session on a terminal of the size that was asked for, and learns of a new size. */
SCENARIO(places_terminals, terminal)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "places_terminal", NULL };
	struct pidring_options targets[] = { { .argv = argv },
		                             { .target = look_at_terminal },
		                             { .target = look_at_terminal, .libc_fork = true },
		                             { .target = look_at_terminal, .close_descriptors = true },
		                             { .argv = argv, .new_session = true, .new_group = true } };

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct pidring_options options = targets[i];
		int descriptors = count_descriptors();

		options.stdin_to = options.stdout_to = options.stderr_to = PIDRING_STREAM_TERMINAL;
		check_terminal(engine, options, "24x80;");
		options.terminal_rows = 5;
		options.terminal_columns = 400;
		check_terminal(engine, options, "5x400;");
		check_int(count_descriptors(), descriptors);
	}
	close_engine(engine);
}

static int write_to_stderr(void *argument)
{
	(void)argument;
	check(isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO));
	check(dprintf(STDERR_FILENO, "to the terminal;") > 0);
	check(dprintf(STDOUT_FILENO, "to memory;") > 0);
	return 0;
}

SUBPROGRAM(places_stderr)
{
	return write_to_stderr(NULL);
}

/* stderr alone may go to a terminal, which is then its controlling one. */
SCENARIO(places_terminals, terminal_of_stderr)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "places_stderr", NULL };
	struct pidring_options targets[] = { { .argv = argv }, { .target = write_to_stderr } };

	for (size_t i = 0; i < 2; i++) {
		char text[256] = "";

		targets[i].stdout_to = PIDRING_STREAM_MEMORY;
		targets[i].stderr_to = PIDRING_STREAM_TERMINAL;
		struct pidring_process *process = start_process(engine, targets[i]);
		check_int(pidring_process_stream(process, STDIN_FILENO), -ENOTCONN);
		await_text(pidring_process_stream(process, STDERR_FILENO), text, sizeof(text), "terminal;");
		check_int(pidring_process_resize(process, 1, 1), 0);
		check_int(join_code(process), 0);
		check_text(memory_of(process, STDOUT_FILENO), "to memory;");
		pidring_process_free(process);
	}
	close_engine(engine);
}
