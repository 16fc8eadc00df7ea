/* SPDX-License-Identifier: MIT */
/* What a start leaves alone in the caller: errno, the signal mask, and handlers of signals that come meanwhile. */
#define _GNU_SOURCE
#include "birth_helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "servers.h"

/* The child of an asynchronous start shares the caller's memory for a while; it never writes the caller's
 * errno. */
SCENARIO(births_caller, errno_stays_during_asynchronous_starts)
{
	struct pidring *engine = open_engine();
	const char *const programs[][2] = { { "true", NULL }, { "/nonexistent/program", NULL } };

	for (int round = 0; round < 40; round++) {
		struct pidring_process *process =
			start_process(engine, (struct pidring_options){ .argv = programs[round % 2],
		                                                        .asynchronous = true });
		struct pollfd entry = { .fd = pidring_process_sentinel(process), .events = POLLIN };
		int count;

		errno = 4321;
		count = poll(&entry, 1, -1);
		check_int(errno, 4321);
		check_int(count, 1);
		check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
		pidring_process_free(process);
	}
	close_engine(engine);
}

static void start_every_kind(struct pidring *engine)
{
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const good[] = { "true", NULL };
	struct pidring_process *group[2];

	check_int(finish(start_function(engine, return_zero, NULL)), 0);
	check_int(birth_of_function(engine, true), PIDRING_BIRTH_FORK);
	check_int(finish(start_process(engine, (struct pidring_options){ .argv = good })), 0);
	check_int(
		finish(start_process(engine, (struct pidring_options){ .argv = good, .asynchronous = true })),
		0);
	check_int(finish(start_process(engine, (struct pidring_options){ .argv = good, .daemon = 1 })), 0);
	group[0] = new_process(engine, (struct pidring_options){ .argv = missing });
	group[1] = new_process(engine, (struct pidring_options){ .argv = good });
	check_int(pidring_process_start(group[0]), -ENOENT);
	check_int(pidring_start_many(group, 2), 1);
	check_int(join_code(group[1]), 0);
	pidring_process_free(group[0]);
	pidring_process_free(group[1]);
}

/* No start, good or failing, changes the signal mask of the caller. */
SCENARIO(births_caller, signal_mask_stays)
{
	struct pidring *engine = open_engine();
	sigset_t before;
	sigset_t after;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigaddset(&before, SIGCHLD);
	sigaddset(&before, SIGRTMIN + 3);
	check_int(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	start_every_kind(engine);
	check_int(sigprocmask(SIG_SETMASK, NULL, &after), 0);
	for (int number = 1; number <= SIGRTMAX; number++)
		check_int(sigismember(&after, number), sigismember(&before, number));
	close_engine(engine);
}

struct deliveries {
	pid_t parent;
	atomic_int in_parent;
	atomic_int elsewhere;
	atomic_bool stop;
};

static struct deliveries *deliveries;

static void count_delivery(int signal_number)
{
	(void)signal_number;
	if (syscall(SYS_getpid) == deliveries->parent)
		atomic_fetch_add(&deliveries->in_parent, 1);
	else
		atomic_fetch_add(&deliveries->elsewhere, 1);
}

static void *send_signals(void *argument)
{
	sigset_t set;

	(void)argument;
	sigfillset(&set);
	check_int(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	while (!atomic_load(&deliveries->stop))
		check_int(kill(deliveries->parent, SIGUSR1), 0);
	return NULL;
}

/* Signals that arrive while children are made run handlers in the parent, never in a half-made child. */
SCENARIO(births_caller, signals_during_starts)
{
	struct pidring *engine = open_engine();
	struct sigaction action = { .sa_handler = count_delivery, .sa_flags = SA_RESTART };
	int rounds = small_or_normal(3, 25);
	pthread_t thread;

	deliveries = shared_memory(4096);
	deliveries->parent = getpid();
	sigemptyset(&action.sa_mask);
	check_int(sigaction(SIGUSR1, &action, NULL), 0);
	check_int(pthread_create(&thread, NULL, send_signals, NULL), 0);
	for (int round = 0; round < rounds; round++)
		start_every_kind(engine);
	while (atomic_load(&deliveries->in_parent) == 0)
		sched_yield();
	atomic_store(&deliveries->stop, true);
	check_int(pthread_join(thread, NULL), 0);
	check_int(atomic_load(&deliveries->elsewhere), 0);
	munmap(deliveries, sizeof(*deliveries));
	close_engine(engine);
}
