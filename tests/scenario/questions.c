/* SPDX-License-Identifier: MIT */
/* The target that answers questions about itself, as a program and as a function: see confined.h. */
#define _GNU_SOURCE
#include "questions.h"

#include <ctype.h>
#include <dirent.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>

/* Straight to the descriptor: a function's stdio may hold what others wrote. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	char text[16384];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	check(length >= 0 && (size_t)length < sizeof(text));
	check_int(write(STDOUT_FILENO, text, (size_t)length), length);
}

static void say_result(long result)
{
	say("%s\n", result >= 0 ? "OK" : strerrorname_np(errno));
}

/* --- what stands in files --- */

/* Runs of white space become one blank, those at the ends nothing. */
static void squeeze(char *text)
{
	char *end = text;

	for (const char *from = text; *from != '\0'; from++) {
		if (!isspace((unsigned char)*from))
			*end++ = *from;
		else if (end > text && end[-1] != ' ')
			*end++ = ' ';
	}
	if (end > text && end[-1] == ' ')
		end--;
	*end = '\0';
}

static void answer_status(const char *label)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t length = strlen(label);
	char line[4096];

	if (file == NULL) {
		say_result(-1);
		return;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, label, length) != 0 || line[length] != ':')
			continue;
		squeeze(line);
		say("%s\n", line[length + 1] == ' ' ? line + length + 2 : line + length + 1);
		fclose(file);
		return;
	}
	fclose(file);
	say("(no such line)\n");
}

static void answer_read(const char *path)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	char text[8192];
	ssize_t count;

	if (descriptor < 0) {
		say_result(-1);
		return;
	}
	count = read(descriptor, text, sizeof(text) - 1);
	close(descriptor);
	if (count < 0) {
		say_result(-1);
		return;
	}
	text[count] = '\0';
	squeeze(text);
	say("%s\n", text);
}

static void answer_link(const char *path)
{
	char target[4096];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length < 0) {
		say_result(-1);
		return;
	}
	target[length] = '\0';
	say("%s\n", target);
}

static int is_shown(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void answer_list(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_shown, alphasort);

	if (count < 0) {
		say_result(-1);
		return;
	}
	for (int i = 0; i < count; i++) {
		say("%s%s", i > 0 ? " " : "", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	say("\n");
}

static void answer_write(const char *path)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	say_result(descriptor);
	if (descriptor >= 0)
		close(descriptor);
}

static void answer_run(const char *path)
{
	say_result(faccessat(AT_FDCWD, path, X_OK, AT_EACCESS));
}

static void answer_flags(const char *path)
{
	struct statvfs status;

	if (statvfs(path, &status) < 0) {
		say_result(-1);
		return;
	}
	say("%s%s%s%s\n", status.f_flag & ST_RDONLY ? "ro " : "", status.f_flag & ST_NOSUID ? "nosuid " : "",
	    status.f_flag & ST_NODEV ? "nodev " : "", status.f_flag & ST_NOEXEC ? "noexec " : "");
}

static void answer_directory(const char *unused)
{
	char path[4096];

	(void)unused;
	/* glibc's getcwd() would look for the way by itself. */
	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		say_result(-1);
	else
		say("%s\n", path);
}

static void answer_oom_score(const char *unused)
{
	(void)unused;
	answer_read("/proc/self/oom_score_adj");
}

/* --- limits and scheduling --- */

static void say_limit(rlim_t limit, char end)
{
	if (limit == RLIM_INFINITY)
		say("none%c", end);
	else
		say("%llu%c", (unsigned long long)limit, end);
}

static void answer_limit(const char *number)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)atoi(number), &limit) < 0) {
		say_result(-1);
		return;
	}
	say_limit(limit.rlim_cur, '/');
	say_limit(limit.rlim_max, '\n');
}

static void answer_niceness(const char *unused)
{
	(void)unused;
	say("%d\n", getpriority(PRIO_PROCESS, 0));
}

static void answer_scheduler(const char *unused)
{
	struct sched_param parameters = { 0 };

	(void)unused;
	check_int(sched_getparam(0, &parameters), 0);
	say("%d/%d\n", sched_getscheduler(0), parameters.sched_priority);
}

static void answer_affinity(const char *unused)
{
	unsigned long mask[128] = { 0 };

	(void)unused;
	check(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask) > 0);
	say("%lx\n", mask[0]);
}

static void answer_io_priority(const char *unused)
{
	enum { OF_PROCESS = 1, CLASS_SHIFT = 13 };
	long priority = syscall(SYS_ioprio_get, OF_PROCESS, 0);

	(void)unused;
	check(priority >= 0);
	say("%ld/%ld\n", priority >> CLASS_SHIFT, priority & 7);
}

