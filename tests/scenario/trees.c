/* SPDX-License-Identifier: MIT */
/*
 * Whole trees: signalled, stopped and killed. Every member has the writing end of `alive` open, so that its other end is
 * at its end when, and only when, nobody is left.
 */
#define _GNU_SOURCE
#include "servers.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct pidring *engine;
static int alive[2];       /* members have alive[1] */
static struct latch ready; /* each member lets one through when it is there */

static void prepare(void)
{
	open_pipe(alive);
	ready = latch_open();
	engine = open_engine();
}

/* Without the members there is nobody left who could write. */
static void check_nobody_is_left(void)
{
	close(alive[1]);
	check_text(read_all(alive[0]), "");
	check_int(close(alive[0]), 0);
}

static void tidy_up(void)
{
	check_nobody_is_left();
	close_engine(engine);
	latch_close(&ready);
}

static bool somebody_is_left(void)
{
	struct pollfd item = { .fd = alive[0] };

	close(alive[1]);
	check(poll(&item, 1, 0) >= 0);
	return (item.revents & POLLHUP) == 0;
}

static void wait_for_members(int count)
{
	for (int i = 0; i < count; i++)
		latch_wait(&ready);
}

/* --- members --- */

static int stay(void)
{
	latch_release(&ready);
	return sleep_forever(NULL);
}

static int stay_stubbornly(void)
{
	signal(SIGTERM, SIG_IGN);
	return stay();
}

/* Two children, each with two children: seven. */
static int three_levels(void *unused)
{
	(void)unused;
	for (int level = 0; level < 2; level++) {
		pid_t first = fork();
		pid_t second = first > 0 ? fork() : 1;
		if (first > 0 && second > 0)
			break;
	}
	return stay();
}

/* It and its child obey, one of each of their children does not. */
static int half_stubborn(void *unused)
{
	(void)unused;
	if (fork() == 0)
		stay_stubbornly();
	if (fork() == 0) {
		if (fork() == 0)
			stay_stubbornly();
		stay();
	}
	return stay();
}

/* The parent ends at once; the daemon stays in the group. */
static int with_daemon_of_the_group(void *unused)
{
	pid_t middle = fork();

	(void)unused;
	if (middle == 0) {
		if (fork() == 0)
			stay();
		_exit(0);
	}
	waitpid(middle, NULL, 0);
	return stay();
}

/* The daemon has a session of its own; its parent ends when it is let go. */
static int with_daemon_of_its_own(void *latch)
{
	pid_t middle = fork();

	if (middle == 0) {
		if (fork() == 0) {
			setsid();
			stay();
		}
		latch_wait(latch);
		_exit(0);
	}
	waitpid(middle, NULL, 0);
	return stay();
}

static int leave_two_behind(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			stay_stubbornly();
	return 0;
}

static const struct pidring_stop_step term_then_kill[] = { { SIGTERM, 100 * MILLISECONDS }, { SIGKILL, 0 } };
static const struct pidring_stop_step only_term[] = { { SIGTERM, 20 * MILLISECONDS } };
static const struct pidring_stop_step patient[] = { { 0, 3600 * 1000 * MILLISECONDS }, { SIGKILL, 0 } };

static struct pidring_process *start_tree(int (*target)(void *), struct pidring_options options, int members)
{
	options.target = target;
	struct pidring_process *process = start_process(engine, options);
	wait_for_members(members);
	return process;
}

static struct pidring_event next_event(struct pidring_process *process)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == process);
	return event;
}

static void await_exit(struct pidring_process *process, int code)
{
	struct pidring_event event = next_event(process);

	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, code);
	check(!event.last);
	check_int(pidring_outstanding(engine), 1);
}

static void await_tree(struct pidring_process *process, int code)
{
	struct pidring_event event = next_event(process);

	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, code);
	check(event.last);
	check_int(pidring_outstanding(engine), 0);
}

/* --- signals --- */

/* Everybody gets it, once, wherever in the tree. */
SCENARIO(trees, three_levels_get_the_signal)
{
	enum pidring_tree_means means = 0;

	prepare();
	struct pidring_process *process = start_tree(three_levels, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_signal_tree(process, 0, &means), 7);
	check_int(means, PIDRING_TREE_WALK);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 7);
	check_int(finish(process), -SIGTERM);
	tidy_up();
}

static _Atomic int *arrivals;

static void count_arrival(int unused)
{
	(void)unused;
	atomic_fetch_add(arrivals, 1);
}

static int count_signals(void *memory)
{
	arrivals = memory;
	signal(SIGUSR1, count_arrival);
	return three_levels(NULL);
}

/* Nobody gets it twice, however often the tree is walked. */
SCENARIO(trees, one_signal_for_each)
{
	_Atomic int *count = shared_memory(sizeof *count);

	prepare();
	struct pidring_process *process = start_tree(
		count_signals, (struct pidring_options){ .argument = count, .new_group = true }, 7);
	check_int(pidring_process_signal_tree(process, SIGUSR1, NULL), 7);
	check(eventually(atomic_load(count) == 7));
	check_int(pidring_process_signal_tree(process, SIGUSR1, NULL), 7);
	check(eventually(atomic_load(count) == 14));
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(atomic_load(count), 14);
	pidring_process_free(process);
	tidy_up();
}

