/* SPDX-License-Identifier: MIT */
/* Events: when the engine's descriptor is readable, what is fetched, and how waiting ends. */
#define _GNU_SOURCE
#include "scenario.h"

#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

static int seven_after_latch(void *latch)
{
	latch_wait(latch);
	return 7;
}

static void check_exited(const struct pidring_event *event, struct pidring_process *process, int code)
{
	check_int(event->type, PIDRING_EXITED);
	check(event->process == process);
	check(!event->unknown);
	check_int(event->code, code);
}

/* The next event, which must be the end of this process. */
static void get_end(struct pidring *engine, struct pidring_process *process, int code)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_exited(&event, process, code);
}

static void check_no_event(struct pidring *engine)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, 0), 0);
}

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

/* --- the descriptor in other loops --- */

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
SCENARIO(watches, descriptor_in_poll)
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
SCENARIO(watches, descriptor_in_epoll)
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
SCENARIO(watches, descriptor_in_lasting_epoll)
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
SCENARIO(watches, descriptor_in_io_uring)
{
	if (io_uring_queue_init(8, &host_ring, 0) < 0)
		skip("io_uring is missing or forbidden here");
	drive_all_kinds(wait_with_io_uring);
	io_uring_queue_exit(&host_ring);
}

/* It is one descriptor from open to close, close-on-exec, and gone afterwards. */
SCENARIO(watches, descriptor_stays_the_same)
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
SCENARIO(watches, small_batches)
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

/* --- each event once --- */

static int return_low_byte(void *argument)
{
	return (int)(intptr_t)argument;
}

/* A hundred children, functions and programs: each end is told once, with its own code and user data. */
SCENARIO(watches, each_end_once)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[100];
	const char *const program[] = { "sh", "-c", "exit 33", NULL };
	int count_of_children = small_or_normal(20, 100);
	int told[100] = { 0 };
	struct pidring_event events[16];
	int total = 0;

	for (int i = 0; i < count_of_children; i++) {
		struct pidring_options options = { .user_data = &told[i] };

		if (i % 4 == 0) {
			options.argv = program;
		} else {
			options.target = return_low_byte;
			options.argument = (void *)(intptr_t)i;
		}
		processes[i] = start_process(engine, options);
	}
	check_int(pidring_outstanding(engine), count_of_children);
	while (pidring_outstanding(engine) > 0) {
		int count = pidring_wait(engine, events, 16, PIDRING_FOREVER);

		check(count >= 0);
		for (int i = 0; i < count; i++) {
			long place = (int *)events[i].user_data - told;

			check(place >= 0 && place < count_of_children);
			check_exited(&events[i], processes[place], place % 4 == 0 ? 33 : (int)place);
			told[place]++;
		}
		total += count;
	}
	check_int(total, count_of_children);
	check_no_event(engine);
	for (int i = 0; i < count_of_children; i++) {
		check_int(told[i], 1);
		pidring_process_free(processes[i]);
	}
	close_engine(engine);
}

/* Whoever saw the end first, the event still comes, once. */
SCENARIO(watches, end_was_seen_before)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	int code;

	for (int way = 0; way < 6; way++) {
		process = start_function(engine, return_zero, NULL);
		wait_ended(process);
		switch (way) {
		case 0:
			check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
			break;
		case 1:
			check_int(pidring_process_is_alive(process), 0);
			break;
		case 2:
			check_int(pidring_process_exit_code(process, &code), 0);
			break;
		case 3:
			check_contains(describe(process), " stopped");
			break;
		case 4:
			check_int(pidring_active_children(NULL, 0), 0);
			break;
		default:
			check_int(pidring_join_all(&process, 1, 0), 0);
		}
		check_int(pidring_outstanding(engine), 1);
		get_end(engine, process, 0);
		check_int(pidring_outstanding(engine), 0);
		check_no_event(engine);
		pidring_process_free(process);
	}
	close_engine(engine);
}

