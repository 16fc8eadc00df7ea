/* SPDX-License-Identifier: MIT */
/* What ends a scenario: checks that fail, and what cannot be shown here. */
#define _GNU_SOURCE
#include "scenario.h"

#include <stdarg.h>

static void print_explanation(void)
{
	const char *sentence = pidring_explain();

	if (sentence[0] != '\0')
		dprintf(STDERR_FILENO, "  the last explanation: %s\n", sentence);
}

PIDRING_NORETURN static void give_up(void)
{
	print_explanation();
	_exit(EXIT_FAILED);
}

void check_true(const char *file, int line, const char *expression, bool value)
{
	if (value)
		return;
	dprintf(STDERR_FILENO, "%s:%d: not true: %s\n", file, line, expression);
	give_up();
}

static const char *error_name(long long value)
{
	const char *name = NULL;

	if (value < 0 && value > -4096)
		name = strerrorname_np((int)-value);
	return name;
}

static void print_value(const char *label, long long value)
{
	const char *name = error_name(value);

	if (name != NULL)
		dprintf(STDERR_FILENO, "  %s: %lld (-%s)\n", label, value, name);
	else
		dprintf(STDERR_FILENO, "  %s: %lld\n", label, value);
}

void check_equal(const char *file, int line, const char *what, const char *expected_text, long long actual,
                 long long expected)
{
	if (actual == expected)
		return;
	dprintf(STDERR_FILENO, "%s:%d: %s is not %s\n", file, line, what, expected_text);
	print_value("it is", actual);
	print_value("expected", expected);
	give_up();
}

void check_same_text(const char *file, int line, const char *what, const char *actual, const char *expected)
{
	if (actual != NULL && expected != NULL && strcmp(actual, expected) == 0)
		return;
	if (actual == NULL && expected == NULL)
		return;
	dprintf(STDERR_FILENO, "%s:%d: %s is not what was expected\n  it is: %s\n  expected: %s\n", file,
	        line, what, actual == NULL ? "(NULL)" : actual, expected == NULL ? "(NULL)" : expected);
	give_up();
}

void check_text_contains(const char *file, int line, const char *what, const char *text, const char *part)
{
	if (text != NULL && strstr(text, part) != NULL)
		return;
	dprintf(STDERR_FILENO, "%s:%d: %s lacks a part\n  it is: %s\n  lacking: %s\n", file, line, what,
	        text == NULL ? "(NULL)" : text, part);
	give_up();
}

void fail_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	dprintf(STDERR_FILENO, "%s:%d: ", file, line);
	va_start(arguments, format);
	vdprintf(STDERR_FILENO, format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "\n");
	give_up();
}

void skip(const char *reason)
{
	dprintf(STDERR_FILENO, "skipped: %s\n", reason);
	_exit(EXIT_SKIPPED);
}

bool is_small(void)
{
	return getenv("PIDRING_TEST_SMALL") != NULL;
}

int small_or_normal(int small, int normal)
{
	return is_small() ? small : normal;
}
