/* SPDX-License-Identifier: MIT */
/* The descriptors of children: thousands that are not handed on, and streams that cross. */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/mman.h>

/* Prints which descriptors are open, without the one that the list is read from. */
SUBPROGRAM(births_list_descriptors)
{
	for (int descriptor = 0; descriptor < 20000; descriptor++)
		if (fcntl(descriptor, F_GETFD) >= 0)
			dprintf(STDOUT_FILENO, "%d ", descriptor);
	return 0;
}

static bool allow_descriptors(rlim_t count)
{
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= count)
		return true;
	if (limit.rlim_max < count)
		return false;
	limit.rlim_cur = count;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

enum { THOUSANDS = 5000 };

static int thousands[THOUSANDS];

static void open_thousands(void)
{
	for (int i = 0; i < THOUSANDS; i++) {
		thousands[i] = fcntl(STDERR_FILENO, F_DUPFD, 3);
		check(thousands[i] >= 0);
	}
	check(thousands[THOUSANDS - 1] > 4000);
}

static void close_thousands(void)
{
	for (int i = 0; i < THOUSANDS; i++)
		close(thousands[i]);
}

/* With 5,000 descriptors open that are not close-on-exec a program has 0, 1 and 2, and streams with numbers
 * above 4,000 come out right. */
SCENARIO(births_descriptors, thousands_of_descriptors)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "births_list_descriptors", NULL };
	const char *const copy[] = { "sh", "-c", "cat; printf error >&2", NULL };
	struct pidring_process *process;
	int input[2];
	int output[2];
	int error[2];

	if (!allow_descriptors(6000))
		skip("not so many descriptors are allowed");
	open_thousands();
	check_text(output_of(engine, (struct pidring_options){ .argv = argv }, NULL), "0 1 2 ");
	open_pipe(input);
	open_pipe(output);
	open_pipe(error);
	check(input[0] > 4000 && output[1] > 4000 && error[1] > 4000);
	process = start_process(engine, (struct pidring_options){
						.argv = copy,
						.stdin_to = PIDRING_STREAM_DESCRIPTOR,
						.stdin_descriptor = input[0],
						.stdout_to = PIDRING_STREAM_DESCRIPTOR,
						.stdout_descriptor = output[1],
						.stderr_to = PIDRING_STREAM_DESCRIPTOR,
						.stderr_descriptor = error[1],
					});
	close(input[0]);
	close(output[1]);
	close(error[1]);
	check_int(write(input[1], "input", 5), 5);
	close(input[1]);
	check_text(read_all(output[0]), "input");
	check_text(read_all(error[0]), "error");
	close(output[0]);
	close(error[0]);
	check_int(finish(process), 0);
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	close_engine(engine);
	close_thousands();
}

/* The scenario's own 0, 1 and 2, put aside while three files stand in for them. */
struct standins {
	int saved[3];
	int files[3];
};

static struct standins put_standins(bool close_on_exec)
{
	struct standins standins;

	for (int i = 0; i < 3; i++) {
		standins.saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		standins.files[i] = memfd_create("stand-in", MFD_CLOEXEC);
		check(standins.saved[i] >= 0 && standins.files[i] >= 0);
	}
	for (int i = 0; i < 3; i++)
		dup3(standins.files[i], i, close_on_exec ? O_CLOEXEC : 0);
	return standins;
}

static void remove_standins(struct standins *standins)
{
	for (int i = 0; i < 3; i++) {
		dup2(standins->saved[i], i);
		close(standins->saved[i]);
	}
}

/* Each descriptor says its number into whatever file it leads to. */
SUBPROGRAM(births_write_numbers)
{
	for (int i = 0; i < 3; i++)
		if (write(i, &"012"[i], 1) != 1)
			return 1;
	return 0;
}

static int write_numbers(void *argument)
{
	return subprogram_births_write_numbers(0, argument);
}

static void check_standin(int file, int number, const int *placed)
{
	char expected[4] = "";
	char found[8] = "";
	size_t length = 0;

	for (int i = 0; i < 3; i++)
		if (placed[i] == number)
			expected[length++] = (char)('0' + i);
	expected[length] = '\0';
	check(pread(file, found, sizeof(found) - 1, 0) >= 0);
	check_text(found, expected);
	close(file);
}

static void check_crossing(struct pidring *engine, const int *placed, bool function, bool close_on_exec)
{
	const char *const argv[] = { own_path(), "--sub", "births_write_numbers", NULL };
	struct standins standins = put_standins(close_on_exec);
	struct pidring_options options = {
		.size = sizeof(options),
		.stdin_to = PIDRING_STREAM_DESCRIPTOR,
		.stdin_descriptor = placed[0],
		.stdout_to = PIDRING_STREAM_DESCRIPTOR,
		.stdout_descriptor = placed[1],
		.stderr_to = PIDRING_STREAM_DESCRIPTOR,
		.stderr_descriptor = placed[2],
	};
	struct pidring_process *process = NULL;
	int result;

	if (function)
		options.target = write_numbers;
	else
		options.argv = argv;
	result = pidring_process_new(&process, engine, &options);
	if (result == 0)
		result = pidring_process_start(process);
	if (result == 0)
		result = pidring_process_join(process, PIDRING_FOREVER);
	remove_standins(&standins);
	check_int(result, 0);
	check_int(finish(process), 0);
	for (int i = 0; i < 3; i++)
		check_standin(standins.files[i], i, placed);
}

static void check_all_crossings(bool function)
{
	struct pidring *engine = open_engine();

	for (int number = 0; number < 27; number++) {
		const int placed[3] = { number / 9, number / 3 % 3, number % 3 };

		check_crossing(engine, placed, function, number % 2 == 0);
	}
	close_engine(engine);
}

/* All 27 ways of connecting 0, 1 and 2 with each other, swaps and circles among them, for a program. */
SCENARIO(births_descriptors, crossed_streams_of_program)
{
	check_all_crossings(false);
}

/* The same for a function. */
SCENARIO(births_descriptors, crossed_streams_of_function)
{
	check_all_crossings(true);
}

/* In a host that has closed 0, 1 and 2 the engine's own descriptors may get these numbers; children do not
 * get them. */
SUBPROGRAM(births_without_streams)
{
	const char *const list[] = { own_path(), "--sub", "births_list_descriptors", NULL };
	int report = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 20);
	struct pidring *engine;
	struct pidring_process *running;
	const char *text;

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	engine = open_engine();
	running = start_function(engine, sleep_forever, NULL);
	text = output_of(engine, (struct pidring_options){ .argv = list }, NULL);
	dprintf(report, "%s", text);
	kill_and_free(running);
	close_engine(engine);
	return 0;
}

/* A program without standard streams of its own starts a program with one stream: it has that one and no
 * other. */
SCENARIO(births_descriptors, host_without_streams)
{
	const char *output;

	check_int(run_subprogram("births_without_streams", NULL, &output), 0);
	check_text(output, "1 ");
}
