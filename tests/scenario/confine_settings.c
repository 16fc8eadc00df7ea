/* SPDX-License-Identifier: MIT */
/* Limits, priorities and the like: each kind, required or reported. */
#define _GNU_SOURCE
#include "confined.h"

#include <sched.h>
#include <sys/resource.h>

enum { IO_BEST_EFFORT = 2, IO_IDLE = 3, IO_REAL_TIME = 1 };

static void check_setting(struct pidring_setting setting, const char *const *question, const char *expected)
{
	int report = 12345;

	check_told((struct pidring_confinement){ .settings = &setting, .setting_count = 1 }, question,
	           expected);
	setting.report = &report;
	check_told((struct pidring_confinement){ .settings = &setting, .setting_count = 1 }, question,
	           expected);
	check_int(report, 0);
}

/* --- what can be set --- */

SCENARIO(confine_settings, limits)
{
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_LIMIT,
	                                        .number = RLIMIT_LOCKS,
	                                        .value = 4096,
	                                        .maximum = 8192 },
	              QUESTIONS("limit", "10"), "10=4096/8192\n");
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_LIMIT,
	                                        .number = RLIMIT_FSIZE,
	                                        .value = 1 << 20,
	                                        .maximum = RLIM_INFINITY },
	              QUESTIONS("limit", "1"), "1=1048576/none\n");
	check_setting(
		(struct pidring_setting){
			.kind = PIDRING_SETTING_LIMIT, .number = RLIMIT_NOFILE, .value = 77, .maximum = 88 },
		QUESTIONS("limit", "7"), "7=77/88\n");
}

/* The descriptor limit that a program gets is not the one that the engine has raised for itself, but the one that is set. */
SCENARIO(confine_settings, descriptor_limit_of_a_large_engine)
{
	struct pidring *engine = NULL;
	struct pidring_setting setting = {
		.kind = PIDRING_SETTING_LIMIT, .number = RLIMIT_NOFILE, .value = 99, .maximum = 100
	};
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .settings = &setting,
		                                   .setting_count = 1 };
	struct pidring_engine_options options = { .size = sizeof(options) };
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max / 2;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	options.descriptors = limit.rlim_max / 2 + 10;
	check_int(pidring_open(&engine, &options), 0);
	check_text(told(engine, asking(AS_PROGRAM, QUESTIONS("limit", "7"),
	                               (struct pidring_options){ .confinement = &confinement })),
	           "7=99/100\n");
	close_engine(engine);
}

SCENARIO(confine_settings, niceness)
{
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_NICE, .number = 7 },
	              QUESTIONS("niceness"), "niceness=7\n");
}

SCENARIO(confine_settings, better_niceness)
{
	need_root();
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_NICE, .number = -7 },
	              QUESTIONS("niceness"), "niceness=-7\n");
}

SCENARIO(confine_settings, scheduler)
{
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_SCHEDULER, .number = SCHED_BATCH },
	              QUESTIONS("scheduler"), "scheduler=3/0\n");
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_SCHEDULER, .number = SCHED_IDLE },
	              QUESTIONS("scheduler"), "scheduler=5/0\n");
}

SCENARIO(confine_settings, affinity)
{
	cpu_set_t own;
	unsigned long one;
	char expected[64];

	check_int(sched_getaffinity(0, sizeof(own), &own), 0);
	one = 1;
	while (!CPU_ISSET((unsigned)__builtin_ctzl(one), &own))
		one <<= 1;
	snprintf(expected, sizeof(expected), "affinity=%lx\n", one);
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_AFFINITY,
	                                        .mask = &one,
	                                        .mask_length = sizeof(one) },
	              QUESTIONS("affinity"), expected);
}

SCENARIO(confine_settings, io_priority)
{
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_IO_PRIORITY,
	                                        .number = IO_BEST_EFFORT,
	                                        .value = 6 },
	              QUESTIONS("io_priority"), "io_priority=2/6\n");
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_IO_PRIORITY, .number = IO_IDLE },
	              QUESTIONS("io_priority"), "io_priority=3/0\n");
}

/* Also where the child is in this process's memory, which shares the score with others in it unless one is careful. */
SCENARIO(confine_settings, oom_score)
{
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_OOM_SCORE, .number = 777 },
	              QUESTIONS("oom_score"), "oom_score=777\n");
}

