/* SPDX-License-Identifier: MIT */
#include "init_supervise.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init_end.h"
#include "init_forward.h"
#include "init_say.h"

#define SECOND INT64_C(1000000000)
#define EVENTS 64

int64_t init_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static void program_ended(struct init *init, const struct pidring_event *event)
{
	init->code = event->code;
	init->lost = event->unknown;
	if (event->unknown)
		init_say(INIT_WARNING, "somebody else has reaped the program; how it ended is lost");
	else if (event->code < 0)
		init_say(INIT_NOTICE, "the program was ended by %s", init_signal_name(-event->code));
	else
		init_say(INIT_NOTICE, "the program has ended with %d", event->code);
	init_status_ended(&init->status, "ended", init->pid, event);
	/* Whoever comes after must be able to read from it. */
	init_terminal_take_back(&init->terminal, init->pid);
	init_end_program_ended(init);
}

static void orphan_ended(struct init *init, const struct pidring_event *event)
{
	init_say(init->options->warn_on_reap == PIDRING_YES ? INIT_WARNING : INIT_DETAIL,
	         "Reaped zombie process with pid=%d", (int)event->pid);
	init_status_ended(&init->status, "orphan", event->pid, event);
	if (init->options->ending == INIT_END_LAST && init->phase == INIT_WAITING) {
		init->code = event->code;
		init->lost = event->unknown;
	}
}

static void take_event(struct init *init, const struct pidring_event *event)
{
	if (event->type == PIDRING_EXITED)
		program_ended(init, event);
	else if (event->type == PIDRING_ORPHAN_ENDED)
		orphan_ended(init, event);
}

/* All that are there: whether it is over is known when everybody who has been reaped was told. */
static void take_events(struct init *init)
{
	struct pidring_event events[EVENTS];
	int count, taken = 0;

	do {
		count = pidring_wait(init->engine, events, EVENTS, 0);
		for (int i = 0; i < count; i++)
			take_event(init, &events[i]);
		taken += count > 0 ? count : 0;
	} while (count == EVENTS);
	if (taken > 0)
		init_end_others_ended(init);
}

/* The terminal has stopped the program. Whoever waits for this process, a shell, must see it stopped, too. Where nobody
 * waits, nobody would ever continue the program: the kernel does not stop such groups in the first place. */
static void follow_stop(struct init *init, int signal_number)
{
	/* A shell has put us in the foreground, and the program has asked for the keyboard. */
	if (signal_number != SIGTSTP && init_terminal_is_ours(&init->terminal)) {
		init_terminal_give(&init->terminal, init->pid);
		pidring_process_signal_group(init->program, SIGCONT);
		return;
	}
	if (!init_terminal_has_shell()) {
		if (signal_number == SIGTSTP)
			pidring_process_signal_group(init->program, SIGCONT);
		return;
	}
	/* With those who wait for it between the shell and here. */
	kill(0, SIGSTOP);
	/* Continued. The SIGCONT that did it has come, too, and is forwarded; but the keyboard must be there by then. */
	if (init->terminal.given && init_terminal_is_ours(&init->terminal))
		init_terminal_give(&init->terminal, init->pid);
}

static void look_for_stop(struct init *init)
{
	siginfo_t information = { 0 };

	if (!init->runs || init->terminal.descriptor < 0 || !init->options->manner->follows_stops ||
	    init->options->place != INIT_PLACE_GROUP)
		return;
	if (waitid(P_PID, (id_t)init->pid, &information, WSTOPPED | WNOHANG) < 0 || information.si_pid == 0)
		return;
	if (information.si_status == SIGTSTP || information.si_status == SIGTTIN ||
	    information.si_status == SIGTTOU)
		follow_stop(init, information.si_status);
}

static int64_t earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/* Sleeps until there is something to do: without a timer unless a time was set. */
static void wait_for_something(struct init *init, struct pollfd *items)
{
	int64_t until = earlier(earlier(init->phase_end, init->kill_due), init_forward_next(init));
	int64_t left = until == PIDRING_FOREVER ? 0 : until - init_now();
	struct timespec timeout;

	if (left < 0)
		left = 0;
	timeout = (struct timespec){ .tv_sec = left / SECOND, .tv_nsec = left % SECOND };
	items[0].revents = 0;
	items[1].revents = 0;
	ppoll(items, 2, until == PIDRING_FOREVER ? NULL : &timeout, NULL);
}

void init_supervise(struct init *init)
{
	struct pollfd items[2] = {
		{ .fd = init->signals.descriptor, .events = POLLIN },
		{ .fd = pidring_fd(init->engine), .events = POLLIN },
	};

	while (init->phase != INIT_OVER) {
		bool by_kernel = false;
		int received = 0;

		wait_for_something(init, items);
		/* One at a time: what a signal begins may end it all. */
		if (items[0].revents)
			received = init_signals_read(&init->signals, &by_kernel);
		/* Before the signal goes on: those who are left when the program has ended are to get it. */
		if (items[1].revents || received > 0) {
			take_events(init);
			look_for_stop(init);
		}
		if (received > 0 && init->phase != INIT_OVER)
			init_forward(init, received, by_kernel);
		init_forward_due(init);
		if (init->kill_due <= init_now())
			init_end_kill_again(init);
		if (init->phase_end != PIDRING_FOREVER && init->phase_end <= init_now())
			init_end_time_over(init);
	}
}
