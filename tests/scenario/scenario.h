/* SPDX-License-Identifier: MIT */
/*
 * What every scenario uses.
 *
 * A scenario is a small function that shows one behaviour. The program build/tests/scenarios holds all of
 * them and runs one in a process that does nothing else, so that identities start at Process-1, there is
 * one thread, and whatever is left behind (children, descriptors, objects) is found by the runner:
 *
 *     SCENARIO(join, negative_timeout_looks_once)
 *     {
 *             struct pidring *engine = open_engine();
 *             ...
 *             check_int(pidring_process_join(process, -5), -ETIMEDOUT);
 *             ...
 *     }
 *
 * A scenario that returns has passed, unless it left something behind. A check that fails, also in a child,
 * prints what was wrong and ends that process with EXIT_FAILED.
 */
#ifndef PIDRING_TESTS_SCENARIO_H
#define PIDRING_TESTS_SCENARIO_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pidring.h"

enum {
	EXIT_SKIPPED = 77,
	EXIT_FAILED = 99,
};

#define MILLISECONDS ((int64_t)1000000)

/* --- registration --- */

struct scenario {
	const char *suite;
	const char *name;
	void (*run)(void);
	struct scenario *next;
};

struct subprogram {
	const char *name;
	int (*run)(int argc, char **argv);
	struct subprogram *next;
};

void register_scenario(struct scenario *scenario);
void register_subprogram(struct subprogram *subprogram);

/* The constructor is what lets a scenario be added by writing it, with no list to keep elsewhere. */
#define SCENARIO(suite_name, scenario_name)                                                                 \
	static void suite_name##_##scenario_name(void);                                                     \
	__attribute__((constructor)) static void register_##suite_name##_##scenario_name(void)              \
	{                                                                                                   \
		static struct scenario entry = { #suite_name, #scenario_name, suite_name##_##scenario_name, \
			                         NULL };                                                    \
		register_scenario(&entry);                                                                  \
	}                                                                                                   \
	static void suite_name##_##scenario_name(void)

/* A main program of its own, "scenarios --sub NAME arguments...": argv[0] is NAME, the result is what main
 * returns, so atexit handlers run. No rules about what it may leave behind. */
#define SUBPROGRAM(subprogram_name)                                                                        \
	static int subprogram_##subprogram_name(int argc, char **argv);                                    \
	__attribute__((constructor)) static void register_subprogram_##subprogram_name(void)               \
	{                                                                                                  \
		static struct subprogram entry = { #subprogram_name, subprogram_##subprogram_name, NULL }; \
		register_subprogram(&entry);                                                               \
	}                                                                                                  \
	static int subprogram_##subprogram_name(int argc __attribute__((unused)),                          \
	                                        char **argv __attribute__((unused)))

/* --- checks --- */

