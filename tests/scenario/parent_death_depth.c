/* SPDX-License-Identifier: MIT */
/* The child of a child is tied to its own parent, not to the main process. */
#define _GNU_SOURCE
#include "dying_parent.h"

struct depth {
	struct pidring *engine;
	struct latch ready;
	struct latch gone;
};

static int third_level(void *argument)
{
	struct depth *depth = argument;
	struct pidring_process *parent = pidring_parent_process();
	unsigned identity[4] = { 0 };

	check_int(pidring_process_identity(pidring_current_process(), identity, 4), 3);
	check(identity[0] == 1 && identity[1] == 1 && identity[2] == 1);
	check_text(name_of(pidring_current_process()), "Process-1:1:1");
	check_text(name_of(parent), "middle");
	check_int(pidring_process_pid(parent), getppid());
	check_int(pidring_process_is_alive(parent), 1);
	latch_release(&depth->ready);
	check_int(pidring_process_join(parent, PIDRING_FOREVER), 0);
	check_int(pidring_process_is_alive(parent), 0);
	latch_release(&depth->gone);
	return 0;
}

static int second_level(void *argument)
{
	struct depth *depth = argument;

	check_text(name_of(pidring_parent_process()), "Process-1");
	start_function(depth->engine, third_level, depth);
	return sleep_forever(NULL);
}

static int first_level(void *argument)
{
	struct depth *depth = argument;
	struct pidring_process *second = start_process(
		depth->engine,
		(struct pidring_options){ .target = second_level, .argument = depth, .name = "middle" });

	latch_wait(&depth->ready);
	check_int(pidring_process_kill(second), 0);
	check_int(join_code(second), -SIGKILL);
	latch_wait(&depth->gone);
	check_int(pidring_process_is_alive(pidring_parent_process()), 1);
	return 4;
}

/* Three levels down a process sees the end of its own parent, while its grandparent lives on. */
SCENARIO(parent_death_depth, grandchild_sees_its_parent)
{
	struct depth depth = { .engine = open_engine(), .ready = latch_open(), .gone = latch_open() };
	struct pidring_process *process = start_function(depth.engine, first_level, &depth);

	check_int(finish(process), 4);
	latch_close(&depth.ready);
	latch_close(&depth.gone);
	close_engine(depth.engine);
}

static int start_a_daemon_and_die(void *argument)
{
	struct depth *depth = argument;

	start_process(depth->engine, (struct pidring_options){ .target = answer_for_ever,
	                                                       .stdin_to = PIDRING_STREAM_INHERIT,
	                                                       .daemon = PIDRING_YES });
	return sleep_forever(NULL);
}

/* The main process of a small tree: its child has a daemon and is killed when stdin says so. */
SUBPROGRAM(parent_death_tree)
{
	struct depth depth = { .engine = open_engine() };
	struct pidring_process *middle =
		start_process(depth.engine, (struct pidring_options){ .target = start_a_daemon_and_die,
	                                                              .argument = &depth,
	                                                              .stdin_to = PIDRING_STREAM_INHERIT });
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	check_int(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	say("started\n");
	check_int(sigwait(&set, &number), 0);
	kill_and_free(middle);
	say("killed\n");
	check_int(sigwait(&set, &number), 0);
	return 0;
}

/* A daemon of a function child is tied to that child, not to the main process. */
SCENARIO(parent_death_depth, daemon_of_a_child)
{
	struct parent parent = start_parent("parent_death_tree", NULL);
	char lines[2][128];

	expect_started_and_ready(&parent);
	expect_alive(&parent);
	check_int(kill(parent.pid, SIGUSR2), 0);
	read_line(parent.from, lines[0], sizeof(lines[0]));
	read_line(parent.from, lines[1], sizeof(lines[1]));
	check(strcmp(lines[0], "signal 15") == 0 || strcmp(lines[1], "signal 15") == 0);
	check(strcmp(lines[0], "killed") == 0 || strcmp(lines[1], "killed") == 0);
	end_parent(&parent, SIGUSR2);
	expect_silence(&parent);
	close_parent(&parent);
}
