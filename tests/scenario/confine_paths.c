/* SPDX-License-Identifier: MIT */
/* Confined starts go by every path, whatever the start method. */
#define _GNU_SOURCE
#include "confined_place.h"

static const enum target_kind program_kinds[] = { AS_PROGRAM, AS_PROGRAM_LATER };

static void check_birth(struct pidring *engine, const struct pidring_confinement *confinement,
                        enum pidring_birth birth)
{
	for (int round = 0; round < 2; round++) {
		struct pidring_process *process = start_process(
			engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
		                                          .asynchronous = round == 1,
		                                          .confinement = confinement });

		check_int(pidring_process_birth(process), birth);
		check_int(finish(process), 0);
	}
}

/* By the fastest path, but where this process would feel what the child does in its memory. */
SCENARIO(confine_paths, birth)
{
	struct pidring *engine = open_engine();
	enum pidring_birth fastest = features_of(engine).program_birth;
	struct pidring_setting score = { .kind = PIDRING_SETTING_OOM_SCORE, .number = 3 };
	struct place place;

	need_root();
	make_place(&place, 1);
	check_birth(engine, &place.confinement,
	            fastest == PIDRING_BIRTH_CLONE_VM ? PIDRING_BIRTH_CLONE_VM : PIDRING_BIRTH_FORK_EXEC);
	place.confinement.namespaces = 0;
	place.confinement.mount_count = 0;
	place.confinement.host_name = NULL;
	place.confinement.private_proc = false;
	check_birth(engine, &place.confinement, fastest);
	place.confinement.settings = &score;
	check_birth(engine, &place.confinement, PIDRING_BIRTH_FORK_EXEC);
	close_engine(engine);
}

SCENARIO(confine_paths, each_kind)
{
	struct place place;
	char expected[256];

	need_root();
	make_place(&place, 7);
	check_told(place.confinement, place_questions, place_text(7, expected, sizeof(expected)));
}

SCENARIO(confine_paths, function_by_libc)
{
	struct pidring_setting setting = { .kind = PIDRING_SETTING_NICE, .number = 3 };
	gid_t group = 7;
	struct place place;
	char expected[256];

	need_root();
	make_place(&place, 8);
	check_told_as(AS_FUNCTION, (struct pidring_options){ .libc_fork = true }, place.confinement,
	              place_questions, place_text(8, expected, sizeof(expected)));
	check_told_as(
		AS_FUNCTION, (struct pidring_options){ .libc_fork = true },
		(struct pidring_confinement){ .settings = &setting,
	                                      .setting_count = 1,
	                                      .set_groups = true,
	                                      .groups = &group,
	                                      .group_count = 1,
	                                      .user_name = "nobody",
	                                      .keep_capabilities = "cap_kill",
	                                      .no_new_privileges = true },
		QUESTIONS("niceness", "status", "Uid", "status", "Groups", "status", "CapAmb", "status",
	                  "NoNewPrivs"),
		"niceness=3\nUid=65534 65534 65534 65534\nGroups=7\nCapAmb=0000000000000020\nNoNewPrivs=1\n");
}

/* --- the forkserver --- */

SCENARIO(confine_paths, forkserver)
{
	struct pidring *engine = NULL;
	struct place place;
	char expected[256];

	need_root();
	check_int(
		pidring_open(&engine,
	                     &(struct pidring_engine_options){ .size = sizeof(struct pidring_engine_options),
	                                                       .forkserver = true,
	                                                       .parked = 2 }),
		0);
	make_place(&place, 5);
	for (size_t i = 0; i < 4; i++) {
		struct pidring_options options = { .start_method = PIDRING_FORKSERVER,
			                           .confinement = &place.confinement };

		check_text(told(engine, asking(program_kinds[i % 2], place_questions, options)),
		           place_text(5, expected, sizeof(expected)));
	}
	close_engine(engine);
}

static void check_not_served(struct pidring *engine, struct pidring_options options)
{
	struct pidring_process *process = start_process(engine, options);
	enum pidring_birth birth = pidring_process_birth(process);

	check(birth != PIDRING_BIRTH_FORKSERVER && birth != PIDRING_BIRTH_PARKED);
	check_int(finish(process), 0);
}

/* It says so. */
SCENARIO(confine_paths, forkserver_is_not_used)
{
	struct pidring *engine = NULL;
	struct pidring_confinement confinement = { .size = sizeof(confinement), .no_new_privileges = true };

	check_int(pidring_open(&engine,
	                       &(struct pidring_engine_options){
				       .size = sizeof(struct pidring_engine_options), .parked = 2 }),
	          0);
	check_not_served(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                   .start_method = PIDRING_FORKSERVER,
	                                                   .confinement = &confinement });
	check_not_served(engine, (struct pidring_options){ .target = return_zero,
	                                                   .start_method = PIDRING_FORKSERVER,
	                                                   .confinement = &confinement });
	close_engine(engine);
}

