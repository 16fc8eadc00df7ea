/* SPDX-License-Identifier: MIT */
/*
 * All scenarios by another start method. The linker sends every call of pidring_open, pidring_close,
 * pidring_process_new, pidring_process_start and pidring_start_many through this file (--wrap), and PIDRING_TEST_START in the
 * environment says what becomes of those that leave the start method open:
 *
 *     forkserver   PIDRING_FORKSERVER; the server is made by the first start
 *     parked       the same in engines that park a few children, for which a start waits a moment
 *     fresh        the server is made anew for every start, so that its children are copies of the scenario as it is
 *                  then: for scenarios that show something else than what a copy knows
 *
 * A function's argument is a pointer, which a server's child may know or not. It travels in a parcel of bytes, with the
 * memory that it points to if that is static or on the stack, so that a child sees this memory as it was when its
 * process was constructed. Other memory (shared mappings, the library's objects) it gets as it is, by the pointer. And since
 * functions inherit descriptors where no server is in between, the pipes that open_pipe has made are passed.
 */
#define _GNU_SOURCE
#include "scenario.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum start_method { AS_IT_IS, BY_SERVER, BY_PARKED, BY_FRESH_SERVER };

enum { MOST_ENGINES = 32, MOST_PASSED = 256, MOST_BYTES = 8192, PARKED = 3 };

int __real_pidring_open(struct pidring **ret_engine, const struct pidring_engine_options *options);
int __real_pidring_close(struct pidring *engine);
int __real_pidring_process_new(struct pidring_process **ret_process, struct pidring *engine,
                               const struct pidring_options *options);
int __real_pidring_process_start(struct pidring_process *process);
int __real_pidring_start_many(struct pidring_process *const *processes, size_t count);
int __wrap_pidring_open(struct pidring **ret_engine, const struct pidring_engine_options *options);
int __wrap_pidring_close(struct pidring *engine);
int __wrap_pidring_process_new(struct pidring_process **ret_process, struct pidring *engine,
                               const struct pidring_options *options);
int __wrap_pidring_process_start(struct pidring_process *process);
int __wrap_pidring_start_many(struct pidring_process *const *processes, size_t count);

static enum start_method start_method(void)
{
	static _Atomic int known = -1;

	if (known < 0) {
		const char *text = getenv("PIDRING_TEST_START");

		if (text == NULL || text[0] == '\0')
			known = AS_IT_IS;
		else if (strcmp(text, "forkserver") == 0)
			known = BY_SERVER;
		else if (strcmp(text, "parked") == 0)
			known = BY_PARKED;
		else if (strcmp(text, "fresh") == 0)
			known = BY_FRESH_SERVER;
		else
			fail("PIDRING_TEST_START is '%s'", text);
	}
	return (enum start_method)known;
}

bool start_method_is_varied(void)
{
	return start_method() != AS_IT_IS;
}

/* --- descriptors that functions inherit --- */

/* Pipes and the like that a scenario has made: the number, and which file it was. */
static struct known_descriptor {
	_Atomic int number; /* 0: none */
	dev_t device;
	ino_t inode;
} known_descriptors[MOST_PASSED];

/* `entry` is written before its number is: others may read meanwhile. */
void start_method_passes(int descriptor)
{
	struct stat status;

	if (start_method() == AS_IT_IS || descriptor < 3 || fstat(descriptor, &status) < 0)
		return;
	for (int i = 0; i < MOST_PASSED; i++) {
		struct known_descriptor *entry = &known_descriptors[i];
		int number = entry->number;

		if (number != 0 && number != descriptor && descriptor_is_open(number))
			continue;
		entry->device = status.st_dev;
		entry->inode = status.st_ino;
		entry->number = descriptor;
		return;
	}
}

static bool is_still_open(const struct known_descriptor *entry)
{
	struct stat status;

	return entry->number != 0 && fstat(entry->number, &status) == 0 && status.st_dev == entry->device &&
	       status.st_ino == entry->inode;
}

