/* SPDX-License-Identifier: MIT */
/*
 * The simple call: one process from start to end, fed and read, on an engine of its own. It uses the public interface
 * alone.
 */
#include "explain.h"
#include "options.h"
#include "pidring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct capture {
	struct pidring_capture_options options;
	struct pidring_process *process;
	struct pidring_captured captured;
	struct pidring_failure failure; /* of the start */
	size_t room[2];                 /* of output and error, without the NUL */
	size_t fed;                     /* bytes of the input that were queued */
	bool stopped;
	int result;
};

enum { BATCH = 64, LEAST_ROOM = 1024 };

static int read_capture_options(struct pidring_capture_options *ret_options,
                                const struct pidring_capture_options *given)
{
	int r = capture_options_read(ret_options, given);

	if (r == 0 && !ret_options->input && ret_options->input_length > 0)
		return explain(-EINVAL, "pidring_capture: input is NULL, but its length is %zu",
		               ret_options->input_length);
	return r;
}

/* What is not said otherwise is captured; without input there is none. */
static int direct_streams(struct pidring_options *options, const struct pidring_capture_options *capture)
{
	if (options->asynchronous)
		return explain(-EINVAL,
		               "pidring_capture: asynchronous is set, but the call waits for the end");
	if (capture->input && options->stdin_to != PIDRING_STREAM_DEFAULT)
		return explain(-EINVAL,
		               "pidring_capture: there is input, but stdin_to says where stdin comes from");
	if (capture->together && options->stderr_to != PIDRING_STREAM_DEFAULT)
		return explain(-EINVAL,
		               "pidring_capture: together is set, but stderr_to says where stderr goes");
	if (options->stdout_to == PIDRING_STREAM_MEMORY || options->stderr_to == PIDRING_STREAM_MEMORY)
		return explain(-EINVAL,
		               "pidring_capture: a stream goes to memory, but nobody could look at it");
	if (options->stdin_to == PIDRING_STREAM_RAW_PIPE || options->stdout_to == PIDRING_STREAM_RAW_PIPE ||
	    options->stderr_to == PIDRING_STREAM_RAW_PIPE)
		return explain(-EINVAL,
		               "pidring_capture: a stream goes to a raw pipe, but nobody could take its end");
	if (options->stdin_to == PIDRING_STREAM_DEFAULT)
		options->stdin_to = capture->input ? PIDRING_STREAM_PIPE : PIDRING_STREAM_NULL;
	if (options->stdout_to == PIDRING_STREAM_DEFAULT)
		options->stdout_to = PIDRING_STREAM_PIPE;
	if (options->stderr_to == PIDRING_STREAM_DEFAULT)
		options->stderr_to = capture->together ? PIDRING_STREAM_STDOUT : PIDRING_STREAM_PIPE;
	return 0;
}

static struct pidring_captured_stream *stream_of(struct capture *capture, const struct pidring_event *event)
{
	return event->stream == STDOUT_FILENO ? &capture->captured.output : &capture->captured.error;
}

static bool make_streams(struct capture *capture)
{
	capture->captured.output.data = calloc(1, 1);
	capture->captured.error.data = calloc(1, 1);
	return capture->captured.output.data && capture->captured.error.data;
}

static void stop(struct capture *capture)
{
	if (!capture->stopped)
		pidring_process_stop(capture->process, NULL);
	capture->stopped = true;
}

/* --- output --- */

static int grow(struct pidring_captured_stream *stream, size_t *room, size_t length)
{
	if (length <= *room)
		return 0;
	size_t larger = *room < LEAST_ROOM ? LEAST_ROOM : *room;
	while (larger < length)
		larger *= 2;
	char *data = realloc(stream->data, larger + 1);
	if (!data)
		return explain(-ENOMEM, "no memory for %zu bytes of output", length);
	stream->data = data;
	*room = larger;
	return 0;
}

static void keep(struct capture *capture, const struct pidring_event *event)
{
	struct pidring_captured_stream *stream = stream_of(capture, event);
	size_t limit = capture->options.limit ? capture->options.limit : SIZE_MAX / 4;
	size_t length = event->length < limit - stream->length ? event->length : limit - stream->length;

	if (length < event->length) {
		stream->truncated = true;
		if (capture->options.stop_at_limit)
			stop(capture);
	}
	if (length == 0 || capture->result < 0)
		return;
	capture->result =
		grow(stream, &capture->room[event->stream == STDERR_FILENO], stream->length + length);
	if (capture->result < 0) {
		stop(capture);
		return;
	}
	memcpy(stream->data + stream->length, event->data, length);
	stream->length += length;
	stream->data[stream->length] = '\0';
}

