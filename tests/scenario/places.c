/* SPDX-License-Identifier: MIT */
/* Standard streams of a child, program or function, that go to files, to FILEs, to other descriptors, or to memory. */
#define _GNU_SOURCE
#include "talkers.h"

#include <sys/stat.h>

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

/* --- paths --- */

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
