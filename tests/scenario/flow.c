/* SPDX-License-Identifier: MIT */
/* How output flows: pausing, limits of memory, the path it takes, and what is freed, closed or forked meanwhile. */
#define _GNU_SOURCE
#include "streams.h"

#include <sys/ioctl.h>

/* So much fits into any pipe, also those of an ordinary user who has many: two pages (pipe(7)). */
enum { UNREAD = 8000 };

/* --- which path --- */

/* The ring reads pipes by itself where it can; otherwise each piece is a call. */
SCENARIO(flow, fast_path_is_taken)
{
	struct pidring *engine = open_engine();
	struct pidring_features features = features_of(engine);
	struct child child = { 0 };
	struct pidring_statistics statistics;

	begin_child(&child, engine, awkward(&child, "amount", 1, 3 * MEBIBYTE));
	fetch_all(engine, 64);
	statistics = statistics_of(engine);
	check_int(statistics.output_bytes, 3 * MEBIBYTE);
	check_int(statistics.ring_reads > 0, features.multishot_read);
	check_int(statistics.call_reads > 0, !features.multishot_read);
	if (features.backend == PIDRING_BACKEND_EPOLL)
		check(!features.multishot_read);
	end_child(&child, 3 * MEBIBYTE, 0, 0);
	close_engine(engine);
}

/* --- pausing --- */

static int bytes_in_pipe(const struct child *child)
{
	char path[64];
	int descriptor, bytes = 0;

	/* The child's end can be opened anew, also for reading. */
	snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)pidring_process_pid(child->process));
	descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	check(descriptor >= 0);
	check_int(ioctl(descriptor, FIONREAD, &bytes), 0);
	close(descriptor);
	return bytes;
}

/* Nothing is read of one that is paused: it fills its pipe and waits. */
SCENARIO(flow, paused_child_waits)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	uint64_t before;

	begin_child(&child, engine, awkward(&child, "endless", 2, 0));
	fetch(engine, 1, PIDRING_FOREVER);
	check_int(pidring_process_pause(child.process), 0);
	check_int(pidring_process_pause(child.process), 0);
	/* What was read before still arrives. */
	fetch_present(engine);
	before = child.received[0];
	while (bytes_in_pipe(&child) < 64 * KIBIBYTE)
		fetch(engine, 64, MILLISECONDS);
	fetch_present(engine);
	check_int(child.received[0], before);
	check_int(pidring_process_resume(child.process), 0);
	check_int(pidring_process_resume(child.process), 0);
	while (child.received[0] < before + MEBIBYTE)
		fetch(engine, 64, PIDRING_FOREVER);
	check_int(pidring_process_kill(child.process), 0);
	fetch_all(engine, 64);
	end_child(&child, child.received[0], 0, -SIGKILL);
	close_engine(engine);
}

SCENARIO(flow, paused_before_the_start)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	make_child(&child, engine, awkward(&child, "amount", 3, 1000));
	check_int(pidring_process_pause(child.process), 0);
	check_int(pidring_process_start(child.process), 0);
	fetch_until(engine, &child.exited, 1);
	fetch_present(engine);
	check_int(child.received[0], 0);
	check_int(child.last, 0);
	check_int(pidring_process_resume(child.process), 0);
	fetch_all(engine, 64);
	end_child(&child, 1000, 0, 0);
	close_engine(engine);
}

/* Again and again, with both streams full. */
SCENARIO(flow, paused_again_and_again)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	uint64_t amount = (uint64_t)small_or_normal(300000, 3000000);
	struct pidring_options options = awkward(&child, "alternate", 4, amount);

	options.stderr_to = PIDRING_STREAM_PIPE;
	begin_child(&child, engine, options);
	while (pidring_outstanding(engine) > 0) {
		check_int(pidring_process_pause(child.process), 0);
		fetch(engine, 3, 0);
		check_int(pidring_process_resume(child.process), 0);
		fetch(engine, 2, 0);
		check_int(pidring_process_pause(child.process), 0);
		check_int(pidring_process_resume(child.process), 0);
		fetch(engine, 1, pidring_outstanding(engine) > 0 ? PIDRING_FOREVER : 0);
	}
	end_child(&child, amount, amount, 0);
	close_engine(engine);
}