/* The descriptor becomes readable for an end that a join has seen before. */
SCENARIO(watches, descriptor_after_join)
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

/* Closing or freeing an object drops its event; those of the others come. */
SCENARIO(watches, freeing_drops_events)
{
	struct pidring *engine = open_engine();
	struct pidring_process *processes[4];

	for (int i = 0; i < 4; i++)
		processes[i] = start_function(engine, return_low_byte, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		wait_ended(processes[i]);
	check_int(pidring_process_join(processes[1], PIDRING_FOREVER), 0);
	pidring_process_free(processes[0]);
	pidring_process_free(processes[1]);
	check_int(pidring_process_close(processes[2]), 0);
	check_int(pidring_outstanding(engine), 1);
	get_end(engine, processes[3], 3);
	check_no_event(engine);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(processes[2]);
	pidring_process_free(processes[3]);
	close_engine(engine);
}

/* A running child whose object is freed has no event, and waiting reaps it. */
SCENARIO(watches, detached_child_has_no_event)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *detached = start_function(engine, wait_for_latch, &latch);
	siginfo_t information = { 0 };
	pid_t pid = pidring_process_pid(detached);

	check_no_event(engine);
	pidring_process_free(detached);
	check_int(pidring_outstanding(engine), 0);
	latch_release(&latch);
	check_int(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL), 0);
	check_no_event(engine);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_live_objects(), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* All objects of a fetched batch may be freed before the next. */
SCENARIO(watches, free_within_a_batch)
{
	struct pidring *engine = open_engine();
	struct pidring_event events[8];
	int total = 0;

	for (int i = 0; i < 24; i++)
		start_function(engine, return_zero, NULL);
	while (total < 24) {
		int count = pidring_wait(engine, events, 8, PIDRING_FOREVER);

		check(count > 0 && count <= 8);
		for (int i = 0; i < count; i++)
			pidring_process_free(events[i].process);
		total += count;
	}
	check_int(total, 24);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

/* The user data of an event is what was set last, also after the start. */
SCENARIO(watches, user_data_as_set_last)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	int first = 1;
	int second = 2;
	struct pidring_process *process = start_process(
		engine, (struct pidring_options){
				.target = wait_for_latch, .argument = &latch, .user_data = &first });
	struct pidring_event event;

	check_int(pidring_process_set_user_data(process, &second), 0);
	latch_release(&latch);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.user_data == &second);
	pidring_process_free(process);
	latch_close(&latch);
	close_engine(engine);
}

/* One engine serves start after start from what its events bring. */
SCENARIO(watches, restart_from_events)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	int restarts = small_or_normal(20, 200);

	start_function(engine, return_zero, NULL);
	for (int i = 0; i < restarts; i++) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(event.type, PIDRING_EXITED);
		pidring_process_free(event.process);
		start_function(engine, return_zero, NULL);
		check_int(pidring_outstanding(engine), 1);
	}
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	pidring_process_free(event.process);
	check_int(pidring_outstanding(engine), 0);
	close_engine(engine);
}

/* --- what is an end --- */

/* A stopped child has not ended: no event, no join. */
SCENARIO(watches, stopping_is_no_end)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, seven_after_latch, &latch);
	siginfo_t information = { 0 };

	check_int(pidring_process_signal(process, SIGSTOP), 0);
	check_int(
		waitid(P_PID, (id_t)pidring_process_pid(process), &information, WSTOPPED | WNOWAIT | __WALL),
		0);
	check_no_event(engine);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	check(!is_readable(pidring_process_sentinel(process)));
	check_int(pidring_process_signal(process, SIGCONT), 0);
	latch_release(&latch);
	get_end(engine, process, 7);
	check_int(finish(process), 7);
	latch_close(&latch);
	close_engine(engine);
}

static int become_cat(void *argument)
{
	(void)argument;
	execl("/bin/cat", "cat", (char *)NULL);
	return 1;
}

