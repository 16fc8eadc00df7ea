/* SPDX-License-Identifier: MIT */
/* Users and groups of confined processes, as the kernel shows them in the child. */
#define _GNU_SOURCE
#include "confined.h"

#include <grp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define IDENTITY QUESTIONS("status", "Uid", "status", "Gid", "status", "Groups")

SCENARIO(confine_credentials, user)
{
	need_root();
	check_told(
		(struct pidring_confinement){ .set_user = true, .user = 4711 },
		QUESTIONS("status", "Uid", "status", "Gid", "status", "CapPrm", "status", "CapEff"),
		"Uid=4711 4711 4711 4711\nGid=0 0 0 0\nCapPrm=0000000000000000\nCapEff=0000000000000000\n");
}

SCENARIO(confine_credentials, group)
{
	need_root();
	check_told((struct pidring_confinement){ .set_group = true, .group = 4712 },
	           QUESTIONS("status", "Uid", "status", "Gid"), "Uid=0 0 0 0\nGid=4712 4712 4712 4712\n");
}

SCENARIO(confine_credentials, groups)
{
	gid_t groups[] = { 9, 4713, 7 };

	need_root();
	check_told((struct pidring_confinement){ .set_groups = true, .groups = groups, .group_count = 3 },
	           QUESTIONS("status", "Groups"), "Groups=7 9 4713\n");
	check_int(setgroups(3, groups), 0);
	check_told((struct pidring_confinement){ .set_groups = true }, QUESTIONS("status", "Groups"),
	           "Groups=\n");
}

/* Each needs what the next takes away. */
SCENARIO(confine_credentials, all_together)
{
	gid_t groups[] = { 1, 2, 3 };
	struct pidring_confinement confinement = { .set_user = true,
		                                   .user = 4711,
		                                   .set_group = true,
		                                   .group = 4712,
		                                   .set_groups = true,
		                                   .groups = groups,
		                                   .group_count = 3 };

	need_root();
	check_told(confinement, IDENTITY, "Uid=4711 4711 4711 4711\nGid=4712 4712 4712 4712\nGroups=1 2 3\n");
	confinement.no_new_privileges = true;
	confinement.keep_capabilities = "";
	confinement.set_secure_bits = true;
	confinement.secure_bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED;
	check_told(confinement, QUESTIONS("status", "Uid", "secure_bits", "status", "NoNewPrivs"),
	           "Uid=4711 4711 4711 4711\nsecure_bits=3\nNoNewPrivs=1\n");
}

SCENARIO(confine_credentials, many_groups)
{
	enum { COUNT = 700 };
	gid_t groups[COUNT];
	char expected[COUNT * 8] = "Groups=";
	size_t length = strlen(expected);

	need_root();
	for (gid_t i = 0; i < COUNT; i++) {
		groups[i] = 1000 + i;
		length += (size_t)sprintf(expected + length, "%u%c", groups[i], i < COUNT - 1 ? ' ' : '\n');
	}
	check_told((struct pidring_confinement){ .set_groups = true, .groups = groups, .group_count = COUNT },
	           QUESTIONS("status", "Groups"), expected);
}

/* --- by name --- */

static const char *text_of_groups(const char *name, gid_t group)
{
	static char text[4096];
	gid_t groups[256];
	int count = 256;
	size_t length = 0;

	check(getgrouplist(name, group, groups, &count) > 0);
	/* The kernel shows them sorted. */
	for (gid_t next = 0; length < sizeof(text) - 16;) {
		gid_t least = (gid_t)-1;

		for (int i = 0; i < count; i++)
			if (groups[i] >= next && groups[i] < least)
				least = groups[i];
		if (least == (gid_t)-1)
			break;
		length += (size_t)sprintf(text + length, "%s%u", length > 0 ? " " : "", least);
		next = least + 1;
	}
	return text;
}

