/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

static struct pidring_exit_record record_of(struct pidring_process *process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };

	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(record.size, sizeof(record));
	return record;
}

static int use_memory(void *unused)
{
	(void)unused;
	return 6;
}

/* The record of a process that returned. */
SCENARIO(records, of_a_normal_end)
{
	struct pidring_exit_record record;
	struct pidring_process *process;
	int64_t before = now(), after;

	engine = open_engine();
	process = start_function(engine, use_memory, NULL);
	record = record_of(process);
	after = now();
	check_int(record.pid, pidring_process_pid(process));
	check_int(record.reaper, PIDRING_REAPED_HERE);
	check(record.known);
	check_int(record.code, 6);
	check(WIFEXITED(record.wait_status));
	check_int(WEXITSTATUS(record.wait_status), 6);
	check(!record.core_dumped);
	check(record.usage_known);
	check(record.usage.ru_maxrss > 0);
	check(before <= record.start_time);
	check(record.start_time < record.end_time);
	check(record.end_time <= after);
	pidring_process_free(process);
	close_engine(engine);
}

/* The record of a process that a signal ended. */
SCENARIO(records, of_a_death_by_signal)
{
	struct pidring_exit_record record;
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, sleep_forever, NULL);
	check_int(pidring_process_kill(process), 0);
	record = record_of(process);
	check(record.known);
	check_int(record.code, -SIGKILL);
	check(WIFSIGNALED(record.wait_status));
	check_int(WTERMSIG(record.wait_status), SIGKILL);
	check(!record.core_dumped);
	pidring_process_free(process);
	close_engine(engine);
}

static int quit(void *unused)
{
	struct rlimit limit;

	(void)unused;
	signal(SIGQUIT, SIG_DFL);
	/* If the limit allows it, "/" is where nobody minds a core file that cannot be written. */
	check_int(chdir("/proc"), 0);
	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_CORE, &limit);
	raise(SIGQUIT);
	return 0;
}

/* Whether core was dumped is as the wait status says. */
SCENARIO(records, of_a_core_signal)
{
	struct pidring_exit_record record;
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, quit, NULL);
	record = record_of(process);
	check_int(record.code, -SIGQUIT);
	check_int(WTERMSIG(record.wait_status), SIGQUIT);
	check_int(record.core_dumped, WCOREDUMP(record.wait_status) != 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* The record of a program counts the children that it waited for. */
SCENARIO(records, usage_of_a_program)
{
	struct pidring_exit_record record;
	struct pidring_process *process;

	engine = open_engine();
	process = start_program(engine, "/bin/sh", "-c", "/bin/true; exit 5", NULL);
	record = record_of(process);
	check_int(record.code, 5);
	check(record.usage_known);
	check(record.usage.ru_maxrss > 0);
	check(record.usage.ru_minflt > 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* There is none before the end. */
SCENARIO(records, none_before_the_end)
{
	struct pidring_exit_record record = { .size = sizeof(record) };
	struct latch latch = latch_open();
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_exit_record(process, &record), -EAGAIN);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_exit_record(process, &record), -EAGAIN);
	latch_release(&latch);
	wait_ended(process);
	check_int(pidring_process_exit_record(process, &record), 0);
	check_int(process_state(record.pid), 0);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_exit_record(process, &record), -EBADF);
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

/* The current process has none. */
SCENARIO(records, none_of_the_current_process)
{
	struct pidring_exit_record record = { .size = sizeof(record) };

	check_int(pidring_process_exit_record(pidring_current_process(), &record), -EAGAIN);
}

/* The size must be a known one. */
SCENARIO(records, size)
{
	struct pidring_exit_record record = { .size = 0 };
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, use_memory, NULL);
	check_int(join_code(process), 6);
	check_int(pidring_process_exit_record(process, NULL), -EINVAL);
	check_int(pidring_process_exit_record(process, &record), -EINVAL);
	record.size = 3;
	check_int(pidring_process_exit_record(process, &record), -EINVAL);
	check_contains(pidring_explain(), "3");
	record.size = sizeof(record);
	check_int(pidring_process_exit_record(process, &record), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* It stays the same however often it is asked. */
SCENARIO(records, stays_the_same)
{
	struct pidring_exit_record first, second;
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, use_memory, NULL);
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	first.size = second.size = sizeof(first);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_int(pidring_process_exit_record(process, &first), 0);
	check_int(pidring_process_exit_record(process, &second), 0);
	check_int(first.end_time, second.end_time);
	check_int(first.start_time, second.start_time);
	check_int(memcmp(&first.usage, &second.usage, sizeof(first.usage)), 0);
	pidring_process_free(process);
	close_engine(engine);
}