/* A function child that executes a program has not ended. */
SCENARIO(watches, execve_is_no_end)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	int input[2];
	int output[2];
	char byte = 0;

	open_pipe(input);
	open_pipe(output);
	process = start_process(engine, (struct pidring_options){
						.target = become_cat,
						.stdin_to = PIDRING_STREAM_DESCRIPTOR,
						.stdin_descriptor = input[0],
						.stdout_to = PIDRING_STREAM_DESCRIPTOR,
						.stdout_descriptor = output[1],
					});
	close(input[0]);
	close(output[1]);
	check_int(write(input[1], "x", 1), 1);
	check_int(read(output[0], &byte, 1), 1);
	check_no_event(engine);
	check_int(pidring_process_join(process, 0), -ETIMEDOUT);
	close(input[1]);
	get_end(engine, process, 0);
	check_int(finish(process), 0);
	close(output[0]);
	close_engine(engine);
}

static int leave_a_grandchild(void *argument)
{
	if (fork() == 0) {
		latch_wait(argument);
		_exit(0);
	}
	_exit(5);
}

/* A grandchild that lives on, with all that it inherited, does not hide the end of the child. */
SCENARIO(watches, grandchild_hides_nothing)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, leave_a_grandchild, &latch);

	get_end(engine, process, 5);
	check_int(pidring_process_join(process, 0), 0);
	latch_release(&latch);
	check_int(finish(process), 5);
	latch_close(&latch);
	close_engine(engine);
}

/* --- time-outs --- */

static void check_not_early(struct pidring *engine, int64_t timeout)
{
	struct pidring_event event;
	int64_t begin = now();

	check_int(pidring_wait(engine, &event, 1, timeout), 0);
	check(now() - begin >= timeout);
}

/* A wait is never shorter than its time-out, with nothing to watch and with a running child. */
SCENARIO(watches, timeouts_are_never_early)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;

	check_not_early(engine, 20 * MILLISECONDS);
	check_not_early(engine, 1500000);
	check_not_early(engine, 1);
	process = start_function(engine, sleep_forever, NULL);
	check_not_early(engine, 20 * MILLISECONDS);
	check_not_early(engine, 999999);
	for (int i = 0; i < 20; i++)
		check_not_early(engine, 100000);
	kill_and_free(process);
	close_engine(engine);
}

/* 0 and negative time-outs look once: these return although the child never ends. */
SCENARIO(watches, looking_once)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_wait(engine, &event, 1, -1), 0);
	check_int(pidring_wait(engine, &event, 1, INT64_MIN), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, 0, NULL), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, -5, NULL), 0);
	kill_and_free(process);
	close_engine(engine);
}

/* A look finds an end that is there. */
SCENARIO(watches, looking_finds_an_end)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;

	for (int i = 0; i < 20; i++) {
		struct pidring_process *process = start_function(engine, return_zero, NULL);
		int count = 0;

		wait_ended(process);
		/* One look may be needed to begin watching. */
		for (int look = 0; look < 3 && count == 0; look++)
			count = pidring_wait(engine, &event, 1, 0);
		check_int(count, 1);
		check_exited(&event, process, 0);
		pidring_process_free(process);
	}
	close_engine(engine);
}

/* Very long time-outs wait as for ever. */
SCENARIO(watches, enormous_timeouts)
{
	struct pidring *engine = open_engine();
	const int64_t timeouts[] = { INT64_MAX - 1, INT64_MAX / 2, (int64_t)4000000000 * 1000000000 };
	struct pidring_event event;

	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		struct pidring_process *process = start_function(engine, return_zero, NULL);

		check_int(pidring_wait(engine, &event, 1, timeouts[i]), 1);
		check_exited(&event, process, 0);
		check_int(pidring_process_join(process, timeouts[i]), 0);
		pidring_process_free(process);
	}
	close_engine(engine);
}