/* What a shell has made, and the shells. */
SCENARIO(trees, shells)
{
	struct pidring_event event;
	int ends[2];

	engine = open_engine();
	open_pipe(ends);
	struct pidring_process *process = start_process(
		engine,
		(struct pidring_options){
			.argv = (const char *[]){ "sh", "-c",
	                                          "(sh -c 'sleep 1000 & echo; wait' & wait) & wait", NULL },
			.stdout_to = PIDRING_STREAM_DESCRIPTOR,
			.stdout_descriptor = ends[1] });
	close(ends[1]);
	check_int(read(ends[0], (char[1]){ 0 }, 1), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	event = next_event(process);
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, 0);
	check(event.last);
	check_text(read_all(ends[0]), "");
	close(ends[0]);
	pidring_process_free(process);
	close_engine(engine);
}

/* A daemon that has lost its parents is found by its group. */
SCENARIO(trees, daemon_in_the_group)
{
	prepare();
	struct pidring_process *process =
		start_tree(with_daemon_of_the_group, (struct pidring_options){ .new_group = true }, 1);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 2);
	check_int(finish(process), -SIGTERM);
	tidy_up();
}

/* Without a group it is missed, as the header says; and so is one that has left it. */
SCENARIO(trees, daemon_that_left_both)
{
	struct latch latch = latch_open();
	bool reaped = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;

	check(reaped);
	prepare();
	struct pidring_process *process = start_tree(
		with_daemon_of_its_own, (struct pidring_options){ .argument = &latch, .new_group = true }, 1);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 1);
	check_int(finish(process), -SIGTERM);
	check(somebody_is_left());
	/* It is this process's child now. */
	check_int(pidring_signal_descendants(SIGTERM), 1);
	check(wait(NULL) > 0);
	check_text(read_all(alive[0]), "");
	close(alive[0]);
	close_engine(engine);
	latch_close(&ready);
	latch_close(&latch);
}

/* While its parent lives it is found; and once found it is remembered. */
SCENARIO(trees, daemon_whose_parent_lives)
{
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process =
		start_tree(with_daemon_of_its_own, (struct pidring_options){ .argument = &latch }, 1);
	check_int(pidring_process_signal_tree(process, 0, NULL), 3);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 2);
	check_int(finish(process), -SIGTERM);
	tidy_up();
	latch_close(&latch);
}

/* One that ended and was not reaped counts for nothing, and holds nothing up. */
static int with_zombies(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	}
	return stay();
}

