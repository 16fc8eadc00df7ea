/* SPDX-License-Identifier: MIT */
/* A caller's filter of system calls, installed as the last step. */
#define _GNU_SOURCE
#include "confined.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

enum { MOST_INSTRUCTIONS = 64 };

struct filter {
	struct sock_filter instructions[MOST_INSTRUCTIONS];
	struct sock_fprog program;
};

/* The calls of the list get one answer, all others the other. */
static void make_filter(struct filter *filter, const long *calls, size_t count, uint32_t listed,
                        uint32_t others)
{
	struct sock_filter *next = filter->instructions;

	check(count + 3 <= MOST_INSTRUCTIONS);
	*next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++)
		*next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
		                                       (uint8_t)(count - i), 0);
	*next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, others);
	*next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, listed);
	filter->program =
		(struct sock_fprog){ (unsigned short)(next - filter->instructions), filter->instructions };
}

static void forbid_in(struct filter *filter, const long *calls, size_t count)
{
	make_filter(filter, calls, count, SECCOMP_RET_ERRNO | ENOTTY, SECCOMP_RET_ALLOW);
}

SCENARIO(confine_seccomp, one_call)
{
	struct filter filter;

	become_ordinary();
	forbid_in(&filter, (const long[]){ SYS_getsid }, 1);
	check_told((struct pidring_confinement){ .seccomp = &filter.program, .no_new_privileges = true },
	           QUESTIONS("call", "getsid", "call", "unshare", "status", "Seccomp"),
	           "getsid=ENOTTY\nunshare=OK\nSeccomp=2\n");
}

/* Who has the right needs no promise. */
SCENARIO(confine_seccomp, without_no_new_privileges)
{
	struct pidring_confinement confinement = { .no_new_privileges = false };
	struct filter filter;

	need_root();
	forbid_in(&filter, (const long[]){ SYS_getsid }, 1);
	confinement.seccomp = &filter.program;
	check_told(confinement, QUESTIONS("call", "getsid", "status", "NoNewPrivs"),
	           "getsid=ENOTTY\nNoNewPrivs=0\n");
	become_ordinary();
	check_fails(confinement, PIDRING_STEP_SECCOMP, EACCES, "seccomp");
}

/* Everything else that a start does is done when it comes: it may forbid all of that. */
SCENARIO(confine_seccomp, comes_last)
{
	static const long calls[] = { SYS_setresuid,   SYS_setresgid,   SYS_setgroups, SYS_chdir,  SYS_chroot,
		                      SYS_mount,       SYS_pivot_root,  SYS_umount2,   SYS_capset, SYS_setsid,
		                      SYS_sethostname, SYS_setpriority, SYS_unshare,   SYS_setns };
	struct pidring_setting setting = { .kind = PIDRING_SETTING_NICE, .number = 3 };
	struct pidring_mount mount = { .target = "/mnt", .type = "tmpfs" };
	struct filter filter;

	need_root();
	forbid_in(&filter, calls, sizeof(calls) / sizeof(calls[0]));
	check_told_with(
		(struct pidring_options){ .new_session = true, .working_directory = "/mnt" },
		(struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_UTS,
	                                      .host_name = "sealed",
	                                      .mounts = &mount,
	                                      .mount_count = 1,
	                                      .settings = &setting,
	                                      .setting_count = 1,
	                                      .user_name = "nobody",
	                                      .keep_capabilities = "cap_kill",
	                                      .no_new_privileges = true,
	                                      .seccomp = &filter.program },
		QUESTIONS("call", "setresuid", "call", "unshare", "host", "niceness", "directory", "status",
	                  "CapEff"),
		"setresuid=ENOTTY\nunshare=ENOTTY\nhost=sealed\nniceness=3\ndirectory=/mnt\n"
		"CapEff=0000000000000020\n");
}

static int write_a_word(void *argument)
{
	int descriptor = *(int *)argument;

	return syscall(SYS_write, descriptor, "word", 4) == 4 ? 42 : 1;
}

