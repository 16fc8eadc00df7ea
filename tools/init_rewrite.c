/* SPDX-License-Identifier: MIT */
#include "init_rewrite.h"

#include <errno.h>
#include <pidring.h>
#include <signal.h>
#include <string.h>

static bool ends_in_digit(const char *text, size_t length)
{
	return length > 0 && text[length - 1] >= '0' && text[length - 1] <= '9';
}

/* "RTMIN+99" is none that waits. */
static bool is_offset(const char *sent, size_t length, const char *delay, size_t delay_length)
{
	struct init_error ignored = { 0 };
	int number = 0;

	return init_read_signal(sent, length, &number, &ignored) == 0 && number > 31 &&
	       !ends_in_digit(sent, length) && ends_in_digit(delay, delay_length);
}

/* "QUIT", "0", "QUIT+10s"; the plus of "RTMIN+2" is no delay. */
static int read_sent(const char *text, size_t length, struct init_rewriting *rewriting,
                     struct init_error *error)
{
	const char *plus = memrchr(text, '+', length);
	struct init_error ignored = { 0 };

	rewriting->delay = 0;
	if (length == 1 && text[0] == '0') {
		rewriting->sent = 0;
		return 0;
	}
	if (init_read_signal(text, length, &rewriting->sent, plus ? &ignored : error) == 0)
		return 0;
	if (!plus || is_offset(text, (size_t)(plus - text), plus, length - (size_t)(plus - text)))
		return init_read_signal(text, length, &rewriting->sent, error);
	if (init_read_time(plus + 1, length - (size_t)(plus + 1 - text), &rewriting->delay, error) < 0)
		return -EINVAL;
	if (rewriting->delay == PIDRING_FOREVER)
		return init_error_set(error, "a delay must end; 0 drops a signal");
	return init_read_signal(text, (size_t)(plus - text), &rewriting->sent, error);
}

static int read_rule(void *context, const char *rule, size_t length, struct init_error *error)
{
	struct init_rewritings *rewritings = context;
	struct init_rewriting rewriting = { .given = true };
	const char *colon = memchr(rule, ':', length);
	int received;

	if (!colon)
		return init_error_set(error,
		                      "'%.*s' has no colon: a rule is like TERM:QUIT, HUP:0 or TERM:QUIT+10s",
		                      (int)length, rule);
	if (init_read_signal(rule, (size_t)(colon - rule), &received, error) < 0 ||
	    read_sent(colon + 1, length - (size_t)(colon + 1 - rule), &rewriting, error) < 0)
		return -EINVAL;
	if (received == SIGKILL || received == SIGSTOP || received == SIGCHLD)
		return init_error_set(error, "%s never reaches the program by way of its init",
		                      init_signal_name(received));
	rewritings->of[received] = rewriting;
	return 0;
}

int init_rewrite_read(struct init_rewritings *rewritings, const char *text, struct init_error *error)
{
	return init_read_list(text, read_rule, rewritings, error);
}

struct init_rewriting init_rewrite(const struct init_rewritings *rewritings, int received)
{
	if (rewritings->of[received].given)
		return rewritings->of[received];
	return (struct init_rewriting){ .sent = received };
}
