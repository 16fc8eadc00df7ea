/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "streams.h"

/* --- the pattern: 64-bit words in a row --- */

static uint64_t word_at(uint64_t seed, uint64_t index)
{
	return (index + 1) * 0x9e3779b97f4a7c15U + (seed + 1) * 0xd1342543de82ef95U;
}

void fill_pattern(unsigned char *bytes, size_t length, uint64_t seed, uint64_t position)
{
	size_t done = 0;

	while (done < length) {
		uint64_t word = word_at(seed, (position + done) / 8);
		size_t offset = (position + done) % 8;
		size_t part = length - done < 8 - offset ? length - done : 8 - offset;

		/* Constant sizes are fast. */
		if (part == 8)
			memcpy(bytes + done, &word, 8);
		else
			memcpy(bytes + done, (const unsigned char *)&word + offset, part);
		done += part;
	}
}

bool is_pattern(const unsigned char *bytes, size_t length, uint64_t seed, uint64_t position)
{
	unsigned char expected[4096];

	for (size_t done = 0; done < length; done += sizeof(expected)) {
		size_t part = length - done < sizeof(expected) ? length - done : sizeof(expected);

		fill_pattern(expected, part, seed, position + done);
		if (memcmp(bytes + done, expected, part) != 0)
			return false;
	}
	return true;
}

uint64_t seed_of(uint64_t number, int stream)
{
	return number * 3 + (uint64_t)stream;
}

static void write_whole(int descriptor, const unsigned char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t count = write(descriptor, bytes, length);

		if (count < 0 && errno == EINTR)
			continue;
		check(count > 0);
		bytes += count;
		length -= (size_t)count;
	}
}

void write_pattern(int descriptor, uint64_t seed, uint64_t position, uint64_t length, size_t piece)
{
	static unsigned char bytes[64 * KIBIBYTE];

	check(piece <= sizeof(bytes));
	while (length > 0) {
		size_t part = length < piece ? (size_t)length : piece;

		fill_pattern(bytes, part, seed, position);
		write_whole(descriptor, bytes, part);
		position += part;
		length -= part;
	}
}

/* --- starting --- */

struct pidring_options awkward(struct child *child, const char *kind, uint64_t number, uint64_t amount)
{
	child->number = number;
	snprintf(child->texts[0], sizeof(child->texts[0]), "%llu", (unsigned long long)number);
	snprintf(child->texts[1], sizeof(child->texts[1]), "%llu", (unsigned long long)amount);
	child->argv[0] = own_path();
	child->argv[1] = "--sub";
	child->argv[2] = "awkward";
	child->argv[3] = kind;
	child->argv[4] = child->texts[0];
	child->argv[5] = child->texts[1];
	child->is_unchecked = strcmp(kind, "nuls") == 0;
	child->is_echo = strcmp(kind, "echo") == 0;
	return (struct pidring_options){ .argv = child->argv, .stdout_to = PIDRING_STREAM_PIPE };
}

void make_child(struct child *child, struct pidring *engine, struct pidring_options options)
{
	options.user_data = child;
	child->process = new_process(engine, options);
}

void begin_child(struct child *child, struct pidring *engine, struct pidring_options options)
{
	make_child(child, engine, options);
	check_int(pidring_process_start(child->process), 0);
}

struct pidring_options with_input(struct child *child, const char *kind, uint64_t number, uint64_t amount)
{
	struct pidring_options options = awkward(child, kind, number, amount);

	options.stdin_to = PIDRING_STREAM_PIPE;
	options.input_limit = INPUT_LIMIT;
	return options;
}

struct latch begin_latched(struct child *child, struct pidring *engine, struct pidring_options options)
{
	struct latch latch = latch_open();
	struct pidring_descriptor passed = { latch.reader, 3 };

	options.descriptors = &passed;
	options.descriptor_count = 1;
	begin_child(child, engine, options);
	return latch;
}

ssize_t write_input(struct child *child, uint64_t position, size_t length)
{
	static unsigned char bytes[4 * MEBIBYTE];

	check(length <= sizeof(bytes));
	fill_pattern(bytes, length, seed_of(child->number, STDIN_FILENO), position);
	return pidring_process_write(child->process, bytes, length);
}

struct pidring *open_engine_with(struct pidring_engine_options options)
{
	struct pidring *engine = open_engine(); /* skips where there is none */

	close_engine(engine);
	options.size = sizeof(options);
	check_int(pidring_open(&engine, &options), 0);
	return engine;
}

/* --- events --- */

