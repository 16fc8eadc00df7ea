/* SPDX-License-Identifier: MIT */
/* What a confined process sees of the files: mounts and read-only places, which nobody else sees. */
#define _GNU_SOURCE
#include "confined.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A directory with a file and a directory in it, to be mounted somewhere; and one for the targets. */
static struct small_root source, target;

static void make_places(void)
{
	need_root();
	source = make_directory();
	target = make_directory();
	write_text(in_root(&source, "file"), "content");
	check_int(mkdir(in_root(&source, "below"), 0755), 0);
	write_text(in_root(&source, "below/deep"), "deep content");
	check_int(mkdir(in_root(&target, "place"), 0755), 0);
	write_text(in_root(&target, "empty"), "");
}

static void remove_places(void)
{
	remove_small_root(&source);
	remove_small_root(&target);
}

/* "PATH=VALUE\n", in one of four buffers. */
static const char *line(const char *path, const char *value)
{
	static char lines[4][512];
	static unsigned next;
	char *text = lines[next++ % 4];

	snprintf(text, sizeof(lines[0]), "%s=%s\n", path, value);
	return text;
}

static void check_mounted(struct pidring_mount mount, const char *const *questions, const char *expected)
{
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                         .mounts = &mount,
	                                         .mount_count = 1 },
	           questions, expected);
}

SCENARIO(confine_mounts, bind)
{
	const char *place, *file;

	make_places();
	place = in_root(&target, "place");
	file = in_root(&target, "place/file");
	check_mounted((struct pidring_mount){ .target = place, .source = source.path },
	              QUESTIONS("read", file), line(file, "content"));
	/* A file, too. */
	file = in_root(&target, "empty");
	check_mounted((struct pidring_mount){ .target = file, .source = in_root(&source, "file") },
	              QUESTIONS("read", file), line(file, "content"));
	remove_places();
}

/* What is written through it is written there. */
SCENARIO(confine_mounts, bind_is_the_same_place)
{
	const char *file;
	char *text;

	make_places();
	file = in_root(&target, "place/new");
	check_mounted((struct pidring_mount){ .target = in_root(&target, "place"), .source = source.path },
	              QUESTIONS("write", file), line(file, "OK"));
	text = text_of(in_root(&source, "new"));
	check_text(text, "");
	free(text);
	remove_places();
}

SCENARIO(confine_mounts, read_only)
{
	const char *place, *file;

	make_places();
	place = in_root(&target, "place");
	file = in_root(&target, "place/file");
	check_mounted((struct pidring_mount){ .target = place, .source = source.path, .read_only = true },
	              QUESTIONS("write", file), line(file, "EROFS"));
	/* Only this way to it. */
	file = in_root(&source, "file");
	check_mounted((struct pidring_mount){ .target = place, .source = source.path, .read_only = true },
	              QUESTIONS("write", file), line(file, "OK"));
	remove_places();
}

SCENARIO(confine_mounts, flags)
{
	struct pidring_mount mount = { .no_set_user_id = true, .no_devices = true, .no_exec = true };
	const char *place;

	make_places();
	place = in_root(&target, "place");
	mount.target = place;
	mount.source = source.path;
	check_mounted(mount, QUESTIONS("flags", place), line(place, "nosuid nodev noexec "));
	mount.source = "mine";
	mount.type = "tmpfs";
	check_mounted(mount, QUESTIONS("flags", place), line(place, "nosuid nodev noexec "));
	mount.read_only = true;
	mount.no_exec = false;
	check_mounted(mount, QUESTIONS("flags", place), line(place, "ro nosuid nodev "));
	remove_places();
}

/* Flags that the source has already are kept: nothing becomes writable or executable by being mounted again. That is where an
 * ordinary user may not change them. */
SCENARIO(confine_mounts, flags_are_kept)
{
	struct pidring_mount binding = { .read_only = true };
	const char *place;
	char expected[512];

	make_places();
	need_user_namespaces();
	check_int(unshare(CLONE_NEWNS), 0);
	check_int(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	check_int(mount("own", source.path, "tmpfs", MS_NODEV | MS_NOEXEC, NULL), 0);
	place = in_root(&target, "place");
	binding.target = place;
	binding.source = source.path;
	snprintf(expected, sizeof(expected), "%s=ro nodev noexec \n", place);
	check_mounted(binding, QUESTIONS("flags", place), expected);
	check_int(chmod(source.path, 0755), 0);
	if (fork() == 0) {
		become_ordinary();
		check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT |
		                                                       PIDRING_NAMESPACE_USER,
		                                         .mounts = &binding,
		                                         .mount_count = 1 },
		           QUESTIONS("flags", place), expected);
		_exit(0);
	}
	int status;
	check(wait(&status) > 0);
	check_int(status, 0);
	check_int(umount(source.path), 0);
	remove_places();
}

