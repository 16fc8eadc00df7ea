/* SPDX-License-Identifier: MIT */
/* Namespaces that exist are joined: by their own descriptors, and by the pidfd of somebody who is in them. */
#define _GNU_SOURCE
#include "confined.h"

#include <pthread.h>
#include <sys/syscall.h>

enum {
	PLACE = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID | PIDRING_NAMESPACE_NETWORK |
	        PIDRING_NAMESPACE_UTS | PIDRING_NAMESPACE_IPC,
};

/* Somebody who lives in a place of its own, with its proc. */
static struct lingerer start_host(struct pidring *engine)
{
	return start_lingerer(engine, (struct pidring_confinement){ .namespaces = PLACE,
	                                                            .host_name = "hosts",
	                                                            .private_proc = true });
}

static int open_namespace(struct pidring_process *process, const char *name)
{
	char path[64];
	int descriptor;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pidring_process_pid(process), name);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	check(descriptor >= 0);
	return descriptor;
}

static void check_joined(const struct pidring_join *joins, size_t count, const char *const *questions,
                         const char *expected)
{
	check_told((struct pidring_confinement){ .joins = joins, .join_count = count }, questions, expected);
}

SCENARIO(confine_joins, by_namespace)
{
	struct pidring *engine = open_engine();
	struct lingerer host;
	struct pidring_join joins[2];

	need_root();
	host = start_host(engine);
	joins[0] = (struct pidring_join){ .descriptor = open_namespace(host.process, "uts") };
	joins[1] = (struct pidring_join){ .descriptor = open_namespace(host.process, "net") };
	check_joined(joins, 2, QUESTIONS("host", "interfaces"), "host=hosts\ninterfaces=lo\n");
	check_joined(joins, 1, QUESTIONS("host"), "host=hosts\n");
	close(joins[0].descriptor);
	close(joins[1].descriptor);
	end_lingerer(&host);
	close_engine(engine);
}

SCENARIO(confine_joins, by_process)
{
	struct pidring *engine = open_engine();
	struct lingerer host;
	struct pidring_join join;

	need_root();
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_UTS | PIDRING_NAMESPACE_NETWORK };
	check_joined(&join, 1, QUESTIONS("host", "interfaces"), "host=hosts\ninterfaces=lo\n");
	end_lingerer(&host);
	close_engine(engine);
}

/* The mounts of another: its proc shows the processes of the other's namespace, in which this one is not. */
SCENARIO(confine_joins, mounts)
{
	struct pidring *engine = open_engine();
	struct lingerer host;
	struct pidring_join join;

	need_root();
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_MOUNT };
	check_joined(&join, 1, QUESTIONS("flags", "/proc", "read", "/proc/2/comm"),
	             "/proc=nosuid nodev noexec \n/proc/2/comm=ENOENT\n");
	end_lingerer(&host);
	close_engine(engine);
}

/* Its users are not those that are known here. */
SCENARIO(confine_joins, user_name_of_the_joined_mounts)
{
	struct pidring_join join = { .descriptor = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC) };

	check_refused_confinement(
		(struct pidring_confinement){ .joins = &join, .join_count = 1, .user_name = "nobody" },
		-EINVAL, "user_name", "nobody");
	close(join.descriptor);
}

/* A root may be there only, where the joined mounts are: so it is the child that looks for it. */
SCENARIO(confine_joins, root_of_the_joined_mounts)
{
	struct pidring *engine = open_engine();
	struct small_root place;
	struct pidring_mount mounts[2];
	struct pidring_confinement confinement = { .join_count = 1 };
	struct lingerer host;
	struct pidring_join join;
	struct pidring_process *process;

	need_root();
	place = make_directory();
	mounts[0] = (struct pidring_mount){ .target = place.path, .type = "tmpfs" };
	mounts[1] = (struct pidring_mount){ .target = in_root(&place, "inside"),
		                            .type = "tmpfs",
		                            .make_target = true };
	host = start_lingerer(engine, (struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                                            .mounts = mounts,
	                                                            .mount_count = 2 });
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_MOUNT };
	confinement.joins = &join;
	confinement.root = mounts[1].target;
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 }, confinement,
	              QUESTIONS("directory", "list", "/"), "directory=/\n/=\n");
	confinement.root = in_root(&place, "nowhere");
	confinement.size = sizeof(confinement);
	process = new_process(engine,
	                      (struct pidring_options){ .target = return_zero, .confinement = &confinement });
	check_int(pidring_process_start(process), -ENOENT);
	check_contains(pidring_explain(), confinement.root);
	pidring_process_free(process);
	end_lingerer(&host);
	remove_small_root(&place);
	close_engine(engine);
}