static void answer_slack(const char *unused)
{
	(void)unused;
	say("%d\n", prctl(PR_GET_TIMERSLACK));
}

/* --- place --- */

static void answer_pid(const char *unused)
{
	(void)unused;
	say("%d\n", (int)getpid());
}

static void answer_parent(const char *unused)
{
	(void)unused;
	say("%d\n", (int)getppid());
}

static void answer_host(const char *unused)
{
	char name[256];

	(void)unused;
	check_int(gethostname(name, sizeof(name)), 0);
	say("%s\n", name);
}

static void say_clock(clockid_t clock)
{
	struct timespec time;

	check_int(clock_gettime(clock, &time), 0);
	say("%lld\n", (long long)time.tv_sec * 1000000000 + time.tv_nsec);
}

static void answer_monotonic(const char *unused)
{
	(void)unused;
	say_clock(CLOCK_MONOTONIC);
}

static void answer_boottime(const char *unused)
{
	(void)unused;
	say_clock(CLOCK_BOOTTIME);
}

static void answer_interfaces(const char *unused)
{
	struct if_nameindex *list = if_nameindex();

	(void)unused;
	check(list != NULL);
	for (const struct if_nameindex *entry = list; entry->if_index != 0; entry++)
		say("%s%s", entry > list ? " " : "", entry->if_name);
	if_freenameindex(list);
	say("\n");
}

/* --- power --- */

static void answer_secure_bits(const char *unused)
{
	(void)unused;
	say("%d\n", prctl(PR_GET_SECUREBITS));
}

static void answer_dumpable(const char *unused)
{
	(void)unused;
	say("%d\n", prctl(PR_GET_DUMPABLE));
}

static void answer_death(const char *unused)
{
	int signal_number = -1;

	(void)unused;
	check_int(prctl(PR_GET_PDEATHSIG, &signal_number), 0);
	say("%d\n", signal_number);
}

static void answer_call(const char *name)
{
	if (strcmp(name, "getsid") == 0)
		say_result(syscall(SYS_getsid, 0));
	else if (strcmp(name, "setresuid") == 0)
		say_result(syscall(SYS_setresuid, -1, -1, -1));
	else if (strcmp(name, "unshare") == 0)
		say_result(syscall(SYS_unshare, 0));
	else
		fail("nobody can call %s", name);
}

static void answer_terminal(const char *unused)
{
	int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)unused;
	if (terminal < 0) {
		say("none\n");
		return;
	}
	say("%s\n", tcgetpgrp(terminal) == getpgrp() ? "foreground" : "background");
	close(terminal);
}

static void answer_linger(const char *unused)
{
	char byte;

	(void)unused;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	say("over\n");
}

/* --- all of them --- */

struct question {
	const char *word;
	bool has_argument;
	void (*answer)(const char *argument);
};

static const struct question questions[] = {
	{ "status", true, answer_status },
	{ "read", true, answer_read },
	{ "link", true, answer_link },
	{ "list", true, answer_list },
	{ "write", true, answer_write },
	{ "run", true, answer_run },
	{ "flags", true, answer_flags },
	{ "limit", true, answer_limit },
	{ "call", true, answer_call },
	{ "niceness", false, answer_niceness },
	{ "scheduler", false, answer_scheduler },
	{ "affinity", false, answer_affinity },
	{ "io_priority", false, answer_io_priority },
	{ "oom_score", false, answer_oom_score },
	{ "slack", false, answer_slack },
	{ "pid", false, answer_pid },
	{ "parent", false, answer_parent },
	{ "host", false, answer_host },
	{ "directory", false, answer_directory },
	{ "monotonic", false, answer_monotonic },
	{ "boottime", false, answer_boottime },
	{ "interfaces", false, answer_interfaces },
	{ "secure_bits", false, answer_secure_bits },
	{ "dumpable", false, answer_dumpable },
	{ "death", false, answer_death },
	{ "terminal", false, answer_terminal },
	{ "linger", false, answer_linger },
};

static const struct question *find_question(const char *word)
{
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (strcmp(questions[i].word, word) == 0)
			return &questions[i];
	fail("nobody can answer %s", word);
}

void answer_questions(const char *const *words)
{
	while (*words != NULL) {
		const struct question *question = find_question(*words++);
		const char *argument = "";

		if (question->has_argument)
			argument = *words++;
		check(argument != NULL);
		/* A file is named by its path alone. */
		say("%s=", question->has_argument ? argument : question->word);
		question->answer(argument);
	}
}

int answer_as_function(void *argument)
{
	answer_questions(argument);
	return 0;
}

SUBPROGRAM(questions)
{
	answer_questions((const char *const *)(argv + 1));
	return 0;
}