/* Sources are files of this process: what another mount makes is none. */
SCENARIO(confine_mounts, sources_are_here)
{
	struct pidring_mount mounts[2];
	const char *other;

	make_places();
	other = in_root(&target, "other");
	mounts[0] = (struct pidring_mount){ .target = source.path, .type = "tmpfs" };
	mounts[1] = (struct pidring_mount){ .target = other, .source = source.path, .make_target = true };
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                         .mounts = mounts,
	                                         .mount_count = 2 },
	           QUESTIONS("list", other), line(other, "below file"));
	remove_places();
}

/* With and without what is mounted below. This process has a mount namespace of its own, to mount something there. */
SCENARIO(confine_mounts, recursive)
{
	struct pidring_mount binding = { .recursive = true };
	const char *inside, *place;

	make_places();
	check_int(unshare(CLONE_NEWNS), 0);
	check_int(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	check_int(mount("below", in_root(&source, "below"), "tmpfs", 0, NULL), 0);
	write_text(in_root(&source, "below/mounted"), "");
	place = in_root(&target, "place");
	inside = in_root(&target, "place/below");
	binding.target = place;
	binding.source = source.path;
	check_mounted(binding, QUESTIONS("list", inside), line(inside, "mounted"));
	binding.recursive = false;
	check_mounted(binding, QUESTIONS("list", inside), line(inside, "deep"));
	/* Read-only is meant for all of it. */
	binding.recursive = binding.read_only = true;
	inside = in_root(&target, "place/below/mounted");
	check_mounted(binding, QUESTIONS("write", inside), line(inside, "EROFS"));
	check_int(umount(in_root(&source, "below")), 0);
	remove_places();
}

SCENARIO(confine_mounts, new_file_system)
{
	const char *place, *file;
	char expected[512];

	make_places();
	place = in_root(&target, "place");
	file = in_root(&target, "place/new");
	snprintf(expected, sizeof(expected), "%s=\n%s=OK\n", place, file);
	check_mounted(
		(struct pidring_mount){ .target = place, .type = "tmpfs", .data = "size=64k,mode=0711" },
		QUESTIONS("list", place, "write", file), expected);
	check_int(access(file, F_OK), -1);
	remove_places();
}

/* The longest value that the kernel takes. */
SCENARIO(confine_mounts, longest_data)
{
	const char *place;
	char data[512] = "mode=0711,size=";
	size_t length = strlen(data);

	make_places();
	place = in_root(&target, "place");
	memset(data + length, '0', 251);
	memcpy(data + length + 251, "100k", 5);
	check_mounted((struct pidring_mount){ .target = place, .type = "tmpfs", .data = data },
	              QUESTIONS("list", place), line(place, ""));
	remove_places();
}

SCENARIO(confine_mounts, target_is_made)
{
	const char *directory, *file;
	char expected[1024];
	struct pidring_mount mounts[2];
	struct stat status;

	make_places();
	directory = in_root(&target, "new-directory");
	file = in_root(&target, "new-file");
	mounts[0] = (struct pidring_mount){ .target = directory, .source = source.path, .make_target = true };
	mounts[1] = (struct pidring_mount){ .target = file,
		                            .source = in_root(&source, "file"),
		                            .make_target = true };
	snprintf(expected, sizeof(expected), "%s=below file\n%s=content\n", directory, file);
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                         .mounts = mounts,
	                                         .mount_count = 2 },
	           QUESTIONS("list", directory, "read", file), expected);
	check_int(stat(directory, &status), 0);
	check(S_ISDIR(status.st_mode));
	check_int(stat(file, &status), 0);
	check(S_ISREG(status.st_mode));
	remove_places();
}

/* In this order: the second lies in the first. */
SCENARIO(confine_mounts, one_in_another)
{
	const char *place, *below;
	struct pidring_mount mounts[2];

	make_places();
	place = in_root(&target, "place");
	below = in_root(&target, "place/inside");
	mounts[0] = (struct pidring_mount){ .target = place, .type = "tmpfs" };
	mounts[1] = (struct pidring_mount){ .target = below, .source = source.path, .make_target = true };
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                         .mounts = mounts,
	                                         .mount_count = 2 },
	           QUESTIONS("list", below), line(below, "below file"));
	check_int(access(below, F_OK), -1);
	remove_places();
}

