/* SPDX-License-Identifier: MIT */
/* What is written to children: queued, drained, refused, and closed. */
#define _GNU_SOURCE
#include "streams.h"

#include <pthread.h>

/* Writes all of it, as the queue allows. */
static void feed(struct pidring *engine, struct child *child, uint64_t amount, size_t piece)
{
	for (uint64_t position = 0; position < amount;) {
		size_t part = amount - position < piece ? (size_t)(amount - position) : piece;
		int drained = child->drained;
		ssize_t taken = write_input(child, position, part);

		check(taken > 0 || taken == -EAGAIN);
		position += taken > 0 ? (uint64_t)taken : 0;
		check(pidring_process_queued_input(child->process) <= INPUT_LIMIT);
		if (taken == (ssize_t)part)
			continue;
		fetch_until(engine, &child->drained, drained + 1);
		check_int(pidring_process_queued_input(child->process), 0);
	}
}

static void run_echo(size_t memory, uint64_t amount, size_t piece)
{
	struct pidring *engine = open_engine_with((struct pidring_engine_options){ .output_memory = memory });
	struct child child = { 0 };
	struct pidring_statistics statistics;

	begin_child(&child, engine, with_input(&child, "echo", 1, 0));
	feed(engine, &child, amount, piece);
	check_int(pidring_process_close_input(child.process), 0);
	check_int(pidring_process_close_input(child.process), 0);
	check_int(pidring_process_write(child.process, "x", 1), -EPIPE);
	fetch_all(engine, 64);
	statistics = statistics_of(engine);
	check_int(statistics.input_bytes, amount);
	check(statistics.input_writes > 0);
	check_int(child.input_closed, 0);
	end_child(&child, amount, 0, 0);
	close_engine(engine);
}

/* What goes in comes out, whatever the sizes. */
SCENARIO(input, echo)
{
	run_echo(0, (uint64_t)small_or_normal(2, 100) * MEBIBYTE, 3 * MEBIBYTE);
}

SCENARIO(input, echo_in_small_pieces)
{
	run_echo(0, (uint64_t)small_or_normal(100, 2000) * 1000, 777);
}

SCENARIO(input, echo_in_little_memory)
{
	run_echo(128 * KIBIBYTE, (uint64_t)small_or_normal(2, 20) * MEBIBYTE, 100001);
}

/* A child that reads nothing: the pipe and the queue fill, and then nothing is taken. */
SCENARIO(input, deaf_child)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, with_input(&child, "deaf", 2, 0));
	int64_t begin = now();
	ssize_t taken = write_input(&child, 0, MEBIBYTE);

	check(taken >= INPUT_LIMIT + 4096 && taken < MEBIBYTE);
	check_int(pidring_process_queued_input(child.process), INPUT_LIMIT);
	check_int(write_input(&child, (uint64_t)taken, 1), -EAGAIN);
	check(now() - begin < 5000 * MILLISECONDS);
	fetch_present(engine);
	check_int(child.drained, 0);
	check_int(child.input_closed, 0);
	close(latch.writer);
	fetch_all(engine, 64);
	close(latch.reader);
	check_int(child.drained, 0);
	check_int(child.input_closed, 1);
	check_int(child.unwritten, INPUT_LIMIT);
	check_int(pidring_process_queued_input(child.process), 0);
	check_int(write_input(&child, 0, 1), -EPIPE);
	check_int(pidring_process_close_input(child.process), 0);
	end_child(&child, 0, 0, 0);
	close_engine(engine);
}

/* It reads so many bytes, closes its stdin and lives: that is told although it has not ended. */
static void run_unplugged(size_t queued, size_t read, bool close_first)
{
	struct pidring *engine = open_engine();
	bool is_told = !close_first || queued > read;
	struct child child = { 0 };
	struct pidring_options options = with_input(&child, "unplugged", 3, read);
	struct latch latch = latch_open();
	struct pidring_descriptor passed = { latch.reader, 3 };

	options.descriptors = &passed;
	options.descriptor_count = 1;
	options.input_limit = MEBIBYTE;
	make_child(&child, engine, options);
	check_int(write_input(&child, 0, queued), (long long)queued);
	if (close_first)
		check_int(pidring_process_close_input(child.process), 0);
	check_int(pidring_process_start(child.process), 0);
	fetch_bytes(engine, &child, 1);
	if (is_told)
		fetch_until(engine, &child.input_closed, 1);
	fetch_present(engine);
	check_int(child.exited, 0);
	check_int(pidring_process_queued_input(child.process), 0);
	check_int(write_input(&child, 0, 1), -EPIPE);
	close(latch.writer);
	fetch_all(engine, 64);
	close(latch.reader);
	check_int(child.input_closed, is_told);
	check_int(child.drained, 0);
	if (queued == read)
		check_int((long long)child.unwritten, 0);
	else
		check(child.unwritten > 0 && child.unwritten < queued);
	end_child(&child, 1, 0, 0);
	close_engine(engine);
}

