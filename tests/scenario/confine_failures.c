/* SPDX-License-Identifier: MIT */
/* Each step of confinement fails for real, once: with its name, its errno and a sentence, and nothing is left. Where the
 * kernel would not refuse root anything, this process has a filter that does. */
#define _GNU_SOURCE
#include "confined.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

SCENARIO(confine_failures, steps_have_names)
{
	for (int step = PIDRING_STEP_CGROUP; step <= PIDRING_STEP_SECCOMP; step++) {
		const char *name = pidring_step_name((enum pidring_step)step);

		check(name[0] != '\0');
		for (int other = PIDRING_STEP_NONE; other < step; other++)
			check(strcmp(name, pidring_step_name((enum pidring_step)other)) != 0);
	}
}

/* One that was killed takes nobody. */
SCENARIO(confine_failures, control_group)
{
	struct pidring *engine = open_engine();
	struct pidring_cgroup *group = open_group_with(engine, (struct pidring_cgroup_options){ 0 });
	struct pidring_process *processes[2];
	struct pidring_failure failure;

	processes[0] = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                             .cgroup = group });
	processes[1] =
		new_process(engine, (struct pidring_options){ .target = return_zero, .cgroup = group });
	check_int(pidring_cgroup_kill(group), 0);
	for (int i = 0; i < 2; i++) {
		check_int(pidring_process_start(processes[i]), -ESTALE);
		check_int(pidring_process_failure(processes[i], &failure), 0);
		check_int(failure.step, PIDRING_STEP_CGROUP);
		check_int(failure.error, ESTALE);
		pidring_process_free(processes[i]);
	}
	check(has_no_children());
	check_int(pidring_cgroup_free(group), 0);
	close_engine(engine);
}

/* --- namespaces --- */

SCENARIO(confine_failures, new_namespace)
{
	become_ordinary();
	check_fails((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_UTS },
	            PIDRING_STEP_NAMESPACE, EPERM, "namespace");
}

SCENARIO(confine_failures, joined_namespace)
{
	struct pidring_join join = { .descriptor = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) };

	become_ordinary();
	check_fails((struct pidring_confinement){ .joins = &join, .join_count = 1 }, PIDRING_STEP_NAMESPACE,
	            EPERM, "namespace");
	close(join.descriptor);
}

/* Maps of others' ids. */
SCENARIO(confine_failures, id_map)
{
	struct pidring_id_map map = { 0, 0, 1000 };

	need_user_namespaces();
	become_ordinary();
	check_fails((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                          .user_map = &map,
	                                          .user_map_count = 1 },
	            PIDRING_STEP_ID_MAP, EPERM, "map");
}

SCENARIO(confine_failures, time_offset)
{
	need_root();
	for (enum target_kind kind = AS_PROGRAM; kind <= AS_PROGRAM_LATER; kind++)
		check_fails_as(
			kind, (struct pidring_options){ 0 },
			(struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_TIME,
		                                      .monotonic_offset = -PIDRING_SECONDS(1000000000) },
			PIDRING_STEP_NAMESPACE, ERANGE, "namespace");
}

SCENARIO(confine_failures, host_name)
{
	forbid(SYS_sethostname, -1, 0, EXDEV);
	check_fails(
		(struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_UTS, .host_name = "elsewhere" },
		PIDRING_STEP_HOST_NAME, EXDEV, "host name");
}

/* --- files --- */

static void check_mount_fails(struct pidring_mount mount, int error, const char *part)
{
	check_fails((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                          .mounts = &mount,
	                                          .mount_count = 1 },
	            PIDRING_STEP_MOUNT, error, part);
}

SCENARIO(confine_failures, mounts)
{
	need_root();
	check_mount_fails((struct pidring_mount){ .target = "/mnt", .source = "/no/such/source" }, ENOENT,
	                  "mount");
	check_mount_fails((struct pidring_mount){ .target = "/no/such/target", .type = "tmpfs" }, ENOENT,
	                  "mount");
	check_mount_fails(
		(struct pidring_mount){ .target = "/no/such/target", .type = "tmpfs", .make_target = true },
		ENOENT, "mount");
	check_mount_fails((struct pidring_mount){ .target = "/mnt", .type = "no-such-type" }, ENODEV,
	                  "mount");
	check_mount_fails((struct pidring_mount){ .target = "/mnt", .type = "tmpfs", .data = "nonsense=1" },
	                  EINVAL, "mount");
	check_mount_fails((struct pidring_mount){ .target = "/etc/passwd", .type = "tmpfs" }, EINVAL,
	                  "mount");
}

