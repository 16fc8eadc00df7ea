/* SPDX-License-Identifier: MIT */
/* A no-op with less power, or in a place of its own, beside the same by hand and by the usual chain of programs. */
#include "environment.h"
#include "families.h"
#include "library.h"
#include "other.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static char *no_op[2];

static void set_up(const struct bench_row *row, enum bench_world world)
{
	no_op[0] = (char *)(uintptr_t)environment_program(row->program);
	if (world == BENCH_LIBRARY)
		(void)library_engine();
}

static void tear_down(enum bench_world world)
{
	if (world == BENCH_LIBRARY)
		library_close();
}

static int64_t measure_library(const struct pidring_confinement *confinement)
{
	int64_t start = bench_now();
	struct pidring_process *process = library_new(&(struct pidring_options){
		.size = sizeof(struct pidring_options),
		.argv = (const char *const *)no_op,
		.confinement = confinement,
	});

	library_start(process);
	library_join(process);
	library_finish(process, 0);
	return bench_now() - start;
}

static int64_t measure_chain(char *const argv[])
{
	int64_t start = bench_now();

	other_reap(other_posix_spawn(argv));
	return bench_now() - start;
}

static int64_t measure_by_hand(int (*child)(void *argument))
{
	int64_t start = bench_now();

	other_reap(other_fork_call(child, NULL));
	return bench_now() - start;
}

static const char *root_missing(const struct bench_row *row)
{
	(void)row;
	return geteuid() != 0 ? "this takes root" : NULL;
}

static const char *setpriv_missing(void)
{
	return access("/usr/bin/setpriv", X_OK) < 0 ? "there is no /usr/bin/setpriv" : NULL;
}

static const char *unshare_missing(void)
{
	return access("/usr/bin/unshare", X_OK) < 0 ? "there is no /usr/bin/unshare" : NULL;
}

/* --- another user --- */

static int64_t measure_user(void)
{
	return measure_library(&(struct pidring_confinement){
		.size = sizeof(struct pidring_confinement),
		.set_user = true,
		.user = NOBODY,
		.set_group = true,
		.group = NOBODY,
		.set_groups = true,
		.no_new_privileges = true,
	});
}

static int become_user(void *argument)
{
	(void)argument;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 1;
	(void)execve(no_op[0], no_op, environ);
	return 1;
}

static int64_t measure_user_by_hand(void)
{
	return measure_by_hand(become_user);
}

static int64_t measure_user_by_chain(void)
{
	return measure_chain((char *[]){ "/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
	                                 "--clear-groups", "--no-new-privs", no_op[0], NULL });
}

static const struct bench_contender user_contenders[] = {
	{ .name = "pidring", .measure = measure_user, .world = BENCH_LIBRARY },
	{ .name = "fork-by-hand", .measure = measure_user_by_hand, .world = BENCH_BARE },
	{ .name = "setpriv",
	  .measure = measure_user_by_chain,
	  .world = BENCH_BARE,
	  .missing = setpriv_missing },
	{ 0 },
};

/* --- no power --- */

static int64_t measure_power(void)
{
	return measure_library(&(struct pidring_confinement){
		.size = sizeof(struct pidring_confinement),
		.drop_capabilities = "all",
		.no_new_privileges = true,
	});
}

static int64_t measure_power_by_chain(void)
{
	return measure_chain((char *[]){ "/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all",
	                                 "--no-new-privs", no_op[0], NULL });
}

static const struct bench_contender power_contenders[] = {
	{ .name = "pidring", .measure = measure_power, .world = BENCH_LIBRARY },
	{ .name = "setpriv",
	  .measure = measure_power_by_chain,
	  .world = BENCH_BARE,
	  .missing = setpriv_missing },
	{ 0 },
};

/* --- a place of its own --- */

static int64_t measure_place(void)
{
	return measure_library(&(struct pidring_confinement){
		.size = sizeof(struct pidring_confinement),
		.namespaces = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID,
		.private_proc = true,
	});
}

/* The namespace's first process is the next one. */
static int enter_place(void *argument)
{
	int status = 0;

	(void)argument;
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
		return 1;
	pid_t pid = fork();
	if (pid == 0) {
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
			(void)execve(no_op[0], no_op, environ);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

static int64_t measure_place_by_hand(void)
{
	return measure_by_hand(enter_place);
}

static int64_t measure_place_by_chain(void)
{
	return measure_chain(
		(char *[]){ "/usr/bin/unshare", "--fork", "--pid", "--mount-proc", no_op[0], NULL });
}

static const struct bench_contender place_contenders[] = {
	{ .name = "pidring", .measure = measure_place, .world = BENCH_LIBRARY },
	{ .name = "fork-by-hand", .measure = measure_place_by_hand, .world = BENCH_BARE },
	{ .name = "unshare",
	  .measure = measure_place_by_chain,
	  .world = BENCH_BARE,
	  .missing = unshare_missing },
	{ 0 },
};

#define ROW(row_name, row_title, row_contenders, row_baseline, ...)                                          \
	{                                                                                                    \
		.name = (row_name), .title = (row_title), .contenders = (row_contenders),                    \
		.baseline = (row_baseline), .conditions = { __VA_ARGS__ }, .rounds = 150, .rehearsed = true, \
		.program = PROGRAM_NO_OP, .missing = root_missing, .set_up = set_up, .tear_down = tear_down  \
	}

const struct bench_row confined_rows[] = {
	ROW("confined-user-one-core", "a no-op as another user, one core", user_contenders, "fork-by-hand", 1,
	    10, 0),
	ROW("confined-user-256mb-one-core", "a no-op as another user, 256 MB resident, one core",
	    user_contenders, "fork-by-hand", 1, 10, 256),
	ROW("confined-power-one-core", "a no-op without capabilities, one core", power_contenders, "setpriv",
	    1, 10, 0),
	ROW("confined-place-one-core", "a no-op in a PID and a mount namespace with its own /proc, one core",
	    place_contenders, "fork-by-hand", 1, 10, 0),
	ROW("confined-place-256mb-one-core", "the same, 256 MB resident", place_contenders, "fork-by-hand", 1,
	    10, 256),
	{ 0 },
};
