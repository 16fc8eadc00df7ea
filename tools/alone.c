/* SPDX-License-Identifier: MIT */
/* For a static program that starts all its processes from its main thread. The library makes a thread for those that are
 * started from others, and libc's part of that is an eighth of such a program. */
#include <errno.h>
#include <pthread.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument)
{
	(void)thread;
	(void)attributes;
	(void)function;
	(void)argument;
	return EAGAIN;
}