/* Wrong arguments of waiting and asking are refused. */
SCENARIO(watches, wrong_arguments)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	struct pidring_features features = { .size = 1 };

	check_int(pidring_wait(NULL, &event, 1, 0), -EINVAL);
	check_int(pidring_wait(engine, NULL, 1, 0), -EINVAL);
	check_int(pidring_wait(engine, &event, 0, 0), -EINVAL);
	check_int(pidring_wait_interruptible(engine, NULL, 1, 0, NULL), -EINVAL);
	check_int(pidring_wait_interruptible(engine, &event, 0, 0, NULL), -EINVAL);
	check_int(pidring_outstanding(NULL), -EINVAL);
	check_int(pidring_features(engine, NULL), -EINVAL);
	check_int(pidring_features(engine, &features), -EINVAL);
	close_engine(engine);
}

/* --- signals --- */

static atomic_int handled;

static void count_signal(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&handled, 1);
}

static void handle(int signal_number)
{
	struct sigaction action = { .sa_handler = count_signal };

	sigemptyset(&action.sa_mask);
	check_int(sigaction(signal_number, &action, NULL), 0);
}

static void block(int signal_number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_number);
	check_int(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

/* A blocked, pending signal that the mask lets in ends the interruptible wait at once; the mask is back
 * afterwards and no event is lost. */
SCENARIO(watches, pending_signal_interrupts)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);
	struct pidring_event event;
	sigset_t mask;

	sigemptyset(&mask);
	handle(SIGUSR1);
	block(SIGUSR1);
	for (int i = 1; i <= 5; i++) {
		check_int(raise(SIGUSR1), 0);
		check_int(atomic_load(&handled), i - 1);
		check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, &mask), -EINTR);
		check_int(atomic_load(&handled), i);
		check_int(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
		check_int(sigismember(&mask, SIGUSR1), 1);
		sigemptyset(&mask);
	}
	check_int(pidring_process_kill(process), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, &mask), 1);
	check_exited(&event, process, -SIGKILL);
	pidring_process_free(process);
	close_engine(engine);
}

/* A mask that keeps the signal out lets the wait go on to the event. */
SCENARIO(watches, masked_signal_does_not_interrupt)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	struct pidring_event event;
	sigset_t mask;

	handle(SIGUSR1);
	block(SIGUSR1);
	sigfillset(&mask);
	check_int(raise(SIGUSR1), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, &mask), 1);
	check_exited(&event, process, 0);
	check_int(atomic_load(&handled), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* The time-out of an interruptible wait is kept when no signal comes. */
SCENARIO(watches, interruptible_timeout)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	sigset_t mask;
	int64_t begin = now();

	sigemptyset(&mask);
	check_int(pidring_wait_interruptible(engine, &event, 1, 10 * MILLISECONDS, NULL), 0);
	check(now() - begin >= 10 * MILLISECONDS);
	begin = now();
	check_int(pidring_wait_interruptible(engine, &event, 1, 10 * MILLISECONDS, &mask), 0);
	check(now() - begin >= 10 * MILLISECONDS);
	close_engine(engine);
}

struct signaller {
	pthread_t target;
	atomic_bool stop;
	struct latch *latch;
};

static void *signal_until_told(void *argument)
{
	struct signaller *signaller = argument;

	while (!atomic_load(&signaller->stop)) {
		check_int(pthread_kill(signaller->target, SIGUSR1), 0);
		sched_yield();
	}
	return NULL;
}

/* A signal from another thread ends an interruptible wait without a mask. */
SCENARIO(watches, signal_interrupts)
{
	struct pidring *engine = open_engine();
	struct signaller signaller = { .target = pthread_self() };
	struct pidring_event event;
	pthread_t thread;

	handle(SIGUSR1);
	check_int(pthread_create(&thread, NULL, signal_until_told, &signaller), 0);
	check_int(pidring_wait_interruptible(engine, &event, 1, PIDRING_FOREVER, NULL), -EINTR);
	atomic_store(&signaller.stop, true);
	check_int(pthread_join(thread, NULL), 0);
	check(atomic_load(&handled) >= 1);
	close_engine(engine);
}

