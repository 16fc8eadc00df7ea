/* SPDX-License-Identifier: MIT */
/*
 * A job's output takes one of two ways. As long as others go first it waits, both streams together, in the order in
 * which it came. Once it may be written it is written as it comes; but where messages or lines of others may come
 * between, only whole lines are, and unfinished ones are held back.
 */
#include "run_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run_job_output {
	uint64_t number;
	struct run_job_output *earlier;
	struct run_job_output *later; /* when free: the next free one */
	struct run_spool waiting;     /* the whole, until it may be written */
	struct run_spool held[2];     /* then, of each stream the line that has no end yet */
	struct run_spool messages;    /* what is to be said when all is written */
	bool is_written;              /* as it comes */
	bool is_over;
	bool is_cut;
};

/* Both lead to the same file, as they do on a terminal or after 2>&1. */
static bool are_together(void)
{
	struct stat output;
	struct stat error;

	return fstat(STDOUT_FILENO, &output) == 0 && fstat(STDERR_FILENO, &error) == 0 &&
	       output.st_dev == error.st_dev && output.st_ino == error.st_ino;
}

void run_output_open(struct run_output *output, const struct run_output_settings *settings,
                     struct run_status *status, struct run_writer *writer)
{
	*output = (struct run_output){ .settings = *settings, .status = status, .writer = writer };
	run_spool_store_open(&output->store);
	output->together = are_together();
	output->streams[0] = (struct run_output_stream){
		.descriptor = STDOUT_FILENO,
		.unfinished = output->together ? &status->unfinished : &output->unfinished,
		.shares_line = output->together,
	};
	output->streams[1] = (struct run_output_stream){
		.descriptor = STDERR_FILENO,
		.unfinished = &status->unfinished,
		.shares_line = true,
	};
}

size_t run_output_descriptors(const struct run_output *output)
{
	if (output->settings.mode == RUN_OUTPUT_UNGROUPED)
		return 0;
	/* Both ends of each pipe. */
	return output->together ? 2 : 4;
}

void run_output_fill(const struct run_output *output, struct pidring_options *options)
{
	if (output->settings.mode == RUN_OUTPUT_UNGROUPED)
		return;
	options->stdout_to = PIDRING_STREAM_PIPE;
	/* What goes to the same file goes through one pipe, which keeps the order of what a job writes. */
	options->stderr_to = output->together ? PIDRING_STREAM_STDOUT : PIDRING_STREAM_PIPE;
	options->drain = output->settings.drain;
}

void run_output_set_alone(struct run_output *output, bool alone)
{
	output->alone = alone;
}

/* --- writing --- */

static const char *stream_name(const struct run_output_stream *stream)
{
	return stream->descriptor == STDOUT_FILENO ? "output" : "error";
}

/* What cannot be written now cannot be written later: a gap in the middle would be worse than an early end. */
static void fail_to_write(struct run_output *output, struct run_output_stream *stream, int error)
{
	stream->error = error;
	if (error == ECANCELED) {
		output->unread = true;
		return;
	}
	output->failed = true;
	if (error == EPIPE)
		output->broken_pipe = true;
	/* Those who end because nobody reads any more do so without a word, unless that is unusual here. */
	if (error == EPIPE && !output->writer->signals->pipe_ignored)
		return;
	run_status_say(output->status, NULL, 0, "cannot write what the jobs print to standard %s: %s",
	               stream_name(stream), strerror(error));
}

static void write_bytes(struct run_output *output, struct run_output_stream *stream, const char *data,
                        size_t length)
{
	int result;

	if (stream->error != 0)
		return;
	result = run_write(output->writer, stream->descriptor, data, length);
	if (result < 0)
		fail_to_write(output, stream, -result);
}

