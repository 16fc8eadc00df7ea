/* SPDX-License-Identifier: MIT */
/* System calls without libc around them: safe in a child that shares the caller's memory. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

#define RAW_SIGNAL_SET_SIZE 8L
#define RAW_SIGNALS         64

/* Not in the headers of every system that the suite is built on. */
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#define RAW_P_PIDFD 3

/* The kernel's struct clone_args of Linux 5.7. */
struct raw_clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

/* The kernel's struct sigaction of x86-64 and aarch64; all zero is SIG_DFL. */
struct raw_signal_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

#if defined(__x86_64__)

static inline long raw_call(long number, long first, long second, long third, long fourth, long fifth)
{
	register long r10 __asm__("r10") = fourth;
	register long r8 __asm__("r8") = fifth;
	long result = number;

	__asm__ volatile("syscall"
	                 : "+a"(result)
	                 : "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8)
	                 : "rcx", "r11", "memory");
	return result;
}

/* clone3 onto another stack: only registers reach the child. */
static inline long raw_clone_onto_stack(const struct raw_clone_arguments *arguments, void (*function)(void *),
                                        void *argument)
{
	register void (*r12)(void *) __asm__("r12") = function;
	register void *r13 __asm__("r13") = argument;
	long result = SYS_clone3;

	__asm__ volatile("syscall\n\t"
	                 "testq %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xorl %%ebp, %%ebp\n\t"
	                 "movq %%r13, %%rdi\n\t"
	                 "callq *%%r12\n\t"
	                 "hlt\n"
	                 "1:"
	                 : "+a"(result)
	                 : "D"(arguments), "S"(sizeof(*arguments)), "r"(r12), "r"(r13)
	                 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long raw_call(long number, long first, long second, long third, long fourth, long fifth)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;
	register long x3 __asm__("x3") = fourth;
	register long x4 __asm__("x4") = fifth;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}

static inline long raw_clone_onto_stack(const struct raw_clone_arguments *arguments, void (*function)(void *),
                                        void *argument)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)arguments;
	register long x1 __asm__("x1") = (long)sizeof(*arguments);
	register void (*x19)(void *) __asm__("x19") = function;
	register void *x20 __asm__("x20") = argument;

	__asm__ volatile("svc #0\n\t"
	                 "cbnz x0, 1f\n\t"
	                 "mov x29, xzr\n\t"
	                 "mov x0, x20\n\t"
	                 "blr x19\n\t"
	                 "brk #0\n"
	                 "1:"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x19), "r"(x20)
	                 : "memory");
	return x0;
}

#else
#error "no raw system calls for this processor"
#endif

#endif
