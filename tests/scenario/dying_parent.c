/* SPDX-License-Identifier: MIT */
/* A main program that has a child and dies: see dying_parent.h. */
#define _GNU_SOURCE
#include "dying_parent.h"

#include <spawn.h>
#include <sys/prctl.h>

extern char **environ;

/* --- the side of the parent and its child --- */

static void report_signal(int signal_number)
{
	char text[] = "signal 00\n";

	text[7] = (char)('0' + signal_number / 10);
	text[8] = (char)('0' + signal_number % 10);
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(0);
}

void say(const char *line)
{
	size_t length = strlen(line);

	check_int(write(STDOUT_FILENO, line, length), length);
}

int answer_for_ever(void *argument)
{
	struct sigaction action = { .sa_handler = report_signal };
	char byte;

	(void)argument;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	say("ready\n");
	while (read(STDIN_FILENO, &byte, 1) == 1)
		say("alive\n");
	return 0;
}

/* --- the side of the scenario --- */

struct parent start_parent(const char *name, const char *mode)
{
	char *argv[] = { (char *)own_path(), "--sub", (char *)name, (char *)mode, NULL };
	posix_spawn_file_actions_t actions;
	struct parent parent;
	int to[2];
	int from[2];

	/* What the parent leaves behind becomes this process's, so that its end can be looked at. */
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	open_pipe(to);
	open_pipe(from);
	check_int(posix_spawn_file_actions_init(&actions), 0);
	check_int(posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO), 0);
	check_int(posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO), 0);
	check_int(posix_spawn(&parent.pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	parent.to = to[1];
	parent.from = from[0];
	return parent;
}

void read_line(int descriptor, char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		check(length + 1 < size);
		check_int(read(descriptor, line + length, 1), 1);
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = '\0';
}

void expect_line(struct parent *parent, const char *expected)
{
	char line[128];

	read_line(parent->from, line, sizeof(line));
	check_text(line, expected);
}

void expect_started_and_ready(struct parent *parent)
{
	char lines[2][128];

	read_line(parent->from, lines[0], sizeof(lines[0]));
	read_line(parent->from, lines[1], sizeof(lines[1]));
	if (strcmp(lines[0], "ready") == 0) {
		check_text(lines[1], "started");
	} else {
		check_text(lines[0], "started");
		check_text(lines[1], "ready");
	}
}

void expect_alive(struct parent *parent)
{
	for (int i = 0; i < 3; i++) {
		check_int(write(parent->to, "?", 1), 1);
		expect_line(parent, "alive");
	}
}

void reap_orphans(void)
{
	int status;

	while (waitpid(-1, &status, 0) > 0)
		check(!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILED);
	check_int(errno, ECHILD);
}

void expect_silence(struct parent *parent)
{
	check_text(read_all(parent->from), "");
	reap_orphans();
}

void reap_parent(struct parent *parent)
{
	int status;

	check_int(waitpid(parent->pid, &status, 0), parent->pid);
	check(!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILED);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		skip("the parent could not do it here");
}

void end_parent(struct parent *parent, int signal_number)
{
	check_int(kill(parent->pid, signal_number), 0);
	reap_parent(parent);
}

void close_parent(struct parent *parent)
{
	close(parent->to);
	close(parent->from);
}
