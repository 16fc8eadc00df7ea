/* SPDX-License-Identifier: MIT */
#include "init_forward.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "init_end.h"
#include "init_say.h"

static const char *const target_names[] = {
	[INIT_TO_CHILD] = "child",
	[INIT_TO_GROUP] = "group",
	[INIT_TO_TREE] = "tree",
};

static enum init_target target_of(const struct init *init, int signal_number)
{
	/* To continue what a terminal has stopped is to continue all of it. */
	if (signal_number == SIGCONT && init->options->target == INIT_TO_CHILD &&
	    init->options->place != INIT_PLACE_SAME)
		return INIT_TO_GROUP;
	return init->options->target;
}

int init_forward_send(struct init *init, int signal_number)
{
	switch (target_of(init, signal_number)) {
	case INIT_TO_TREE:
		return pidring_signal_descendants(signal_number);
	case INIT_TO_GROUP:
		return pidring_process_signal_group(init->program, signal_number);
	default:
		return pidring_process_signal(init->program, signal_number);
	}
}

static void tell(struct init *init, int received, int sent, const char *target, int result)
{
	char from[24];

	strcpy(from, init_signal_name(received));
	if (sent == 0)
		init_say(INIT_DETAIL, "%s has come and is dropped", from);
	else if (result < 0 && result != -ESRCH)
		init_say(INIT_WARNING, "cannot forward %s as %s: %s", from, init_signal_name(sent),
		         strerror(-result));
	else
		init_say(INIT_DETAIL, "%s has come, %s goes to the %s", from, init_signal_name(sent), target);
	init_status_signal(&init->status, received, sent, target, result);
}

static void send_on(struct init *init, int received, int sent)
{
	/* Those who are left when the program has gone are all that there is. */
	const char *target = init->runs ? target_names[target_of(init, sent)] : "tree";
	int result = init->runs ? init_forward_send(init, sent) : pidring_signal_descendants(sent);

	tell(init, received, sent, target, result);
}

static bool stops_by_terminal(int signal_number)
{
	return signal_number == SIGTSTP || signal_number == SIGTTIN || signal_number == SIGTTOU;
}

/* The terminal sends the signals of its keys to a whole group. */
static bool has_had_it(const struct init *init, int received)
{
	return (received == SIGINT || received == SIGQUIT || received == SIGTSTP) && init->runs &&
	       getpgid(init->pid) == getpgrp();
}

static void deliver(struct init *init, int received, int sent, bool by_kernel)
{
	bool ends = init_end_is_meant(init, received);

	/* SIGTERM goes to everybody then, the program included. */
	if (ends && sent == SIGTERM)
		tell(init, received, sent, "tree", 0);
	else if (by_kernel && sent == received && has_had_it(init, received))
		tell(init, received, sent, "terminal", 0);
	else if (init->program)
		send_on(init, received, sent);
	if (ends)
		init_end_asked(init, sent);
	if (init->options->manner->suspends && stops_by_terminal(received))
		kill(getpid(), SIGSTOP);
}

void init_forward(struct init *init, int received, bool by_kernel)
{
	struct init_rewriting rewriting = init_rewrite(&init->options->rewritings, received);

	if (rewriting.sent == 0) {
		tell(init, received, 0, "", 0);
		return;
	}
	if (rewriting.delay == 0) {
		deliver(init, received, rewriting.sent, by_kernel);
		return;
	}
	/* As with signals themselves: a second one while the first waits is the same one. */
	if (init->due[received] == 0)
		init->due[received] = init_now() + rewriting.delay;
}

void init_forward_due(struct init *init)
{
	int64_t now = init_now();

	for (int number = 1; number <= INIT_SIGNALS; number++) {
		if (init->due[number] == 0 || init->due[number] > now)
			continue;
		init->due[number] = 0;
		deliver(init, number, init_rewrite(&init->options->rewritings, number).sent, false);
	}
}

int64_t init_forward_next(const struct init *init)
{
	int64_t next = PIDRING_FOREVER;

	for (int number = 1; number <= INIT_SIGNALS; number++)
		if (init->due[number] != 0 && init->due[number] < next)
			next = init->due[number];
	return next;
}
