/* SPDX-License-Identifier: MIT */
/* What has happened to processes and was not fetched yet: kept as bits of each, so there is nothing to run out of. */
#include "engine.h"
#include "input.h"
#include "job_control.h"
#include "output.h"
#include "stop.h"

#include <errno.h>
#include <unistd.h>

void engine_push(struct pidring_process *process, unsigned events)
{
	struct pidring *engine = process->engine;

	if (!engine || !process->has_handle || process->closed)
		return;
	if (!process->pending_events)
		TAILQ_INSERT_TAIL(&engine->events, process, event_link);
	process->pending_events |= events;
	engine_kick(engine);
}

void engine_withdraw(struct pidring_process *process, unsigned events)
{
	if (!(process->pending_events & events))
		return;
	process->pending_events &= ~events;
	if (!process->pending_events)
		TAILQ_REMOVE(&process->engine->events, process, event_link);
}

void engine_count(struct pidring_process *process)
{
	if (!process->has_handle)
		return;
	process->counted = true;
	process->engine->outstanding++;
}

static void discount(struct pidring_process *process)
{
	if (process->counted)
		process->engine->outstanding--;
	process->counted = false;
}

void engine_drop_events(struct pidring_process *process)
{
	if (!process->engine)
		return;
	engine_withdraw(process, process->pending_events);
	discount(process);
}

/* --- fetching --- */

static void take_output(struct pidring_process *process, struct pidring_event *ret_event)
{
	struct watch_chunk *chunk = output_take(process);

	ret_event->type = PIDRING_OUTPUT;
	ret_event->stream = chunk->tag;
	ret_event->data = (const char *)chunk->bytes;
	ret_event->length = chunk->length;
	STAILQ_INSERT_TAIL(&process->engine->delivered, chunk, link);
}

static void take_end(struct pidring_process *process, int stream, struct pidring_event *ret_event)
{
	ret_event->type = PIDRING_OUTPUT_ENDED;
	ret_event->stream = stream;
	ret_event->code = output_code(process, stream);
}

static void take_exit(struct pidring_process *process, struct pidring_event *ret_event)
{
	ret_event->type = PIDRING_EXITED;
	ret_event->unknown = !process->record.known;
	ret_event->code = process->record.known ? process->record.code : -ENODATA;
}

static void fill_event(struct pidring_process *process, unsigned bit, struct pidring_event *ret_event)
{
	switch (bit) {
	case EVENT_STARTED:
		ret_event->type = PIDRING_STARTED;
		break;
	case EVENT_START_FAILED:
		ret_event->type = PIDRING_START_FAILED;
		ret_event->code = -process->failure.error;
		break;
	case EVENT_OUTPUT:
		take_output(process, ret_event);
		break;
	case EVENT_INPUT_DRAINED:
		ret_event->type = PIDRING_INPUT_DRAINED;
		break;
	case EVENT_INPUT_CLOSED:
		ret_event->type = PIDRING_INPUT_CLOSED;
		ret_event->length = input_unwritten(process);
		break;
	case EVENT_STOPPED:
		ret_event->type = PIDRING_STOPPED;
		ret_event->code = job_control_signal(process);
		break;
	case EVENT_CONTINUED:
		ret_event->type = PIDRING_CONTINUED;
		break;
	case EVENT_DEADLINE_PASSED:
		ret_event->type = PIDRING_DEADLINE_PASSED;
		break;
	case EVENT_STDOUT_ENDED:
		take_end(process, STDOUT_FILENO, ret_event);
		break;
	case EVENT_STDERR_ENDED:
		take_end(process, STDERR_FILENO, ret_event);
		break;
	case EVENT_GROUP_STOPPED:
		ret_event->type = PIDRING_GROUP_STOPPED;
		ret_event->code = process->stopping.end_code;
		break;
	case EVENT_TREE_STOPPED:
		ret_event->type = PIDRING_TREE_STOPPED;
		ret_event->code = process->stopping.tree_code;
		break;
	default:
		take_exit(process, ret_event);
	}
}

static void take_event(struct pidring_process *process, struct pidring_event *ret_event)
{
	/* The lowest: the order of the bits. */
	unsigned bit = process->pending_events & -process->pending_events;

	*ret_event = (struct pidring_event){ .process = process, .user_data = process->user_data };
	fill_event(process, bit, ret_event);
	if (bit != EVENT_OUTPUT || !output_is_waiting(process))
		engine_withdraw(process, bit);
	ret_event->last = process->state == PROCESS_ENDED && !process->pending_events &&
	                  !output_is_open(process) && !stop_is_under_way(process);
	if (ret_event->last)
		discount(process);
}

bool engine_has_events(const struct pidring *engine)
{
	return !TAILQ_EMPTY(&engine->events) || household_has_events(&engine->household);
}

size_t engine_take_events(struct pidring *engine, struct pidring_event *events, size_t capacity)
{
	size_t count = 0;

	while (count < capacity && !TAILQ_EMPTY(&engine->events))
		take_event(TAILQ_FIRST(&engine->events), &events[count++]);
	return count + household_take_events(engine, events + count, capacity - count);
}

void engine_release_delivered(struct pidring *engine)
{
	while (!STAILQ_EMPTY(&engine->delivered)) {
		struct watch_chunk *chunk = STAILQ_FIRST(&engine->delivered);

		STAILQ_REMOVE_HEAD(&engine->delivered, link);
		watch_release_chunk(engine->watch, chunk);
	}
}