static void *wait_in_thread(void *latch)
{
	latch_wait(latch);
	return NULL;
}

/* Threads share a root and a working directory, which a mount namespace forbids: their process's children do not. */
SCENARIO(confine_joins, mounts_for_a_threaded_process)
{
	struct pidring *engine = open_engine();
	struct latch latch = latch_open();
	struct lingerer host;
	struct pidring_join join;
	pthread_t thread;

	need_root();
	check_int(pthread_create(&thread, NULL, wait_in_thread, &latch), 0);
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID };
	check_joined(&join, 1, QUESTIONS("flags", "/proc", "parent"),
	             "/proc=nosuid nodev noexec \nparent=0\n");
	end_lingerer(&host);
	latch_release(&latch);
	check_int(pthread_join(thread, NULL), 0);
	latch_close(&latch);
	close_engine(engine);
}

/* --- PID namespaces --- */

static int answer_with_pid(void *argument)
{
	(void)argument;
	return (int)getpid();
}

/* It is a child of this process all the same, with a pid of this namespace and its exit code. */
SCENARIO(confine_joins, pid_namespace)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement) };
	struct lingerer host;
	struct pidring_join join;
	struct pidring_process *process;

	need_root();
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = open_namespace(host.process, "pid") };
	confinement.joins = &join;
	confinement.join_count = 1;
	for (int before = 1, number, outside; before < 5; before = number) {
		process = start_process(engine, (struct pidring_options){ .target = answer_with_pid,
		                                                          .confinement = &confinement });
		outside = pidring_process_pid(process);
		number = finish(process);
		check(number > before && number < outside);
	}
	check_contains(told(engine, asking(AS_PROGRAM, QUESTIONS("pid", "parent"),
	                                   (struct pidring_options){ .confinement = &confinement })),
	               "parent=0\n");
	close(join.descriptor);
	end_lingerer(&host);
	close_engine(engine);
}

static const char *pid_namespace_of(pid_t pid)
{
	static char target[128];
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	length = readlink(path, target, sizeof(target) - 1);
	check(length > 0);
	target[length] = '\0';
	return target;
}

/* What comes afterwards is not in it: neither this engine's children nor the host's own. */
SCENARIO(confine_joins, next_children_are_not_in_it)
{
	struct pidring *engine = open_engine();
	char own[128];
	struct lingerer host, joined, next;
	struct pidring_join join;
	pid_t pid;

	need_root();
	snprintf(own, sizeof(own), "%s", pid_namespace_of(getpid()));
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_PID };
	joined = start_lingerer(engine, (struct pidring_confinement){ .joins = &join, .join_count = 1 });
	check(strcmp(pid_namespace_of(pidring_process_pid(joined.process)), own) != 0);
	next = start_lingerer(engine, (struct pidring_confinement){ .no_new_privileges = true });
	check_text(pid_namespace_of(pidring_process_pid(next.process)), own);
	pid = fork();
	if (pid == 0)
		_exit(strcmp(pid_namespace_of(getpid()), own) == 0 ? 0 : 1);
	check(pid > 0);
	int status;
	check_int(waitpid(pid, &status, 0), pid);
	check_int(status, 0);
	end_lingerer(&next);
	end_lingerer(&joined);
	end_lingerer(&host);
	close_engine(engine);
}

