/* SPDX-License-Identifier: MIT */
/* Output and input of children on a terminal, as events. */
#define _GNU_SOURCE
#include "streams.h"

#include <sys/ioctl.h>
#include <termios.h>

/* Raw: the terminal changes no byte, and echoes none. */
static void make_raw(int descriptor)
{
	struct termios settings;

	check_int(tcgetattr(descriptor, &settings), 0);
	cfmakeraw(&settings);
	check_int(tcsetattr(descriptor, TCSANOW, &settings), 0);
}

/* Writes AMOUNT bytes of its pattern to stdout, unchanged. */
static int write_raw(void *argument)
{
	struct child *child = argument;
	uint64_t amount = strtoull(child->texts[1], NULL, 10);

	make_raw(STDOUT_FILENO);
	write_pattern(STDOUT_FILENO, seed_of(child->number, STDOUT_FILENO), 0, amount, 10000);
	return 0;
}

static void begin_raw(struct child *child, struct pidring *engine, uint64_t number, uint64_t amount)
{
	struct pidring_options options = awkward(child, "function", number, amount);

	options.argv = NULL;
	options.target = write_raw;
	options.argument = child;
	options.stdout_to = PIDRING_STREAM_TERMINAL;
	begin_child(child, engine, options);
}

SCENARIO(terminals, output)
{
	struct pidring *engine = open_engine();
	uint64_t amount = (uint64_t)small_or_normal(1, 8) * MEBIBYTE;
	struct child child = { 0 };

	begin_raw(&child, engine, 1, amount);
	fetch_all(engine, 64);
	check_int(child.ended[0], 1);
	check_int(child.ended[1], 0);
	end_child(&child, amount, 0, 0);
	close_engine(engine);
}

SCENARIO(terminals, many)
{
	struct pidring *engine = open_engine_with(
		(struct pidring_engine_options){ .output_memory = 128 * KIBIBYTE, .descriptors = 2000 });
	enum { COUNT = 60 };
	struct child children[COUNT] = { 0 };

	for (int i = 0; i < COUNT; i++)
		begin_raw(&children[i], engine, (uint64_t)i, 20000);
	fetch_all(engine, 3);
	for (int i = 0; i < COUNT; i++)
		end_child(&children[i], 20000, 0, 0);
	close_engine(engine);
}

static void run_text(struct pidring_options options, const char *expected, int stream, int code)
{
	struct pidring *engine = open_engine();
	struct child child = { .is_unchecked = true };
	struct pidring_event event;
	char text[1024] = "";

	begin_child(&child, engine, options);
	while (child.last == 0) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		if (event.type == PIDRING_OUTPUT) {
			check_int(event.stream, stream);
			check(strlen(text) + event.length < sizeof(text));
			strncat(text, event.data, event.length);
		}
		take_event(&event);
	}
	check_text(text, expected);
	check_int(child.ended[stream - STDOUT_FILENO], 1);
	check_int(child.end_codes[stream - STDOUT_FILENO], 0);
	check_int(child.code, code);
	check_int(pidring_outstanding(engine), 0);
	check_int(finish(child.process), code);
	close_engine(engine);
}

/* Both streams on one terminal are told as stdout. */
SCENARIO(terminals, both_streams)
{
	const char *const argv[] = { "sh", "-c", "echo one; echo two >&2; exit 3", NULL };

	run_text((struct pidring_options){ .argv = argv,
	                                   .stdout_to = PIDRING_STREAM_TERMINAL,
	                                   .stderr_to = PIDRING_STREAM_TERMINAL },
	         "one\r\ntwo\r\n", STDOUT_FILENO, 3);
}

/* Only stderr: told as that. */
SCENARIO(terminals, only_errors)
{
	const char *const argv[] = { "sh", "-c", "echo two >&2", NULL };

	run_text((struct pidring_options){ .argv = argv,
	                                   .stdout_to = PIDRING_STREAM_NULL,
	                                   .stderr_to = PIDRING_STREAM_TERMINAL },
	         "two\r\n", STDERR_FILENO, 0);
}

/* A program that closes its output some time before its end is not hung up. */
SCENARIO(terminals, closed_before_the_end)
{
	const char *const argv[] = { "sh", "-c", "echo early; exec >&-; sleep 0.1; exit 4", NULL };

	run_text((struct pidring_options){ .argv = argv, .stdout_to = PIDRING_STREAM_TERMINAL }, "early\r\n",
	         STDOUT_FILENO, 4);
}

/* The end of its output is told at once, and the terminal stays until its own end. */
SCENARIO(terminals, closes_its_output_and_lives)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct pidring_options options = awkward(&child, "closing", 3, 100);

	child.is_unchecked = true;
	options.stdin_to = PIDRING_STREAM_PIPE;
	options.stdout_to = PIDRING_STREAM_TERMINAL;
	begin_child(&child, engine, options);
	fetch_until(engine, &child.ended[0], 1);
	fetch_present(engine);
	check_int(child.exited, 0);
	check_int(pidring_process_close_input(child.process), 0);
	fetch_all(engine, 64);
	check_int(child.code, 0);
	check_int(finish(child.process), 0);
	close_engine(engine);
}

/* --- input --- */

