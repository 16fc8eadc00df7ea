/* SPDX-License-Identifier: MIT */
/* Confined starts go by every path: synchronous or not, alone or many, from threads, whatever the start method. */
#define _GNU_SOURCE
#include "confined.h"

#include <pthread.h>
#include <sys/prctl.h>

static const enum target_kind program_kinds[] = { AS_PROGRAM, AS_PROGRAM_LATER };

/* A place with something of everything. */
struct place {
	struct pidring_mount mount;
	struct pidring_setting setting;
	struct pidring_confinement confinement;
	char host[32];
};

static void make_place(struct place *place, int number)
{
	*place = (struct place){
		.mount = { .target = "/mnt", .type = "tmpfs", .data = "size=64k" },
		.setting = { .kind = PIDRING_SETTING_NICE, .number = number % 19 },
		.confinement = { .size = sizeof(place->confinement),
		                 .namespaces = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID |
		                               PIDRING_NAMESPACE_UTS,
		                 .private_proc = true,
		                 .set_user = true,
		                 .user = (uid_t)(1000 + number),
		                 .keep_capabilities = "cap_kill" },
	};
	snprintf(place->host, sizeof(place->host), "place-%d", number);
	place->confinement.mounts = &place->mount;
	place->confinement.mount_count = 1;
	place->confinement.settings = &place->setting;
	place->confinement.setting_count = 1;
	place->confinement.host_name = place->host;
}

static const char *const *const questions =
	QUESTIONS("pid", "host", "niceness", "list", "/mnt", "status", "Uid", "status", "CapEff");

static const char *text_for(int number, char *text, size_t size)
{
	int user = 1000 + number;

	snprintf(text, size,
	         "pid=1\nhost=place-%d\nniceness=%d\n/mnt=\nUid=%d %d %d %d\nCapEff=0000000000000020\n",
	         number, number % 19, user, user, user, user);
	return text;
}

static void check_birth(struct pidring *engine, const struct pidring_confinement *confinement,
                        enum pidring_birth birth)
{
	for (int round = 0; round < 2; round++) {
		struct pidring_process *process = start_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
		                                          .asynchronous = round == 1,
		                                          .confinement = confinement });

		check_int(pidring_process_birth(process), birth);
		check_int(finish(process), 0);
	}
}

/* By the fastest path, but where this process would feel what the child does in its memory. */
SCENARIO(confine_paths, birth)
{
	struct pidring *engine = open_engine();
	enum pidring_birth fastest = features_of(engine).program_birth;
	struct pidring_setting score = { .kind = PIDRING_SETTING_OOM_SCORE, .number = 3 };
	struct place place;

	need_root();
	make_place(&place, 1);
	check_birth(engine, &place.confinement,
	            fastest == PIDRING_BIRTH_CLONE_VM ? PIDRING_BIRTH_CLONE_VM : PIDRING_BIRTH_FORK_EXEC);
	place.confinement.namespaces = 0;
	place.confinement.mount_count = 0;
	place.confinement.host_name = NULL;
	place.confinement.private_proc = false;
	check_birth(engine, &place.confinement, fastest);
	place.confinement.settings = &score;
	check_birth(engine, &place.confinement, PIDRING_BIRTH_FORK_EXEC);
	close_engine(engine);
}

/* While children change their user in this process's memory it may not be looked into; then it may again, however many they
 * were, and whatever became of them. */
SCENARIO(confine_paths, dumpable_afterwards)
{
	enum { COUNT = 12 };
	struct pidring *engine = open_engine();
	struct pidring_process *processes[COUNT];
	struct pidring_mount bad = { .target = "/no/such/target", .type = "tmpfs" };

	need_root();
	for (int round = 0; round < 2; round++) {
		int dumpable = 1 - round;

		check_int(prctl(PR_SET_DUMPABLE, dumpable), 0);
		for (int i = 0; i < COUNT; i++) {
			struct place place;

			make_place(&place, i);
			if (i % 4 == 1)
				place.confinement.mounts = &bad;
			processes[i] = start_process(
				engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
			                                          .asynchronous = true,
			                                          .confinement = &place.confinement });
		}
		for (int i = 0; i < COUNT; i++)
			check_int(finish(processes[i]), i % 4 == 1 ? 126 : 0);
		check_int(prctl(PR_GET_DUMPABLE), dumpable);
	}
	close_engine(engine);
}

SCENARIO(confine_paths, each_kind)
{
	struct place place;
	char expected[256];

	need_root();
	make_place(&place, 7);
	check_told(place.confinement, questions, text_for(7, expected, sizeof(expected)));
}