SCENARIO(trees, zombies)
{
	prepare();
	struct pidring_process *process = start_tree(with_zombies, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_signal_tree(process, 0, NULL), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* A zombie that stays one, because whoever it was left to does not reap it, does not keep the end from being told. */
SCENARIO(trees, zombies_that_stay)
{
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	prepare();
	struct pidring_process *process = start_tree(three_levels, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	for (int i = 0; i < 6; i++)
		check(wait(NULL) > 0);
	pidring_process_free(process);
	tidy_up();
}

/* --- those who come while it is sent --- */

enum { MOST_FORKS = 150 };

static int fork_all_the_time(void *memory)
{
	_Atomic int *left = memory;

	latch_release(&ready);
	while (atomic_fetch_sub(left, 1) > 0)
		fork();
	return sleep_forever(NULL);
}

/* Nobody who is born meanwhile is left over. */
SCENARIO(trees, forking_while_killed)
{
	_Atomic int *left = shared_memory(sizeof *left);

	for (int round = 0; round < 5; round++) {
		prepare();
		atomic_store(left, MOST_FORKS);
		struct pidring_process *process =
			start_tree(fork_all_the_time, (struct pidring_options){ .argument = left }, 1);
		check_int(pidring_process_kill_tree(process, NULL), 0);
		await_exit(process, -SIGKILL);
		await_tree(process, 0);
		pidring_process_free(process);
		tidy_up();
	}
}

/* fork(2) without libc, whose locks threads of this process may hold. */
static pid_t fork_plainly(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
}

static void *fork_in_a_thread(void *memory)
{
	_Atomic int *left = memory;

	while (atomic_fetch_sub(left, 1) > 0)
		if (fork_plainly(0) == 0)
			for (;;)
				pause();
	return NULL;
}

static int fork_in_threads(void *left)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		check_int(pthread_create(&thread, NULL, fork_in_a_thread, left), 0);
	return stay();
}

/* The first thread stands still before the others do. */
SCENARIO(trees, threads_forking_while_killed)
{
	_Atomic int *left = shared_memory(sizeof *left);

	for (int round = 0; round < 5; round++) {
		prepare();
		atomic_store(left, MOST_FORKS);
		struct pidring_process *process =
			start_tree(fork_in_threads, (struct pidring_options){ .argument = left }, 1);
		check_int(pidring_process_kill_tree(process, NULL), 0);
		await_exit(process, -SIGKILL);
		await_tree(process, 0);
		pidring_process_free(process);
		tidy_up();
	}
}

static int wait_for_each_other(void *unused)
{
	(void)unused;
	for (int level = 0; level < 3; level++)
		if (fork_plainly(CLONE_VFORK) > 0)
			return 1;
	return stay();
}

/* Three wait in vfork, where no stop reaches them, for the fourth. */
SCENARIO(trees, blocked_in_vfork)
{
	prepare();
	struct pidring_process *process = start_tree(wait_for_each_other, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_signal_tree(process, 0, NULL), 4);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Each forks the next and ends: without the group nobody could follow it. */
static int run_away(void *memory)
{
	_Atomic int *left = memory;

	latch_release(&ready);
	if (fork() > 0)
		return sleep_forever(NULL);
	while (atomic_fetch_sub(left, 1) > 0)
		if (fork() > 0)
			_exit(0);
	return sleep_forever(NULL);
}

SCENARIO(trees, running_away_while_killed)
{
	_Atomic int *left = shared_memory(sizeof *left);

	prepare();
	if (!features_of(engine).group_signal)
		skip("groups cannot be signalled by pidfd here");
	atomic_store(left, 100 * 1000);
	struct pidring_process *process =
		start_tree(run_away, (struct pidring_options){ .argument = left, .new_group = true }, 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

static int busy(void *unused)
{
	(void)unused;
	signal(SIGTERM, SIG_IGN);
	latch_release(&ready);
	for (;;) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

/* Who is always about to start another one does not keep the caller for ever. */
SCENARIO(trees, always_somebody_new)
{
	prepare();
	struct pidring_process *process = start_tree(busy, (struct pidring_options){ 0 }, 1);
	for (int i = 0; i < 3; i++)
		check(pidring_process_signal_tree(process, SIGTERM, NULL) >= 1);
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Several who start others all the time, each of whom lives for a while. */
static int crowd(void *unused)
{
	(void)unused;
	signal(SIGTERM, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		if (fork() == 0)
			break;
	latch_release(&ready);
	for (;;) {
		if (fork() == 0) {
			poll(NULL, 0, 40);
			_exit(0);
		}
		poll(NULL, 0, 2);
	}
}

/* Nor does a group of which somebody new is always found without his parent. */
SCENARIO(trees, always_somebody_new_in_the_group)
{
	prepare();
	struct pidring_process *process = start_tree(crowd, (struct pidring_options){ .new_group = true }, 6);
	for (int i = 0; i < 3; i++)
		check(pidring_process_signal_tree(process, SIGTERM, NULL) >= 6);
	check_int(
		pidring_process_stop(
			process, &(struct pidring_stop_options){ .size = sizeof(struct pidring_stop_options),
	                                                         .steps = term_then_kill,
	                                                         .step_count = 2,
	                                                         .tree = true }),
		0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* --- no strangers --- */

static int with_victim(void *latch)
{
	pid_t victim = fork();

	signal(SIGTERM, SIG_IGN);
	if (victim == 0)
		stay();
	latch_wait(latch);
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	return stay();
}

static pid_t only_child_of(pid_t parent)
{
	char path[64];
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *file = fopen(path, "re");
	check(file != NULL);
	check_int(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

static unsigned long long start_of(pid_t pid)
{
	unsigned long long start = 0;
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	check(file != NULL);
	check(fgets(text, sizeof(text), file) != NULL);
	fclose(file);
	check_int(sscanf(strrchr(text, ')') + 1,
	                 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	                 &start),
	          1);
	return start;
}

/* A child of this process with this very number; 0: the kernel does not let us choose. */
static pid_t start_stranger(pid_t number)
{
	struct clone_args arguments = { .exit_signal = SIGCHLD,
		                        .set_tid = (uint64_t)(uintptr_t)&number,
		                        .set_tid_size = 1 };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0)
		for (;;)
			pause();
	check(pid > 0 || errno == EPERM || errno == ENOSYS || errno == EINVAL);
	return pid < 0 ? 0 : (pid_t)pid;
}

static void end_stranger(pid_t stranger)
{
	int status;

	/* Not by any signal before. */
	check_int(waitpid(stranger, &status, WNOHANG), 0);
	check_int(kill(stranger, SIGKILL), 0);
	check_int(waitpid(stranger, &status, 0), stranger);
}

/* Who has got the number of one that was found before is none of the tree. */
SCENARIO(trees, number_of_a_stranger)
{
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process =
		start_tree(with_victim, (struct pidring_options){ .argument = &latch }, 1);
	pid_t victim = only_child_of(pidring_process_pid(process));
	unsigned long long start = start_of(victim);
	check_int(pidring_process_signal_tree(process, 0, NULL), 2);
	latch_release(&latch);
	wait_for_members(1);
	pid_t stranger = start_stranger(victim);
	/* In the same hundredth of a second nobody could tell. */
	while (stranger > 0 && start_of(stranger) == start) {
		end_stranger(stranger);
		stranger = start_stranger(victim);
	}
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 1);
	if (stranger > 0)
		end_stranger(stranger);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	check_int(finish(process), -SIGKILL);
	tidy_up();
	latch_close(&latch);
	if (stranger == 0)
		skip("the kernel does not let us choose a number");
}

static int alone(void *unused)
{
	(void)unused;
	return stay();
}

/* Nor is one that has the number of the root, and of its group. */
SCENARIO(trees, number_of_the_root)
{
	prepare();
	struct pidring_process *process = start_tree(alone, (struct pidring_options){ .new_group = true }, 1);
	pid_t root = pidring_process_pid(process);
	check_int(pidring_process_kill(process), 0);
	check_int(join_code(process), -SIGKILL);
	pid_t stranger = start_stranger(root);
	if (stranger > 0)
		check_int(setpgid(stranger, stranger), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	if (stranger > 0)
		end_stranger(stranger);
	pidring_process_free(process);
	tidy_up();
	if (stranger == 0)
		skip("the kernel does not let us choose a number");
}

/* --- stopping --- */

static struct pidring_stop_options tree_steps(const struct pidring_stop_step *steps, size_t count)
{
	return (struct pidring_stop_options){
		.size = sizeof(struct pidring_stop_options), .steps = steps, .step_count = count, .tree = true
	};
}

/* Half of it ends of the first step, the rest of the second; that is told when nobody is left. */
SCENARIO(trees, ladder)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);
	struct pidring_exit_record record = { .size = sizeof(record) };

	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(record.stop_signal, SIGTERM);
	pidring_process_free(process);
	tidy_up();
}

/* The steps are over and somebody is left: the last signal. They are still known to who asks for more. */
SCENARIO(trees, ladder_without_kill)
{
	struct pidring_stop_options options = tree_steps(only_term, 1);

	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, SIGTERM);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 2);
	pidring_process_free(process);
	tidy_up();
}

/* The process itself outlives the steps: the end is told when it ends. */
SCENARIO(trees, ladder_that_the_root_outlives)
{
	static const struct pidring_stop_step steps[] = { { SIGUSR1, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 1);
	_Atomic int *count = shared_memory(sizeof *count);
	struct pidring_event event;

	prepare();
	struct pidring_process *process =
		start_tree(count_signals, (struct pidring_options){ .argument = count }, 7);
	check_int(pidring_process_stop(process, &options), 0);
	check(eventually(atomic_load(count) == 7));
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_process_kill(process), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, SIGUSR1);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 6);
	pidring_process_free(process);
	tidy_up();
}

/* The option, and the default steps; the event comes as soon as nobody is left. */
SCENARIO(trees, option)
{
	prepare();
	struct pidring_process *process =
		start_tree(three_levels, (struct pidring_options){ .stop_tree = true }, 7);
	check_int(pidring_process_stop(process, NULL), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* The tree goes before the group. */
SCENARIO(trees, option_beside_that_of_the_group)
{
	prepare();
	struct pidring_process *process = start_tree(
		with_daemon_of_the_group,
		(struct pidring_options){ .stop_tree = true, .stop_group = true, .new_group = true }, 2);
	check_int(pidring_process_stop(process, NULL), 0);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* A deadline stops the tree, too. */
SCENARIO(trees, deadline)
{
	prepare();
	struct pidring_process *process =
		start_tree(half_stubborn,
	                   (struct pidring_options){
				   .stop_tree = true, .stop_steps = term_then_kill, .stop_step_count = 2 },
	                   4);
	check_int(pidring_process_set_deadline(process, 0), 0);
	check_int(next_event(process).type, PIDRING_DEADLINE_PASSED);
	await_exit(process, -SIGTERM);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

static int stubborn_root(void *unused)
{
	signal(SIGTERM, SIG_IGN);
	return three_levels(unused);
}

/* A join alone drives it as far as the end of the process. */
SCENARIO(trees, driven_by_join)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);

	prepare();
	struct pidring_process *process = start_tree(stubborn_root, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_stop(process, &options), 0);
	check_int(join_code(process), -SIGKILL);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);

	process = start_tree(stubborn_root, (struct pidring_options){ 0 }, 7);
	check_int(pidring_process_stop(process, &options), 0);
	while (pidring_process_join(process, 0) == -ETIMEDOUT)
		poll(NULL, 0, 1);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Another loop drives it by the descriptor. */
SCENARIO(trees, driven_by_descriptor)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);
	struct pidring_event event = { 0 };

	prepare();
	int descriptor = pidring_fd(engine);
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	while (!event.last) {
		check_int(poll(&(struct pollfd){ .fd = descriptor, .events = POLLIN }, 1, -1), 1);
		check(pidring_wait(engine, &event, 1, 0) >= 0);
	}
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Killing takes the place of a stop under way, of whatever kind; one end is told. */
SCENARIO(trees, kill_replaces_a_stop)
{
	struct pidring_stop_options options = tree_steps(patient, 2);

	for (int tree = 0; tree < 2; tree++) {
		prepare();
		struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
		options.tree = tree;
		check_int(pidring_process_stop(process, &options), 0);
		check_int(pidring_process_kill_tree(process, NULL), 0);
		await_exit(process, -SIGKILL);
		await_tree(process, 0);
		pidring_process_free(process);
		tidy_up();
	}
}

/* A stop of the tree that outlives the process gives way to another kind: both ends are known. */
SCENARIO(trees, replaced_after_the_end)
{
	static const struct pidring_stop_step steps[] = { { SIGTERM, 3600 * 1000 * MILLISECONDS },
		                                          { SIGKILL, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 2);

	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	options.tree = false;
	check_int(pidring_process_stop(process, &options), 0);
	await_tree(process, SIGTERM);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	pidring_process_free(process);
	tidy_up();
}

/* Who is left in the group when the process has ended and been reaped is found by it. */
SCENARIO(trees, killed_after_the_end)
{
	prepare();
	if (!features_of(engine).group_signal)
		skip("groups cannot be signalled by pidfd here");
	struct pidring_process *process =
		start_tree(leave_two_behind, (struct pidring_options){ .new_group = true }, 2);
	check_int(join_code(process), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), 2);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, 0);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* Nobody is left: that is told all the same, unless the last event has been. */
SCENARIO(trees, nobody_to_kill)
{
	struct pidring_event event;

	prepare();
	struct pidring_process *process = start_function(engine, return_zero, NULL);
	check_int(join_code(process), 0);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), -ESRCH);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, 0);
	await_tree(process, 0);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	tidy_up();
}

/* To free the process, or to close the engine, is to leave those that are left alone. */
SCENARIO(trees, freed_or_closed_meanwhile)
{
	struct pidring_stop_options options = tree_steps(patient, 2);
	struct pidring_event event;

	prepare();
	struct pidring_process *process = start_tree(alone, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_stop(process, &options), 0);
	check_int(pidring_process_kill(process), 0);
	await_exit(process, -SIGKILL);
	pidring_process_free(process);
	check_int(pidring_wait(engine, &event, 1, 0), 0);

	process = start_tree(alone, (struct pidring_options){ 0 }, 1);
	check_int(pidring_process_stop(process, &options), 0);
	close_engine(engine);
	check_int(pidring_process_kill_tree(process, NULL), -ESHUTDOWN);
	check_int(pidring_process_stop(process, &options), -ESHUTDOWN);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 1);
	check_int(finish(process), -SIGKILL);
	check_nobody_is_left();
	latch_close(&ready);
}

/* What is refused. */
SCENARIO(trees, refused)
{
	prepare();
	struct pidring_process *process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_signal_tree(NULL, SIGTERM, NULL), -EINVAL);
	check_int(pidring_process_kill_tree(NULL, NULL), -EINVAL);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	check_int(pidring_process_kill_tree(process, NULL), -ESRCH);
	check_int(pidring_process_signal_tree(process, -1, NULL), -EINVAL);
	check_int(pidring_process_signal_tree(process, 65, NULL), -EINVAL);
	check_int(pidring_signal_descendants(65), -EINVAL);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -EBADF);
	check_int(pidring_process_kill_tree(process, NULL), -EBADF);
	pidring_process_free(process);
	tidy_up();
}

/* --- threads --- */

static void *signal_often(void *process)
{
	for (int i = 0; i < 20; i++)
		check_int(pidring_process_signal_tree(process, 0, NULL), 7);
	return NULL;
}

static void *kill_it(void *process)
{
	check_int(pidring_process_kill_tree(process, NULL), 0);
	return NULL;
}

/* Walks of several threads do not disturb each other, nor a thread that waits. */
SCENARIO(trees, several_threads)
{
	pthread_t threads[3], killer;

	prepare();
	struct pidring_process *process = start_tree(stubborn_root, (struct pidring_options){ 0 }, 7);
	struct pidring_stop_options options = tree_steps(patient, 2);
	check_int(pidring_process_stop(process, &options), 0);
	for (int i = 0; i < 3; i++)
		check_int(pthread_create(&threads[i], NULL, signal_often, process), 0);
	for (int i = 0; i < 3; i++)
		check_int(pthread_join(threads[i], NULL), 0);
	check_int(pthread_create(&killer, NULL, kill_it, process), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(pthread_join(killer, NULL), 0);
	pidring_process_free(process);
	tidy_up();
}

static _Atomic bool enough;

static void *take_events(void *unused)
{
	struct pidring_event events[8];

	(void)unused;
	while (!atomic_load(&enough))
		check(pidring_wait(engine, events, 8, 1 * MILLISECONDS) >= 0);
	return NULL;
}

/* Another thread takes the steps; the object may be freed at any moment of that. */
SCENARIO(trees, freed_while_another_thread_walks)
{
	static const struct pidring_stop_step steps[] = { { 0, 1 * MILLISECONDS },
		                                          { SIGCONT, 1 * MILLISECONDS },
		                                          { SIGKILL, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 3);
	pthread_t thread;

	prepare();
	struct pidring_process *processes[20];
	for (int i = 0; i < 20; i++)
		processes[i] = start_tree(alone, (struct pidring_options){ 0 }, 1);
	check_int(pthread_create(&thread, NULL, take_events, NULL), 0);
	for (int i = 0; i < 20; i++) {
		check_int(pidring_process_stop(processes[i], &options), 0);
		poll(NULL, 0, i % 4);
		check_int(pidring_process_kill(processes[i]), 0);
		pidring_process_free(processes[i]);
	}
	check_nobody_is_left();
	atomic_store(&enough, true);
	check_int(pthread_join(thread, NULL), 0);
	check(eventually(pidring_active_children(NULL, 0) == 0));
	close_engine(engine);
	latch_close(&ready);
}

/* --- a PID namespace --- */

static int init_with_daemon(void *latch)
{
	signal(SIGTERM, SIG_IGN);
	return with_daemon_of_its_own(latch);
}

static struct pidring_process *start_init(struct latch *latch)
{
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_PID };
	struct pidring_process *process = new_process(
		engine, (struct pidring_options){
				.target = init_with_daemon, .argument = latch, .confinement = &confinement });
	int r = pidring_process_start(process);

	if (r == -EPERM)
		skip("no PID namespaces here");
	check_int(r, 0);
	wait_for_members(1);
	return process;
}

/* The end of its init is that of all, also of whoever no walk would find. */
SCENARIO(trees, namespace)
{
	enum pidring_tree_means means = 0;
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process = start_init(&latch);
	check_int(pidring_process_signal_tree(process, SIGCONT, &means), 3);
	check_int(means, PIDRING_TREE_WALK);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_kill_tree(process, &means), 0);
	check_int(means, PIDRING_TREE_NAMESPACE);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), -ESRCH);
	pidring_process_free(process);
	tidy_up();
	latch_close(&latch);
}

