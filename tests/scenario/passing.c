/* SPDX-License-Identifier: MIT */
/* Which other descriptors a child gets, and under which numbers. */
#define _GNU_SOURCE
#include "scenario.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* --- children --- */

static int compare_numbers(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Says for every descriptor above 2 its number and what it is: "7=text " for a memfd of open_text, "7 " for
 * others. Those that would be closed by an exec are in brackets. */
static int list_descriptors(void *argument)
{
	DIR *directory = opendir("/proc/self/fd");
	int numbers[4096], count = 0;

	(void)argument;
	check(directory != NULL);
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
		int number = atoi(entry->d_name);
		if (number > 2 && number != dirfd(directory) && count < 4096)
			numbers[count++] = number;
	}
	closedir(directory);
	qsort(numbers, (size_t)count, sizeof(numbers[0]), compare_numbers);
	for (int i = 0; i < count; i++) {
		char text[32];
		ssize_t length = pread(numbers[i], text, sizeof(text) - 1, 0);
		bool closes = fcntl(numbers[i], F_GETFD) & FD_CLOEXEC;

		text[length > 0 ? length : 0] = '\0';
		dprintf(STDOUT_FILENO, closes ? "[%d%s%s] " : "%d%s%s ", numbers[i], length > 0 ? "=" : "",
		        text);
	}
	return 0;
}

SUBPROGRAM(passing_list)
{
	return list_descriptors(NULL);
}

/* --- parents --- */

/* A memfd with a text, at exactly this number, which must be free. */
static int open_text_at(int number, const char *text)
{
	int memfd = memfd_create("passing", MFD_CLOEXEC);

	check(memfd >= 0);
	check_int(write(memfd, text, strlen(text)), strlen(text));
	if (memfd == number)
		return number;
	check_int(dup3(memfd, number, O_CLOEXEC), number);
	close(memfd);
	return number;
}

static const char *memory_of(struct pidring_process *process)
{
	static char text[65536];
	ssize_t length = pread(pidring_process_stream(process, STDOUT_FILENO), text, sizeof(text) - 1, 0);

	check(length >= 0);
	text[length] = '\0';
	return text;
}

/* What a child with these options finds. */
static const char *list_of(struct pidring *engine, struct pidring_options options)
{
	options.stdin_to = PIDRING_STREAM_NULL;
	options.stdout_to = PIDRING_STREAM_MEMORY;
	struct pidring_process *process = start_process(engine, options);
	check_int(join_code(process), 0);
	const char *text = memory_of(process);
	pidring_process_free(process);
	return text;
}

/* The list without what is in brackets (the parent's pidfd of a function). */
static const char *without_brackets(const char *text)
{
	static char rest[65536];
	size_t length = 0;

	while (*text != '\0') {
		if (*text == '[')
			text = strchr(text, ' ') + 1;
		else
			rest[length++] = *text++;
	}
	rest[length] = '\0';
	return rest;
}

/* Both kinds of target find the same: programs exactly this, functions it and one descriptor of the
 * library's. */
static void check_passed(const struct pidring_descriptor *descriptors, size_t count, const char *expected)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "passing_list", NULL };
	struct pidring_options options = { .argv = argv,
		                           .descriptors = descriptors,
		                           .descriptor_count = count };

	check_text(list_of(engine, options), expected);
	options.asynchronous = true;
	check_text(list_of(engine, options), expected);
	options.asynchronous = false;
	options.argv = NULL;
	options.target = list_descriptors;
	options.close_descriptors = true;
	for (int fork = 0; fork < 2; fork++) {
		options.libc_fork = fork;
		const char *text = list_of(engine, options);
		int kept = 0;
		for (const char *at = text; (at = strchr(at, '[')) != NULL; at++)
			kept++;
		check_int(kept, 1);
		check_text(without_brackets(text), expected);
	}
	options.close_descriptors = false;
	check_text(without_brackets(list_of(engine, options)), expected);
	close_engine(engine);
}

