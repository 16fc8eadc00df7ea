/* SPDX-License-Identifier: MIT */
/* What libc does in function children, also in those that it did not make: fork handlers, threads, mutexes. */
#define _GNU_SOURCE
#include "birth_helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "servers.h"

/* --- fork handlers --- */

static int prepared, parented;
static atomic_int *childed;

static void count_prepare(void)
{
	prepared++;
}

static void count_parent(void)
{
	parented++;
}

static void count_child(void)
{
	atomic_fetch_add(childed, 1);
}

/* The fork handlers of the host run with libc's fork and not with clone3. */
SCENARIO(births_libc, fork_handlers)
{
	struct pidring *engine = open_engine();
	int expected = 1;

	childed = shared_memory(4096);
	check_int(pthread_atfork(count_prepare, count_parent, count_child), 0);
	check_int(birth_of_function(engine, true), PIDRING_BIRTH_FORK);
	check_int(prepared, 1);
	check_int(parented, 1);
	check_int(atomic_load(childed), 1);
	if (birth_of_function(engine, false) == PIDRING_BIRTH_FORK)
		expected = 2;
	check_int(prepared, expected);
	check_int(parented, expected);
	check_int(atomic_load(childed), expected);
	munmap(childed, 4096);
	close_engine(engine);
}

/* --- threads and mutexes --- */

static void *do_nothing(void *argument)
{
	return argument;
}

static pthread_mutex_t mutex_of(int type)
{
	pthread_mutex_t mutex;
	pthread_mutexattr_t attributes;

	check_int(pthread_mutexattr_init(&attributes), 0);
	check_int(pthread_mutexattr_settype(&attributes, type), 0);
	check_int(pthread_mutex_init(&mutex, &attributes), 0);
	pthread_mutexattr_destroy(&attributes);
	return mutex;
}

static atomic_int signals_seen;

static void count_signal(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&signals_seen, 1);
}

static int use_thread_identity(void *argument)
{
	pthread_mutex_t recursive = mutex_of(PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_t checking = mutex_of(PTHREAD_MUTEX_ERRORCHECK);
	const pthread_t *parent_self = argument;
	pthread_t thread;
	void *result = NULL;
	int value = 5;

	check_int(gettid(), getpid());
	check_int(gettid(), syscall(SYS_gettid));
	check(pthread_equal(pthread_self(), *parent_self));
	check_int(pthread_mutex_lock(&recursive), 0);
	check_int(recursive.__data.__owner, getpid());
	check_int(pthread_mutex_lock(&recursive), 0);
	check_int(pthread_mutex_unlock(&recursive), 0);
	check_int(pthread_mutex_unlock(&recursive), 0);
	check_int(pthread_mutex_lock(&checking), 0);
	check_int(checking.__data.__owner, getpid());
	check_int(pthread_mutex_lock(&checking), EDEADLK);
	check_int(pthread_mutex_unlock(&checking), 0);
	check_int(pthread_mutex_unlock(&checking), EPERM);
	signal(SIGUSR1, count_signal);
	check_int(raise(SIGUSR1), 0);
	check_int(atomic_load(&signals_seen), 1);
	check_int(pthread_kill(pthread_self(), SIGUSR1), 0);
	check_int(atomic_load(&signals_seen), 2);
	check_int(pthread_create(&thread, NULL, do_nothing, &value), 0);
	check_int(pthread_join(thread, &result), 0);
	check(result == &value);
	return 0;
}

/* A function child is a thread with an identity of its own: mutexes that know their owner, raise,
 * pthread_kill and new threads work. */
SCENARIO(births_libc, thread_identity_of_the_child)
{
	struct pidring *engine = open_engine();
	pthread_t self = pthread_self();

	check_int(finish(start_function(engine, use_thread_identity, &self)), 0);
	check_int(finish(start_process(engine, (struct pidring_options){ .target = use_thread_identity,
	                                                                 .argument = &self,
	                                                                 .libc_fork = true })),
	          0);
	check_int(gettid(), getpid());
	close_engine(engine);
}

static int use_identity_in_grandchild(void *argument)
{
	pthread_t self = pthread_self();

	return finish(start_function(argument, use_thread_identity, &self));
}

/* The same one level further down. */
SCENARIO(births_libc, thread_identity_of_the_grandchild)
{
	struct pidring *engine = open_engine();

	check_int(finish(start_function(engine, use_identity_in_grandchild, engine)), 0);
	close_engine(engine);
}

static int lock_and_die(void *argument)
{
	check_int(pthread_mutex_lock(argument), 0);
	_exit(0);
}

/* A child that dies with a robust mutex leaves it to the parent: its list of robust mutexes is registered. */
SCENARIO(births_libc, robust_mutex)
{
	struct pidring *engine = open_engine();
	pthread_mutex_t *mutex = shared_memory(4096);
	pthread_mutexattr_t attributes;

	check_int(pthread_mutexattr_init(&attributes), 0);
	check_int(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	check_int(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
	check_int(pthread_mutex_init(mutex, &attributes), 0);
	pthread_mutexattr_destroy(&attributes);
	for (int round = 0; round < 3; round++) {
		check_int(finish(start_function(engine, lock_and_die, mutex)), 0);
		check_int(pthread_mutex_lock(mutex), EOWNERDEAD);
		check_int(pthread_mutex_consistent(mutex), 0);
		check_int(pthread_mutex_unlock(mutex), 0);
	}
	munmap(mutex, 4096);
	close_engine(engine);
}
