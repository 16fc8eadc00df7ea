/* SPDX-License-Identifier: MIT */
/*
 * Raw system calls: the result is the kernel's own, a negated errno on failure.
 *
 * libc's syscall() is no substitute in a child that shares its creator's memory and thread-local storage: it
 * writes errno, which is the creator's, who may be running at the same moment.
 */
#ifndef PIDRING_SYS_RAW_H
#define PIDRING_SYS_RAW_H

#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long raw_call6(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long raw_call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	                 : "memory");
	return x0;
}

#else
#error "pidring knows the system call convention of x86-64 and aarch64 only"
#endif

static inline long raw_call5(long number, long a, long b, long c, long d, long e)
{
	return raw_call6(number, a, b, c, d, e, 0);
}

static inline long raw_call4(long number, long a, long b, long c, long d)
{
	return raw_call6(number, a, b, c, d, 0, 0);
}

static inline long raw_call3(long number, long a, long b, long c)
{
	return raw_call6(number, a, b, c, 0, 0, 0);
}

static inline long raw_call2(long number, long a, long b)
{
	return raw_call6(number, a, b, 0, 0, 0, 0);
}

static inline long raw_call1(long number, long a)
{
	return raw_call6(number, a, 0, 0, 0, 0, 0);
}

static inline long raw_call0(long number)
{
	return raw_call6(number, 0, 0, 0, 0, 0, 0);
}

#endif
