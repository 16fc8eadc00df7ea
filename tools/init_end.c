/* SPDX-License-Identifier: MIT */
#include "init_end.h"

#include <string.h>

#include "init_forward.h"
#include "init_say.h"

/* How long those who were killed may take to end. Longer takes only who hangs in the kernel, or belongs to
 * somebody whom this process may not signal. */
#define KILL_GRACE PIDRING_SECONDS(5)
/* Looking for everybody takes a while where there are many, and each who ends may ask for it. */
#define BETWEEN_KILLS PIDRING_MILLISECONDS(50)

static bool is_anybody_left(const struct init *init)
{
	return init->runs || pidring_has_children() == 1;
}

/* Without /proc nobody can be found by their parents; the program and its group can be. */
static void signal_all(struct init *init, int signal_number)
{
	int result = pidring_signal_descendants(signal_number);

	if (result >= 0)
		return;
	init_say(INIT_WARNING, "cannot find everybody: %s", strerror(-result));
	if (init->program && pidring_process_signal_group(init->program, signal_number) < 0)
		pidring_process_signal(init->program, signal_number);
}

static void tell_rest(struct init *init)
{
	init->rest_told = true;
	signal_all(init, SIGTERM);
	/* Who is stopped hears nothing. */
	signal_all(init, SIGCONT);
}

static void enter(struct init *init, enum init_phase phase, int64_t time)
{
	init->phase = phase;
	init->phase_end = time == PIDRING_FOREVER ? PIDRING_FOREVER : init_now() + time;
}

static void kill_all(struct init *init)
{
	/* Nobody escapes that by forking. */
	if (init->cgroup)
		pidring_cgroup_kill(init->cgroup);
	signal_all(init, SIGKILL);
	init->kill_due = PIDRING_FOREVER;
	init->killed = init_now();
}

static void begin(struct init *init)
{
	enter(init, INIT_STOPPING, init->options->grace);
	init_status_stopping(&init->status);
}

bool init_end_is_meant(const struct init *init, int received)
{
	if (init->phase != INIT_RUNNING)
		return false;
	if (!init->program)
		return received == SIGTERM || received == SIGINT;
	return init->options->ending == INIT_END_STOP &&
	       (init->options->terminating & UINT64_C(1) << (received - 1)) != 0;
}

void init_end_asked(struct init *init, int sent)
{
	if (!init->program) {
		init_end_program_ended(init);
		return;
	}
	init_say(INIT_NOTICE, "asked to end: everybody has until the grace is over");
	begin(init);
	/* Another signal than SIGTERM is for those whom it was sent to, and only they know what it means; the
	 * others follow when the program has ended. */
	if (sent == SIGTERM)
		tell_rest(init);
	else
		init_forward_send(init, SIGCONT);
}

/* The program has ended in the middle of its life. */
static enum init_phase next_phase(struct init *init)
{
	switch (init->options->ending) {
	case INIT_END_SIGNAL:
		if (init->program)
			init_forward_send(init, init_rewrite(&init->options->rewritings, SIGTERM).sent);
		return INIT_OVER;
	case INIT_END_LEAVE:
		return INIT_OVER;
	case INIT_END_STOP:
		return is_anybody_left(init) ? INIT_STOPPING : INIT_OVER;
	default:
		return is_anybody_left(init) ? INIT_WAITING : INIT_OVER;
	}
}

void init_end_program_ended(struct init *init)
{
	enum init_phase next;

	init->runs = false;
	if (init->phase != INIT_RUNNING) {
		init_end_others_ended(init);
		if (init->phase == INIT_STOPPING && !init->rest_told)
			tell_rest(init);
		return;
	}
	next = next_phase(init);
	if (next == INIT_STOPPING) {
		begin(init);
		tell_rest(init);
		return;
	}
	if (next == INIT_OVER)
		init_status_stopping(&init->status);
	enter(init, next, PIDRING_FOREVER);
}

void init_end_others_ended(struct init *init)
{
	if (init->phase == INIT_RUNNING || init->phase == INIT_OVER)
		return;
	if (!is_anybody_left(init)) {
		enter(init, INIT_OVER, PIDRING_FOREVER);
		return;
	}
	if (init->phase != INIT_KILLING)
		return;
	/* They do go. */
	init->phase_end = init_now() + KILL_GRACE;
	/* Somebody may have been born while the others were killed. */
	if (init->kill_due == PIDRING_FOREVER)
		init->kill_due = init->killed + BETWEEN_KILLS;
}

void init_end_kill_again(struct init *init)
{
	if (init->phase == INIT_KILLING)
		kill_all(init);
	init->kill_due = PIDRING_FOREVER;
}

void init_end_time_over(struct init *init)
{
	if (init->phase == INIT_STOPPING) {
		init_say(INIT_NOTICE, "the grace is over: SIGKILL for everybody who is left");
		enter(init, INIT_KILLING, KILL_GRACE);
		kill_all(init);
		return;
	}
	if (is_anybody_left(init))
		init_say(INIT_WARNING, "somebody is left who cannot be killed");
	enter(init, INIT_OVER, PIDRING_FOREVER);
}
