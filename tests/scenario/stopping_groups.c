/* SPDX-License-Identifier: MIT */
/* Stopping and signalling whole process groups, whatever has become of the leader. */
#define _GNU_SOURCE
#include "stops.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* --- stops --- */

/* It and two children of its own, all of them deaf to SIGTERM. */
static int family_that_ignores_term(void *unused)
{
	signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			ignore_term(NULL);
	return ignore_term(unused);
}

/* The leader ends, its child stays. */
static int leave_one_behind(void *unused)
{
	(void)unused;
	if (fork() == 0)
		ignore_term(NULL);
	return 0;
}

/* Its writer has been closed. */
static void latch_gone(void)
{
	close(ready.reader);
	ready.reader = 0;
}

/* All of a group get the signals, and no longer exist afterwards. */
SCENARIO(stopping_groups, whole_group)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(term_then_kill);

	engine = open_engine();
	process = start_ready(family_that_ignores_term, (struct pidring_options){ .new_group = true });
	latch_wait(&ready);
	latch_wait(&ready);
	close(ready.writer);
	options.group = true;
	check_int(stop(process, options), 0);
	check_int(join_code(process), -SIGKILL);
	/* The grandchildren had it open. */
	check_text(read_all(ready.reader), "");
	check_end(process, -SIGKILL, SIGKILL, false);
	latch_gone();
	close_engine(engine);
}

static void wait_for_end_of_grandchild(void)
{
	struct pidring_event event;

	while (!is_readable(ready.reader))
		check(pidring_wait(engine, &event, 1, 5 * MILLISECONDS) >= 0);
	check_text(read_all(ready.reader), "");
}

/* A leader that ends, at whatever step, does not save the others. */
SCENARIO(stopping_groups, group_whose_leader_has_ended)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(term_then_kill);

	engine = open_engine();
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_session = true });
	close(ready.writer);
	check_int(join_code(process), 0);
	check(!is_readable(ready.reader));
	options.group = true;
	check_int(stop(process, options), 0);
	wait_for_end_of_grandchild();
	/* What was sent after its end is not in its record. */
	check_end(process, 0, 0, false);
	latch_gone();
	close_engine(engine);
}

static int end_on_term_and_leave_one(void *unused)
{
	if (fork() == 0)
		ignore_term(NULL);
	latch_release(&ready);
	return sleep_forever(unused);
}

SCENARIO(stopping_groups, group_whose_leader_obeys)
{
	static const struct pidring_stop_step steps[] = { { SIGTERM, 500 * MILLISECONDS }, { SIGKILL, 0 } };
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(end_on_term_and_leave_one,
	                      (struct pidring_options){ .new_group = true, .stop_group = true });
	latch_wait(&ready);
	close(ready.writer);
	check_int(stop(process, STEPS(steps)), 0);
	check_int(join_code(process), -SIGTERM);
	wait_for_end_of_grandchild();
	check_end(process, -SIGTERM, SIGTERM, false);
	latch_gone();
	close_engine(engine);
}

/* Freeing the object ends all that. */
SCENARIO(stopping_groups, group_is_left_when_the_object_is_freed)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(term_then_kill);
	struct pidring_event event;
	pid_t group;

	engine = open_engine();
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_group = true });
	group = pidring_process_pid(process);
	close(ready.writer);
	check_int(join_code(process), 0);
	options.group = true;
	check_int(stop(process, options), 0);
	pidring_process_free(process);
	check_int(pidring_wait(engine, &event, 1, 60 * MILLISECONDS), 0);
	check(!is_readable(ready.reader));
	check_int(kill(-group, SIGKILL), 0);
	check_text(read_all(ready.reader), "");
	latch_gone();
	close_engine(engine);
}

static int leave_a_stubborn_member(void *argument)
{
	struct latch *latch = argument;

	if (fork() == 0) {
		signal(SIGTERM, SIG_IGN);
		latch_release(latch);
		for (;;)
			pause();
	}
	for (;;)
		pause();
	return 0;
}

/* The leader obeys, somebody in its group does not: `last` waits for the end of the stop. */
SCENARIO(stopping_groups, last_comes_after_the_group)
{
	const struct pidring_stop_step steps[] = { { SIGTERM, 100 * MILLISECONDS }, { SIGKILL, 0 } };
	struct latch latch = latch_open();
	struct pidring_event event = { 0 };
	struct pidring_process *process;

	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = leave_a_stubborn_member,
	                                                          .argument = &latch,
	                                                          .new_group = true,
	                                                          .stop_group = true,
	                                                          .stop_steps = steps,
	                                                          .stop_step_count = 2 });
	latch_wait(&latch);
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check_int(event.code, -SIGTERM);
	check(!event.last);
	check_int(pidring_outstanding(engine), 1);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_GROUP_STOPPED);
	check_int(event.code, SIGKILL);
	check(event.last);
	check_int(pidring_outstanding(engine), 0);
	pidring_process_free(process);
	latch_close(&latch);
	close_engine(engine);
}

