/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

static struct pidring *engine;

/* terminate sends SIGTERM, kill SIGKILL, signal any other. */
SCENARIO(signals, each_sends_its_own)
{
	struct pidring_process *first, *second, *third;

	engine = open_engine();
	first = start_function(engine, sleep_forever, NULL);
	second = start_function(engine, sleep_forever, NULL);
	third = start_function(engine, sleep_forever, NULL);
	check_int(pidring_process_terminate(first), 0);
	check_int(pidring_process_kill(second), 0);
	check_int(pidring_process_signal(third, SIGUSR1), 0);
	check_int(finish(first), -SIGTERM);
	check_int(finish(second), -SIGKILL);
	check_int(finish(third), -SIGUSR1);
	close_engine(engine);
}

/* They reach programs. */
SCENARIO(signals, reach_programs)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_program(engine, "sleep", "1000", NULL);
	check_int(pidring_process_terminate(process), 0);
	check_int(finish(process), -SIGTERM);
	close_engine(engine);
}

/* Signal 0 tests only. */
SCENARIO(signals, zero_tests)
{
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_signal(process, 0), 0);
	check_int(pidring_process_is_alive(process), 1);
	latch_release(&latch);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&latch);
}

/* A process that was not started cannot be signalled. */
SCENARIO(signals, need_a_started_process)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_terminate(process), -ESRCH);
	check_int(pidring_process_kill(process), -ESRCH);
	check_int(pidring_process_signal(process, 0), -ESRCH);
	pidring_process_free(process);
	close_engine(engine);
}

/* Nor a closed one. */
SCENARIO(signals, need_an_open_object)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	check_int(join_code(process), 0);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_terminate(process), -EBADF);
	check_int(pidring_process_kill(process), -EBADF);
	check_int(pidring_process_signal(process, 0), -EBADF);
	pidring_process_free(process);
	close_engine(engine);
}

/* After the end nothing happens and that is no error, reaped or not. */
SCENARIO(signals, after_the_end_do_nothing)
{
	struct pidring_process *process;
	static int three = 3;

	engine = open_engine();
	process = start_function(engine, return_argument, &three);
	wait_ended(process);
	check_int(pidring_process_terminate(process), 0);
	check_int(pidring_process_kill(process), 0);
	check_int(join_code(process), 3);
	check_int(pidring_process_terminate(process), 0);
	check_int(pidring_process_kill(process), 0);
	check_int(pidring_process_signal(process, SIGUSR1), 0);
	check_int(finish(process), 3);
	close_engine(engine);
}

/* Numbers that are no signal are refused and named. */
SCENARIO(signals, number_must_be_a_signal)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, sleep_forever, NULL);
	check_int(pidring_process_signal(process, -3), -EINVAL);
	check_contains(pidring_explain(), "-3");
	check_int(pidring_process_signal(process, 65), -EINVAL);
	check_contains(pidring_explain(), "65");
	check_int(pidring_process_signal(process, 12345), -EINVAL);
	check_contains(pidring_explain(), "12345");
	check_int(pidring_process_is_alive(process), 1);
	kill_and_free(process);
	close_engine(engine);
}

static int signal_oneself(void *unused)
{
	struct pidring_process *current = pidring_current_process();

	(void)unused;
	check_int(pidring_process_signal(current, 0), -ESRCH);
	check_int(pidring_process_terminate(current), -ESRCH);
	check_int(pidring_process_kill(current), -ESRCH);
	return 0;
}

/* The current process cannot be signalled this way. */
SCENARIO(signals, current_process_is_refused)
{
	check_int(signal_oneself(NULL), 0);
	check_in_child(signal_oneself, NULL);
}

static int signal_parent(void *unused)
{
	struct pidring_process *parent = pidring_parent_process();

	(void)unused;
	check_int(pidring_process_signal(parent, 0), -EPERM);
	check_int(pidring_process_terminate(parent), -EPERM);
	check_int(pidring_process_kill(parent), -EPERM);
	return 0;
}

