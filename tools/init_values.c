/* SPDX-License-Identifier: MIT */
#include "init_values.h"

#include <errno.h>
#include <pidring.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where a shell counts real-time signals from; two below it belong to libc, but anybody may send them. */
#define FIRST_REAL_TIME 34
#define FIRST_UNNAMED   32

int init_error_set(struct init_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int init_error_at(struct init_error *error, const char *where)
{
	struct init_error what = *error;

	return init_error_set(error, "%.60s: %.180s", where, what.text);
}

/* Room for what is told of a text; an int for printf's precision. */
static int shown(size_t length)
{
	return length < 80 ? (int)length : 80;
}

static int small(int letter)
{
	return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter;
}

/* Not strncasecmp: that asks for the locale, and brings much of libc into a static program. */
static bool begins_with(const char *text, size_t length, const char *word)
{
	size_t i = 0;

	while (i < length && word[i] && small(text[i]) == small(word[i]))
		i++;
	return word[i] == '\0';
}

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && begins_with(text, length, word);
}

static size_t count_digits(const char *text, size_t length)
{
	size_t digits = 0;

	while (digits < length && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	return digits;
}

/* At most 18 digits, so that nothing overflows. */
static int64_t read_digits(const char *text, size_t digits)
{
	int64_t number = 0;

	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	return number;
}

int init_read_number(const char *text, size_t length, int64_t least, int64_t most, int64_t *ret_number,
                     struct init_error *error)
{
	bool negative = length > 0 && text[0] == '-';
	size_t sign = length > 0 && (negative || text[0] == '+') ? 1 : 0;
	size_t digits = count_digits(text + sign, length - sign);
	int64_t number;

	if (digits == 0 || digits > 18 || sign + digits != length)
		return init_error_set(error, "'%.*s' is no number", shown(length), text);
	number = read_digits(text + sign, digits);
	if (negative)
		number = -number;
	if (number < least || number > most)
		return init_error_set(error, "%lld is not from %lld to %lld", (long long)number,
		                      (long long)least, (long long)most);
	*ret_number = number;
	return 0;
}

static const struct init_word time_units[] = {
	{ "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { 0 },
};

int init_read_time(const char *text, size_t length, int64_t *ret_time, struct init_error *error)
{
	static const int64_t most = INT64_C(365) * 24 * 3600 * 1000;
	size_t whole = count_digits(text, length);
	size_t point = whole < length && text[whole] == '.' ? 1 : 0;
	size_t part = point ? count_digits(text + whole + 1, length - whole - 1) : 0;
	size_t used = whole + point + part;
	int64_t time;
	int unit;

	if (is_word(text, length, "forever")) {
		*ret_time = PIDRING_FOREVER;
		return 0;
	}
	if (whole + part == 0 || whole > 8 || part > 3 || (point && part == 0) ||
	    init_read_word(text + used, length - used, time_units, "unit", &unit, error) < 0)
		return init_error_set(error, "'%.*s' is no time, such as 10s, 1.5s, 500ms, 2m or forever",
		                      shown(length), text);
	time = read_digits(text, whole) * unit;
	if (time > most)
		return init_error_set(error, "'%.*s' is longer than a year", shown(length), text);
	time = PIDRING_MILLISECONDS(time);
	for (int64_t i = 0, worth = PIDRING_MILLISECONDS(unit) / 10; i < (int64_t)part; i++, worth /= 10)
		time += (text[whole + 1 + (size_t)i] - '0') * worth;
	*ret_time = time;
	return 0;
}

/* Other names for some. */
static const struct init_word other_signals[] = {
	{ "IOT", SIGABRT }, { "CLD", SIGCHLD },   { "IO", SIGIO }, { "POLL", SIGPOLL },
	{ "INFO", SIGPWR }, { "UNUSED", SIGSYS }, { 0 },
};

/* RTMIN, RTMIN+n, RTMAX, RTMAX-n; 0 if it is none. */
static int read_real_time(const char *text, size_t length)
{
	bool from_end = begins_with(text, length, "RTMAX");
	int64_t offset = 0;
	struct init_error ignored = { 0 };

	if (!from_end && !begins_with(text, length, "RTMIN"))
		return 0;
	if (length > 5 && (text[5] != (from_end ? '-' : '+') ||
	                   init_read_number(text + 6, length - 6, 0, INIT_SIGNALS - FIRST_REAL_TIME, &offset,
	                                    &ignored) < 0))
		return 0;
	return from_end ? INIT_SIGNALS - (int)offset : FIRST_REAL_TIME + (int)offset;
}

/* 0: no signal is called so. */
static int find_signal(const char *text, size_t length)
{
	for (int number = 1; number < FIRST_UNNAMED; number++) {
		const char *name = sigabbrev_np(number);

		if (name && is_word(text, length, name))
			return number;
	}
	for (const struct init_word *word = other_signals; word->text; word++)
		if (is_word(text, length, word->text))
			return word->value;
	return read_real_time(text, length);
}

int init_read_signal(const char *text, size_t length, int *ret_signal, struct init_error *error)
{
	bool prefixed = begins_with(text, length, "SIG");
	int64_t number = 0;

	if (count_digits(text, length) > 0) {
		if (init_read_number(text, length, 1, INIT_SIGNALS, &number, error) < 0)
			return init_error_set(error, "'%.*s' is no signal (1 to %d)", shown(length), text,
			                      INIT_SIGNALS);
		*ret_signal = (int)number;
		return 0;
	}
	number = find_signal(prefixed ? text + 3 : text, prefixed ? length - 3 : length);
	if (number == 0)
		return init_error_set(error, "'%.*s' is no signal", shown(length), text);
	*ret_signal = (int)number;
	return 0;
}

static const struct init_word flags[] = {
	{ "yes", 1 },   { "true", 1 }, { "on", 1 }, { "1", 1 }, { "no", 0 },
	{ "false", 0 }, { "off", 0 },  { "0", 0 },  { 0 },
};

int init_read_flag(const char *text, bool *ret_flag, struct init_error *error)
{
	int value;

	if (init_read_word(text, strlen(text), flags, "answer", &value, error) < 0)
		return init_error_set(error, "'%.80s' is neither yes nor no", text);
	*ret_flag = value != 0;
	return 0;
}

int init_read_word(const char *text, size_t length, const struct init_word *words, const char *what,
                   int *ret_value, struct init_error *error)
{
	size_t used;

	for (const struct init_word *word = words; word->text; word++) {
		if (!is_word(text, length, word->text))
			continue;
		*ret_value = word->value;
		return 0;
	}
	init_error_set(error, "'%.*s' is no %s (", shown(length), text, what);
	for (const struct init_word *word = words; word->text; word++) {
		used = strlen(error->text);
		snprintf(error->text + used, sizeof(error->text) - used, "%s%s", word->text,
		         word[1].text ? ", " : ")");
	}
	return -EINVAL;
}

int init_read_list(const char *list,
                   int (*each)(void *context, const char *part, size_t length, struct init_error *error),
                   void *context, struct init_error *error)
{
	for (;;) {
		size_t length = strcspn(list, ",");
		int result;

		if (length == 0)
			return init_error_set(error, "a part of the list is empty");
		result = each(context, list, length, error);
		if (result < 0)
			return result;
		if (list[length] == '\0')
			return 0;
		list += length + 1;
	}
}

const char *init_signal_name(int signal_number)
{
	static char text[24];
	const char *name = signal_number < FIRST_UNNAMED ? sigabbrev_np(signal_number) : NULL;

	if (name)
		snprintf(text, sizeof(text), "SIG%s", name);
	else if (signal_number >= FIRST_REAL_TIME)
		snprintf(text, sizeof(text), "SIGRTMIN+%d", signal_number - FIRST_REAL_TIME);
	else
		snprintf(text, sizeof(text), "signal %d", signal_number);
	return text;
}
