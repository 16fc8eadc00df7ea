/* SPDX-License-Identifier: MIT */
/* The representation of a process, and the names of exit codes. */
#include "explain.h"
#include "family.h"
#include "process.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Linux numbers the standard signals alike on all machines that pidring runs on. */
static const char *const signal_names[] = {
	[SIGHUP] = "-SIGHUP",       [SIGINT] = "-SIGINT",       [SIGQUIT] = "-SIGQUIT",
	[SIGILL] = "-SIGILL",       [SIGTRAP] = "-SIGTRAP",     [SIGABRT] = "-SIGABRT",
	[SIGBUS] = "-SIGBUS",       [SIGFPE] = "-SIGFPE",       [SIGKILL] = "-SIGKILL",
	[SIGUSR1] = "-SIGUSR1",     [SIGSEGV] = "-SIGSEGV",     [SIGUSR2] = "-SIGUSR2",
	[SIGPIPE] = "-SIGPIPE",     [SIGALRM] = "-SIGALRM",     [SIGTERM] = "-SIGTERM",
	[SIGSTKFLT] = "-SIGSTKFLT", [SIGCHLD] = "-SIGCHLD",     [SIGCONT] = "-SIGCONT",
	[SIGSTOP] = "-SIGSTOP",     [SIGTSTP] = "-SIGTSTP",     [SIGTTIN] = "-SIGTTIN",
	[SIGTTOU] = "-SIGTTOU",     [SIGURG] = "-SIGURG",       [SIGXCPU] = "-SIGXCPU",
	[SIGXFSZ] = "-SIGXFSZ",     [SIGVTALRM] = "-SIGVTALRM", [SIGPROF] = "-SIGPROF",
	[SIGWINCH] = "-SIGWINCH",   [SIGPOLL] = "-SIGPOLL",     [SIGPWR] = "-SIGPWR",
	[SIGSYS] = "-SIGSYS",
};

const char *pidring_exit_code_name(int code)
{
	enum { COUNT = sizeof signal_names / sizeof signal_names[0] };

	/* Run-time values: libc keeps some of the kernel's for itself. */
	if (code == -SIGRTMIN)
		return "-SIGRTMIN";
	if (code == -SIGRTMAX)
		return "-SIGRTMAX";
	return code < 0 && code > -COUNT ? signal_names[-code] : NULL;
}

/* A buffer that may be too small: the length goes on counting. */
struct text {
	char *buffer;
	size_t size, length;
};

static void add_bytes(struct text *text, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++, text->length++)
		if (text->length + 1 < text->size)
			text->buffer[text->length] = bytes[i];
}

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	char piece[128];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(piece, sizeof piece, format, arguments);
	va_end(arguments);
	add_bytes(text, piece, (size_t)length < sizeof piece ? (size_t)length : sizeof piece - 1);
}

static bool continues(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The length of the valid UTF-8 sequence (RFC 3629) that starts here; 0: none. */
static size_t utf8_length(const unsigned char *bytes)
{
	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf)
		return continues(bytes[1]) ? 2 : 0;
	if (bytes[0] >= 0xe0 && bytes[0] <= 0xef) {
		if (!continues(bytes[1]) || !continues(bytes[2]))
			return 0;
		bool overlong = bytes[0] == 0xe0 && bytes[1] < 0xa0;
		bool surrogate = bytes[0] == 0xed && bytes[1] > 0x9f;
		return overlong || surrogate ? 0 : 3;
	}
	if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4) {
		if (!continues(bytes[1]) || !continues(bytes[2]) || !continues(bytes[3]))
			return 0;
		bool overlong = bytes[0] == 0xf0 && bytes[1] < 0x90;
		bool too_large = bytes[0] == 0xf4 && bytes[1] > 0x8f;
		return overlong || too_large ? 0 : 4;
	}
	return 0;
}

static void add_escaped(struct text *text, unsigned char byte)
{
	switch (byte) {
	case '\n':
		add(text, "\\n");
		break;
	case '\r':
		add(text, "\\r");
		break;
	case '\t':
		add(text, "\\t");
		break;
	default:
		add(text, "\\x%02x", byte);
	}
}

static void add_quoted(struct text *text, const char *name)
{
	const unsigned char *at = (const unsigned char *)name;
	unsigned char quote = strchr(name, '\'') && !strchr(name, '"') ? '"' : '\'';

	add(text, "%c", quote);
	while (*at) {
		size_t length = utf8_length(at);
		bool c1_control = length == 2 && at[0] == 0xc2 && at[1] < 0xa0;

		if (length == 0 || *at < 0x20 || *at == 0x7f) {
			add_escaped(text, *at);
			length = 1;
		} else if (c1_control) {
			add_escaped(text, at[1]);
		} else if (*at == '\\' || *at == quote) {
			add(text, "\\%c", *at);
		} else {
			add_bytes(text, (const char *)at, length);
		}
		at += length;
	}
	add(text, "%c", quote);
}

/* By first match. */
static const char *status_of(struct pidring_process *process)
{
	if (process == family.current)
		return "started";
	if (process->closed)
		return "closed";
	if (!process_is_ours(process))
		return "unknown";
	if (process->state == PROCESS_INITIAL || process->state == PROCESS_STARTING)
		return "initial";
	return process_look(process) ? "stopped" : "started";
}

static void add_exit_code(struct text *text, const struct pidring_process *process)
{
	const char *name = pidring_exit_code_name(process->record.code);

	if (!process->record.known)
		add(text, " exitcode=unknown");
	else if (name)
		add(text, " exitcode=%s", name);
	else
		add(text, " exitcode=%d", process->record.code);
}

static void describe(struct text *text, struct pidring_process *process)
{
	const char *status = status_of(process);
	bool shows_pid = process->kind == PROCESS_CHILD && process != family.current && !process->closed &&
	                 process->pid != 0;

	add(text, "<");
	add_bytes(text, process->type_name, strlen(process->type_name));
	add(text, " name=");
	add_quoted(text, process->name);
	if (shows_pid)
		add(text, " pid=%d", (int)process->pid);
	if (process->kind == PROCESS_CHILD)
		add(text, " parent=%d", (int)process->parent_pid);
	else
		add(text, " parent=None");
	add(text, " %s", status);
	if (strcmp(status, "stopped") == 0)
		add_exit_code(text, process);
	if (process->daemon)
		add(text, " daemon");
	add(text, ">");
}

int pidring_process_describe(struct pidring_process *process, char *buffer, size_t size)
{
	struct text text = { buffer, size, 0 };

	if (!process)
		return explain(-EINVAL, "pidring_process_describe: process is NULL");
	if (!buffer && size > 0)
		return explain(-EINVAL, "pidring_process_describe: the buffer is NULL, but its size is %zu",
		               size);
	family_enter();
	process_localize(process);
	describe(&text, process);
	family_leave();
	if (size > 0)
		buffer[text.length < size ? text.length : size - 1] = '\0';
	return (int)text.length;
}