/* The second of three. */
SCENARIO(confine_failures, one_of_several_mounts)
{
	struct pidring_mount mounts[] = { { .target = "/mnt", .type = "tmpfs" },
		                          { .target = "/mnt/absent", .type = "tmpfs" },
		                          { .target = "/mnt", .type = "tmpfs" } };

	need_root();
	check_fails((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                          .mounts = mounts,
	                                          .mount_count = 3 },
	            PIDRING_STEP_MOUNT, ENOENT, "mount");
}

/* The cause is removed, and the same object can be started. */
SCENARIO(confine_failures, works_the_next_time)
{
	struct pidring *engine = open_engine();
	struct small_root place = make_directory();
	struct pidring_mount mount = { .target = in_root(&place, "later"), .type = "tmpfs" };
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_MOUNT,
		                                   .mounts = &mount,
		                                   .mount_count = 1 };
	struct pidring_process *process;
	struct pidring_failure failure;

	need_root();
	process = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                        .confinement = &confinement });
	check_int(pidring_process_start(process), -ENOENT);
	check_int(mkdir(mount.target, 0700), 0);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_failure(process, &failure), -ENODATA);
	check_int(finish(process), 0);
	remove_small_root(&place);
	close_engine(engine);
}

SCENARIO(confine_failures, root)
{
	become_ordinary();
	check_fails((struct pidring_confinement){ .root = "/tmp" }, PIDRING_STEP_ROOT, EPERM, "root");
}

/* It was there when the object was made. */
SCENARIO(confine_failures, root_that_has_gone)
{
	struct pidring *engine = open_engine();
	struct small_root root;
	struct pidring_confinement confinement = { .size = sizeof(confinement) };
	struct pidring_process *process;
	struct pidring_failure failure;

	need_root();
	root = make_directory();
	confinement.root = root.path;
	process = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                        .confinement = &confinement });
	remove_small_root(&root);
	check_int(pidring_process_start(process), -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_ROOT);
	pidring_process_free(process);
	close_engine(engine);
}

SCENARIO(confine_failures, pivot_root)
{
	struct small_root root;

	forbid(SYS_pivot_root, -1, 0, EXDEV);
	root = make_directory();
	check_fails((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT, .root = root.path },
	            PIDRING_STEP_ROOT, EXDEV, "root");
	remove_small_root(&root);
}

/* --- power --- */

/* Unknown bits are the kernel's to refuse: a later one may know them. */
SCENARIO(confine_failures, unknown_secure_bits)
{
	need_root();
	check_fails((struct pidring_confinement){ .set_secure_bits = true, .secure_bits = 1U << 30 },
	            PIDRING_STEP_SECURE_BITS, EPERM, "secure");
}

/* A bounding set that cannot even be read has not been dropped from. */
SCENARIO(confine_failures, bounding_set_that_cannot_be_read)
{
	forbid(SYS_prctl, 0, PR_CAPBSET_READ, EXDEV);
	check_fails((struct pidring_confinement){ .drop_capabilities = "cap_chown" },
	            PIDRING_STEP_CAPABILITIES, EXDEV, "cap");
}

SCENARIO(confine_failures, groups)
{
	gid_t group = 7;

	become_ordinary();
	check_fails((struct pidring_confinement){ .set_groups = true, .groups = &group, .group_count = 1 },
	            PIDRING_STEP_GROUPS, EPERM, "group");
}

SCENARIO(confine_failures, user)
{
	become_ordinary();
	check_fails((struct pidring_confinement){ .set_user = true, .user = 7 }, PIDRING_STEP_USER, EPERM,
	            "user");
	check_fails((struct pidring_confinement){ .set_group = true, .group = 8 }, PIDRING_STEP_USER, EPERM,
	            "user");
}

SCENARIO(confine_failures, bounding_set)
{
	become_ordinary();
	if (prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) != 1)
		skip("the bounding set has nothing to be dropped from it");
	check_fails((struct pidring_confinement){ .drop_capabilities = "cap_chown" },
	            PIDRING_STEP_CAPABILITIES, EPERM, "cap");
}

