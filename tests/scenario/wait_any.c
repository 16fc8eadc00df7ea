/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/resource.h>
#include <sys/time.h>

static struct pidring *engine;

/* It waits for the first, says which it is, and does not reap it. */
SCENARIO(wait_any, says_which_has_ended)
{
	struct pidring_wait_item items[3];
	struct pidring_process *sleeping, *ending;
	static int three = 3;
	int code = -1;

	engine = open_engine();
	sleeping = start_function(engine, sleep_forever, NULL);
	ending = start_function(engine, return_argument, &three);
	items[0] = (struct pidring_wait_item){ .process = sleeping, .ready = true };
	items[1] = (struct pidring_wait_item){ .process = ending };
	check_int(pidring_wait_any(items, 2, PIDRING_FOREVER), 1);
	check(!items[0].ready);
	check(items[1].ready);
	check_int(process_state(pidring_process_pid(ending)), 'Z');
	check_int(pidring_process_exit_code(ending, &code), 0);
	check_int(code, 3);
	check_int(pidring_wait_any(items, 2, PIDRING_FOREVER), 1);
	check(items[1].ready);
	check_int(finish(ending), 3);
	kill_and_free(sleeping);
	close_engine(engine);
}

/* Descriptors and processes can be waited for together. */
SCENARIO(wait_any, mixes_descriptors_and_processes)
{
	struct latch latch = latch_open();
	struct pidring_wait_item items[2];
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, sleep_forever, NULL);
	items[0] = (struct pidring_wait_item){ .process = process };
	items[1] = (struct pidring_wait_item){ .descriptor = latch.reader };
	check_int(pidring_wait_any(items, 2, 0), 0);
	latch_release(&latch);
	check_int(pidring_wait_any(items, 2, PIDRING_FOREVER), 1);
	check(!items[0].ready && items[1].ready);
	check_int(pidring_process_kill(process), 0);
	wait_ended(process);
	check_int(pidring_wait_any(items, 2, PIDRING_FOREVER), 2);
	check(items[0].ready && items[1].ready);
	kill_and_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* A descriptor whose other end has gone is ready. */
SCENARIO(wait_any, hang_up_is_ready)
{
	struct pidring_wait_item item;
	int ends[2];

	open_pipe(ends);
	item = (struct pidring_wait_item){ .descriptor = ends[0] };
	check_int(pidring_wait_any(&item, 1, 0), 0);
	close(ends[1]);
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
	check(item.ready);
	close(ends[0]);
}

/* Time-outs: 0 and negative ones look once, others are waited for in full. */
SCENARIO(wait_any, timeouts)
{
	struct pidring_process *process;
	struct pidring_wait_item item;
	int64_t begin;

	engine = open_engine();
	process = start_function(engine, sleep_forever, NULL);
	item = (struct pidring_wait_item){ .process = process };
	check_int(pidring_wait_any(&item, 1, 0), 0);
	check_int(pidring_wait_any(&item, 1, -1), 0);
	check_int(pidring_wait_any(&item, 1, INT64_MIN), 0);
	begin = now();
	check_int(pidring_wait_any(&item, 1, 20 * MILLISECONDS + 1), 0);
	check(now() - begin >= 20 * MILLISECONDS + 1);
	check(!item.ready);
	kill_and_free(process);
	close_engine(engine);
}

/* Nothing at all can be waited for with a time-out, but not for ever. */
SCENARIO(wait_any, of_nothing)
{
	struct pidring_wait_item none[1];
	int64_t begin = now();

	check_int(pidring_wait_any(NULL, 0, 10 * MILLISECONDS), 0);
	check(now() - begin >= 10 * MILLISECONDS);
	check_int(pidring_wait_any(none, 0, 0), 0);
	check_int(pidring_wait_any(NULL, 0, PIDRING_FOREVER), -EINVAL);
	check_int(pidring_wait_any(none, 0, PIDRING_FOREVER), -EINVAL);
	check_int(pidring_wait_any(NULL, 1, 0), -EINVAL);
}

/* Bad descriptors are refused, not reported as ready. */
SCENARIO(wait_any, bad_descriptors_are_refused)
{
	struct latch latch = latch_open();
	struct pidring_wait_item items[2] = { { .descriptor = latch.reader }, { .descriptor = -1 } };

	latch_release(&latch);
	check_int(pidring_wait_any(items, 2, 0), -EBADF);
	check_contains(pidring_explain(), "-1");
	items[1].descriptor = 987;
	check_int(pidring_wait_any(items, 2, 0), -EBADF);
	check_contains(pidring_explain(), "987");
	check_int(pidring_wait_any(items, 2, PIDRING_FOREVER), -EBADF);
	latch_close(&latch);
}

