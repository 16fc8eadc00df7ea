/* SPDX-License-Identifier: MIT */
/* Where the standard streams of a child can go, for programs and for functions. */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>

/* --- children --- */

/* Says what it reads, up to the end, and something on stderr. */
static int talk(void *argument)
{
	const char *input = read_all(STDIN_FILENO);

	(void)argument;
	check(dprintf(STDOUT_FILENO, "out:%s", input) > 0);
	check(dprintf(STDERR_FILENO, "err:%zu", strlen(input)) > 0);
	return 0;
}

SUBPROGRAM(places_talk)
{
	return talk(NULL);
}

/* Shows one place for both kinds of target; what it gets as options says which. */
static void for_both(void (*show)(struct pidring *engine, struct pidring_options options))
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "places_talk", NULL };
	int descriptors = count_descriptors();

	show(engine, (struct pidring_options){ .argv = argv });
	check_int(count_descriptors(), descriptors);
	show(engine, (struct pidring_options){ .target = talk });
	check_int(count_descriptors(), descriptors);
	show(engine, (struct pidring_options){ .target = talk, .libc_fork = true });
	check_int(count_descriptors(), descriptors);
	close_engine(engine);
}

/* --- files --- */

static char directory[64];

static void make_directory(void)
{
	snprintf(directory, sizeof(directory), "/tmp/pidring-places-XXXXXX");
	check(mkdtemp(directory) != NULL);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	int file = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check(file >= 0);
	check_int(write(file, text, strlen(text)), strlen(text));
	close(file);
}

static void check_file(const char *name, const char *text)
{
	int file = open(path_of(name), O_RDONLY | O_CLOEXEC);

	check(file >= 0);
	check_text(read_all(file), text);
	close(file);
}

static void remove_directory(void)
{
	static const char *const names[] = { "in", "out", "err" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	check_int(rmdir(directory), 0);
}

/* --- memfds --- */

static const char *memory_of(struct pidring_process *process, int stream)
{
	static char text[4096];
	struct stat status;
	int memfd = pidring_process_stream(process, stream);

	check(memfd >= 0);
	check_int(fstat(memfd, &status), 0);
	check(status.st_size < (off_t)sizeof(text));
	check_int(pread(memfd, text, sizeof(text), 0), status.st_size);
	text[status.st_size] = '\0';
	return text;
}

/* --- scenarios: paths --- */

static void show_paths(struct pidring *engine, struct pidring_options options)
{
	char in[128], out[128], err[128];
	struct stat status;
	mode_t mask = umask(022);

	make_directory();
	write_file("in", "of a file");
	snprintf(in, sizeof(in), "%s", path_of("in"));
	snprintf(out, sizeof(out), "%s", path_of("out"));
	snprintf(err, sizeof(err), "%s", path_of("err"));
	options.stdin_to = options.stdout_to = options.stderr_to = PIDRING_STREAM_PATH;
	options.stdin_path.name = in;
	options.stdout_path.name = out;
	options.stderr_path = (struct pidring_path){ err, O_WRONLY | O_CREAT | O_EXCL, 0640 };
	struct pidring_process *process = new_process(engine, options);
	memset(in, 'x', sizeof(in) - 1); /* copied */
	memset(out, 'x', sizeof(out) - 1);
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 0);
	check_file("out", "out:of a file");
	check_file("err", "err:9");
	check_int(stat(path_of("out"), &status), 0);
	check_int(status.st_mode & 0777, 0644);
	check_int(stat(err, &status), 0);
	check_int(status.st_mode & 0777, 0640);
	remove_directory();
	umask(mask);
}

/* Files are read, made with the mode that is asked for, and emptied. */
SCENARIO(places, paths)
{
	for_both(show_paths);
}

static void show_append(struct pidring *engine, struct pidring_options options)
{
	char out[128];

	make_directory();
	write_file("out", "before ");
	snprintf(out, sizeof(out), "%s", path_of("out"));
	options.stdin_to = PIDRING_STREAM_NULL;
	options.stdout_to = PIDRING_STREAM_PATH;
	options.stdout_path = (struct pidring_path){ .name = out, .flags = O_WRONLY | O_APPEND };
	options.stderr_to = PIDRING_STREAM_STDOUT;
	check_int(finish(start_process(engine, options)), 0);
	check_file("out", "before out:err:0");
	remove_directory();
}

