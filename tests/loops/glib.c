/* SPDX-License-Identifier: MIT */
/* GLib drives the engine: a source on its descriptor, everything else in callbacks. */
#define _GNU_SOURCE
#include "scenario.h"

#include <glib-unix.h>
#include <glib.h>

struct driven {
	GMainContext *context;
	GMainLoop *loop;
	GSource *source;
	struct pidring *engine;
	void (*on_event)(struct driven *driven, const struct pidring_event *event);
	int events;
	int starts_left;
	int ended;
	int waiting_for;
	struct latch latch;
};

static gboolean on_readable(gint descriptor, GIOCondition condition, gpointer data)
{
	struct driven *driven = data;
	struct pidring_event events[4];
	int count;

	check_int(descriptor, pidring_fd(driven->engine));
	check(condition & G_IO_IN);
	count = pidring_wait(driven->engine, events, 4, 0);
	check(count >= 0);
	for (int i = 0; i < count; i++) {
		driven->events++;
		driven->on_event(driven, &events[i]);
	}
	if (pidring_outstanding(driven->engine) == 0)
		g_main_loop_quit(driven->loop);
	return G_SOURCE_CONTINUE;
}

/* GLib's first loop opens a descriptor that stays for the life of the process: a context of the scenario's
 * own, which can be given back, does not. */
static void begin(struct driven *driven)
{
	driven->engine = open_engine();
	driven->context = g_main_context_new();
	driven->loop = g_main_loop_new(driven->context, FALSE);
	driven->source = g_unix_fd_source_new(pidring_fd(driven->engine), G_IO_IN);
	g_source_set_callback(driven->source, G_SOURCE_FUNC(on_readable), driven, NULL);
	check(g_source_attach(driven->source, driven->context) > 0);
}

static void end(struct driven *driven)
{
	g_source_destroy(driven->source);
	g_source_unref(driven->source);
	g_main_loop_unref(driven->loop);
	g_main_context_unref(driven->context);
	close_engine(driven->engine);
}

static void free_ended(struct driven *driven, const struct pidring_event *event)
{
	check_int(event->type, PIDRING_EXITED);
	check_int(event->code, *(int *)event->user_data);
	driven->ended++;
	pidring_process_free(event->process);
}

/* Children started before the loop runs: it gets all their ends. */
SCENARIO(glib, all_ends)
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
	g_main_loop_run(driven.loop);
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
SCENARIO(glib, restart_from_callbacks)
{
	struct driven driven = { .on_event = start_the_next, .starts_left = 40 };

	begin(&driven);
	start_the_next(&driven, NULL);
	start_the_next(&driven, NULL);
	g_main_loop_run(driven.loop);
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
SCENARIO(glib, asynchronous_starts)
{
	const char *const programs[2][2] = { { "true", NULL }, { "/nonexistent/program", NULL } };
	struct driven driven = { .on_event = follow_asynchronous };
	int states[10] = { 0 };

	begin(&driven);
	for (int i = 0; i < 10; i++)
		start_process(driven.engine, (struct pidring_options){ .argv = programs[i % 2],
		                                                       .asynchronous = true,
		                                                       .user_data = &states[i] });
	g_main_loop_run(driven.loop);
	check_int(driven.ended, 10);
	check_int(driven.events, 20);
	for (int i = 0; i < 10; i++)
		check_int(states[i], 2);
	end(&driven);
}

static gboolean release_next(gpointer data)
{
	struct driven *driven = data;

	latch_release(&driven->latch);
	return --driven->waiting_for > 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void count_end(struct driven *driven, const struct pidring_event *event)
{
	check_int(event->type, PIDRING_EXITED);
	driven->ended++;
	pidring_process_free(event->process);
}

/* The loop's own timers go on while children run: it is a timer that lets them end. */
SCENARIO(glib, timers_beside_children)
{
	struct driven driven = { .on_event = count_end, .latch = latch_open(), .waiting_for = 5 };
	GSource *timer = g_timeout_source_new(1);

	begin(&driven);
	for (int i = 0; i < 5; i++)
		start_function(driven.engine, wait_for_latch, &driven.latch);
	g_source_set_callback(timer, release_next, &driven, NULL);
	check(g_source_attach(timer, driven.context) > 0);
	g_main_loop_run(driven.loop);
	check_int(driven.ended, 5);
	g_source_unref(timer);
	end(&driven);
	latch_close(&driven.latch);
}

/* The same on GLib's default context, with g_unix_fd_add, as most programs do it. */
SCENARIO(glib, default_context)
{
	struct driven driven = { .on_event = start_the_next, .starts_left = 10 };
	guint source;

	driven.engine = open_engine();
	driven.loop = g_main_loop_new(NULL, FALSE);
	source = g_unix_fd_add(pidring_fd(driven.engine), G_IO_IN, on_readable, &driven);
	check(source > 0);
	start_the_next(&driven, NULL);
	g_main_loop_run(driven.loop);
	check_int(driven.ended, 10);
	check(g_source_remove(source));
	g_main_loop_unref(driven.loop);
	g_main_context_unref(g_main_context_default());
	close_engine(driven.engine);
}