static void take_output(struct child *child, const struct pidring_event *event)
{
	int index = event->stream - STDOUT_FILENO;

	check(index == 0 || index == 1);
	check(event->length > 0);
	check_int(child->ended[index], 0);
	if (!child->is_unchecked &&
	    !is_pattern((const unsigned char *)event->data, event->length,
	                seed_of(child->number, child->is_echo ? 0 : event->stream), child->received[index]))
		fail("child %llu, stream %d: not the bytes that belong at %llu (%zu of them)",
		     (unsigned long long)child->number, event->stream,
		     (unsigned long long)child->received[index], event->length);
	child->received[index] += event->length;
}

static void take_output_end(struct child *child, const struct pidring_event *event)
{
	int index = event->stream - STDOUT_FILENO;

	check(index == 0 || index == 1);
	child->ended[index]++;
	child->end_codes[index] = event->code;
	check_int(child->ended[index], 1);
}

static void take_exit(struct child *child, const struct pidring_event *event)
{
	child->exited++;
	child->code = event->code;
	check(!event->unknown);
	check_int(child->exited, 1);
}

void take_event(const struct pidring_event *event)
{
	struct child *child = event->user_data;

	check(event->process == child->process);
	check_int(child->last, 0);
	switch (event->type) {
	case PIDRING_STARTED:
		child->started++;
		check_int(child->started, 1);
		check_int(child->exited, 0);
		check_int(child->received[0] + child->received[1], 0);
		break;
	case PIDRING_START_FAILED:
		child->failed++;
		break;
	case PIDRING_OUTPUT:
		take_output(child, event);
		break;
	case PIDRING_OUTPUT_ENDED:
		take_output_end(child, event);
		break;
	case PIDRING_GROUP_STOPPED:
	case PIDRING_TREE_STOPPED:
		break;
	case PIDRING_ORPHAN_ENDED:
	case PIDRING_CGROUP_EMPTY:
		check(false);
		break;
	case PIDRING_INPUT_DRAINED:
		child->drained++;
		check_int(child->input_closed, 0);
		break;
	case PIDRING_INPUT_CLOSED:
		child->input_closed++;
		child->unwritten = event->length;
		check_int(child->input_closed, 1);
		break;
	case PIDRING_EXITED:
		take_exit(child, event);
		break;
	case PIDRING_STOPPED:
		child->stopped++;
		child->stop_signal = event->code;
		break;
	case PIDRING_CONTINUED:
		child->continued++;
		break;
	case PIDRING_DEADLINE_PASSED:
		break;
	}
	child->last += event->last;
	/* Nothing can be the last before the end. */
	check(!event->last || child->exited == 1);
}

int fetch(struct pidring *engine, size_t capacity, int64_t timeout)
{
	struct pidring_event events[64];
	int before = pidring_outstanding(engine);
	int count, last = 0;

	check(capacity <= 64);
	count = pidring_wait(engine, events, capacity, timeout);
	check(count >= 0 && (size_t)count <= capacity);
	for (int i = 0; i < count; i++) {
		take_event(&events[i]);
		last += events[i].last;
	}
	check_int(pidring_outstanding(engine), before - last);
	return count;
}

void fetch_until(struct pidring *engine, const int *count, int value)
{
	while (*count < value)
		fetch(engine, 64, PIDRING_FOREVER);
	check_int(*count, value);
}

void fetch_bytes(struct pidring *engine, const struct child *child, uint64_t bytes)
{
	while (child->received[0] < bytes)
		fetch(engine, 1, PIDRING_FOREVER);
	check_int(child->received[0], bytes);
}

void fetch_all(struct pidring *engine, size_t capacity)
{
	while (pidring_outstanding(engine) > 0)
		check(fetch(engine, capacity, PIDRING_FOREVER) > 0);
	check_int(fetch(engine, capacity, 0), 0);
}

void fetch_present(struct pidring *engine)
{
	for (int i = 0; i < 10; i++)
		fetch(engine, 64, 0);
}

void end_child(struct child *child, uint64_t output, uint64_t errors, int code)
{
	check_int(child->last, 1);
	check_int(child->exited, 1);
	check_int(child->code, code);
	check_int(child->received[0], output);
	check_int(child->received[1], errors);
	check_int(child->end_codes[0], 0);
	check_int(child->end_codes[1], 0);
	check_int(finish(child->process), code);
}

/* --- the program --- */

static void wait_for_end_of(int descriptor)
{
	char bytes[4096];
	ssize_t count;

	do
		count = read(descriptor, bytes, sizeof(bytes));
	while (count > 0 || (count < 0 && errno == EINTR));
}

static void write_endlessly(uint64_t seed)
{
	for (uint64_t position = 0;; position += 64 * KIBIBYTE)
		write_pattern(STDOUT_FILENO, seed, position, 64 * KIBIBYTE, 64 * KIBIBYTE);
}

