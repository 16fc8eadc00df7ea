/* SPDX-License-Identifier: MIT */
/* A server's child has the place, the users, the power and the session of the moment of its start. */
#define _GNU_SOURCE
#include "servers.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* --- place --- */

static int look_at_the_place(void *argument)
{
	const char *expected = argument;
	char directory[4096];
	sigset_t mask;

	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, expected);
	check_int(umask(0), 0135);
	check_int(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP && (i < 32 || i >= SIGRTMIN) && i <= SIGRTMAX)
			if (sigismember(&mask, i) != (i == SIGUSR2 || i == SIGRTMAX))
				fail("signal %d is in the mask: %d", i, sigismember(&mask, i));
	check_int(getpgrp(), getpgid(getppid()));
	check_int(getsid(0), getsid(getppid()));
	return 0;
}

/* Working directory, umask, signal mask, process group: as they are at the start. */
static void check_place(struct pidring *engine)
{
	char directory[] = "/tmp/pidring-place-XXXXXX";
	sigset_t mask;

	check(mkdtemp(directory) != NULL);
	check_int(chdir(directory), 0);
	umask(0135);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMAX);
	check_int(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
	check_int(setpgid(0, 0), 0);
	check_int(finish(start_served(engine, look_at_the_place, directory, sizeof(directory))), 0);
	check_int(chdir("/"), 0);
	check_int(rmdir(directory), 0);
	check_int(finish(start_served(engine, look_at_the_place, "/", 2)), 0);
}

SCENARIO(forkserver_now, place)
{
	struct pidring *engine = open_served();

	check_place(engine);
	close_engine(engine);
}

/* The same in children that were parked before. */
SCENARIO(parked, place)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_place(engine);
	close_engine(engine);
}

static int go_elsewhere(void *argument)
{
	(void)argument;
	check_int(chdir("/"), 0);
	umask(0777);
	close(STDOUT_FILENO);
	return 0;
}

/* What a child does to its directory, umask and descriptors is its own affair. */
SCENARIO(forkserver_now, changes_stay_in_the_child)
{
	char before[4096], after[4096];
	mode_t mask = umask(022);
	struct pidring *engine = open_parked(1);

	check(getcwd(before, sizeof(before)) != NULL);
	for (int i = 0; i < 4; i++)
		check_int(finish(start_served(engine, go_elsewhere, NULL, 0)), 0);
	check(getcwd(after, sizeof(after)) != NULL);
	check_text(after, before);
	check_int(umask(mask), 022);
	check(descriptor_is_open(STDOUT_FILENO));
	close_engine(engine);
}

static int look_at_the_options(void *argument)
{
	char directory[4096];

	check(getcwd(directory, sizeof(directory)) != NULL);
	check_text(directory, "/tmp");
	check_int(umask(0), 0123);
	if (*(char *)argument == 's')
		check_int(getsid(0), getpid());
	check_int(getpgrp(), getpid());
	return 0;
}

/* The options of the place: directory, umask, session, group. */
SCENARIO(forkserver_now, options_of_the_place)
{
	struct pidring *engine = open_parked(1);
	struct pidring_options options = { .target = look_at_the_options,
		                           .argument = (void *)"g",
		                           .argument_length = 1,
		                           .working_directory = "/tmp",
		                           .set_umask = true,
		                           .umask = 0123,
		                           .new_group = true,
		                           .start_method = PIDRING_FORKSERVER };

	check_int(finish(start_process(engine, options)), 0);
	options.argument = (void *)"s";
	options.new_group = false;
	options.new_session = true;
	check_int(finish(start_process(engine, options)), 0);
	close_engine(engine);
}

/* A directory that is not there: the step is told, and nothing is left. */
SCENARIO(forkserver_now, missing_directory)
{
	struct pidring *engine = open_parked(1);
	struct pidring_failure failure;
	struct pidring_process *process =
		new_process(engine, (struct pidring_options){ .target = return_zero,
	                                                      .working_directory = "/tmp/pidring/none",
	                                                      .start_method = PIDRING_FORKSERVER });

	check_int(pidring_process_start(process), -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_WORKING_DIRECTORY);
	check_contains(failure.sentence, "/tmp/pidring/none");
	pidring_process_free(process);
	check_still_serves(engine);
	close_engine(engine);
}