SCENARIO(confine_failures, capabilities)
{
	forbid(SYS_capset, -1, 0, EXDEV);
	check_fails((struct pidring_confinement){ .keep_capabilities = "cap_chown", .user_name = "nobody" },
	            PIDRING_STEP_CAPABILITIES, EXDEV, "cap");
}

SCENARIO(confine_failures, ambient_set)
{
	forbid(SYS_prctl, 0, PR_CAP_AMBIENT, EXDEV);
	check_fails((struct pidring_confinement){ .capabilities = "^cap_chown", .user_name = "nobody" },
	            PIDRING_STEP_CAPABILITIES, EXDEV, "cap");
}

SCENARIO(confine_failures, secure_bits)
{
	become_ordinary();
	check_fails((struct pidring_confinement){ .set_secure_bits = true, .secure_bits = SECBIT_NOROOT },
	            PIDRING_STEP_SECURE_BITS, EPERM, "secure");
}

SCENARIO(confine_failures, no_new_privileges)
{
	forbid(SYS_prctl, 0, PR_SET_NO_NEW_PRIVS, EXDEV);
	check_fails((struct pidring_confinement){ .no_new_privileges = true }, PIDRING_STEP_NO_NEW_PRIVILEGES,
	            EXDEV, "privileges");
}

/* The last step but the target itself: nothing of all the others is left either. */
SCENARIO(confine_failures, program_after_all_steps)
{
	struct pidring *engine = open_engine();
	struct pidring_mount mount = { .target = "/mnt", .type = "tmpfs" };
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_MOUNT |
		                                                 PIDRING_NAMESPACE_PID |
		                                                 PIDRING_NAMESPACE_UTS,
		                                   .mounts = &mount,
		                                   .mount_count = 1,
		                                   .private_proc = true,
		                                   .host_name = "elsewhere",
		                                   .user_name = "nobody",
		                                   .no_new_privileges = true };
	struct pidring_options options = { .argv = (const char *[]){ "/tmp/no-such-program", NULL },
		                           .confinement = &confinement };
	struct pidring_process *process;
	struct pidring_failure failure;
	struct pidring_event events[2];

	need_root();
	process = start_process(engine, (struct pidring_options){ .argv = options.argv,
	                                                          .confinement = &confinement,
	                                                          .asynchronous = true });
	check_int(pidring_wait(engine, &events[0], 1, PIDRING_FOREVER), 1);
	check_int(events[0].type, PIDRING_START_FAILED);
	check_int(events[0].code, -ENOENT);
	check_int(pidring_wait(engine, &events[1], 1, PIDRING_FOREVER), 1);
	check_int(events[1].type, PIDRING_EXITED);
	check_int(events[1].code, 127);
	check_int(finish(process), 127);
	process = new_process(engine, options);
	check_int(pidring_process_start(process), -ENOENT);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_EXEC);
	check_contains(failure.sentence, "'/tmp/no-such-program'");
	pidring_process_free(process);
	close_engine(engine);
}

/* --- words --- */

static void check_says(struct pidring_confinement confinement, enum pidring_step step, const char *part)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	struct pidring_failure failure;

	confinement.size = sizeof(confinement);
	process = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL },
	                                                        .confinement = &confinement });
	check(pidring_process_start(process) < 0);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, step);
	check_contains(failure.sentence, part);
	pidring_process_free(process);
	close_engine(engine);
}

/* Of several mounts or settings the sentence says which, and it has the name that could not be had. */
SCENARIO(confine_failures, sentences_name_the_culprit)
{
	struct pidring_mount mounts[] = { { .target = "/mnt", .type = "tmpfs" },
		                          { .target = "/mnt/absent", .type = "tmpfs" } };
	struct pidring_setting settings[] = { { .kind = PIDRING_SETTING_NICE, .number = 3 },
		                              { .kind = PIDRING_SETTING_OOM_SCORE, .number = -900 } };

	need_root();
	check_says((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                         .mounts = mounts,
	                                         .mount_count = 2 },
	           PIDRING_STEP_MOUNT, "/mnt/absent");
	become_ordinary();
	check_says((struct pidring_confinement){ .settings = settings, .setting_count = 2 },
	           PIDRING_STEP_SETTING, "settings[1]");
	check_says((struct pidring_confinement){ .root = "/tmp" }, PIDRING_STEP_ROOT, "/tmp");
}