/* A ladder in it: the first step for those who are found, the last for all. */
SCENARIO(trees, namespace_ladder)
{
	struct pidring_stop_options options = tree_steps(term_then_kill, 2);
	struct latch latch = latch_open();

	prepare();
	struct pidring_process *process = start_init(&latch);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), -ESRCH);
	pidring_process_free(process);
	tidy_up();
	latch_close(&latch);
}

/* --- a control group --- */

/* Nobody leaves it, whoever its parents were. */
SCENARIO(trees, control_group)
{
	enum pidring_tree_means means = 0;
	struct pidring_cgroup *group = NULL;
	struct latch latch = latch_open();
	struct pidring_event event;

	prepare();
	if (pidring_cgroup_new(&group, engine, NULL) < 0)
		skip("no control groups here");
	struct pidring_process *process = start_process(
		engine,
		(struct pidring_options){ .target = init_with_daemon, .argument = &latch, .cgroup = group });
	wait_for_members(1);
	latch_release(&latch);
	wait_for_members(1);
	check_int(pidring_process_signal_tree(process, SIGCONT, &means), 2);
	check_int(means, PIDRING_TREE_CGROUP);
	check_int(pidring_process_kill_tree(process, &means), 0);
	check_int(means, PIDRING_TREE_CGROUP);
	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (!event.last);
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ESRCH);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	tidy_up();
	latch_close(&latch);
}

