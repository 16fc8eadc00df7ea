/* SPDX-License-Identifier: MIT */
/* Many children at once. */
#define _GNU_SOURCE
#include "scenario.h"

#include <elf.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* --- a crowd: children that read one pipe and end when its other side is closed --- */

static int read_to_the_end(void *argument)
{
	int *ends = argument;
	char byte;

	close(ends[1]);
	return read(ends[0], &byte, 1) == 0 ? 0 : 1;
}

struct crowd {
	struct pidring *engine;
	struct pidring_process **processes;
	bool *told;
	int ends[2];
	int count;
};

static void open_crowd(struct crowd *crowd, struct pidring *engine, int count)
{
	crowd->engine = engine;
	crowd->processes = calloc((size_t)count, sizeof(struct pidring_process *));
	crowd->told = calloc((size_t)count, sizeof(bool));
	check(crowd->processes != NULL && crowd->told != NULL);
	open_pipe(crowd->ends);
	crowd->count = 0;
}

static void add_to_crowd(struct crowd *crowd, struct pidring_options options)
{
	struct pidring_process *process;
	int result;

	options.user_data = &crowd->told[crowd->count];
	process = new_process(crowd->engine, options);
	result = pidring_process_start(process);
	if (result == -EAGAIN)
		skip("this machine allows no more processes");
	check_int(result, 0);
	crowd->processes[crowd->count++] = process;
}

static void begin_crowd(struct crowd *crowd, struct pidring *engine, int count)
{
	open_crowd(crowd, engine, count);
	for (int i = 0; i < count; i++)
		add_to_crowd(crowd,
		             (struct pidring_options){ .target = read_to_the_end, .argument = crowd->ends });
}

/* Fetches until every child has been told of, each once. */
static void fetch_crowd(struct crowd *crowd, size_t batch)
{
	struct pidring_event events[64];
	int total = 0;

	check(batch <= 64);
	while (total < crowd->count) {
		int count = pidring_wait(crowd->engine, events, batch, PIDRING_FOREVER);

		check(count > 0 && (size_t)count <= batch);
		for (int i = 0; i < count; i++) {
			bool *told = events[i].user_data;

			check_int(events[i].type, PIDRING_EXITED);
			check_int(events[i].code, 0);
			check(!*told);
			*told = true;
		}
		total += count;
	}
	check_int(total, crowd->count);
	check_int(pidring_outstanding(crowd->engine), 0);
}

static void end_crowd(struct crowd *crowd)
{
	for (int i = 0; i < crowd->count; i++)
		check_int(finish(crowd->processes[i]), 0);
	free(crowd->processes);
	free(crowd->told);
	close(crowd->ends[0]);
}

static void allow_descriptors(rlim_t count)
{
	struct rlimit limit;

	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= count)
		return;
	if (limit.rlim_max < count)
		skip("the hard limit allows too few descriptors");
	limit.rlim_cur = count;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A thousand children that run at once and end at once: a thousand events. */
SCENARIO(scale, thousand_children)
{
	struct pidring *engine = open_engine();
	int count = small_or_normal(50, 1000);
	struct crowd crowd;
	struct pidring_event event;

	allow_descriptors(1200);
	begin_crowd(&crowd, engine, count);
	check_int(pidring_active_children(NULL, 0), count);
	check_int(pidring_outstanding(engine), count);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	close(crowd.ends[1]);
	fetch_crowd(&crowd, 64);
	end_crowd(&crowd);
	close_engine(engine);
}

/* The same in batches of seven. */
SCENARIO(scale, thousand_children_in_small_batches)
{
	struct pidring *engine = open_engine();
	struct crowd crowd;

	allow_descriptors(1200);
	begin_crowd(&crowd, engine, small_or_normal(50, 1000));
	close(crowd.ends[1]);
	fetch_crowd(&crowd, 7);
	end_crowd(&crowd);
	close_engine(engine);
}

/* One of a thousand ends: it alone is told of, by the event and by wait_any. */
SCENARIO(scale, one_of_a_thousand)
{
	struct pidring *engine = open_engine();
	int count = small_or_normal(50, 1000);
	struct pidring_wait_item *items = calloc((size_t)count, sizeof(struct pidring_wait_item));
	int chosen = count / 3;
	struct crowd crowd;
	struct pidring_event event;

	allow_descriptors(1200);
	check(items != NULL);
	begin_crowd(&crowd, engine, count);
	for (int i = 0; i < count; i++)
		items[i].process = crowd.processes[i];
	check_int(pidring_wait_any(items, (size_t)count, 0), 0);
	check_int(pidring_process_kill(crowd.processes[chosen]), 0);
	check_int(pidring_wait_any(items, (size_t)count, PIDRING_FOREVER), 1);
	for (int i = 0; i < count; i++)
		check_int(items[i].ready, i == chosen);
	check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
	check(event.process == crowd.processes[chosen]);
	check_int(event.code, -SIGKILL);
	check_int(pidring_wait(engine, &event, 1, 0), 0);
	pidring_process_free(crowd.processes[chosen]);
	crowd.processes[chosen] = crowd.processes[--crowd.count];
	close(crowd.ends[1]);
	fetch_crowd(&crowd, 64);
	end_crowd(&crowd);
	free(items);
	close_engine(engine);
}

