/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stops.h"

int stop(struct pidring_process *process, struct pidring_stop_options options)
{
	return pidring_process_stop(process, &options);
}

struct pidring_exit_record record_of(struct pidring_process *process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };

	check_int(pidring_process_exit_record(process, &record), 0);
	return record;
}

void check_end(struct pidring_process *process, int code, int stop_signal, bool deadline_passed)
{
	struct pidring_exit_record record = record_of(process);

	check_int(record.code, code);
	check_int(record.stop_signal, stop_signal);
	check_int(record.deadline_passed, deadline_passed);
	pidring_process_free(process);
}

void await(enum pidring_event_type type, struct pidring_process *process)
{
	struct pidring_event event;

	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, type);
	check(event.process == process);
}
