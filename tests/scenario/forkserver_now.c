/* SPDX-License-Identifier: MIT */
/* What a server's child has from the moment of its start, what from that of its server, and when a server no longer
 * fits. */
#define _GNU_SOURCE
#include "servers.h"

#include <dlfcn.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>

/* --- streams and descriptors --- */

static int copy_input(void *argument)
{
	char buffer[256];
	ssize_t count;

	(void)argument;
	while ((count = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0)
		check_int(write(STDOUT_FILENO, buffer, (size_t)count), count);
	fprintf(stderr, "%s", "to the end");
	return 0;
}

static void check_streams(struct pidring *engine)
{
	struct pidring_captured captured = { .size = sizeof(captured) };
	struct pidring_options options = { .size = sizeof(options),
		                           .target = copy_input,
		                           .start_method = PIDRING_FORKSERVER };
	const struct pidring_capture_options capture = { .size = sizeof(capture),
		                                         .input = "what goes in",
		                                         .input_length = 12 };
	const struct pidring_options empty = { .target = copy_input, .start_method = PIDRING_FORKSERVER };

	check_int(pidring_capture(&captured, &options, &capture), 0);
	check_int(captured.record.code, 0);
	check_text(captured.output.data, "what goes in");
	check_text(captured.error.data, "to the end");
	pidring_captured_release(&captured);
	/* Its stdin is /dev/null otherwise. */
	check_text(output_of(engine, empty, NULL), "");
}

/* Pipes to and from the engine, and /dev/null for stdin. */
SCENARIO(forkserver_now, streams)
{
	struct pidring *engine = open_served();

	check_streams(engine);
	close_engine(engine);
}

/* The same in parked children. */
SCENARIO(parked, streams)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_streams(engine);
	close_engine(engine);
}

static int say_a_word(void *argument)
{
	check_int(write(STDOUT_FILENO, argument, pidring_argument_length()), pidring_argument_length());
	return 0;
}

/* A descriptor that a stream goes to may be closed as soon as start has returned, and its number used for another file, however
 * often: what was written arrives in the right one. */
SCENARIO(forkserver_now, descriptors_are_taken_when_start_returns)
{
	struct pidring *engine = open_served();

	for (int i = 0; i < 300; i++) {
		char word[16];
		int length = snprintf(word, sizeof(word), "%d", i);
		struct pidring_process *process;
		int ends[2], others[2];

		open_pipe(ends);
		process = start_process(engine,
		                        (struct pidring_options){ .target = say_a_word,
		                                                  .argument = word,
		                                                  .argument_length = (size_t)length,
		                                                  .stdout_to = PIDRING_STREAM_DESCRIPTOR,
		                                                  .stdout_descriptor = ends[1],
		                                                  .start_method = PIDRING_FORKSERVER });
		close(ends[1]);
		open_pipe(others);
		check_text(read_all(ends[0]), word);
		close(ends[0]);
		close(others[0]);
		close(others[1]);
		check_int(finish(process), 0);
	}
	close_engine(engine);
}

static int say_to_five(void *argument)
{
	check_int(write(5, argument, pidring_argument_length()), pidring_argument_length());
	return 0;
}

/* The same with descriptors that are passed, by parked children. */
SCENARIO(parked, descriptors_are_taken_when_start_returns)
{
	struct pidring *engine = open_parked(8);

	for (int i = 0; i < 300; i++) {
		char word[16];
		int length = snprintf(word, sizeof(word), "%d", i);
		struct pidring_descriptor passed = { .target = 5 };
		struct pidring_process *process;
		int ends[2];

		open_pipe(ends);
		passed.source = ends[1];
		process =
			start_process(engine, (struct pidring_options){ .target = say_to_five,
		                                                        .argument = word,
		                                                        .argument_length = (size_t)length,
		                                                        .descriptors = &passed,
		                                                        .descriptor_count = 1,
		                                                        .start_method = PIDRING_FORKSERVER });
		close(ends[1]);
		check_text(read_all(ends[0]), word);
		close(ends[0]);
		check_int(finish(process), 0);
	}
	close_engine(engine);
}

