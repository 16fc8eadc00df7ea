/* SPDX-License-Identifier: MIT */
#include "init_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* --- what the program is, and how much is said --- */

static int apply_like(struct init_options *options, const char *text, struct init_error *error)
{
	static const struct init_word manners[] = {
		{ "pidring-init", INIT_OWN_MANNER },
		{ "tini", INIT_TINI },
		{ "dumb-init", INIT_DUMB_INIT },
		{ 0 },
	};
	int value;

	if (init_read_word(text, strlen(text), manners, "manner", &value, error) < 0)
		return -EINVAL;
	options->manner_name = (enum init_manner_name)value;
	return 0;
}

/* As a flag once more; in its variable also how often. */
static int apply_verbose(struct init_options *options, const char *text, struct init_error *error)
{
	int64_t number;
	bool on;

	if (init_read_flag(text, &on, error) == 0) {
		options->verbosity += on ? 1 : 0;
		return 0;
	}
	if (init_read_number(text, strlen(text), 0, 9, &number, error) < 0)
		return -EINVAL;
	options->verbosity += (int)number;
	return 0;
}

/* --- signals --- */

static int apply_target(struct init_options *options, const char *text, struct init_error *error)
{
	static const struct init_word targets[] = {
		{ "child", INIT_TO_CHILD },
		{ "group", INIT_TO_GROUP },
		{ "tree", INIT_TO_TREE },
		{ 0 },
	};
	int value;

	if (init_read_word(text, strlen(text), targets, "target of signals", &value, error) < 0)
		return -EINVAL;
	options->target = (enum init_target)value;
	return 0;
}

/* A flag that is short for --to. */
static int choose_target(struct init_options *options, enum init_target target, const char *text,
                         struct init_error *error)
{
	bool on;
	int result = init_read_flag(text, &on, error);

	if (result == 0 && on)
		options->target = target;
	return result;
}

static int apply_group(struct init_options *options, const char *text, struct init_error *error)
{
	return choose_target(options, INIT_TO_GROUP, text, error);
}

static int apply_tree(struct init_options *options, const char *text, struct init_error *error)
{
	return choose_target(options, INIT_TO_TREE, text, error);
}

static int apply_single_child(struct init_options *options, const char *text, struct init_error *error)
{
	int result = init_read_flag(text, &options->single_child, error);

	if (result == 0 && options->single_child)
		options->target = INIT_TO_CHILD;
	return result;
}

static int apply_rewrite(struct init_options *options, const char *text, struct init_error *error)
{
	return init_rewrite_read(&options->rewritings, text, error);
}

static int add_terminating(void *context, const char *name, size_t length, struct init_error *error)
{
	struct init_options *options = context;
	int signal_number;

	if (init_read_signal(name, length, &signal_number, error) < 0)
		return -EINVAL;
	options->terminating |= UINT64_C(1) << (signal_number - 1);
	return 0;
}

static bool is_none(const char *text)
{
	return strcmp(text, "none") == 0 || strcmp(text, "0") == 0;
}

static int apply_terminating(struct init_options *options, const char *text, struct init_error *error)
{
	options->terminating = 0;
	options->terminating_given = true;
	return is_none(text) ? 0 : init_read_list(text, add_terminating, options, error);
}

static int apply_parent_death(struct init_options *options, const char *text, struct init_error *error)
{
	if (is_none(text)) {
		options->parent_death_signal = 0;
		return 0;
	}
	return init_read_signal(text, strlen(text), &options->parent_death_signal, error);
}

static int apply_death_signal(struct init_options *options, const char *text, struct init_error *error)
{
	if (is_none(text)) {
		options->death_signal = PIDRING_NONE;
		return 0;
	}
	return init_read_signal(text, strlen(text), &options->death_signal, error);
}

static int apply_no_death_signal(struct init_options *options, const char *text, struct init_error *error)
{
	bool on;
	int result = init_read_flag(text, &on, error);

	if (result == 0 && on)
		options->death_signal = PIDRING_NONE;
	return result;
}

/* --- place --- */

static int apply_place(struct init_options *options, const char *text, struct init_error *error)
{
	static const struct init_word places[] = {
		{ "same", INIT_PLACE_SAME },
		{ "group", INIT_PLACE_GROUP },
		{ "session", INIT_PLACE_SESSION },
		{ 0 },
	};
	int value;

	if (init_read_word(text, strlen(text), places, "place", &value, error) < 0)
		return -EINVAL;
	options->place = (enum init_place)value;
	return 0;
}

