/* SPDX-License-Identifier: MIT */
/* The engine's descriptor in loops of others: readable while there is something to fetch, and quiet otherwise. */
#define _GNU_SOURCE
#include "expected_ends.h"

#include <liburing.h>
#include <sys/epoll.h>

/* The engine may have work of its own to do, but not without end. */
static void check_becomes_quiet(struct pidring *engine)
{
	for (int i = 0; i < 100; i++) {
		if (!is_readable(pidring_fd(engine)))
			return;
		check_no_event(engine);
	}
	fail("the descriptor stays readable although there is nothing to fetch");
}

typedef void (*wait_readable)(int descriptor);

/* Waits through the descriptor only, never in pidring_wait, and fetches one event. */
static struct pidring_event fetch_through(struct pidring *engine, wait_readable wait)
{
	struct pidring_event event;

	for (;;) {
		int count;

		wait(pidring_fd(engine));
		count = pidring_wait(engine, &event, 1, 0);
		check(count == 0 || count == 1);
		if (count == 1)
			return event;
	}
}

static void drive_all_kinds(wait_readable wait)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	const char *const good[] = { "true", NULL };
	const char *const bad[] = { "/nonexistent/program", NULL };
	struct pidring_process *process = start_function(engine, seven_after_latch, &latch);
	struct pidring_event event;

	check_becomes_quiet(engine);
	latch_release(&latch);
	event = fetch_through(engine, wait);
	check_exited(&event, process, 7);
	check_becomes_quiet(engine);
	pidring_process_free(process);
	process = start_process(engine, (struct pidring_options){ .argv = good, .asynchronous = true });
	event = fetch_through(engine, wait);
	check_int(event.type, PIDRING_STARTED);
	check(event.process == process);
	event = fetch_through(engine, wait);
	check_exited(&event, process, 0);
	check_int(finish(process), 0);
	process = start_process(engine, (struct pidring_options){ .argv = bad, .asynchronous = true });
	event = fetch_through(engine, wait);
	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, -ENOENT);
	event = fetch_through(engine, wait);
	check_exited(&event, process, 127);
	check_int(finish(process), 127);
	check_becomes_quiet(engine);
	latch_close(&latch);
	close_engine(engine);
}

static void wait_with_poll(int descriptor)
{
	struct pollfd entry = { .fd = descriptor, .events = POLLIN };

	check_int(poll(&entry, 1, -1), 1);
	check(entry.revents & POLLIN);
}

/* The descriptor wakes up poll() for every kind of event and is quiet in between. */
SCENARIO(watches_descriptor, descriptor_in_poll)
{
	drive_all_kinds(wait_with_poll);
}

static void wait_with_epoll(int descriptor)
{
	struct epoll_event event = { .events = EPOLLIN };
	int loop = epoll_create1(EPOLL_CLOEXEC);

	check(loop >= 0);
	check_int(epoll_ctl(loop, EPOLL_CTL_ADD, descriptor, &event), 0);
	check_int(epoll_wait(loop, &event, 1, -1), 1);
	check(event.events & EPOLLIN);
	close(loop);
}

/* The same with a new epoll each time. */
SCENARIO(watches_descriptor, descriptor_in_epoll)
{
	drive_all_kinds(wait_with_epoll);
}

static int lasting_loop = -1;

static void wait_in_lasting_loop(int descriptor)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (lasting_loop < 0) {
		lasting_loop = epoll_create1(EPOLL_CLOEXEC);
		check(lasting_loop >= 0);
		check_int(epoll_ctl(lasting_loop, EPOLL_CTL_ADD, descriptor, &event), 0);
	}
	check_int(epoll_wait(lasting_loop, &event, 1, -1), 1);
}

/* The same in one epoll that the descriptor is added to once, as event loops do. */
SCENARIO(watches_descriptor, descriptor_in_lasting_epoll)
{
	drive_all_kinds(wait_in_lasting_loop);
	close(lasting_loop);
}

static struct io_uring host_ring;

static void wait_with_io_uring(int descriptor)
{
	struct io_uring_sqe *request = io_uring_get_sqe(&host_ring);
	struct io_uring_cqe *completion = NULL;
	int result;

	check(request != NULL);
	io_uring_prep_poll_add(request, descriptor, POLLIN);
	do
		result = io_uring_submit_and_wait(&host_ring, 1);
	while (result == -EINTR);
	check(result >= 0);
	check_int(io_uring_wait_cqe(&host_ring, &completion), 0);
	check(completion->res & POLLIN);
	io_uring_cqe_seen(&host_ring, completion);
}

/* The same nested in the host's own io_uring. */
SCENARIO(watches_descriptor, descriptor_in_io_uring)
{
	if (io_uring_queue_init(8, &host_ring, 0) < 0)
		skip("io_uring is missing or forbidden here");
	drive_all_kinds(wait_with_io_uring);
	io_uring_queue_exit(&host_ring);
}

/* It is one descriptor from open to close, close-on-exec, and gone afterwards. */
SCENARIO(watches_descriptor, descriptor_stays_the_same)
{
	struct pidring *engine = open_engine();
	int descriptor = pidring_fd(engine);

	check(descriptor >= 0);
	check(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
	for (int i = 0; i < 5; i++) {
		struct pidring_process *process = start_function(engine, return_zero, NULL);

		get_end(engine, process, 0);
		check_int(pidring_fd(engine), descriptor);
		pidring_process_free(process);
	}
	close_engine(engine);
	check(!descriptor_is_open(descriptor));
	check_int(pidring_fd(NULL), -EINVAL);
}

/* Batches smaller than the number of events leave the descriptor readable until all are fetched. */
SCENARIO(watches_descriptor, small_batches)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[10];
	struct pidring_event events[3];
	int total = 0;

	for (int i = 0; i < 10; i++)
		processes[i] = start_function(engine, return_zero, NULL);
	for (int i = 0; i < 10; i++)
		wait_ended(processes[i]);
	while (total < 10) {
		int count;

		wait_with_poll(pidring_fd(engine));
		count = pidring_wait(engine, events, 3, 0);
		check(count >= 0 && count <= 3);
		total += count;
		check_int(pidring_outstanding(engine), 10 - total);
	}
	check_becomes_quiet(engine);
	for (int i = 0; i < 10; i++)
		check_int(finish(processes[i]), 0);
	close_engine(engine);
}

/* The descriptor becomes readable for an end that a join has seen before. */
SCENARIO(watches_descriptor, descriptor_after_join)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;

	check_int(join_code(process), 0);
	event = fetch_through(engine, wait_with_poll);
	check_exited(&event, process, 0);
	pidring_process_free(process);
	process = start_function(engine, wait_for_latch, &latch);
	check_becomes_quiet(engine);
	latch_release(&latch);
	check_int(join_code(process), 0);
	event = fetch_through(engine, wait_with_poll);
	check_exited(&event, process, 0);
	pidring_process_free(process);
	latch_close(&latch);
	close_engine(engine);
}
