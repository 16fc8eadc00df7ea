/* SPDX-License-Identifier: MIT */
/* The simple call: start, feed, collect, wait. */
#include <pthread.h>

#include "scenario.h"

static struct pidring_captured capture_all(struct pidring_options options,
                                           struct pidring_capture_options capture)
{
	struct pidring_captured captured = { .size = sizeof(captured) };

	options.size = sizeof(options);
	capture.size = sizeof(capture);
	check_int(pidring_capture(&captured, &options, &capture), 0);
	check(captured.output.data != NULL && captured.error.data != NULL);
	check_int(captured.output.data[captured.output.length], 0);
	check_int(captured.error.data[captured.error.length], 0);
	return captured;
}

static struct pidring_captured capture_shell(const char *command)
{
	return capture_all((struct pidring_options){ .argv = (const char *[]){ "sh", "-c", command, NULL } },
	                   (struct pidring_capture_options){ 0 });
}

static int refused(struct pidring_options options, struct pidring_capture_options capture)
{
	struct pidring_captured captured = { .size = sizeof(captured) };

	options.size = sizeof(options);
	capture.size = sizeof(capture);
	int r = pidring_capture(&captured, &options, &capture);
	check(captured.output.data == NULL && captured.error.data == NULL);
	return r;
}

SCENARIO(capture, keeps_output_and_error_apart)
{
	struct pidring_captured captured = capture_shell("echo out; echo error >&2; exit 4");

	check_text(captured.output.data, "out\n");
	check_text(captured.error.data, "error\n");
	check_int(captured.record.code, 4);
	check(captured.record.known && captured.record.usage_known);
	check(!captured.output.truncated && !captured.output.cut);
	pidring_captured_release(&captured);
	check(captured.output.data == NULL);
	check_int(captured.size, sizeof(captured));
	pidring_captured_release(&captured);
}

SCENARIO(capture, takes_both_together_in_order)
{
	struct pidring_captured captured = capture_all(
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c", "echo 1; echo 2 >&2; echo 3", NULL } },
		(struct pidring_capture_options){ .together = true });

	check_text(captured.output.data, "1\n2\n3\n");
	check_int(captured.error.length, 0);
	pidring_captured_release(&captured);
}

SCENARIO(capture, without_input_there_is_none)
{
	struct pidring_captured captured = capture_shell("cat; echo end");

	check_text(captured.output.data, "end\n");
	pidring_captured_release(&captured);
}

SCENARIO(capture, an_empty_input_is_a_pipe_that_ends)
{
	struct pidring_captured captured = capture_all(
		(struct pidring_options){ .argv = (const char *[]){ "sh", "-c",
	                                                            "test -p /dev/stdin && cat && echo end",
	                                                            NULL } },
		(struct pidring_capture_options){ .input = "" });

	check_text(captured.output.data, "end\n");
	check_int(captured.unwritten, 0);
	pidring_captured_release(&captured);
}

/* More than pipes and queues hold, in both directions at once: nobody may wait for the other. */
SCENARIO(capture, any_amount_goes_in_both_directions)
{
	enum { LENGTH = 20 * 1000 * 1000 + 1 };
	unsigned char *input = malloc(LENGTH);
	uint32_t state = 1;

	check(input != NULL);
	for (size_t i = 0; i < LENGTH; i++) {
		state = state * 1664525 + 1013904223;
		input[i] = (unsigned char)(state >> 24);
	}
	struct pidring_captured captured =
		capture_all((struct pidring_options){ .argv = (const char *[]){ "cat", NULL } },
	                    (struct pidring_capture_options){ .input = input, .input_length = LENGTH });
	check_int(captured.output.length, LENGTH);
	check(memcmp(captured.output.data, input, LENGTH) == 0);
	check_int(captured.unwritten, 0);
	pidring_captured_release(&captured);
	free(input);
}

SCENARIO(capture, says_how_much_input_was_not_taken)
{
	enum { LENGTH = 5 * 1000 * 1000 };
	char *input = calloc(1, LENGTH);
	struct pidring_captured captured = capture_all(
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c", "head -c 10 | wc -c", NULL } },
		(struct pidring_capture_options){ .input = input, .input_length = LENGTH });

	check_contains(captured.output.data, "10");
	check(captured.unwritten > 0 && captured.unwritten < LENGTH);
	pidring_captured_release(&captured);
	free(input);
}