static bool is_target(const struct pidring_options *options, int number)
{
	for (size_t i = 0; i < options->descriptor_count; i++) {
		const struct pidring_descriptor *passed = &options->descriptors[i];

		if ((passed->target == 0 ? passed->source : passed->target) == number)
			return true;
	}
	return false;
}

/* Those that the options name, and those that a scenario has open. */
static void pass_descriptors(struct pidring_options *options, struct pidring_descriptor *passed)
{
	size_t count = 0;

	if (options->descriptor_count > MOST_PASSED)
		return;
	for (size_t i = 0; i < options->descriptor_count; i++)
		passed[count++] = options->descriptors[i];
	for (int i = 0; i < MOST_PASSED; i++)
		if (is_still_open(&known_descriptors[i]) && !is_target(options, known_descriptors[i].number))
			passed[count++] =
				(struct pidring_descriptor){ .source = known_descriptors[i].number };
	options->descriptors = count > 0 ? passed : NULL;
	options->descriptor_count = count;
}

/* --- arguments --- */

/* Followed by the bytes. */
struct parcel {
	int (*target)(void *argument);
	void *argument; /* NULL: the bytes that follow */
	pid_t maker;    /* pidring_process_run calls the target there */
	int number_count;
	int numbers[MOST_PASSED];
	_Alignas(max_align_t) char bytes[];
};

static int open_parcel(void *argument)
{
	struct parcel *parcel = argument;

	if (parcel->maker == getpid())
		return parcel->target(parcel->argument);
	for (int i = 0; i < parcel->number_count; i++) {
		start_method_passes(parcel->numbers[i]);
		/* As they are here. */
		fcntl(parcel->numbers[i], F_SETFD, FD_CLOEXEC);
	}
	return parcel->target(pidring_argument_length() > sizeof(*parcel) ? parcel->bytes : parcel->argument);
}

/* How much can be read after the pointer that is this program's own, and not somebody's shared mapping. */
static size_t readable_bytes(const void *pointer)
{
	extern char __data_start, _end;
	extern void *__libc_stack_end;
	const char *address = pointer;
	const char *here = __builtin_frame_address(0);
	const char *stack_end = __libc_stack_end;
	const char *end = NULL;

	if (address >= &__data_start && address < &_end)
		end = &_end;
	else if (address > here && address < stack_end)
		end = stack_end;
	if (end == NULL)
		return 0;
	return end - address > MOST_BYTES ? MOST_BYTES : (size_t)(end - address);
}

/* Byte by byte: what lies behind the variable is somebody else's, which a sanitizer would object to. */
__attribute__((no_sanitize("address", "thread"))) static void copy_bytes(char *to, const char *from,
                                                                         size_t length)
{
	for (volatile size_t i = 0; i < length; i++)
		to[i] = from[i];
}

static struct parcel *make_parcel(const struct pidring_options *options, const struct pidring_options *given,
                                  size_t *ret_length)
{
	size_t length = readable_bytes(options->argument);
	struct parcel *parcel = calloc(1, sizeof(*parcel) + length);

	check(parcel != NULL);
	parcel->target = options->target;
	parcel->argument = options->argument;
	parcel->maker = getpid();
	for (size_t i = 0; i < options->descriptor_count && parcel->number_count < MOST_PASSED; i++)
		if (options->descriptors[i].target == 0 && !is_target(given, options->descriptors[i].source))
			parcel->numbers[parcel->number_count++] = options->descriptors[i].source;
	if (length > 0)
		copy_bytes(parcel->bytes, options->argument, length);
	*ret_length = sizeof(*parcel) + length;
	return parcel;
}

static bool can_be_varied(const struct pidring_options *options)
{
	if (start_method() == AS_IT_IS)
		return false;
	return options != NULL && options->size == sizeof(*options) &&
	       options->start_method == PIDRING_START_DEFAULT && !options->libc_fork &&
	       (options->target != NULL || options->argument == NULL) &&
	       (options->descriptors != NULL) == (options->descriptor_count > 0);
}

