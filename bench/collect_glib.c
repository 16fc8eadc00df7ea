/* SPDX-License-Identifier: MIT */
#include "collect.h"
#include "harness.h"

#include <gio/gio.h>
#include <stdio.h>

static unsigned numbers[COLLECT_MOST_CHILDREN];
static unsigned done;

__attribute__((noreturn)) static void fail_with_message(const char *what, const GError *error)
{
	(void)fprintf(stderr, "suite: GLib: %s\n", error->message);
	bench_fail(what, 0);
}

static void finish(GObject *object, GAsyncResult *result, gpointer number)
{
	GSubprocess *process = G_SUBPROCESS(object);
	unsigned child = *(const unsigned *)number;
	GError *error = NULL;
	GBytes *output = NULL;
	gsize length = 0;
	const char *data = NULL;

	if (!g_subprocess_communicate_finish(process, result, &output, NULL, &error))
		fail_with_message("g_subprocess_communicate_finish", error);
	data = g_bytes_get_data(output, &length);
	collect_take(child, data, length);
	g_bytes_unref(output);
	if (!g_subprocess_get_if_exited(process))
		bench_fail("a child was killed", 0);
	collect_end(child, g_subprocess_get_exit_status(process));
	g_object_unref(process);
	done++;
}

static void start(unsigned child)
{
	GError *error = NULL;
	GSubprocess *process =
		g_subprocess_newv((const gchar *const *)collect_task()->arguments,
	                          G_SUBPROCESS_FLAGS_STDIN_INHERIT | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);

	if (process == NULL)
		fail_with_message("g_subprocess_newv", error);
	numbers[child] = child;
	g_subprocess_communicate_async(process, NULL, NULL, finish, &numbers[child]);
}

void collect_with_another(void)
{
	collect_begin();
	done = 0;
	for (unsigned child = 0; child < collect_task()->count; child++)
		start(child);
	while (done < collect_task()->count)
		(void)g_main_context_iteration(NULL, TRUE);
	collect_check();
}