static void check_placed_over_the_parent(const struct pidring_descriptor *passed, size_t count,
                                         struct pidring_confinement confinement)
{
	check_told_with((struct pidring_options){ .death_signal = SIGTERM,
	                                          .descriptors = passed,
	                                          .descriptor_count = count },
	                confinement,
	                QUESTIONS("death", "parent", "link", "/proc/self/fd/3", "link", "/proc/self/fd/62"),
	                "death=15\nparent=0\n/proc/self/fd/3=/dev/null\n/proc/self/fd/62=/dev/null\n");
}

/* The child asks a pidfd whether its parent has ended. Something else may be placed where that stands. */
SCENARIO(confine_joins, descriptors_where_the_parent_stands)
{
	enum { FIRST = 3, COUNT = 60 };
	struct pidring *engine = open_engine();
	struct pidring_descriptor passed[COUNT];
	struct lingerer host;
	struct pidring_join join;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	need_root();
	check(null >= 0);
	for (int i = 0; i < COUNT; i++)
		passed[i] = (struct pidring_descriptor){ .source = null, .target = FIRST + i };
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_PID };
	check_placed_over_the_parent(passed, COUNT,
	                             (struct pidring_confinement){ .joins = &join, .join_count = 1 });
	check_placed_over_the_parent(passed, COUNT,
	                             (struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_PID });
	end_lingerer(&host);
	close(null);
	close_engine(engine);
}

/* When the namespace's init ends, all that are in it do. */
SCENARIO(confine_joins, init_ends)
{
	struct pidring *engine = open_engine();
	struct lingerer host, joined;
	struct pidring_join join;

	need_root();
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_PID };
	joined = start_lingerer(engine, (struct pidring_confinement){ .joins = &join, .join_count = 1 });
	check_int(pidring_process_is_alive(joined.process), 1);
	/* The init is not reaped before the others are: its zombie waits for them. */
	close(host.input);
	check_int(finish(joined.process), -SIGKILL);
	check_int(finish(host.process), 0);
	close(joined.input);
	close_engine(engine);
}

/* A namespace whose init has ended takes nobody; the kernel calls that a lack of memory. */
SCENARIO(confine_joins, ended_pid_namespace)
{
	struct pidring *engine = open_engine();
	struct lingerer host;
	struct pidring_join join;

	need_root();
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = open_namespace(host.process, "pid") };
	end_lingerer(&host);
	check_fails_as(AS_PROGRAM, (struct pidring_options){ 0 },
	               (struct pidring_confinement){ .joins = &join, .join_count = 1 }, PIDRING_STEP_CLONE,
	               ENOMEM, "");
	close(join.descriptor);
	close_engine(engine);
}

/* --- users --- */

/* An ordinary user joins what it has made, with the power that it has there. */
SCENARIO(confine_joins, own_user_namespace)
{
	struct pidring *engine = open_engine();
	struct lingerer host;
	struct pidring_join join;

	need_user_namespaces();
	become_ordinary();
	host = start_lingerer(engine,
	                      (struct pidring_confinement){ .namespaces = PLACE | PIDRING_NAMESPACE_USER,
	                                                    .host_name = "mine" });
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_USER | PIDRING_NAMESPACE_UTS };
	check_joined(&join, 1, QUESTIONS("host", "status", "Uid"), "host=mine\nUid=0 0 0 0\n");
	end_lingerer(&host);
	close_engine(engine);
}

/* Who joins is undumpable, so its own files in proc are root's. It is not the join that is said to have failed. */
SCENARIO(confine_joins, time_offsets_beside)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_TIME,
		                                   .monotonic_offset = PIDRING_SECONDS(100),
		                                   .join_count = 1 };
	struct lingerer host;
	struct pidring_join join;
	struct pidring_process *process;
	struct pidring_failure failure;

	need_user_namespaces();
	become_ordinary();
	host = start_lingerer(engine, (struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER });
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_USER };
	confinement.joins = &join;
	process = new_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                        .confinement = &confinement });
	check_int(pidring_process_start(process), -EACCES);
	check_int(pidring_process_failure(process, &failure), 0);
	check_int(failure.step, PIDRING_STEP_NAMESPACE);
	check(strstr(failure.sentence, "behind descriptor") == NULL);
	pidring_process_free(process);
	end_lingerer(&host);
	close_engine(engine);
}