static void write_pieces(uint64_t seed, uint64_t amount)
{
	uint64_t position = 0;

	for (size_t size = 1; position < amount; size = size * 7 % 9973 + 1) {
		size_t part = amount - position < size ? (size_t)(amount - position) : size;

		write_pattern(STDOUT_FILENO, seed, position, part, part);
		position += part;
	}
}

static void alternate(uint64_t number, uint64_t amount)
{
	enum { TURN = 1000 };

	for (uint64_t position = 0; position < amount; position += TURN) {
		uint64_t part = amount - position < TURN ? amount - position : TURN;

		write_pattern(STDOUT_FILENO, seed_of(number, STDOUT_FILENO), position, part, TURN);
		write_pattern(STDERR_FILENO, seed_of(number, STDERR_FILENO), position, part, TURN);
	}
}

static void leave_child_behind(uint64_t seed, uint64_t amount)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid > 0)
		return;
	/* It must not be found by whoever waits for the end of the others. */
	close(STDIN_FILENO);
	wait_for_end_of(3);
	write_pattern(STDOUT_FILENO, seed, amount, amount, 64 * KIBIBYTE);
	_exit(0);
}

static void copy_input(void)
{
	static unsigned char bytes[64 * KIBIBYTE];

	for (;;) {
		ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));

		if (count < 0 && errno == EINTR)
			continue;
		check(count >= 0);
		if (count == 0)
			return;
		write_whole(STDOUT_FILENO, bytes, (size_t)count);
	}
}

static void write_nuls(uint64_t amount)
{
	static const unsigned char zeros[4096];

	for (; amount > 0; amount -= amount < 4096 ? amount : 4096)
		write_whole(STDOUT_FILENO, zeros, amount < 4096 ? (size_t)amount : 4096);
}

static void break_down(void)
{
	kill(getpid(), SIGKILL);
	pause();
}

static bool is_kind(char **argv, const char *kind)
{
	return strcmp(argv[1], kind) == 0;
}

static void read_input(uint64_t amount)
{
	char bytes[4096];

	while (amount > 0) {
		ssize_t count =
			read(STDIN_FILENO, bytes, amount < sizeof(bytes) ? (size_t)amount : sizeof(bytes));

		check(count > 0);
		amount -= (uint64_t)count;
	}
}

static bool run_reader(char **argv)
{
	if (is_kind(argv, "deaf")) {
		wait_for_end_of(3);
	} else if (is_kind(argv, "unplugged")) {
		read_input(strtoull(argv[3], NULL, 10));
		close(STDIN_FILENO);
		write_pattern(STDOUT_FILENO, seed_of(strtoull(argv[2], NULL, 10), STDOUT_FILENO), 0, 1, 1);
		wait_for_end_of(3);
	} else if (is_kind(argv, "echo")) {
		copy_input();
	} else {
		return false;
	}
	return true;
}

static void write_and(char **argv, uint64_t seed, uint64_t amount)
{
	write_pattern(STDOUT_FILENO, seed, 0, amount, 64 * KIBIBYTE);
	if (is_kind(argv, "background") || is_kind(argv, "large"))
		leave_child_behind(seed, amount);
	else if (is_kind(argv, "broken"))
		break_down();
	if (!is_kind(argv, "closing"))
		return;
	close(STDOUT_FILENO);
	wait_for_end_of(STDIN_FILENO);
}

static void stop_itself(uint64_t times)
{
	while (times-- > 0)
		raise(SIGSTOP);
}

SUBPROGRAM(awkward)
{
	check_int(argc, 4);
	uint64_t number = strtoull(argv[2], NULL, 10);
	uint64_t amount = strtoull(argv[3], NULL, 10);
	uint64_t seed = seed_of(number, STDOUT_FILENO);

	if (run_reader(argv) || is_kind(argv, "silent"))
		return 0;
	if (is_kind(argv, "large"))
		check(fcntl(STDOUT_FILENO, F_SETPIPE_SZ, (int)amount) >= (int)amount);
	if (is_kind(argv, "endless"))
		write_endlessly(seed);
	else if (is_kind(argv, "bytes"))
		write_pattern(STDOUT_FILENO, seed, 0, amount, 1);
	else if (is_kind(argv, "pieces"))
		write_pieces(seed, amount);
	else if (is_kind(argv, "alternate"))
		alternate(number, amount);
	else if (is_kind(argv, "nuls"))
		write_nuls(amount);
	else if (is_kind(argv, "stopping"))
		stop_itself(amount);
	else
		write_and(argv, seed, amount);
	return 0;
}
