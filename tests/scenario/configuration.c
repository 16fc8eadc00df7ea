/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

/* The daemon flag is inherited when a process is constructed, not when it is started. */
SCENARIO(configuration, daemon_flag_is_taken_at_construction)
{
	struct pidring_process *current = pidring_current_process();
	struct pidring_process *before, *between, *after;

	engine = open_engine();
	before = new_function(engine, return_zero, NULL);
	check_int(pidring_process_set_daemon(current, true), 0);
	between = new_function(engine, return_zero, NULL);
	check_int(pidring_process_set_daemon(current, false), 0);
	after = new_function(engine, return_zero, NULL);
	check_int(pidring_process_daemon(before), 0);
	check_int(pidring_process_daemon(between), 1);
	check_int(pidring_process_daemon(after), 0);
	pidring_process_free(before);
	pidring_process_free(between);
	pidring_process_free(after);
	close_engine(engine);
}

/* What the options say about the daemon flag goes before what is inherited. */
SCENARIO(configuration, daemon_option_overrides)
{
	struct pidring_process *current = pidring_current_process();
	struct pidring_process *no, *yes, *also_yes;

	engine = open_engine();
	check_int(pidring_process_set_daemon(current, true), 0);
	no = new_process(engine, (struct pidring_options){ .daemon = PIDRING_NO });
	check_int(pidring_process_set_daemon(current, false), 0);
	yes = new_process(engine, (struct pidring_options){ .daemon = PIDRING_YES });
	also_yes = new_process(engine, (struct pidring_options){ .daemon = true });
	check_int(pidring_process_daemon(no), 0);
	check_int(pidring_process_daemon(yes), 1);
	check_int(pidring_process_daemon(also_yes), 1);
	pidring_process_free(no);
	pidring_process_free(yes);
	pidring_process_free(also_yes);
	close_engine(engine);
}

static void check_key(struct pidring_process *process, const char *expected)
{
	char key[64] = { 0 };

	check_int(pidring_process_authkey(process, key, sizeof(key) - 1), strlen(expected));
	check_text(key, expected);
}

/* The auth key is taken at construction; a later change touches only what is constructed later. */
SCENARIO(configuration, authkey_is_taken_at_construction)
{
	struct pidring_process *current = pidring_current_process();
	struct pidring_process *first, *second;

	engine = open_engine();
	check_int(pidring_process_set_authkey(current, "early", 5), 0);
	first = new_function(engine, return_zero, NULL);
	check_int(pidring_process_set_authkey(current, "late", 4), 0);
	second = new_function(engine, return_zero, NULL);
	check_key(first, "early");
	check_key(second, "late");
	check_int(pidring_process_set_authkey(first, "own", 3), 0);
	check_key(first, "own");
	check_key(current, "late");
	pidring_process_free(first);
	pidring_process_free(second);
	close_engine(engine);
}

static int look_at_inherited_configuration(void *unused)
{
	struct pidring_process *current = pidring_current_process();
	struct pidring_process *grandchild = new_function(engine, return_zero, NULL);

	(void)unused;
	check_int(pidring_process_daemon(current), 1);
	check_key(current, "family");
	check_int(pidring_process_daemon(grandchild), 1);
	check_key(grandchild, "family");
	return 0;
}

/* In the child its own object is the current process, so its configuration is what grandchildren inherit. */
SCENARIO(configuration, child_hands_on_its_own)
{
	struct pidring_process *child;

	engine = open_engine();
	child = new_process(engine, (struct pidring_options){ .target = look_at_inherited_configuration });
	check_int(pidring_process_set_daemon(child, true), 0);
	check_int(pidring_process_set_authkey(child, "family", 6), 0);
	check_int(pidring_process_start(child), 0);
	check_int(finish(child), 0);
	check_int(pidring_process_daemon(pidring_current_process()), 0);
	close_engine(engine);
}

static int change_own_configuration(void *unused)
{
	(void)unused;
	check_int(pidring_process_set_authkey(pidring_current_process(), "changed", 7), 0);
	check_int(pidring_process_set_name(pidring_current_process(), "changed"), 0);
	check_int(pidring_process_set_daemon(pidring_current_process(), true), 0);
	return 0;
}

/* What a child changes in its own object does not reach its parent. */
SCENARIO(configuration, changes_of_a_child_stay_there)
{
	struct pidring_process *child;

	engine = open_engine();
	child = new_function(engine, change_own_configuration, NULL);
	check_int(pidring_process_set_authkey(child, "kept", 4), 0);
	check_int(pidring_process_start(child), 0);
	check_int(join_code(child), 0);
	check_key(child, "kept");
	check_text(name_of(child), "Process-1");
	check_int(pidring_process_daemon(child), 0);
	pidring_process_free(child);
	close_engine(engine);
}

/* The daemon flag cannot be set any more after the start, also not after the end; key and name can. */
SCENARIO(configuration, start_freezes_the_daemon_flag_only)
{
	struct latch latch = latch_open();
	struct pidring_process *child;

	engine = open_engine();
	child = start_function(engine, wait_for_latch, &latch);
	check_int(pidring_process_set_daemon(child, true), -EALREADY);
	check_int(pidring_process_set_authkey(child, "new", 3), 0);
	check_int(pidring_process_set_name(child, "new"), 0);
	latch_release(&latch);
	check_int(join_code(child), 0);
	check_int(pidring_process_set_daemon(child, true), -EALREADY);
	check_int(pidring_process_daemon(child), 0);
	check_key(child, "new");
	check_int(pidring_process_close(child), 0);
	check_int(pidring_process_set_daemon(child, true), -EBADF);
	check_int(pidring_process_daemon(child), 0);
	pidring_process_free(child);
	close_engine(engine);
	latch_close(&latch);
}
