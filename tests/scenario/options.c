/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/resource.h>

/* Each bad option fails with its error, and the explanation names what was wrong. Several engines are opened
 * in turn: none may be left behind by a failure. */

static struct pidring *engine;

static void check_refused_as_it_is(struct pidring_options options, int error, const char *named)
{
	struct pidring_process *process = NULL;

	engine = open_engine();
	check_int(pidring_process_new(&process, engine, &options), error);
	check(process == NULL);
	check_contains(pidring_explain(), named);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

static void check_refused(struct pidring_options options, int error, const char *named)
{
	options.size = sizeof(options);
	check_refused_as_it_is(options, error, named);
}

static const char *const program[] = { "true", NULL };
static const char *const some_variables[] = { "A=1", NULL };

/* A struct that is too small is refused. A larger one, of a newer header, is taken if what this version does
 * not know is all zero. */
SCENARIO(options, size)
{
	struct {
		struct pidring_options known;
		char newer[64];
	} larger = { .known = { .size = sizeof(larger) } };
	struct pidring_process *process = NULL;

	check_refused_as_it_is((struct pidring_options){ .size = 0 }, -EINVAL, "0");
	check_refused_as_it_is((struct pidring_options){ .size = 3 }, -EINVAL, "3");
	engine = open_engine();
	check_int(pidring_process_new(&process, engine, &larger.known), 0);
	pidring_process_free(process);
	larger.newer[40] = 1;
	check_int(pidring_process_new(&process, engine, &larger.known), -EINVAL);
	close_engine(engine);
}

/* A process has one target. */
SCENARIO(options, two_targets)
{
	check_refused((struct pidring_options){ .target = return_zero, .argv = program }, -EINVAL, "target");
}

/* A program needs a name. */
SCENARIO(options, no_first_argument)
{
	check_refused((struct pidring_options){ .argv = (const char *[]){ NULL } }, -EINVAL, "argv");
}

/* A file to run without arguments is half an order. */
SCENARIO(options, program_without_argv)
{
	check_refused((struct pidring_options){ .program = "/bin/true" }, -EINVAL, "program");
}

/* What is for programs is refused for functions, by name. */
SCENARIO(options, of_programs_for_a_function)
{
	check_refused((struct pidring_options){ .target = return_zero, .program = "/bin/true" }, -EINVAL,
	              "program");
	check_refused((struct pidring_options){ .target = return_zero, .asynchronous = true }, -EINVAL,
	              "asynchronous");
	check_refused((struct pidring_options){ .target = return_zero, .environment = some_variables },
	              -EINVAL, "environment");
	check_refused((struct pidring_options){ .target = return_zero, .extra_environment = some_variables },
	              -EINVAL, "extra_environment");
	check_refused((struct pidring_options){ .target = return_zero, .keep_descriptors = true }, -EINVAL,
	              "keep_descriptors");
	check_refused((struct pidring_options){ .target = return_zero, .keep_signals = true }, -EINVAL,
	              "keep_signals");
	check_refused((struct pidring_options){ .target = return_zero, .authkey_descriptor = 5 }, -EINVAL,
	              "authkey_descriptor");
}

/* And the other way round. */
SCENARIO(options, of_functions_for_a_program)
{
	check_refused((struct pidring_options){ .argv = program, .libc_fork = true }, -EINVAL, "libc_fork");
	check_refused((struct pidring_options){ .argv = program, .argument = &engine }, -EINVAL, "argument");
}

/* The daemon flag has three states. */
SCENARIO(options, daemon_flag)
{
	check_refused((struct pidring_options){ .daemon = 2 }, -EINVAL, "2");
	check_refused((struct pidring_options){ .daemon = -2 }, -EINVAL, "-2");
}

/* A stream goes to one of four places. */
SCENARIO(options, stream_kind)
{
	check_refused((struct pidring_options){ .argv = program, .stdin_to = (enum pidring_stream)17 },
	              -EINVAL, "17");
	check_refused((struct pidring_options){ .argv = program, .stdout_to = (enum pidring_stream)18 },
	              -EINVAL, "18");
	check_refused((struct pidring_options){ .argv = program, .stderr_to = (enum pidring_stream)19 },
	              -EINVAL, "19");
}

/* The descriptor of a stream must be open. */
SCENARIO(options, stream_descriptor)
{
	check_refused((struct pidring_options){ .argv = program,
	                                        .stdin_to = PIDRING_STREAM_DESCRIPTOR,
	                                        .stdin_descriptor = 941 },
	              -EBADF, "941");
	check_refused((struct pidring_options){ .argv = program,
	                                        .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                        .stdout_descriptor = 942 },
	              -EBADF, "942");
	check_refused((struct pidring_options){ .target = return_zero,
	                                        .stderr_to = PIDRING_STREAM_DESCRIPTOR,
	                                        .stderr_descriptor = -7 },
	              -EBADF, "-7");
}

/* A descriptor without the kind that uses it is a mistake. */
SCENARIO(options, stream_descriptor_unused)
{
	check_refused((struct pidring_options){ .argv = program, .stdout_descriptor = 1 }, -EINVAL,
	              "stdout_descriptor");
}

/* The death signal must be a signal. */
SCENARIO(options, death_signal)
{
	check_refused((struct pidring_options){ .death_signal = 65 }, -EINVAL, "65");
	check_refused((struct pidring_options){ .death_signal = -9 }, -EINVAL, "-9");
}

/* The umask has nine bits. */
SCENARIO(options, umask)
{
	check_refused((struct pidring_options){ .set_umask = true, .umask = 01000 }, -EINVAL, "1000");
}

/* A umask that is not switched on is a mistake. */
SCENARIO(options, umask_unused)
{
	check_refused((struct pidring_options){ .umask = 022 }, -EINVAL, "set_umask");
}

/* Empty texts name nothing. */
SCENARIO(options, empty_texts)
{
	check_refused((struct pidring_options){ .argv = program, .program = "" }, -EINVAL, "program");
	check_refused((struct pidring_options){ .argv = program, .working_directory = "" }, -EINVAL,
	              "working_directory");
}

/* An entry of the environment has a name and a value. */
SCENARIO(options, environment)
{
	check_refused((struct pidring_options){ .argv = program,
	                                        .environment = (const char *[]){ "A=1", "broken", NULL } },
	              -EINVAL, "broken");
	check_refused((struct pidring_options){ .argv = program,
	                                        .environment = (const char *[]){ "=nameless", NULL } },
	              -EINVAL, "=nameless");
	check_refused((struct pidring_options){ .argv = program,
	                                        .extra_environment = (const char *[]){ "=nameless", NULL } },
	              -EINVAL, "=nameless");
	check_refused((struct pidring_options){ .argv = program,
	                                        .extra_environment = (const char *[]){ "A=1", "", NULL } },
	              -EINVAL, "extra_environment");
}

/* The auth key cannot go to one of the standard streams or to no descriptor. */
SCENARIO(options, authkey_descriptor)
{
	check_refused((struct pidring_options){ .argv = program, .authkey_descriptor = 2 }, -EINVAL, "2");
	check_refused((struct pidring_options){ .argv = program, .authkey_descriptor = -4 }, -EINVAL, "-4");
}

/* Arguments and environment must not be larger than the kernel takes. */
SCENARIO(options, too_large)
{
	static char large[200001];
	const char *const one_large[] = { "true", large, NULL };

	memset(large, 'l', sizeof(large) - 1);
	check_refused((struct pidring_options){ .argv = one_large }, -E2BIG, "argv");
	memcpy(large, "A=", 2);
	check_refused(
		(struct pidring_options){ .argv = program, .environment = (const char *[]){ large, NULL } },
		-E2BIG, "environment");
}

/* An explanation stays until the next failure, and a success does not touch it. */
SCENARIO(options, explanation_stays)
{
	char first[512];

	check_text(pidring_explain(), "");
	check_refused((struct pidring_options){ .daemon = 44 }, -EINVAL, "44");
	snprintf(first, sizeof(first), "%s", pidring_explain());
	engine = open_engine();
	close_engine(engine);
	check_text(pidring_explain(), first);
	check_refused((struct pidring_options){ .daemon = 45 }, -EINVAL, "45");
	check(strcmp(pidring_explain(), first) != 0);
}

/* --- engines --- */

static void check_engine_refused(struct pidring_engine_options options, int error, const char *named)
{
	int descriptors = count_descriptors();
	struct pidring *refused = NULL;

	check_int(pidring_open(&refused, &options), error);
	check(refused == NULL);
	check_contains(pidring_explain(), named);
	check_int(count_descriptors(), descriptors);
}

/* Size and backend of an engine must be known ones. */
SCENARIO(options, engine)
{
	unsetenv("PIDRING_BACKEND");
	check_engine_refused((struct pidring_engine_options){ .size = 0 }, -EINVAL, "0");
	check_engine_refused((struct pidring_engine_options){ .size = 5 }, -EINVAL, "5");
	check_engine_refused((struct pidring_engine_options){ .size = sizeof(struct pidring_engine_options),
	                                                      .backend = (enum pidring_backend)7 },
	                     -EINVAL, "7");
}

/* The environment's wishes must be known ones too. */
SCENARIO(options, engine_environment)
{
	struct pidring_engine_options options = { .size = sizeof(options) };

	setenv("PIDRING_BACKEND", "kqueue", 1);
	check_engine_refused(options, -EINVAL, "kqueue");
	setenv("PIDRING_BACKEND", "epoll", 1);
	setenv("PIDRING_CLONE", "rfork", 1);
	check_engine_refused(options, -EINVAL, "rfork");
}

/* The environment goes before the option. */
SCENARIO(options, engine_environment_wins)
{
	struct pidring_engine_options options = { .size = sizeof(options), .backend = PIDRING_BACKEND_URING };
	struct pidring_features features = { .size = sizeof(features) };

	setenv("PIDRING_BACKEND", "epoll", 1);
	check_int(pidring_open(&engine, &options), 0);
	check_int(pidring_features(engine, &features), 0);
	check_int(features.backend, PIDRING_BACKEND_EPOLL);
	close_engine(engine);
}

/* The option chooses the backend. */
SCENARIO(options, engine_backend)
{
	struct pidring_engine_options options = { .size = sizeof(options), .backend = PIDRING_BACKEND_EPOLL };
	struct pidring_features features = { .size = sizeof(features) };

	unsetenv("PIDRING_BACKEND");
	check_int(pidring_open(&engine, &options), 0);
	check_int(pidring_features(engine, &features), 0);
	check_int(features.backend, PIDRING_BACKEND_EPOLL);
	close_engine(engine);
}

/* The soft limit of descriptors is raised as far as the hard limit goes, and never lowered. */
SCENARIO(options, engine_descriptors)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 900 };
	struct rlimit limit;

	lower_descriptor_limits(300, 1000);
	check_int(pidring_open(&engine, &options), 0);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check(limit.rlim_cur >= 900);
	check_int(limit.rlim_max, 1000);
	close_engine(engine);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 950;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(pidring_open(&engine, &options), 0);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check(limit.rlim_cur >= 950);
	close_engine(engine);
	options.descriptors = 100000;
	check_engine_refused(options, -EMFILE, "100000");
}