static struct pidring_cgroup *open_group(void)
{
	struct pidring_cgroup *group = NULL;

	if (pidring_cgroup_new(&group, engine, NULL) < 0)
		skip("no control groups here");
	return group;
}

static void move_to(struct pidring_cgroup *group, struct pidring_process *process)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pidring_process_pid(process));
	check_int(pidring_cgroup_write(group, "cgroup.procs", text), 0);
}

/* Whatever else the engine tells of its groups. */
static void await_last(struct pidring_process *process, int code)
{
	struct pidring_event event;

	do
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	while (!event.last);
	check(event.process == process);
	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, code);
}

/* It has been moved out, and nobody else is in its group: it is the tree all the same. */
SCENARIO(trees, left_its_control_group)
{
	prepare();
	struct pidring_cgroup *group = open_group(), *elsewhere = open_group();
	struct pidring_options options = { .cgroup = group };

	struct pidring_process *process = start_tree(half_stubborn, options, 4);
	move_to(elsewhere, process);
	check_int(pidring_process_signal_tree(process, 0, NULL), 4);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	options.cgroup = group = open_group();
	options.target = sleep_forever;
	process = start_process(engine, options);
	move_to(elsewhere, process);
	check_int(pidring_process_signal_tree(process, 0, NULL), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	check_int(pidring_cgroup_free(elsewhere), 0);
	tidy_up();
}

/* Killed before it can have got into its group by itself: also where it is not created in it. */
SCENARIO(trees, killed_on_the_way_into_its_control_group)
{
	prepare();
	for (int i = 0; i < 20; i++) {
		struct pidring_cgroup *group = open_group();
		struct pidring_process *process = new_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
		                                          .cgroup = group,
		                                          .asynchronous = true });
		check_int(pidring_process_start(process), 0);
		check_int(pidring_process_kill_tree(process, NULL), 0);
		await_last(process, 0);
		pidring_process_free(process);
		check_int(pidring_cgroup_free(group), 0);
	}
	tidy_up();
}

