/* SPDX-License-Identifier: MIT */
/* Starts that fail leave the object as it was, and tell the step. */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/prctl.h>

static struct pidring *engine;

static void check_is_initial(struct pidring_process *process)
{
	int code;

	check_int(pidring_process_pid(process), -ESRCH);
	check_int(pidring_process_sentinel(process), -ESRCH);
	check_int(pidring_process_join(process, 0), -ESRCH);
	check_int(pidring_process_is_alive(process), 0);
	check_int(pidring_process_exit_code(process, &code), -EAGAIN);
	check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
	check_int(pidring_active_children(NULL, 0), 0);
	check_contains(describe(process), " initial>");
	check_int(pidring_outstanding(engine), 0);
}

/* A start that fails leaves the object as it was, with no descriptor; it can be started later. */
SCENARIO(start_failures, failure_rolls_back)
{
	char directory[] = "/tmp/pidring-XXXXXX";
	char program[64];
	struct pidring_failure failure;
	struct pidring_process *process;
	int descriptors;

	check(mkdtemp(directory) != NULL);
	snprintf(program, sizeof(program), "%s/program", directory);
	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ program, NULL } });
	check_int(pidring_process_failure(process, &failure), -ENODATA);
	descriptors = count_descriptors();
	for (int i = 0; i < 3; i++) {
		check_int(pidring_process_start(process), -ENOENT);
		check_is_initial(process);
	}
	check_int(count_descriptors(), descriptors);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.error, ENOENT);
	check_contains(failure.sentence, program);
	check_int(symlink("/bin/true", program), 0);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_failure(process, &failure), -ENODATA);
	check_int(finish(process), 0);
	close_engine(engine);
	unlink(program);
	rmdir(directory);
}

static void check_start_without_descriptors(struct pidring_options options)
{
	struct pidring_process *process = new_process(engine, options);
	struct rlimit limit, none;
	int result;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = pidring_process_start(process);
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(result, -EMFILE);
	check_is_initial(process);
	check_int(waitpid(-1, NULL, WNOHANG), -1);
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 0);
}

/* Without a descriptor for the sentinel there is no child, and nothing is left of the attempt. */
SCENARIO(start_failures, no_descriptor_left)
{
	int descriptors;

	engine = open_engine();
	descriptors = count_descriptors();
	check_start_without_descriptors((struct pidring_options){ .target = return_zero });
	check_start_without_descriptors(
		(struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL } });
	check_int(count_descriptors(), descriptors);
	close_engine(engine);
}

static void check_start_without_processes(struct pidring_options options)
{
	struct pidring_process *process = new_process(engine, options);
	struct pidring_failure failure;

	check_int(pidring_process_start(process), -EAGAIN);
	check_is_initial(process);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_CLONE);
	check_int(failure.error, EAGAIN);
	pidring_process_free(process);
}

/* The limit of processes makes a start fail with -EAGAIN and leaves nothing behind. */
SCENARIO(start_failures, process_limit)
{
	struct rlimit limit, none;

	engine = open_engine();
	/* The limit does not hold for root. The user change makes /proc/self unreadable unless told
	 * otherwise. */
	if (getuid() == 0)
		check_int(setresuid(65534, 65534, 65534), 0);
	check_int(prctl(PR_SET_DUMPABLE, 1), 0);
	check_int(getrlimit(RLIMIT_NPROC, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	check_int(setrlimit(RLIMIT_NPROC, &none), 0);
	check_start_without_processes((struct pidring_options){ .target = return_zero });
	check_start_without_processes(
		(struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL } });
	check_int(setrlimit(RLIMIT_NPROC, &limit), 0);
	close_engine(engine);
}

/* A function's working directory that is not there makes the start fail in that step. */
SCENARIO(start_failures, function_child_needs_its_directory)
{
	struct pidring_process *process;
	struct pidring_failure failure;

	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .target = return_zero,
	                                                        .working_directory = "/no/such/place" });
	check_int(pidring_process_start(process), -ENOENT);
	check_is_initial(process);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	check_contains(failure.sentence, "/no/such/place");
	pidring_process_free(process);
	close_engine(engine);
}

/* Steps have names; a number that is none has one too. */
SCENARIO(start_failures, steps_have_names)
{
	for (int step = PIDRING_STEP_NONE; step <= PIDRING_STEP_INTERPRETER; step++) {
		const char *name = pidring_step_name((enum pidring_step)step);

		check(name != NULL && name[0] != '\0');
		for (int other = PIDRING_STEP_NONE; other < step; other++)
			check(strcmp(name, pidring_step_name((enum pidring_step)other)) != 0);
	}
	check_text(pidring_step_name(PIDRING_STEP_WORKING_DIRECTORY), "working directory");
	check(pidring_step_name((enum pidring_step)1000) != NULL);
}
