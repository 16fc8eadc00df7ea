/* SPDX-License-Identifier: MIT */
/* Starts of confined processes, and what is checked of each of them: see confined.h. */
#define _GNU_SOURCE
#include "confined.h"

#include <ftw.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "questions.h"

const char *kind_name(enum target_kind kind)
{
	static const char *const names[] = { "program", "asynchronous program", "function" };

	return names[kind];
}

/* --- this process --- */

/* All that a child in its parent's memory could change there by mistake. */
static const char *const own_state[] = {
	"status",      "Uid",
	"status",      "Gid",
	"status",      "Groups",
	"status",      "CapInh",
	"status",      "CapPrm",
	"status",      "CapEff",
	"status",      "CapBnd",
	"status",      "CapAmb",
	"status",      "NoNewPrivs",
	"status",      "Seccomp",
	"status",      "SigBlk",
	"status",      "SigIgn",
	"link",        "/proc/self/ns/user",
	"link",        "/proc/self/ns/mnt",
	"link",        "/proc/self/ns/pid",
	"link",        "/proc/self/ns/pid_for_children",
	"link",        "/proc/self/ns/net",
	"link",        "/proc/self/ns/uts",
	"link",        "/proc/self/ns/ipc",
	"link",        "/proc/self/ns/cgroup",
	"link",        "/proc/self/ns/time_for_children",
	"link",        "/proc/self/root",
	"limit",       "0",
	"limit",       "3",
	"limit",       "4",
	"limit",       "6",
	"limit",       "7",
	"niceness",    "scheduler",
	"affinity",    "io_priority",
	"oom_score",   "slack",
	"host",        "directory",
	"secure_bits", "dumpable",
	"death",       NULL,
};

static void check_unchanged(const char *what, const char *before, const char *after)
{
	if (strcmp(before, after) != 0)
		fail("%s of this process has become\n%s\nit was\n%s", what, after, before);
}

struct own_state {
	char *answers, *mounts;
};