/* One that is paused holds up no other. */
SCENARIO(flow, paused_one_holds_up_nobody)
{
	struct pidring *engine =
		open_engine_with((struct pidring_engine_options){ .output_memory = 128 * KIBIBYTE });
	struct child paused = { 0 }, other = { 0 };

	begin_child(&paused, engine, awkward(&paused, "amount", 5, MEBIBYTE));
	begin_child(&other, engine, awkward(&other, "amount", 6, 4 * MEBIBYTE));
	check_int(pidring_process_pause(paused.process), 0);
	fetch_until(engine, &other.last, 1);
	end_child(&other, 4 * MEBIBYTE, 0, 0);
	check_int(pidring_process_resume(paused.process), 0);
	fetch_all(engine, 64);
	end_child(&paused, MEBIBYTE, 0, 0);
	close_engine(engine);
}

SCENARIO(flow, pause_and_resume_say_what_is_wrong)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct pidring_process *plain = new_function(engine, return_zero, NULL);

	check_int(pidring_process_pause(NULL), -EINVAL);
	check_int(pidring_process_resume(NULL), -EINVAL);
	check_int(pidring_process_pause(plain), -ENOTCONN);
	check_int(pidring_process_resume(plain), -ENOTCONN);
	check_int(pidring_process_close(plain), 0);
	check_int(pidring_process_pause(plain), -EBADF);
	check_int(pidring_process_resume(plain), -EBADF);
	pidring_process_free(plain);
	begin_child(&child, engine, awkward(&child, "silent", 1, 0));
	pid_t pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		check_int(pidring_process_pause(child.process), -ECHILD);
		check_int(pidring_process_resume(child.process), -ECHILD);
		_exit(0);
	}
	int status = 0;
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
	close_engine(engine);
	check_int(pidring_process_pause(child.process), -ESHUTDOWN);
	check_int(pidring_process_resume(child.process), -ESHUTDOWN);
	check_int(finish(child.process), 0);
}

/* --- memory --- */

/* The bytes of an event stay until the next wait, also when the object is gone. */
SCENARIO(flow, bytes_outlive_the_object)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct pidring_event events[64];
	uint64_t position = 0;
	int count;

	begin_child(&child, engine, awkward(&child, "large", 7, 512 * KIBIBYTE));
	wait_ended(child.process);
	count = pidring_wait(engine, events, 64, PIDRING_FOREVER);
	check(count > 0);
	pidring_process_free(child.process);
	for (int i = 0; i < count; i++) {
		if (events[i].type != PIDRING_OUTPUT)
			continue;
		check(is_pattern((const unsigned char *)events[i].data, events[i].length,
		                 seed_of(7, STDOUT_FILENO), position));
		position += events[i].length;
	}
	check(position > 0);
	check_int(pidring_wait(engine, events, 64, 0), 0);
	close_engine(engine);
}

/* A terminal beside a pipe that is quiet: it gets its share of the smallest memory. */
SCENARIO(flow, terminal_in_little_memory)
{
	const char *const argv[] = { "cat", NULL };
	struct pidring *engine =
		open_engine_with((struct pidring_engine_options){ .output_memory = 128 * KIBIBYTE });
	struct child quiet = { 0 }, terminal = { .is_unchecked = true };
	struct latch latch = latch_open();
	struct pidring_descriptor passed = { latch.reader, 3 };
	struct pidring_options options = awkward(&quiet, "deaf", 8, 0);

	options.descriptors = &passed;
	options.descriptor_count = 1;
	begin_child(&quiet, engine, options);
	begin_child(&terminal, engine,
	            (struct pidring_options){ .argv = argv,
	                                      .stdin_to = PIDRING_STREAM_TERMINAL,
	                                      .stdout_to = PIDRING_STREAM_TERMINAL });
	fetch_present(engine);
	check_int(pidring_process_write(terminal.process, "hello\n", 6), 6);
	check_int(pidring_process_close_input(terminal.process), 0);
	fetch_until(engine, &terminal.last, 1);
	/* What was typed is echoed. */
	check_int(terminal.received[0], 2 * strlen("hello\r\n"));
	latch_close(&latch);
	fetch_all(engine, 64);
	end_child(&quiet, 0, 0, 0);
	check_int(finish(terminal.process), 0);
	close_engine(engine);
}

