/* SPDX-License-Identifier: MIT */
/* The keeper thread: creates children on behalf of threads that may end before them. */
#include "birth/birth.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* A process has one keeper; callers take turns. */
static struct {
	pthread_mutex_t turn; /* held by the caller that is being served */
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	bool running;
	void (*function)(void *argument); /* NULL: nothing to do */
	void *argument;
} keeper = {
	.turn = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

/* The host's signals are not for this thread. But libc's own, 32 and 33, must come through: setuid() and its
 * like wait until every thread has answered them. */
#define HOST_SIGNALS (SYS_ALL_SIGNALS & ~((sys_signal_set)3 << 31))

static void *keep(void *unused)
{
	(void)unused;
	sys_signal_mask(&(sys_signal_set){ HOST_SIGNALS }, NULL);
	pthread_mutex_lock(&keeper.lock);
	for (;;) {
		while (!keeper.function)
			pthread_cond_wait(&keeper.changed, &keeper.lock);
		/* Without the lock: the function may fork, and the child must find it free. */
		pthread_mutex_unlock(&keeper.lock);
		keeper.function(keeper.argument);
		pthread_mutex_lock(&keeper.lock);
		keeper.function = NULL;
		pthread_cond_broadcast(&keeper.changed);
	}
	return NULL;
}

/* The caller has all signals blocked, and the keeper begins so, too. */
static int ensure_running(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (keeper.running)
		return 0;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	int error = pthread_create(&thread, &attributes, keep, NULL);
	pthread_attr_destroy(&attributes);
	keeper.running = error == 0;
	return -error;
}

int keeper_call(void (*function)(void *argument), void *argument)
{
	pthread_mutex_lock(&keeper.turn);
	pthread_mutex_lock(&keeper.lock);
	int r = ensure_running();
	if (r == 0) {
		keeper.argument = argument;
		keeper.function = function;
		pthread_cond_broadcast(&keeper.changed);
		while (keeper.function)
			pthread_cond_wait(&keeper.changed, &keeper.lock);
	}
	pthread_mutex_unlock(&keeper.lock);
	pthread_mutex_unlock(&keeper.turn);
	return r;
}

bool keeper_is_there(void)
{
	pthread_mutex_lock(&keeper.lock);
	bool running = keeper.running;
	pthread_mutex_unlock(&keeper.lock);
	return running;
}

void keeper_forget(void)
{
	keeper.turn = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	keeper.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	keeper.changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	keeper.running = false;
	keeper.function = NULL;
}