/* Features need a struct of a known size; a larger one is filled as far as this version knows. */
SCENARIO(options, features)
{
	struct {
		struct pidring_features known;
		char newer[64];
	} larger = { .known = { .size = sizeof(larger) } };
	struct pidring_features features = { .size = 0 };

	engine = open_engine();
	check_int(pidring_features(engine, NULL), -EINVAL);
	check_int(pidring_features(engine, &features), -EINVAL);
	features.size = sizeof(features);
	check_int(pidring_features(engine, &features), 0);
	check_int(features.size, sizeof(features));
	check(features.backend == PIDRING_BACKEND_URING || features.backend == PIDRING_BACKEND_EPOLL);
	check_int(pidring_features(engine, &larger.known), 0);
	check_int(larger.known.backend, features.backend);
	check_int(larger.known.program_birth, features.program_birth);
	close_engine(engine);
}

/* Waiting needs a place for the events. */
SCENARIO(options, wait)
{
	struct pidring_event event;

	engine = open_engine();
	check_int(pidring_wait(engine, NULL, 1, 0), -EINVAL);
	check_int(pidring_wait(engine, &event, 0, 0), -EINVAL);
	check_int(pidring_wait_interruptible(engine, NULL, 1, 0, NULL), -EINVAL);
	check_int(pidring_wait_interruptible(engine, &event, 0, 0, NULL), -EINVAL);
	close_engine(engine);
}