/* Each signal is sent when the one before has been handled, so none is merged with another. */
static void *signal_a_hundred_times(void *argument)
{
	struct signaller *signaller = argument;

	for (int i = 0; i < 100; i++) {
		check_int(pthread_kill(signaller->target, SIGUSR1), 0);
		while (atomic_load(&handled) <= i)
			sched_yield();
	}
	latch_release(signaller->latch);
	return NULL;
}

/* A hundred handled signals shorten neither pidring_wait nor join nor wait_any. */
SCENARIO(watches, signals_do_not_shorten_waits)
{
	struct pidring *engine = open_engine();
	struct pidring_event event;

	handle(SIGUSR1);
	for (int way = 0; way < 4; way++) {
		struct latch latch = latch_open();
		struct pidring_process *process = start_function(engine, seven_after_latch, &latch);
		struct pidring_wait_item item = { .process = process };
		struct signaller signaller = { .target = pthread_self(), .latch = &latch };
		pthread_t thread;

		atomic_store(&handled, 0);
		check_int(pthread_create(&thread, NULL, signal_a_hundred_times, &signaller), 0);
		if (way == 0)
			check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		else if (way == 1)
			check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		else if (way == 2)
			check_int(pidring_wait_any(&item, 1, PIDRING_FOREVER), 1);
		else
			check_int(pidring_join_all(&process, 1, PIDRING_FOREVER), 0);
		check_int(atomic_load(&handled), 100);
		check_int(pthread_join(thread, NULL), 0);
		check_int(finish(process), 7);
		latch_close(&latch);
	}
	close_engine(engine);
}

/* A time-out goes on with the rest of its time after each of a hundred signals. */
SCENARIO(watches, signals_do_not_shorten_timeouts)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_function(engine, sleep_forever, NULL);
	struct signaller signaller = { .target = pthread_self() };
	struct pidring_event event;
	pthread_t thread;
	int64_t begin;

	handle(SIGUSR1);
	check_int(pthread_create(&thread, NULL, signal_until_told, &signaller), 0);
	begin = now();
	check_int(pidring_wait(engine, &event, 1, 50 * MILLISECONDS), 0);
	check(now() - begin >= 50 * MILLISECONDS);
	begin = now();
	check_int(pidring_process_join(process, 50 * MILLISECONDS), -ETIMEDOUT);
	check(now() - begin >= 50 * MILLISECONDS);
	atomic_store(&signaller.stop, true);
	check_int(pthread_join(thread, NULL), 0);
	check(atomic_load(&handled) >= 1);
	kill_and_free(process);
	close_engine(engine);
}

/* --- outstanding ends --- */

/* pidring_outstanding counts the ends that are still to be fetched, and nothing else. */
SCENARIO(watches, outstanding)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	const char *const bad[] = { "/nonexistent/program", NULL };
	struct pidring_process *initial = new_function(engine, return_zero, NULL);
	struct pidring_process *failing = new_process(engine, (struct pidring_options){ .argv = bad });
	struct pidring_process *processes[3];
	struct pidring_event event;

	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_process_start(failing), -ENOENT);
	check_int(pidring_outstanding(engine), 0);
	for (int i = 0; i < 3; i++) {
		processes[i] = start_function(engine, wait_for_latch, &latch);
		check_int(pidring_outstanding(engine), i + 1);
	}
	for (int i = 3; i > 0; i--) {
		latch_release(&latch);
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		check_int(pidring_outstanding(engine), i - 1);
	}
	for (int i = 0; i < 3; i++)
		check_int(finish(processes[i]), 0);
	pidring_process_free(initial);
	pidring_process_free(failing);
	latch_close(&latch);
	close_engine(engine);
}

/* An asynchronous start that fails counts until its end is fetched. */
SCENARIO(watches, outstanding_of_a_failed_start)
{
	struct pidring *engine = open_engine();
	const char *const bad[] = { "/nonexistent/program", NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = bad, .asynchronous = true });
	struct pidring_failure failure;
	struct pidring_event event;

	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, -ENOENT);
	check(event.process == process);
	check_int(pidring_outstanding(engine), 1);
	get_end(engine, process, 127);
	check_int(pidring_outstanding(engine), 0);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.error, ENOENT);
	check_int(failure.step, PIDRING_STEP_EXEC);
	check_int(finish(process), 127);
	close_engine(engine);
}