SCENARIO(capture, drops_what_is_above_the_limit)
{
	struct pidring_captured captured = capture_all(
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c", "head -c 1000000 /dev/zero; echo error >&2",
	                                          NULL } },
		(struct pidring_capture_options){ .limit = 1000 });

	check_int(captured.output.length, 1000);
	check(captured.output.truncated);
	check_text(captured.error.data, "error\n");
	check(!captured.error.truncated);
	check_int(captured.record.code, 0);
	pidring_captured_release(&captured);
}

SCENARIO(capture, exactly_the_limit_is_not_too_much)
{
	struct pidring_captured captured =
		capture_all((struct pidring_options){ .argv = (const char *[]){ "printf", "12345", NULL } },
	                    (struct pidring_capture_options){ .limit = 5, .stop_at_limit = true });

	check_text(captured.output.data, "12345");
	check(!captured.output.truncated);
	check_int(captured.record.code, 0);
	pidring_captured_release(&captured);
}

SCENARIO(capture, stops_the_endless_at_the_limit)
{
	struct pidring_captured captured =
		capture_all((struct pidring_options){ .argv = (const char *[]){ "cat", "/dev/zero", NULL } },
	                    (struct pidring_capture_options){ .limit = 100 * 1000, .stop_at_limit = true });

	check_int(captured.output.length, 100 * 1000);
	check(captured.output.truncated);
	check_int(captured.record.code, -SIGTERM);
	check_int(captured.record.stop_signal, SIGTERM);
	pidring_captured_release(&captured);
}

SCENARIO(capture, enforces_the_deadline)
{
	struct pidring_captured captured = capture_all(
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c", "echo begun; exec sleep 1000", NULL },
			.deadline = 300 * MILLISECONDS },
		(struct pidring_capture_options){ 0 });

	check_int(captured.record.code, -SIGTERM);
	check(captured.record.deadline_passed);
	pidring_captured_release(&captured);
}

/* The grandchild ignores SIGTERM, has the pipe, and is in the group. */
SCENARIO(capture, leaves_nobody_of_a_stopped_group)
{
	const struct pidring_stop_step steps[] = { { SIGTERM, 100 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_captured captured = capture_all(
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c",
	                                          "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1000; "
	                                          "done' & wait",
	                                          NULL },
			.new_group = true,
			.stop_group = true,
			.stop_steps = steps,
			.stop_step_count = 2,
			.deadline = 500 * MILLISECONDS,
			.drain = PIDRING_NONE,
		},
		(struct pidring_capture_options){ 0 });
	pid_t grandchild = (pid_t)atoi(captured.output.data);

	check_int(captured.record.code, -SIGTERM);
	if (captured.output.length > 0)
		while (process_state(grandchild) != 0 && process_state(grandchild) != 'Z')
			poll(NULL, 0, 1);
	pidring_captured_release(&captured);
}

SCENARIO(capture, does_not_wait_for_a_grandchild)
{
	struct pidring_captured captured = capture_all(
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c", "echo $$; sleep 1000 & echo $!", NULL },
			.drain = PIDRING_NONE },
		(struct pidring_capture_options){ 0 });
	int shell = 0, sleeper = 0;

	check_int(sscanf(captured.output.data, "%d\n%d\n", &shell, &sleeper), 2);
	check(captured.output.cut);
	check_int(shell, captured.record.pid);
	check_int(kill(sleeper, SIGKILL), 0);
	pidring_captured_release(&captured);
}

SCENARIO(capture, streams_may_go_elsewhere)
{
	int ends[2];

	open_pipe(ends);
	struct pidring_captured captured = capture_all(
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c", "echo out; echo error >&2", NULL },
			.stdout_to = PIDRING_STREAM_DESCRIPTOR,
			.stdout_descriptor = ends[1],
			.stderr_to = PIDRING_STREAM_STDOUT },
		(struct pidring_capture_options){ 0 });
	close(ends[1]);
	check_text(read_all(ends[0]), "out\nerror\n");
	close(ends[0]);
	check_int(captured.output.length, 0);
	check_int(captured.error.length, 0);
	pidring_captured_release(&captured);
}

static int write_and_return(void *argument)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) == 1)
		putchar(byte + 1);
	return *(int *)argument;
}

SCENARIO(capture, a_function_is_captured_too)
{
	int code = 5;
	struct pidring_captured captured =
		capture_all((struct pidring_options){ .target = write_and_return, .argument = &code },
	                    (struct pidring_capture_options){ .input = "GDK", .input_length = 3 });

	check_text(captured.output.data, "HEL");
	check_int(captured.record.code, 5);
	pidring_captured_release(&captured);
}