/* Processes that have no sentinel are refused. */
SCENARIO(wait_any, bad_processes_are_refused)
{
	struct pidring_process *process;
	struct pidring_wait_item item;

	engine = open_engine();
	process = new_function(engine, return_zero, NULL);
	item = (struct pidring_wait_item){ .process = process };
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), -ESRCH);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), -EBADF);
	item.process = pidring_current_process();
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), -ESRCH);
	pidring_process_free(process);
	close_engine(engine);
}

/* The same one may be there twice. */
SCENARIO(wait_any, the_same_twice)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	struct pidring_wait_item items[4];

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	latch_release(&latch);
	items[0] = items[1] = (struct pidring_wait_item){ .process = process };
	items[2] = items[3] = (struct pidring_wait_item){ .descriptor = latch.reader };
	check_int(pidring_wait_any(items, 4, PIDRING_FOREVER), 4);
	check(items[0].ready && items[1].ready && items[2].ready && items[3].ready);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

/* A joined process stays ready. */
SCENARIO(wait_any, joined_is_ready)
{
	struct pidring_process *process;
	struct pidring_wait_item item;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	check_int(join_code(process), 0);
	item = (struct pidring_wait_item){ .process = process };
	check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
	check(item.ready);
	pidring_process_free(process);
	close_engine(engine);
}

static struct pidring_process *sibling;
static struct latch ready;

static int wait_for_family(void *unused)
{
	struct pidring_wait_item items[2] = { { .process = pidring_parent_process() },
		                              { .process = sibling } };

	(void)unused;
	check_int(pidring_wait_any(items, 2, 0), 0);
	latch_release(&ready);
	check_int(pidring_wait_any(items, 2, PIDRING_FOREVER), 1);
	check(!items[0].ready && items[1].ready);
	return 0;
}

/* A child may wait for its parent and its siblings. */
SCENARIO(wait_any, works_for_the_family)
{
	struct pidring_process *process;

	ready = latch_open();
	engine = open_engine();
	sibling = start_function(engine, sleep_forever, NULL);
	process = start_function(engine, wait_for_family, NULL);
	latch_wait(&ready);
	kill_and_free(sibling);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&ready);
}

static volatile sig_atomic_t handled;

static void count_signal(int number)
{
	(void)number;
	handled++;
}

/* Signal handlers do not shorten it. */
SCENARIO(wait_any, handlers_do_not_shorten_it)
{
	struct sigaction action = { .sa_handler = count_signal }, old;
	struct itimerval every_millisecond = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	struct latch latch = latch_open();
	struct pidring_wait_item item = { .descriptor = latch.reader };
	int64_t begin;

	/* The timer's signal is the watchdog's: borrow its handler for this while. */
	sigaction(SIGALRM, &action, &old);
	begin = now();
	setitimer(ITIMER_REAL, &every_millisecond, NULL);
	check_int(pidring_wait_any(&item, 1, 30 * MILLISECONDS), 0);
	setitimer(ITIMER_REAL, &off, NULL);
	/* Under valgrind the last one comes late. */
	poll(NULL, 0, 10);
	check(now() - begin >= 30 * MILLISECONDS);
	check(handled > 0);
	sigaction(SIGALRM, &old, NULL);
	alarm(60);
	latch_close(&latch);
}

/* Many can be waited for; more than the descriptor limit cannot. */
SCENARIO(wait_any, number_of_items_is_limited)
{
	static struct pidring_wait_item items[301];
	static struct pollfd plain[301];
	struct latch latch = latch_open();
	struct rlimit limit, small;

	for (size_t i = 0; i < 301; i++)
		items[i].descriptor = latch.reader;
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	small = limit;
	small.rlim_cur = 300;
	check_int(setrlimit(RLIMIT_NOFILE, &small), 0);
	check_int(pidring_wait_any(items, 300, 0), 0);
	for (size_t i = 0; i < 301; i++)
		plain[i].fd = latch.reader;
	if (poll(plain, 301, 0) >= 0)
		skip("nobody heeds the limit here");
	check_int(pidring_wait_any(items, 301, 0), -EINVAL);
	latch_release(&latch);
	check_int(pidring_wait_any(items, 300, PIDRING_FOREVER), 300);
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	latch_close(&latch);
}