/* --- users, groups, capabilities, sessions --- */

struct identity {
	uid_t users[3];
	gid_t groups[3];
	int group_count;
	gid_t supplementary[8];
	uint32_t effective, permitted;
	pid_t session, group;
};

static struct identity own_identity(void)
{
	struct identity identity = { 0 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	check_int(getresuid(&identity.users[0], &identity.users[1], &identity.users[2]), 0);
	check_int(getresgid(&identity.groups[0], &identity.groups[1], &identity.groups[2]), 0);
	identity.group_count = getgroups(8, identity.supplementary);
	check(identity.group_count >= 0);
	check_int(syscall(SYS_capget, &header, data), 0);
	identity.effective = data[0].effective;
	identity.permitted = data[0].permitted;
	identity.session = getsid(0);
	identity.group = getpgrp();
	return identity;
}

static int look_at_identity(void *argument)
{
	struct identity own = own_identity();

	check_int(pidring_argument_length(), sizeof(own));
	check(memcmp(argument, &own, sizeof(own)) == 0);
	return 0;
}

static void check_identities(struct pidring *engine)
{
	struct identity own = own_identity();
	const char *text;

	for (int i = 0; i < 4; i++)
		check_int(finish(start_served(engine, look_at_identity, &own, sizeof(own))), 0);
	text = output_of(engine,
	                 (struct pidring_options){ .argv = (const char *[]){ "id", "-u", NULL },
	                                           .start_method = PIDRING_FORKSERVER },
	                 NULL);
	check_int(atoi(text), geteuid());
}

static void drop_capability(int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint32_t bit = (uint32_t)1 << number;

	check_int(syscall(SYS_capget, &header, data), 0);
	data[0].effective &= ~bit;
	data[0].permitted &= ~bit;
	data[0].inheritable &= ~bit;
	check_int(syscall(SYS_capset, &header, data), 0);
}

/* Users, groups and capabilities that were changed after the server was made: children have the new ones, never the old,
 * parked or not. */
SCENARIO(forkserver_now, credentials)
{
	const gid_t groups[] = { 1234, 1235 };
	struct pidring *engine;

	if (geteuid() != 0)
		skip("only root can change all of these");
	engine = open_parked(3);
	wait_parked(engine, 3);
	check_identities(engine);
	check_int(setgroups(2, groups), 0);
	check_identities(engine);
	wait_parked(engine, 1);
	drop_capability(CAP_SYS_ADMIN);
	check_identities(engine);
	check_int(setegid(1234), 0);
	check_identities(engine);
	wait_parked(engine, 1);
	check_int(setresgid(1234, 1234, 1234), 0);
	check_identities(engine);
	check_int(seteuid(1000), 0);
	check_identities(engine);
	check_int(seteuid(0), 0);
	check_identities(engine);
	check_int(setresuid(1000, 1000, 1000), 0);
	check_identities(engine);
	close_engine(engine);
}

static int look_at_privileges(void *argument)
{
	(void)argument;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

/* What forbids new privileges forbids them to children from then on. */
SCENARIO(forkserver_now, no_new_privileges)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_int(finish(start_served(engine, look_at_privileges, NULL, 0)), 0);
	check_int(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	for (int i = 0; i < 4; i++)
		check_int(finish(start_served(engine, look_at_privileges, NULL, 0)), 1);
	close_engine(engine);
}

static int change_session(void *argument)
{
	struct pidring *engine = open_parked(2);

	(void)argument;
	wait_parked(engine, 2);
	check_identities(engine);
	check_int(setsid(), getpid());
	check_identities(engine);
	close_engine(engine);
	return 0;
}

/* A session that was begun after the server was made is the children's, too; a process group as well. */
SCENARIO(forkserver_now, session_and_group)
{
	struct pidring *engine = open_parked(2);

	wait_parked(engine, 2);
	check_identities(engine);
	check_int(setpgid(0, 0), 0);
	check_identities(engine);
	/* In a process that leads no group yet. */
	check_int(finish(start_function(engine, change_session, NULL)), 0);
	close_engine(engine);
}
