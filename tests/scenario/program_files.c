/* SPDX-License-Identifier: MIT */
/* Which file is run, with which arguments, and what is told where it cannot be. */
#define _GNU_SOURCE
#include "program_helpers.h"

#include <limits.h>
#include <sys/stat.h>

static struct pidring *engine;

struct place {
	char path[64];
};

static struct place make_place(void)
{
	struct place place = { "/tmp/pidring-XXXXXX" };

	check(mkdtemp(place.path) != NULL);
	return place;
}

static const char *path_in(const struct place *place, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	return path;
}

static void write_file(const struct place *place, const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(path_in(place, name), "we");

	check(file != NULL);
	fputs(text, file);
	check_int(fclose(file), 0);
	check_int(chmod(path_in(place, name), mode), 0);
}

static void remove_place(const struct place *place, const char *name)
{
	if (name != NULL)
		check_int(unlink(path_in(place, name)), 0);
	check_int(rmdir(place->path), 0);
}

static void check_start_fails(struct pidring_options options, int error, enum pidring_step step,
                              const char *named)
{
	struct pidring_process *process;
	struct pidring_failure failure;
	int descriptors;

	engine = open_engine();
	process = new_process(engine, options);
	descriptors = count_descriptors();
	check_int(pidring_process_start(process), error);
	check_contains(pidring_explain(), named);
	check_int(pidring_process_failure(process, &failure), 0);
	check_text(pidring_step_name(failure.step), pidring_step_name(step));
	check_int(failure.error, -error);
	check_contains(failure.sentence, named);
	check_int(pidring_process_pid(process), -ESRCH);
	check_int(waitpid(-1, NULL, WNOHANG), -1);
	check_int(count_descriptors(), descriptors);
	pidring_process_free(process);
	close_engine(engine);
}

/* --- the program that is meant --- */

/* A relative program is looked for from its working directory. */
SCENARIO(program_files, relative_program_from_the_working_directory)
{
	struct place place = make_place();

	write_file(&place, "script", "#!/bin/sh\necho found\n", 0755);
	check_output((struct pidring_options){ .argv = ARGV("./script"), .working_directory = place.path },
	             "found\n");
	check_start_fails((struct pidring_options){ .argv = ARGV("./script"), .working_directory = "/usr" },
	                  -ENOENT, PIDRING_STEP_EXEC, "./script");
	remove_place(&place, "script");
}

/* A name without a slash is looked for in the PATH that the program will have. */
SCENARIO(program_files, looked_up_in_its_own_path)
{
	struct place place = make_place();
	char path[128];

	write_file(&place, "pidring-test-script", "#!/bin/sh\necho found\n", 0755);
	snprintf(path, sizeof(path), "PATH=/no/such/place:%s:/bin", place.path);
	check_output((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                       .extra_environment = ARGV(path) },
	             "found\n");
	check_output(
		(struct pidring_options){ .argv = ARGV("pidring-test-script"), .environment = ARGV(path) },
		"found\n");
	check_start_fails((struct pidring_options){ .argv = ARGV("pidring-test-script") }, -ENOENT,
	                  PIDRING_STEP_LOOK_UP, "pidring-test-script");
	snprintf(path, sizeof(path), "PATH=%s:/usr/bin:/bin", place.path);
	check_int(setenv("PATH", path + 5, 1), 0);
	check_output((struct pidring_options){ .argv = ARGV("pidring-test-script") }, "found\n");
	check_start_fails((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                            .extra_environment = ARGV("PATH=/bin") },
	                  -ENOENT, PIDRING_STEP_LOOK_UP, "pidring-test-script");
	remove_place(&place, "pidring-test-script");
}

/* A file on the PATH that may not be run is passed over for one that may; if it is the only one, that is
 * told. */
