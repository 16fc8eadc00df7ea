/* SPDX-License-Identifier: MIT */
/* Many confined starts: at once, one after another, from several threads. Each has its own place. */
#define _GNU_SOURCE
#include "confined_place.h"

#include <pthread.h>

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
			engine, asking(kind, place_questions,
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
		check_text(text, place_text(i, expected, sizeof(expected)));
		pidring_process_free(processes[i]);
	}
}

SCENARIO(confine_many, start_many)
{
	struct pidring *engine = open_engine();

	need_root();
	check_many(engine, 32, false);
	check_many(engine, 32, true);
	close_engine(engine);
}

/* Some of them cannot be: the others are started. */
SCENARIO(confine_many, start_many_with_failures)
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

SCENARIO(confine_many, two_hundred)
{
	struct pidring *engine = open_engine();
	int rounds = small_or_normal(20, 200);
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

SCENARIO(confine_many, from_a_thread)
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
SCENARIO(confine_many, from_many_threads)
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
SCENARIO(confine_many, function_of_a_threaded_process)
{
	struct pidring_mount mount = { .target = "/mnt", .type = "tmpfs" };
	struct latch latch = latch_open();
	struct place place;
	char expected[256];
	pthread_t thread;

	need_root();
	make_place(&place, 7);
	check_int(pthread_create(&thread, NULL, wait_in_thread, &latch), 0);
	check_told(place.confinement, place_questions, place_text(7, expected, sizeof(expected)));
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

/* An ordinary user's many, each with a user namespace whose maps this process writes. */
SCENARIO(confine_many, many_of_an_ordinary_user)
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