static void write_output(struct run_output *output, const struct run_job_output *job, unsigned number,
                         const char *data, size_t length)
{
	struct run_output_stream *stream = &output->streams[number];

	if (length == 0)
		return;
	if (stream->shares_line)
		run_status_make_way(output->status);
	if (*stream->unfinished && stream->writer != job->number)
		write_bytes(output, stream, "\n", 1);
	write_bytes(output, stream, data, length);
	*stream->unfinished = stream->error == 0 && data[length - 1] != '\n';
	stream->writer = job->number;
}

void run_output_end_line(struct run_output *output)
{
	if (*output->streams[0].unfinished)
		write_bytes(output, &output->streams[0], "\n", 1);
	*output->streams[0].unfinished = false;
}

/* --- keeping --- */

static void fail_to_keep(struct run_output *output, struct run_job_output *job, int error)
{
	job->is_cut = true;
	output->failed = true;
	if (output->is_quiet)
		return;
	output->is_quiet = true;
	run_status_say(output->status, NULL, 0,
	               "cannot keep what the jobs print in a temporary file in '%s': %s",
	               run_spool_directory(), strerror(error));
}

static void keep(struct run_output *output, struct run_job_output *job, struct run_spool *spool,
                 unsigned stream, const char *data, size_t length)
{
	int result = run_spool_add(&output->store, spool, stream, data, length);

	if (result < 0)
		fail_to_keep(output, job, -result);
}

struct handing_over {
	struct run_output *output;
	struct run_job_output *job;
};

static void empty(struct run_output *output, struct run_job_output *job, struct run_spool *spool,
                  void (*take)(void *context, unsigned stream, const char *data, size_t length))
{
	struct handing_over context = { output, job };
	int result;

	if (run_spool_is_empty(spool))
		return;
	result = run_spool_empty(&output->store, spool, take, &context);
	if (result < 0)
		fail_to_keep(output, job, -result);
}

static void take_and_write(void *context, unsigned stream, const char *data, size_t length)
{
	const struct handing_over *over = context;

	write_output(over->output, over->job, stream, data, length);
}

/* --- lines --- */

/* Nobody else writes there as long as the job has its turn, no message either. */
static bool is_its_own(const struct run_output *output, unsigned stream)
{
	bool takes_turns = output->settings.mode == RUN_OUTPUT_GROUP || output->settings.keep_order;

	return takes_turns && !output->streams[stream].shares_line;
}

static void write_lines(struct run_output *output, struct run_job_output *job, unsigned stream,
                        const char *data, size_t length)
{
	const char *newline;

	if (is_its_own(output, stream)) {
		write_output(output, job, stream, data, length);
		return;
	}
	newline = memrchr(data, '\n', length);
	if (newline) {
		size_t whole = (size_t)(newline - data) + 1;

		empty(output, job, &job->held[stream], take_and_write);
		write_output(output, job, stream, data, whole);
		data += whole;
		length -= whole;
	}
	if (length > 0)
		keep(output, job, &job->held[stream], stream, data, length);
}

static void take_lines(void *context, unsigned stream, const char *data, size_t length)
{
	const struct handing_over *over = context;

	write_lines(over->output, over->job, stream, data, length);
}

/* From now on it is written as it comes. */
static void begin_to_write(struct run_output *output, struct run_job_output *job)
{
	job->is_written = true;
	empty(output, job, &job->waiting, take_lines);
}

/* --- turns --- */

/* Whichever ends first is written first. */
static bool is_grouped(const struct run_output *output)
{
	return output->settings.mode == RUN_OUTPUT_GROUP && !output->settings.keep_order;
}

static bool has_its_turn(struct run_output *output, const struct run_job_output *job)
{
	if (output->settings.keep_order)
		return job == output->first;
	if (output->settings.mode == RUN_OUTPUT_LINES)
		return true;
	return job == output->turn || (output->alone && job == output->first && job == output->last);
}