SCENARIO(capture, a_failing_start_leaves_nothing)
{
	check_int(
		refused((struct pidring_options){ .argv = (const char *[]){ "/nonexistent/program", NULL } },
	                (struct pidring_capture_options){ .input = "x", .input_length = 1 }),
		-ENOENT);
	check_contains(pidring_explain(), "/nonexistent/program");
}

SCENARIO(capture, a_failing_start_tells_its_step)
{
	struct pidring_captured captured = { .size = sizeof(captured) };
	struct pidring_options options = { .size = sizeof(options),
		                           .argv = (const char *[]){ "true", NULL },
		                           .working_directory = "/nonexistent" };

	check_int(pidring_capture(&captured, &options, NULL), -ENOENT);
	check_int(captured.failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	check_int(captured.failure.error, ENOENT);
	check_contains(captured.failure.sentence, "/nonexistent");
	check_int(captured.size, sizeof(captured));
	check(captured.output.data == NULL && captured.error.data == NULL);
	check_int(captured.record.pid, 0);

	options.working_directory = NULL;
	check_int(pidring_capture(&captured, &options, NULL), 0);
	check_int(captured.failure.step, PIDRING_STEP_NONE);
	check_text(captured.failure.sentence, "");
	pidring_captured_release(&captured);
}

/* What is refused before anything is started leaves it as it was. */
SCENARIO(capture, refusals_write_nothing)
{
	struct pidring_captured captured = { .size = sizeof(captured), .unwritten = 7 };
	struct pidring_options options = { .size = sizeof(options), .deadline = 1 };

	options.argv = (const char *[]){ NULL };
	check_int(pidring_capture(&captured, &options, NULL), -EINVAL);
	check_int(captured.unwritten, 7);
}

SCENARIO(capture, refuses_what_makes_no_sense)
{
	const char *argv[] = { "true", NULL };
	struct pidring_captured captured = { .size = 3 };

	check_int(refused((struct pidring_options){ .argv = argv, .asynchronous = true },
	                  (struct pidring_capture_options){ 0 }),
	          -EINVAL);
	check_contains(pidring_explain(), "asynchronous");
	check_int(refused((struct pidring_options){ .argv = argv, .stdin_to = PIDRING_STREAM_NULL },
	                  (struct pidring_capture_options){ .input = "" }),
	          -EINVAL);
	check_contains(pidring_explain(), "stdin_to");
	check_int(refused((struct pidring_options){ .argv = argv, .stderr_to = PIDRING_STREAM_NULL },
	                  (struct pidring_capture_options){ .together = true }),
	          -EINVAL);
	check_contains(pidring_explain(), "stderr_to");
	check_int(refused((struct pidring_options){ .argv = argv },
	                  (struct pidring_capture_options){ .input_length = 7 }),
	          -EINVAL);
	check_contains(pidring_explain(), "7");
	check_int(refused((struct pidring_options){ .argv = argv, .stdout_to = PIDRING_STREAM_MEMORY },
	                  (struct pidring_capture_options){ 0 }),
	          -EINVAL);
	check_contains(pidring_explain(), "memory");
	check_int(refused((struct pidring_options){ .argv = argv, .stdin_to = PIDRING_STREAM_RAW_PIPE },
	                  (struct pidring_capture_options){ 0 }),
	          -EINVAL);
	check_contains(pidring_explain(), "raw pipe");
	check_int(pidring_capture(NULL, NULL, NULL), -EINVAL);
	check_int(pidring_capture(&captured, NULL, NULL), -EINVAL);
	check_contains(pidring_explain(), "size is 3");
}

static void *capture_in_a_thread(void *argument)
{
	for (int i = 0; i < 10; i++) {
		struct pidring_captured captured = capture_shell("cat /proc/self/stat | wc -l; echo x >&2");

		check_contains(captured.output.data, "1");
		check_text(captured.error.data, "x\n");
		pidring_captured_release(&captured);
	}
	return argument;
}

SCENARIO(capture, threads_do_not_disturb_each_other)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		check_int(pthread_create(&threads[i], NULL, capture_in_a_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		check_int(pthread_join(threads[i], NULL), 0);
}

SCENARIO(capture, other_engines_keep_their_events)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_program(engine, "true", NULL);
	struct pidring_captured captured = capture_shell("echo x");
	struct pidring_event event;

	pidring_captured_release(&captured);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.last);
	pidring_process_free(process);
	close_engine(engine);
}
