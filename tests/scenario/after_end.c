/* SPDX-License-Identifier: MIT */
/* Output after the end of the process that wrote it: the drain time, and grandchildren that keep a pipe open. */
#define _GNU_SOURCE
#include "streams.h"

#include <pthread.h>

/* A child that leaves another behind, which has stdout open until the latch's writer is closed. */
struct family {
	struct pidring *engine;
	struct child child;
	struct latch latch;
};

static void begin_family(struct family *family, const char *kind, uint64_t amount, int64_t drain)
{
	struct pidring_options options;
	struct pidring_descriptor passed;

	*family = (struct family){ .engine = open_engine(), .latch = latch_open() };
	passed = (struct pidring_descriptor){ family->latch.reader, 3 };
	options = awkward(&family->child, kind, 21, amount);

	options.drain = drain;
	options.descriptors = &passed;
	options.descriptor_count = 1;
	begin_child(&family->child, family->engine, options);
	close(family->latch.reader);
}

static void let_grandchild_go(struct family *family)
{
	close(family->latch.writer);
}

/* Its end and all that it wrote are told, and the rest is not waited for. */
static void check_cut(struct family *family, uint64_t amount)
{
	struct child *child = &family->child;

	check_int(child->exited, 1);
	check_int(child->code, 0);
	check_int(child->ended[0], 1);
	check_int(child->end_codes[0], -ECANCELED);
	check_int(child->received[0], amount);
	check_int(child->last, 1);
	check_int(finish(child->process), 0);
	let_grandchild_go(family);
	close_engine(family->engine);
}

/* The end of the process is told while a grandchild has its output open; the end of that comes when it goes. */
SCENARIO(after_end, exit_is_told_first)
{
	struct family family;

	begin_family(&family, "background", 1000, PIDRING_FOREVER);
	fetch_until(family.engine, &family.child.exited, 1);
	check_int(family.child.ended[0], 0);
	check_int(family.child.last, 0);
	check_int(pidring_outstanding(family.engine), 1);
	fetch_bytes(family.engine, &family.child, 1000);
	fetch_present(family.engine);
	check_int(family.child.ended[0], 0);
	let_grandchild_go(&family);
	fetch_all(family.engine, 64);
	end_child(&family.child, 2000, 0, 0);
	close_engine(family.engine);
}

/* With no time to drain, what the process itself wrote comes all the same. */
SCENARIO(after_end, no_drain)
{
	struct family family;

	begin_family(&family, "background", 60000, PIDRING_NONE);
	fetch_all(family.engine, 64);
	check_cut(&family, 60000);
}

SCENARIO(after_end, no_drain_and_nothing_written)
{
	struct family family;

	begin_family(&family, "background", 0, PIDRING_NONE);
	fetch_all(family.engine, 64);
	check_cut(&family, 0);
}

/* More than is read at a time, and nobody has looked before its end. */
SCENARIO(after_end, no_drain_and_a_large_pipe)
{
	struct family family;

	begin_family(&family, "large", MEBIBYTE, PIDRING_NONE);
	wait_ended(family.child.process);
	fetch_all(family.engine, 64);
	check_cut(&family, MEBIBYTE);
}

SCENARIO(after_end, no_drain_one_event_at_a_time)
{
	struct family family;

	begin_family(&family, "large", 512 * KIBIBYTE, PIDRING_NONE);
	wait_ended(family.child.process);
	fetch_all(family.engine, 1);
	check_cut(&family, 512 * KIBIBYTE);
}

/* A join sees the end before the events do. */
SCENARIO(after_end, no_drain_and_joined)
{
	struct family family;

	begin_family(&family, "large", MEBIBYTE, PIDRING_NONE);
	check_int(join_code(family.child.process), 0);
	fetch_all(family.engine, 64);
	check_cut(&family, MEBIBYTE);
}

static void *join_in_thread(void *argument)
{
	check_int(pidring_process_join(argument, PIDRING_FOREVER), 0);
	return NULL;
}

/* The end is seen by one thread while another reads. */
SCENARIO(after_end, no_drain_and_joined_meanwhile)
{
	for (int i = 0; i < small_or_normal(5, 50); i++) {
		struct family family;
		pthread_t thread;

		begin_family(&family, "background", 300000, PIDRING_NONE);
		check_int(pthread_create(&thread, NULL, join_in_thread, family.child.process), 0);
		fetch_all(family.engine, 64);
		pthread_join(thread, NULL);
		check_cut(&family, 300000);
	}
}

/* The time is measured from the end of the process. */
SCENARIO(after_end, cut_after_the_drain_time)
{
	struct family family;
	int64_t begin;

	begin_family(&family, "background", 5000, 100 * MILLISECONDS);
	wait_ended(family.child.process);
	begin = now();
	fetch_until(family.engine, &family.child.exited, 1);
	fetch_all(family.engine, 64);
	check(now() - begin >= 100 * MILLISECONDS);
	check_cut(&family, 5000);
}

