/* SPDX-License-Identifier: MIT */
/* clone3 and clone, which libc either does not export or hides behind fork. */
#include "sys/sys.h"

#include "sys/raw.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

long sys_clone3_probe(void)
{
	return raw_call2(SYS_clone3, 0, 0);
}

long sys_clone3(const struct sys_clone_arguments *arguments)
{
	return raw_call2(SYS_clone3, (long)arguments, (long)sizeof *arguments);
}

long sys_clone(uint64_t flags, int *ret_pidfd, int *child_tid)
{
#if defined(__x86_64__)
	return raw_call5(SYS_clone, (long)(flags | SIGCHLD), 0, (long)ret_pidfd, (long)child_tid, 0);
#else
	return raw_call5(SYS_clone, (long)(flags | SIGCHLD), 0, (long)ret_pidfd, 0, (long)child_tid);
#endif
}

/*
 * The child comes back from the kernel on an empty stack, so nothing that a compiler might have put on the
 * old one can be used: function and argument are kept in registers, which the kernel hands to the child
 * unchanged. The outermost frame is marked (a zero frame pointer) for unwinders.
 */
#if defined(__x86_64__)

long sys_clone3_call(const struct sys_clone_arguments *arguments, void (*function)(void *), void *argument)
{
	long result;
	register void (*r12)(void *) __asm__("r12") = function;
	register void *r13 __asm__("r13") = argument;

	__asm__ volatile("syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "mov %%r13, %%rdi\n\t"
	                 "call *%%r12\n\t"
	                 "hlt\n"
	                 "1:"
	                 : "=a"(result)
	                 : "a"(SYS_clone3), "D"(arguments), "S"(sizeof *arguments), "r"(r12), "r"(r13)
	                 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

long sys_clone3_call(const struct sys_clone_arguments *arguments, void (*function)(void *), void *argument)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)arguments;
	register long x1 __asm__("x1") = (long)sizeof *arguments;
	register void (*x19)(void *) __asm__("x19") = function;
	register void *x20 __asm__("x20") = argument;

	__asm__ volatile("svc 0\n\t"
	                 "cbnz x0, 1f\n\t"
	                 "mov x29, xzr\n\t"
	                 "mov x30, xzr\n\t"
	                 "mov x0, x20\n\t"
	                 "blr x19\n\t"
	                 "brk #0\n"
	                 "1:"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x19), "r"(x20)
	                 : "memory");
	return x0;
}

#endif

/*
 * Only for kernels or sandboxes without clone3. libc's clone() may write errno in the child, but the caller
 * is suspended meanwhile and its errno is put back here.
 */
long sys_clone_vfork(void *stack_top, int *ret_pidfd, int (*function)(void *), void *argument)
{
	int saved = errno;
	long pid = clone(function, stack_top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, argument,
	                 ret_pidfd);
	long result = pid < 0 ? -(long)errno : pid;

	errno = saved;
	return result;
}