/* The answers go where stdout goes; so stdout goes to a file for a moment. */
static char *answers_of_this_process(void)
{
	int file = memfd_create("answers", MFD_CLOEXEC);
	int output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	char *text;

	check(file >= 0 && output >= 0);
	check_int(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
	answer_questions(own_state);
	check_int(dup2(output, STDOUT_FILENO), STDOUT_FILENO);
	close(output);
	lseek(file, 0, SEEK_SET);
	text = strdup(read_all(file));
	close(file);
	check(text != NULL);
	return text;
}

static struct own_state look_at_this_process(void)
{
	return (struct own_state){ answers_of_this_process(), text_of("/proc/self/mountinfo") };
}

static void check_as_before(struct own_state *before)
{
	struct own_state after = look_at_this_process();

	check_unchanged("the state", before->answers, after.answers);
	check_unchanged("the mounts", before->mounts, after.mounts);
	free(before->answers);
	free(before->mounts);
	free(after.answers);
	free(after.mounts);
}

/* --- starts --- */

enum { MOST_WORDS = 64 };

struct pidring_options asking(enum target_kind kind, const char *const *questions,
                              struct pidring_options options)
{
	static const char *argv[MOST_WORDS];
	size_t count = 0;

	if (kind == AS_FUNCTION) {
		options.target = answer_as_function;
		options.argument = (void *)questions;
		return options;
	}
	argv[count++] = own_path();
	argv[count++] = "--sub";
	argv[count++] = "questions";
	for (; *questions != NULL; questions++) {
		check(count < MOST_WORDS - 1);
		argv[count++] = *questions;
	}
	argv[count] = NULL;
	options.argv = argv;
	options.asynchronous = kind == AS_PROGRAM_LATER;
	return options;
}

static void check_worked(struct pidring_process *process, int code)
{
	struct pidring_failure failure;

	if (code == 0)
		return;
	if (pidring_process_failure(process, &failure) == 0)
		fail("not started: %s", failure.sentence);
	fail("it ended with %d", code);
}

/* An asynchronous start needs its streams until it is known how it went. */
static void await_start(struct pidring *engine, struct pidring_process *process)
{
	struct pidring_event event = { 0 };

	while (event.process != process)
		check_int(pidring_wait(engine, &event, 1, PIDRING_FOREVER), 1);
}

const char *told(struct pidring *engine, struct pidring_options options)
{
	struct pidring_process *process;
	const char *text;
	int ends[2];

	open_pipe(ends);
	options.stdout_to = PIDRING_STREAM_DESCRIPTOR;
	options.stdout_descriptor = ends[1];
	process = start_process(engine, options);
	if (options.asynchronous)
		await_start(engine, process);
	close(ends[1]);
	text = read_all(ends[0]);
	close(ends[0]);
	check_worked(process, join_code(process));
	pidring_process_free(process);
	return text;
}

void check_told_as(enum target_kind kind, struct pidring_options options,
                   struct pidring_confinement confinement, const char *const *questions, const char *expected)
{
	struct pidring *engine = open_engine();
	struct own_state before;
	char what[128];

	confinement.size = sizeof(confinement);
	options.confinement = &confinement;
	options = asking(kind, questions, options);
	snprintf(what, sizeof(what), "what a confined %s says", kind_name(kind));
	before = look_at_this_process();
	check_same_text(__FILE__, __LINE__, what, told(engine, options), expected);
	check_as_before(&before);
	close_engine(engine);
}

void check_told_with(struct pidring_options options, struct pidring_confinement confinement,
                     const char *const *questions, const char *expected)
{
	for (enum target_kind kind = 0; kind < TARGET_KINDS; kind++)
		check_told_as(kind, options, confinement, questions, expected);
}

void check_told(struct pidring_confinement confinement, const char *const *questions, const char *expected)
{
	check_told_with((struct pidring_options){ 0 }, confinement, questions, expected);
}

struct lingerer start_lingerer(struct pidring *engine, struct pidring_confinement confinement)
{
	struct lingerer lingerer;

	confinement.size = sizeof(confinement);
	lingerer.process =
		start_process(engine, asking(AS_PROGRAM, QUESTIONS("linger"),
	                                     (struct pidring_options){ .stdin_to = PIDRING_STREAM_RAW_PIPE,
	                                                               .stdout_to = PIDRING_STREAM_NULL,
	                                                               .confinement = &confinement }));
	lingerer.input = pidring_process_take_stream(lingerer.process, STDIN_FILENO);
	check(lingerer.input >= 0);
	return lingerer;
}

void end_lingerer(struct lingerer *lingerer)
{
	close(lingerer->input);
	check_int(finish(lingerer->process), 0);
}

/* --- refusals --- */

void check_refused_options(struct pidring_options options, int error, const char *option, const char *value)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process = NULL;
	int descriptors = count_descriptors();

	options.size = sizeof(options);
	check_int(pidring_process_new(&process, engine, &options), error);
	check(process == NULL);
	check_contains(pidring_explain(), option);
	check_contains(pidring_explain(), value);
	check_int(pidring_live_objects(), 0);
	check_int(count_descriptors(), descriptors);
	close_engine(engine);
}

void check_refused_confinement(struct pidring_confinement confinement, int error, const char *option,
                               const char *value)
{
	confinement.size = sizeof(confinement);
	check_refused_options((struct pidring_options){ .argv = (const char *[]){ "/bin/true", NULL },
	                                                .confinement = &confinement },
	                      error, option, value);
}

/* --- failures --- */

static void check_failure(struct pidring_process *process, enum pidring_step step, int error,
                          const char *part)
{
	struct pidring_failure failure;

	check_int(pidring_process_failure(process, &failure), 0);
	check_text(pidring_step_name(failure.step), pidring_step_name(step));
	check_text(strerrorname_np(failure.error), strerrorname_np(error));
	check_contains(failure.sentence, part);
}

/* Told by events. */
static void check_start_fails_later(struct pidring *engine, struct pidring_process *process, int error)
{
	struct pidring_event events[2];

	check_int(pidring_wait(engine, &events[0], 1, PIDRING_FOREVER), 1);
	check_int(events[0].type, PIDRING_START_FAILED);
	check_int(events[0].code, -error);
	check_int(pidring_wait(engine, &events[1], 1, PIDRING_FOREVER), 1);
	check_int(events[1].type, PIDRING_EXITED);
	check_int(events[1].code, 126);
	check_int(join_code(process), 126);
}

static bool start_fails(struct pidring *engine, struct pidring_process *process, enum target_kind kind,
                        enum pidring_step step, int error, const char *part)
{
	int result = pidring_process_start(process);
	bool at_once = result < 0;

	if (at_once)
		check_int(result, -error);
	else if (kind == AS_PROGRAM_LATER)
		check_start_fails_later(engine, process, error);
	else
		fail("a %s that was to fail was started", kind_name(kind));
	check_failure(process, step, error, part);
	check(has_no_children());
	return at_once;
}

