/* SPDX-License-Identifier: MIT */
/*
 * Takes the time (CLOCK_MONOTONIC, a struct timespec) with its first instructions, writes it to the beginning of the
 * file that is its stdin, and ends with 0; with 1 if that failed. Without libc, as noop.c.
 */
#include "raw.h"

#include <time.h>

__asm__(".globl _start\n"
        "_start:\n"
#if defined(__x86_64__)
        "	andq $-16, %rsp\n"
        "	callq stamp_main\n"
#else
        "	bl stamp_main\n"
#endif
);

__attribute__((noreturn, used)) void stamp_main(void)
{
	struct timespec now;
	long written = 0;

	(void)raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0);
	written = raw_call(SYS_pwrite64, 0, (long)&now, sizeof(now), 0, 0);
	for (;;)
		(void)raw_call(SYS_exit_group, written == sizeof(now) ? 0 : 1, 0, 0, 0, 0);
}