static void close_numbers(const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(numbers[i]);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- scenarios --- */

/* Descriptors arrive under the numbers that are asked for, or their own; nothing else does. */
SCENARIO(passing, plain)
{
	const int numbers[] = { open_text_at(40, "a"), open_text_at(41, "b"), open_text_at(42, "c") };

	check_passed((struct pidring_descriptor[]){ { 42, 9 }, { 40, 3 }, { 41, 0 } }, 3, "3=a 9=c 41=b ");
	check_passed(NULL, 0, "");
	close_numbers(numbers, COUNT(numbers));
}

/* Numbers that the library uses itself are as good as others. */
SCENARIO(passing, numbers_of_the_library)
{
	struct pidring_descriptor all[60];
	char expected[600] = "";
	const int numbers[] = { open_text_at(200, "x") };

	for (int i = 0; i < 60; i++) {
		all[i] = (struct pidring_descriptor){ 200, 3 + i };
		snprintf(expected + strlen(expected), 16, "%d=x ", 3 + i);
	}
	check_passed(all, 60, expected);
	close_numbers(numbers, COUNT(numbers));
}

/* Two change places. */
SCENARIO(passing, swap)
{
	const int numbers[] = { open_text_at(43, "a"), open_text_at(44, "b") };

	check_passed((struct pidring_descriptor[]){ { 43, 44 }, { 44, 43 } }, 2, "43=b 44=a ");
	close_numbers(numbers, COUNT(numbers));
}

/* Cycles and chains, and one source under several numbers, its own among them. */
SCENARIO(passing, cycles)
{
	const int numbers[] = { open_text_at(43, "a"), open_text_at(44, "b"), open_text_at(45, "c"),
		                open_text_at(46, "d") };

	check_passed((struct pidring_descriptor[]){ { 43, 44 }, { 44, 45 }, { 45, 46 }, { 46, 43 } }, 4,
	             "43=d 44=a 45=b 46=c ");
	check_passed((struct pidring_descriptor[]){ { 43, 44 }, { 44, 45 }, { 45, 46 } }, 3,
	             "44=a 45=b 46=c ");
	check_passed((struct pidring_descriptor[]){ { 46, 45 }, { 45, 44 }, { 44, 43 } }, 3,
	             "43=b 44=c 45=d ");
	check_passed((struct pidring_descriptor[]){ { 43, 43 }, { 43, 44 }, { 43, 10 }, { 44, 11 } }, 4,
	             "10=a 11=b 43=a 44=a ");
	close_numbers(numbers, COUNT(numbers));
}

/* A stream and a passed descriptor may be the same one, and sources may be streams. */
SCENARIO(passing, streams)
{
	check_passed((struct pidring_descriptor[]){ { STDIN_FILENO, 50 } }, 1, "50 ");
}

/* High numbers on both sides, up to the hard limit, with a soft limit that is lower. */
SCENARIO(passing, high_numbers)
{
	struct rlimit limit, narrow;
	struct pidring_descriptor descriptors[4];
	char expected[128];

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	int high = limit.rlim_max <= 20000 ? (int)limit.rlim_max - 1 : 20000;
	narrow = limit;
	narrow.rlim_cur = (rlim_t)high + 1;
	check_int(setrlimit(RLIMIT_NOFILE, &narrow), 0);
	const int numbers[] = { open_text_at(high, "h"), open_text_at(high - 1, "g") };
	descriptors[0] = (struct pidring_descriptor){ high, high - 1 };
	descriptors[1] = (struct pidring_descriptor){ high - 1, high };
	descriptors[2] = (struct pidring_descriptor){ high, 3 };
	descriptors[3] = (struct pidring_descriptor){ high, high - 7 };
	snprintf(expected, sizeof(expected), "3=h %d=h %d=h %d=g ", high - 7, high - 1, high);
	check_passed(descriptors, 4, expected);
	narrow.rlim_cur = 256;
	check_int(setrlimit(RLIMIT_NOFILE, &narrow), 0);
	check_passed(descriptors, 4, expected);
	close_numbers(numbers, COUNT(numbers));
}

/* So many that stand-ins run out; starts under way at a time share them. */
SCENARIO(passing, many_high_numbers)
{
	enum { MANY = 100, PROCESSES = 5 };
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "passing_list", NULL };
	struct pidring_descriptor descriptors[MANY];
	struct pidring_process *processes[PROCESSES];
	char expected[2048] = "";

	for (int i = 0; i < MANY; i++) {
		char text[8];
		snprintf(text, sizeof(text), "t%d", i % 100);
		descriptors[i] = (struct pidring_descriptor){ open_text_at(500 + i, text), 3 + i };
		snprintf(expected + strlen(expected), 24, "%d=%s ", 3 + i, text);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < PROCESSES; i++)
			processes[i] = new_process(
				engine, (struct pidring_options){ .argv = argv,
			                                          .stdin_to = PIDRING_STREAM_NULL,
			                                          .stdout_to = PIDRING_STREAM_MEMORY,
			                                          .descriptors = descriptors,
			                                          .descriptor_count = MANY });
		check_int(pidring_start_many(processes, PROCESSES), PROCESSES);
		for (int i = 0; i < PROCESSES; i++) {
			check_int(join_code(processes[i]), 0);
			check_text(memory_of(processes[i]), expected);
			pidring_process_free(processes[i]);
		}
	}
	for (int i = 0; i < MANY; i++)
		close(500 + i);
	close_engine(engine);
}

