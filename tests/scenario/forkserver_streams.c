/* SPDX-License-Identifier: MIT */
/* Streams and descriptors of a server's child: those of the moment of its start, taken when the start returns. */
#define _GNU_SOURCE
#include "servers.h"

#include <termios.h>

/* --- streams --- */

static int copy_input(void *argument)
{
	char buffer[256];
	ssize_t count;

	(void)argument;
	while ((count = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0)
		check_int(write(STDOUT_FILENO, buffer, (size_t)count), count);
	fprintf(stderr, "%s", "to the end");
	return 0;
}

static void check_streams(struct pidring *engine)
{
	struct pidring_captured captured = { .size = sizeof(captured) };
	struct pidring_options options = { .size = sizeof(options),
		                           .target = copy_input,
		                           .start_method = PIDRING_FORKSERVER };
	const struct pidring_capture_options capture = { .size = sizeof(capture),
		                                         .input = "what goes in",
		                                         .input_length = 12 };
	const struct pidring_options empty = { .target = copy_input, .start_method = PIDRING_FORKSERVER };

	check_int(pidring_capture(&captured, &options, &capture), 0);
	check_int(captured.record.code, 0);
	check_text(captured.output.data, "what goes in");
	check_text(captured.error.data, "to the end");
	pidring_captured_release(&captured);
	/* Its stdin is /dev/null otherwise. */
	check_text(output_of(engine, empty, NULL), "");
}

/* Pipes to and from the engine, and /dev/null for stdin. */
SCENARIO(forkserver_streams, streams)
{
	struct pidring *engine = open_served();

	check_streams(engine);
	close_engine(engine);
}

/* The same in parked children. */
SCENARIO(parked, streams)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_streams(engine);
	close_engine(engine);
}

static int is_on_a_terminal(void *argument)
{
	char byte;
	int terminal = open("/dev/tty", O_RDWR);

	(void)argument;
	check(terminal >= 0);
	check_int(getsid(0), getpid());
	check_int(tcgetsid(STDOUT_FILENO), getpid());
	check_int(read(STDIN_FILENO, &byte, 1), 1);
	check_int(byte, 'x');
	return 4;
}

/* A child that leads a session on a terminal of its own. */
SCENARIO(forkserver_streams, terminal)
{
	struct pidring *engine = open_parked(1);
	struct pidring_event event;
	struct pidring_process *process;
	bool ended = false;

	process = new_process(engine, (struct pidring_options){ .target = is_on_a_terminal,
	                                                        .stdin_to = PIDRING_STREAM_TERMINAL,
	                                                        .stdout_to = PIDRING_STREAM_TERMINAL,
	                                                        .start_method = PIDRING_FORKSERVER });
	check_int(pidring_process_write(process, "x\n", 2), 2);
	check_int(pidring_process_start(process), 0);
	while (!ended) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		if (event.type == PIDRING_EXITED)
			check_int(event.code, 4);
		ended = event.last;
	}
	pidring_process_free(process);
	close_engine(engine);
}

/* --- descriptors --- */

static int say_a_word(void *argument)
{
	check_int(write(STDOUT_FILENO, argument, pidring_argument_length()), pidring_argument_length());
	return 0;
}

/* A descriptor that a stream goes to may be closed as soon as start has returned, and its number used for another file, however
 * often: what was written arrives in the right one. */
SCENARIO(forkserver_streams, descriptors_are_taken_when_start_returns)
{
	struct pidring *engine = open_served();

	for (int i = 0; i < 300; i++) {
		char word[16];
		int length = snprintf(word, sizeof(word), "%d", i);
		struct pidring_process *process;
		int ends[2], others[2];

		open_pipe(ends);
		process = start_process(engine,
		                        (struct pidring_options){ .target = say_a_word,
		                                                  .argument = word,
		                                                  .argument_length = (size_t)length,
		                                                  .stdout_to = PIDRING_STREAM_DESCRIPTOR,
		                                                  .stdout_descriptor = ends[1],
		                                                  .start_method = PIDRING_FORKSERVER });
		close(ends[1]);
		open_pipe(others);
		check_text(read_all(ends[0]), word);
		close(ends[0]);
		close(others[0]);
		close(others[1]);
		check_int(finish(process), 0);
	}
	close_engine(engine);
}

static int say_to_five(void *argument)
{
	check_int(write(5, argument, pidring_argument_length()), pidring_argument_length());
	return 0;
}