SCENARIO(confine_credentials, user_name)
{
	char expected[8192];

	need_root();
	snprintf(expected, sizeof(expected),
	         "Uid=65534 65534 65534 65534\nGid=65534 65534 65534 65534\nGroups=%s\n",
	         text_of_groups("nobody", NOBODY));
	check_told((struct pidring_confinement){ .user_name = "nobody" }, IDENTITY, expected);
	/* A number that is in the file is that user. */
	check_told((struct pidring_confinement){ .user_name = "65534" }, IDENTITY, expected);
}

static struct small_root make_root_with_users(void)
{
	struct small_root root = make_small_root();

	write_text(in_root(&root, "etc/passwd"), "# a remark\n\nroot:x:0:0::/:/bin/sh\nbroken\n"
	                                         "fictive:x:4711:4712:Fictive User:/data:/bin/sh\n");
	write_text(in_root(&root, "etc/group"),
	           "broken\nroot:x:0:\nfictives:x:4712:\ncrew:x:4713:fictive\n"
	           "guests:x:4714:other,fictive\nothers:x:4715:other,fictive2\n");
	return root;
}

/* The files are the root's own: here nobody knows that name. */
SCENARIO(confine_credentials, user_name_of_a_root)
{
	struct small_root root;
	struct pidring_confinement confinement = { .user_name = "fictive" };

	need_root();
	root = make_root_with_users();
	confinement.root = root.path;
	write_text(in_root(&root, "bin/look"), "#!/bin/sh\nexec /bin/cat /proc/self/status\n");
	check_int(chmod(in_root(&root, "bin/look"), 0755), 0);
	confinement.namespaces = PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID;
	confinement.private_proc = true;
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 }, confinement, IDENTITY,
	              "Uid=4711 4711 4711 4711\nGid=4712 4712 4712 4712\nGroups=4712 4713 4714\n");
	/* What is set goes before what the files say. */
	confinement.set_groups = true;
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 }, confinement, IDENTITY,
	              "Uid=4711 4711 4711 4711\nGid=4712 4712 4712 4712\nGroups=\n");
	confinement.set_group = true;
	confinement.group = 99;
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 }, confinement, IDENTITY,
	              "Uid=4711 4711 4711 4711\nGid=99 99 99 99\nGroups=\n");
	remove_small_root(&root);
}

/* A link in the root leads nowhere else: not to the users that are known here. */
SCENARIO(confine_credentials, passwd_that_is_a_link)
{
	struct small_root root;

	need_root();
	root = make_directory();
	check_int(mkdir(in_root(&root, "etc"), 0755), 0);
	check_int(symlink("/etc/passwd", in_root(&root, "etc/passwd")), 0);
	check_refused_confinement((struct pidring_confinement){ .root = root.path, .user_name = "nobody" },
	                          -ELOOP, "user_name", "nobody");
	remove_small_root(&root);
}

/* A number that means "leave it as it is" to the kernel would leave root in power; lines of NIS are no users. */
SCENARIO(confine_credentials, passwd_with_lines_that_are_no_users)
{
	struct small_root root = make_directory();
	struct pidring_confinement confinement = { .root = root.path };

	check_int(mkdir(in_root(&root, "etc"), 0755), 0);
	write_text(in_root(&root, "etc/passwd"), "app:x:4294967295:1000::/:\nteam:x:4711:4294967295::/:\n"
	                                         "big:x:99999999999:1000::/:\nminus:x:-1:1000::/:\n"
	                                         "+::::::\n+fictive::::::\n-other::::::\n");
	confinement.user_name = "app";
	check_refused_confinement(confinement, -EINVAL, "user_name", "4294967295");
	confinement.user_name = "team";
	check_refused_confinement(confinement, -EINVAL, "user_name", "4294967295");
	confinement.user_name = "minus";
	check_refused_confinement(confinement, -ENOENT, "user_name", "minus");
	confinement.user_name = "big";
	check_refused_confinement(confinement, -ENOENT, "user_name", "big");
	confinement.user_name = "+";
	check_refused_confinement(confinement, -ENOENT, "user_name", "+");
	confinement.user_name = "+fictive";
	check_refused_confinement(confinement, -ENOENT, "user_name", "+fictive");
	confinement.user_name = "-other";
	check_refused_confinement(confinement, -ENOENT, "user_name", "-other");
	remove_small_root(&root);
}

