/* SPDX-License-Identifier: MIT */
/* What a function child knows of its parent while that lives, and how it learns of its end. */
#define _GNU_SOURCE
#include "dying_parent.h"

/* --- a living parent --- */

struct knowledge {
	pid_t parent_pid;
};

static int look_at_parent(void *argument)
{
	struct knowledge *knowledge = argument;
	struct pidring_process *parent = pidring_parent_process();
	int64_t begin;
	int code;

	check(parent != NULL);
	check(parent == pidring_parent_process());
	check_text(name_of(parent), "MainProcess");
	check_int(pidring_process_pid(parent), knowledge->parent_pid);
	check_int(pidring_process_pid(parent), getppid());
	check_int(pidring_process_identity(parent, NULL, 0), 0);
	check_int(pidring_process_daemon(parent), 0);
	check_int(pidring_process_is_alive(parent), 1);
	check_int(pidring_process_join(parent, 0), -ETIMEDOUT);
	check_int(pidring_process_join(parent, -1), -ETIMEDOUT);
	begin = now();
	check_int(pidring_process_join(parent, 20 * MILLISECONDS), -ETIMEDOUT);
	check(now() - begin >= 20 * MILLISECONDS);
	check(pidring_process_sentinel(parent) >= 0);
	check(!is_readable(pidring_process_sentinel(parent)));
	check_int(pidring_process_exit_code(parent, &code), -EAGAIN);
	check_int(pidring_process_terminate(parent), -EPERM);
	check_int(pidring_process_kill(parent), -EPERM);
	check_int(pidring_process_start(parent), -ECHILD);
	return 0;
}

/* A function child knows its living parent by name, pid and sentinel, and may not signal it. */
SCENARIO(parent_seen, living_parent)
{
	struct pidring *engine = open_engine();
	struct knowledge knowledge = { .parent_pid = getpid() };

	check(pidring_parent_process() == NULL);
	check_int(finish(start_function(engine, look_at_parent, &knowledge)), 0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = look_at_parent,
	                                                                 .argument = &knowledge,
	                                                                 .libc_fork = true })),
	          0);
	close_engine(engine);
}

/* --- its end --- */

/* Joins the parent for ever and then looks at what is left of it. */
static int wait_for_end_of_parent(void *argument)
{
	struct pidring_process *parent = pidring_parent_process();
	pid_t recorded = pidring_process_pid(parent);
	int code;

	(void)argument;
	check_int(recorded, getppid());
	say("ready\n");
	check_int(pidring_process_join(parent, PIDRING_FOREVER), 0);
	check_int(pidring_process_is_alive(parent), 0);
	check_int(pidring_process_join(parent, PIDRING_FOREVER), 0);
	check_int(pidring_process_join(parent, 0), 0);
	check(is_readable(pidring_process_sentinel(parent)));
	check_int(pidring_process_pid(parent), recorded);
	check_int(pidring_process_exit_code(parent, &code), -EAGAIN);
	check_text(name_of(parent), "MainProcess");
	say("parent gone\n");
	return 0;
}

SUBPROGRAM(parent_death_observed)
{
	struct pidring *engine = open_engine();
	struct pidring_options options = { .target = wait_for_end_of_parent };

	options.libc_fork = argc == 2 && strcmp(argv[1], "libc") == 0;
	start_process(engine, options);
	return sleep_forever(NULL);
}

static void check_end_is_seen(const char *mode)
{
	struct parent parent = start_parent("parent_death_observed", mode);

	expect_line(&parent, "ready");
	check_int(kill(parent.pid, SIGKILL), 0);
	expect_line(&parent, "parent gone");
	reap_parent(&parent);
	expect_silence(&parent);
	close_parent(&parent);
}

/* A join of the parent comes back at its end, also before anybody has reaped it, and its object stays as it
 * was. */
SCENARIO(parent_seen, end_of_the_parent)
{
	check_end_is_seen("raw");
	check_end_is_seen("libc");
}

/* A sibling that was started later does not keep the parent alive in the eyes of the first. */
SUBPROGRAM(parent_death_with_sibling)
{
	struct pidring *engine = open_engine();

	start_function(engine, wait_for_end_of_parent, NULL);
	start_process(engine, (struct pidring_options){ .target = answer_for_ever,
	                                                .stdin_to = PIDRING_STREAM_INHERIT });
	return sleep_forever(NULL);
}

/* The end of the parent is seen while a later sibling lives on. */
SCENARIO(parent_seen, sibling_hides_nothing)
{
	struct parent parent = start_parent("parent_death_with_sibling", NULL);

	expect_line(&parent, "ready");
	expect_line(&parent, "ready");
	end_parent(&parent, SIGKILL);
	expect_line(&parent, "parent gone");
	expect_alive(&parent);
	close(parent.to);
	expect_silence(&parent);
	close(parent.from);
}