enum { PASSED = 6 };

static int read_letters(void *argument)
{
	static const int numbers[PASSED] = { 4, 3, 9, 100, 700, 5 };
	char letters[PASSED + 1] = { 0 };

	for (int i = 0; i < PASSED; i++)
		check_int(pread(numbers[i], &letters[i], 1, 0), 1);
	check_text(letters, argument);
	for (int i = 3; i < 1024; i++) {
		bool wanted = false;

		for (int j = 0; j < PASSED; j++)
			wanted = wanted || numbers[j] == i;
		if (!wanted && descriptor_is_open(i)) {
			char path[64], name[256] = { 0 };

			snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
			check(readlink(path, name, sizeof(name) - 1) > 0);
			/* The parent's pidfd, by which its end is seen. */
			check_text(name, "anon_inode:[pidfd]");
		}
	}
	return 0;
}

static void check_passed(struct pidring *engine)
{
	/* 100 and 700 are a target, too. */
	const struct pidring_descriptor passed[PASSED] = { { 200, 4 },   { 201, 3 },   { 700, 9 },
		                                           { 800, 100 }, { 100, 700 }, { 801, 5 } };
	struct pidring_process *process;
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 1024)
		skip("the limit allows too few descriptors");
	place_file(200, 'a');
	place_file(201, 'b');
	place_file(700, 'c');
	place_file(800, 'd');
	place_file(100, 'e');
	place_file(801, 'f');
	for (int i = 0; i < 5; i++) {
		process =
			start_process(engine, (struct pidring_options){ .target = read_letters,
		                                                        .argument = (void *)"abcdef",
		                                                        .argument_length = 7,
		                                                        .descriptors = passed,
		                                                        .descriptor_count = PASSED,
		                                                        .start_method = PIDRING_FORKSERVER });
		check_int(finish(process), 0);
	}
	close(200);
	close(201);
	close(700);
	close(800);
	close(100);
	close(801);
}

/* Descriptors under any numbers, low, high and exchanged, made after the server was; nothing else is there above 2. */
SCENARIO(forkserver_now, passed_descriptors)
{
	struct pidring *engine = open_served();

	check_passed(engine);
	close_engine(engine);
}

/* The same in parked children. */
SCENARIO(parked, passed_descriptors)
{
	struct pidring *engine = open_parked(4);

	wait_parked(engine, 4);
	check_passed(engine);
	close_engine(engine);
}

static int is_on_a_terminal(void *argument)
{
	char byte;
	int terminal = open("/dev/tty", O_RDWR);

	(void)argument;
	check(terminal >= 0);
	check_int(getsid(0), getpid());
	check_int(tcgetsid(STDOUT_FILENO), getpid());
	check_int(read(STDIN_FILENO, &byte, 1), 1);
	check_int(byte, 'x');
	return 4;
}

/* A child that leads a session on a terminal of its own. */
SCENARIO(forkserver_now, terminal)
{
	struct pidring *engine = open_parked(1);
	struct pidring_event event;
	struct pidring_process *process;
	bool ended = false;

	process = new_process(engine, (struct pidring_options){ .target = is_on_a_terminal,
	                                                        .stdin_to = PIDRING_STREAM_TERMINAL,
	                                                        .stdout_to = PIDRING_STREAM_TERMINAL,
	                                                        .start_method = PIDRING_FORKSERVER });
	check_int(pidring_process_write(process, "x\n", 2), 2);
	check_int(pidring_process_start(process), 0);
	while (!ended) {
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
		if (event.type == PIDRING_EXITED)
			check_int(event.code, 4);
		ended = event.last;
	}
	pidring_process_free(process);
	close_engine(engine);
}

