/* SPDX-License-Identifier: MIT */
/* A program whose execve waits until it is let go. */
#define _GNU_SOURCE
#include "scenario.h"

struct slow_program make_slow_program(void)
{
	struct slow_program program = { .directory = "/tmp/pidring-slow-XXXXXX" };

	check(signal(SIGIO, SIG_IGN) != SIG_ERR); /* the kernel's word that somebody wants the file */
	check(mkdtemp(program.directory) != NULL);
	snprintf(program.path, sizeof(program.path), "%s/slow", program.directory);
	check(copy_file("/bin/true", program.path));
	program.lease = open(program.path, O_RDONLY | O_CLOEXEC);
	check(program.lease >= 0);
	if (fcntl(program.lease, F_SETLEASE, F_WRLCK) < 0) {
		unlink(program.path);
		rmdir(program.directory);
		skip("files cannot be leased here");
	}
	return program;
}

static void skip_if_suspended(void)
{
	struct pidring *engine = open_engine();
	enum pidring_birth birth = features_of(engine).program_birth;

	close_engine(engine);
	if (birth == PIDRING_BIRTH_CLONE_VFORK)
		skip("on this path the caller is suspended until execve");
}

struct slow_program make_slow_program_unless_suspended(void)
{
	skip_if_suspended();
	return make_slow_program();
}

void let_go(struct slow_program *program)
{
	check_int(fcntl(program->lease, F_SETLEASE, F_UNLCK), 0);
	check_int(close(program->lease), 0);
}

void remove_slow_program(struct slow_program *program)
{
	check_int(unlink(program->path), 0);
	check_int(rmdir(program->directory), 0);
}