SCENARIO(confine_credentials, number_that_is_nobody)
{
	need_root();
	check_told((struct pidring_confinement){ .user_name = "471147", .set_group = true, .group = 5 },
	           QUESTIONS("status", "Uid", "status", "Gid"),
	           "Uid=471147 471147 471147 471147\nGid=5 5 5 5\n");
}

/* --- what hangs on it --- */

/* The kernel forgets it when the user changes, so it is set afterwards. */
SCENARIO(confine_credentials, death_signal_is_kept)
{
	need_root();
	check_told_with((struct pidring_options){ .death_signal = SIGUSR2 },
	                (struct pidring_confinement){ .set_user = true,
	                                              .user = NOBODY,
	                                              .set_group = true,
	                                              .group = NOBODY,
	                                              .keep_capabilities = "cap_chown" },
	                QUESTIONS("death", "status", "Uid"), "death=12\nUid=65534 65534 65534 65534\n");
}

/* Starts a child of another user that ends with it, and is killed. */
static int start_and_die(void *argument)
{
	int *output = argument;
	struct pidring *engine = open_engine();
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .user_name = "nobody",
		                                   .no_new_privileges = true };

	start_process(engine, (struct pidring_options){ .argv = (const char *[]){ "sleep", "1000", NULL },
	                                                .death_signal = SIGKILL,
	                                                .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                .stdout_descriptor = output[1],
	                                                .confinement = &confinement });
	raise(SIGKILL);
	return 1;
}

SCENARIO(confine_credentials, death_signal_comes)
{
	struct pidring *engine = open_engine();
	struct pidring_process *parent;
	int output[2];

	need_root();
	open_pipe(output);
	parent = start_function(engine, start_and_die, output);
	check_int(finish(parent), -SIGKILL);
	close(output[1]);
	check_text(read_all(output[0]), "");
	close(output[0]);
	close_engine(engine);
}

/* Programs of another user may be looked at by that user; functions keep what the kernel protects: this process's memory. */
SCENARIO(confine_credentials, dumpable)
{
	struct pidring_confinement confinement = { .set_user = true, .user = 4711 };

	need_root();
	check_told_as(AS_PROGRAM, (struct pidring_options){ 0 }, confinement, QUESTIONS("dumpable"),
	              "dumpable=1\n");
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 }, confinement, QUESTIONS("dumpable"),
	              "dumpable=0\n");
}

/* An ordinary user can set what it is already. */
SCENARIO(confine_credentials, own_user)
{
	become_ordinary();
	if (geteuid() == NOBODY)
		check_told(
			(struct pidring_confinement){
				.set_user = true, .user = NOBODY, .set_group = true, .group = NOBODY },
			QUESTIONS("status", "Uid", "status", "Gid"),
			"Uid=65534 65534 65534 65534\nGid=65534 65534 65534 65534\n");
}

/* --- no new privileges, secure bits --- */

SCENARIO(confine_credentials, no_new_privileges)
{
	struct pidring_confinement confinement = { .no_new_privileges = true };

	check_told(confinement, QUESTIONS("status", "NoNewPrivs"), "NoNewPrivs=1\n");
	become_ordinary();
	check_told(confinement, QUESTIONS("status", "NoNewPrivs"), "NoNewPrivs=1\n");
}

SCENARIO(confine_credentials, secure_bits)
{
	need_root();
	check_told((struct pidring_confinement){ .set_secure_bits = true,
	                                         .secure_bits = SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP |
	                                                        SECBIT_NO_CAP_AMBIENT_RAISE },
	           QUESTIONS("secure_bits"), "secure_bits=69\n");
}