SCENARIO(input, closed_by_the_child)
{
	run_unplugged(0, 0, false);
}

SCENARIO(input, closed_by_the_child_with_a_queue)
{
	run_unplugged(300000, 1, false);
}

/* We closed it first, and everything could be written: nothing is told. */
SCENARIO(input, closed_by_both)
{
	run_unplugged(100000, 100000, true);
}

SCENARIO(input, closed_by_both_with_a_queue)
{
	run_unplugged(300000, 1, true);
}

/* Before the start all goes to the queue, and is read after it. */
SCENARIO(input, written_before_the_start)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	make_child(&child, engine, with_input(&child, "echo", 4, 0));
	check_int(write_input(&child, 0, 0), 0);
	check_int(write_input(&child, 0, 60000), 60000);
	check_int(pidring_process_queued_input(child.process), 60000);
	check_int(write_input(&child, 60000, 60000), INPUT_LIMIT - 60000);
	check_int(write_input(&child, INPUT_LIMIT, 1), -EAGAIN);
	check_int(pidring_process_queued_input(child.process), INPUT_LIMIT);
	check_int(fetch(engine, 1, 0), 0);
	check_int(pidring_process_start(child.process), 0);
	fetch_until(engine, &child.drained, 1);
	check_int(pidring_process_queued_input(child.process), 0);
	check_int(write_input(&child, INPUT_LIMIT, 10), 10);
	check_int(pidring_process_close_input(child.process), 0);
	fetch_all(engine, 64);
	check_int(child.input_closed, 0);
	end_child(&child, INPUT_LIMIT + 10, 0, 0);
	close_engine(engine);
}

SCENARIO(input, closed_before_the_start)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	make_child(&child, engine, with_input(&child, "echo", 5, 0));
	check_int(write_input(&child, 0, 70000), 70000);
	check_int(pidring_process_close_input(child.process), 0);
	check_int(write_input(&child, 70000, 1), -EPIPE);
	check_int(pidring_process_start(child.process), 0);
	fetch_all(engine, 64);
	check_int(child.drained, 0);
	check_int(child.input_closed, 0);
	end_child(&child, 70000, 0, 0);
	close_engine(engine);
}

/* A start that fails leaves the queue as it is; one that is found out later ends it. */
SCENARIO(input, start_fails)
{
	const char *const argv[] = { "/no/such/program", NULL };
	struct pidring *engine = open_engine();
	struct child now_known = { 0 }, later = { 0 };
	struct pidring_options options = { .argv = argv, .stdin_to = PIDRING_STREAM_PIPE };

	make_child(&now_known, engine, options);
	check_int(write_input(&now_known, 0, 100), 100);
	check_int(pidring_process_start(now_known.process), -ENOENT);
	check_int(pidring_process_queued_input(now_known.process), 100);
	pidring_process_free(now_known.process);
	options.asynchronous = true;
	make_child(&later, engine, options);
	check_int(write_input(&later, 0, 100000), 100000);
	check_int(pidring_process_start(later.process), 0);
	fetch_all(engine, 64);
	check_int(later.failed, 1);
	check_int(later.input_closed, 1);
	check(later.unwritten <= 100000);
	check_int(later.last, 1);
	check_int(finish(later.process), 127);
	close_engine(engine);
}

/* --- several threads --- */

enum { WRITERS = 4 };

struct writer {
	struct child *child;
	char letter;
	int count;
};

static void *write_letters(void *argument)
{
	struct writer *writer = argument;
	char line[8];

	memset(line, writer->letter, sizeof(line));
	for (int i = 0; i < writer->count;) {
		ssize_t taken = pidring_process_write(writer->child->process, line, 1);

		check(taken == 1 || taken == -EAGAIN);
		i += taken == 1;
		if (taken != 1)
			sched_yield();
	}
	return NULL;
}

/* Each byte arrives once, while another thread fetches. */
SCENARIO(input, several_threads_write)
{
	struct pidring *engine = open_engine();
	int count = small_or_normal(2000, 20000);
	struct child child = { 0 };
	struct pidring_options options = with_input(&child, "echo", 6, 0);
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	int seen[WRITERS] = { 0 };
	struct pidring_event event;

	child.is_unchecked = true;
	options.input_limit = 500;
	begin_child(&child, engine, options);
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ &child, (char)('a' + i), count };
		check_int(pthread_create(&threads[i], NULL, write_letters, &writers[i]), 0);
	}
	while (child.exited == 0 || child.last == 0) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		for (size_t i = 0; event.type == PIDRING_OUTPUT && i < event.length; i++)
			seen[event.data[i] - 'a']++;
		take_event(&event);
		if (child.received[0] == (uint64_t)count * WRITERS)
			check_int(pidring_process_close_input(child.process), 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
		check_int(seen[i], count);
	}
	end_child(&child, (uint64_t)count * WRITERS, 0, 0);
	close_engine(engine);
}