/* What cannot be is told by those that close what they do not need, too: as all do that were to be served. */
SCENARIO(confine_paths, other_functions_fail_as_well)
{
	static const struct pidring_options variants[] = {
		{ .close_descriptors = true },
		{ .libc_fork = true },
		{ .libc_fork = true, .close_descriptors = true },
	};
	int report;
	struct pidring_setting settings[] = {
		{ .kind = PIDRING_SETTING_NICE, .number = -4, .report = &report },
		{ .kind = PIDRING_SETTING_OOM_SCORE, .number = -900 },
	};

	need_no_niceness();
	become_ordinary();
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		report = 12345;
		check_told_as(AS_FUNCTION, variants[i],
		              (struct pidring_confinement){ .settings = settings, .setting_count = 1 },
		              QUESTIONS("niceness"), "niceness=0\n");
		check_int(report, -EACCES);
		check_fails_as(AS_FUNCTION, variants[i],
		               (struct pidring_confinement){ .settings = settings, .setting_count = 2 },
		               PIDRING_STEP_SETTING, EACCES, "setting");
	}
}

/* Everything is copied by pidring_process_new: what was given may change afterwards. */
SCENARIO(confine_paths, all_is_copied)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	struct place place;
	char expected[256];
	int output[2];

	need_root();
	make_place(&place, 9);
	open_pipe(output);
	process = new_process(engine, asking(AS_PROGRAM, place_questions,
	                                     (struct pidring_options){ .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                               .stdout_descriptor = output[1],
	                                                               .confinement = &place.confinement }));
	memset(&place, 0xff, sizeof(place));
	check_int(pidring_process_start(process), 0);
	close(output[1]);
	check_text(read_all(output[0]), place_text(9, expected, sizeof(expected)));
	close(output[0]);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* In the copy of a fork the same process can be confined anew. */
SCENARIO(confine_paths, in_a_copy)
{
	struct place place;
	char expected[256];
	pid_t pid;
	int status;

	need_root();
	make_place(&place, 11);
	check_told(place.confinement, place_questions, place_text(11, expected, sizeof(expected)));
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		check_told(place.confinement, place_questions, place_text(11, expected, sizeof(expected)));
		_exit(0);
	}
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
}

/* Confined processes are stopped, watched and read as others are. */
SCENARIO(confine_paths, capture)
{
	struct pidring_captured captured = { .size = sizeof(captured) };
	struct place place;
	struct pidring_options options;

	need_root();
	make_place(&place, 2);
	options = (struct pidring_options){ .size = sizeof(options),
		                            .argv = (const char *[]){ "sh", "-c", "echo $$; exit 5", NULL },
		                            .confinement = &place.confinement };
	check_int(pidring_capture(&captured, &options, NULL), 0);
	check_text(captured.output.data, "1\n");
	check_int(captured.record.code, 5);
	pidring_captured_release(&captured);
}

/* --- what a function gets --- */

static int count_own_descriptors(void *argument)
{
	(void)argument;
	return count_descriptors();
}

static int count_shared_mappings(void *argument)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[4096];
	int count = 0;

	(void)argument;
	check(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		count += strstr(line, " rw-s ") != NULL;
	fclose(file);
	return count;
}

static int count_in_function(struct pidring *engine, int (*count)(void *), bool libc_fork,
                             const struct pidring_confinement *confinement)
{
	return finish(start_process(engine, (struct pidring_options){ .target = count,
	                                                              .libc_fork = libc_fork,
	                                                              .confinement = confinement }));
}

/* What its start has needed is not left in it: neither descriptors nor memory. */
SCENARIO(confine_paths, functions_have_nothing_of_their_start)
{
	static int (*const counts[])(void *) = { count_own_descriptors, count_shared_mappings };
	struct pidring *engine = open_engine();
	int report;
	struct pidring_join join = { .descriptor = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC) };
	struct pidring_setting setting = { .kind = PIDRING_SETTING_NICE, .number = 5, .report = &report };
	const struct pidring_confinement plain = { .size = sizeof(plain), .no_new_privileges = true };
	const struct pidring_confinement variants[] = {
		{ .size = sizeof(plain), .namespaces = PIDRING_NAMESPACE_USER },
		{ .size = sizeof(plain), .settings = &setting, .setting_count = 1 },
		{ .size = sizeof(plain), .joins = &join, .join_count = 1 },
		{ .size = sizeof(plain),
		  .namespaces = PIDRING_NAMESPACE_USER,
		  .settings = &setting,
		  .setting_count = 1,
		  .joins = &join,
		  .join_count = 1 },
	};

	need_root();
	need_user_namespaces();
	for (size_t i = 0; i < 4; i++) {
		bool libc_fork = i % 2;
		int expected = count_in_function(engine, counts[i / 2], libc_fork, &plain);

		/* The last one cannot be had from libc's fork. */
		for (size_t k = 0; k < sizeof(variants) / sizeof(variants[0]) - libc_fork; k++)
			check_int(count_in_function(engine, counts[i / 2], libc_fork, &variants[k]),
			          expected);
	}
	close(join.descriptor);
	close_engine(engine);
}
