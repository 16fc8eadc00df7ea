/* SPDX-License-Identifier: MIT */
/* Options for the streams of a process, and for its end, that are refused at its construction. */
#define _GNU_SOURCE
#include "scenario.h"

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

SCENARIO(places_refused, bad_places)
{
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_STDOUT }, -EINVAL, "stdin_to");
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_STDOUT }, -EINVAL, "stdout_to");
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_MEMORY }, -EINVAL, "stdin_to");
	check_refused((struct pidring_options){ .stderr_to = (enum pidring_stream)11 }, -EINVAL, "11");
}

/* What is open for the wrong direction makes programs fail in odd ways. */
SCENARIO(places_refused, wrong_directions)
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

SCENARIO(places_refused, arrays_without_a_count)
{
	check_refused((struct pidring_options){ .descriptors = (struct pidring_descriptor[]){ { 7, 3 } } },
	              -EINVAL, "descriptor_count");
	check_refused(
		(struct pidring_options){ .stop_steps = (struct pidring_stop_step[]){ { SIGKILL, 0 } } },
		-EINVAL, "stop_step_count");
}

SCENARIO(places_refused, bad_path_options)
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

SCENARIO(places_refused, bad_file_options)
{
	FILE *memory = fmemopen(NULL, 16, "w");

	check(memory != NULL);
	check_refused((struct pidring_options){ .stdout_to = PIDRING_STREAM_FILE }, -EINVAL, "stdout_file");
	check_refused((struct pidring_options){ .stdin_file = stdin }, -EINVAL, "stdin_file");
	check_refused((struct pidring_options){ .stderr_to = PIDRING_STREAM_FILE, .stderr_file = memory },
	              -EBADF, "stderr_file");
	fclose(memory);
}

SCENARIO(places_refused, bad_terminal_options)
{
	check_refused((struct pidring_options){ .stdin_to = PIDRING_STREAM_TERMINAL }, -EINVAL,
	              "nobody would read");
	check_refused((struct pidring_options){ .terminal_rows = 3 }, -EINVAL, "terminal_rows");
	check_refused((struct pidring_options){ .terminal_columns = 3 }, -EINVAL, "terminal_columns");
}

SCENARIO(places_refused, bad_end_options)
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