SCENARIO(confine_mounts, many)
{
	enum { COUNT = 64 };
	struct pidring_mount mounts[COUNT];
	char paths[COUNT][64];

	make_places();
	for (int i = 0; i < COUNT; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%d", target.path, i);
		mounts[i] = (struct pidring_mount){
			.target = paths[i], .source = source.path, .make_target = true, .read_only = i % 2
		};
	}
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                         .mounts = mounts,
	                                         .mount_count = COUNT },
	           QUESTIONS("list", paths[COUNT - 1]), line(paths[COUNT - 1], "below file"));
	remove_places();
}

/* --- outside --- */

/* Where mounts are shared with the caller's place, as they are on most machines, nothing goes out: check_told compares. */
SCENARIO(confine_mounts, nothing_goes_out)
{
	const char *place;

	make_places();
	check_int(unshare(CLONE_NEWNS), 0);
	check_int(mount("none", "/", NULL, MS_REC | MS_SHARED, NULL), 0);
	place = in_root(&target, "place");
	check_mounted((struct pidring_mount){ .target = place, .source = source.path },
	              QUESTIONS("list", place), line(place, "below file"));
	check_told(
		(struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID,
	                                      .private_proc = true },
		QUESTIONS("pid"), "pid=1\n");
	/* Nor out of a place that is made here. */
	check_int(umount2("/proc", MNT_DETACH), 0);
	check_int(mount("proc", "/proc", "proc", 0, NULL), 0);
	remove_places();
}

/* Nor in, what is mounted here meanwhile. */
SCENARIO(confine_mounts, nothing_goes_in)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_MOUNT };
	struct pidring_process *process;
	const char *place;
	int input;

	make_places();
	check_int(unshare(CLONE_NEWNS), 0);
	check_int(mount("none", "/", NULL, MS_REC | MS_SHARED, NULL), 0);
	place = in_root(&target, "place");
	process = start_process(engine, asking(AS_PROGRAM, QUESTIONS("linger", "list", place),
	                                       (struct pidring_options){ .stdin_to = PIDRING_STREAM_RAW_PIPE,
	                                                                 .stdout_to = PIDRING_STREAM_RAW_PIPE,
	                                                                 .confinement = &confinement }));
	check_int(mount(source.path, place, NULL, MS_BIND, NULL), 0);
	input = pidring_process_take_stream(process, STDIN_FILENO);
	close(input);
	check_contains(read_all(pidring_process_stream(process, STDOUT_FILENO)), line(place, ""));
	check_int(finish(process), 0);
	check_int(umount(place), 0);
	remove_places();
	close_engine(engine);
}

/* The root as it is, but nobody can write to it. */
SCENARIO(confine_mounts, read_only_root)
{
	const char *file;

	make_places();
	file = in_root(&source, "file");
	check_told(
		(struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT, .read_only_root = true },
		QUESTIONS("write", file, "write", "/dev/null"), line(file, "EROFS\n/dev/null=OK"));
	remove_places();
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(descriptor >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	check_int(bind(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
	close(descriptor);
}

/* What is there already is not opened: that would fail, or wait for a reader. */
SCENARIO(confine_mounts, target_that_is_there)
{
	struct pidring *engine = open_engine();
	struct pidring_process *running;
	struct pidring_mount mount = { .make_target = true };
	const char *targets[3];

	make_places();
	targets[0] = in_root(&target, "running");
	targets[1] = in_root(&target, "socket");
	targets[2] = in_root(&target, "fifo");
	check(copy_file("/bin/cat", targets[0]));
	make_socket(targets[1]);
	check_int(mkfifo(targets[2], 0644), 0);
	running =
		start_process(engine, (struct pidring_options){ .argv = (const char *[]){ targets[0], NULL },
	                                                        .stdin_to = PIDRING_STREAM_RAW_PIPE });
	mount.source = in_root(&source, "file");
	for (size_t i = 0; i < 3; i++) {
		mount.target = targets[i];
		check_mounted(mount, QUESTIONS("read", targets[i]), line(targets[i], "content"));
	}
	kill_and_free(running);
	/* A directory does not fit. */
	mount.source = source.path;
	for (size_t i = 0; i < 3; i++) {
		mount.target = targets[i];
		check_fails((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
		                                          .mounts = &mount,
		                                          .mount_count = 1 },
		            PIDRING_STEP_MOUNT, EINVAL, targets[i]);
	}
	remove_places();
	close_engine(engine);
}
