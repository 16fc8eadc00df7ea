/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

/* A main process has no parent object. */
SCENARIO(parent_object, none_in_main)
{
	check(pidring_parent_process() == NULL);
}

static int look_at_parent(void *unused)
{
	struct pidring_process *parent = pidring_parent_process();
	unsigned number;
	char key[8];
	int code;

	(void)unused;
	check(parent != NULL);
	check(parent == pidring_parent_process());
	check_text(name_of(parent), "Grace");
	check_int(pidring_process_pid(parent), getppid());
	check_int(pidring_process_identity(parent, &number, 1), 0);
	check_int(pidring_process_daemon(parent), 0);
	check_int(pidring_process_parent_pid(parent), 0);
	check_int(pidring_process_exit_code(parent, &code), -EAGAIN);
	check_int(pidring_process_authkey(parent, key, sizeof(key)), -ENOKEY);
	check_int(pidring_process_set_authkey(parent, "key", 3), -EPERM);
	check_int(pidring_process_set_daemon(parent, true), -EPERM);
	check_int(pidring_process_is_alive(parent), 1);
	check_int(pidring_process_join(parent, 0), -ETIMEDOUT);
	check_int(pidring_process_join(parent, -1), -ETIMEDOUT);
	check_int(pidring_process_join(parent, MILLISECONDS), -ETIMEDOUT);
	check_int(pidring_process_start(parent), -ECHILD);
	check_int(pidring_process_terminate(parent), -EPERM);
	return 0;
}

/* A child finds name and pid of its parent, and little else can be done with it. */
SCENARIO(parent_object, what_a_child_sees)
{
	struct pidring_process *child;

	engine = open_engine();
	check_int(pidring_process_set_name(pidring_current_process(), "Grace"), 0);
	check_int(pidring_process_set_daemon(pidring_current_process(), true), 0);
	child = new_process(engine,
	                    (struct pidring_options){ .target = look_at_parent, .daemon = PIDRING_NO });
	check_int(pidring_process_set_daemon(pidring_current_process(), false), 0);
	/* The name is recorded at the construction. */
	check_int(pidring_process_set_name(pidring_current_process(), "Hopper"), 0);
	check_int(pidring_process_start(child), 0);
	check_int(finish(child), 0);
	close_engine(engine);
}

static int close_parent(void *unused)
{
	struct pidring_process *parent = pidring_parent_process();
	int code;

	(void)unused;
	check_int(pidring_process_close(parent), 0);
	check_int(pidring_process_exit_code(parent, &code), -EBADF);
	check_int(pidring_process_sentinel(parent), -EBADF);
	check_int(pidring_process_is_alive(parent), 1);
	check_int(pidring_process_join(parent, 0), -ETIMEDOUT);
	check_int(pidring_process_pid(parent), getppid());
	check_text(describe(parent), "<_ParentProcess name='MainProcess' parent=None closed>");
	check(pidring_parent_process() == parent);
	return 0;
}

/* Closing it takes exit code and sentinel away; it can still be watched. */
SCENARIO(parent_object, can_be_closed)
{
	check_in_child(close_parent, NULL);
}

static int free_parent(void *unused)
{
	struct pidring_process *parent = pidring_parent_process();
	size_t objects = pidring_live_objects();

	(void)unused;
	pidring_process_free(parent);
	check(pidring_parent_process() == parent);
	check_int(pidring_process_is_alive(parent), 1);
	check_int(pidring_live_objects(), objects);
	return 0;
}

/* It cannot be freed. */
SCENARIO(parent_object, cannot_be_freed)
{
	check_in_child(free_parent, NULL);
}

static int poll_parent(void *unused)
{
	int sentinel = pidring_process_sentinel(pidring_parent_process());

	(void)unused;
	check(sentinel >= 0);
	check(!is_readable(sentinel));
	check_int(fcntl(sentinel, F_GETFD), FD_CLOEXEC);
	return 0;
}

/* It has a sentinel, not readable while the parent runs. */
SCENARIO(parent_object, has_a_sentinel)
{
	check_in_child(poll_parent, NULL);
}

static int report_writer;
static pid_t middle_pid;

static int outlive_parent(void *unused)
{
	struct pidring_process *parent = pidring_parent_process();

	(void)unused;
	if (pidring_process_join(parent, PIDRING_FOREVER) == 0 && pidring_process_is_alive(parent) == 0 &&
	    pidring_process_join(parent, PIDRING_FOREVER) == 0 && pidring_process_join(parent, 0) == 0 &&
	    pidring_process_pid(parent) == middle_pid && is_readable(pidring_process_sentinel(parent)))
		check_int(write(report_writer, "right", 5), 5);
	else
		check_int(write(report_writer, "wrong", 5), 5);
	return 0;
}

static int start_and_die(void *unused)
{
	(void)unused;
	middle_pid = getpid();
	start_function(engine, outlive_parent, NULL);
	raise(SIGKILL);
	return 0;
}

/* A child can wait for its parent's end, again and again; the pid stays the recorded one. */
SCENARIO(parent_object, its_end_can_be_awaited)
{
	int ends[2];

	open_pipe(ends);
	report_writer = ends[1];
	engine = open_engine();
	check_int(finish(start_function(engine, start_and_die, NULL)), -SIGKILL);
	close(ends[1]);
	check_text(read_all(ends[0]), "right");
	close(ends[0]);
	close_engine(engine);
}

static int look_from_grandchild(void *unused)
{
	(void)unused;
	check_text(name_of(pidring_parent_process()), "Process-1");
	check_int(pidring_process_pid(pidring_parent_process()), getppid());
	return 0;
}

static int start_grandchild(void *unused)
{
	(void)unused;
	return finish(start_function(engine, look_from_grandchild, NULL));
}

/* The parent of a grandchild is the child. */
SCENARIO(parent_object, of_a_grandchild)
{
	engine = open_engine();
	check_int(finish(start_function(engine, start_grandchild, NULL)), 0);
	close_engine(engine);
}
