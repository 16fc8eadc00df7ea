/* SPDX-License-Identifier: MIT */
/* libuv drives the engine: uv_poll on its descriptor, everything else in callbacks. */
#define _GNU_SOURCE
#include "scenario.h"

#include <uv.h>

struct driven {
	uv_loop_t loop;
	uv_poll_t poll;
	struct pidring *engine;
	void (*on_event)(struct driven *driven, const struct pidring_event *event);
	int events;
	int starts_left;
	int ended;
	int waiting_for;
	struct latch latch;
};

static void on_readable(uv_poll_t *handle, int status, int readiness)
{
	struct driven *driven = handle->data;
	struct pidring_event events[4];
	int count;

	check_int(status, 0);
	check(readiness & UV_READABLE);
	count = pidring_wait(driven->engine, events, 4, 0);
	check(count >= 0);
	for (int i = 0; i < count; i++) {
		driven->events++;
		driven->on_event(driven, &events[i]);
	}
	if (pidring_outstanding(driven->engine) == 0)
		uv_poll_stop(handle);
}

static void begin(struct driven *driven)
{
	driven->engine = open_engine();
	check_int(uv_loop_init(&driven->loop), 0);
	check_int(uv_poll_init(&driven->loop, &driven->poll, pidring_fd(driven->engine)), 0);
	driven->poll.data = driven;
	check_int(uv_poll_start(&driven->poll, UV_READABLE, on_readable), 0);
}

static void end(struct driven *driven)
{
	uv_close((uv_handle_t *)&driven->poll, NULL);
	check_int(uv_run(&driven->loop, UV_RUN_DEFAULT), 0);
	check_int(uv_loop_close(&driven->loop), 0);
	close_engine(driven->engine);
	uv_library_shutdown();
}

static void free_ended(struct driven *driven, const struct pidring_event *event)
{
	check_int(event->type, PIDRING_EXITED);
	check_int(event->code, *(int *)event->user_data);
	driven->ended++;
	pidring_process_free(event->process);
}

/* Children started before the loop runs: the loop gets all their ends and comes to its own. */
SCENARIO(libuv, all_ends)
{
	struct driven driven = { .on_event = free_ended };
	int codes[20];

	begin(&driven);
	for (int i = 0; i < 20; i++) {
		codes[i] = i;
		start_process(driven.engine, (struct pidring_options){ .target = return_argument,
		                                                       .argument = &codes[i],
		                                                       .user_data = &codes[i] });
	}
	check_int(uv_run(&driven.loop, UV_RUN_DEFAULT), 0);
	check_int(driven.ended, 20);
	end(&driven);
}

static void start_the_next(struct driven *driven, const struct pidring_event *event)
{
	static const char *const program[] = { "sh", "-c", "exit 3", NULL };
	static int code_of_function = 3;

	if (event != NULL) {
		check_int(event->type, PIDRING_EXITED);
		check_int(event->code, 3);
		driven->ended++;
		pidring_process_free(event->process);
	}
	if (driven->starts_left == 0)
		return;
	driven->starts_left--;
	if (driven->starts_left % 2 == 0)
		start_function(driven->engine, return_argument, &code_of_function);
	else
		start_process(driven->engine, (struct pidring_options){ .argv = program });
}

/* Each end starts the next child from the callback. */
SCENARIO(libuv, restart_from_callbacks)
{
	struct driven driven = { .on_event = start_the_next, .starts_left = 40 };

	begin(&driven);
	start_the_next(&driven, NULL);
	start_the_next(&driven, NULL);
	check_int(uv_run(&driven.loop, UV_RUN_DEFAULT), 0);
	check_int(driven.ended, 40);
	end(&driven);
}

static void follow_asynchronous(struct driven *driven, const struct pidring_event *event)
{
	int *state = event->user_data;

	if (event->type == PIDRING_EXITED) {
		check_int(*state, 1);
		*state = 2;
		driven->ended++;
		pidring_process_free(event->process);
		return;
	}
	check_int(*state, 0);
	*state = 1;
}

/* Asynchronous starts, good and failing: the loop learns of each step. */
SCENARIO(libuv, asynchronous_starts)
{
	const char *const programs[2][2] = { { "true", NULL }, { "/nonexistent/program", NULL } };
	struct driven driven = { .on_event = follow_asynchronous };
	int states[10] = { 0 };

	begin(&driven);
	for (int i = 0; i < 10; i++)
		start_process(driven.engine, (struct pidring_options){ .argv = programs[i % 2],
		                                                       .asynchronous = true,
		                                                       .user_data = &states[i] });
	check_int(uv_run(&driven.loop, UV_RUN_DEFAULT), 0);
	check_int(driven.ended, 10);
	check_int(driven.events, 20);
	for (int i = 0; i < 10; i++)
		check_int(states[i], 2);
	end(&driven);
}

static void release_next(uv_timer_t *timer)
{
	struct driven *driven = timer->data;

	latch_release(&driven->latch);
	if (--driven->waiting_for == 0)
		uv_timer_stop(timer);
}

static void count_end(struct driven *driven, const struct pidring_event *event)
{
	check_int(event->type, PIDRING_EXITED);
	driven->ended++;
	pidring_process_free(event->process);
}

/* The loop's own timers go on while children run: it is a timer that lets them end. */
SCENARIO(libuv, timers_beside_children)
{
	struct driven driven = { .on_event = count_end, .latch = latch_open(), .waiting_for = 5 };
	uv_timer_t timer;

	begin(&driven);
	check_int(uv_timer_init(&driven.loop, &timer), 0);
	timer.data = &driven;
	for (int i = 0; i < 5; i++)
		start_function(driven.engine, wait_for_latch, &driven.latch);
	check_int(uv_timer_start(&timer, release_next, 1, 1), 0);
	check_int(uv_run(&driven.loop, UV_RUN_DEFAULT), 0);
	check_int(driven.ended, 5);
	uv_close((uv_handle_t *)&timer, NULL);
	end(&driven);
	latch_close(&driven.latch);
}

static void note_process_end(uv_process_t *process, int64_t code, int signal_number)
{
	int64_t *ret_code = process->data;

	check_int(signal_number, 0);
	*ret_code = code;
	uv_close((uv_handle_t *)process, NULL);
}

/* libuv's own children, which it reaps with a SIGCHLD handler, and the engine's live side by side. */
SCENARIO(libuv, beside_children_of_libuv)
{
	struct driven driven = { .on_event = start_the_next, .starts_left = 10 };
	char *arguments[] = { "sh", "-c", "exit 6", NULL };
	uv_process_options_t options = { .exit_cb = note_process_end, .file = "sh", .args = arguments };
	uv_process_t process;
	int64_t code = -1;

	begin(&driven);
	process.data = &code;
	check_int(uv_spawn(&driven.loop, &process, &options), 0);
	start_the_next(&driven, NULL);
	check_int(uv_run(&driven.loop, UV_RUN_DEFAULT), 0);
	check_int(driven.ended, 10);
	check_int(code, 6);
	end(&driven);
}