/* Threads that take turns in waiting, with input to be written. */
static void *feed_and_close(void *argument)
{
	struct child *child = argument;
	uint64_t position = 0;

	while (position < 3 * MEBIBYTE) {
		size_t rest = 3 * MEBIBYTE - (size_t)position;
		ssize_t taken = write_input(child, position, rest < 65537 ? rest : 65537);

		check(taken > 0 || taken == -EAGAIN);
		if (taken > 0)
			position += (uint64_t)taken;
		else
			sched_yield();
	}
	check_int(pidring_process_close_input(child->process), 0);
	return NULL;
}

static void *fetch_a_few(void *engine)
{
	struct pidring_event events[3];

	for (int i = 0; i < 5 && pidring_outstanding(engine) > 0; i++) {
		int count = pidring_wait(engine, events, 3, PIDRING_FOREVER);

		check(count > 0);
		for (int j = 0; j < count; j++)
			take_event(&events[j]);
	}
	return NULL;
}

SCENARIO(input, waiting_threads_change)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	pthread_t writer, waiter;

	begin_child(&child, engine, with_input(&child, "echo", 7, 0));
	check_int(pthread_create(&writer, NULL, feed_and_close, &child), 0);
	while (pidring_outstanding(engine) > 0) {
		check_int(pthread_create(&waiter, NULL, fetch_a_few, engine), 0);
		pthread_join(waiter, NULL);
		fetch_a_few(engine);
	}
	pthread_join(writer, NULL);
	end_child(&child, 3 * MEBIBYTE, 0, 0);
	close_engine(engine);
}

/* A copy of this process, a function child and a program live on, and none of them has the other end. */
SCENARIO(input, forks_keep_nothing_open)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct child echo = { 0 }, function = { 0 }, program = { 0 };
	struct pidring_options options;
	int status = 0;
	pid_t copy;

	begin_child(&echo, engine, with_input(&echo, "echo", 1, 0));
	copy = fork();
	check(copy >= 0);
	if (copy == 0) {
		latch_wait(&latch);
		_exit(0);
	}
	begin_child(&function, engine,
	            (struct pidring_options){ .target = wait_for_latch, .argument = &latch });
	options = with_input(&program, "echo", 2, 0);
	options.keep_descriptors = true;
	begin_child(&program, engine, options);
	check_int(write_input(&echo, 0, 1000), 1000);
	check_int(pidring_process_close_input(echo.process), 0);
	fetch_until(engine, &echo.last, 1);
	check_int(function.exited + program.exited, 0);
	check_int(pidring_process_close_input(program.process), 0);
	latch_release(&latch);
	latch_release(&latch);
	fetch_all(engine, 64);
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);
	end_child(&echo, 1000, 0, 0);
	end_child(&function, 0, 0, 0);
	end_child(&program, 0, 0, 0);
	latch_close(&latch);
	close_engine(engine);
}

/* --- bad calls --- */

SCENARIO(input, bad_calls)
{
	struct pidring *engine = open_engine();
	struct pidring_process *plain = new_function(engine, return_zero, NULL);
	struct child child = { 0 };
	int status = 0;
	pid_t pid;

	check_int(pidring_process_write(NULL, "x", 1), -EINVAL);
	check_int(pidring_process_close_input(NULL), -EINVAL);
	check_int(pidring_process_queued_input(NULL), -EINVAL);
	check_int(pidring_process_write(plain, "x", 1), -ENOTCONN);
	check_int(pidring_process_close_input(plain), -ENOTCONN);
	check_int(pidring_process_queued_input(plain), -ENOTCONN);
	check_int(pidring_process_close(plain), 0);
	check_int(pidring_process_write(plain, "x", 1), -EBADF);
	check_int(pidring_process_close_input(plain), -EBADF);
	check_int(pidring_process_queued_input(plain), -EBADF);
	pidring_process_free(plain);
	begin_child(&child, engine, with_input(&child, "echo", 1, 0));
	check_int(pidring_process_write(child.process, NULL, 1), -EINVAL);
	check_int(pidring_process_write(child.process, NULL, 0), 0);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		check_int(pidring_process_write(child.process, "x", 1), -ECHILD);
		check_int(pidring_process_close_input(child.process), -ECHILD);
		check_int(pidring_process_queued_input(child.process), -ECHILD);
		_exit(0);
	}
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
	close_engine(engine);
	check_int(pidring_process_write(child.process, "x", 1), -ESHUTDOWN);
	check_int(pidring_process_close_input(child.process), -ESHUTDOWN);
	check_int(pidring_process_queued_input(child.process), 0);
	check_int(finish(child.process), 0);
}
