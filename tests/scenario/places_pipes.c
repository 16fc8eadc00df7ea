/* SPDX-License-Identifier: MIT */
/* Pipes for the standard streams of a child: the ends that the caller has, and who else may not hold them. */
#define _GNU_SOURCE
#include "talkers.h"

/* --- the caller's ends --- */

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
SCENARIO(places_pipes, raw_pipes)
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
SCENARIO(places_pipes, pipes_are_not_the_callers)
{
	for_both(show_pipes_close_with_object);
}

/* To free a running process closes its pipes here: its stdin ends. */
SCENARIO(places_pipes, freed_object_closes_its_pipes)
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

/* Whoever has no terminal cannot be given a size, and what is no stream has no end. */
SCENARIO(places_pipes, questions_that_cannot_be_answered)
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

/* The output of one process is the input of the next, and so on: ends of streams can be handed on. */
SCENARIO(places_pipes, pipeline)
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

/* An asynchronous start gives its child the streams, too, and keeps none of the child's ends. */
SCENARIO(places_pipes, asynchronous)
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

/* --- others' ends --- */

static int check_has_no_streams(void *process)
{
	check_int(pidring_process_stream(process, STDIN_FILENO), -ECHILD);
	check_int(pidring_process_take_stream(process, STDIN_FILENO), -ECHILD);
	check_int(pidring_process_resize(process, 1, 1), -ECHILD);
	return 0;
}

/* In another process than the one that started it, a process has no streams. */
SCENARIO(places_pipes, streams_of_another_process)
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
SCENARIO(places_pipes, siblings_do_not_hold_a_pipe)
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
SCENARIO(places_pipes, streams_outlive_the_engine)
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

/* Many at once, each with its own pipes: none holds another's. */
SCENARIO(places_pipes, start_many)
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