/* The kernel neither lists nor kills whose group is threaded: there it is a walk. */
SCENARIO(trees, threaded_control_group)
{
	enum pidring_tree_means means = 0;

	prepare();
	struct pidring_cgroup *above = open_group(), *group = NULL;
	struct pidring_cgroup_options below = { .size = sizeof(below), .parent = pidring_cgroup_path(above) };
	check_int(pidring_cgroup_new(&group, engine, &below), 0);
	check_int(pidring_cgroup_write(group, "cgroup.type", "threaded"), 0);
	struct pidring_process *process =
		start_tree(half_stubborn, (struct pidring_options){ .cgroup = group }, 4);
	check_int(pidring_cgroup_signal(group, 0), -EOPNOTSUPP);
	check_int(pidring_cgroup_kill(group), -EOPNOTSUPP);
	check_int(pidring_process_signal_tree(process, SIGCONT, &means), 4);
	check_int(means, PIDRING_TREE_WALK);
	check_int(pidring_process_kill_tree(process, &means), 0);
	check_int(means, PIDRING_TREE_WALK);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	check_int(pidring_cgroup_free(above), 0);
	tidy_up();
}

SCENARIO(trees, always_somebody_new_in_a_control_group)
{
	prepare();
	struct pidring_cgroup *group = open_group();
	struct pidring_process *process = start_tree(crowd, (struct pidring_options){ .cgroup = group }, 6);

	check(pidring_process_signal_tree(process, SIGTERM, NULL) >= 6);
	check(pidring_cgroup_signal(group, SIGTERM) >= 6);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	tidy_up();
}