/* With no descriptor left a start fails, if it needs one, and works again when there are. */
static void check_without_descriptors(struct pidring *engine)
{
	struct rlimit limit, none;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	for (int i = 0; i < 8; i++) {
		int descriptors, result;
		struct pidring_process *process =
			i % 2 ? new_served(engine, return_zero, NULL, 0)
			      : new_process(engine, (struct pidring_options){
							    .argv = (const char *[]){ "true", NULL },
							    .start_method = PIDRING_FORKSERVER });

		descriptors = count_descriptors();
		check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
		result = pidring_process_start(process);
		check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (result < 0) {
			check_int(result, -EMFILE);
			check_int(count_descriptors(), descriptors);
			check_int(pidring_process_start(process), 0);
		}
		/* A program that was started without any cannot open its libraries. */
		check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		pidring_process_free(process);
	}
	check_still_serves(engine);
}

SCENARIO(forkserver_now, no_descriptor_left)
{
	struct pidring *engine = open_served();

	check_without_descriptors(engine);
	close_engine(engine);
}

/* The same with parked children. */
SCENARIO(parked, no_descriptor_left)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_without_descriptors(engine);
	close_engine(engine);
}

/* --- place --- */

static int look_at_the_place(void *argument)
{
	const char *expected = argument;
	char directory[4096];
	sigset_t mask;

	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, expected);
	check_int(umask(0), 0135);
	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP && (i < 32 || i >= SIGRTMIN) && i <= SIGRTMAX)
			if (sigismember(&mask, i) != (i == SIGUSR2 || i == SIGRTMAX))
				fail("signal %d is in the mask: %d", i, sigismember(&mask, i));
	check_int(getpgrp(), getpgid(getppid()));
	check_int(getsid(0), getsid(getppid()));
	return 0;
}

/* Working directory, umask, signal mask, process group: as they are at the start. */
static void check_place(struct pidring *engine)
{
	char directory[] = "/tmp/pidring-place-XXXXXX";
	sigset_t mask;

	check(mkdtemp(directory) != NULL);
	check_int(chdir(directory), 0);
	umask(0135);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMAX);
	check_int(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
	check_int(setpgid(0, 0), 0);
	check_int(finish(start_served(engine, look_at_the_place, directory, sizeof(directory))), 0);
	check_int(chdir("/"), 0);
	check_int(rmdir(directory), 0);
	check_int(finish(start_served(engine, look_at_the_place, "/", 2)), 0);
}

SCENARIO(forkserver_now, place)
{
	struct pidring *engine = open_served();

	check_place(engine);
	close_engine(engine);
}

/* The same in children that were parked before. */
SCENARIO(parked, place)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_place(engine);
	close_engine(engine);
}

static int go_elsewhere(void *argument)
{
	(void)argument;
	check_int(chdir("/"), 0);
	umask(0777);
	close(STDOUT_FILENO);
	return 0;
}

/* What a child does to its directory, umask and descriptors is its own affair. */
SCENARIO(forkserver_now, changes_stay_in_the_child)
{
	char before[4096], after[4096];
	mode_t mask = umask(022);
	struct pidring *engine = open_parked(1);

	check(getcwd(before, sizeof(before)) != NULL);
	for (int i = 0; i < 4; i++)
		check_int(finish(start_served(engine, go_elsewhere, NULL, 0)), 0);
	check(getcwd(after, sizeof(after)) != NULL);
	check_text(after, before);
	check_int(umask(mask), 022);
	check(descriptor_is_open(STDOUT_FILENO));
	close_engine(engine);
}

static int look_at_the_options(void *argument)
{
	char directory[4096];

	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, "/tmp");
	check_int(umask(0), 0123);
	if (*(char *)argument == 's')
		check_int(getsid(0), getpid());
	check_int(getpgrp(), getpid());
	return 0;
}

/* The options of the place: directory, umask, session, group. */
SCENARIO(forkserver_now, options_of_the_place)
{
	struct pidring *engine = open_parked(1);
	struct pidring_options options = { .target = look_at_the_options,
		                           .argument = (void *)"g",
		                           .argument_length = 1,
		                           .working_directory = "/tmp",
		                           .set_umask = true,
		                           .umask = 0123,
		                           .new_group = true,
		                           .start_method = PIDRING_FORKSERVER };

	check_int(finish(start_process(engine, options)), 0);
	options.argument = (void *)"s";
	options.new_group = false;
	options.new_session = true;
	check_int(finish(start_process(engine, options)), 0);
	close_engine(engine);
}

