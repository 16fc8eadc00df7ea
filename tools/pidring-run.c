/* SPDX-License-Identifier: MIT */
/* pidring-run: runs a command for each item of its standard input, several at a time. */
#include <errno.h>
#include <fcntl.h>
#include <pidring.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "run_command.h"
#include "run_costs.h"
#include "run_items.h"
#include "run_jobs.h"
#include "run_options.h"
#include "run_output.h"
#include "run_signals.h"
#include "run_status.h"

/* Descriptors for everything but the jobs: the engine's, the standard ones, and some that we were given. */
#define OTHER_DESCRIPTORS ((size_t)64)
/* With -j 0: more than anybody has ever run at a time, and less than what a careless limit would allow. */
#define MOST_JOBS ((size_t)65536)

static void closep(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

static void close_filep(FILE **file)
{
	if (*file)
		fclose(*file);
}

/*
 * Makes sure that 0, 1 and 2 are open: whatever is opened next would otherwise become standard output by
 * accident. What was closed becomes a descriptor that fails as a closed one does.
 */
static void occupy_standard_descriptors(void)
{
	for (int descriptor = 0; descriptor <= 2; descriptor++)
		if (fcntl(descriptor, F_GETFD) < 0)
			open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
}

/*
 * Moves standard input to another descriptor and puts /dev/null in its place, once for all the jobs that
 * inherit it. Returns the descriptor or a negated errno.
 */
static int take_standard_input(void)
{
	__attribute__((cleanup(closep))) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int input;

	if (null < 0)
		return -errno;
	input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (input < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0) {
		int error = errno;

		close(input);
		return -error;
	}
	return input;
}

static size_t processors(void)
{
	/* cpu_set_t ends at 1024. */
	unsigned long set[16384 / (8 * sizeof(unsigned long))];
	int count;

	if (sched_getaffinity(0, sizeof(set), (cpu_set_t *)set) < 0)
		return 1;
	count = CPU_COUNT_S(sizeof(set), (cpu_set_t *)set);
	return count > 0 ? (size_t)count : 1;
}

static size_t smaller(size_t one, size_t other)
{
	return one < other ? one : other;
}

/* As many jobs as the hard limit of descriptors allows, at least 1. */
static size_t allowed_jobs(size_t descriptors_each)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return SIZE_MAX;
	if (limit.rlim_max < OTHER_DESCRIPTORS + descriptors_each)
		return 1;
	return (limit.rlim_max - OTHER_DESCRIPTORS) / descriptors_each;
}

static size_t job_limit(const struct run_options *options, size_t allowed)
{
	if (!options->jobs_given)
		return smaller(processors(), allowed);
	return options->jobs > 0 ? options->jobs : smaller(allowed, MOST_JOBS);
}

/* With those that have ended, but not their output: as many again, and some. */
static size_t job_capacity(size_t limit, size_t allowed)
{
	return smaller(2 * limit + 16, allowed);
}