/* With the auth key among them. */
SUBPROGRAM(passing_with_authkey)
{
	check_int(pidring_receive_authkey(12), 0);
	return list_descriptors(NULL);
}

SCENARIO(passing, with_the_auth_key)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "passing_with_authkey", NULL };
	const int numbers[] = { open_text_at(12, "a"), open_text_at(13, "b") };
	struct pidring_descriptor descriptors[] = { { 12, 13 }, { 13, 11 } };

	check_text(list_of(engine, (struct pidring_options){ .argv = argv,
	                                                     .authkey_descriptor = 12,
	                                                     .descriptors = descriptors,
	                                                     .descriptor_count = 2 }),
	           "11=b 13=a ");
	close_numbers(numbers, COUNT(numbers));
	close_engine(engine);
}

/* What else may be left open stays so, beside what is passed. */
SCENARIO(passing, keep_descriptors)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "passing_list", NULL };
	const int numbers[] = { open_text_at(60, "a"), open_text_at(61, "b"), open_text_at(62, "c") };
	struct pidring_descriptor descriptors[] = { { 60, 0 }, { 62, 63 } };

	check_int(fcntl(61, F_SETFD, 0), 0);
	check_text(list_of(engine, (struct pidring_options){ .argv = argv,
	                                                     .keep_descriptors = true,
	                                                     .descriptors = descriptors,
	                                                     .descriptor_count = 2 }),
	           "60=a 61=b 63=c ");
	check_int(fcntl(60, F_GETFD), FD_CLOEXEC);
	close_numbers(numbers, COUNT(numbers));
	close_engine(engine);
}

/* A function finds what its parent has open, but for what is passed over it. */
SCENARIO(passing, functions_keep_the_rest)
{
	struct pidring *engine = open_engine();
	const int numbers[] = { open_text_at(60, "a"), open_text_at(61, "b"), open_text_at(62, "c") };
	struct pidring_descriptor descriptors[] = { { 60, 61 } };

	for (int i = 60; i < 63; i++)
		check_int(fcntl(i, F_SETFD, 0), 0);
	check_text(without_brackets(list_of(engine, (struct pidring_options){ .target = list_descriptors,
	                                                                      .descriptors = descriptors,
	                                                                      .descriptor_count = 1 })),
	           "60=a 61=a 62=c ");
	close_numbers(numbers, COUNT(numbers));
	close_engine(engine);
}

/* --- what belongs to others --- */

struct siblings {
	struct pidring *other;
	struct pidring_process *processes[4];
};

static struct siblings start_siblings(struct pidring *engine)
{
	static const char *const argv[] = { "sleep", "100", NULL };
	struct siblings siblings = { open_engine(), { NULL } };
	const enum pidring_stream places[] = { PIDRING_STREAM_PIPE, PIDRING_STREAM_RAW_PIPE,
		                               PIDRING_STREAM_MEMORY, PIDRING_STREAM_TERMINAL };