/* With flags of one's own a file is appended to; stderr goes where stdout goes. */
SCENARIO(places, append)
{
	for_both(show_append);
}

static void check_fails_to_open(struct pidring *engine, struct pidring_options options, int error,
                                const char *named)
{
	struct pidring_failure failure;
	struct pidring_process *process = new_process(engine, options);
	int descriptors = count_descriptors();

	for (int i = 0; i < 2; i++) {
		check_int(pidring_process_start(process), error);
		check_contains(pidring_explain(), named);
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.step, PIDRING_STEP_STREAM);
		check_int(failure.error, -error);
		check_int(count_descriptors(), descriptors);
	}
	pidring_process_free(process);
}

static void show_bad_paths(struct pidring *engine, struct pidring_options options)
{
	make_directory();
	/* What was opened before the failure is closed. */
	options.stdin_to = PIDRING_STREAM_PATH;
	options.stdin_path.name = "/dev/null";
	options.stdout_to = PIDRING_STREAM_PATH;
	options.stdout_path.name = directory;
	check_fails_to_open(engine, options, -EISDIR, directory);
	options.stdout_to = PIDRING_STREAM_RAW_PIPE;
	options.stdout_path.name = NULL;
	options.stderr_to = PIDRING_STREAM_PATH;
	options.stderr_path.name = "/none/such";
	check_fails_to_open(engine, options, -ENOENT, "'/none/such' for stderr");
	remove_directory();
}

/* A path that cannot be opened fails the start, which may be tried again. */
SCENARIO(places, bad_paths)
{
	for_both(show_bad_paths);
}

/* A program that is not there does not cost a file its contents. */
SCENARIO(places, look_up_comes_first)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;

	make_directory();
	write_file("out", "precious");
	process = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "none-such", NULL },
	                                                        .stdout_to = PIDRING_STREAM_PATH,
	                                                        .stdout_path.name = path_of("out") });
	check_int(pidring_process_start(process), -ENOENT);
	check_file("out", "precious");
	pidring_process_free(process);
	remove_directory();
	close_engine(engine);
}

/* --- FILEs and descriptors --- */

static void show_files(struct pidring *engine, struct pidring_options options)
{
	FILE *input = tmpfile(), *output = tmpfile();

	check(input != NULL && output != NULL);
	check_int(pwrite(fileno(input), "of a FILE", 9, 0), 9);
	fprintf(output, "first "); /* in the buffer: start flushes it */
	options.stdin_to = PIDRING_STREAM_FILE;
	options.stdin_file = input;
	options.stdout_to = PIDRING_STREAM_FILE;
	options.stdout_file = output;
	options.stderr_to = PIDRING_STREAM_FILE;
	options.stderr_file = output;
	check_int(finish(start_process(engine, options)), 0);
	check_int(lseek(fileno(output), 0, SEEK_SET), 0);
	check_text(read_all(fileno(output)), "first out:of a FILEerr:9");
	fclose(input);
	fclose(output);
}

/* A FILE is flushed before its descriptor is handed on, and stays the caller's. */
SCENARIO(places, files)
{
	for_both(show_files);
}

static void show_exchanged(struct pidring *engine, struct pidring_options options)
{
	int out[2], err[2], saved[2] = { dup(1), dup(2) };

	open_pipe(out);
	open_pipe(err);
	dup2(out[1], 1);
	dup2(err[1], 2);
	options.stdin_to = PIDRING_STREAM_NULL;
	options.stdout_to = options.stderr_to = PIDRING_STREAM_DESCRIPTOR;
	options.stdout_descriptor = 2;
	options.stderr_descriptor = 1;
	struct pidring_process *process = start_process(engine, options);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(out[1]);
	close(err[1]);
	check_text(read_all(out[0]), "err:0");
	check_text(read_all(err[0]), "out:");
	check_int(finish(process), 0);
	close(out[0]);
	close(err[0]);
	close(saved[0]);
	close(saved[1]);
}

/* stdout and stderr change places. */
SCENARIO(places, exchanged)
{
	for_both(show_exchanged);
}