/* A group lists its members itself. */
static int hide_proc_from_group(void *unused)
{
	(void)unused;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return EXIT_SKIPPED;
	struct pidring_cgroup *group = open_group();
	struct pidring_process *process =
		start_tree(half_stubborn, (struct pidring_options){ .cgroup = group }, 4);

	check_int(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	check_int(pidring_process_signal_tree(process, 0, NULL), 4);
	check_int(pidring_cgroup_signal(group, SIGTERM), 4);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_last(process, 0);
	check_int(pidring_cgroup_signal(group, SIGTERM), 0);
	pidring_process_free(process);
	check_int(pidring_cgroup_free(group), 0);
	return 0;
}

SCENARIO(trees, control_group_without_proc)
{
	prepare();
	int code = finish(start_function(engine, hide_proc_from_group, NULL));
	tidy_up();
	if (code == EXIT_SKIPPED)
		skip("no mount namespaces or control groups here");
	check_int(code, 0);
}

/* --- those of another user --- */

enum { NOBODY = 65534 };

/* It gives up its power, its child keeps it, until everything that could let it go is closed. */
static int with_powerful_child(void *latch)
{
	if (fork() == 0) {
		close(((struct latch *)latch)->writer);
		latch_release(&ready);
		while (read(((struct latch *)latch)->reader, (char[1]){ 0 }, 1) < 0)
			;
		_exit(0);
	}
	close(((struct latch *)latch)->writer);
	check_int(setresuid(NOBODY, NOBODY, NOBODY), 0);
	return stay();
}

static void become(uid_t user)
{
	check_int(setresuid(user, user, 0), 0);
}

/* Who may not be signalled is left out, and the end is not taken for that of all. */
SCENARIO(trees, another_users)
{
	struct latch latch = latch_open();

	if (geteuid() != 0)
		skip("needs root");
	prepare();
	struct pidring_process *process =
		start_tree(with_powerful_child, (struct pidring_options){ .argument = &latch }, 2);
	become(NOBODY);
	check_int(pidring_process_signal_tree(process, 0, NULL), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, SIGKILL);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -EPERM);
	check_int(pidring_process_kill_tree(process, NULL), -EPERM);
	become(0);
	latch_close(&latch);
	pidring_process_free(process);
	tidy_up();
}

/* --- what a walk needs --- */