	for (int i = 0; i < 4; i++)
		siblings.processes[i] =
			start_process(i % 2 ? engine : siblings.other,
		                      (struct pidring_options){ .argv = argv,
		                                                .stdin_to = places[i] == PIDRING_STREAM_MEMORY
		                                                                    ? PIDRING_STREAM_NULL
		                                                                    : places[i],
		                                                .stdout_to = places[i],
		                                                .stderr_to = places[i] });
	return siblings;
}

static void end_siblings(struct siblings *siblings)
{
	for (int i = 0; i < 4; i++)
		kill_and_free(siblings->processes[i]);
	close_engine(siblings->other);
}

/* Pipes, memfds and terminals of others stay behind: a program has nothing, a function its parent's pidfd and
 * the sentinels. */
SCENARIO(passing, nothing_of_others)
{
	struct pidring *engine = open_engine();
	struct siblings siblings = start_siblings(engine);
	const char *const argv[] = { own_path(), "--sub", "passing_list", NULL };
	const enum pidring_stream places[] = { PIDRING_STREAM_NULL, PIDRING_STREAM_RAW_PIPE,
		                               PIDRING_STREAM_MEMORY, PIDRING_STREAM_TERMINAL };

	for (int i = 0; i < 4; i++) {
		struct pidring_options options = { .stderr_to = places[i] };

		options.argv = argv;
		check_text(list_of(engine, options), "");
		options.argv = NULL;
		options.target = list_descriptors;
		for (int fork = 0; fork < 2; fork++) {
			int count = 0;
			options.libc_fork = fork;
			const char *text = list_of(engine, options);
			check_text(without_brackets(text), "");
			for (; *text != '\0'; text++)
				count += *text == '[';
			check_int(count, 1 + 4);
		}
		options.close_descriptors = true;
		check_text(strchr(list_of(engine, options), ' '), " ");
	}
	end_siblings(&siblings);
	close_engine(engine);
}

static struct siblings *of_parent;

/* The parent is still known, and the siblings' objects have not got what was put at their numbers. */
static int look_at_family(void *argument)
{
	bool closed = *(bool *)argument;

	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	for (int i = 0; i < 4; i++) {
		int sentinel = pidring_process_sentinel(of_parent->processes[i]);
		char byte;

		if (closed)
			check_int(sentinel, -EBADF);
		else
			check(sentinel > 2 && pread(sentinel, &byte, 1, 0) < 0 && !is_readable(sentinel));
		pidring_process_free(of_parent->processes[i]);
	}
	/* What was passed is still there, all of it. */
	for (int i = 3; i < 60; i++) {
		char byte = 0;
		check_int(pread(i, &byte, 1, 0), 1);
		check(byte == 'x');
	}
	/* And this process can have children of its own. */
	struct pidring *engine = open_engine();
	int zero = 0;
	check_int(finish(start_function(engine, return_argument, &zero)), 0);
	close_engine(engine);
	return 0;
}

/* What is passed over the number of a sentinel, or of the library's own, does not disturb the family. */
SCENARIO(passing, over_the_sentinels)
{
	struct pidring *engine = open_engine();
	struct siblings siblings = start_siblings(engine);
	struct pidring_descriptor all[57];
	const int numbers[] = { open_text_at(200, "x") };
	int kinds = 0;

	of_parent = &siblings;
	for (int i = 0; i < 57; i++)
		all[i] = (struct pidring_descriptor){ 200, 3 + i };
	for (int kind = 0; kind < 4; kind++, kinds++) {
		bool closed = kind & 1;
		check_int(finish(start_process(engine, (struct pidring_options){ .target = look_at_family,
		                                                                 .argument = &closed,
		                                                                 .libc_fork = kind & 2,
		                                                                 .close_descriptors = closed,
		                                                                 .descriptors = all,
		                                                                 .descriptor_count = 57 })),
		          0);
	}
	end_siblings(&siblings);
	close_numbers(numbers, COUNT(numbers));
	close_engine(engine);
}

