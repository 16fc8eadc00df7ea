/* SPDX-License-Identifier: MIT */
/* Which path children come to be by, and whether the features and the object tell the truth about it. */
#define _GNU_SOURCE
#include "birth_helpers.h"

#include <pthread.h>
#include <sys/utsname.h>

static const char *forced_clone(void)
{
	const char *value = getenv("PIDRING_CLONE");

	return value == NULL ? "" : value;
}

static void *wait_in_thread(void *latch)
{
	latch_wait(latch);
	return NULL;
}

/* From now on libc knows this process as one that had threads. */
static void become_threaded(pthread_t *ret_thread, struct latch *latch)
{
	*latch = latch_open();
	check_int(pthread_create(ret_thread, NULL, wait_in_thread, latch), 0);
}

static void become_single(pthread_t thread, struct latch *latch)
{
	latch_release(latch);
	check_int(pthread_join(thread, NULL), 0);
	latch_close(latch);
}

static enum pidring_birth birth_of_program(struct pidring *engine)
{
	struct pidring_process *process = start_program(engine, "true", NULL);
	enum pidring_birth birth = pidring_process_birth(process);

	check_int(finish(process), 0);
	return birth;
}

static bool kernel_is_at_least(int major, int minor)
{
	struct utsname name;
	int found[2] = { 0, 0 };

	check_int(uname(&name), 0);
	check_int(sscanf(name.release, "%d.%d", &found[0], &found[1]), 2);
	return found[0] > major || (found[0] == major && found[1] >= minor);
}

/* What the features promise is what happens, before and after a first thread. */
SCENARIO(births, features_tell_the_truth)
{
	struct pidring *engine = open_engine();
	struct pidring_features features = features_of(engine);
	struct latch latch;
	pthread_t thread;

	check_int(birth_of_program(engine), features.program_birth);
	check_int(birth_of_function(engine, false), features.function_birth);
	become_threaded(&thread, &latch);
	features = features_of(engine);
	check_int(features.function_birth, PIDRING_BIRTH_FORK);
	check_int(birth_of_program(engine), features.program_birth);
	check_int(birth_of_function(engine, false), PIDRING_BIRTH_FORK);
	become_single(thread, &latch);
	close_engine(engine);
}

/* With nothing forced, on a kernel that has everything, the fast paths are the ones taken. */
SCENARIO(births, fast_paths)
{
	struct pidring *engine = open_engine();

	if (forced_clone()[0] != '\0' || is_small() || !kernel_is_at_least(6, 15)) {
		close_engine(engine);
		skip("the environment does not leave the choice free");
	}
	check_int(features_of(engine).program_birth, PIDRING_BIRTH_CLONE_VM);
	check_int(birth_of_program(engine), PIDRING_BIRTH_CLONE_VM);
	check_int(birth_of_function(engine, false), PIDRING_BIRTH_CLONE);
	check(features_of(engine).close_range);
	check(features_of(engine).clear_signal_handlers);
	check(features_of(engine).exit_information);
	close_engine(engine);
}

/* PIDRING_CLONE=vfork and =fork force their paths. */
SCENARIO(births, forced_paths)
{
	struct pidring *engine = open_engine();

	if (strcmp(forced_clone(), "vfork") == 0) {
		check_int(birth_of_program(engine), PIDRING_BIRTH_CLONE_VFORK);
	} else if (strcmp(forced_clone(), "fork") == 0) {
		check_int(birth_of_program(engine), PIDRING_BIRTH_FORK_EXEC);
		check_int(birth_of_function(engine, false), PIDRING_BIRTH_FORK);
	} else {
		close_engine(engine);
		skip("nothing is forced");
	}
	close_engine(engine);
}

/* An object has no birth before its start, and keeps it after its end. */
SCENARIO(births, birth_belongs_to_the_object)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = new_function(engine, return_zero, NULL);
	enum pidring_birth birth;

	check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
	check_int(pidring_process_start(process), 0);
	birth = pidring_process_birth(process);
	check(birth != PIDRING_BIRTH_NONE);
	check_int(join_code(process), 0);
	check_int(pidring_process_birth(process), birth);
	pidring_process_free(process);
	close_engine(engine);
}
