/* SPDX-License-Identifier: MIT */
#include "scenario.h"

/* Nothing is started and no descriptor is taken by the construction of a process. */
SCENARIO(construction, starts_nothing)
{
	struct pidring *engine = open_engine();
	int descriptors = count_descriptors();
	struct pidring_process *process = new_function(engine, return_zero, NULL);

	check_int(count_descriptors(), descriptors);
	check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
	check_int(pidring_process_pid(process), -ESRCH);
	check_int(pidring_process_is_alive(process), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	check_int(waitpid(-1, NULL, WNOHANG), -1);
	pidring_process_free(process);
	close_engine(engine);
}

/* Options may be left out altogether. */
SCENARIO(construction, options_may_be_null)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = NULL;

	check_int(pidring_process_new(&process, engine, NULL), 0);
	check_text(name_of(process), "Process-1");
	check_int(pidring_process_daemon(process), 0);
	check(pidring_process_user_data(process) == NULL);
	pidring_process_free(process);
	close_engine(engine);
}

/* A place for the result and an engine are needed. */
SCENARIO(construction, needs_engine_and_result)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = NULL;

	check_int(pidring_process_new(NULL, engine, NULL), -EINVAL);
	check_int(pidring_process_new(&process, NULL, NULL), -EINVAL);
	check(process == NULL);
	check_int(pidring_open(NULL, NULL), -EINVAL);
	close_engine(engine);
}

/* A construction that fails writes nothing to the result. */
SCENARIO(construction, failure_leaves_the_result_alone)
{
	struct pidring *engine = open_engine();
	int anything = 0;
	struct pidring_process *process = (struct pidring_process *)&anything;
	struct pidring_options bad = { .size = sizeof(bad), .daemon = 5 };

	check_int(pidring_process_new(&process, engine, &bad), -EINVAL);
	check(process == (struct pidring_process *)&anything);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

/* Live objects are counted, but not the current process. */
SCENARIO(construction, live_objects_are_counted)
{
	struct pidring *engine = open_engine();
	struct pidring_process *first, *second;

	check(pidring_current_process() != NULL);
	check_int(pidring_live_objects(), 0);
	first = new_function(engine, return_zero, NULL);
	second = new_function(engine, return_zero, NULL);
	check_int(pidring_live_objects(), 2);
	pidring_process_free(first);
	check_int(pidring_live_objects(), 1);
	check_int(pidring_process_close(second), 0);
	check_int(pidring_live_objects(), 1);
	pidring_process_free(second);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

/* Closing no engine and freeing no process do nothing. */
SCENARIO(construction, null_can_be_closed_and_freed)
{
	struct pidring *no_engine = NULL;
	struct pidring_process *no_process = NULL;

	check_int(pidring_close(NULL), 0);
	pidring_process_free(NULL);
	pidring_closep(&no_engine);
	pidring_process_freep(&no_process);
}

/* Every function that takes a process answers -EINVAL to none. */
SCENARIO(construction, no_process_is_refused_everywhere)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct pidring_failure failure;
	unsigned number;
	char text[8];
	int code;

	check_int(pidring_process_start(NULL), -EINVAL);
	check_int(pidring_process_run(NULL, &code), -EINVAL);
	check_int(pidring_process_join(NULL, 0), -EINVAL);
	check_int(pidring_process_failure(NULL, &failure), -EINVAL);
	check_int(pidring_process_signal(NULL, SIGTERM), -EINVAL);
	check_int(pidring_process_terminate(NULL), -EINVAL);
	check_int(pidring_process_kill(NULL), -EINVAL);
	check_int(pidring_process_is_alive(NULL), -EINVAL);
	check_int(pidring_process_pid(NULL), -EINVAL);
	check_int(pidring_process_sentinel(NULL), -EINVAL);
	check_int(pidring_process_exit_code(NULL, &code), -EINVAL);
	check_int(pidring_process_exit_record(NULL, &record), -EINVAL);
	check_int(pidring_process_name(NULL, text, sizeof(text)), -EINVAL);
	check_int(pidring_process_set_name(NULL, "name"), -EINVAL);
	check_int(pidring_process_describe(NULL, text, sizeof(text)), -EINVAL);
	check_int(pidring_process_identity(NULL, &number, 1), -EINVAL);
	check_int(pidring_process_parent_pid(NULL), -EINVAL);
	check_int(pidring_process_daemon(NULL), -EINVAL);
	check_int(pidring_process_set_daemon(NULL, true), -EINVAL);
	check_int(pidring_process_authkey(NULL, text, sizeof(text)), -EINVAL);
	check_int(pidring_process_set_authkey(NULL, "key", 3), -EINVAL);
	check_int(pidring_process_set_user_data(NULL, text), -EINVAL);
	check(pidring_process_user_data(NULL) == NULL);
}

/* Every function that takes an engine answers -EINVAL to none. */
SCENARIO(construction, no_engine_is_refused_everywhere)
{
	struct pidring_features features = { .size = sizeof(features) };
	struct pidring_event event;

	check_int(pidring_wait(NULL, &event, 1, 0), -EINVAL);
	check_int(pidring_wait_interruptible(NULL, &event, 1, 0, NULL), -EINVAL);
	check_int(pidring_fd(NULL), -EINVAL);
	check_int(pidring_outstanding(NULL), -EINVAL);
	check_int(pidring_features(NULL, &features), -EINVAL);
}

/* User data is handed on as it is and can be changed. */
SCENARIO(construction, user_data_comes_back)
{
	struct pidring *engine = open_engine();
	int one, two;
	struct pidring_process *process = new_process(engine, (struct pidring_options){ .user_data = &one });

	check(pidring_process_user_data(process) == &one);
	check_int(pidring_process_set_user_data(process, &two), 0);
	check(pidring_process_user_data(process) == &two);
	check_int(pidring_process_close(process), 0);
	check(pidring_process_user_data(process) == &two);
	pidring_process_free(process);
	close_engine(engine);
}

/* A process records the pid of the one that constructed it; the main process has no such pid. */
SCENARIO(construction, parent_pid_is_recorded)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = new_function(engine, return_zero, NULL);

	check_int(pidring_process_parent_pid(process), getpid());
	check_int(pidring_process_parent_pid(pidring_current_process()), 0);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_parent_pid(process), getpid());
	pidring_process_free(process);
	close_engine(engine);
}

