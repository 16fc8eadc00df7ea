/* SPDX-License-Identifier: MIT */
/* Confined children end with their parent: the init of a PID namespace too, and those whose parent ended before they ran. */
#define _GNU_SOURCE
#include "confined.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const unsigned places[] = { 0, PIDRING_NAMESPACE_PID, PIDRING_NAMESPACE_PID | PIDRING_NAMESPACE_USER };

enum { PLACES = sizeof(places) / sizeof(places[0]) };

/* --- daemons --- */

struct daemon {
	bool is_function;
	unsigned namespaces;
	int input, output;
};

static int echo_byte(void *argument)
{
	char byte;

	(void)argument;
	if (read(STDIN_FILENO, &byte, 1) == 1)
		check_int(write(STDOUT_FILENO, &byte, 1), 1);
	return 0;
}

static int start_daemon_and_die(void *argument)
{
	static const char *const cat[] = { "cat", NULL };
	const struct daemon *daemon = argument;
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = daemon->namespaces,
		                                   .no_new_privileges = true };
	struct pidring_options options = { .daemon = PIDRING_YES,
		                           .stdin_to = PIDRING_STREAM_DESCRIPTOR,
		                           .stdin_descriptor = daemon->input,
		                           .stdout_to = PIDRING_STREAM_DESCRIPTOR,
		                           .stdout_descriptor = daemon->output,
		                           .confinement = &confinement };

	if (daemon->is_function)
		options.target = echo_byte;
	else
		options.argv = cat;
	start_process(engine, options);
	raise(SIGKILL);
	return 1;
}

/* When the parent has been reaped the signal has been sent: whoever got it answers nothing any more. */
static void check_daemon_ends(bool is_function, unsigned namespaces)
{
	struct pidring *engine = open_engine();
	struct daemon daemon = { .is_function = is_function, .namespaces = namespaces };
	int input[2], output[2];

	open_pipe(input);
	open_pipe(output);
	daemon.input = input[0];
	daemon.output = output[1];
	check_int(finish(start_function(engine, start_daemon_and_die, &daemon)), -SIGKILL);
	close(output[1]);
	check_int(write(input[1], "?", 1), 1);
	close(input[1]);
	check_text(read_all(output[0]), "");
	close(input[0]);
	close(output[0]);
	close_engine(engine);
}

SCENARIO(confine_parent_death, daemon)
{
	need_root();
	need_user_namespaces();
	for (size_t i = 0; i < PLACES; i++) {
		check_daemon_ends(false, places[i]);
		check_daemon_ends(true, places[i]);
	}
}

/* --- a parent that ends before its child has run --- */

/* From now on this process is asked before it or a child does this prctl(2): by the descriptor. */
static int be_asked_before(int option)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)option, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(program) / sizeof(program[0]), program };
	long listener =
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);

	if (listener < 0)
		skip("no seccomp filter that asks can be installed here");
	return (int)listener;
}

/* Who waits may go on; before that its parent is killed, if it is still there. */
static void answer(int listener, pid_t *parent)
{
	struct seccomp_notif question = { 0 };
	struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	int status;

	check_int(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question), 0);
	if (*parent > 0) {
		check_int(kill(*parent, SIGKILL), 0);
		check_int(waitpid(*parent, &status, 0), *parent);
		check(WIFSIGNALED(status));
		*parent = 0;
	}
	response.id = question.id;
	check_int(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
}

/* Until nobody can write to the output any more. */
static void answer_all(int listener, int output, pid_t *parent)
{
	struct pollfd items[2] = { { .fd = listener, .events = POLLIN }, { .fd = output, .events = POLLIN } };

	while (items[1].revents == 0) {
		check(poll(items, 2, -1) > 0);
		if (items[0].revents & POLLIN)
			answer(listener, parent);
	}
}

static PIDRING_NORETURN void start_and_stay(enum target_kind kind, unsigned namespaces, int output)
{
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = namespaces,
		                                   .no_new_privileges = true };

	start_process(open_engine(), asking(kind, QUESTIONS("pid"),
	                                    (struct pidring_options){ .death_signal = SIGKILL,
	                                                              .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                              .stdout_descriptor = output,
	                                                              .confinement = &confinement }));
	for (;;)
		pause();
}

static void check_orphan_ends(int listener, enum target_kind kind, unsigned namespaces)
{
	int output[2];
	pid_t parent;

	open_pipe(output);
	parent = fork();
	check(parent >= 0);
	if (parent == 0)
		start_and_stay(kind, namespaces, output[1]);
	close(output[1]);
	answer_all(listener, output[0], &parent);
	check_int(parent, 0);
	check_text(read_all(output[0]), "");
	close(output[0]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	check_int(errno, ECHILD);
}

/* It is about to ask for the signal when its parent is already gone. */
SCENARIO(confine_parent_death, parent_that_has_ended)
{
	int listener;

	need_root();
	need_user_namespaces();
	listener = be_asked_before(PR_SET_PDEATHSIG);
	check_int(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (size_t i = 0; i < PLACES; i++)
		for (enum target_kind kind = 0; kind < TARGET_KINDS; kind++)
			check_orphan_ends(listener, kind, places[i]);
	close(listener);
}
