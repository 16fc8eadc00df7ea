/* SPDX-License-Identifier: MIT */
#include "run_signals.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "run_clock.h"

static const int stop_signals[] = { SIGTERM, SIGINT, SIGHUP };
#define STOP_SIGNALS (sizeof(stop_signals) / sizeof(stop_signals[0]))

/* What comes sooner after the first signal is the same request: timeout(1) sends its signal to the process and
 * then to the group that the process is in. */
#define INSISTING RUN_SECOND

static volatile sig_atomic_t first_signal;
static volatile sig_atomic_t insisted;
static int64_t first_time; /* the handler's own */

static void note_signal(int signal_number)
{
	int64_t now = run_clock_now();

	if (first_signal == 0) {
		first_time = now;
		first_signal = signal_number;
		return;
	}
	if (now - first_time >= INSISTING)
		insisted = 1;
}

static void do_nothing(int signal_number)
{
	(void)signal_number;
}

static bool is_ignored(int signal_number)
{
	struct sigaction action;

	return sigaction(signal_number, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
	       action.sa_handler == SIG_IGN;
}

static void set_handler(int signal_number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigfillset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

/* Catches those of the stop signals that are not ignored, and adds them to `caught`. Returns whether one is
 * ignored. */
static bool catch_stop_signals(sigset_t *caught)
{
	bool some_ignored = false;

	sigemptyset(caught);
	for (size_t i = 0; i < STOP_SIGNALS; i++) {
		if (is_ignored(stop_signals[i])) {
			some_ignored = true;
			continue;
		}
		sigaddset(caught, stop_signals[i]);
		set_handler(stop_signals[i], note_signal);
	}
	return some_ignored;
}

static bool is_any_ignored_or_blocked(const sigset_t *mask)
{
	for (int number = 1; number <= SIGRTMAX; number++)
		if (sigismember(mask, number) == 1 || is_ignored(number))
			return true;
	return false;
}

void run_signals_catch(struct run_signals *signals)
{
	sigset_t caught;
	bool some_ignored = catch_stop_signals(&caught);

	/* A reader that has gone is an error to report, and no reason to leave the jobs alone. Not SIG_IGN,
	 * which jobs would inherit; but where it was ignored, they are to. */
	signals->pipe_ignored = is_ignored(SIGPIPE);
	if (signals->pipe_ignored)
		some_ignored = true;
	else
		set_handler(SIGPIPE, do_nothing);
	/* A file that may not grow is an error to report, too. */
	if (!is_ignored(SIGXFSZ))
		set_handler(SIGXFSZ, do_nothing);
	/* If it were ignored, the kernel would forget how the jobs ended. */
	if (is_ignored(SIGCHLD))
		set_handler(SIGCHLD, SIG_DFL);

	sigprocmask(SIG_BLOCK, &caught, &signals->waiting);
	signals->working = signals->waiting;
	/* Whoever had blocked them at our start would have made us unstoppable. */
	for (size_t i = 0; i < STOP_SIGNALS; i++) {
		if (!sigismember(&caught, stop_signals[i]))
			continue;
		sigdelset(&signals->waiting, stop_signals[i]);
		sigaddset(&signals->working, stop_signals[i]);
	}
	signals->handed_on = some_ignored || !is_any_ignored_or_blocked(&signals->waiting);
}

void run_signals_let_in(const struct run_signals *signals)
{
	sigprocmask(SIG_SETMASK, &signals->waiting, NULL);
}

void run_signals_hold_back(const struct run_signals *signals)
{
	sigprocmask(SIG_SETMASK, &signals->working, NULL);
}

void run_signals_look(const struct run_signals *signals)
{
	run_signals_let_in(signals);
	run_signals_hold_back(signals);
}

int run_signals_first(void)
{
	return first_signal;
}

bool run_signals_insisted(void)
{
	return insisted;
}

void run_signals_release(const struct run_signals *signals)
{
	for (size_t i = 0; i < STOP_SIGNALS; i++)
		if (!is_ignored(stop_signals[i]))
			set_handler(stop_signals[i], SIG_DFL);
	if (!is_ignored(SIGPIPE))
		set_handler(SIGPIPE, SIG_DFL);
	if (!is_ignored(SIGXFSZ))
		set_handler(SIGXFSZ, SIG_DFL);
	sigprocmask(SIG_SETMASK, &signals->waiting, NULL);
}

void run_signals_die_of(int signal_number)
{
	sigset_t only;

	set_handler(signal_number, SIG_DFL);
	sigemptyset(&only);
	sigaddset(&only, signal_number);
	raise(signal_number);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	_exit(128 + signal_number);
}