int __wrap_pidring_process_new(struct pidring_process **ret_process, struct pidring *engine,
                               const struct pidring_options *given)
{
	struct pidring_descriptor passed[2 * MOST_PASSED];
	struct pidring_options options;
	struct parcel *parcel = NULL;
	int result;

	if (!can_be_varied(given))
		return __real_pidring_process_new(ret_process, engine, given);
	options = *given;
	options.start_method = PIDRING_FORKSERVER;
	if (options.argv == NULL && !options.close_descriptors)
		pass_descriptors(&options, passed);
	if (options.target != NULL && options.argument_length == 0 &&
	    (options.argument != NULL || options.descriptor_count > given->descriptor_count)) {
		parcel = make_parcel(&options, given, &options.argument_length);
		options.argument = parcel;
		options.target = open_parcel;
	}
	result = __real_pidring_process_new(ret_process, engine, &options);
	free(parcel);
	return result;
}

/* --- engines --- */

/* Those of this process, whose servers are still to be made anew before a start: pidring_open came before what the scenario has
 * set up. */
static struct {
	_Atomic(struct pidring *) engine;
	_Atomic pid_t owner;
	_Atomic bool stale;
} engines[MOST_ENGINES];

/* An engine of another thread's may be closed while this one looks at it. */
static bool is_main_thread(void)
{
	return gettid() == getpid();
}

int __wrap_pidring_open(struct pidring **ret_engine, const struct pidring_engine_options *given)
{
	struct pidring_engine_options options = { .size = sizeof(options) };
	int result;

	if (!is_main_thread())
		return __real_pidring_open(ret_engine, given);
	if (start_method() == BY_PARKED && (given == NULL || given->size == sizeof(*given))) {
		if (given != NULL)
			options = *given;
		if (options.parked == 0 && options.parked_low == 0)
			options.parked = PARKED;
		given = &options;
	}
	result = __real_pidring_open(ret_engine, given);
	if (result < 0 || (start_method() != BY_PARKED && start_method() != BY_FRESH_SERVER))
		return result;
	for (int i = 0; i < MOST_ENGINES; i++) {
		struct pidring *none = NULL;

		if (atomic_compare_exchange_strong(&engines[i].engine, &none, *ret_engine)) {
			engines[i].owner = getpid();
			engines[i].stale = true;
			break;
		}
	}
	return result;
}

int __wrap_pidring_close(struct pidring *engine)
{
	int result = __real_pidring_close(engine);

	for (int i = 0; i < MOST_ENGINES; i++) {
		struct pidring *found = engine;

		if (engine != NULL && result == 0)
			atomic_compare_exchange_strong(&engines[i].engine, &found, NULL);
	}
	return result;
}

/* A start never waits for a parked child; a test that wants some does, for a moment. */
static void wait_for_parked(struct pidring *engine)
{
	int64_t end = now() + 2 * MILLISECONDS;
	struct pidring_features features = { .size = sizeof(features) };

	while (pidring_features(engine, &features) == 0 && features.servers > 0 && features.parked == 0 &&
	       now() < end)
		sched_yield();
}

static void prepare_start(void)
{
	enum start_method method = start_method();

	if (method != BY_PARKED && method != BY_FRESH_SERVER)
		return;
	for (int i = 0; i < MOST_ENGINES; i++) {
		struct pidring *engine = engines[i].engine;

		if (engine == NULL || engines[i].owner != getpid())
			continue;
		if (atomic_exchange(&engines[i].stale, method == BY_FRESH_SERVER))
			pidring_restart_forkserver(engine);
		else
			wait_for_parked(engine);
	}
}

int __wrap_pidring_process_start(struct pidring_process *process)
{
	prepare_start();
	return __real_pidring_process_start(process);
}

int __wrap_pidring_start_many(struct pidring_process *const *processes, size_t count)
{
	prepare_start();
	return __real_pidring_start_many(processes, count);
}