/* An engine takes at most ten descriptors, all of them close-on-exec, and gives them all back. */
SCENARIO(construction, engine_takes_few_descriptors)
{
	int before = count_descriptors();
	bool open_before[256];
	struct pidring *engine;

	for (int descriptor = 0; descriptor < 256; descriptor++)
		open_before[descriptor] = descriptor_is_open(descriptor);
	engine = open_engine();
	check(pidring_fd(engine) >= 0);
	check(!open_before[pidring_fd(engine)]);
	check(count_descriptors() - before <= 11);
	for (int descriptor = 0; descriptor < 256; descriptor++)
		if (descriptor_is_open(descriptor) && !open_before[descriptor])
			check_int(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
	close_engine(engine);
	check_int(count_descriptors(), before);
}

/* Several engines live side by side. */
SCENARIO(construction, engines_are_independent)
{
	struct pidring *first = open_engine();
	struct pidring *second = open_engine();

	check(first != second);
	check(pidring_fd(first) != pidring_fd(second));
	close_engine(first);
	check_int(pidring_outstanding(second), 0);
	close_engine(second);
}

/* The version is that of the header. */
SCENARIO(construction, version_is_the_headers)
{
	char text[32];

	snprintf(text, sizeof(text), "%d.%d.%d", PIDRING_VERSION_MAJOR, PIDRING_VERSION_MINOR,
	         PIDRING_VERSION_PATCH);
	check_text(pidring_version(), text);
}

/* Using the library leaves the host's SIGCHLD disposition and signal mask as they were. */
SCENARIO(construction, signals_of_the_host_are_left_alone)
{
	struct sigaction before, after;
	sigset_t mask_before, mask_after;
	struct pidring *engine;

	sigaction(SIGCHLD, NULL, &before);
	sigprocmask(SIG_SETMASK, NULL, &mask_before);
	engine = open_engine();
	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(finish(start_program(engine, "/bin/true", NULL)), 0);
	close_engine(engine);
	sigaction(SIGCHLD, NULL, &after);
	sigprocmask(SIG_SETMASK, NULL, &mask_after);
	check(before.sa_handler == after.sa_handler);
	for (int number = 1; number < NSIG; number++)
		check_int(sigismember(&mask_after, number), sigismember(&mask_before, number));
}
