/* SPDX-License-Identifier: MIT */
/* Children of many threads: they can use malloc and stdio, and hold nobody else's pipes. */
#define _GNU_SOURCE
#include "crew.h"

#include <sched.h>

/* --- malloc and stdio in children of a threaded parent --- */

struct noise {
	atomic_bool stop;
	atomic_int running;
	FILE *sink;
};

static void *make_noise(void *argument)
{
	struct noise *noise = argument;
	unsigned turn = 0;

	atomic_fetch_add(&noise->running, 1);
	while (!atomic_load(&noise->stop)) {
		char *block = malloc(16 + turn % 5000);

		check(block != NULL);
		fprintf(noise->sink, "%u %p\n", turn, (void *)block);
		free(block);
		turn++;
	}
	return NULL;
}

/* The stream is the child's own: another thread of the parent may have been halfway through changing the
 * shared one, which no fork repairs. */
static int use_malloc_and_stdio(void *argument)
{
	FILE *sink = fopen("/dev/null", "we");
	char text[64];

	(void)argument;
	check(sink != NULL);
	for (unsigned i = 0; i < 50; i++) {
		char *block = malloc(10 + i * 100);
		void *bigger;

		check(block != NULL);
		snprintf(text, sizeof(text), "%u", i);
		strcpy(block, text);
		bigger = realloc(block, 20 + i * 200);
		check(bigger != NULL);
		check_text(bigger, text);
		free(bigger);
		fprintf(sink, "child %u\n", i);
	}
	check_int(fclose(sink), 0);
	return 5;
}

/* A sanitizer's allocator takes none of its locks for a fork. */
static void skip_if_malloc_is_a_sanitizers(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip("the sanitizer's malloc does not survive a fork among threads");
#endif
}

/* Function children of a parent whose threads are always inside malloc and stdio can use both. */
SCENARIO(threads_children, children_of_threads_in_malloc)
{
	struct pidring *engine = open_engine();
	struct noise noise = { .sink = fopen("/dev/null", "we") };
	int starts = small_or_normal(20, 400);
	pthread_t crew[3];

	skip_if_malloc_is_a_sanitizers();
	check(noise.sink != NULL);
	for (int i = 0; i < 3; i++)
		crew[i] = start_thread(make_noise, &noise);
	while (atomic_load(&noise.running) < 3)
		sched_yield();
	for (int i = 0; i < starts; i++)
		check_int(finish(start_function(engine, use_malloc_and_stdio, NULL)), 5);
	atomic_store(&noise.stop, true);
	for (int i = 0; i < 3; i++)
		end_thread(crew[i]);
	fclose(noise.sink);
	close_engine(engine);
}

static void *start_noisy_children(void *argument)
{
	struct bustle *shared = argument;

	for (int i = 0; i < shared->rounds; i++)
		check_int(finish(start_function(shared->engine, use_malloc_and_stdio, NULL)), 5);
	return NULL;
}

/* The same when the threads that start children are themselves many. */
SCENARIO(threads_children, children_of_starting_threads_use_malloc)
{
	struct bustle shared = { .engine = open_engine(), .rounds = small_or_normal(3, 60) };

	skip_if_malloc_is_a_sanitizers();
	run_crew(6, start_noisy_children, &shared);
	close_engine(shared.engine);
}

/* --- programs started by many threads do not hold each other's pipes --- */

static void *start_with_a_pipe(void *argument)
{
	struct bustle *shared = argument;
	int place = atomic_fetch_add(&shared->next, 1);

	for (int round = 0; round < shared->rounds; round++) {
		char text[32];
		char read_back[64];
		const char *const program[] = { "echo", text, NULL };
		struct pidring_process *process;
		int ends[2];
		size_t length = 0;
		ssize_t count;

		snprintf(text, sizeof(text), "%d.%d", place, round);
		open_pipe(ends);
		process = start_process(shared->engine, (struct pidring_options){
								.argv = program,
								.stdout_to = PIDRING_STREAM_DESCRIPTOR,
								.stdout_descriptor = ends[1],
							});
		close(ends[1]);
		while ((count = read(ends[0], read_back + length, sizeof(read_back) - 1 - length)) > 0)
			length += (size_t)count;
		check_int(count, 0);
		read_back[length] = '\0';
		close(ends[0]);
		strcat(text, "\n");
		check_text(read_back, text);
		check_int(finish(process), 0);
	}
	return NULL;
}

/* Each of many threads reads its own program's output to the end. */
SCENARIO(threads_children, programs_with_pipes)
{
	struct bustle shared = { .engine = open_engine(), .rounds = small_or_normal(3, 25) };

	run_crew(CREW, start_with_a_pipe, &shared);
	close_engine(shared.engine);
}
