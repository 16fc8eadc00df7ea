/* SPDX-License-Identifier: MIT */
/*
 * The process that does the work, its threads and its children are traced with ptrace(2), which stops each at every
 * system call. Children are let go when they have run their program: so they end as if nobody had traced them,
 * and nothing that waits for them notices.
 *
 * Between the two marks, which are calls of a number that no system call has, everything is counted.
 */
#include "calls.h"

#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MARK = 0x7ffffff,
	MOST_PIDS = 1 << 22, /* the kernel's own limit */
	SYSCALL_STOP = SIGTRAP | 0x80,
};

/* Whose thread has this id. */
enum kind { UNKNOWN = 0, OWN = 1, CHILD = 2 };

struct tracer {
	pid_t worker;
	unsigned char *kinds; /* by thread id */
	bool counting;
	struct calls calls;
};

static void mark(void)
{
	(void)syscall(MARK);
}

__attribute__((noreturn)) static void live_as_worker(void (*rehearsal)(void), void (*work)(void), int gate)
{
	char byte = 0;

	if (read(gate, &byte, 1) != 1)
		_exit(EXIT_FAILURE);
	(void)close(gate);
	rehearsal();
	mark();
	work();
	mark();
	_exit(EXIT_SUCCESS);
}

/* --- the tracer --- */

static bool is_thread_of(pid_t thread, pid_t process)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)process, (int)thread);
	return access(path, F_OK) == 0;
}

static enum kind kind_of(struct tracer *tracer, pid_t thread)
{
	if (tracer->kinds[thread] == UNKNOWN)
		tracer->kinds[thread] = is_thread_of(thread, tracer->worker) ? OWN : CHILD;
	return (enum kind)tracer->kinds[thread];
}

static void take_call(struct tracer *tracer, pid_t thread)
{
	struct __ptrace_syscall_info information;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(information), &information) < 0)
		return;
	if (information.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (information.entry.nr == MARK)
		tracer->counting = !tracer->counting;
	else if (tracer->counting && kind_of(tracer, thread) == OWN)
		tracer->calls.own++;
	else if (tracer->counting)
		tracer->calls.children++;
}

/* What the thread is to go on with. It may have been killed meanwhile, which is no concern of ours. */
static void go_on(pid_t thread, int signal_number)
{
	(void)ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)signal_number);
}

static void take_stop(struct tracer *tracer, pid_t thread, int status)
{
	int event = status >> 16;
	int signal_number = WSTOPSIG(status);

	if (event == PTRACE_EVENT_EXEC && kind_of(tracer, thread) == CHILD) {
		/* The number may be another's soon. */
		tracer->kinds[thread] = UNKNOWN;
		(void)ptrace(PTRACE_DETACH, thread, NULL, NULL);
		return;
	}
	if (signal_number == SYSCALL_STOP)
		take_call(tracer, thread);
	go_on(thread, event != 0 || signal_number == SYSCALL_STOP ? 0 : signal_number);
}

static void trace(struct tracer *tracer)
{
	for (;;) {
		int status = 0;
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0)
			bench_fail("waiting for what is traced", errno);
		if (WIFSTOPPED(status)) {
			take_stop(tracer, thread, status);
			continue;
		}
		tracer->kinds[thread] = UNKNOWN;
		if (thread != tracer->worker)
			continue;
		if (status != 0)
			bench_fail("the work that was traced did not end well", 0);
		return;
	}
}

static int seize(pid_t process)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	               PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

	return ptrace(PTRACE_SEIZE, process, NULL, (void *)options) < 0 ? -errno : 0;
}

/* Only from a stop on is a thread stopped at its calls. */
static void begin(pid_t worker, int gate)
{
	int error = seize(worker);

	if (error == 0 && ptrace(PTRACE_INTERRUPT, worker, NULL, NULL) < 0)
		error = -errno;
	if (error < 0)
		bench_fail("ptrace", -error);
	if (write(gate, "", 1) != 1)
		bench_fail("opening the gate", errno);
	(void)close(gate);
}

void calls_count(void (*rehearsal)(void), void (*work)(void), struct calls *ret_calls)
{
	struct tracer tracer = { 0 };
	int gate[2];

	tracer.kinds = mmap(NULL, MOST_PIDS, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (tracer.kinds == MAP_FAILED)
		bench_fail("mapping memory", errno);
	if (pipe(gate) < 0)
		bench_fail("pipe", errno);
	tracer.worker = fork();
	if (tracer.worker < 0)
		bench_fail("fork", errno);
	if (tracer.worker == 0) {
		(void)close(gate[1]);
		(void)munmap(tracer.kinds, MOST_PIDS);
		live_as_worker(rehearsal, work, gate[0]);
	}
	(void)close(gate[0]);
	tracer.kinds[tracer.worker] = OWN;
	begin(tracer.worker, gate[1]);
	trace(&tracer);
	(void)munmap(tracer.kinds, MOST_PIDS);
	*ret_calls = tracer.calls;
}

const char *calls_missing(void)
{
	int gate[2];
	pid_t process = 0;
	int error = 0;
	char byte = 0;

	if (pipe(gate) < 0)
		return "there is no pipe";
	process = fork();
	if (process == 0) {
		(void)close(gate[1]);
		_exit((int)read(gate[0], &byte, 1));
	}
	error = process > 0 ? seize(process) : -errno;
	(void)close(gate[0]);
	(void)close(gate[1]);
	if (process > 0)
		(void)waitpid(process, NULL, 0);
	return error < 0 ? "tracing with ptrace is forbidden here" : NULL;
}
