/* SPDX-License-Identifier: MIT */
/* Another root, by pivot_root(2) and chroot(2), for programs that are there and for functions. */
#define _GNU_SOURCE
#include "confined.h"

#include <sys/stat.h>

static const unsigned ways[] = { 0, PIDRING_NAMESPACE_MOUNT };

/* What the shell of the root prints for this command. */
static const char *output_in(struct pidring *engine, struct pidring_confinement confinement,
                             const char *command, bool asynchronous)
{
	confinement.size = sizeof(confinement);
	return told(engine, (struct pidring_options){ .argv = (const char *[]){ "sh", "-c", command, NULL },
	                                              .environment = (const char *[]){ "PATH=/bin", NULL },
	                                              .asynchronous = asynchronous,
	                                              .confinement = &confinement });
}

SCENARIO(confine_root, program)
{
	struct pidring *engine = open_engine();
	struct small_root root;
	char *mounts;

	need_root();
	root = make_small_root();
	mounts = text_of("/proc/self/mountinfo");
	for (size_t i = 0; i < 4; i++) {
		char *now;

		check_text(output_in(engine,
		                     (struct pidring_confinement){ .root = root.path,
		                                                   .namespaces = ways[i / 2] },
		                     "pwd; echo /*", i % 2),
		           "/\n/bin /data /etc /proc /tmp\n");
		now = text_of("/proc/self/mountinfo");
		check_text(now, mounts);
		free(now);
	}
	free(mounts);
	remove_small_root(&root);
	close_engine(engine);
}

SCENARIO(confine_root, function)
{
	struct small_root root;

	need_root();
	root = make_small_root();
	for (size_t i = 0; i < 2; i++)
		check_told_as(AS_FUNCTION, (struct pidring_options){ 0 },
		              (struct pidring_confinement){ .root = root.path, .namespaces = ways[i] },
		              QUESTIONS("directory", "list", "/", "list", "/../.."),
		              "directory=/\n/=bin data etc proc tmp\n/../..=bin data etc proc tmp\n");
	remove_small_root(&root);
}

static int count_mounts(void *argument)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	int count = 0;

	(void)argument;
	check(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		count++;
	fclose(file);
	return count;
}

/* With a mount namespace nothing of the old root is left: there are the new one and its proc. */
SCENARIO(confine_root, nothing_of_the_old_root)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces =
		                                           PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID,
		                                   .private_proc = true };
	struct small_root root;

	need_root();
	root = make_small_root();
	confinement.root = root.path;
	check_int(finish(start_process(engine, (struct pidring_options){ .target = count_mounts,
	                                                                 .confinement = &confinement })),
	          2);
	remove_small_root(&root);
	close_engine(engine);
}

SCENARIO(confine_root, working_directory)
{
	struct pidring *engine = open_engine();
	struct small_root root;

	need_root();
	root = make_small_root();
	for (size_t i = 0; i < 2; i++) {
		struct pidring_confinement confinement = { .size = sizeof(confinement),
			                                   .root = root.path,
			                                   .namespaces = ways[i] };

		check_text(
			told(engine, (struct pidring_options){ .argv = (const char *[]){ "/bin/pwd", NULL },
		                                               .working_directory = "/data",
		                                               .confinement = &confinement }),
			"/data\n");
		check_text(
			told(engine, (struct pidring_options){ .argv = (const char *[]){ "../bin/pwd", NULL },
		                                               .working_directory = "data",
		                                               .confinement = &confinement }),
			"/data\n");
	}
	close_engine(engine);
	check_fails_with((struct pidring_options){ .working_directory = "/no/such/place" },
	                 (struct pidring_confinement){ .root = root.path }, PIDRING_STEP_WORKING_DIRECTORY,
	                 ENOENT, "/no/such/place");
	remove_small_root(&root);
}

/* A name without a slash is looked for in PATH, where the program will be. */
SCENARIO(confine_root, program_in_path)
{
	struct pidring *engine = open_engine();
	struct small_root root;
	struct pidring_confinement confinement = { .size = sizeof(confinement) };
	struct pidring_options options = { .confinement = &confinement };
	struct pidring_process *process;
	struct pidring_failure failure;

	need_root();
	root = make_small_root();
	confinement.root = root.path;
	check_int(mkdir(in_root(&root, "own"), 0755), 0);
	write_text(in_root(&root, "own/pidring-own"), "#!/bin/sh\necho own \"$@\"\n");
	check_int(chmod(in_root(&root, "own/pidring-own"), 0755), 0);
	write_text(in_root(&root, "data/pidring-own"), "this is no program\n");
	options.argv = (const char *[]){ "pidring-own", "word", NULL };
	options.environment = (const char *[]){ "PATH=/nowhere:/data:/own:/bin", NULL };
	for (size_t i = 0; i < 2; i++) {
		confinement.namespaces = ways[i];
		check_text(told(engine, options), "own word\n");
	}
	/* It is there outside, but not inside. */
	options.argv = (const char *[]){ "env", NULL };
	process = new_process(engine, options);
	check_int(pidring_process_start(process), -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_EXEC);
	check_contains(failure.sentence, "'env'");
	pidring_process_free(process);
	remove_small_root(&root);
	close_engine(engine);
}