/* New ones within joined ones: the user namespace of somebody else, and a host name of one's own. */
SCENARIO(confine_joins, joined_and_new)
{
	struct pidring *engine = open_engine();
	struct lingerer host;
	struct pidring_join join;

	need_root();
	host = start_host(engine);
	join = (struct pidring_join){ .descriptor = pidring_process_sentinel(host.process),
		                      .namespaces = PIDRING_NAMESPACE_NETWORK };
	check_told((struct pidring_confinement){ .joins = &join,
	                                         .join_count = 1,
	                                         .namespaces = PIDRING_NAMESPACE_UTS,
	                                         .host_name = "third" },
	           QUESTIONS("host", "interfaces"), "host=third\ninterfaces=lo\n");
	end_lingerer(&host);
	close_engine(engine);
}

/* --- what is no namespace --- */

SCENARIO(confine_joins, no_namespace)
{
	struct pidring_join join = { .descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC) };

	check_refused_confinement((struct pidring_confinement){ .joins = &join, .join_count = 1 }, -EINVAL,
	                          "joins", "is no namespace");
	join.namespaces = PIDRING_NAMESPACE_UTS;
	check_refused_confinement((struct pidring_confinement){ .joins = &join, .join_count = 1 }, -EINVAL,
	                          "joins", "is no pidfd");
	close(join.descriptor);
}

/* A process is in one PID namespace. */
SCENARIO(confine_joins, two_pid_namespaces)
{
	struct pidring_join joins[2];

	for (int i = 0; i < 2; i++)
		joins[i] = (struct pidring_join){ .descriptor =
			                                  open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC) };
	check_refused_confinement((struct pidring_confinement){ .joins = joins, .join_count = 2 }, -EINVAL,
	                          "joins", "PID");
	close(joins[0].descriptor);
	close(joins[1].descriptor);
}

static void check_refused_join(struct pidring_join join, unsigned made)
{
	check_refused_confinement(
		(struct pidring_confinement){ .joins = &join, .join_count = 1, .namespaces = made }, -EINVAL,
		"joins", "of a kind that is also to be made");
}

/* What is done in a new one would be done in the one that is joined, which is others'. */
SCENARIO(confine_joins, kind_that_is_also_made)
{
	static const char *const links[] = { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time" };
	static const unsigned kinds[] = { PIDRING_NAMESPACE_USER,   PIDRING_NAMESPACE_MOUNT,
		                          PIDRING_NAMESPACE_PID,    PIDRING_NAMESPACE_NETWORK,
		                          PIDRING_NAMESPACE_UTS,    PIDRING_NAMESPACE_IPC,
		                          PIDRING_NAMESPACE_CGROUP, PIDRING_NAMESPACE_TIME };
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	check(pidfd >= 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64];
		int descriptor;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", links[i]);
		descriptor = open(path, O_RDONLY | O_CLOEXEC);
		check(descriptor >= 0);
		check_refused_join((struct pidring_join){ .descriptor = descriptor }, kinds[i]);
		check_refused_join((struct pidring_join){ .descriptor = descriptor },
		                   kinds[i] | PIDRING_NAMESPACE_UTS | PIDRING_NAMESPACE_MOUNT);
		close(descriptor);
		check_refused_join((struct pidring_join){ .descriptor = pidfd, .namespaces = kinds[i] },
		                   kinds[i]);
	}
	check_refused_join(
		(struct pidring_join){ .descriptor = pidfd,
	                               .namespaces = PIDRING_NAMESPACE_UTS | PIDRING_NAMESPACE_MOUNT },
		PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_IPC);
	close(pidfd);
}

SCENARIO(confine_joins, process_that_has_ended)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = start_program(engine, "true", NULL);
	struct pidring_join join = { .descriptor = pidring_process_sentinel(process),
		                     .namespaces = PIDRING_NAMESPACE_UTS };

	need_root();
	check_int(join_code(process), 0);
	check_fails((struct pidring_confinement){ .joins = &join, .join_count = 1 }, PIDRING_STEP_NAMESPACE,
	            ESRCH, "namespace");
	pidring_process_free(process);
	close_engine(engine);
}