/* The default is a second. */
SCENARIO(after_end, cut_after_a_second)
{
	struct family family;
	int64_t begin;

	begin_family(&family, "background", 100, 0);
	wait_ended(family.child.process);
	begin = now();
	fetch_all(family.engine, 64);
	check(now() - begin >= 1000 * MILLISECONDS);
	check_cut(&family, 100);
}

/* Another loop is told when the time is over. */
SCENARIO(after_end, cut_while_driven)
{
	struct family family;
	struct pollfd item = { .events = POLLIN };

	begin_family(&family, "background", 5000, 50 * MILLISECONDS);
	item.fd = pidring_fd(family.engine);
	while (pidring_outstanding(family.engine) > 0) {
		check_int(poll(&item, 1, -1), 1);
		fetch(family.engine, 64, 0);
	}
	check_cut(&family, 5000);
}

/* A grandchild that never stops writing does not make it last for ever. */
SCENARIO(after_end, cut_although_more_comes)
{
	const char *const argv[] = { "sh", "-c", "exec 3<&-; yes & exit 3", NULL };
	struct pidring *engine = open_engine();
	struct child child = { .is_unchecked = true };

	begin_child(&child, engine,
	            (struct pidring_options){ .argv = argv,
	                                      .new_group = true,
	                                      .stdout_to = PIDRING_STREAM_PIPE,
	                                      .drain = 20 * MILLISECONDS });
	fetch_all(engine, 64);
	check_int(child.ended[0], 1);
	check_int(child.end_codes[0], -ECANCELED);
	check_int(child.code, 3);
	check_int(finish(child.process), 3);
	close_engine(engine);
}

/* While output is paused the drain time does not run. */
SCENARIO(after_end, pause_stops_the_drain_clock)
{
	struct family family;

	begin_family(&family, "background", 1000, 1 * MILLISECONDS);
	check_int(pidring_process_pause(family.child.process), 0);
	fetch_until(family.engine, &family.child.exited, 1);
	for (int i = 0; i < 5; i++)
		fetch(family.engine, 64, 5 * MILLISECONDS);
	check_int(family.child.ended[0], 0);
	check_int(family.child.received[0], 0);
	check_int(pidring_outstanding(family.engine), 1);
	check_int(pidring_process_resume(family.child.process), 0);
	fetch_all(family.engine, 64);
	check_cut(&family, 1000);
}

SCENARIO(after_end, paused_without_drain)
{
	struct family family;

	begin_family(&family, "large", MEBIBYTE, PIDRING_NONE);
	check_int(pidring_process_pause(family.child.process), 0);
	fetch_until(family.engine, &family.child.exited, 1);
	fetch_present(family.engine);
	check_int(family.child.ended[0], 0);
	check_int(pidring_process_resume(family.child.process), 0);
	/* What is still to be read may be put off once more. */
	fetch(family.engine, 1, PIDRING_FOREVER);
	check_int(pidring_process_pause(family.child.process), 0);
	fetch_present(family.engine);
	check_int(pidring_process_resume(family.child.process), 0);
	fetch_all(family.engine, 64);
	check_cut(&family, MEBIBYTE);
}

/* Freed or closed while the grandchild has it open: nothing comes any more, and no descriptor stays. */
SCENARIO(after_end, freed_while_a_grandchild_has_it)
{
	struct family family;

	begin_family(&family, "background", 1000, PIDRING_FOREVER);
	fetch_until(family.engine, &family.child.exited, 1);
	pidring_process_free(family.child.process);
	check_int(pidring_outstanding(family.engine), 0);
	fetch_present(family.engine);
	check_int((long long)pidring_live_objects(), 0);
	let_grandchild_go(&family);
	close_engine(family.engine);
}

SCENARIO(after_end, closed_while_a_grandchild_has_it)
{
	struct family family;

	begin_family(&family, "background", 1000, PIDRING_FOREVER);
	fetch_until(family.engine, &family.child.exited, 1);
	check_int(pidring_process_close(family.child.process), 0);
	check_int(pidring_outstanding(family.engine), 0);
	fetch_present(family.engine);
	pidring_process_free(family.child.process);
	fetch_present(family.engine);
	let_grandchild_go(&family);
	close_engine(family.engine);
}

SCENARIO(after_end, engine_closed_while_a_grandchild_has_it)
{
	struct family family;

	begin_family(&family, "background", 100000, PIDRING_FOREVER);
	fetch_until(family.engine, &family.child.exited, 1);
	close_engine(family.engine);
	check_int(finish(family.child.process), 0);
	let_grandchild_go(&family);
}
