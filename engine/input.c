/* SPDX-License-Identifier: MIT */
/*
 * What is to be written to a process stands in a queue of limited size. As much as the pipe takes is written at once
 * by whoever queues it, the rest by the thread that fetches events, whenever there is room.
 *
 * Writes are calls, not requests of the ring: a request on a pipe that nobody reads would raise SIGPIPE in the thread
 * that the ring belongs to.
 */
#include "input.h"

#include "engine.h"
#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { DEFAULT_LIMIT = 1024 * 1024, LEAST_ROOM = 4096 };

struct input {
	struct process_watch watch;
	unsigned char *queue;
	size_t start, length, room;
	size_t limit;
	bool is_terminal;
	bool begun;
	bool closed;        /* nothing can be written any more */
	bool closing;       /* it is to be closed when the queue is empty */
	bool tells_drained; /* somebody was told to wait */
	bool in_line;       /* the last byte was no newline */
	size_t unwritten;
};

static int descriptor_of(const struct pidring_process *process)
{
	return process->ends.own[STDIN_FILENO];
}

/* --- the queue --- */

static void drop_queue(struct input *input)
{
	free(input->queue);
	input->queue = NULL;
	input->start = input->length = input->room = 0;
}

static int make_room(struct input *input, size_t more)
{
	if (input->start > 0)
		memmove(input->queue, input->queue + input->start, input->length);
	input->start = 0;
	if (input->length + more <= input->room)
		return 0;

	size_t room = input->room ? input->room : LEAST_ROOM;
	while (room < input->length + more)
		room *= 2;
	unsigned char *larger = realloc(input->queue, room);
	if (!larger)
		return -ENOMEM;
	input->queue = larger;
	input->room = room;
	return 0;
}

static int enqueue(struct input *input, const unsigned char *bytes, size_t length)
{
	if (input->start + input->length + length > input->room) {
		int r = make_room(input, length);
		if (r < 0)
			return r;
	}
	memcpy(input->queue + input->start + input->length, bytes, length);
	input->length += length;
	return 0;
}

static void dequeue(struct input *input, size_t length)
{
	input->start += length;
	input->length -= length;
	/* A large one is not kept for a small use. */
	if (input->length == 0)
		drop_queue(input);
}

/* --- writing --- */

static void close_end(struct pidring_process *process)
{
	struct input *input = process->input;

	input->closed = true;
	/* If the fetching thread has it, the watch comes by once more. */
	if (!engine_unwatch(process, &input->watch))
		return;
	process_close_own_end(process, STDIN_FILENO);
}

/* Nobody reads it. */
static void break_off(struct pidring_process *process)
{
	struct input *input = process->input;

	if (input->closed)
		return;
	bool complete = input->closing && input->length == 0;
	input->unwritten = input->length;
	drop_queue(input);
	close_end(process);
	if (!complete)
		engine_push(process, EVENT_INPUT_CLOSED);
}

/* Writes what the pipe takes now. Returns how many bytes, 0 if it is full, or a negated errno. */
static ssize_t write_some(struct pidring_process *process, const unsigned char *bytes, size_t length)
{
	struct pidring_statistics *statistics = &process->engine->statistics;
	size_t written = 0;
	ssize_t r = 0;

	while (written < length) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): whoever writes has an engine */
		statistics->input_writes++;
		r = sys_write_silently(descriptor_of(process), bytes + written, length - written);
		if (r <= 0)
			break;
		written += (size_t)r;
	}
	statistics->input_bytes += written;
	if (written > 0 || r == -EAGAIN)
		return (ssize_t)written;
	return r;
}

static void watch_for_room(struct pidring_process *process)
{
	struct input *input = process->input;
	short events = input->length > 0 ? POLLOUT : 0;

	/* A terminal is never without a reader for good. */
	if (input->is_terminal && events == 0)
		return;
	bool is_watched = input->watch.wanted && (input->watch.armed || input->watch.queued);
	if (is_watched && input->watch.events == events)
		return;
	input->watch.events = events;
	engine_watch(process, &input->watch);
}

static void tell_drained(struct pidring_process *process)
{
	process->input->tells_drained = false;
	engine_push(process, EVENT_INPUT_DRAINED);
}

static void flush(struct pidring_process *process)
{
	struct input *input = process->input;

	while (input->length > 0) {
		ssize_t r = write_some(process, input->queue + input->start, input->length);
		if (r < 0) {
			break_off(process);
			return;
		}
		if (r == 0)
			break;
		dequeue(input, (size_t)r);
	}
	if (input->length == 0 && input->tells_drained)
		tell_drained(process);
	if (input->length == 0 && input->closing && !input->is_terminal)
		close_end(process);
	else
		watch_for_room(process);
}

static bool has_no_reader(const struct pidring_process *process)
{
	struct pollfd item = { .fd = descriptor_of(process) };

	return poll(&item, 1, 0) > 0 && item.revents & (POLLERR | POLLNVAL);
}

static void reported(struct process_watch *watch)
{
	struct pidring_process *process = watch->process;
	struct input *input = process->input;

	if (input->closed)
		close_end(process);
	else if (!input->is_terminal && has_no_reader(process))
		break_off(process);
	else
		flush(process);
}

/* --- the whole --- */