void run_output_take(struct run_output *output, struct run_job_output *job, int stream, const char *data,
                     size_t length)
{
	unsigned number = stream == STDERR_FILENO ? 1 : 0;

	/* After a gap nothing is worth keeping. */
	if (job->is_cut)
		return;
	if (!job->is_written && has_its_turn(output, job)) {
		if (is_grouped(output))
			output->turn = job;
		begin_to_write(output, job);
	}
	if (job->is_written)
		write_lines(output, job, number, data, length);
	else
		keep(output, job, &job->waiting, number, data, length);
}

static void take_message(void *context, unsigned stream, const char *data, size_t length)
{
	const struct handing_over *over = context;

	(void)stream;
	run_status_print(over->output->status, data, length);
}

static void write_rest(struct run_output *output, struct run_job_output *job)
{
	empty(output, job, &job->waiting, take_and_write);
	empty(output, job, &job->held[0], take_and_write);
	empty(output, job, &job->held[1], take_and_write);
	empty(output, job, &job->messages, take_message);
}

static void forget(struct run_output *output, struct run_job_output *job)
{
	*(job->earlier ? &job->earlier->later : &output->first) = job->later;
	*(job->later ? &job->later->earlier : &output->last) = job->earlier;
	if (output->turn == job)
		output->turn = NULL;
	job->later = output->free;
	output->free = job;
}

static bool has_nothing(const struct run_job_output *job)
{
	return run_spool_is_empty(&job->waiting) && run_spool_is_empty(&job->held[0]) &&
	       run_spool_is_empty(&job->held[1]) && run_spool_is_empty(&job->messages);
}

static void finish(struct run_output *output, struct run_job_output *job)
{
	write_rest(output, job);
	forget(output, job);
}

static void go_on_in_order(struct run_output *output)
{
	while (output->first && output->first->is_over)
		finish(output, output->first);
	if (output->first && !output->first->is_written && !output->first->is_cut)
		begin_to_write(output, output->first);
}

static void finish_those_over(struct run_output *output)
{
	struct run_job_output *later;

	for (struct run_job_output *job = output->first; job; job = later) {
		later = job->later;
		if (job->is_over)
			finish(output, job);
	}
}

/* --- the life of a job's output --- */

int run_output_begin(struct run_output *output, struct run_job_output **ret_job)
{
	struct run_job_output *job = output->free;

	*ret_job = NULL;
	if (output->settings.mode == RUN_OUTPUT_UNGROUPED)
		return 0;
	if (job)
		output->free = job->later;
	else
		job = malloc(sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct run_job_output){ .number = ++output->numbers_given, .earlier = output->last };
	*(output->last ? &output->last->later : &output->first) = job;
	output->last = job;
	*ret_job = job;
	return 0;
}

void run_output_say(struct run_output *output, struct run_job_output *job, const char *item,
                    size_t item_length, const char *format, ...)
{
	char data[RUN_STATUS_MESSAGE];
	struct run_text text = { data, 0, sizeof(data) };
	va_list arguments;

	va_start(arguments, format);
	run_status_compose(&text, item, item_length, format, arguments);
	va_end(arguments);
	/* One that cannot be kept is better early than never. */
	if (!job || run_spool_add(&output->store, &job->messages, 0, text.data, text.length) < 0)
		run_status_print(output->status, text.data, text.length);
}

bool run_output_is_cut(const struct run_job_output *job)
{
	return job && job->is_cut;
}

void run_output_end(struct run_output *output, struct run_job_output *job)
{
	bool has_turn;

	if (!job)
		return;
	job->is_over = true;
	if (has_nothing(job) && job != output->first && job != output->turn) {
		forget(output, job);
		return;
	}
	if (output->settings.keep_order) {
		go_on_in_order(output);
		return;
	}
	has_turn = output->turn == job;
	if (output->turn && !has_turn)
		return;
	finish(output, job);
	if (has_turn)
		finish_those_over(output);
}

void run_output_close(struct run_output *output)
{
	while (output->first)
		forget(output, output->first);
	while (output->free) {
		struct run_job_output *job = output->free;

		output->free = job->later;
		free(job);
	}
	run_spool_store_close(&output->store);
}