/* A thousand children joined with one call; their events come afterwards. */
SCENARIO(scale, join_a_thousand)
{
	struct pidring *engine = open_engine();
	struct crowd crowd;

	allow_descriptors(1200);
	begin_crowd(&crowd, engine, small_or_normal(50, 1000));
	check_int(pidring_join_all(crowd.processes, (size_t)crowd.count, 0), -ETIMEDOUT);
	close(crowd.ends[1]);
	check_int(pidring_join_all(crowd.processes, (size_t)crowd.count, PIDRING_FOREVER), 0);
	check_int(pidring_active_children(NULL, 0), 0);
	fetch_crowd(&crowd, 64);
	end_crowd(&crowd);
	close_engine(engine);
}

/* Hundreds of programs started with one call. */
SCENARIO(scale, start_hundreds_of_programs)
{
	enum { MOST = 400 };
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/bin/true", NULL };
	static struct pidring_process *processes[MOST];
	size_t count = (size_t)small_or_normal(20, MOST);

	for (size_t i = 0; i < count; i++)
		processes[i] = new_process(engine, (struct pidring_options){ .argv = argv });
	check_int(pidring_start_many(processes, count), (int)count);
	check_int(pidring_join_all(processes, count, PIDRING_FOREVER), 0);
	for (size_t i = 0; i < count; i++)
		check_int(finish(processes[i]), 0);
	close_engine(engine);
}

/* Hundreds of asynchronous starts in flight at once. */
SCENARIO(scale, hundreds_of_asynchronous_starts)
{
	enum { MOST = 400 };
	struct pidring *engine = open_engine();
	const char *const argv[] = { "/bin/true", NULL };
	int count = small_or_normal(20, MOST);
	int started = 0;
	int ended = 0;

	for (int i = 0; i < count; i++)
		start_process(engine, (struct pidring_options){ .argv = argv, .asynchronous = true });
	while (ended < count) {
		struct pidring_event events[32];
		int fetched = pidring_wait(engine, events, 32, PIDRING_FOREVER);

		check(fetched > 0);
		for (int i = 0; i < fetched; i++) {
			check(events[i].type == PIDRING_STARTED || events[i].type == PIDRING_EXITED);
			if (events[i].type == PIDRING_STARTED) {
				started++;
				continue;
			}
			check_int(events[i].code, 0);
			pidring_process_free(events[i].process);
			ended++;
		}
	}
	check_int(started, count);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

/* --- the engine's demand for descriptors --- */

enum { GREAT_CROWD = 15000, GREAT_DEMAND = 15200 };

static bool machine_is_large_enough(void)
{
	struct rlimit limit;
	FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
	int most_pids = 0;
	long pages = sysconf(_SC_AVPHYS_PAGES);
	long page = sysconf(_SC_PAGESIZE);

	check(file != NULL);
	check_int(fscanf(file, "%d", &most_pids), 1);
	fclose(file);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_max >= GREAT_DEMAND && most_pids >= 30000 &&
	       pages / 1024 * (page / 1024) > 8L * 1024;
}

/* A program without libc that reads one byte and ends with the number of bytes that it got: 0 at the end of
 * the pipe. Thousands of it start in a second. */
static bool write_tiny_program(const char *path)
{
#ifdef __x86_64__
	static const unsigned char code[] = {
		0x50,                         /* push %rax: room for the byte */
		0x31, 0xff,                   /* xor %edi,%edi */
		0x48, 0x89, 0xe6,             /* mov %rsp,%rsi */
		0xba, 0x01, 0x00, 0x00, 0x00, /* mov $1,%edx */
		0x31, 0xc0,                   /* xor %eax,%eax: read */
		0x0f, 0x05,                   /* syscall */
		0x89, 0xc7,                   /* mov %eax,%edi */
		0xb8, 0x3c, 0x00, 0x00, 0x00, /* mov $60,%eax: exit */
		0x0f, 0x05,                   /* syscall */
	};
	struct {
		Elf64_Ehdr file;
		Elf64_Phdr segment;
		unsigned char code[sizeof(code)];
	} program = {
		.file = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = 0x400000 + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_vaddr = 0x400000,
			.p_paddr = 0x400000,
			.p_filesz = sizeof(program),
			.p_memsz = sizeof(program),
			.p_align = 4096,
		},
	};
	int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	check(descriptor >= 0);
	memcpy(program.code, code, sizeof(code));
	check_int(write(descriptor, &program, sizeof(program)), sizeof(program));
	check_int(close(descriptor), 0);
	return true;
#else
	(void)path;
	return false;
#endif
}

static enum pidring_birth birth_of_programs(struct pidring *engine)
{
	struct pidring_features features = { .size = sizeof(features) };

	check_int(pidring_features(engine, &features), 0);
	return features.program_birth;
}