/* A directory that is not there: the step is told, and nothing is left. */
SCENARIO(forkserver_now, missing_directory)
{
	struct pidring *engine = open_parked(1);
	struct pidring_failure failure;
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .target = return_zero,
	                                                      .working_directory = "/tmp/pidring/none",
	                                                      .start_method = PIDRING_FORKSERVER });

	check_int(pidring_process_start(process), -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	check_contains(failure.sentence, "/tmp/pidring/none");
	pidring_process_free(process);
	check_still_serves(engine);
	close_engine(engine);
}

/* --- what is of then --- */

static int variable;
static int *on_heap;

static int look_at_memory(void *argument)
{
	const char *text = getenv("PIDRING_TEST_THEN");

	(void)argument;
	return variable * 16 + *on_heap + (text != NULL ? 8 : 0);
}

/* Memory and environment are as they were when the server was made; pidring_restart_forkserver brings them up to date,
 * and children that run are not touched. Elsewhere a fork sees everything. */
SCENARIO(forkserver_now, memory_of_then)
{
	struct pidring *engine;
	struct pidring_process *running;

	on_heap = malloc(sizeof(*on_heap));
	check(on_heap != NULL);
	variable = 1;
	*on_heap = 1;
	engine = open_parked(2);
	running = start_served(engine, sleep_forever, NULL, 0);
	variable = 2;
	*on_heap = 2;
	check_int(setenv("PIDRING_TEST_THEN", "", 1), 0);
	check_int(finish(start_served(engine, look_at_memory, NULL, 0)), serves(engine) ? 17 : 42);
	check_int(pidring_restart_forkserver(engine), 0);
	check_int(features_of(engine).servers, 0);
	check_int(features_of(engine).parked, 0);
	check_int(find_servants("pidring-server", NULL, 0), 0);
	check_int(find_servants("pidring-parked", NULL, 0), 0);
	check_int(pidring_process_is_alive(running), 1);
	check_int(finish(start_served(engine, look_at_memory, NULL, 0)), 42);
	check_int(statistics_of(engine).servers_made, serves(engine) ? 2 : 0);
	kill_and_free(running);
	/* Also if there is none, and again and again. */
	for (int i = 0; i < 3; i++)
		check_int(pidring_restart_forkserver(engine), 0);
	check_int(pidring_restart_forkserver(NULL), -EINVAL);
	check_still_serves(engine);
	free(on_heap);
	close_engine(engine);
}

/* --- functions that a server does not know --- */

static const char *loaded_path(void)
{
	static char path[4200];
	char *slash;

	snprintf(path, sizeof(path), "%s", own_path());
	slash = strrchr(path, '/');
	check(slash != NULL);
	strcpy(slash, "/loaded.so");
	return path;
}

/* A target that was loaded after the server is refused, before anything is created; a new server knows it. */
SCENARIO(forkserver_now, loaded_later)
{
	struct pidring *engine = open_parked(2);
	uint64_t starts = statistics_of(engine).server_starts;
	struct pidring_failure failure;
	struct pidring_process *process;
	int (*function)(void *);
	void *library;
	const unsigned char number = 99;

	library = dlopen(loaded_path(), RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		fail("%s", dlerror());
	function = (int (*)(void *))dlsym(library, "loaded_function");
	check(function != NULL);
	process = new_served(engine, function, &number, 1);
	if (serves(engine)) {
		for (int i = 0; i < 3; i++) {
			check_int(pidring_process_start(process), -ENXIO);
			check_contains(pidring_explain(), "loaded");
			check_int(pidring_process_failure(process, &failure), 0);
			check_int(failure.step, PIDRING_STEP_FORKSERVER);
			check_int(failure.error, ENXIO);
			check_contains(failure.sentence, "Process-1");
			check_text(pidring_step_name(failure.step), "forkserver");
		}
		check_int(statistics_of(engine).server_starts, starts);
		check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
		check_still_serves(engine);
		check_int(pidring_restart_forkserver(engine), 0);
	}
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 99);
	close_engine(engine);
	check_int(dlclose(library), 0);
}