static void show_stderr_of_inherited(struct pidring *engine, struct pidring_options options)
{
	int out[2], saved = dup(1);

	open_pipe(out);
	dup2(out[1], 1);
	close(out[1]);
	options.stdin_to = PIDRING_STREAM_NULL;
	options.stderr_to = PIDRING_STREAM_STDOUT;
	struct pidring_process *process = start_process(engine, options);
	dup2(saved, 1);
	close(saved);
	check_text(read_all(out[0]), "out:err:0");
	check_int(finish(process), 0);
	close(out[0]);
}

/* stderr goes where stdout goes, also if that is inherited. */
SCENARIO(places, stderr_of_an_inherited_stdout)
{
	for_both(show_stderr_of_inherited);
}

/* --- pipes --- */

static void show_raw_pipes(struct pidring *engine, struct pidring_options options)
{
	options.stdin_to = options.stdout_to = options.stderr_to = PIDRING_STREAM_RAW_PIPE;
	struct pidring_process *process = new_process(engine, options);
	check_int(pidring_process_stream(process, STDIN_FILENO), -ESRCH);
	check_int(pidring_process_start(process), 0);
	int input = pidring_process_stream(process, STDIN_FILENO);
	check(input > 2);
	check_int(pidring_process_stream(process, STDIN_FILENO), input);
	check_int(pidring_process_take_stream(process, STDIN_FILENO), input);
	check_int(pidring_process_take_stream(process, STDIN_FILENO), -ENOTCONN);
	check_int(pidring_process_stream(process, STDIN_FILENO), -ENOTCONN);
	check_int(fcntl(input, F_GETFD), FD_CLOEXEC);
	check_int(fcntl(input, F_GETFL) & O_NONBLOCK, 0);
	check_int(write(input, "of a pipe", 9), 9);
	close(input);
	int output = pidring_process_take_stream(process, STDOUT_FILENO);
	check(output > 2);
	check_text(read_all(output), "out:of a pipe");
	check_text(read_all(pidring_process_stream(process, STDERR_FILENO)), "err:9");
	check_int(join_code(process), 0);
	check(pidring_process_stream(process, STDERR_FILENO) > 2);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_stream(process, STDERR_FILENO), -EBADF);
	check_int(pidring_process_take_stream(process, STDERR_FILENO), -EBADF);
	pidring_process_free(process);
	check_text(read_all(output), "");
	close(output);
}

/* The caller's end of a raw pipe can be had or taken; what was not taken is closed with the object. */
SCENARIO(places, raw_pipes)
{
	for_both(show_raw_pipes);
}

static void show_pipes_close_with_object(struct pidring *engine, struct pidring_options options)
{
	options.stdin_to = options.stdout_to = options.stderr_to = PIDRING_STREAM_PIPE;
	struct pidring_process *process = start_process(engine, options);
	check_int(pidring_process_stream(process, STDOUT_FILENO), -ENOTCONN);
	check_int(pidring_process_take_stream(process, STDOUT_FILENO), -ENOTCONN);
	check_int(pidring_process_kill(process), 0);
	finish(process);
}

/* The engine's pipes are not for the caller, and are closed with the object. */
SCENARIO(places, pipes_are_not_the_callers)
{
	for_both(show_pipes_close_with_object);
}

/* To free a running process closes its pipes here: its stdin ends. */
SCENARIO(places, freed_object_closes_its_pipes)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "cat", NULL },
	                                                        .stdin_to = PIDRING_STREAM_RAW_PIPE,
	                                                        .stdout_to = PIDRING_STREAM_RAW_PIPE });
	int output = pidring_process_take_stream(process, STDOUT_FILENO);
	int sentinel = fcntl(pidring_process_sentinel(process), F_DUPFD_CLOEXEC, 3);

	pidring_process_free(process);
	check_text(read_all(output), "");
	check_int(poll(&(struct pollfd){ .fd = sentinel, .events = POLLIN }, 1, -1), 1);
	check_int(pidring_active_children(NULL, 0), 0);
	close(output);
	close(sentinel);
	close_engine(engine);
}

/* --- memory --- */

