/* SPDX-License-Identifier: MIT */
/* One thread waits for output; others pause, resume, feed, join and free meanwhile. */
#define _GNU_SOURCE
#include "streams.h"

#include <pthread.h>
#include <stdatomic.h>

/* take_event without the question how many are outstanding, which others may change. */
static void fetch_beside_others(struct pidring *engine)
{
	struct pidring_event events[7];
	int count = pidring_wait(engine, events, 7, PIDRING_FOREVER);

	check(count > 0);
	for (int i = 0; i < count; i++)
		take_event(&events[i]);
}

struct disturbance {
	struct child *child;
	atomic_bool over;
};

static void *pause_and_resume(void *argument)
{
	struct disturbance *disturbance = argument;

	while (!atomic_load(&disturbance->over)) {
		check_int(pidring_process_pause(disturbance->child->process), 0);
		check_int(pidring_process_resume(disturbance->child->process), 0);
	}
	return NULL;
}

SCENARIO(flow_threads, paused_by_another)
{
	struct pidring *engine = open_engine();
	uint64_t amount = (uint64_t)small_or_normal(100000, 3000000);
	struct child child = { 0 };
	struct pidring_options options = awkward(&child, "alternate", 1, amount);
	struct disturbance disturbance = { &child, false };
	pthread_t thread;

	options.stderr_to = PIDRING_STREAM_PIPE;
	begin_child(&child, engine, options);
	check_int(pthread_create(&thread, NULL, pause_and_resume, &disturbance), 0);
	while (child.last == 0)
		fetch_beside_others(engine);
	atomic_store(&disturbance.over, true);
	pthread_join(thread, NULL);
	end_child(&child, amount, amount, 0);
	close_engine(engine);
}

/* A grandchild has it open: the drain time is over again and again, and what there is comes once. */
SCENARIO(flow_threads, paused_by_another_without_drain)
{
	for (int i = 0; i < small_or_normal(3, 20); i++) {
		struct pidring *engine = open_engine();
		struct child child = { 0 };
		struct pidring_options options = awkward(&child, "background", 2, 400000);
		struct disturbance disturbance = { &child, false };
		struct latch latch;
		pthread_t thread;

		options.drain = PIDRING_NONE;
		latch = begin_latched(&child, engine, options);
		check_int(pthread_create(&thread, NULL, pause_and_resume, &disturbance), 0);
		while (child.last == 0)
			fetch_beside_others(engine);
		atomic_store(&disturbance.over, true);
		pthread_join(thread, NULL);
		check_int(child.received[0], 400000);
		check_int(child.end_codes[0], -ECANCELED);
		check_int(finish(child.process), 0);
		latch_close(&latch);
		close_engine(engine);
	}
}

/* --- freed by another thread --- */

struct stock {
	struct child *children;
	int count;
};

static void *free_them(void *argument)
{
	struct stock *stock = argument;

	for (int i = 0; i < stock->count; i++)
		pidring_process_free(stock->children[i].process);
	return NULL;
}

static void *join_them(void *argument)
{
	struct stock *stock = argument;

	for (int i = 0; i < stock->count; i++)
		check_int(pidring_process_join(stock->children[i].process, PIDRING_FOREVER), 0);
	return NULL;
}

static void begin_stock(struct stock *stock, struct pidring *engine, const char *kind, uint64_t amount)
{
	stock->children = calloc((size_t)stock->count, sizeof(*stock->children));
	check(stock->children != NULL);
	for (int i = 0; i < stock->count; i++) {
		struct pidring_options options = awkward(&stock->children[i], kind, (uint64_t)i, amount);

		options.stderr_to = PIDRING_STREAM_PIPE;
		begin_child(&stock->children[i], engine, options);
	}
}

/* The keeper is not freed, and hears everything. Events of the others may come until they are freed. */
SCENARIO(flow_threads, freed_by_another)
{
	struct pidring *engine = open_engine_with((struct pidring_engine_options){ .descriptors = 2000 });
	struct stock stock = { .count = small_or_normal(20, 100) };
	struct child keeper = { 0 };
	struct pidring_event events[7];
	pthread_t thread;

	begin_stock(&stock, engine, "endless", 0);
	begin_child(&keeper, engine, awkward(&keeper, "amount", 999, 3 * MEBIBYTE));
	check_int(pthread_create(&thread, NULL, free_them, &stock), 0);
	while (keeper.last == 0) {
		int count = pidring_wait(engine, events, 7, PIDRING_FOREVER);

		check(count > 0);
		for (int i = 0; i < count; i++)
			if (events[i].user_data == &keeper || events[i].type == PIDRING_OUTPUT)
				take_event(&events[i]);
	}
	pthread_join(thread, NULL);
	end_child(&keeper, 3 * MEBIBYTE, 0, 0);
	/* Nobody reads what they write: they end. */
	while (pidring_live_objects() > 0)
		check_int(pidring_wait(engine, events, 1, MILLISECONDS), 0);
	free(stock.children);
	close_engine(engine);
}

/* Ends are seen by a join before the engine sees them. */
SCENARIO(flow_threads, joined_by_another)
{
	struct pidring *engine = open_engine_with((struct pidring_engine_options){ .descriptors = 2000 });
	struct stock stock = { .count = small_or_normal(20, 100) };
	pthread_t thread;

	begin_stock(&stock, engine, "alternate", 20000);
	check_int(pthread_create(&thread, NULL, join_them, &stock), 0);
	while (pidring_outstanding(engine) > 0)
		fetch_beside_others(engine);
	pthread_join(thread, NULL);
	for (int i = 0; i < stock.count; i++)
		end_child(&stock.children[i], 20000, 20000, 0);
	free(stock.children);
	close_engine(engine);
}

/* --- fed by another thread, while another loop tells when to look --- */

static void *feed_slowly(void *argument)
{
	struct child *child = argument;

	for (uint64_t position = 0; position < MEBIBYTE;) {
		size_t rest = MEBIBYTE - (size_t)position;
		ssize_t taken = write_input(child, position, rest < 30000 ? rest : 30000);

		check(taken > 0 || taken == -EAGAIN);
		position += taken > 0 ? (uint64_t)taken : 0;
	}
	check_int(pidring_process_close_input(child->process), 0);
	return NULL;
}

SCENARIO(flow_threads, fed_while_driven)
{
	struct pidring *engine = open_engine();
	struct pollfd item = { .fd = pidring_fd(engine), .events = POLLIN };
	struct child child = { 0 };
	struct pidring_event event;
	pthread_t thread;

	begin_child(&child, engine, with_input(&child, "echo", 3, 0));
	check_int(pthread_create(&thread, NULL, feed_slowly, &child), 0);
	while (child.last == 0) {
		check_int(poll(&item, 1, -1), 1);
		if (pidring_wait(engine, &event, 1, 0) == 1)
			take_event(&event);
	}
	pthread_join(thread, NULL);
	end_child(&child, MEBIBYTE, 0, 0);
	close_engine(engine);
}
