/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ready_children.h"

struct pidring *engine;
struct latch ready;

int ignore_term(void *unused)
{
	(void)unused;
	signal(SIGTERM, SIG_IGN);
	latch_release(&ready);
	return sleep_forever(NULL);
}

int obey(void *unused)
{
	latch_release(&ready);
	return sleep_forever(unused);
}

struct pidring_process *start_ready(int (*target)(void *), struct pidring_options options)
{
	options.target = target;
	if (ready.reader == 0)
		ready = latch_open();
	struct pidring_process *process = start_process(engine, options);
	latch_wait(&ready);
	return process;
}

void close_all(void)
{
	close_engine(engine);
	latch_close(&ready);
}