/* A program that may not be run ends with 126 after an asynchronous start, as in a shell. */
SCENARIO(watches, forbidden_program_ends_with_126)
{
	struct pidring *engine = open_engine();
	const char *const bad[] = { "/etc/passwd", NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = bad, .asynchronous = true });
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_START_FAILED);
	check_int(event.code, -EACCES);
	get_end(engine, process, 126);
	pidring_process_free(process);
	close_engine(engine);
}

/* Asynchronous starts side by side: for each the word that it started comes before its end. */
SCENARIO(watches, started_comes_first)
{
	enum { COUNT = 30 };
	struct pidring *engine = open_engine();
	const char *const good[] = { "true", NULL };
	int state[COUNT] = { 0 };
	int ended = 0;

	for (int i = 0; i < COUNT; i++)
		start_process(engine, (struct pidring_options){
					      .argv = good, .asynchronous = true, .user_data = &state[i] });
	while (ended < COUNT) {
		struct pidring_event events[4];
		int count = pidring_wait(engine, events, 4, PIDRING_FOREVER);

		check(count > 0);
		for (int i = 0; i < count; i++) {
			int *own = events[i].user_data;

			if (events[i].type == PIDRING_STARTED) {
				check_int(*own, 0);
				*own = 1;
			} else {
				check_exited(&events[i], events[i].process, 0);
				check_int(*own, 1);
				*own = 2;
				ended++;
				pidring_process_free(events[i].process);
			}
		}
	}
	for (int i = 0; i < COUNT; i++)
		check_int(state[i], 2);
	close_engine(engine);
}

/* --- closing --- */

/* An engine may be closed over running children: they run on and are joined, but nothing new starts. */
SCENARIO(watches, closed_over_running_children)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *running = start_function(engine, seven_after_latch, &latch);
	struct pidring_process *initial = new_function(engine, return_zero, NULL);
	struct pidring_process *ended;

	check_no_event(engine);
	ended = start_function(engine, return_zero, NULL);
	wait_ended(ended);
	close_engine(engine);
	check_int(pidring_process_start(initial), -ESHUTDOWN);
	check_int(pidring_process_is_alive(running), 1);
	check_int(pidring_process_join(running, 0), -ETIMEDOUT);
	check_int(pidring_active_children(NULL, 0), 1);
	latch_release(&latch);
	check_int(finish(running), 7);
	check_int(finish(ended), 0);
	pidring_process_free(initial);
	latch_close(&latch);
}

/* A detached child of a closed engine is reaped all the same. */
SCENARIO(watches, closed_over_detached_children)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct pidring_process *process = start_function(engine, wait_for_latch, &latch);
	siginfo_t information = { 0 };
	pid_t pid = pidring_process_pid(process);

	pidring_process_free(process);
	close_engine(engine);
	latch_release(&latch);
	check_int(waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT | __WALL), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(pidring_live_objects(), 0);
	latch_close(&latch);
}