SCENARIO(confine_paths, function_by_libc)
{
	struct pidring_setting setting = { .kind = PIDRING_SETTING_NICE, .number = 3 };
	gid_t group = 7;
	struct place place;
	char expected[256];

	need_root();
	make_place(&place, 8);
	check_told_as(AS_FUNCTION, (struct pidring_options){ .libc_fork = true }, place.confinement,
	              questions, text_for(8, expected, sizeof(expected)));
	check_told_as(
		AS_FUNCTION, (struct pidring_options){ .libc_fork = true },
		(struct pidring_confinement){ .settings = &setting,
	                                      .setting_count = 1,
	                                      .set_groups = true,
	                                      .groups = &group,
	                                      .group_count = 1,
	                                      .user_name = "nobody",
	                                      .keep_capabilities = "cap_kill",
	                                      .no_new_privileges = true },
		QUESTIONS("niceness", "status", "Uid", "status", "Groups", "status", "CapAmb", "status",
	                  "NoNewPrivs"),
		"niceness=3\nUid=65534 65534 65534 65534\nGroups=7\nCapAmb=0000000000000020\nNoNewPrivs=1\n");
}

/* --- the forkserver --- */

SCENARIO(confine_paths, forkserver)
{
	struct pidring *engine = NULL;
	struct place place;
	char expected[256];

	need_root();
	check_int(
		pidring_open(&engine,
	                     &(struct pidring_engine_options){ .size = sizeof(struct pidring_engine_options),
	                                                       .forkserver = true,
	                                                       .parked = 2 }),
		0);
	make_place(&place, 5);
	for (size_t i = 0; i < 4; i++) {
		struct pidring_options options = { .start_method = PIDRING_FORKSERVER,
			                           .confinement = &place.confinement };

		check_text(told(engine, asking(program_kinds[i % 2], questions, options)),
		           text_for(5, expected, sizeof(expected)));
	}
	close_engine(engine);
}

static void check_not_served(struct pidring *engine, struct pidring_options options)
{
	struct pidring_process *process = start_process(engine, options);
	enum pidring_birth birth = pidring_process_birth(process);

	check(birth != PIDRING_BIRTH_FORKSERVER && birth != PIDRING_BIRTH_PARKED);
	check_int(finish(process), 0);
}

/* It says so. */
SCENARIO(confine_paths, forkserver_is_not_used)
{
	struct pidring *engine = NULL;
	struct pidring_confinement confinement = { .size = sizeof(confinement), .no_new_privileges = true };

	check_int(pidring_open(&engine,
	                       &(struct pidring_engine_options){
				       .size = sizeof(struct pidring_engine_options), .parked = 2 }),
	          0);
	check_not_served(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                   .start_method = PIDRING_FORKSERVER,
	                                                   .confinement = &confinement });
	check_not_served(engine, (struct pidring_options){ .target = return_zero,
	                                                   .start_method = PIDRING_FORKSERVER,
	                                                   .confinement = &confinement });
	close_engine(engine);
}

/* What cannot be is told by those that close what they do not need, too: as all do that were to be served. */
SCENARIO(confine_paths, other_functions_fail_as_well)
{
	static const struct pidring_options variants[] = {
		{ .close_descriptors = true },
		{ .libc_fork = true },
		{ .libc_fork = true, .close_descriptors = true },
	};
	int report;
	struct pidring_setting settings[] = {
		{ .kind = PIDRING_SETTING_NICE, .number = -4, .report = &report },
		{ .kind = PIDRING_SETTING_OOM_SCORE, .number = -900 },
	};

	become_ordinary();
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		report = 12345;
		check_told_as(AS_FUNCTION, variants[i],
		              (struct pidring_confinement){ .settings = settings, .setting_count = 1 },
		              QUESTIONS("niceness"), "niceness=0\n");
		check_int(report, -EACCES);
		check_fails_as(AS_FUNCTION, variants[i],
		               (struct pidring_confinement){ .settings = settings, .setting_count = 2 },
		               PIDRING_STEP_SETTING, EACCES, "setting");
	}
}

/* --- many --- */