/* Its file in proc is its own before it joins. */
SCENARIO(confine_settings, oom_score_of_one_that_joins)
{
	struct pidring *engine = open_engine();
	struct pidring_setting setting = { .kind = PIDRING_SETTING_OOM_SCORE, .number = 500 };
	struct pidring_join join;
	struct lingerer host;

	need_user_namespaces();
	become_ordinary();
	host = start_lingerer(engine, (struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER });
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_USER };
	check_told(
		(struct pidring_confinement){
			.joins = &join, .join_count = 1, .settings = &setting, .setting_count = 1 },
		QUESTIONS("oom_score"), "oom_score=500\n");
	end_lingerer(&host);
	close_engine(engine);
}

SCENARIO(confine_settings, timer_slack)
{
	check_setting((struct pidring_setting){ .kind = PIDRING_SETTING_TIMER_SLACK, .value = 123456 },
	              QUESTIONS("slack"), "slack=123456\n");
}

/* All of them, the last of a kind counts. */
SCENARIO(confine_settings, all_together)
{
	struct pidring_setting settings[] = {
		{ .kind = PIDRING_SETTING_NICE, .number = 3 },
		{ .kind = PIDRING_SETTING_TIMER_SLACK, .value = 1000000 },
		{ .kind = PIDRING_SETTING_SCHEDULER, .number = SCHED_BATCH },
		{ .kind = PIDRING_SETTING_IO_PRIORITY, .number = IO_IDLE },
		{ .kind = PIDRING_SETTING_OOM_SCORE, .number = 500 },
		{ .kind = PIDRING_SETTING_LIMIT, .number = RLIMIT_LOCKS, .value = 1, .maximum = 2 },
		{ .kind = PIDRING_SETTING_NICE, .number = 9 },
	};

	check_told((struct pidring_confinement){ .settings = settings,
	                                         .setting_count = sizeof(settings) / sizeof(settings[0]) },
	           QUESTIONS("niceness", "slack", "scheduler", "io_priority", "oom_score", "limit", "10"),
	           "niceness=9\nslack=1000000\nscheduler=3/0\nio_priority=3/0\noom_score=500\n10=1/2\n");
}

/* --- what cannot --- */

static void check_required(struct pidring_setting setting, int error, const char *part)
{
	check_fails((struct pidring_confinement){ .settings = &setting, .setting_count = 1 },
	            PIDRING_STEP_SETTING, error, part);
}

/* The child goes on without it, and the reason is known when the start is. */
static void check_reported(struct pidring_setting setting, int error, const char *const *question,
                           const char *expected)
{
	int report = 12345;

	setting.report = &report;
	for (enum target_kind kind = 0; kind < TARGET_KINDS; kind++) {
		report = 12345;
		check_told_as(kind, (struct pidring_options){ 0 },
		              (struct pidring_confinement){ .settings = &setting, .setting_count = 1 },
		              question, expected);
		check_int(report, -error);
	}
}

/* Above the hard limit, without the right to. */
SCENARIO(confine_settings, hard_limit)
{
	struct rlimit limit = { 500, 1000 };
	struct pidring_setting setting = {
		.kind = PIDRING_SETTING_LIMIT, .number = RLIMIT_LOCKS, .value = 600, .maximum = 2000
	};

	become_ordinary();
	check_int(setrlimit(RLIMIT_LOCKS, &limit), 0);
	check_required(setting, EPERM, "setting");
	check_reported(setting, EPERM, QUESTIONS("limit", "10"), "10=500/1000\n");
}

SCENARIO(confine_settings, without_the_right_to)
{
	need_no_niceness();
	become_ordinary();
	check_required((struct pidring_setting){ .kind = PIDRING_SETTING_NICE, .number = -4 }, EACCES,
	               "setting");
	check_reported((struct pidring_setting){ .kind = PIDRING_SETTING_NICE, .number = -4 }, EACCES,
	               QUESTIONS("niceness"), "niceness=0\n");
	check_required((struct pidring_setting){ .kind = PIDRING_SETTING_SCHEDULER,
	                                         .number = SCHED_FIFO,
	                                         .value = 1 },
	               EPERM, "setting");
	check_reported((struct pidring_setting){ .kind = PIDRING_SETTING_SCHEDULER,
	                                         .number = SCHED_FIFO,
	                                         .value = 1 },
	               EPERM, QUESTIONS("scheduler"), "scheduler=0/0\n");
	check_required((struct pidring_setting){ .kind = PIDRING_SETTING_IO_PRIORITY,
	                                         .number = IO_REAL_TIME,
	                                         .value = 4 },
	               EPERM, "setting");
	check_required((struct pidring_setting){ .kind = PIDRING_SETTING_OOM_SCORE, .number = -900 }, EACCES,
	               "setting");
	check_reported((struct pidring_setting){ .kind = PIDRING_SETTING_OOM_SCORE, .number = -900 }, EACCES,
	               QUESTIONS("oom_score"), "oom_score=0\n");
}

