/* SPDX-License-Identifier: MIT */
/* Writing to a child that reads no more raises no SIGPIPE, with the kernel's help and without. */
#define _GNU_SOURCE
#include "streams.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static volatile sig_atomic_t handled;

static void count_signal(int signal_number)
{
	(void)signal_number;
	handled++;
}

/* Neither by the write itself, nor by what is written later from the queue. */
static void write_to_the_deaf(void)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };
	struct latch latch = begin_latched(&child, engine, with_input(&child, "deaf", 8, 0));

	check(write_input(&child, 0, MEBIBYTE) > 0);
	close(latch.writer);
	wait_ended(child.process);
	check_int(write_input(&child, 0, 10), -EAGAIN);
	fetch_all(engine, 64);
	close(latch.reader);
	check_int(child.input_closed, 1);
	end_child(&child, 0, 0, 0);

	child = (struct child){ 0 };
	latch = begin_latched(&child, engine, with_input(&child, "unplugged", 9, 0));
	/* Without a look at its events, only the write itself can find out. */
	while (write_input(&child, 0, 1) != -EPIPE)
		sched_yield();
	close(latch.writer);
	fetch_all(engine, 64);
	close(latch.reader);
	check_int(child.input_closed, 1);
	end_child(&child, 1, 0, 0);
	close_engine(engine);
}

SCENARIO(broken_pipe, no_signal)
{
	signal(SIGPIPE, SIG_DFL);
	write_to_the_deaf();
	signal(SIGPIPE, count_signal);
	write_to_the_deaf();
	check_int(handled, 0);
	signal(SIGPIPE, SIG_DFL);
}

/* One that was pending before stays, and none comes on top of it. */
SCENARIO(broken_pipe, pending_signal_stays)
{
	sigset_t broken_pipe, pending;

	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	signal(SIGPIPE, count_signal);
	pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
	raise(SIGPIPE);
	write_to_the_deaf();
	sigpending(&pending);
	check(sigismember(&pending, SIGPIPE) == 1);
	pthread_sigmask(SIG_UNBLOCK, &broken_pipe, NULL);
	check_int(handled, 1);
}

/* From here on pwritev2 fails, as on a kernel or in a sandbox without it. */
static void forbid_silent_writes(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	check_int(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		skip("no seccomp filter can be set here");
}

static void write_to_echo(void)
{
	struct pidring *engine = open_engine();
	struct child child = { 0 };

	begin_child(&child, engine, with_input(&child, "echo", 1, 0));
	check_int(write_input(&child, 0, 90000), 90000);
	check_int(pidring_process_close_input(child.process), 0);
	fetch_all(engine, 64);
	end_child(&child, 90000, 0, 0);
	check(!features_of(engine).silent_write);
	close_engine(engine);
}

static void run_without_silent_writes(int error)
{
	int status = 0;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		forbid_silent_writes(error);
		signal(SIGPIPE, count_signal);
		write_to_the_deaf();
		check_int(handled, 0);
		write_to_echo();
		_exit(0);
	}
	check_int(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		_exit(EXIT_SKIPPED);
	check_int(status, 0);
}

SCENARIO(broken_pipe, without_silent_writes)
{
	run_without_silent_writes(EOPNOTSUPP);
	run_without_silent_writes(ENOSYS);
	run_without_silent_writes(EPERM);
}

/* Writing to a terminal does not spoil the fast path. */
SCENARIO(broken_pipe, terminals_leave_silent_writes)
{
	const char *const argv[] = { "cat", NULL };
	struct pidring *engine = open_engine();
	bool before = features_of(engine).silent_write;
	struct child child = { .is_unchecked = true };

	begin_child(&child, engine,
	            (struct pidring_options){ .argv = argv,
	                                      .stdin_to = PIDRING_STREAM_TERMINAL,
	                                      .stdout_to = PIDRING_STREAM_TERMINAL });
	check_int(pidring_process_write(child.process, "line\n", 5), 5);
	check_int(pidring_process_close_input(child.process), 0);
	fetch_all(engine, 64);
	check_int(features_of(engine).silent_write, before);
	check_int(finish(child.process), 0);
	close_engine(engine);
}