static int apply_umask(struct init_options *options, const char *text, struct init_error *error)
{
	size_t digits = strspn(text, "01234567");

	if (digits == 0 || digits > 4 || text[digits] != '\0' || strtoul(text, NULL, 8) > 0777)
		return init_error_set(error, "'%.80s' is no umask, such as 022", text);
	options->umask = (mode_t)strtoul(text, NULL, 8);
	options->umask_given = true;
	return 0;
}

static int apply_environment(struct init_options *options, const char *text, struct init_error *error)
{
	if (text[0] == '\0' || text[0] == '=')
		return init_error_set(error, "'%.80s' is not like NAME=VALUE or NAME", text);
	if (options->change_count == INIT_CHANGES)
		return init_error_set(error, "there may be %d", INIT_CHANGES);
	options->changes[options->change_count++] = text;
	return 0;
}

static int apply_cgroup_file(struct init_options *options, const char *text, struct init_error *error)
{
	const char *equals = strchr(text, '=');
	char *name;

	if (!equals || equals == text)
		return init_error_set(error, "'%.80s' is not like memory.max=1G", text);
	if (options->cgroup_file_count == INIT_CGROUP_FILES)
		return init_error_set(error, "there may be %d", INIT_CGROUP_FILES);
	name = strndup(text, (size_t)(equals - text));
	if (!name)
		return init_error_set(error, "no memory");
	options->cgroup_files[options->cgroup_file_count++] =
		(struct pidring_cgroup_file){ name, equals + 1 };
	return 0;
}

/* --- end --- */

static int apply_ending(struct init_options *options, const char *text, struct init_error *error)
{
	static const struct init_word endings[] = {
		{ "stop", INIT_END_STOP }, { "leave", INIT_END_LEAVE }, { "signal", INIT_END_SIGNAL },
		{ "wait", INIT_END_WAIT }, { "last", INIT_END_LAST },   { 0 },
	};
	int value;

	if (init_read_word(text, strlen(text), endings, "way to end", &value, error) < 0)
		return -EINVAL;
	options->ending = (enum init_ending)value;
	return 0;
}

static int apply_grace(struct init_options *options, const char *text, struct init_error *error)
{
	options->grace_given = true;
	return init_read_time(text, strlen(text), &options->grace, error);
}

static int read_code(const char *text, size_t length, unsigned char *ret_code, struct init_error *error)
{
	int64_t code;

	if (init_read_number(text, length, 0, 255, &code, error) < 0)
		return init_error_set(error, "'%.*s' is no exit status (0 to 255)",
		                      (int)(length < 80 ? length : 80), text);
	*ret_code = (unsigned char)code;
	return 0;
}

static int expect_code(void *context, const char *text, size_t length, struct init_error *error)
{
	struct init_options *options = context;
	unsigned char code = 0;

	if (read_code(text, length, &code, error) < 0)
		return -EINVAL;
	options->codes[code] = 0;
	return 0;
}

static int apply_expected(struct init_options *options, const char *text, struct init_error *error)
{
	return init_read_list(text, expect_code, options, error);
}

static int map_code(void *context, const char *text, size_t length, struct init_error *error)
{
	struct init_options *options = context;
	const char *colon = memchr(text, ':', length);
	unsigned char from = 0, to = 0;

	if (!colon)
		return init_error_set(error, "'%.80s' is not like 143:0", text);
	if (read_code(text, (size_t)(colon - text), &from, error) < 0 ||
	    read_code(colon + 1, length - (size_t)(colon + 1 - text), &to, error) < 0)
		return -EINVAL;
	options->codes[from] = to;
	return 0;
}

static int apply_exit_code(struct init_options *options, const char *text, struct init_error *error)
{
	return init_read_list(text, map_code, options, error);
}

/* --- telling others --- */

/* A descriptor that was handed to us, and is for us alone. */
static int take_descriptor(const char *text, int *ret_descriptor, struct init_error *error)
{
	int64_t number;
	int flags;

	if (init_read_number(text, strlen(text), 0, 1 << 30, &number, error) < 0)
		return init_error_set(error, "'%.80s' is no descriptor", text);
	flags = fcntl((int)number, F_GETFL);
	/* What is close-on-exec was not handed to us. */
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fcntl((int)number, F_GETFD) != 0)
		return init_error_set(error, "descriptor %d cannot be written to", (int)number);
	*ret_descriptor = (int)number;
	return 0;
}