/* No processor has such a number. */
SCENARIO(confine_settings, affinity_of_no_processor)
{
	unsigned char mask[128] = { 0 };
	struct pidring_setting setting = { .kind = PIDRING_SETTING_AFFINITY,
		                           .mask = mask,
		                           .mask_length = sizeof(mask) };

	mask[127] = 0x80;
	check_required(setting, EINVAL, "setting");
}

/* Several reports at once, good ones and bad ones; what is required beside them still is. */
SCENARIO(confine_settings, several_reports)
{
	int reports[4];
	struct pidring_setting settings[] = {
		{ .kind = PIDRING_SETTING_NICE, .number = -4, .report = &reports[0] },
		{ .kind = PIDRING_SETTING_NICE, .number = 4, .report = &reports[1] },
		{ .kind = PIDRING_SETTING_TIMER_SLACK, .value = 700 },
		{ .kind = PIDRING_SETTING_OOM_SCORE, .number = -1, .report = &reports[2] },
		{ .kind = PIDRING_SETTING_SCHEDULER, .number = SCHED_RR, .value = 99, .report = &reports[3] },
	};
	struct pidring_confinement confinement = { .settings = settings,
		                                   .setting_count = sizeof(settings) / sizeof(settings[0]) };

	need_no_niceness();
	become_ordinary();
	for (enum target_kind kind = 0; kind < TARGET_KINDS; kind++) {
		memset(reports, 0x55, sizeof(reports));
		check_told_as(kind, (struct pidring_options){ 0 }, confinement,
		              QUESTIONS("niceness", "slack", "oom_score", "scheduler"),
		              "niceness=4\nslack=700\noom_score=0\nscheduler=0/0\n");
		check_int(reports[0], -EACCES);
		check_int(reports[1], 0);
		check_int(reports[2], -EACCES);
		check_int(reports[3], -EPERM);
	}
}

/* A report is there when PIDRING_STARTED is told. */
SCENARIO(confine_settings, report_comes_before_the_event)
{
	struct pidring *engine = open_engine();
	int report = 12345;
	struct pidring_setting setting = { .kind = PIDRING_SETTING_NICE, .number = -4, .report = &report };
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .settings = &setting,
		                                   .setting_count = 1 };
	struct pidring_process *process;
	struct pidring_event event;

	become_ordinary();
	process = start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                          .asynchronous = true,
	                                                          .confinement = &confinement });
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_STARTED);
	check_int(report, -EACCES);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* Each of many starts of one call has its own. */
SCENARIO(confine_settings, reports_of_start_many)
{
	enum { COUNT = 16 };
	struct pidring *engine = open_engine();
	struct pidring_process *processes[COUNT];
	int reports[COUNT];

	need_no_niceness();
	become_ordinary();
	for (int i = 0; i < COUNT; i++) {
		struct pidring_setting setting = { .kind = PIDRING_SETTING_NICE,
			                           .number = i % 2 ? i : -i - 1,
			                           .report = &reports[i] };
		struct pidring_confinement confinement = { .size = sizeof(confinement),
			                                   .settings = &setting,
			                                   .setting_count = 1 };

		reports[i] = 12345;
		processes[i] = new_process(engine,
		                           (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
		                                                     .confinement = &confinement });
	}
	check_int(pidring_start_many(processes, COUNT), COUNT);
	for (int i = 0; i < COUNT; i++) {
		check_int(reports[i], i % 2 ? 0 : -EACCES);
		check_int(finish(processes[i]), 0);
	}
	close_engine(engine);
}

/* Where it was to be stored may be gone with the process that has been freed. */
SCENARIO(confine_settings, report_of_one_that_is_freed)
{
	struct slow_program slow = make_slow_program_unless_suspended();
	struct pidring *engine = open_engine();
	int report = 12345;
	struct pidring_setting setting = { .kind = PIDRING_SETTING_NICE, .number = 4, .report = &report };
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .settings = &setting,
		                                   .setting_count = 1 };
	const char *const argv[] = { slow.path, NULL };
	struct pidring_event event;

	pidring_process_free(start_process(
		engine,
		(struct pidring_options){ .argv = argv, .asynchronous = true, .confinement = &confinement }));
	check_int(report, 12345);
	let_go(&slow);
	while (!has_no_children())
		check_int(pidring_wait(engine, &event, 1, 20 * MILLISECONDS), 0);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	check_int(report, 12345);
	remove_slow_program(&slow);
	close_engine(engine);
	check_int(report, 12345);
}