/* --- what is taken away meanwhile --- */

struct crowd {
	struct pidring *engine;
	struct child *children;
	int count;
};

static void begin_crowd(struct crowd *crowd, size_t memory, int count, uint64_t amount)
{
	struct pidring_process **processes = calloc((size_t)count, sizeof(struct pidring_process *));

	crowd->count = count;
	crowd->children = calloc((size_t)count, sizeof(*crowd->children));
	crowd->engine = open_engine_with((struct pidring_engine_options){
		.output_memory = memory, .descriptors = (uint64_t)count * 6 + 200 });
	check(processes != NULL && crowd->children != NULL);
	for (int i = 0; i < count; i++) {
		struct pidring_options options = awkward(&crowd->children[i], "amount", (uint64_t)i, amount);

		options.asynchronous = true;
		make_child(&crowd->children[i], crowd->engine, options);
		processes[i] = crowd->children[i].process;
	}
	check_int(pidring_start_many(processes, (size_t)count), count);
	free(processes);
}

/* Frees one after the other, with its output in flight, while the rest is fetched. */
static void free_by_and_by(size_t memory)
{
	struct crowd crowd;
	int next = 0;

	begin_crowd(&crowd, memory, small_or_normal(300, 600), UNREAD);
	for (int i = 0; i < crowd.count; i++)
		wait_ended(crowd.children[i].process);
	while (pidring_outstanding(crowd.engine) > 0) {
		fetch(crowd.engine, 64, PIDRING_FOREVER);
		for (int i = 0; i < 10 && next < crowd.count; i++) {
			/* From both ends, so that it hits the first and the last that were reported. */
			int index = next % 2 == 0 ? next / 2 : crowd.count - 1 - next / 2;
			struct child *child = &crowd.children[index];

			pidring_process_free(child->process);
			child->process = NULL;
			next++;
		}
	}
	fetch_present(crowd.engine);
	for (; next < crowd.count; next++) {
		int index = next % 2 == 0 ? next / 2 : crowd.count - 1 - next / 2;

		end_child(&crowd.children[index], UNREAD, 0, 0);
	}
	free(crowd.children);
	close_engine(crowd.engine);
}

SCENARIO(flow, freed_in_flight)
{
	free_by_and_by(0);
}

SCENARIO(flow, freed_in_flight_with_little_memory)
{
	free_by_and_by(128 * KIBIBYTE);
}

/* Paused with something reported and not fetched, and resumed. */
SCENARIO(flow, paused_in_flight)
{
	struct crowd crowd;

	begin_crowd(&crowd, 256 * KIBIBYTE, small_or_normal(300, 600), UNREAD);
	for (int i = 0; i < crowd.count; i++)
		wait_ended(crowd.children[i].process);
	for (int round = 0; pidring_outstanding(crowd.engine) > 0; round++) {
		fetch(crowd.engine, 64, PIDRING_FOREVER);
		for (int i = round % 3; i < crowd.count; i += 3)
			check_int(pidring_process_pause(crowd.children[i].process), 0);
		fetch(crowd.engine, 64, 0);
		for (int i = round % 3; i < crowd.count; i += 3)
			check_int(pidring_process_resume(crowd.children[i].process), 0);
	}
	for (int i = 0; i < crowd.count; i++)
		end_child(&crowd.children[i], UNREAD, 0, 0);
	free(crowd.children);
	close_engine(crowd.engine);
}