static void show_memory(struct pidring *engine, struct pidring_options options)
{
	options.stdin_to = PIDRING_STREAM_NULL;
	options.stdout_to = options.stderr_to = PIDRING_STREAM_MEMORY;
	struct pidring_process *process = start_process(engine, options);
	check_int(join_code(process), 0);
	check_text(memory_of(process, STDOUT_FILENO), "out:");
	check_text(memory_of(process, STDERR_FILENO), "err:0");
	check_int(pidring_process_stream(process, STDIN_FILENO), -ENOTCONN);
	int taken = pidring_process_take_stream(process, STDOUT_FILENO);
	pidring_process_free(process);
	check_int(lseek(taken, 0, SEEK_SET), 0);
	check_text(read_all(taken), "out:");
	close(taken);

	options.stderr_to = PIDRING_STREAM_STDOUT;
	process = start_process(engine, options);
	check_int(join_code(process), 0);
	check_text(memory_of(process, STDOUT_FILENO), "out:err:0");
	check_int(pidring_process_stream(process, STDERR_FILENO), -ENOTCONN);
	pidring_process_free(process);
}

/* Output in memory is read after the end; stderr has its own, or shares stdout's. */
SCENARIO(places, memory)
{
	for_both(show_memory);
}

/* --- hosts without standard streams --- */

/* Descriptors 0, 1 and 2 are closed here; what was opened for the child must come out right all the same. */
SUBPROGRAM(places_closed_host)
{
	int report = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	const char *const program[] = { own_path(), "--sub", "places_talk", NULL };
	struct pidring_options options[] = { { .argv = program }, { .target = talk } };

	for (int closed = 1; closed < 8; closed++) {
		for (int i = 0; i < 3; i++) {
			check(dup2(report, i) == i);
			if (closed & 1 << i)
				close(i);
		}
		struct pidring *engine = open_engine();
		for (int kind = 0; kind < 2; kind++) {
			options[kind].stdin_to = PIDRING_STREAM_RAW_PIPE;
			options[kind].stdout_to = PIDRING_STREAM_MEMORY;
			options[kind].stderr_to = PIDRING_STREAM_RAW_PIPE;
			struct pidring_process *process = start_process(engine, options[kind]);
			int input = pidring_process_take_stream(process, STDIN_FILENO);
			check(input > 2);
			check_int(write(input, "word", 4), 4);
			close(input);
			check_text(read_all(pidring_process_stream(process, STDERR_FILENO)), "err:4");
			check_int(join_code(process), 0);
			check_text(memory_of(process, STDOUT_FILENO), "out:word");
			pidring_process_free(process);

			options[kind].stdin_to = PIDRING_STREAM_NULL;
			options[kind].stdout_to = PIDRING_STREAM_RAW_PIPE;
			options[kind].stderr_to = PIDRING_STREAM_STDOUT;
			process = start_process(engine, options[kind]);
			check_text(read_all(pidring_process_stream(process, STDOUT_FILENO)), "out:err:0");
			check_int(finish(process), 0);
		}
		close_engine(engine);
	}
	return 0;
}

SCENARIO(places, host_without_streams)
{
	check_int(run_subprogram("places_closed_host", NULL, NULL), 0);
}

/* stderr cannot go to a stdout that is not open. */
SUBPROGRAM(places_closed_stdout)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .target = return_zero,
	                                                      .stderr_to = PIDRING_STREAM_STDOUT });

	close(STDOUT_FILENO);
	check_int(pidring_process_start(process), -EBADF);
	check_contains(pidring_explain(), "stdout is not open");
	pidring_process_free(process);
	close_engine(engine);
	return 0;
}

SCENARIO(places, closed_stdout)
{
	check_int(run_subprogram("places_closed_stdout", NULL, NULL), 0);
}

/* --- terminals --- */

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
SCENARIO(places, terminal)
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
SCENARIO(places, terminal_of_stderr)
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

/* Whoever has no terminal cannot be given a size, and what is no stream has no end. */
SCENARIO(places, questions_that_cannot_be_answered)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = new_function(engine, return_zero, NULL);

	check_int(pidring_process_stream(NULL, 1), -EINVAL);
	check_int(pidring_process_take_stream(NULL, 1), -EINVAL);
	check_int(pidring_process_resize(NULL, 1, 1), -EINVAL);
	check_int(pidring_process_stream(process, 3), -EINVAL);
	check_int(pidring_process_stream(process, -1), -EINVAL);
	check_int(pidring_process_resize(process, 1, 1), -ESRCH);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_stream(process, STDIN_FILENO), -ENOTCONN);
	check_int(pidring_process_resize(process, 1, 1), -ENOTCONN);
	check_int(finish(process), 0);
	check_int(pidring_process_stream(pidring_current_process(), 1), -ECHILD);
	close_engine(engine);
}

