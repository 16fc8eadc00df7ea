/* SPDX-License-Identifier: MIT */
/*
 * The life of an output stream: it is read until its end, whatever becomes of the process. Once the process has
 * ended, only a grandchild can keep it open; the drain time sets a limit to that. What the process itself wrote is in
 * the pipe by then, so when the time is over as many bytes as stand there are still read, and no more. For that
 * reading is interrupted first: bytes that the ring has read, and not told, must not be taken for some of those.
 */
#include "output.h"

#include "clock.h"
#include "engine.h"
#include "explain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct stream {
	struct process_watch watch;
	int number;          /* STDOUT_FILENO or STDERR_FILENO */
	bool is_open;        /* its end has not been told */
	bool closing;        /* nobody wants the rest */
	int code;            /* how it ended */
	unsigned full_reads; /* as many bytes at once as a new pipe holds */
	bool is_large;       /* its pipe holds more now */
	bool counting;       /* the drain time is over: what is left is counted as soon as nobody reads */
	int64_t left;        /* from then on: the most bytes that are still to be read; else -1 */
	bool hung_up;        /* a terminal that nobody has open, but its process lives */
};

enum { STREAMS = 2 };

struct output {
	struct stream streams[STREAMS];
	struct watch_chunk_list chunks; /* read, and not fetched */
	bool paused;
	bool dropped;
};

static unsigned end_event(const struct stream *stream)
{
	return stream->number == STDOUT_FILENO ? EVENT_STDOUT_ENDED : EVENT_STDERR_ENDED;
}

static int descriptor_of(const struct stream *stream)
{
	return stream->watch.process->ends.own[stream->number];
}

static void close_descriptor(struct stream *stream)
{
	struct pidring *engine = stream->watch.process->engine;

	if (stream->is_large && engine)
		engine->large_pipes--;
	stream->is_large = false;
	process_close_own_end(stream->watch.process, stream->number);
}

/*
 * A new pipe holds as much as one chunk, so a child that writes much and its reader wait for each other again and
 * again, which is dear where a wake-up crosses to another core. One that is found full a few times is made larger.
 * What a user may have in pipes is 64 MiB for all of his processes together, unless told otherwise (pipe(7)), so only
 * some are large at a time.
 */
enum { FULL_READS = 4, LARGE_PIPE = 512 * 1024, MOST_LARGE_PIPES = 16 };

static void consider_growth(struct stream *stream, size_t length)
{
	struct pidring *engine = stream->watch.process->engine;

	if (length < WATCH_BUFFER_SIZE || stream->full_reads == FULL_READS)
		return;
	if (++stream->full_reads < FULL_READS || engine->large_pipes >= MOST_LARGE_PIPES ||
	    descriptor_of(stream) < 0)
		return;
	/* What is no pipe, or above a limit, stays as it is. */
	if (fcntl(descriptor_of(stream), F_SETPIPE_SZ, LARGE_PIPE) < 0)
		return;
	stream->is_large = true;
	engine->large_pipes++;
}

static bool is_terminal(const struct stream *stream)
{
	return stream->watch.process->settings->streams[stream->number].to == PIDRING_STREAM_TERMINAL;
}

/* A terminal whose other side is closed answers EIO. */
static int end_code(const struct stream *stream)
{
	if (stream->closing)
		return -ECANCELED;
	return is_terminal(stream) && stream->watch.item.result == -EIO ? 0 : stream->watch.item.result;
}

static void end(struct stream *stream)
{
	struct pidring_process *process = stream->watch.process;

	/* To close a terminal is to hang up, and a program may close its stdout some time before its end. */
	stream->hung_up =
		stream->is_open && !stream->closing && is_terminal(stream) && process->state != PROCESS_ENDED;
	if (!stream->hung_up)
		close_descriptor(stream);
	if (!stream->is_open)
		return;
	stream->is_open = false;
	stream->code = end_code(stream);
	engine_push(process, end_event(stream));
	if (!output_is_open(process))
		engine_set_timer(process, &process->drain_timer, INT64_MAX);
}