int input_new(struct pidring_process *process)
{
	if (!settings_engine_has(process->settings, STDIN_FILENO))
		return 0;
	struct input *input = calloc(1, sizeof *input);
	if (!input)
		return -ENOMEM;
	input->limit = process->settings->input_limit ? process->settings->input_limit : DEFAULT_LIMIT;
	input->is_terminal = process->settings->streams[STDIN_FILENO].to == PIDRING_STREAM_TERMINAL;
	process_add_watch(process, &input->watch, reported);
	process->input = input;
	return 0;
}

void input_free(struct pidring_process *process)
{
	if (process->input)
		drop_queue(process->input);
	free(process->input);
	process->input = NULL;
}

void input_begin(struct pidring_process *process)
{
	struct input *input = process->input;

	if (!input)
		return;
	input->begun = true;
	input->watch.item.descriptor = descriptor_of(process);
	fcntl(descriptor_of(process), F_SETFL, O_NONBLOCK);
	flush(process);
}

void input_process_ended(struct pidring_process *process)
{
	if (process->input && process->input->begun)
		break_off(process);
}

size_t input_unwritten(const struct pidring_process *process)
{
	return process->input->unwritten;
}

void input_drop(struct pidring_process *process)
{
	if (!process->input)
		return;
	drop_queue(process->input);
	close_end(process);
}

void input_forget(struct pidring_process *process)
{
	if (!process->input)
		return;
	drop_queue(process->input);
	process->input->closed = true;
}

/* --- the calls --- */

/* With the lock held. */
static int check(struct pidring_process *process)
{
	if (process->closed)
		return explain_closed(process);
	if (!process_is_ours(process))
		return explain_foreign(process, "written to");
	if (!process->input)
		return explain(-ENOTCONN, "stdin of process '%s' does not come from the engine",
		               process->name);
	return 0;
}

static int explain_broken(const struct pidring_process *process)
{
	return explain(-EPIPE, "stdin of process '%s' is closed", process->name);
}

/* Behind what is queued already, nothing may be written past. */
static ssize_t write_at_once(struct pidring_process *process, const unsigned char *bytes, size_t length)
{
	if (!process->input->begun || process->input->length > 0)
		return 0;
	return write_some(process, bytes, length);
}

static ssize_t take_input(struct pidring_process *process, const unsigned char *bytes, size_t length)
{
	struct input *input = process->input;
	ssize_t written = write_at_once(process, bytes, length);

	if (written < 0) {
		break_off(process);
		return explain_broken(process);
	}
	size_t taken = (size_t)written;
	size_t room = input->limit > input->length ? input->limit - input->length : 0;
	size_t more = length - taken < room ? length - taken : room;
	if (more > 0 && enqueue(input, bytes + taken, more) == 0)
		taken += more;
	else if (more > 0 && taken == 0)
		return explain(-ENOMEM, "no memory to queue input of process '%s'", process->name);
	if (taken > 0)
		input->in_line = bytes[taken - 1] != '\n';
	if (taken < length)
		input->tells_drained = true;
	/* There was no memory. */
	if (input->tells_drained && input->begun && input->length == 0)
		tell_drained(process);
	if (input->begun)
		watch_for_room(process);
	return taken > 0 ? (ssize_t)taken
	                 : explain(-EAGAIN, "the input queue of process '%s' is full", process->name);
}

ssize_t pidring_process_write(struct pidring_process *process, const void *data, size_t length)
{
	if (!process)
		return explain_null("pidring_process_write");
	if (!data && length > 0)
		return explain(-EINVAL, "pidring_process_write: data is NULL, but length is %zu", length);
	if (length > SSIZE_MAX)
		length = SSIZE_MAX;
	process_enter(process);
	ssize_t r = check(process);
	if (r == 0 && !process->engine)
		r = explain_no_engine(process);
	if (r == 0 && (process->input->closed || process->input->closing))
		r = explain_broken(process);
	if (r == 0 && length > 0)
		r = take_input(process, data, length);
	family_leave();
	return r;
}

static int type_end_of_file(struct pidring_process *process)
{
	struct input *input = process->input;
	struct termios settings = { .c_cc[VEOF] = 4 };

	if (input->begun)
		tcgetattr(descriptor_of(process), &settings);
	unsigned char end[2] = { settings.c_cc[VEOF], settings.c_cc[VEOF] };
	int r = enqueue(input, end, input->in_line ? 2 : 1);
	return r < 0 ? explain(r, "no memory to queue input of process '%s'", process->name) : 0;
}

static int close_input(struct pidring_process *process)
{
	struct input *input = process->input;
	int r = input->is_terminal ? type_end_of_file(process) : 0;

	if (r < 0)
		return r;
	input->closing = true;
	if (input->begun)
		flush(process);
	return 0;
}

int pidring_process_close_input(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_close_input");
	process_enter(process);
	int r = check(process);
	if (r == 0 && !process->engine)
		r = explain_no_engine(process);
	if (r == 0 && !process->input->closed && !process->input->closing)
		r = close_input(process);
	family_leave();
	return r;
}

ssize_t pidring_process_queued_input(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_queued_input");
	process_enter(process);
	ssize_t r = check(process);
	if (r == 0)
		r = (ssize_t)process->input->length;
	family_leave();
	return r;
}