static void check_many(struct pidring *engine, int count, bool asynchronous)
{
	struct pidring_process *processes[32];
	char text[1024], expected[256];

	check(count <= 32);
	for (int i = 0; i < count; i++) {
		struct place place;
		enum target_kind kind = asynchronous && i % 2 ? AS_PROGRAM_LATER : AS_PROGRAM;

		make_place(&place, i);
		processes[i] = new_process(
			engine, asking(kind, questions,
		                       (struct pidring_options){ .stdout_to = PIDRING_STREAM_MEMORY,
		                                                 .confinement = &place.confinement }));
	}
	check_int(pidring_start_many(processes, (size_t)count), count);
	for (int i = 0; i < count; i++) {
		ssize_t length;

		check_int(join_code(processes[i]), 0);
		length =
			pread(pidring_process_stream(processes[i], STDOUT_FILENO), text, sizeof(text) - 1, 0);
		check(length >= 0);
		text[length] = '\0';
		check_text(text, text_for(i, expected, sizeof(expected)));
		pidring_process_free(processes[i]);
	}
}

SCENARIO(confine_paths, start_many)
{
	struct pidring *engine = open_engine();

	need_root();
	check_many(engine, 32, false);
	check_many(engine, 32, true);
	close_engine(engine);
}

/* Some of them cannot be: the others are started. */
SCENARIO(confine_paths, start_many_with_failures)
{
	enum { COUNT = 12 };
	struct pidring *engine = open_engine();
	struct pidring_process *processes[COUNT];
	struct pidring_mount bad = { .target = "/no/such/target", .type = "tmpfs" };

	need_root();
	for (int i = 0; i < COUNT; i++) {
		struct place place;

		make_place(&place, i);
		if (i % 3 == 1)
			place.confinement.mounts = &bad;
		processes[i] = new_process(engine,
		                           (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
		                                                     .confinement = &place.confinement });
	}
	check_int(pidring_start_many(processes, COUNT), COUNT - COUNT / 3);
	for (int i = 0; i < COUNT; i++) {
		struct pidring_failure failure;

		if (i % 3 == 1) {
			check_int(pidring_process_failure(processes[i], &failure), 0);
			check_int(failure.step, PIDRING_STEP_MOUNT);
			check_int(failure.error, ENOENT);
		} else {
			check_int(join_code(processes[i]), 0);
		}
		pidring_process_free(processes[i]);
	}
	close_engine(engine);
}

SCENARIO(confine_paths, two_hundred)
{
	struct pidring *engine = open_engine();
	int rounds = getenv("PIDRING_TEST_SMALL") != NULL ? 20 : 200;
	int descriptors = 0;
	char *mounts, *after;
	struct place place;

	need_root();
	make_place(&place, 3);
	mounts = text_of("/proc/self/mountinfo");
	for (int i = 0; i < rounds; i++) {
		struct pidring_process *process = start_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
		                                          .asynchronous = i % 2,
		                                          .confinement = &place.confinement });

		check_int(finish(process), 0);
		if (i == 4)
			descriptors = count_descriptors();
	}
	check_int(count_descriptors(), descriptors);
	after = text_of("/proc/self/mountinfo");
	check_text(after, mounts);
	free(mounts);
	free(after);
	close_engine(engine);
}

/* --- threads --- */

struct errand {
	struct pidring *engine;
	int number;
	int rounds;
	int death_signal;
};

/* read_all has one buffer for all threads, so the program's answer is its exit code. */
static void *start_in_thread(void *argument)
{
	const struct errand *errand = argument;
	struct place place;
	char command[256];

	make_place(&place, errand->number);
	snprintf(command, sizeof(command),
	         "test $$ = 1 && test $(hostname) = place-%d && test $(id -u) = %d && test $(nice) = %d",
	         errand->number, 1000 + errand->number, errand->number % 19);
	for (int i = 0; i < errand->rounds; i++) {
		struct pidring_process *process = start_process(
			errand->engine,
			(struct pidring_options){ .argv = (const char *[]){ "sh", "-c", command, NULL },
		                                  .death_signal = errand->death_signal,
		                                  .asynchronous = i % 2,
		                                  .confinement = &place.confinement });

		check_int(finish(process), 0);
	}
	return NULL;
}

SCENARIO(confine_paths, from_a_thread)
{
	struct errand errand = { .engine = open_engine(), .number = 4, .rounds = 2 };
	pthread_t thread;

	need_root();
	for (int round = 0; round < 2; round++) {
		errand.death_signal = round == 0 ? 0 : SIGKILL;
		check_int(pthread_create(&thread, NULL, start_in_thread, &errand), 0);
		check_int(pthread_join(thread, NULL), 0);
	}
	close_engine(errand.engine);
}