static void add_tiny_programs(struct crowd *crowd, const char *path)
{
	const char *const argv[] = { path, NULL };

	for (int i = 0; i < GREAT_CROWD; i++)
		add_to_crowd(crowd, (struct pidring_options){ .argv = argv,
		                                              .stdin_to = PIDRING_STREAM_DESCRIPTOR,
		                                              .stdin_descriptor = crowd->ends[0] });
}

/* 15,000 programs watched by one engine, which raises the soft limit for them. */
SCENARIO(scale, fifteen_thousand_children)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = GREAT_DEMAND };
	char directory[] = "/tmp/pidring-scale-XXXXXX";
	char path[64];
	struct rlimit limit;
	struct pidring *engine = NULL;
	struct crowd crowd;

	if (is_small() || !machine_is_large_enough())
		skip("the limits or the memory of this machine are too small");
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 1024;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(pidring_open(&engine, &options), 0);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check(limit.rlim_cur >= GREAT_DEMAND);
	if (birth_of_programs(engine) != PIDRING_BIRTH_CLONE_VM)
		skip("on this path each start copies the whole table of descriptors, which takes too long "
		     "here");
	check(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/tiny", directory);
	if (!write_tiny_program(path)) {
		rmdir(directory);
		skip("the tiny program is written for another machine");
	}
	open_crowd(&crowd, engine, GREAT_CROWD);
	add_tiny_programs(&crowd, path);
	check_int(unlink(path), 0);
	check_int(rmdir(directory), 0);
	check_int(pidring_outstanding(engine), GREAT_CROWD);
	close(crowd.ends[1]);
	fetch_crowd(&crowd, 64);
	end_crowd(&crowd);
	close_engine(engine);
}

/* 4,000 functions watched by one engine, on every path. */
SCENARIO(scale, thousands_of_functions)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 4200 };
	struct pidring *engine = NULL;
	struct crowd crowd;

	if (is_small() || !machine_is_large_enough())
		skip("the limits or the memory of this machine are too small");
	check_int(pidring_open(&engine, &options), 0);
	begin_crowd(&crowd, engine, 4000);
	close(crowd.ends[1]);
	fetch_crowd(&crowd, 64);
	end_crowd(&crowd);
	close_engine(engine);
}

/* A demand above the hard limit is refused with a sentence that has both numbers. */
SCENARIO(scale, demand_above_the_hard_limit)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 3456 };
	struct pidring *engine = NULL;
	struct rlimit limit;

	lower_descriptor_limits(512, 1234);
	check_int(pidring_open(&engine, &options), -EMFILE);
	check_contains(pidring_explain(), "3456");
	check_contains(pidring_explain(), "1234");
	check(engine == NULL);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(limit.rlim_cur, 512);
}

/* A demand at the hard limit is met, and one below the soft limit changes nothing. */
SCENARIO(scale, demands_that_are_met)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 1234 };
	struct pidring *engine = NULL;
	struct rlimit limit;

	lower_descriptor_limits(512, 1234);
	check_int(pidring_open(&engine, &options), 0);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check_int(limit.rlim_cur, 1234);
	close_engine(engine);
	options.descriptors = 100;
	check_int(pidring_open(&engine, &options), 0);
	check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
	check(limit.rlim_cur >= 512);
	close_engine(engine);
}

/* Programs do not see the raised limit: they get the old soft limit, and the host's hard one. */
SCENARIO(scale, programs_get_the_old_limit)
{
	struct pidring_engine_options options = { .size = sizeof(options), .descriptors = 1234 };
	const char *const soft[] = { "/bin/sh", "-c", "ulimit -Sn", NULL };
	const char *const hard[] = { "/bin/sh", "-c", "ulimit -Hn", NULL };
	struct pidring *engine = NULL;

	lower_descriptor_limits(512, 1234);
	check_int(pidring_open(&engine, &options), 0);
	check_text(output_of(engine, (struct pidring_options){ .argv = soft }, NULL), "512\n");
	check_text(output_of(engine, (struct pidring_options){ .argv = hard }, NULL), "1234\n");
	check_text(
		output_of(engine, (struct pidring_options){ .argv = soft, .keep_descriptors = true }, NULL),
		"512\n");
	close_engine(engine);
}

/* --- deep families --- */

struct level {
	struct pidring *engine;
	unsigned depth;
	unsigned deepest;
};

static int go_deeper(void *argument)
{
	struct level level = *(struct level *)argument;
	unsigned identity[64];

	level.depth++;
	check_int(pidring_process_identity(pidring_current_process(), identity, 64), level.depth);
	for (unsigned i = 0; i < level.depth; i++)
		check_int(identity[i], 1);
	check_int(pidring_process_pid(pidring_parent_process()), getppid());
	if (level.depth == level.deepest)
		return 9;
	return finish(start_function(level.engine, go_deeper, &level));
}

/* A chain of forty generations; the code of the last comes back through all of them. */
SCENARIO(scale, forty_generations)
{
	struct level level = { .engine = open_engine(), .deepest = (unsigned)small_or_normal(6, 40) };

	check_int(finish(start_function(level.engine, go_deeper, &level)), 9);
	close_engine(level.engine);
}