/* A file that may not be run is the reason if nothing better comes. */
SCENARIO(confine_root, program_that_may_not_be_run)
{
	struct pidring *engine = open_engine();
	struct small_root root;
	struct pidring_confinement confinement = { .size = sizeof(confinement) };
	struct pidring_process *process;

	need_root();
	root = make_small_root();
	confinement.root = root.path;
	write_text(in_root(&root, "data/pidring-own"), "this is no program\n");
	process = new_process(
		engine, (struct pidring_options){ .argv = (const char *[]){ "pidring-own", NULL },
	                                          .environment = (const char *[]){ "PATH=/data:/bin", NULL },
	                                          .confinement = &confinement });
	check_int(pidring_process_start(process), -EACCES);
	pidring_process_free(process);
	remove_small_root(&root);
	close_engine(engine);
}

/* --- mounts in the root --- */

SCENARIO(confine_root, mounts)
{
	struct pidring *engine = open_engine();
	struct small_root root, source;
	struct pidring_mount mounts[2];

	need_root();
	root = make_small_root();
	source = make_directory();
	write_text(in_root(&source, "file"), "content");
	mounts[0] = (struct pidring_mount){ .target = "/data", .source = source.path, .read_only = true };
	mounts[1] = (struct pidring_mount){ .target = "/tmp", .type = "tmpfs", .data = "size=64k" };
	check_text(output_in(engine,
	                     (struct pidring_confinement){ .root = root.path,
	                                                   .namespaces = PIDRING_NAMESPACE_MOUNT |
	                                                                 PIDRING_NAMESPACE_PID,
	                                                   .mounts = mounts,
	                                                   .mount_count = 2,
	                                                   .read_only_root = true,
	                                                   .private_proc = true },
	                     "cat /data/file; echo; echo $$; (echo >/data/file) 2>&- || echo read-only;"
	                     "(echo >/new) 2>&- || echo read-only; echo >/tmp/new && echo /tmp/*;"
	                     "while read -r id up device of at rest; do echo \"$at\"; done "
	                     "</proc/self/mountinfo | /bin/busybox sort",
	                     false),
	           "content\n1\nread-only\nread-only\n/tmp/new\n/\n/data\n/proc\n/tmp\n");
	remove_small_root(&source);
	remove_small_root(&root);
	close_engine(engine);
}

/* Links in the root that point outside are looked up inside: nothing can be mounted over what is not the child's. */
SCENARIO(confine_root, links_do_not_lead_out)
{
	struct pidring *engine = open_engine();
	struct small_root root, outside;
	struct pidring_mount mount = { .type = "tmpfs" };
	struct pidring_confinement confinement = { .namespaces = PIDRING_NAMESPACE_MOUNT,
		                                   .mounts = &mount,
		                                   .mount_count = 1 };

	need_root();
	root = make_small_root();
	outside = make_directory();
	confinement.root = root.path;
	check_int(symlink(outside.path, in_root(&root, "absolute")), 0);
	check_int(symlink("../../../../../../../../data", in_root(&root, "upwards")), 0);
	mount.target = "/upwards";
	check_text(output_in(engine, confinement, "echo >/data/new; echo /data/*", false), "/data/new\n");
	check_int(access(in_root(&root, "data/new"), F_OK), -1);
	mount.target = "/absolute";
	close_engine(engine);
	check_fails_as(AS_PROGRAM, (struct pidring_options){ 0 }, confinement, PIDRING_STEP_MOUNT, ENOENT,
	               "mount");
	/* Not even made there. */
	mount.target = "/absolute/below";
	mount.make_target = true;
	check_fails_as(AS_PROGRAM, (struct pidring_options){ 0 }, confinement, PIDRING_STEP_MOUNT, ENOENT,
	               "mount");
	check_int(rmdir(outside.path), 0);
	remove_small_root(&root);
}

/* A source is here, also if the root hides it: it is opened before. */
SCENARIO(confine_root, source_is_outside)
{
	struct pidring *engine = open_engine();
	struct small_root root;
	struct pidring_mount mount = { .target = "/data", .source = "/etc" };

	need_root();
	root = make_small_root();
	write_text(in_root(&root, "etc/passwd"), "inside");
	check_contains(output_in(engine,
	                         (struct pidring_confinement){ .root = root.path,
	                                                       .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                                       .mounts = &mount,
	                                                       .mount_count = 1 },
	                         "cat /data/passwd", false),
	               "root:");
	remove_small_root(&root);
	close_engine(engine);
}

/* An ordinary user has a root of its own, too, in a user namespace. */
SCENARIO(confine_root, of_an_ordinary_user)
{
	struct pidring *engine = open_engine();
	struct small_root root;

	need_user_namespaces();
	become_ordinary();
	root = make_small_root();
	for (size_t i = 0; i < 2; i++)
		check_text(
			output_in(engine,
		                  (struct pidring_confinement){
					  .root = root.path, .namespaces = ways[i] | PIDRING_NAMESPACE_USER },
		                  "echo /*; echo >/data/new; echo /data/*", false),
			"/bin /data /etc /proc /tmp\n/data/new\n");
	remove_small_root(&root);
	close_engine(engine);
}

/* The root that it has already. */
SCENARIO(confine_root, same_root)
{
	need_root();
	for (size_t i = 0; i < 2; i++) {
		check_told((struct pidring_confinement){ .root = "/", .namespaces = ways[i] },
		           QUESTIONS("directory"), "directory=/\n");
		check_told_with((struct pidring_options){ .working_directory = "tmp" },
		                (struct pidring_confinement){ .root = "/", .namespaces = ways[i] },
		                QUESTIONS("directory"), "directory=/tmp\n");
	}
}
