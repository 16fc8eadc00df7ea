/* SPDX-License-Identifier: MIT */
/*
 * writer BYTES [SIZE]: writes so many bytes to its stdout, so many at a time (all at once without SIZE, 64 KiB at
 * most), and ends with 0; with 1 if a write failed. Without libc, as noop.c.
 */
#include "raw.h"

enum { MOST = 64 * 1024 };

static char bytes[MOST];

__asm__(".globl _start\n"
        "_start:\n"
#if defined(__x86_64__)
        "	movq %rsp, %rdi\n"
        "	andq $-16, %rsp\n"
        "	callq writer_main\n"
#else
        "	mov x0, sp\n"
        "	bl writer_main\n"
#endif
);

static long parse(const char *text)
{
	long number = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (*text - '0');
	return number;
}

static long smaller(long first, long second)
{
	return first < second ? first : second;
}

/* As any program that writes: the bytes are in its cache, and no shared page of zeroes. */
static void fill(long size)
{
	volatile char *byte = bytes;

	for (long index = 0; index < size; index++)
		byte[index] = 'x';
}

static int write_all(long left, long size)
{
	fill(smaller(left, size));
	while (left > 0) {
		long written = raw_call(SYS_write, 1, (long)bytes, smaller(left, size), 0, 0);

		if (written <= 0)
			return 1;
		left -= written;
	}
	return 0;
}

/* What the kernel left on the stack: argc, then argv. */
__attribute__((noreturn, used)) void writer_main(const long *stack)
{
	char *const *argv = (char *const *)(stack + 1);
	long left = stack[0] > 1 ? parse(argv[1]) : 0;
	long size = stack[0] > 2 ? smaller(parse(argv[2]), MOST) : MOST;
	int code = write_all(left, size > 0 ? size : MOST);

	for (;;)
		(void)raw_call(SYS_exit_group, code, 0, 0, 0, 0);
}