/* Many engines in one process: each tells of its own children only. */
SCENARIO(watches, many_engines)
{
	enum { ENGINES = 20, CHILDREN = 3 };
	struct pidring *engines[ENGINES];
	struct pidring_process *processes[ENGINES][CHILDREN];

	for (int i = 0; i < ENGINES; i++)
		engines[i] = open_engine();
	for (int j = 0; j < CHILDREN; j++)
		for (int i = 0; i < ENGINES; i++)
			processes[i][j] = start_process(
				engines[i], (struct pidring_options){ .target = return_low_byte,
			                                              .argument = (void *)(intptr_t)i,
			                                              .user_data = engines[i] });
	for (int i = ENGINES - 1; i >= 0; i--) {
		for (int j = 0; j < CHILDREN; j++) {
			struct pidring_event event;

			check_int(pidring_wait(engines[i], &event, 1, PIDRING_FOREVER), 1);
			check(event.user_data == engines[i]);
			check_int(event.code, i);
		}
		check_no_event(engines[i]);
		check_int(pidring_outstanding(engines[i]), 0);
	}
	for (int i = 0; i < ENGINES; i++) {
		for (int j = 0; j < CHILDREN; j++)
			check_int(finish(processes[i][j]), i);
		for (int j = 0; j < i; j++)
			check(pidring_fd(engines[i]) != pidring_fd(engines[j]));
	}
	for (int i = 0; i < ENGINES; i++)
		close_engine(engines[i]);
}

/* --- the choice of the backend --- */

static enum pidring_backend backend_of(struct pidring *engine)
{
	struct pidring_features features = { .size = sizeof(features) };

	check_int(pidring_features(engine, &features), 0);
	return features.backend;
}

/* The environment's choice is what the features show. */
SCENARIO(watches, backend_from_the_environment)
{
	const char *wanted = getenv("PIDRING_BACKEND");
	struct pidring *engine = open_engine();
	enum pidring_backend backend = backend_of(engine);

	check(backend == PIDRING_BACKEND_URING || backend == PIDRING_BACKEND_EPOLL);
	if (wanted != NULL && strcmp(wanted, "uring") == 0)
		check_int(backend, PIDRING_BACKEND_URING);
	if (wanted != NULL && strcmp(wanted, "epoll") == 0)
		check_int(backend, PIDRING_BACKEND_EPOLL);
	close_engine(engine);
}

/* The environment goes before the option, and the option before the automatic choice. */
SCENARIO(watches, backend_from_the_option)
{
	struct pidring_engine_options options = { .size = sizeof(options), .backend = PIDRING_BACKEND_EPOLL };
	struct pidring *engine = NULL;
	int result;

	check_int(unsetenv("PIDRING_BACKEND"), 0);
	check_int(pidring_open(&engine, &options), 0);
	check_int(backend_of(engine), PIDRING_BACKEND_EPOLL);
	close_engine(engine);
	options.backend = PIDRING_BACKEND_URING;
	check_int(setenv("PIDRING_BACKEND", "epoll", 1), 0);
	check_int(pidring_open(&engine, &options), 0);
	check_int(backend_of(engine), PIDRING_BACKEND_EPOLL);
	close_engine(engine);
	check_int(unsetenv("PIDRING_BACKEND"), 0);
	result = pidring_open(&engine, &options);
	if (result == -ENOSYS || result == -EPERM)
		skip("io_uring is missing or forbidden here");
	check_int(result, 0);
	check_int(backend_of(engine), PIDRING_BACKEND_URING);
	close_engine(engine);
}

/* Values that mean nothing are refused with a sentence that shows them. */
SCENARIO(watches, wrong_choices)
{
	struct pidring_engine_options options = { .size = sizeof(options),
		                                  .backend = (enum pidring_backend)99 };
	struct pidring *engine = NULL;
	int descriptors = count_descriptors();

	check_int(pidring_open(&engine, &options), -EINVAL);
	options.backend = PIDRING_BACKEND_AUTOMATIC;
	options.size = 3;
	check_int(pidring_open(&engine, &options), -EINVAL);
	check_int(pidring_open(NULL, NULL), -EINVAL);
	check_int(setenv("PIDRING_BACKEND", "kqueue", 1), 0);
	check_int(pidring_open(&engine, NULL), -EINVAL);
	check_contains(pidring_explain(), "kqueue");
	check_int(unsetenv("PIDRING_BACKEND"), 0);
	check_int(setenv("PIDRING_CLONE", "spoon", 1), 0);
	check_int(pidring_open(&engine, NULL), -EINVAL);
	check_contains(pidring_explain(), "spoon");
	check(engine == NULL);
	check_int(count_descriptors(), descriptors);
}