/* The same with descriptors that are passed, by parked children. */
SCENARIO(parked, descriptors_are_taken_when_start_returns)
{
	struct pidring *engine = open_parked(8);

	for (int i = 0; i < 300; i++) {
		char word[16];
		int length = snprintf(word, sizeof(word), "%d", i);
		struct pidring_descriptor passed = { .target = 5 };
		struct pidring_process *process;
		int ends[2];

		open_pipe(ends);
		passed.source = ends[1];
		process =
			start_process(engine, (struct pidring_options){ .target = say_to_five,
		                                                        .argument = word,
		                                                        .argument_length = (size_t)length,
		                                                        .descriptors = &passed,
		                                                        .descriptor_count = 1,
		                                                        .start_method = PIDRING_FORKSERVER });
		close(ends[1]);
		check_text(read_all(ends[0]), word);
		close(ends[0]);
		check_int(finish(process), 0);
	}
	close_engine(engine);
}

enum { PASSED = 6 };

static int read_letters(void *argument)
{
	static const int numbers[PASSED] = { 4, 3, 9, 100, 700, 5 };
	char letters[PASSED + 1] = { 0 };

	for (int i = 0; i < PASSED; i++)
		check_int(pread(numbers[i], &letters[i], 1, 0), 1);
	check_text(letters, argument);
	for (int i = 3; i < 1024; i++) {
		bool wanted = false;

		for (int j = 0; j < PASSED; j++)
			wanted = wanted || numbers[j] == i;
		if (!wanted && descriptor_is_open(i)) {
			char path[64], name[256] = { 0 };

			snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
			check(readlink(path, name, sizeof(name) - 1) > 0);
			/* The parent's pidfd, by which its end is seen. */
			check_text(name, "anon_inode:[pidfd]");
		}
	}
	return 0;
}

static void check_passed(struct pidring *engine)
{
	/* 100 and 700 are a target, too. */
	const struct pidring_descriptor passed[PASSED] = { { 200, 4 },   { 201, 3 },   { 700, 9 },
		                                           { 800, 100 }, { 100, 700 }, { 801, 5 } };
	struct pidring_process *process;
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 1024)
		skip("the limit allows too few descriptors");
	place_file(200, 'a');
	place_file(201, 'b');
	place_file(700, 'c');
	place_file(800, 'd');
	place_file(100, 'e');
	place_file(801, 'f');
	for (int i = 0; i < 5; i++) {
		process =
			start_process(engine, (struct pidring_options){ .target = read_letters,
		                                                        .argument = (void *)"abcdef",
		                                                        .argument_length = 7,
		                                                        .descriptors = passed,
		                                                        .descriptor_count = PASSED,
		                                                        .start_method = PIDRING_FORKSERVER });
		check_int(finish(process), 0);
	}
	close(200);
	close(201);
	close(700);
	close(800);
	close(100);
	close(801);
}

/* Descriptors under any numbers, low, high and exchanged, made after the server was; nothing else is there above 2. */
SCENARIO(forkserver_streams, passed_descriptors)
{
	struct pidring *engine = open_served();

	check_passed(engine);
	close_engine(engine);
}

/* The same in parked children. */
SCENARIO(parked, passed_descriptors)
{
	struct pidring *engine = open_parked(4);

	wait_parked(engine, 4);
	check_passed(engine);
	close_engine(engine);
}

/* With no descriptor left a start fails, if it needs one, and works again when there are. */
static void check_without_descriptors(struct pidring *engine)
{
	struct rlimit limit, none;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	for (int i = 0; i < 8; i++) {
		int descriptors, result;
		struct pidring_process *process =
			i % 2 ? new_served(engine, return_zero, NULL, 0)
			      : new_process(engine, (struct pidring_options){
							    .argv = (const char *[]){ "true", NULL },
							    .start_method = PIDRING_FORKSERVER });

		descriptors = count_descriptors();
		check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
		result = pidring_process_start(process);
		check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (result < 0) {
			check_int(result, -EMFILE);
			check_int(count_descriptors(), descriptors);
			check_int(pidring_process_start(process), 0);
		}
		/* A program that was started without any cannot open its libraries. */
		check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		pidring_process_free(process);
	}
	check_still_serves(engine);
}

SCENARIO(forkserver_streams, no_descriptor_left)
{
	struct pidring *engine = open_served();

	check_without_descriptors(engine);
	close_engine(engine);
}

/* The same with parked children. */
SCENARIO(parked, no_descriptor_left)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_without_descriptors(engine);
	close_engine(engine);
}