/* --- ends and forks --- */

static int check_has_no_streams(void *process)
{
	check_int(pidring_process_stream(process, STDIN_FILENO), -ECHILD);
	check_int(pidring_process_take_stream(process, STDIN_FILENO), -ECHILD);
	check_int(pidring_process_resize(process, 1, 1), -ECHILD);
	return 0;
}

/* In another process than the one that started it, a process has no streams. */
SCENARIO(places, streams_of_another_process)
{
	struct pidring *engine = open_engine();
	struct pidring_process *cat =
		start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "cat", NULL },
	                                                        .stdin_to = PIDRING_STREAM_RAW_PIPE });

	check_int(finish(start_function(engine, check_has_no_streams, cat)), 0);
	check(pidring_process_stream(cat, STDIN_FILENO) > 2);
	kill_and_free(cat);
	close_engine(engine);
}

static pid_t fork_by_host(int latch_reader)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		char byte;
		_exit(read(latch_reader, &byte, 1) == 1 ? 0 : 1);
	}
	return pid;
}

/* Neither a function's process nor a fork of the host's keeps the stdin of a sibling open. */
SCENARIO(places, siblings_do_not_hold_a_pipe)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *cat =
		start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "cat", NULL },
	                                                        .stdin_to = PIDRING_STREAM_RAW_PIPE,
	                                                        .stdout_to = PIDRING_STREAM_MEMORY });
	struct pidring_process *function = start_function(engine, wait_for_latch, &latch);
	struct pidring_process *forked = start_process(
		engine,
		(struct pidring_options){ .target = wait_for_latch, .argument = &latch, .libc_fork = true });
	pid_t host = fork_by_host(latch.reader);
	int input = pidring_process_take_stream(cat, STDIN_FILENO);

	check_int(write(input, "word", 4), 4);
	close(input);
	check_int(join_code(cat), 0);
	check_text(memory_of(cat, STDOUT_FILENO), "word");
	for (int i = 0; i < 3; i++)
		latch_release(&latch);
	check_int(finish(function), 0);
	check_int(finish(forked), 0);
	check_int(waitpid(host, NULL, 0), host);
	pidring_process_free(cat);
	latch_close(&latch);
	close_engine(engine);
}

/* A process whose engine was closed still has its streams, and a sibling does not get them. */
SCENARIO(places, streams_outlive_the_engine)
{
	struct pidring *engine = open_engine(), *other = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *cat =
		start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "cat", NULL },
	                                                        .stdin_to = PIDRING_STREAM_RAW_PIPE,
	                                                        .stdout_to = PIDRING_STREAM_RAW_PIPE });
	close_engine(engine);
	struct pidring_process *function = start_function(other, wait_for_latch, &latch);
	int input = pidring_process_take_stream(cat, STDIN_FILENO);

	check_int(write(input, "word", 4), 4);
	close(input);
	check_text(read_all(pidring_process_stream(cat, STDOUT_FILENO)), "word");
	check_int(finish(cat), 0);
	latch_release(&latch);
	check_int(finish(function), 0);
	latch_close(&latch);
	close_engine(other);
}

/* The output of one process is the input of the next, and so on: ends of streams can be handed on. */
SCENARIO(places, pipeline)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "places_talk", NULL };
	struct pidring_options targets[] = { { .argv = argv },
		                             { .target = talk },
		                             { .target = talk, .libc_fork = true },
		                             { .target = talk, .close_descriptors = true } };

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct pidring_options options = targets[i];

		options.stdin_to = options.stdout_to = PIDRING_STREAM_RAW_PIPE;
		options.stderr_to = PIDRING_STREAM_NULL;
		struct pidring_process *first = start_process(engine, options);
		options.stdin_to = PIDRING_STREAM_DESCRIPTOR;
		options.stdin_descriptor = pidring_process_stream(first, STDOUT_FILENO);
		struct pidring_process *second = start_process(engine, options);
		int input = pidring_process_take_stream(first, STDIN_FILENO);
		check_int(write(input, "word", 4), 4);
		close(input);
		check_text(read_all(pidring_process_stream(second, STDOUT_FILENO)), "out:out:word");
		check_int(finish(second), 0);
		check_int(finish(first), 0);
	}
	close_engine(engine);
}