static void stop_reading(struct stream *stream)
{
	stream->closing = true;
	if (!engine_unwatch(stream->watch.process, &stream->watch))
		return;
	/* What the ring has read meanwhile comes with a last report, but the pipe may go. */
	close_descriptor(stream);
	if (!stream->watch.armed)
		end(stream);
}

/* Ends it if all that was there at the end of the drain time has been read. */
static void end_if_drained(struct stream *stream)
{
	struct pollfd item = { .fd = descriptor_of(stream), .events = POLLIN };

	poll(&item, 1, 0);
	/* Nobody has it open: the end comes by itself. */
	if (item.revents & (POLLHUP | POLLERR))
		stream->left = -1;
	else if (stream->left == 0 || !(item.revents & POLLIN))
		stop_reading(stream);
}

/* What is on its way through a terminal is counted nowhere, but it is less than this. */
enum { MOST_IN_TERMINAL = 64 * 1024 };

/* Nobody reads now, and what was read has been told. */
static void count_the_rest(struct stream *stream)
{
	int bytes = 0;

	stream->counting = false;
	if (ioctl(descriptor_of(stream), FIONREAD, &bytes) < 0)
		bytes = 0;
	stream->left = is_terminal(stream) ? MOST_IN_TERMINAL : bytes;
	end_if_drained(stream);
	if (!stream->closing)
		engine_watch(stream->watch.process, &stream->watch);
}

static void take_chunks(struct stream *stream)
{
	struct pidring_process *process = stream->watch.process;
	struct output *output = process->output;
	struct watch_chunk *chunk;

	STAILQ_FOREACH(chunk, &stream->watch.item.chunks, link)
	{
		chunk->tag = stream->number;
		if (!output->dropped)
			consider_growth(stream, chunk->length);
		if (stream->left > 0)
			stream->left -=
				(int64_t)chunk->length < stream->left ? (int64_t)chunk->length : stream->left;
	}
	if (output->dropped) {
		STAILQ_CONCAT(&process->engine->delivered, &stream->watch.item.chunks);
		return;
	}
	STAILQ_CONCAT(&output->chunks, &stream->watch.item.chunks);
	/* A program that writes is running, and that is told first. */
	process_settle(process);
	engine_push(process, EVENT_OUTPUT);
}

static void reading_is_over(struct stream *stream)
{
	struct pidring_process *process = stream->watch.process;

	if (!stream->is_open || stream->closing || stream->watch.item.result != -ECANCELED)
		end(stream);
	else if (process->output->paused)
		return;
	else if (stream->counting)
		count_the_rest(stream);
	else
		engine_watch(process, &stream->watch);
}

static void reported(struct process_watch *watch)
{
	struct stream *stream = (struct stream *)watch;

	if (!STAILQ_EMPTY(&watch->item.chunks))
		take_chunks(stream);
	if (!watch->armed)
		reading_is_over(stream);
	else if (stream->left >= 0 && !stream->closing)
		end_if_drained(stream);
}

/* --- the drain time --- */

static void drain_is_over(struct pidring_process *process)
{
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &process->output->streams[i];

		if (!stream->is_open || stream->closing)
			continue;
		stream->counting = true;
		engine_unwatch(process, &stream->watch);
		if (!stream->watch.armed)
			count_the_rest(stream);
	}
}

static void begin_to_drain(struct pidring_process *process)
{
	int64_t drain = process->settings->drain;

	if (process->state != PROCESS_ENDED || process->output->paused || !output_is_open(process))
		return;
	if (drain == 0)
		drain = CLOCK_SECOND;
	if (drain == PIDRING_NONE)
		drain_is_over(process);
	else
		engine_set_timer(process, &process->drain_timer, clock_deadline(drain));
}

void output_process_ended(struct pidring_process *process)
{
	if (!process->output)
		return;
	for (int i = 0; i < STREAMS; i++)
		if (process->output->streams[i].hung_up)
			close_descriptor(&process->output->streams[i]);
	begin_to_drain(process);
}

/* --- the whole --- */