static int hide_proc(void *unused)
{
	(void)unused;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return EXIT_SKIPPED;
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	check_int(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	check_int(pidring_process_signal_tree(process, SIGTERM, NULL), -ENOENT);
	check_contains(pidring_explain(), "/proc");
	check_int(pidring_process_kill_tree(process, NULL), -ENOENT);
	check_int(pidring_signal_descendants(SIGTERM), -ENOENT);
	check_int(umount("/proc"), 0);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	return 0;
}

SCENARIO(trees, without_proc)
{
	prepare();
	int code = finish(start_function(engine, hide_proc, NULL));
	tidy_up();
	if (code == EXIT_SKIPPED)
		skip("no mount namespaces here");
	check_int(code, 0);
}

/* No descriptor is to be had below this limit, and so no walk. */
static struct rlimit forbid_descriptors(void)
{
	struct rlimit before, none;

	check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	check_int(setrlimit(RLIMIT_NOFILE, &none), 0);
	return before;
}

/* One that cannot be walked for is as it was: nobody stands still. */
SCENARIO(trees, nobody_is_stopped_for_a_kill_that_fails)
{
	prepare();
	struct pidring_process *process =
		start_tree(three_levels, (struct pidring_options){ .new_group = true }, 7);
	struct rlimit before = forbid_descriptors();
	check_int(pidring_process_kill_tree(process, NULL), -EMFILE);
	check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
	check(process_state(pidring_process_pid(process)) != 'T');
	check_int(pidring_process_is_alive(process), 1);
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}

/* A stop that outlives the process, and that a kill has replaced which failed, is over: its last event comes. */
SCENARIO(trees, a_kill_that_fails_after_the_end)
{
	prepare();
	struct pidring_process *process = start_tree(half_stubborn, (struct pidring_options){ 0 }, 4);
	const struct pidring_stop_step steps[] = { { SIGTERM, 3600 * 1000 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_stop_options options = tree_steps(steps, 2);
	check_int(pidring_process_stop(process, &options), 0);
	await_exit(process, -SIGTERM);
	struct rlimit before = forbid_descriptors();
	check_int(pidring_process_kill_tree(process, NULL), -EMFILE);
	check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
	await_tree(process, SIGTERM);
	check_int(pidring_process_signal_tree(process, SIGKILL, NULL), 2);
	pidring_process_free(process);
	tidy_up();
}

/* --- descendants --- */

static void reap(int count, int signal_number)
{
	int status;

	for (int i = 0; i < count; i++) {
		check(wait(&status) > 0);
		check(WIFSIGNALED(status));
		check_int(WTERMSIG(status), signal_number);
	}
	check(wait(&status) < 0);
}

/* A child, its child, and one in a session of its own whose parent has ended. */
static void make_descendants(void)
{
	pid_t middle = fork();

	if (middle == 0) {
		if (fork() == 0) {
			setsid();
			stay();
		}
		_exit(0);
	}
	check_int(waitpid(middle, NULL, 0), middle);
	if (fork() == 0) {
		if (fork() == 0)
			stay();
		stay();
	}
	wait_for_members(3);
}

/* Whoever came of this process, and not its servants. */
SCENARIO(trees, descendants)
{
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	open_pipe(alive);
	ready = latch_open();
	check_int(pidring_signal_descendants(SIGTERM), 0);
	make_descendants();
	check_int(pidring_signal_descendants(SIGTERM), 3);
	reap(3, SIGTERM);
	make_descendants();
	check_int(pidring_signal_descendants(SIGKILL), 3);
	reap(3, SIGKILL);
	check_nobody_is_left();
	latch_close(&ready);
}

SCENARIO(trees, descendants_but_for_servants)
{
	open_pipe(alive);
	ready = latch_open();
	engine = open_parked(4);
	need_server(engine);
	/* While some are still being made, too. */
	check_int(pidring_signal_descendants(SIGKILL), 0);
	wait_parked(engine, 4);
	pid_t before[8], after[8];
	size_t count = find_servants("pidring-parked", before, 8);
	check_int(pidring_signal_descendants(SIGKILL), 0);
	check_int(find_servants("pidring-parked", after, 8), count);
	check_int(memcmp(before, after, count * sizeof(before[0])), 0);
	struct pidring_process *process = start_served(engine, sleep_forever, NULL, 0);
	uint64_t made = statistics_of(engine).servers_made;
	check_int(pidring_signal_descendants(SIGTERM), 1);
	check_int(finish(process), -SIGTERM);
	check_int(statistics_of(engine).servers_made, made);
	check_still_serves(engine);
	tidy_up();
}

/* As PID 1, whose children have no other way out. `unused` or a proc of its own. */
static int be_init(bool own_proc)
{
	if (getpid() != 1)
		return EXIT_FAILED;
	if (own_proc && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	                 mount("none", "/proc", "proc", 0, NULL) < 0))
		return EXIT_SKIPPED;
	check_int(pidring_signal_descendants(SIGTERM), 0);
	make_descendants();
	/* Nobody counts them. */
	check_int(pidring_signal_descendants(SIGTERM), 1);
	reap(3, SIGTERM);
	check_int(pidring_signal_descendants(SIGKILL), 0);
	return 0;
}

static int run_init(bool own_proc)
{
	struct clone_args arguments = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	int status;

	if (pid == 0)
		_exit(be_init(own_proc));
	if (pid < 0)
		return EXIT_SKIPPED;
	check_int(waitpid((pid_t)pid, &status, 0), pid);
	check(WIFEXITED(status));
	return WEXITSTATUS(status);
}

SCENARIO(trees, descendants_of_an_init)
{
	open_pipe(alive);
	ready = latch_open();
	int without = run_init(false);
	int with = run_init(true);
	check_nobody_is_left();
	latch_close(&ready);
	if (without == EXIT_SKIPPED || with == EXIT_SKIPPED)
		skip("no namespaces here");
	check_int(without, 0);
	check_int(with, 0);
}