/* With all descriptors in use a start fails, and leaves nothing behind. */
SCENARIO(places, no_descriptors_left)
{
	static const enum pidring_stream places[] = { PIDRING_STREAM_PIPE, PIDRING_STREAM_RAW_PIPE,
		                                      PIDRING_STREAM_MEMORY, PIDRING_STREAM_TERMINAL };
	struct pidring *engine = open_engine();
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct pidring_process *process =
			new_process(engine, (struct pidring_options){ .target = return_zero,
		                                                      .stdin_to = PIDRING_STREAM_RAW_PIPE,
		                                                      .stdout_to = places[i],
		                                                      .stderr_to = places[i] });
		int before = count_descriptors();
		struct rlimit narrow = limit;

		/* The highest in use is found by the next free one: numbers go up without a gap. */
		int next = dup(STDERR_FILENO);
		close(next);
		for (int room = 0; room < 4; room++) {
			narrow.rlim_cur = (rlim_t)(next + room);
			check_int(setrlimit(RLIMIT_NOFILE, &narrow), 0);
			int r = pidring_process_start(process);
			check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
			if (r == 0)
				fail("it was started with %d descriptors", room);
			check(r == -EMFILE || r == -ENOSPC);
			check_int(count_descriptors(), before);
		}
		pidring_process_free(process);
	}
	close_engine(engine);
}

/* An asynchronous start gives its child the streams, too, and keeps none of the child's ends. */
SCENARIO(places, asynchronous)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "places_talk", NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = argv,
	                                                        .asynchronous = true,
	                                                        .stdin_to = PIDRING_STREAM_RAW_PIPE,
	                                                        .stdout_to = PIDRING_STREAM_RAW_PIPE,
	                                                        .stderr_to = PIDRING_STREAM_MEMORY });
	struct pidring_event event;
	int input = pidring_process_take_stream(process, STDIN_FILENO);

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check_int(write(input, "word", 4), 4);
	close(input);
	check_text(read_all(pidring_process_stream(process, STDOUT_FILENO)), "out:word");
	check_int(join_code(process), 0);
	check_text(memory_of(process, STDERR_FILENO), "err:4");
	pidring_process_free(process);
	close_engine(engine);
}

/* Many at once, each with its own pipes: none holds another's. */
SCENARIO(places, start_many)
{
	enum { COUNT = 100 };
	struct pidring *engine = open_engine();
	struct pidring_process *processes[COUNT];
	const char *const argv[] = { "cat", NULL };

	for (int i = 0; i < COUNT; i++) {
		struct pidring_options options = { .stdin_to = PIDRING_STREAM_RAW_PIPE,
			                           .stdout_to = PIDRING_STREAM_RAW_PIPE,
			                           .stderr_to = PIDRING_STREAM_NULL };
		if (i % 10 == 9)
			options.target = talk;
		else
			options.argv = argv;
		processes[i] = new_process(engine, options);
	}
	check_int(pidring_start_many(processes, COUNT), COUNT);
	for (int i = 0; i < COUNT; i++) {
		char word[16];
		int length = snprintf(word, sizeof(word), "word %d", i);
		int input = pidring_process_take_stream(processes[i], STDIN_FILENO);

		check_int(write(input, word, (size_t)length), length);
		close(input);
		const char *text = read_all(pidring_process_stream(processes[i], STDOUT_FILENO));
		check_text(i % 10 == 9 ? text + 4 : text, word);
		check_int(finish(processes[i]), 0);
	}
	close_engine(engine);
}

/* --- options --- */

static void check_refused(struct pidring_options options, int error, const char *named)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = NULL;

	options.size = sizeof(options);
	check_int(pidring_process_new(&process, engine, &options), error);
	check(process == NULL);
	check_contains(pidring_explain(), named);
	close_engine(engine);
}