/* --- input --- */

static void feed(struct capture *capture)
{
	const char *input = capture->options.input;
	size_t length = capture->options.input_length;

	while (capture->fed < length) {
		ssize_t taken =
			pidring_process_write(capture->process, input + capture->fed, length - capture->fed);
		/* Full, or closed: an event will tell. */
		if (taken < 0)
			return;
		capture->fed += (size_t)taken;
	}
	pidring_process_close_input(capture->process);
}

/* --- the course of it --- */

static void take_event(struct capture *capture, const struct pidring_event *event)
{
	switch (event->type) {
	case PIDRING_OUTPUT:
		keep(capture, event);
		break;
	case PIDRING_OUTPUT_ENDED:
		stream_of(capture, event)->cut = event->code == -ECANCELED;
		if (event->code < 0 && event->code != -ECANCELED)
			capture->result =
				explain(event->code, "reading the output failed: %s", strerror(-event->code));
		break;
	case PIDRING_INPUT_DRAINED:
		feed(capture);
		break;
	case PIDRING_INPUT_CLOSED:
		capture->captured.unwritten = capture->options.input_length - capture->fed + event->length;
		break;
	default:
		break;
	}
}

static int run(struct capture *capture, struct pidring *engine)
{
	struct pidring_event events[BATCH];

	/* Without input, a stdin that comes from here is empty. */
	feed(capture);
	while (pidring_outstanding(engine) > 0) {
		int count = pidring_wait(engine, events, BATCH, PIDRING_FOREVER);
		if (count < 0)
			return count;
		for (int i = 0; i < count; i++)
			take_event(capture, &events[i]);
	}
	return capture->result;
}

static int capture_on(struct capture *capture, struct pidring *engine, const struct pidring_options *options)
{
	int r = pidring_process_new(&capture->process, engine, options);

	if (r < 0)
		return r;
	r = pidring_process_start(capture->process);
	if (r < 0) {
		pidring_process_failure(capture->process, &capture->failure);
		return r;
	}
	r = run(capture, engine);
	if (r < 0)
		/* The kernel's own shortage: nobody would read on. */
		pidring_process_kill(capture->process);
	pidring_process_join(capture->process, PIDRING_FOREVER);
	capture->captured.record.size = sizeof capture->captured.record;
	pidring_process_exit_record(capture->process, &capture->captured.record);
	return r;
}

static int capture_all(struct capture *capture, const struct pidring_options *options)
{
	/* To set up and tear down a ring for one process would take longer than what most of them run. */
	const struct pidring_engine_options engine_options = {
		.size = sizeof engine_options,
		.backend = PIDRING_BACKEND_EPOLL,
	};
	struct pidring *engine = NULL;
	int r = pidring_open(&engine, &engine_options);

	if (r < 0)
		return r;
	r = capture_on(capture, engine, options);
	pidring_process_free(capture->process);
	pidring_close(engine);
	return r;
}

int pidring_capture(struct pidring_captured *ret_captured, const struct pidring_options *options,
                    const struct pidring_capture_options *capture_options)
{
	struct capture capture = { 0 };
	struct pidring_options directed;

	if (!ret_captured)
		return explain(-EINVAL, "pidring_capture: ret_captured is NULL");
	if (ret_captured->size < sizeof *ret_captured)
		return explain(-EINVAL, "pidring_captured: size is %zu, the smallest known is %zu",
		               ret_captured->size, sizeof *ret_captured);
	int r = options_read(&directed, options);
	if (r == 0)
		r = read_capture_options(&capture.options, capture_options);
	if (r == 0)
		r = direct_streams(&directed, &capture.options);
	if (r < 0)
		return r;
	if (!make_streams(&capture))
		r = explain(-ENOMEM, "no memory to capture output");
	else
		r = capture_all(&capture, &directed);
	bool started = capture.captured.record.pid != 0;
	if (!started)
		pidring_captured_release(&capture.captured);
	capture.captured.failure = capture.failure;
	if (started || capture.failure.step != PIDRING_STEP_NONE)
		options_fill(ret_captured, &capture.captured, sizeof capture.captured,
		             sizeof capture.captured);
	return r;
}

void pidring_captured_release(struct pidring_captured *captured)
{
	if (!captured)
		return;
	free(captured->output.data);
	free(captured->error.data);
	size_t size = captured->size;
	memset(captured, 0, sizeof *captured);
	captured->size = size;
}
