/* SPDX-License-Identifier: MIT */
#include "scenario.h"

static struct pidring *engine;

static const char *format_expected(const char *format, int first, int second)
{
	static char text[256];

	/* The formats are literals of this file. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), format, first, second);
#pragma GCC diagnostic pop
	return text;
}

/* Initial, started, stopped and closed, each with what belongs to it. */
SCENARIO(describe, states)
{
	struct latch latch = latch_open();
	struct pidring_process *process;
	int me = getpid(), child;

	engine = open_engine();
	process = new_function(engine, wait_for_latch, &latch);
	check_text(describe(process), format_expected("<Process name='Process-1' parent=%d initial>", me, 0));
	check_int(pidring_process_start(process), 0);
	child = pidring_process_pid(process);
	check_text(describe(process),
	           format_expected("<Process name='Process-1' pid=%d parent=%d started>", child, me));
	latch_release(&latch);
	check_int(join_code(process), 0);
	check_text(
		describe(process),
		format_expected("<Process name='Process-1' pid=%d parent=%d stopped exitcode=0>", child, me));
	check_int(pidring_process_close(process), 0);
	check_text(describe(process), format_expected("<Process name='Process-1' parent=%d closed>", me, 0));
	pidring_process_free(process);
	close_engine(engine);
	latch_close(&latch);
}

static int raise_argument(void *number)
{
	raise(*(int *)number);
	return 0;
}

static void check_stopped(int (*target)(void *), int argument, const char *expected)
{
	struct pidring_process *process = start_function(engine, target, &argument);

	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_contains(describe(process), expected);
	pidring_process_free(process);
}

/* Exit codes are shown as numbers, signals by name if they have one. */
SCENARIO(describe, exit_codes)
{
	engine = open_engine();
	check_stopped(return_argument, 3, " stopped exitcode=3>");
	check_stopped(return_argument, -15, " stopped exitcode=241>");
	check_stopped(raise_argument, SIGTERM, " stopped exitcode=-SIGTERM>");
	check_stopped(raise_argument, 40, " stopped exitcode=-40>");
	close_engine(engine);
}

/* Daemons are marked, in each state. */
SCENARIO(describe, daemons)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .target = return_zero, .daemon = true });
	check_contains(describe(process), " initial daemon>");
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_join(process, PIDRING_FOREVER), 0);
	check_contains(describe(process), " stopped exitcode=0 daemon>");
	check_int(pidring_process_close(process), 0);
	check_contains(describe(process), " closed daemon>");
	pidring_process_free(process);
	close_engine(engine);
}

/* The type's name comes first. */
SCENARIO(describe, type_name)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_process(engine, (struct pidring_options){ .type_name = "Worker" });
	check_text(describe(process),
	           format_expected("<Worker name='Worker-1' parent=%d initial>", getpid(), 0));
	pidring_process_free(process);
	close_engine(engine);
}

/* The main process: started, without a pid and with no parent. */
SCENARIO(describe, main_process)
{
	check_text(describe(pidring_current_process()),
	           "<_MainProcess name='MainProcess' parent=None started>");
}

static int main_pid;
static struct pidring_process *sibling, *closed_sibling, *fresh_sibling;

static int describe_family(void *unused)
{
	(void)unused;
	check_text(describe(pidring_current_process()),
	           format_expected("<Process name='Process-4' parent=%d started>", main_pid, 0));
	check_text(describe(pidring_parent_process()),
	           "<_ParentProcess name='MainProcess' parent=None unknown>");
	check_text(describe(sibling), format_expected("<Process name='Process-1' pid=%d parent=%d unknown>",
	                                              pidring_process_pid(sibling), main_pid));
	check_text(describe(closed_sibling),
	           format_expected("<Process name='Process-2' parent=%d closed>", main_pid, 0));
	check_text(describe(fresh_sibling),
	           format_expected("<Process name='Process-3' parent=%d unknown>", main_pid, 0));
	return 0;
}

/* A child sees itself as started, without a pid; its siblings as unknown, but closed ones as closed. */
SCENARIO(describe, seen_by_a_child)
{
	main_pid = getpid();
	engine = open_engine();
	sibling = start_function(engine, sleep_forever, NULL);
	closed_sibling = new_function(engine, return_zero, NULL);
	check_int(pidring_process_close(closed_sibling), 0);
	fresh_sibling = new_function(engine, return_zero, NULL);
	check_int(finish(start_function(engine, describe_family, NULL)), 0);
	kill_and_free(sibling);
	pidring_process_free(closed_sibling);
	pidring_process_free(fresh_sibling);
	close_engine(engine);
}

/* Describing looks, so it reaps. */
SCENARIO(describe, reaps)
{
	struct pidring_process *process;

	engine = open_engine();
	process = start_function(engine, return_zero, NULL);
	wait_ended(process);
	check_int(process_state(pidring_process_pid(process)), 'Z');
	check_contains(describe(process), " stopped exitcode=0>");
	check_int(process_state(pidring_process_pid(process)), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* Names are quoted and what cannot be shown is escaped; UTF-8 is left as it is. */
SCENARIO(describe, quoting)
{
	static const char *const pairs[][2] = {
		{ "plain", "'plain'" },
		{ "it's", "\"it's\"" },
		{ "say \"hi\"", "'say \"hi\"'" },
		{ "it's \"both\"", "'it\\'s \"both\"'" },
		{ "back\\slash", "'back\\\\slash'" },
		{ "line\nfeed", "'line\\nfeed'" },
		{ "carriage\rreturn", "'carriage\\rreturn'" },
		{ "tab\tulator", "'tab\\tulator'" },
		{ "bell\a", "'bell\\x07'" },
		{ "escape\033[1m", "'escape\\x1b[1m'" },
		{ "delete\177", "'delete\\x7f'" },
		{ "J\303\266rg", "'J\303\266rg'" },
		{ "\342\202\254 and \360\237\230\200", "'\342\202\254 and \360\237\230\200'" },
		{ "broken \377", "'broken \\xff'" },
		{ "cut \303", "'cut \\xc3'" },
		{ "cut \342\202", "'cut \\xe2\\x82'" },
		{ "overlong \300\257", "'overlong \\xc0\\xaf'" },
		{ "surrogate \355\240\200", "'surrogate \\xed\\xa0\\x80'" },
		{ "too high \364\220\200\200", "'too high \\xf4\\x90\\x80\\x80'" },
		{ "<angle> pid=1", "'<angle> pid=1'" },
	};
	char expected[256];
	struct pidring_process *process;

	engine = open_engine();
	process = new_function(engine, return_zero, NULL);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		check_int(pidring_process_set_name(process, pairs[i][0]), 0);
		snprintf(expected, sizeof(expected), "<Process name=%s parent=%d initial>", pairs[i][1],
		         (int)getpid());
		check_text(describe(process), expected);
	}
	pidring_process_free(process);
	close_engine(engine);
}

/* The buffer may be too short or missing: the length is told all the same. */
SCENARIO(describe, buffer_may_be_short)
{
	struct pidring_process *current = pidring_current_process();
	int length = (int)strlen("<_MainProcess name='MainProcess' parent=None started>");
	char text[8] = "zzzzzzz";

	check_int(pidring_process_describe(current, NULL, 0), length);
	check_int(pidring_process_describe(current, text, 5), length);
	check_text(text, "<_Ma");
	check_int(text[5], 'z');
	check_int(pidring_process_describe(current, text, 1), length);
	check_text(text, "");
	check_int(pidring_process_describe(current, text, 0), length);
	check_int(pidring_process_describe(current, NULL, 9), -EINVAL);
}