int output_new(struct pidring_process *process)
{
	const struct settings *settings = process->settings;

	if (!settings_engine_has(settings, STDOUT_FILENO) && !settings_engine_has(settings, STDERR_FILENO))
		return 0;
	struct output *output = calloc(1, sizeof *output);
	if (!output)
		return -ENOMEM;
	STAILQ_INIT(&output->chunks);
	for (int i = 0; i < STREAMS; i++) {
		struct stream *stream = &output->streams[i];
		stream->number = STDOUT_FILENO + i;
		stream->left = -1;
		process_add_watch(process, &stream->watch, reported);
		stream->watch.item.reads = true;
	}
	process->drain_timer.due = drain_is_over;
	process->output = output;
	return 0;
}

void output_free(struct pidring_process *process)
{
	free(process->output);
	process->output = NULL;
}

void output_begin(struct pidring_process *process)
{
	struct output *output = process->output;

	for (int i = 0; output && i < STREAMS; i++) {
		struct stream *stream = &output->streams[i];

		if (!settings_engine_has(process->settings, stream->number) || descriptor_of(stream) < 0)
			continue;
		stream->watch.item.descriptor = descriptor_of(stream);
		stream->is_open = true;
		if (!output->paused)
			engine_watch(process, &stream->watch);
	}
}

bool output_is_open(const struct pidring_process *process)
{
	for (int i = 0; process->output && i < STREAMS; i++)
		if (process->output->streams[i].is_open)
			return true;
	return false;
}

bool output_is_waiting(const struct pidring_process *process)
{
	return !STAILQ_EMPTY(&process->output->chunks);
}

struct watch_chunk *output_take(struct pidring_process *process)
{
	struct watch_chunk *chunk = STAILQ_FIRST(&process->output->chunks);

	STAILQ_REMOVE_HEAD(&process->output->chunks, link);
	return chunk;
}

int output_code(const struct pidring_process *process, int stream)
{
	return process->output->streams[stream - STDOUT_FILENO].code;
}

void output_drop(struct pidring_process *process)
{
	struct output *output = process->output;

	if (!output)
		return;
	output->dropped = true;
	if (process->engine && process->engine->watch)
		STAILQ_CONCAT(&process->engine->delivered, &output->chunks);
	STAILQ_INIT(&output->chunks);
	for (int i = 0; i < STREAMS; i++) {
		output->streams[i].is_open = false;
		stop_reading(&output->streams[i]);
	}
	engine_set_timer(process, &process->drain_timer, INT64_MAX);
}

void output_forget(struct pidring_process *process)
{
	struct output *output = process->output;

	if (!output)
		return;
	STAILQ_INIT(&output->chunks);
	for (int i = 0; i < STREAMS; i++) {
		STAILQ_INIT(&output->streams[i].watch.item.chunks);
		output->streams[i].is_open = output->streams[i].is_large = false;
	}
}

/* --- flow control --- */

/* With the lock held. */
static int check(struct pidring_process *process)
{
	if (process->closed)
		return explain_closed(process);
	if (!process_is_ours(process))
		return explain_foreign(process, "paused or resumed");
	if (!process->output)
		return explain(-ENOTCONN, "no output of process '%s' comes to the engine", process->name);
	return process->engine ? 0 : explain_no_engine(process);
}

static void pause_all(struct pidring_process *process)
{
	struct output *output = process->output;

	output->paused = true;
	for (int i = 0; i < STREAMS; i++) {
		/* Resuming begins to drain anew. */
		output->streams[i].counting = false;
		output->streams[i].left = -1;
		if (output->streams[i].is_open && !output->streams[i].closing)
			engine_unwatch(process, &output->streams[i].watch);
	}
	engine_set_timer(process, &process->drain_timer, INT64_MAX);
}

static void resume_all(struct pidring_process *process)
{
	struct output *output = process->output;

	output->paused = false;
	for (int i = 0; i < STREAMS; i++)
		if (output->streams[i].is_open && !output->streams[i].closing)
			engine_watch(process, &output->streams[i].watch);
	begin_to_drain(process);
}

int pidring_process_pause(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_pause");
	process_enter(process);
	int r = check(process);
	if (r == 0 && !process->output->paused)
		pause_all(process);
	family_leave();
	return r;
}

int pidring_process_resume(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_resume");
	process_enter(process);
	int r = check(process);
	if (r == 0 && process->output->paused)
		resume_all(process);
	family_leave();
	return r;
}
