/* SPDX-License-Identifier: MIT */
/* The descriptors that a program has, and where its standard streams lead. */
#define _GNU_SOURCE
#include "program_helpers.h"

static struct pidring *engine;

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
SCENARIO(program_descriptors, descriptors_are_closed)
{
	with_open_descriptors("has_three_descriptors", (struct pidring_options){ .keep_descriptors = false });
}

/* Or all that are not close-on-exec. */
SCENARIO(program_descriptors, descriptors_can_be_kept)
{
	with_open_descriptors("has_descriptor_50_only", (struct pidring_options){ .keep_descriptors = true });
}

/* Not even the sentinels of other children are kept, nor the engine's own descriptors. */
SCENARIO(program_descriptors, sentinels_are_not_inherited)
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
SCENARIO(program_descriptors, streams_can_be_null)
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
SCENARIO(program_descriptors, stdin_from_a_descriptor)
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
SCENARIO(program_descriptors, stdin_is_inherited)
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
SCENARIO(program_descriptors, both_outputs_to_one_descriptor)
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
SCENARIO(program_descriptors, outputs_can_be_swapped)
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
SCENARIO(program_descriptors, stream_to_its_own_number)
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
SCENARIO(program_descriptors, stream_descriptor_closed_since)
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