/* A function of a library that was there when the server was made, and has been unloaded and loaded since. */
SCENARIO(forkserver_now, loaded_again)
{
	void *library = dlopen(loaded_path(), RTLD_NOW | RTLD_LOCAL);
	struct pidring_process *process;
	struct pidring *engine;
	int (*function)(void *);

	check(library != NULL);
	engine = open_served();
	function = (int (*)(void *))dlsym(library, "loaded_function");
	check_int(finish(start_served(engine, function, NULL, 0)), 23);
	check_int(dlclose(library), 0);
	library = dlopen(loaded_path(), RTLD_NOW | RTLD_LOCAL);
	check(library != NULL);
	function = (int (*)(void *))dlsym(library, "loaded_function");
	process = new_served(engine, function, NULL, 0);
	/* Known if it is where it was, and refused if it is not. */
	if (pidring_process_start(process) == 0)
		check_int(finish(process), 23);
	else
		pidring_process_free(process);
	close_engine(engine);
	check_int(dlclose(library), 0);
}

/* --- users, groups, capabilities, sessions --- */

struct identity {
	uid_t users[3];
	gid_t groups[3];
	int group_count;
	gid_t supplementary[8];
	uint32_t effective, permitted;
	pid_t session, group;
};

static struct identity own_identity(void)
{
	struct identity identity = { 0 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	check_int(getresuid(&identity.users[0], &identity.users[1], &identity.users[2]), 0);
	check_int(getresgid(&identity.groups[0], &identity.groups[1], &identity.groups[2]), 0);
	identity.group_count = getgroups(8, identity.supplementary);
	check(identity.group_count >= 0);
	check_int(syscall(SYS_capget, &header, data), 0);
	identity.effective = data[0].effective;
	identity.permitted = data[0].permitted;
	identity.session = getsid(0);
	identity.group = getpgrp();
	return identity;
}

static int look_at_identity(void *argument)
{
	struct identity own = own_identity();

	check_int(pidring_argument_length(), sizeof(own));
	check(memcmp(argument, &own, sizeof(own)) == 0);
	return 0;
}

static void check_identities(struct pidring *engine)
{
	struct identity own = own_identity();
	const char *text;

	for (int i = 0; i < 4; i++)
		check_int(finish(start_served(engine, look_at_identity, &own, sizeof(own))), 0);
	text = output_of(engine,
	                 (struct pidring_options){ .argv = (const char *[]){ "id", "-u", NULL },
	                                           .start_method = PIDRING_FORKSERVER },
	                 NULL);
	check_int(atoi(text), geteuid());
}

static void drop_capability(int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint32_t bit = (uint32_t)1 << number;

	check_int(syscall(SYS_capget, &header, data), 0);
	data[0].effective &= ~bit;
	data[0].permitted &= ~bit;
	data[0].inheritable &= ~bit;
	check_int(syscall(SYS_capset, &header, data), 0);
}

/* Users, groups and capabilities that were changed after the server was made: children have the new ones, never the old,
 * parked or not. */
SCENARIO(forkserver_now, credentials)
{
	const gid_t groups[] = { 1234, 1235 };
	struct pidring *engine;

	if (geteuid() != 0)
		skip("only root can change all of these");
	engine = open_parked(3);
	wait_parked(engine, 3);
	check_identities(engine);
	check_int(setgroups(2, groups), 0);
	check_identities(engine);
	wait_parked(engine, 1);
	drop_capability(CAP_SYS_ADMIN);
	check_identities(engine);
	check_int(setegid(1234), 0);
	check_identities(engine);
	wait_parked(engine, 1);
	check_int(setresgid(1234, 1234, 1234), 0);
	check_identities(engine);
	check_int(seteuid(1000), 0);
	check_identities(engine);
	check_int(seteuid(0), 0);
	check_identities(engine);
	check_int(setresuid(1000, 1000, 1000), 0);
	check_identities(engine);
	close_engine(engine);
}

static int look_at_privileges(void *argument)
{
	(void)argument;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

/* What forbids new privileges forbids them to children from then on. */
SCENARIO(forkserver_now, no_new_privileges)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_int(finish(start_served(engine, look_at_privileges, NULL, 0)), 0);
	check_int(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	for (int i = 0; i < 4; i++)
		check_int(finish(start_served(engine, look_at_privileges, NULL, 0)), 1);
	close_engine(engine);
}

static int change_session(void *argument)
{
	struct pidring *engine = open_parked(2);

	(void)argument;
	wait_parked(engine, 2);
	check_identities(engine);
	check_int(setsid(), getpid());
	check_identities(engine);
	close_engine(engine);
	return 0;
}

/* A session that was begun after the server was made is the children's, too; a process group as well. */
SCENARIO(forkserver_now, session_and_group)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_identities(engine);
	check_int(setpgid(0, 0), 0);
	check_identities(engine);
	/* In a process that leads no group yet. */
	check_int(finish(start_function(engine, change_session, NULL)), 0);
	close_engine(engine);
}

/* --- preload --- */

struct loaded {
	_Atomic int calls;
	pid_t caller;
};

static struct loaded *loaded;
static int made_ahead;

static void make_ahead(void *argument)
{
	sigset_t mask;

	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	check_int(sigismember(&mask, SIGTERM), 1);
	made_ahead = *(int *)argument;
	loaded->calls++;
	loaded->caller = getpid();
}

static int use_what_was_made(void *argument)
{
	(void)argument;
	check(loaded->caller != getpid());
	return made_ahead;
}

/* The preload function is called once, in the first server, and all children have what it made, those of other servers and
 * of replaced ones too. */
SCENARIO(forkserver_now, preload)
{
	int number = 61;
	struct pidring *engine;

	loaded = shared_memory(4096);
	engine = open_with((struct pidring_engine_options){
		.parked = 2, .preload = make_ahead, .preload_argument = &number });
	need_server(engine);
	check_int(loaded->calls, 1);
	check(loaded->caller != getpid());
	check_int(made_ahead, 0);
	for (int i = 0; i < 6; i++)
		check_int(finish(start_served(engine, use_what_was_made, NULL, 0)), 61);
	check_int(kill(only_server(), SIGKILL), 0);
	for (int i = 0; i < 6; i++)
		check_int(finish(start_served(engine, use_what_was_made, NULL, 0)), 61);
	check_int(loaded->calls, 1);
	close_engine(engine);
}

static void crash(void *argument)
{
	if (argument != NULL)
		_exit(3);
	raise(SIGKILL);
}

/* A preload function that ends its process makes pidring_open fail, and a start that would make the server. */
SCENARIO(forkserver_now, preload_crashes)
{
	int descriptors = count_descriptors();
	struct pidring *engine = open_engine();
	bool served = serves(engine);
	struct pidring_process *process;
	struct pidring_failure failure;
	static char something;

	close_engine(engine);
	if (!served)
		skip("there are no servers here");
	for (int i = 0; i < 4; i++) {
		struct pidring_engine_options options = { .size = sizeof(options),
			                                  .forkserver = i < 2,
			                                  .parked = i < 2 ? 0 : 8,
			                                  .preload = crash,
			                                  .preload_argument = i % 2 ? &something : NULL };

		engine = NULL;
		check_int(pidring_open(&engine, &options), -EPIPE);
		check(engine == NULL);
		check_contains(pidring_explain(), "preload");
		check_int(count_descriptors(), descriptors);
		check(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	}
	engine = open_with((struct pidring_engine_options){ .preload = crash });
	process = new_served(engine, return_zero, NULL, 0);
	for (int i = 0; i < 2; i++) {
		check_int(pidring_process_start(process), -EPIPE);
		check_contains(pidring_explain(), "preload");
		check_int(pidring_process_failure(process, &failure), 0);
		check_int(failure.step, PIDRING_STEP_FORKSERVER);
		check(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	}
	pidring_process_free(process);
	close_engine(engine);
}
