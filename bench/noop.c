/* SPDX-License-Identifier: MIT */
/*
 * The smallest program: it ends with 0. With an argument that begins with "w" it waits instead, until a
 * signal ends it. There is no libc in it, as that would be most of what a benchmark then measures.
 */
#if defined(__x86_64__)

__asm__(".globl _start\n"
        "_start:\n"
        "	cmpq $1, (%rsp)\n" /* argc */
        "	jle 2f\n"
        "	movq 16(%rsp), %rax\n" /* argv[1] */
        "	cmpb $'w', (%rax)\n"
        "	jne 2f\n"
        "1:	movl $34, %eax\n" /* pause() */
        "	syscall\n"
        "	jmp 1b\n"
        "2:	movl $231, %eax\n" /* exit_group(0) */
        "	xorl %edi, %edi\n"
        "	syscall\n"
        "	hlt\n");

#elif defined(__aarch64__)

__asm__(".globl _start\n"
        "_start:\n"
        "	ldr x0, [sp]\n" /* argc */
        "	cmp x0, #1\n"
        "	b.le 2f\n"
        "	ldr x0, [sp, #16]\n" /* argv[1] */
        "	ldrb w0, [x0]\n"
        "	cmp w0, #'w'\n"
        "	b.ne 2f\n"
        "1:	mov x0, #0\n" /* ppoll(NULL, 0, NULL, NULL, 0) */
        "	mov x1, #0\n"
        "	mov x2, #0\n"
        "	mov x3, #0\n"
        "	mov x4, #0\n"
        "	mov x8, #73\n"
        "	svc #0\n"
        "	b 1b\n"
        "2:	mov x0, #0\n" /* exit_group(0) */
        "	mov x8, #94\n"
        "	svc #0\n"
        "	brk #1\n");

#else
#error "no start-up code for this processor"
#endif
