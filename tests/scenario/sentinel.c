/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

/* There is none before the start, then it is the same until the closing, and really closed by that. */
SCENARIO(sentinel, same_from_start_to_close)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	int sentinel;

	engine = open_engine();
	process = new_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_sentinel(process), -ESRCH);
	check_int(pidring_process_start(process), 0);
	sentinel = pidring_process_sentinel(process);
	check(sentinel >= 0);
	check_int(fcntl(sentinel, F_GETFD), FD_CLOEXEC);
	latch_release(&latch);
	check_int(join_code(process), 0);
	check_int(pidring_process_sentinel(process), sentinel);
	check(descriptor_is_open(sentinel));
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_sentinel(process), -EBADF);
	check(!descriptor_is_open(sentinel));
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* It is readable from the end on, also after the join. */
SCENARIO(sentinel, readable_from_the_end_on)
{
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check(!is_readable(pidring_process_sentinel(process)));
	latch_release(&latch);
	wait_ended(process);
	check_int(join_code(process), 0);
	check(is_readable(pidring_process_sentinel(process)));
	check(is_readable(pidring_process_sentinel(process)));
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* When it is readable the exit code can be had without blocking. */
SCENARIO(sentinel, readable_means_known)
{
	engine = open_engine();
	for (int i = 0; i < 30; i++) {
		struct pidring_process *process = start_function(engine, return_argument, &i);
		int code = -1;

		wait_ended(process);
		check_int(pidring_process_exit_code(process, &code), 0);
		check_int(code, i);
		pidring_process_free(process);
	}
	close_engine(engine);
}

static int current_has_none(void *unused)
{
	(void)unused;
	check_int(pidring_process_sentinel(pidring_current_process()), -ESRCH);
	return 0;
}

/* The current process has none. */
SCENARIO(sentinel, current_process_has_none)
{
	check_int(current_has_none(NULL), 0);
	check_in_child(current_has_none, NULL);
}

static struct pidring_process *first;
static struct latch ready;

static int watch_sibling(void *unused)
{
	(void)unused;
	check(!is_readable(pidring_process_sentinel(first)));
	latch_release(&ready);
	wait_ended(first);
	return 0;
}

/* A child that is started later inherits it and can watch its sibling's end. */
SCENARIO(sentinel, siblings_can_watch)
{
	struct pidring_process *second;

	ready = latch_open();
	engine = open_engine();
	first = start_function(engine, sleep_forever, NULL);
	second = start_function(engine, watch_sibling, NULL);
	latch_wait(&ready);
	kill_and_free(first);
	check_int(finish(second), 0);
	close_engine(engine);
	latch_close(&ready);
}

/* It can be polled together with others. */
SCENARIO(sentinel, polled_with_others)
{
	struct latch latch = latch_open();
	struct pidring_process *running, *ended;
	struct pollfd entries[3];

	engine = open_engine();
	running = start_function(engine, sleep_forever, NULL);
	ended = start_function(engine, return_zero, NULL);
	entries[0] = (struct pollfd){ .fd = pidring_process_sentinel(running), .events = POLLIN };
	entries[1] = (struct pollfd){ .fd = pidring_process_sentinel(ended), .events = POLLIN };
	entries[2] = (struct pollfd){ .fd = latch.reader, .events = POLLIN };
	check_int(poll(entries, 3, -1), 1);
	check(entries[1].revents != 0);
	latch_release(&latch);
	check_int(poll(entries, 3, -1), 2);
	check_int(entries[0].revents, 0);
	check_int(finish(ended), 0);
	kill_and_free(running);
	close_engine(engine);
	latch_close(&latch);
}
