/* SPDX-License-Identifier: MIT */
/* What the streams of a child are where the host has none itself, or no descriptor left. */
#define _GNU_SOURCE
#include "talkers.h"

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

SCENARIO(places_closed, host_without_streams)
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

SCENARIO(places_closed, closed_stdout)
{
	check_int(run_subprogram("places_closed_stdout", NULL, NULL), 0);
}

/* With all descriptors in use a start fails, and leaves nothing behind. */
SCENARIO(places_closed, no_descriptors_left)
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
