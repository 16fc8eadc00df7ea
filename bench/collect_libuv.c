/* SPDX-License-Identifier: MIT */
#include "collect.h"
#include "harness.h"

#include <unistd.h>
#include <uv.h>

struct uv_child {
	uv_process_t process;
	uv_pipe_t output;
};

static struct uv_child children[COLLECT_MOST_CHILDREN];

static unsigned number_of(const void *handle)
{
	const struct uv_child *child = ((const uv_handle_t *)handle)->data;

	return (unsigned)(child - children);
}

static void provide(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	(void)handle;
	(void)suggested;
	*ret_buffer = uv_buf_init(collect_buffer(), COLLECT_BUFFER_SIZE);
}

static void take(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	if (length > 0)
		collect_take(number_of(stream), buffer->base, (size_t)length);
	else if (length == UV_EOF)
		uv_close((uv_handle_t *)stream, NULL);
	else if (length < 0)
		bench_fail("libuv: reading", (int)-length);
}

static void end(uv_process_t *process, int64_t code, int signal_number)
{
	if (signal_number != 0)
		bench_fail("a child was killed", 0);
	collect_end(number_of(process), (int)code);
	uv_close((uv_handle_t *)process, NULL);
}

static void start(uv_loop_t *loop, struct uv_child *child)
{
	uv_stdio_container_t streams[3] = {
		{ .flags = UV_INHERIT_FD, .data = { .fd = STDIN_FILENO } },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		  .data = { .stream = (uv_stream_t *)&child->output } },
		{ .flags = UV_INHERIT_FD, .data = { .fd = STDERR_FILENO } },
	};
	uv_process_options_t options = {
		.exit_cb = end,
		.file = collect_task()->arguments[0],
		.args = (char **)(uintptr_t)collect_task()->arguments,
		.stdio_count = 3,
		.stdio = streams,
	};
	int result = uv_pipe_init(loop, &child->output, 0);

	child->output.data = child;
	child->process.data = child;
	if (result == 0)
		result = uv_spawn(loop, &child->process, &options);
	if (result == 0)
		result = uv_read_start((uv_stream_t *)&child->output, provide, take);
	if (result < 0)
		bench_fail("libuv: starting", -result);
}

void collect_with_another(void)
{
	uv_loop_t *loop = uv_default_loop();

	collect_begin();
	for (unsigned index = 0; index < collect_task()->count; index++)
		start(loop, &children[index]);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	collect_check();
}