static int look_through_sentinel(void *argument)
{
	int number = *(int *)argument;

	check(!is_readable(number));
	check(!is_readable(5));
	check_int(fcntl(number, F_GETFD), 0);
	return 0;
}

/* A sentinel can be passed, also as it is. */
SCENARIO(passing, a_sentinel)
{
	struct pidring *engine = open_engine();
	struct siblings siblings = start_siblings(engine);
	int number = pidring_process_sentinel(siblings.processes[2]);
	struct pidring_descriptor descriptors[] = { { number, 0 }, { number, 5 } };

	check(number != 5);
	for (int kind = 0; kind < 4; kind++)
		check_int(finish(start_process(engine,
		                               (struct pidring_options){ .target = look_through_sentinel,
		                                                         .argument = &number,
		                                                         .libc_fork = kind & 1,
		                                                         .close_descriptors = kind & 2,
		                                                         .descriptors = descriptors,
		                                                         .descriptor_count = 2 })),
		          0);
	end_siblings(&siblings);
	close_engine(engine);
}

/* --- failures --- */

/* A source that was closed since the construction is named. */
SCENARIO(passing, closed_since)
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { "true", NULL };
	struct pidring_options options[] = { { .argv = argv }, { .target = return_zero } };
	struct pidring_failure failure;

	for (int i = 0; i < 2; i++) {
		struct pidring_descriptor descriptor = { open_text_at(70, "x"), 8 };
		options[i].descriptors = &descriptor;
		options[i].descriptor_count = 1;
		options[i].stdout_to = PIDRING_STREAM_RAW_PIPE;
		struct pidring_process *process = new_process(engine, options[i]);
		descriptor.source = 1; /* copied */
		close(70);
		int before = count_descriptors();
		check_int(pidring_process_start(process), -EBADF);
		check_contains(pidring_explain(), "70");
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.step, PIDRING_STEP_STREAM);
		check_int(count_descriptors(), before);
		open_text_at(70, "y");
		check_int(pidring_process_start(process), 0);
		check_int(finish(process), 0);
		close(70);
	}
	close_engine(engine);
}

static void check_refused(struct pidring_descriptor descriptor, int error, const char *named)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = NULL;
	struct pidring_options options = { .size = sizeof(options),
		                           .descriptors = &descriptor,
		                           .descriptor_count = 1 };

	check_int(pidring_process_new(&process, engine, &options), error);
	check(process == NULL);
	check_contains(pidring_explain(), named);
	close_engine(engine);
}

SCENARIO(passing, bad_descriptors)
{
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check_refused((struct pidring_descriptor){ 941, 5 }, -EBADF, "descriptors[0].source is 941");
	check_refused((struct pidring_descriptor){ -3, 5 }, -EBADF, "-3");
	check_refused((struct pidring_descriptor){ 1, 0 }, -EINVAL, "below 3");
	check_refused((struct pidring_descriptor){ 1, 2 }, -EINVAL, "descriptors[0].target is 2");
	check_refused((struct pidring_descriptor){ 1, -2 }, -EINVAL, "descriptors[0].target is -2");
	if (limit.rlim_max < INT_MAX)
		check_refused((struct pidring_descriptor){ 1, (int)limit.rlim_max }, -EINVAL,
		              "RLIMIT_NOFILE");
}

SCENARIO(passing, bad_combinations)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = NULL;
	const char *const argv[] = { "true", NULL };
	struct pidring_descriptor twice[] = { { 0, 9 }, { 1, 8 }, { 2, 9 } };
	struct pidring_options options = { .size = sizeof(options), .argv = argv, .descriptor_count = 3 };

	check_int(pidring_process_new(&process, engine, &options), -EINVAL);
	check_contains(pidring_explain(), "descriptors is NULL");
	options.descriptors = twice;
	check_int(pidring_process_new(&process, engine, &options), -EINVAL);
	check_contains(pidring_explain(), "target 9");
	options.descriptor_count = 2;
	options.authkey_descriptor = 8;
	check_int(pidring_process_new(&process, engine, &options), -EINVAL);
	check_contains(pidring_explain(), "authkey_descriptor is 8");
	close_engine(engine);
}