/* A function needs what the manual says, and no call more: all others would kill it. */
SCENARIO(confine_seccomp, least_of_a_function)
{
	static const long needed[] = { SYS_close,  SYS_write,      SYS_futex,
		                       SYS_gettid, SYS_exit_group, SYS_rt_sigprocmask };
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement), .no_new_privileges = true };
	struct filter filter;
	int output[2];

	make_filter(&filter, needed, sizeof(needed) / sizeof(needed[0]), SECCOMP_RET_ALLOW,
	            SECCOMP_RET_KILL_PROCESS);
	confinement.seccomp = &filter.program;
	for (int round = 0; round < 2; round++) {
		struct pidring_process *process;

		open_pipe(output);
		process = start_process(engine, (struct pidring_options){ .target = write_a_word,
		                                                          .argument = &output[1],
		                                                          .close_descriptors = false,
		                                                          .libc_fork = round == 1,
		                                                          .confinement = &confinement });
		close(output[1]);
		check_text(read_all(output[0]), "word");
		check_int(finish(process), 42);
		close(output[0]);
	}
	close_engine(engine);
}

/* A program whose execve(2) is forbidden fails there. */
SCENARIO(confine_seccomp, forbidden_exec)
{
	struct filter filter;
	struct pidring_confinement confinement = { .no_new_privileges = true };

	forbid_in(&filter, (const long[]){ SYS_execve, SYS_execveat }, 2);
	confinement.seccomp = &filter.program;
	check_fails_as(AS_PROGRAM, (struct pidring_options){ 0 }, confinement, PIDRING_STEP_EXEC, ENOTTY,
	               "scenarios");
	check_fails_as(AS_PROGRAM_LATER, (struct pidring_options){ 0 }, confinement, PIDRING_STEP_EXEC,
	               ENOTTY, "scenarios");
}

/* One that forbids even to end: the start ends all the same, with what went wrong. */
SCENARIO(confine_seccomp, forbidden_end)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement), .no_new_privileges = true };
	struct pidring_process *process;
	struct filter filter;

	make_filter(&filter, (const long[]){ SYS_execve }, 1, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM);
	confinement.seccomp = &filter.program;
	process = new_process(engine,
	                      (struct pidring_options){ .argv = (const char *[]){ "/no/such/program", NULL },
	                                                .confinement = &confinement });
	/* From a memory of its own it could not even tell. */
	if (pidring_process_start(process) == 0)
		check_int(join_code(process), -SIGILL);
	check(has_no_children());
	pidring_process_free(process);
	close_engine(engine);
}

/* One that kills whatever calls anything but execve(2): the program dies of it, this process does not. */
SCENARIO(confine_seccomp, killed_by_it)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement), .no_new_privileges = true };
	struct pidring_process *process;
	struct filter filter;

	make_filter(&filter, (const long[]){ SYS_execve }, 1, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS);
	confinement.seccomp = &filter.program;
	process = start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "true", NULL },
	                                                          .confinement = &confinement });
	check_int(finish(process), -SIGSYS);
	close_engine(engine);
}

SCENARIO(confine_seccomp, bad_program)
{
	struct sock_filter no_end[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) };
	struct sock_filter no_instruction[] = { { 0xffff, 0, 0, 0 },
		                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, no_end };
	struct pidring_confinement confinement = { .seccomp = &program, .no_new_privileges = true };

	check_fails(confinement, PIDRING_STEP_SECCOMP, EINVAL, "seccomp");
	program = (struct sock_fprog){ 2, no_instruction };
	check_fails(confinement, PIDRING_STEP_SECCOMP, EINVAL, "seccomp");
}

SCENARIO(confine_seccomp, bad_flags)
{
	struct filter filter;

	forbid_in(&filter, (const long[]){ SYS_getsid }, 1);
	check_fails((struct pidring_confinement){ .seccomp = &filter.program,
	                                          .seccomp_flags = 1U << 30,
	                                          .no_new_privileges = true },
	            PIDRING_STEP_SECCOMP, EINVAL, "seccomp");
}

/* It is copied by pidring_process_new. */
SCENARIO(confine_seccomp, filter_is_copied)
{
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement), .no_new_privileges = true };
	struct pidring_process *process;
	struct filter filter;
	int output[2];

	forbid_in(&filter, (const long[]){ SYS_getsid }, 1);
	confinement.seccomp = &filter.program;
	open_pipe(output);
	process = new_process(engine, asking(AS_PROGRAM, QUESTIONS("call", "getsid"),
	                                     (struct pidring_options){ .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                               .stdout_descriptor = output[1],
	                                                               .confinement = &confinement }));
	memset(&filter, 0xff, sizeof(filter));
	memset(&confinement, 0xff, sizeof(confinement));
	check_int(pidring_process_start(process), 0);
	close(output[1]);
	check_text(read_all(output[0]), "getsid=ENOTTY\n");
	close(output[0]);
	check_int(finish(process), 0);
	close_engine(engine);
}