/* Closed when they have ended and not all of it was fetched: nothing comes any more, and nothing is outstanding. */
SCENARIO(flow, closed_in_flight)
{
	struct crowd crowd;

	begin_crowd(&crowd, 0, small_or_normal(30, 100), UNREAD);
	for (int i = 0; i < 5; i++)
		fetch(crowd.engine, 20, PIDRING_FOREVER);
	for (int i = 0; i < crowd.count; i++) {
		wait_ended(crowd.children[i].process);
		check_int(pidring_process_close(crowd.children[i].process), 0);
	}
	check_int(pidring_outstanding(crowd.engine), 0);
	fetch_present(crowd.engine);
	for (int i = 0; i < crowd.count; i++)
		pidring_process_free(crowd.children[i].process);
	fetch_present(crowd.engine);
	free(crowd.children);
	close_engine(crowd.engine);
}

SCENARIO(flow, engine_closed_in_flight)
{
	struct crowd crowd;

	begin_crowd(&crowd, 0, small_or_normal(30, 300), UNREAD);
	for (int i = 0; i < 5; i++)
		fetch(crowd.engine, 20, PIDRING_FOREVER);
	close_engine(crowd.engine);
	/* Whoever had not written all may be ended by SIGPIPE. */
	for (int i = 0; i < crowd.count; i++) {
		int code = finish(crowd.children[i].process);

		check(code == 0 || code == -SIGPIPE);
	}
	free(crowd.children);
}

/* --- forks in the middle --- */

/* Copies of this process and function children hold no end of a pipe: the ends come although they live. */
SCENARIO(flow, forks_hold_up_nothing)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct child children[20] = { 0 };
	pid_t copy = 0;
	int status = 0;

	for (int i = 0; i < 20; i++) {
		struct pidring_options options = awkward(&children[i], "amount", (uint64_t)i, 500000);

		options.asynchronous = i % 2 == 0;
		if (i % 5 == 1)
			options = (struct pidring_options){ .target = wait_for_latch, .argument = &latch };
		begin_child(&children[i], engine, options);
		if (i == 10)
			copy = fork();
		check(copy >= 0);
		if (copy == 0 && i == 10) {
			latch_wait(&latch);
			_exit(0);
		}
		fetch(engine, 3, 0);
	}
	for (int i = 0; i < 20; i++)
		if (i % 5 != 1)
			fetch_until(engine, &children[i].last, 1);
	for (int i = 0; i < 5; i++)
		latch_release(&latch);
	fetch_all(engine, 64);
	for (int i = 0; i < 20; i++)
		end_child(&children[i], i % 5 == 1 ? 0 : 500000, 0, 0);
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);
	latch_close(&latch);
	close_engine(engine);
}

/* The copy uses the engine itself, with children of its own, and the original loses nothing. */
SCENARIO(flow, copy_uses_its_own)
{
	struct pidring *engine = open_engine();
	struct child first = { 0 }, second = { 0 };
	int status = 0;
	pid_t copy;

	begin_child(&first, engine, awkward(&first, "amount", 1, 2 * MEBIBYTE));
	fetch(engine, 1, PIDRING_FOREVER);
	copy = fork();
	check(copy >= 0);
	if (copy == 0) {
		check_int(pidring_outstanding(engine), 0);
		begin_child(&second, engine, awkward(&second, "amount", 2, MEBIBYTE));
		fetch_all(engine, 64);
		end_child(&second, MEBIBYTE, 0, 0);
		check_int(pidring_process_pause(first.process), -ECHILD);
		pidring_process_free(first.process);
		close_engine(engine);
		_exit(0);
	}
	fetch_all(engine, 64);
	end_child(&first, 2 * MEBIBYTE, 0, 0);
	check_int(waitpid(copy, &status, 0), copy);
	check_int(status, 0);
	close_engine(engine);
}