/* The parent process is never signalled. */
SCENARIO(signals, parent_process_is_refused)
{
	check_in_child(signal_parent, NULL);
}

static struct latch ready, release;
static struct pidring_process *victim;

static int terminate_sibling(void *unused)
{
	(void)unused;
	check_int(pidring_process_terminate(victim), 0);
	return 0;
}

/* A sibling that inherited the object may send them. */
SCENARIO(signals, sibling_may_send)
{
	engine = open_engine();
	victim = start_function(engine, sleep_forever, NULL);
	check_int(finish(start_function(engine, terminate_sibling, NULL)), 0);
	check_int(finish(victim), -SIGTERM);
	close_engine(engine);
}

static int have_a_grandchild(void *unused)
{
	(void)unused;
	if (fork() == 0) {
		latch_wait(&release);
		latch_release(&ready);
		_exit(0);
	}
	latch_release(&ready);
	return sleep_forever(NULL);
}

/* They go to the process itself, not to its group or its children. */
SCENARIO(signals, hit_the_process_only)
{
	struct pidring_process *process;

	ready = latch_open();
	release = latch_open();
	engine = open_engine();
	process = start_process(engine,
	                        (struct pidring_options){ .target = have_a_grandchild, .new_group = true });
	latch_wait(&ready);
	check_int(pidring_process_kill(process), 0);
	check_int(finish(process), -SIGKILL);
	latch_release(&release);
	latch_wait(&ready);
	close_engine(engine);
	latch_close(&ready);
	latch_close(&release);
}

static void leave_with_six(int number)
{
	(void)number;
	_exit(6);
}

static int catch_sigterm(void *unused)
{
	(void)unused;
	signal(SIGTERM, leave_with_six);
	latch_release(&ready);
	return sleep_forever(NULL);
}

/* A child that catches SIGTERM ends as it likes. */
SCENARIO(signals, child_may_catch_sigterm)
{
	struct pidring_process *process;

	ready = latch_open();
	engine = open_engine();
	process = start_function(engine, catch_sigterm, NULL);
	latch_wait(&ready);
	check_int(pidring_process_terminate(process), 0);
	check_int(finish(process), 6);
	close_engine(engine);
	latch_close(&ready);
}

static int ignore_sigterm(void *unused)
{
	(void)unused;
	signal(SIGTERM, SIG_IGN);
	latch_release(&ready);
	latch_wait(&release);
	return 0;
}

/* A child that ignores SIGTERM runs on: terminate does not wait and does not insist. */
SCENARIO(signals, child_may_ignore_sigterm)
{
	struct pidring_process *process;

	ready = latch_open();
	release = latch_open();
	engine = open_engine();
	process = start_function(engine, ignore_sigterm, NULL);
	latch_wait(&ready);
	check_int(pidring_process_terminate(process), 0);
	check_int(pidring_process_is_alive(process), 1);
	latch_release(&release);
	check_int(finish(process), 0);
	close_engine(engine);
	latch_close(&ready);
	latch_close(&release);
}

static volatile sig_atomic_t child_signals;
static volatile pid_t signalling_child;

static void note_child_signal(int number, siginfo_t *information, void *context)
{
	(void)number;
	(void)context;
	child_signals++;
	signalling_child = information->si_pid;
}

/* The host's own SIGCHLD handler goes on working: each kind of child announces its end. */
SCENARIO(signals, host_gets_sigchld)
{
	struct sigaction action = { .sa_sigaction = note_child_signal, .sa_flags = SA_SIGINFO };
	struct pidring_process *process;

	engine = open_engine();
	check_int(sigaction(SIGCHLD, &action, NULL), 0);
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	check_int(join_code(process), 0);
	check_int(child_signals, 1);
	check_int(signalling_child, pidring_process_pid(process));
	pidring_process_free(process);
	process = start_program(engine, "/bin/true", NULL);
	check_int(join_code(process), 0);
	check_int(child_signals, 2);
	check_int(signalling_child, pidring_process_pid(process));
	pidring_process_free(process);
	signal(SIGCHLD, SIG_DFL);
	close_engine(engine);
}
