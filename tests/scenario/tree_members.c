/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tree_members.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>

int alive[2];

void prepare(void)
{
	open_pipe(alive);
	ready = latch_open();
	engine = open_engine();
}

void check_nobody_is_left(void)
{
	close(alive[1]);
	check_text(read_all(alive[0]), "");
	check_int(close(alive[0]), 0);
}

void tidy_up(void)
{
	check_nobody_is_left();
	close_engine(engine);
	latch_close(&ready);
}

bool somebody_is_left(void)
{
	struct pollfd item = { .fd = alive[0] };

	close(alive[1]);
	check(poll(&item, 1, 0) >= 0);
	return (item.revents & POLLHUP) == 0;
}

void wait_for_members(int count)
{
	for (int i = 0; i < count; i++)
		latch_wait(&ready);
}

bool unshare_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* --- members --- */

int stay(void)
{
	latch_release(&ready);
	/* If the scenario fails before it has ended them, nobody else does. */
	alarm(300);
	return sleep_forever(NULL);
}

int stay_stubbornly(void)
{
	signal(SIGTERM, SIG_IGN);
	return stay();
}

int alone(void *unused)
{
	(void)unused;
	return stay();
}

int three_levels(void *unused)
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

int half_stubborn(void *unused)
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

int with_daemon_of_the_group(void *unused)
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

int with_daemon_of_its_own(void *latch)
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

static _Atomic int *arrivals;

static void count_arrival(int unused)
{
	(void)unused;
	atomic_fetch_add(arrivals, 1);
}

int count_signals(void *memory)
{
	arrivals = memory;
	signal(SIGUSR1, count_arrival);
	return three_levels(NULL);
}

int crowd(void *unused)
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

/* --- starts --- */

struct pidring_process *start_tree(int (*target)(void *), struct pidring_options options, int members)
{
	options.target = target;
	struct pidring_process *process = start_process(engine, options);
	wait_for_members(members);
	return process;
}

/* --- stops --- */

const struct pidring_stop_step term_then_kill[2] = { { SIGTERM, 100 * MILLISECONDS }, { SIGKILL, 0 } };

struct pidring_stop_options tree_steps(const struct pidring_stop_step *steps, size_t count)
{
	return (struct pidring_stop_options){
		.size = sizeof(struct pidring_stop_options), .steps = steps, .step_count = count, .tree = true
	};
}

/* --- events --- */

struct pidring_event next_event(struct pidring_process *process)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == process);
	return event;
}

void await_exit(struct pidring_process *process, int code)
{
	struct pidring_event event = next_event(process);

	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, code);
	check(!event.last);
	check_int(pidring_outstanding(engine), 1);
}

void await_tree(struct pidring_process *process, int code)
{
	struct pidring_event event = next_event(process);

	check_int(event.type, PIDRING_TREE_STOPPED);
	check_int(event.code, code);
	check(event.last);
	check_int(pidring_outstanding(engine), 0);
}

void kill_all_of(struct pidring_process *process)
{
	check_int(pidring_process_kill_tree(process, NULL), 0);
	await_exit(process, -SIGKILL);
	await_tree(process, 0);
	pidring_process_free(process);
	tidy_up();
}
