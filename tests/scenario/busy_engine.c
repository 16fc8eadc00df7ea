/* SPDX-License-Identifier: MIT */
/* An engine in full use: see busy_engine.h. */
#define _GNU_SOURCE
#include "busy_engine.h"

struct pidring *busy_engine(struct pidring_process *running[3])
{
	struct pidring *engine = open_engine();
	struct pidring_event event;
	const char *const good[] = { "true", NULL };
	struct pidring_process *process =
		start_process(engine, (struct pidring_options){ .argv = good, .asynchronous = true });

	check(pidring_fd(engine) >= 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	pidring_process_free(process);
	running[0] = start_function(engine, sleep_forever, NULL);
	running[1] = start_program(engine, "sleep", "1000", NULL);
	running[2] = start_process(
		engine, (struct pidring_options){ .target = sleep_forever, .daemon = PIDRING_YES });
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	return engine;
}

void end_busy_engine(struct pidring *engine, struct pidring_process *running[3])
{
	for (int i = 0; i < 3; i++)
		kill_and_free(running[i]);
	close_engine(engine);
}