static int apply_ready_descriptor(struct init_options *options, const char *text, struct init_error *error)
{
	return take_descriptor(text, &options->ready_descriptor, error);
}

static int apply_status_descriptor(struct init_options *options, const char *text, struct init_error *error)
{
	return take_descriptor(text, &options->status_descriptor, error);
}

/* --- the table --- */

/* It may have =yes or =no. */
#define FLAG       ""
#define AT(member) offsetof(struct init_options, member)

static const struct init_row table[] = {
	{ .option.help = "Signals" },
	{ { "g", "group", FLAG, "signals go to the group of the program, not to it alone" },
	  .apply = apply_group },
	{ { "c", "single-child", FLAG, "they go to the program alone (the default), like dumb-init -c" },
	  .apply = apply_single_child },
	{ { NULL, "to-tree", FLAG, "they go to everything that came of the program" }, .apply = apply_tree },
	{ { NULL, "to", "WHOM", "child, group or tree" }, .apply = apply_target },
	{ { "r", "rewrite", "RULES",
	    "TERM:QUIT forwards SIGTERM as SIGQUIT, HUP:0 drops SIGHUP,\n"
	    "TERM:QUIT+10 waits ten seconds before; names or numbers" },
	  .apply = apply_rewrite,
	  .repeated = true },
	{ { NULL, "end-on", "SIGNALS", "the signals that also begin the end (default: TERM; none)" },
	  .apply = apply_terminating },
	{ { "p", "parent-death-signal", "SIGNAL", "get SIGNAL, and so forward it, when the parent ends" },
	  .apply = apply_parent_death },

	{ .option.help = "The end" },
	{ { NULL, "end", "MODE",
	    "when the program has ended: stop the rest (the default), leave it,\n"
	    "signal it once, wait for it, or go on until the last and end as that" },
	  .apply = apply_ending },
	{ { NULL, "grace", "TIME", "how long the rest may take after SIGTERM (default: 10s)" },
	  .apply = apply_grace },
	{ { "e", "expect", "CODE", "exit status CODE becomes 0" },
	  .apply = apply_expected,
	  .repeated = true },
	{ { NULL, "exit-code", "FROM:TO", "exit status FROM becomes TO" },
	  .apply = apply_exit_code,
	  .repeated = true },
	{ { NULL, "death-signal", "SIGNAL", "what the program gets if its init is killed (default: KILL)" },
	  .apply = apply_death_signal },
	{ { NULL, "no-death-signal", FLAG, "nothing" }, .apply = apply_no_death_signal },

	{ .option.help = "The program" },
	{ { NULL, "place", "WHERE",
	    "the program's own group (the default) or session, or the same\n"
	    "group; the terminal goes with it" },
	  .apply = apply_place },
	{ { NULL, "env", "CHANGE", "NAME=VALUE sets, NAME removes" },
	  .apply = apply_environment,
	  .repeated = true },
	{ { NULL, "chdir", "DIRECTORY", "where it starts" }, .text = AT(directory) },
	{ { NULL, "umask", "MASK", "its umask, octal" }, .apply = apply_umask },
	{ { "P", "pause", FLAG, "no program: reap and sleep until SIGTERM or SIGINT" }, .flag = AT(pause) },

	{ .option.help = "Less power" },
	{ { NULL, "user", "USER[:GROUP]", "names or numbers; with the user's groups" },
	  .confine = init_confine_user },
	{ { NULL, "groups", "LIST", "these supplementary groups instead; empty: none" },
	  .confine = init_confine_groups },
	{ { NULL, "cap-keep", "LIST", "these capabilities and no others" }, .confine = init_confine_keep },
	{ { NULL, "cap-drop", "LIST", "without these capabilities" }, .confine = init_confine_drop },
	{ { NULL, "capabilities", "IAB", "inheritable, ambient and bounding, as cap_iab(3)" },
	  .confine = init_confine_capabilities },
	{ { NULL, "no-new-privs", FLAG, "no set-user-ID program gives any back" },
	  .confine = init_confine_no_new_privileges },
	{ { NULL, "seccomp", "FILE", "a system-call filter: struct sock_filter as they are" },
	  .confine = init_confine_seccomp },
	{ { NULL, "rlimit", "NAME=SOFT[:HARD]", "nofile=1024:4096, core=unlimited" },
	  .confine = init_confine_limit,
	  .repeated = true },
	{ { NULL, "nice", "NUMBER", "-20 to 19" }, .confine = init_confine_nice },
	{ { NULL, "oom-score", "NUMBER", "-1000 to 1000" }, .confine = init_confine_oom_score },
	{ { NULL, "cgroup", "[PARENT/]NAME", "a control group of its own, removed at the end" },
	  .text = AT(cgroup) },
	{ { NULL, "cgroup-set", "FILE=VALUE", "memory.max=1G" },
	  .apply = apply_cgroup_file,
	  .repeated = true },

	{ .option.help = "A place of its own" },
	{ { NULL, "namespaces", "LIST",
	    "new ones: user,mount,pid,net,uts,ipc,cgroup,time;\n"
	    "with pid, PROGRAM is PID 1 there: it may be one more pidring-init" },
	  .confine = init_confine_namespaces },
	{ { NULL, "hostname", "NAME", "of its uts namespace" }, .confine = init_confine_host_name },
	{ { NULL, "root", "DIRECTORY", "what is / to it" }, .confine = init_confine_root },
	{ { NULL, "read-only", FLAG, "its / cannot be written to; what is mounted below it stays" },
	  .confine = init_confine_read_only },
	{ { NULL, "mount", "FROM:TO[:FLAGS]", "FROM is seen at TO; ro,rec,nosuid,nodev,noexec,make" },
	  .confine = init_confine_mount,
	  .repeated = true },
	{ { NULL, "tmpfs", "TO[:DATA]", "a file system in memory; size=1m,mode=755" },
	  .confine = init_confine_tmpfs,
	  .repeated = true },
	{ { NULL, "private-proc", FLAG, "a /proc of its pid namespace" },
	  .confine = init_confine_private_proc },

	{ .option.help = "Telling others" },
	{ { NULL, "notify", FLAG, "tell the service manager READY=1 and STOPPING=1 (sd_notify)" },
	  .flag = AT(notify) },
	{ { NULL, "ready-fd", "N", "write a line end to descriptor N when the program runs" },
	  .apply = apply_ready_descriptor },
	{ { NULL, "status-fd", "N", "write what happens to descriptor N, a line of JSON each" },
	  .apply = apply_status_descriptor },
	{ { "w", "warn-on-reap", FLAG, "a message for everybody who is reaped" }, .flag = AT(warn_on_reap) },
	{ { "v", "verbose", FLAG, "say more; up to three times" }, .apply = apply_verbose },
	{ { "q", "quiet", FLAG, "say nothing but errors" }, .flag = AT(quiet) },

	{ .option.help = "This init" },
	{ { NULL, "like", "MANNER",
	    "tini or dumb-init: take their defaults. So does the name it is\n"
	    "called by: tini, docker-init, dumb-init" },
	  .apply = apply_like },
	{ { "s", "subreaper", FLAG,
	    "reap orphans also where it is not PID 1 (the default,\nbut not like tini; =no: do not)" },
	  .flag = AT(subreaper) },
	{ { "h", "help", FLAG, "print this text" }, .action = INIT_ACTION_HELP },
	{ { "V", "version", FLAG, "print the version" }, .action = INIT_ACTION_VERSION },
	{ { "l", "license", FLAG, "print the license" }, .action = INIT_ACTION_LICENSE },
	{ { "L", NULL, FLAG, NULL }, .action = INIT_ACTION_LICENSE },
};

const struct option_rows init_rows = { .first = table,
	                               .count = sizeof(table) / sizeof(table[0]),
	                               .row_size = sizeof(table[0]),
	                               .no_letter = "    ",
	                               .help_column = 32 };

int init_row_apply(struct init_options *options, const struct init_row *row, const char *text,
                   struct init_error *error)
{
	char *base = (char *)options;
	bool on;

	if (!text)
		text = "yes";
	if (row->apply)
		return row->apply(options, text, error);
	if (row->confine)
		return row->confine(&options->confine, text, error);
	if (row->text) {
		*(const char **)(base + row->text) = text;
		return 0;
	}
	if (init_read_flag(text, &on, error) < 0)
		return -EINVAL;
	*(int *)(base + row->flag) = on ? PIDRING_YES : PIDRING_NO;
	return 0;
}