/* Nobody of the group is left when the leader ends: that is the end of the stop, without a wait. */
SCENARIO(stopping_groups, an_empty_group_is_stopped)
{
	const struct pidring_stop_step steps[] = { { SIGTERM, PIDRING_FOREVER }, { SIGKILL, 0 } };
	struct pidring_event event = { 0 };
	struct pidring_process *process;

	engine = open_engine();
	process = start_process(engine, (struct pidring_options){ .target = sleep_forever,
	                                                          .new_group = true,
	                                                          .stop_group = true,
	                                                          .stop_steps = steps,
	                                                          .stop_step_count = 2 });
	check_int(pidring_process_stop(process, NULL), 0);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check_int(event.type, PIDRING_EXITED);
	check(event.last);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- signals --- */

static void signal_groups(void)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_ready(family_that_ignores_term, (struct pidring_options){ .new_group = true });
	latch_wait(&ready);
	latch_wait(&ready);
	close(ready.writer);
	check_int(pidring_process_signal_group(process, 0), 0);
	check_int(pidring_process_signal_group(process, SIGTERM), 0);
	check_int(pidring_process_signal_group(process, SIGKILL), 0);
	check_int(join_code(process), -SIGKILL);
	check_text(read_all(ready.reader), "");
	latch_gone();
	pidring_process_free(process);
	close_engine(engine);
}

/* A group can be signalled at any time. */
SCENARIO(stopping_groups, group_is_signalled)
{
	signal_groups();
}

/* One that has not made its group yet is alone, and the starter's own group is not meant. */
SCENARIO(stopping_groups, group_that_is_not_there_yet)
{
	struct pidring_process *process;

	engine = open_engine();
	for (int i = 0; i < 50; i++) {
		process = start_process(engine, (struct pidring_options){ .target = sleep_forever,
		                                                          .new_group = i % 2 == 0,
		                                                          .new_session = i % 2 == 1 });
		check_int(pidring_process_signal_group(process, SIGTERM), 0);
		check_int(finish(process), -SIGTERM);
		process = start_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
		                                          .asynchronous = true,
		                                          .new_group = true });
		check_int(pidring_process_signal_group(process, SIGTERM), 0);
		check_int(finish(process), -SIGTERM);
	}
	close_engine(engine);
}

/* When the leader has ended, too, as long as there is anybody. */
SCENARIO(stopping_groups, group_is_signalled_after_the_end)
{
	struct pidring_features features = { .size = sizeof(features) };
	struct pidring_process *process;

	engine = open_engine();
	check_int(pidring_features(engine, &features), 0);
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_group = true });
	close(ready.writer);
	check_int(join_code(process), 0);
	if (features.group_signal)
		check_int(pidring_process_signal_group(process, SIGKILL), 0);
	else
		check_int(kill(-pidring_process_pid(process), SIGKILL), 0);
	check_text(read_all(ready.reader), "");
	latch_gone();
	pidring_process_free(process);

	process = start_process(engine, (struct pidring_options){ .target = return_zero, .new_group = true });
	wait_ended(process);
	check_int(pidring_process_signal_group(process, 0), -ESRCH);
	check_int(pidring_process_signal_group(process, SIGKILL), -ESRCH);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* As before Linux 6.9. */
static void refuse_group_flag(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		skip("no seccomp here");
}

/* Without the kernel's help the group is signalled by its number, as long as that cannot be another's. */
SCENARIO(stopping_groups, group_is_signalled_by_number)
{
	struct pidring_features features = { .size = sizeof(features) };
	struct pidring_process *process;

	refuse_group_flag();
	signal_groups();
	engine = open_engine();
	check_int(pidring_features(engine, &features), 0);
	check_int(features.group_signal, false);
	process = start_ready(leave_one_behind, (struct pidring_options){ .new_group = true });
	close(ready.writer);
	check_int(join_code(process), 0);
	check_int(pidring_process_signal_group(process, SIGKILL), -ESRCH);
	check_int(kill(-pidring_process_pid(process), SIGKILL), 0);
	check_text(read_all(ready.reader), "");
	latch_gone();
	pidring_process_free(process);
	close_engine(engine);
}

/* The group of a process that has none of its own is somebody else's, too. */
SCENARIO(stopping_groups, group_of_others_is_refused)
{
	struct pidring_process *process;
	struct pidring_stop_options options = STEPS(only_kill);

	engine = open_engine();
	process = start_ready(obey, (struct pidring_options){ 0 });
	options.group = true;
	check_int(stop(process, options), -EPERM);
	check_contains(pidring_explain(), "leads no group");
	check_int(pidring_process_signal_group(process, 0), -EPERM);
	check_contains(pidring_explain(), "leads no group");
	check_int(pidring_process_is_alive(process), 1);
	kill_and_free(process);
	close_all();
}