SCENARIO(places, bad_places)
{
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_STDOUT }, -EINVAL, "stdin_to");
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_STDOUT }, -EINVAL, "stdout_to");
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_MEMORY }, -EINVAL, "stdin_to");
	check_refused((struct pidring_options){ .stderr_to = (enum pidring_stream)11 }, -EINVAL, "11");
}

/* What is open for the wrong direction makes programs fail in odd ways. */
SCENARIO(places, wrong_directions)
{
	int ends[2];

	open_pipe(ends);
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_PATH,
	                                        .stdout_path = { "log", O_APPEND | O_CREAT, 0 } },
	              -EINVAL, "O_WRONLY");
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_PATH,
	                                        .stdin_path = { "log", O_WRONLY, 0 } },
	              -EINVAL, "O_RDONLY");
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                        .stdout_descriptor = ends[0] },
	              -EINVAL, "open for reading only");
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_DESCRIPTOR,
	                                        .stdin_descriptor = ends[1] },
	              -EINVAL, "open for writing only");
	close(ends[0]);
	close(ends[1]);
}

SCENARIO(places, arrays_without_a_count)
{
	check_refused((struct pidring_options){ .descriptors = (struct pidring_descriptor[]){ { 7, 3 } } },
	              -EINVAL, "descriptor_count");
	check_refused(
		(struct pidring_options){ .stop_steps = (struct pidring_stop_step[]){ { SIGKILL, 0 } } },
		-EINVAL, "stop_step_count");
}

SCENARIO(places, bad_path_options)
{
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_PATH }, -EINVAL, "stdout_path");
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_PATH, .stdin_path.name = "" },
	              -EINVAL, "stdin_path.name");
	check_refused((struct pidring_options){ .stderr_path.name = "x" }, -EINVAL, "stderr_path");
	check_refused((struct pidring_options){ .stderr_path.flags = O_APPEND }, -EINVAL, "stderr_path");
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_PATH,
	                                        .stdout_path = { .name = "x", .mode = 0100644 } },
	              -EINVAL, "0100644");
}

SCENARIO(places, bad_file_options)
{
	FILE *memory = fmemopen(NULL, 16, "w");

	check(memory != NULL);
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_FILE }, -EINVAL, "stdout_file");
	check_refused((struct pidring_options){ .stdin_file = stdin }, -EINVAL, "stdin_file");
	check_refused((struct pidring_options){ .stderr_to = PIDRING_STREAM_FILE, .stderr_file = memory },
	              -EBADF, "stderr_file");
	fclose(memory);
}

SCENARIO(places, bad_terminal_options)
{
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_TERMINAL }, -EINVAL,
	              "nobody would read");
	check_refused((struct pidring_options){ .terminal_rows = 3 }, -EINVAL, "terminal_rows");
	check_refused((struct pidring_options){ .terminal_columns = 3 }, -EINVAL, "terminal_columns");
}

SCENARIO(places, bad_end_options)
{
	const char *const argv[] = { "true", NULL };
	struct pidring_stop_step step = { 0, 0 };

	check_refused((struct pidring_options){ .drain = -2 }, -EINVAL, "drain is -2");
	check_refused((struct pidring_options){ .deadline = -1 }, -EINVAL, "deadline is -1");
	check_refused((struct pidring_options){ .stop_step_count = 2 }, -EINVAL, "stop_steps");
	step.signal_number = 65;
	check_refused((struct pidring_options){ .stop_steps = &step, .stop_step_count = 1 }, -EINVAL, "65");
	step.signal_number = -1;
	check_refused((struct pidring_options){ .stop_steps = &step, .stop_step_count = 1 }, -EINVAL, "-1");
	step = (struct pidring_stop_step){ SIGTERM, -7 };
	check_refused((struct pidring_options){ .stop_steps = &step, .stop_step_count = 1 }, -EINVAL, "-7");
	check_refused((struct pidring_options){ .stop_group = true }, -EINVAL, "stop_group");
	check_refused((struct pidring_options){ .target = return_zero, .report_exec = true }, -EINVAL,
	              "report_exec");
	check_refused((struct pidring_options){ .argv = argv, .close_descriptors = true }, -EINVAL,
	              "close_descriptors");
}