SCENARIO(program_files, looked_up_past_what_cannot_run)
{
	struct place plain = make_place(), right = make_place();
	char path[256];

	write_file(&plain, "pidring-test-script", "no program\n", 0644);
	write_file(&right, "pidring-test-script", "#!/bin/sh\necho right\n", 0755);
	snprintf(path, sizeof(path), "PATH=%s:%s", plain.path, right.path);
	check_output((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                       .extra_environment = ARGV(path) },
	             "right\n");
	snprintf(path, sizeof(path), "PATH=%s", plain.path);
	check_start_fails((struct pidring_options){ .argv = ARGV("pidring-test-script"),
	                                            .extra_environment = ARGV(path) },
	                  -EACCES, PIDRING_STEP_LOOK_UP, "pidring-test-script");
	remove_place(&plain, "pidring-test-script");
	remove_place(&right, "pidring-test-script");
}

/* The file to run can be another than the name says. */
SCENARIO(program_files, file_and_name_can_differ)
{
	check_output(
		(struct pidring_options){ .argv = ARGV("my name", "-c", "echo $0"), .program = "/bin/sh" },
		"my name\n");
	check_output((struct pidring_options){ .argv = ARGV("", "-c", "echo \"[$0]\""), .program = "sh" },
	             "[]\n");
}

/* Arguments arrive as they are. */
SCENARIO(program_files, arguments_arrive_as_they_are)
{
	check_output((struct pidring_options){ .argv = ARGV("printf", "[%s]", "", "a b", "*", "$HOME", "\n",
	                                                    "'") },
	             "[][a b][*][$HOME][\n][']");
}

/* --- failures, each in its step --- */

/* No such file. */
SCENARIO(program_files, missing)
{
	check_start_fails((struct pidring_options){ .argv = ARGV("/no/such/program") }, -ENOENT,
	                  PIDRING_STEP_EXEC, "/no/such/program");
}

/* The file is there, but what should interpret it is not. */
SCENARIO(program_files, missing_interpreter)
{
	struct place place = make_place();

	write_file(&place, "script", "#!/no/such/interpreter -x\n", 0755);
	check_start_fails((struct pidring_options){ .argv = ARGV(path_in(&place, "script")) }, -ENOENT,
	                  PIDRING_STEP_INTERPRETER, "/no/such/interpreter");
	remove_place(&place, "script");
}

/* No such working directory. */
SCENARIO(program_files, missing_working_directory)
{
	check_start_fails(
		(struct pidring_options){ .argv = ARGV("/bin/true"), .working_directory = "/no/such/place" },
		-ENOENT, PIDRING_STEP_WORKING_DIRECTORY, "/no/such/place");
}

/* A working directory that is a file. */
SCENARIO(program_files, working_directory_is_a_file)
{
	check_start_fails(
		(struct pidring_options){ .argv = ARGV("/bin/true"), .working_directory = "/etc/passwd" },
		-ENOTDIR, PIDRING_STEP_WORKING_DIRECTORY, "/etc/passwd");
}

/* A file that may not be run. */
SCENARIO(program_files, not_executable)
{
	struct place place = make_place();

	write_file(&place, "script", "#!/bin/sh\n", 0644);
	check_start_fails((struct pidring_options){ .argv = ARGV(path_in(&place, "script")) }, -EACCES,
	                  PIDRING_STEP_EXEC, path_in(&place, "script"));
	remove_place(&place, "script");
}

/* A directory. */
SCENARIO(program_files, is_a_directory)
{
	check_start_fails((struct pidring_options){ .argv = ARGV("/usr/bin") }, -EACCES, PIDRING_STEP_EXEC,
	                  "/usr/bin");
}

/* A file in no known format; no shell is tried on it. */
SCENARIO(program_files, unknown_format)
{
	struct place place = make_place();

	write_file(&place, "text", "exit 0\n", 0755);
	check_start_fails((struct pidring_options){ .argv = ARGV(path_in(&place, "text")) }, -ENOEXEC,
	                  PIDRING_STEP_EXEC, path_in(&place, "text"));
	remove_place(&place, "text");
}

/* More arguments than the kernel takes together. */
SCENARIO(program_files, too_many_arguments)
{
	static char large[100001];
	static const char *argv[302];

	memset(large, 'l', sizeof(large) - 1);
	argv[0] = "/bin/true";
	for (size_t i = 1; i <= 300; i++)
		argv[i] = large;
	check_start_fails((struct pidring_options){ .argv = argv }, -E2BIG, PIDRING_STEP_EXEC, "/bin/true");
}