static int complain(const char *what, int error)
{
	fprintf(stderr, "pidring-run: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return RUN_ERROR;
}

static int complain_of_costs(const char *file_name, int error)
{
	fprintf(stderr, "pidring-run: cannot write the costs to '%s': %s\n", file_name, strerror(error));
	return RUN_ERROR;
}

static int complain_of_limit(size_t jobs, size_t allowed)
{
	fprintf(stderr,
	        "pidring-run: %zu jobs at a time are too many: the hard limit of open descriptors allows -j "
	        "%zu "
	        "at most (-j 0 takes as many as possible)\n",
	        jobs, allowed);
	return RUN_ERROR;
}

/* 0 or the errno of what could not be written. */
static int close_output(FILE *file)
{
	int error = ferror(file) ? EIO : 0;

	return fclose(file) != 0 ? errno : error;
}

static int close_standard_output(void)
{
	int error = close_output(stdout);

	return error == 0 ? 0 : complain("cannot write to standard output", error);
}

static int print_help(void)
{
	run_options_print_help(stdout);
	return close_standard_output();
}

static int print_version(void)
{
	printf("pidring-run %s\n", pidring_version());
	return close_standard_output();
}

static int misuse(const char *sentence)
{
	fprintf(stderr,
	        "pidring-run: %s\nUsage: pidring-run [OPTION ...] [--] COMMAND [ARGUMENT ...]\n"
	        "'pidring-run --help' says more.\n",
	        sentence);
	return RUN_ERROR;
}

static int report_costs(struct run_costs *costs, FILE **file, const char *file_name)
{
	FILE *output = *file ? *file : stdout;
	int error;

	*file = NULL;
	run_costs_print(costs, output);
	if (output == stdout)
		return close_standard_output();
	error = close_output(output);
	return error == 0 ? 0 : complain_of_costs(file_name, error);
}

/* Everything is open: lets the jobs run, then tells what they cost and how it all ended. */
static int work(const struct run_options *options, const struct run_surroundings *surroundings,
                FILE **costs_file)
{
	enum run_exit_status exit_status = run_jobs(surroundings);
	int output_status = RUN_ALL_WELL;

	if (surroundings->costs && !options->costs_file)
		run_output_end_line(surroundings->output);
	run_signals_release(surroundings->signals);
	if (surroundings->costs && (options->costs_file || !surroundings->output->broken_pipe))
		output_status = report_costs(surroundings->costs, costs_file, options->costs_file);
	if (run_signals_first() != 0)
		run_signals_die_of(run_signals_first());
	if (surroundings->output->broken_pipe && !surroundings->signals->pipe_ignored)
		run_signals_die_of(SIGPIPE);
	return exit_status != RUN_ALL_WELL ? (int)exit_status : output_status;
}

static int run(const struct run_options *options)
{
	__attribute__((cleanup(close_filep))) FILE *costs_file = NULL;
	__attribute__((cleanup(closep))) int input = -1;
	__attribute__((cleanup(pidring_closep))) struct pidring *engine = NULL;
	__attribute__((cleanup(run_items_close))) struct run_items items = { 0 };
	__attribute__((cleanup(run_command_close))) struct run_command command = { 0 };
	__attribute__((cleanup(run_costs_close))) struct run_costs costs = { 0 };
	__attribute__((cleanup(run_output_close))) struct run_output output = { 0 };
	struct pidring_engine_options engine_options = { .size = sizeof(engine_options) };
	struct run_signals signals;
	struct run_writer writer = { .signals = &signals };
	struct run_status status;
	size_t allowed;
	size_t limit;

	run_output_open(&output, &options->output, &status, &writer);
	allowed = allowed_jobs(1 + run_output_descriptors(&output));
	limit = job_limit(options, allowed);
	if (limit > allowed)
		return complain_of_limit(limit, allowed);
	input = take_standard_input();
	if (input < 0)
		return complain("cannot take standard input", input);
	if (options->costs_file)
		costs_file = fopen(options->costs_file, "we");
	if (options->costs_file && !costs_file)
		return complain_of_costs(options->costs_file, errno);
	if (run_items_open(&items, input, options->null_separated) < 0)
		return complain("cannot read the items", ENOMEM);
	if (run_command_open(&command, options->command, options->command_words) < 0)
		return complain("cannot keep the command", ENOMEM);

	engine_options.descriptors =
		job_capacity(limit, allowed) * (1 + run_output_descriptors(&output)) + OTHER_DESCRIPTORS;
	if (pidring_open(&engine, &engine_options) < 0) {
		fprintf(stderr, "pidring-run: %s\n", pidring_explain());
		return RUN_ERROR;
	}
	run_costs_open(&costs);
	run_signals_catch(&signals);
	run_status_open(&status, &writer);
	return work(options,
	            &(struct run_surroundings){
			    .engine = engine,
			    .items = &items,
			    .command = &command,
			    .signals = &signals,
			    .status = &status,
			    .writer = &writer,
			    .output = &output,
			    .costs = options->costs ? &costs : NULL,
			    .timeout = options->timeout,
			    .limit = limit,
			    .capacity = job_capacity(limit, allowed),
		    },
	            &costs_file);
}

int main(int argument_count, char **arguments)
{
	struct run_options options;
	char error[160];

	occupy_standard_descriptors();
	if (run_options_parse(&options, argument_count, arguments, error, sizeof(error)) < 0)
		return misuse(error);
	if (options.action == RUN_ACTION_HELP)
		return print_help();
	if (options.action == RUN_ACTION_VERSION)
		return print_version();
	if (options.command_words == 0)
		return misuse("there is no COMMAND");
	return run(&options);
}