#define check(expression) check_true(__FILE__, __LINE__, #expression, (expression) ? true : false)
#define check_int(actual, expected) \
	check_equal(__FILE__, __LINE__, #actual, #expected, (long long)(actual), (long long)(expected))
#define check_text(actual, expected) check_same_text(__FILE__, __LINE__, #actual, (actual), (expected))
#define check_contains(text, part)   check_text_contains(__FILE__, __LINE__, #text, (text), (part))
#define fail(...)                    fail_at(__FILE__, __LINE__, __VA_ARGS__)

void check_true(const char *file, int line, const char *expression, bool value);
void check_equal(const char *file, int line, const char *what, const char *expected_text, long long actual,
                 long long expected);
void check_same_text(const char *file, int line, const char *what, const char *actual, const char *expected);
void check_text_contains(const char *file, int line, const char *what, const char *text, const char *part);
PIDRING_NORETURN void fail_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Ends the scenario as one that cannot be shown here; the reason is printed. */
PIDRING_NORETURN void skip(const char *reason);

/* The environment has PIDRING_TEST_SMALL: there is to be little of everything. */
bool is_small(void);
/* How much of something. */
int small_or_normal(int small, int normal);

/* --- engines and processes --- */

/* An engine with default options. Skips if the environment asks for io_uring and there is none. */
struct pidring *open_engine(void);
/* Closes it, which must work. */
void close_engine(struct pidring *engine);
struct pidring_features features_of(struct pidring *engine);
struct pidring_statistics statistics_of(struct pidring *engine);

/* Constructed, not started; `options` without size. */
struct pidring_process *new_process(struct pidring *engine, struct pidring_options options);
struct pidring_process *new_function(struct pidring *engine, int (*target)(void *), void *argument);

/* Constructed and started; both must work. */
struct pidring_process *start_process(struct pidring *engine, struct pidring_options options);
struct pidring_process *start_function(struct pidring *engine, int (*target)(void *), void *argument);
/* The arguments are the program's argv, ended by NULL. */
struct pidring_process *start_program(struct pidring *engine, const char *first, ...)
	__attribute__((sentinel));

/* Joins for ever and returns the exit code. */
int join_code(struct pidring_process *process);
/* The same, and frees the object. */
int finish(struct pidring_process *process);
/* Kills, joins and frees it. */
void kill_and_free(struct pidring_process *process);
/* Runs the target in a child of a new engine; it must return 0. */
void check_in_child(int (*target)(void *), void *argument);
/* Waits until it has ended, without reaping. */
void wait_ended(struct pidring_process *process);
/* True if a readable sentinel says that it has ended. */
bool is_readable(int descriptor);

/* Results of describe and name in a buffer that the next call of the same function overwrites. */
const char *describe(struct pidring_process *process);
const char *name_of(struct pidring_process *process);

/* Targets for function children. */
int return_argument(void *argument); /* returns the int that argument points to */
int return_zero(void *argument);
int sleep_forever(void *argument); /* until a signal ends it */
int wait_for_latch(void *latch);   /* until latch_release or the other side's end, returns 0 */

/* --- latches: one side waits until the other says so --- */

struct latch {
	int reader;
	int writer;
};

struct latch latch_open(void);
/* Lets one waiter through. Any process that has the latch may wait or release. */
void latch_release(struct latch *latch);
void latch_wait(struct latch *latch);
void latch_close(struct latch *latch);

/* --- start methods: see start_method.c --- */

/* Functions that are started from now on have this descriptor, also if they come from a server. open_pipe and latch_open see to
 * it. */
void start_method_passes(int descriptor);
/* True if the scenario runs by another start method than the default. */
bool start_method_is_varied(void);

/* --- pipes and text --- */

/* Both ends close-on-exec. Functions inherit them. */
void open_pipe(int ends[2]);
/* Reads up to the end; the text is in a static buffer of 64 KiB. */
const char *read_all(int descriptor);
/* Runs a program (options without streams) with stdout in a pipe until its end and returns what it wrote, in
 * the buffer of read_all. The exit code goes to *ret_code, or must be 0 if that is NULL. */
const char *output_of(struct pidring *engine, struct pidring_options options, int *ret_code);

/* --- other programs --- */

/* The path of this program. */
const char *own_path(void);
/* Runs `scenarios --sub NAME [argument]`, not through the library, with stdin from /dev/null. Returns its
 * exit code or minus its signal; stdout and stderr together go to *ret_output (buffer of read_all) unless
 * NULL. */
int run_subprogram(const char *name, const char *argument, const char **ret_output);

/* True if all of it could be read; the copy is a program. */
bool copy_file(const char *from, const char *to);

/* A copy of /bin/true whose execve waits (at most the time of /proc/sys/fs/lease-break-time) until it is let go: this
 * process has a lease on it. */
struct slow_program {
	char directory[32];
	char path[64];
	int lease;
};

/* Skips where files cannot be leased. */
struct slow_program make_slow_program(void);
/* Skips on the path that suspends the caller of a start until execve. */
struct slow_program make_slow_program_unless_suspended(void);
void let_go(struct slow_program *program);
void remove_slow_program(struct slow_program *program);

/* --- control groups --- */

/* `options` without size. Skips where there are none, or none can be made. */
struct pidring_cgroup *open_group_with(struct pidring *engine, struct pidring_cgroup_options options);
/* Moves it there. */
void enter_group(struct pidring_cgroup *group, pid_t pid);

/* --- what the kernel says --- */

/* By another start method without the pidfds of servers and of parked children, which come and go. */
int count_descriptors(void);
/* RLIMIT_NOFILE; skips the scenario where that cannot be had. */
void lower_descriptor_limits(rlim_t soft, rlim_t hard);
/* True if this thread has none, but for servers and parked children by another start method. */
bool has_no_children(void);
/* The process's name, in a buffer that the next call overwrites; "" if there is none. */
const char *command_of(pid_t pid);
/* A forkserver, or a child that is parked. */
bool is_servant(pid_t pid);
bool descriptor_is_open(int descriptor);
/* The letter of /proc/PID/stat: 'R', 'S', 'T', 'Z', ...; 0 if there is no such process. */
char process_state(pid_t pid);
/* CLOCK_MONOTONIC in nanoseconds. */
int64_t now(void);

#endif