/* Each has its own place and none another's. */
SCENARIO(confine_paths, from_many_threads)
{
	enum { COUNT = 6 };
	struct pidring *engine = open_engine();
	struct errand errands[COUNT];
	pthread_t threads[COUNT];

	need_root();
	for (int i = 0; i < COUNT; i++) {
		errands[i] = (struct errand){ .engine = engine, .number = i, .rounds = 8 };
		check_int(pthread_create(&threads[i], NULL, start_in_thread, &errands[i]), 0);
	}
	for (int i = 0; i < COUNT; i++)
		check_int(pthread_join(threads[i], NULL), 0);
	close_engine(engine);
}

static void *wait_in_thread(void *latch)
{
	latch_wait(latch);
	return NULL;
}

/* Functions of a process with threads, too. */
SCENARIO(confine_paths, function_of_a_threaded_process)
{
	struct pidring_mount mount = { .target = "/mnt", .type = "tmpfs" };
	struct latch latch = latch_open();
	struct place place;
	char expected[256];
	pthread_t thread;

	need_root();
	make_place(&place, 7);
	check_int(pthread_create(&thread, NULL, wait_in_thread, &latch), 0);
	check_told(place.confinement, questions, text_for(7, expected, sizeof(expected)));
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 },
	              (struct pidring_confinement){ .user_name = "nobody", .no_new_privileges = true },
	              QUESTIONS("status", "Uid", "status", "NoNewPrivs"),
	              "Uid=65534 65534 65534 65534\nNoNewPrivs=1\n");
	mount.target = "/no/such/target";
	check_fails_as(AS_FUNCTION, (struct pidring_options){ 0 },
	               (struct pidring_confinement){
			       .namespaces = PIDRING_NAMESPACE_MOUNT, .mounts = &mount, .mount_count = 1 },
	               PIDRING_STEP_MOUNT, ENOENT, "mount");
	latch_release(&latch);
	check_int(pthread_join(thread, NULL), 0);
	latch_close(&latch);
}

/* Everything is copied by pidring_process_new: what was given may change afterwards. */
SCENARIO(confine_paths, all_is_copied)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	struct place place;
	char expected[256];
	int output[2];

	need_root();
	make_place(&place, 9);
	open_pipe(output);
	process = new_process(engine, asking(AS_PROGRAM, questions,
	                                     (struct pidring_options){ .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                               .stdout_descriptor = output[1],
	                                                               .confinement = &place.confinement }));
	memset(&place, 0xff, sizeof(place));
	check_int(pidring_process_start(process), 0);
	close(output[1]);
	check_text(read_all(output[0]), text_for(9, expected, sizeof(expected)));
	close(output[0]);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* In the copy of a fork the same process can be confined anew. */
SCENARIO(confine_paths, in_a_copy)
{
	struct place place;
	char expected[256];
	pid_t pid;
	int status;

	need_root();
	make_place(&place, 11);
	check_told(place.confinement, questions, text_for(11, expected, sizeof(expected)));
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		check_told(place.confinement, questions, text_for(11, expected, sizeof(expected)));
		_exit(0);
	}
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
}

/* Confined processes are stopped, watched and read as others are. */
SCENARIO(confine_paths, capture)
{
	struct pidring_captured captured = { .size = sizeof(captured) };
	struct place place;
	struct pidring_options options;

	need_root();
	make_place(&place, 2);
	options = (struct pidring_options){ .size = sizeof(options),
		                            .argv = (const char *[]){ "sh", "-c", "echo $$; exit 5", NULL },
		                            .confinement = &place.confinement };
	check_int(pidring_capture(&captured, &options, NULL), 0);
	check_text(captured.output.data, "1\n");
	check_int(captured.record.code, 5);
	pidring_captured_release(&captured);
}

/* An ordinary user's many, each with a user namespace whose maps this process writes. */
SCENARIO(confine_paths, many_of_an_ordinary_user)
{
	enum { COUNT = 24 };
	struct pidring *engine = open_engine();
	struct pidring_process *processes[COUNT];
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces =
		                                           PIDRING_NAMESPACE_USER | PIDRING_NAMESPACE_PID,
		                                   .set_user = true };

	need_user_namespaces();
	become_ordinary();
	for (int i = 0; i < COUNT; i++)
		processes[i] = new_process(
			engine,
			(struct pidring_options){ .argv = (const char *[]){ "sh", "-c", "exit $$", NULL },
		                                  .asynchronous = i % 2,
		                                  .confinement = &confinement });
	check_int(pidring_start_many(processes, COUNT), COUNT);
	for (int i = 0; i < COUNT; i++)
		check_int(finish(processes[i]), 1);
	close_engine(engine);
}