void check_fails_as(enum target_kind kind, struct pidring_options options,
                    struct pidring_confinement confinement, enum pidring_step step, int error,
                    const char *part)
{
	struct pidring *engine = open_engine();
	struct pidring_process *process;
	struct own_state before = look_at_this_process();
	int descriptors;

	confinement.size = sizeof(confinement);
	options.confinement = &confinement;
	process = new_process(engine, asking(kind, QUESTIONS("pid"), options));
	if (start_fails(engine, process, kind, step, error, part)) {
		descriptors = count_descriptors();
		check_int(pidring_process_birth(process), PIDRING_BIRTH_NONE);
		check(start_fails(engine, process, kind, step, error, part));
		check_int(count_descriptors(), descriptors);
	}
	pidring_process_free(process);
	check_int(pidring_outstanding(engine), 0);
	check_as_before(&before);
	close_engine(engine);
}

void check_fails_with(struct pidring_options options, struct pidring_confinement confinement,
                      enum pidring_step step, int error, const char *part)
{
	for (enum target_kind kind = 0; kind < TARGET_KINDS; kind++)
		check_fails_as(kind, options, confinement, step, error, part);
}

void check_fails(struct pidring_confinement confinement, enum pidring_step step, int error, const char *part)
{
	check_fails_with((struct pidring_options){ 0 }, confinement, step, error, part);
}

void forbid(long call, int index, uint32_t value, int error)
{
	size_t argument = offsetof(struct seccomp_data, args) + (size_t)(index < 0 ? 0 : index) * 8;
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)argument),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, index < 0 ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(program) / sizeof(program[0]), program };

	need_root();
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		skip("no seccomp filter can be installed here");
}

/* --- users --- */

void need_root(void)
{
	if (geteuid() != 0)
		skip("only root may do that");
}

void need_no_niceness(void)
{
	if (getpriority(PRIO_PROCESS, 0) != 0)
		skip("who runs the tests is nice, and only root may be less so");
}

void become_ordinary(void)
{
	if (geteuid() != 0)
		return;
	check_int(setgroups(0, NULL), 0);
	check_int(setresgid(NOBODY, NOBODY, NOBODY), 0);
	check_int(setresuid(NOBODY, NOBODY, NOBODY), 0);
	/* As a program that this user has started itself: /proc/self is its own. */
	check_int(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* By the bare call: a process with threads may not unshare(2) it, and a sanitizer gives threads to each fork. */
static bool may_make_user_namespaces(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	int status;

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	return pid > 0 && waitpid((pid_t)pid, &status, 0) == pid;
}

void need_user_namespaces(void)
{
	if (!may_make_user_namespaces())
		skip("no user namespaces are allowed here");
}

/* --- files --- */

static const char *const programs_of_busybox[] = { "sh", "cat", "true", "pwd", "sleep", "ls" };
static const char *const directories_of_a_root[] = { "bin", "etc", "proc", "tmp", "data" };

const char *in_root(const struct small_root *root, const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", root->path, name);
	return path;
}

void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	check(file != NULL);
	check(fputs(text, file) >= 0);
	check_int(fclose(file), 0);
}

char *text_of(const char *path)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	char *text;

	check(descriptor >= 0);
	text = strdup(read_all(descriptor));
	close(descriptor);
	check(text != NULL);
	return text;
}

struct small_root make_directory(void)
{
	struct small_root root = { .path = "/tmp/pidring-root-XXXXXX" };

	check(mkdtemp(root.path) != NULL);
	check_int(chmod(root.path, 0755), 0);
	return root;
}

struct small_root make_small_root(void)
{
	struct small_root root;

	if (access("/bin/busybox", X_OK) < 0)
		skip("there is no /bin/busybox (package busybox-static)");
	root = make_directory();
	for (size_t i = 0; i < sizeof(directories_of_a_root) / sizeof(directories_of_a_root[0]); i++)
		check_int(mkdir(in_root(&root, directories_of_a_root[i]), 0755), 0);
	check(copy_file("/bin/busybox", in_root(&root, "bin/busybox")));
	for (size_t i = 0; i < sizeof(programs_of_busybox) / sizeof(programs_of_busybox[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "bin/%s", programs_of_busybox[i]);
		check_int(symlink("busybox", in_root(&root, name)), 0);
	}
	return root;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void remove_small_root(struct small_root *root)
{
	/* FTW_MOUNT: nothing of what somebody may have mounted there is lost. */
	check_int(nftw(root->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}