/* What is typed is echoed, and read; the end of the file ends the reading. */
SCENARIO(terminals, input)
{
	const char *const argv[] = { "sh", "-c", "stty -echo; echo go; cat; exit 5", NULL };
	struct pidring *engine = open_engine();
	struct child child = { .is_unchecked = true };

	begin_child(&child, engine,
	            (struct pidring_options){ .argv = argv,
	                                      .stdin_to = PIDRING_STREAM_TERMINAL,
	                                      .stdout_to = PIDRING_STREAM_TERMINAL });
	fetch_bytes(engine, &child, strlen("go\r\n"));
	check_int(pidring_process_write(child.process, "line\n", 5), 5);
	fetch_bytes(engine, &child, strlen("go\r\nline\r\n"));
	/* A line that is not complete takes two. */
	check_int(pidring_process_write(child.process, "rest", 4), 4);
	check_int(pidring_process_close_input(child.process), 0);
	check_int(pidring_process_close_input(child.process), 0);
	check_int(pidring_process_write(child.process, "more", 4), -EPIPE);
	fetch_all(engine, 64);
	check_int(child.received[0], strlen("go\r\nline\r\nrest"));
	check_int(child.code, 5);
	check_int(child.input_closed, 0);
	check_int(finish(child.process), 5);
	close_engine(engine);
}

/* It ends although its input was never closed; that is told. */
SCENARIO(terminals, input_left_open)
{
	const char *const argv[] = { "sh", "-c", "exit 6", NULL };
	struct pidring *engine = open_engine();
	struct child child = { .is_unchecked = true };

	begin_child(&child, engine,
	            (struct pidring_options){ .argv = argv,
	                                      .stdin_to = PIDRING_STREAM_TERMINAL,
	                                      .stdout_to = PIDRING_STREAM_TERMINAL });
	fetch_all(engine, 64);
	check_int(child.input_closed, 1);
	check_int(child.code, 6);
	check_int(finish(child.process), 6);
	close_engine(engine);
}

/* More than the terminal takes: it waits in the queue, and is drained when it is read. */
SCENARIO(terminals, input_waits)
{
	const char *const argv[] = { "sh", "-c",
		                     "stty raw -echo; echo go; read -r line <&3; head -c 30000 | wc -c",
		                     NULL };
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_descriptor passed = { latch.reader, 3 };
	struct child child = { .is_unchecked = true };
	static char bytes[30000];

	memset(bytes, 'x', sizeof(bytes));
	begin_child(&child, engine,
	            (struct pidring_options){ .argv = argv,
	                                      .stdin_to = PIDRING_STREAM_TERMINAL,
	                                      .stdout_to = PIDRING_STREAM_TERMINAL,
	                                      .descriptors = &passed,
	                                      .descriptor_count = 1,
	                                      .input_limit = 29000 });
	fetch_bytes(engine, &child, strlen("go\n"));
	ssize_t taken = pidring_process_write(child.process, bytes, sizeof(bytes));
	check(taken >= 29000);
	check(pidring_process_queued_input(child.process) > 0);
	fetch_present(engine);
	check_int(write(latch.writer, "\n", 1), 1);
	if (taken < (ssize_t)sizeof(bytes)) {
		fetch_until(engine, &child.drained, 1);
		check_int(pidring_process_write(child.process, bytes, sizeof(bytes) - (size_t)taken),
		          (ssize_t)sizeof(bytes) - taken);
	}
	fetch_all(engine, 64);
	check_int(child.received[0], strlen("go\n30000\n"));
	check_int(finish(child.process), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* --- after the end --- */

/* What it wrote itself comes, also when somebody else has the terminal and there is no time. (The kernel hangs the
 * terminal up when the leader of its session ends.) */
SCENARIO(terminals, no_drain)
{
	struct pidring *engine = open_engine();

	for (int i = 0; i < small_or_normal(5, 20); i++) {
		struct child child = { 0 };
		struct latch latch = latch_open();
		const char *const argv[] = {
			"sh", "-c", "stty raw; trap '' HUP; cat <&3 & head -c 7000 /dev/zero; exit 7", NULL
		};
		struct pidring_descriptor passed = { latch.reader, 3 };

		child.is_unchecked = true;
		begin_child(&child, engine,
		            (struct pidring_options){ .argv = argv,
		                                      .stdin_to = PIDRING_STREAM_TERMINAL,
		                                      .stdout_to = PIDRING_STREAM_TERMINAL,
		                                      .descriptors = &passed,
		                                      .descriptor_count = 1,
		                                      .drain = PIDRING_NONE });
		close(latch.reader);
		if (i % 2 == 0)
			wait_ended(child.process);
		fetch_all(engine, 64);
		check_int(child.received[0], 7000);
		check_int(child.ended[0], 1);
		check_int(child.code, 7);
		check_int(finish(child.process), 7);
		close(latch.writer);
	}
	close_engine(engine);
}

/* Freed while it runs: it is hung up. */
SCENARIO(terminals, freed_while_it_runs)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "sh", "-c", "echo ready; sleep 1000", NULL };
	struct child child = { .is_unchecked = true };
	struct pidring_event event;

	begin_child(&child, engine,
	            (struct pidring_options){ .argv = argv,
	                                      .stdin_to = PIDRING_STREAM_TERMINAL,
	                                      .stdout_to = PIDRING_STREAM_TERMINAL });
	fetch_bytes(engine, &child, strlen("ready\r\n"));
	pidring_process_free(child.process);
	while (pidring_live_objects() > 0)
		check_int(pidring_wait(engine, &event, 1, MILLISECONDS), 0);
	close_engine(engine);
}
