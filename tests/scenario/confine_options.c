/* SPDX-License-Identifier: MIT */
/* Confinement that cannot be is refused by pidring_process_new, by name and value, and nothing is created. */
#define _GNU_SOURCE
#include "confined.h"

#include <linux/filter.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void refused(struct pidring_confinement confinement, const char *option, const char *value)
{
	check_refused_confinement(confinement, -EINVAL, option, value);
}

SCENARIO(confine_options, size)
{
	struct {
		struct pidring_confinement known;
		char newer[64];
	} larger = { .known = { .size = sizeof(larger) } };
	struct pidring *engine = open_engine();
	struct pidring_options options = { .size = sizeof(options), .target = return_zero };
	struct pidring_process *process = NULL;
	struct pidring_confinement wrong = { .size = 0 };

	options.confinement = &wrong;
	check_int(pidring_process_new(&process, engine, &options), -EINVAL);
	check_contains(pidring_explain(), "size");
	wrong.size = 5;
	check_int(pidring_process_new(&process, engine, &options), -EINVAL);
	check_contains(pidring_explain(), "5");
	options.confinement = &larger.known;
	check_int(pidring_process_new(&process, engine, &options), 0);
	pidring_process_free(process);
	larger.newer[40] = 1;
	process = NULL;
	check_int(pidring_process_new(&process, engine, &options), -EINVAL);
	check(process == NULL);
	check_int(pidring_live_objects(), 0);
	close_engine(engine);
}

/* --- namespaces --- */

SCENARIO(confine_options, unknown_namespaces)
{
	refused((struct pidring_confinement){ .namespaces = 1 << 8 }, "namespaces", "0x100");
}

SCENARIO(confine_options, joins)
{
	struct pidring_join join = { .descriptor = -1 };

	refused((struct pidring_confinement){ .join_count = 2 }, "joins", "2");
	check_refused_confinement((struct pidring_confinement){ .joins = &join, .join_count = 1 }, -EBADF,
	                          "descriptor", "-1");
	join = (struct pidring_join){ .descriptor = 0, .namespaces = 1 << 9 };
	refused((struct pidring_confinement){ .joins = &join, .join_count = 1 }, "namespaces", "0x200");
	check_refused_confinement((struct pidring_confinement){ .joins = &join, .join_count = 1025 }, -E2BIG,
	                          "join", "1025");
}

SCENARIO(confine_options, host_name)
{
	char longest[66];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[65] = '\0';
	refused((struct pidring_confinement){ .host_name = "elsewhere" }, "host_name",
	        "PIDRING_NAMESPACE_UTS");
	refused((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_UTS, .host_name = longest },
	        "host_name", "64");
}

SCENARIO(confine_options, time)
{
	struct pidring_confinement confinement = { .size = sizeof(confinement),
		                                   .namespaces = PIDRING_NAMESPACE_TIME };

	refused((struct pidring_confinement){ .monotonic_offset = 1 }, "monotonic_offset",
	        "PIDRING_NAMESPACE_TIME");
	refused((struct pidring_confinement){ .boot_time_offset = -1 }, "boot_time_offset",
	        "PIDRING_NAMESPACE_TIME");
	check_refused_options((struct pidring_options){ .target = return_zero, .confinement = &confinement },
	                      -EOPNOTSUPP, "PIDRING_NAMESPACE_TIME", "programs");
}

/* --- id maps --- */

static void refused_map(struct pidring_id_map first, struct pidring_id_map second, const char *value)
{
	struct pidring_id_map map[] = { first, second };

	refused((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                      .user_map = map,
	                                      .user_map_count = 2 },
	        "user_map", value);
	refused((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                      .group_map = map,
	                                      .group_map_count = 2 },
	        "group_map", value);
}

SCENARIO(confine_options, id_maps)
{
	struct pidring_id_map good = { .inside = 0, .outside = 1000, .count = 10 };

	refused((struct pidring_confinement){ .user_map = &good, .user_map_count = 1 }, "user_map",
	        "PIDRING_NAMESPACE_USER");
	refused((struct pidring_confinement){ .group_map = &good, .group_map_count = 1 }, "group_map",
	        "PIDRING_NAMESPACE_USER");
	refused((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER, .user_map_count = 3 },
	        "user_map", "3");
	refused_map(good, (struct pidring_id_map){ 9, 5000, 1 }, "overlap");
	refused_map(good, (struct pidring_id_map){ 50, 1009, 1 }, "overlap");
	refused_map(good, (struct pidring_id_map){ 50, 999, 2 }, "overlap");
	refused_map(good, (struct pidring_id_map){ 50, 5000, 0 }, "0");
	refused_map(good, (struct pidring_id_map){ 4294967000, 5000, 4000 }, "4294967000");
	refused_map(good, (struct pidring_id_map){ 50, 4294967000, 4000 }, "4294967000");
}

SCENARIO(confine_options, too_many_id_maps)
{
	struct pidring_id_map map[341];

	for (uint32_t i = 0; i < 341; i++)
		map[i] = (struct pidring_id_map){ i, i, 1 };
	check_refused_confinement((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                                        .user_map = map,
	                                                        .user_map_count = 341 },
	                          -E2BIG, "user_map", "341");
}

/* --- files --- */

static void refused_mount(struct pidring_mount mount, const char *option, const char *value)
{
	refused((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                      .mounts = &mount,
	                                      .mount_count = 1 },
	        option, value);
}

SCENARIO(confine_options, mounts)
{
	struct pidring_mount good = { .target = "/mnt", .type = "tmpfs" };

	refused((struct pidring_confinement){ .mounts = &good, .mount_count = 1 }, "mounts",
	        "PIDRING_NAMESPACE_MOUNT");
	refused((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT, .mount_count = 1 },
	        "mounts", "1");
	refused_mount((struct pidring_mount){ .type = "tmpfs" }, "target", "mount");
	refused_mount((struct pidring_mount){ .target = "mnt", .type = "tmpfs" }, "target", "'mnt'");
	refused_mount((struct pidring_mount){ .target = "", .type = "tmpfs" }, "target", "''");
	refused_mount((struct pidring_mount){ .target = "/mnt" }, "source", "mount");
	refused_mount((struct pidring_mount){ .target = "/mnt", .source = "tmp" }, "source", "'tmp'");
	refused_mount((struct pidring_mount){ .target = "/mnt", .source = "/tmp", .data = "size=1m" }, "data",
	              "size=1m");
	refused_mount((struct pidring_mount){ .target = "/mnt", .type = "tmpfs", .recursive = true },
	              "recursive", "no bind mount");
}

/* The kernel takes each key and each value by itself, and no longer ones. */
SCENARIO(confine_options, long_data)
{
	char data[1024] = "size=64k,lowerdir=";
	struct pidring_mount mount = { .target = "/mnt", .type = "overlay", .data = data };
	size_t length = strlen(data);

	memset(data + length, 'x', 256);
	refused_mount(mount, "data", "255");
	memcpy(data + length + 256, ",ro", 4);
	refused_mount(mount, "data", "255");
	memset(data, 'k', 256);
	memcpy(data + 256, "=1", 3);
	refused_mount(mount, "data", "255");
}

SCENARIO(confine_options, too_many_mounts)
{
	struct pidring_mount *mounts = calloc(1025, sizeof(*mounts));

	check(mounts != NULL);
	for (int i = 0; i < 1025; i++)
		mounts[i] = (struct pidring_mount){ .target = "/tmp", .type = "tmpfs" };
	check_refused_confinement((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_MOUNT,
	                                                        .mounts = mounts,
	                                                        .mount_count = 1025 },
	                          -E2BIG, "mount", "1025");
	free(mounts);
}

SCENARIO(confine_options, root)
{
	check_refused_confinement((struct pidring_confinement){ .root = "/no/such/root" }, -ENOENT, "root",
	                          "'/no/such/root'");
	check_refused_confinement((struct pidring_confinement){ .root = "/etc/passwd" }, -ENOTDIR, "root",
	                          "'/etc/passwd'");
	refused((struct pidring_confinement){ .read_only_root = true }, "read_only_root",
	        "PIDRING_NAMESPACE_MOUNT");
}

SCENARIO(confine_options, private_proc)
{
	refused((struct pidring_confinement){ .private_proc = true }, "private_proc", "PIDRING_NAMESPACE");
	refused((struct pidring_confinement){ .private_proc = true, .namespaces = PIDRING_NAMESPACE_PID },
	        "private_proc", "PIDRING_NAMESPACE_MOUNT");
	refused((struct pidring_confinement){ .private_proc = true, .namespaces = PIDRING_NAMESPACE_MOUNT },
	        "private_proc", "PIDRING_NAMESPACE_PID");
}

/* --- settings --- */

static void refused_setting(struct pidring_setting setting, const char *option, const char *value)
{
	refused((struct pidring_confinement){ .settings = &setting, .setting_count = 1 }, option, value);
}

SCENARIO(confine_options, unknown_settings)
{
	refused((struct pidring_confinement){ .setting_count = 1 }, "settings", "1");
	refused_setting((struct pidring_setting){ .kind = 0 }, "kind", "0");
	refused_setting((struct pidring_setting){ .kind = (enum pidring_setting_kind)8 }, "kind", "8");
}

SCENARIO(confine_options, limits)
{
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_LIMIT, .number = 97 },
	                "settings[0]", "97");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_LIMIT, .number = -1 },
	                "settings[0]", "-1");
	refused_setting(
		(struct pidring_setting){
			.kind = PIDRING_SETTING_LIMIT, .number = RLIMIT_CORE, .value = 8, .maximum = 7 },
		"8", "7");
}

SCENARIO(confine_options, settings_out_of_range)
{
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_NICE, .number = 20 }, "settings[0]",
	                "20");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_NICE, .number = -21 },
	                "settings[0]", "-21");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_SCHEDULER, .number = 55 },
	                "settings[0]", "55");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_SCHEDULER,
	                                          .number = SCHED_FIFO,
	                                          .value = 100 },
	                "settings[0]", "100");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_IO_PRIORITY, .number = 4 },
	                "settings[0]", "4");
	refused_setting(
		(struct pidring_setting){ .kind = PIDRING_SETTING_IO_PRIORITY, .number = 2, .value = 8 },
		"settings[0]", "8");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_OOM_SCORE, .number = 1001 },
	                "settings[0]", "1001");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_OOM_SCORE, .number = -1001 },
	                "settings[0]", "-1001");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_TIMER_SLACK, .value = 0 },
	                "settings[0]", "0");
}

SCENARIO(confine_options, affinity)
{
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_AFFINITY, .mask_length = 8 },
	                "mask", "8");
	refused_setting((struct pidring_setting){ .kind = PIDRING_SETTING_AFFINITY, .mask = "12345678" },
	                "mask_length", "0");
}

SCENARIO(confine_options, too_many_settings)
{
	struct pidring_setting *settings = calloc(1025, sizeof(*settings));

	check(settings != NULL);
	for (int i = 0; i < 1025; i++)
		settings[i].kind = PIDRING_SETTING_NICE;
	check_refused_confinement((struct pidring_confinement){ .settings = settings, .setting_count = 1025 },
	                          -E2BIG, "setting", "1025");
	free(settings);
}

/* --- power --- */

SCENARIO(confine_options, users)
{
	check_refused_confinement((struct pidring_confinement){ .user_name = "no-such-user-here" }, -ENOENT,
	                          "user_name", "'no-such-user-here'");
	refused((struct pidring_confinement){ .user_name = "" }, "user_name", "empty");
	check_refused_confinement((struct pidring_confinement){ .user_name = "4294967295" }, -ENOENT,
	                          "user_name", "4294967295");
	check_refused_confinement((struct pidring_confinement){ .user_name = "471147" }, -ENOENT, "user_name",
	                          "group");
	refused((struct pidring_confinement){ .set_user = true, .user = (uid_t)-1 }, "user", "4294967295");
	refused((struct pidring_confinement){ .set_group = true, .group = (gid_t)-1 }, "group", "4294967295");
	refused((struct pidring_confinement){ .user = 7 }, "set_user", "7");
	refused((struct pidring_confinement){ .group = 7 }, "set_group", "7");
}

/* What the file says counts as much as what the caller says: a user that does not fit is none. */
SCENARIO(confine_options, bad_passwd)
{
	struct small_root root = make_directory();

	check_int(mkdir(in_root(&root, "etc"), 0755), 0);
	check_refused_confinement((struct pidring_confinement){ .root = root.path, .user_name = "nobody" },
	                          -ENOENT, "user_name", "nobody");
	write_text(in_root(&root, "etc/passwd"),
	           "short\nshort:x\nshort:x:12\nletters:x:a:b:::\nlarge:x:99999999999:1:::\n");
	check_refused_confinement((struct pidring_confinement){ .root = root.path, .user_name = "short" },
	                          -ENOENT, "user_name", "short");
	check_refused_confinement((struct pidring_confinement){ .root = root.path, .user_name = "letters" },
	                          -ENOENT, "user_name", "letters");
	check_refused_confinement((struct pidring_confinement){ .root = root.path, .user_name = "large" },
	                          -ENOENT, "user_name", "large");
	remove_small_root(&root);
}

SCENARIO(confine_options, groups)
{
	gid_t *many = calloc(65537, sizeof(*many));
	gid_t bad = (gid_t)-1;

	check(many != NULL);
	refused((struct pidring_confinement){ .groups = many, .group_count = 2 }, "groups", "set_groups");
	refused((struct pidring_confinement){ .set_groups = true, .group_count = 2 }, "groups", "2");
	refused((struct pidring_confinement){ .set_groups = true, .groups = &bad, .group_count = 1 },
	        "groups", "4294967295");
	check_refused_confinement(
		(struct pidring_confinement){ .set_groups = true, .groups = many, .group_count = 65537 },
		-E2BIG, "group", "65537");
	free(many);
}

SCENARIO(confine_options, capabilities)
{
	refused((struct pidring_confinement){ .keep_capabilities = "cap_fly" }, "keep_capabilities",
	        "cap_fly");
	refused((struct pidring_confinement){ .drop_capabilities = "cap_chown,cap_fly" }, "drop_capabilities",
	        "cap_fly");
	refused((struct pidring_confinement){ .drop_capabilities = "cap_chown,,cap_kill" },
	        "drop_capabilities", "");
	refused((struct pidring_confinement){ .capabilities = "^cap_fly" }, "capabilities", "^cap_fly");
	refused((struct pidring_confinement){ .keep_capabilities = "cap_chown",
	                                      .drop_capabilities = "cap_kill" },
	        "keep_capabilities", "drop_capabilities");
	refused((struct pidring_confinement){ .keep_capabilities = "cap_chown", .capabilities = "^cap_kill" },
	        "keep_capabilities", "capabilities");
	refused((struct pidring_confinement){ .drop_capabilities = "cap_chown", .capabilities = "^cap_kill" },
	        "drop_capabilities", "capabilities");
}

SCENARIO(confine_options, secure_bits)
{
	refused((struct pidring_confinement){ .secure_bits = SECBIT_NOROOT }, "set_secure_bits", "");
}

SCENARIO(confine_options, seccomp)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, 0x7fff0000);
	struct sock_fprog filter = { .len = 0, .filter = &allow };

	refused((struct pidring_confinement){ .seccomp = &filter }, "seccomp", "no instructions");
	filter = (struct sock_fprog){ .len = 1, .filter = NULL };
	refused((struct pidring_confinement){ .seccomp = &filter }, "seccomp", "no instructions");
	refused((struct pidring_confinement){ .seccomp_flags = 1 }, "seccomp_flags", "1");
	filter = (struct sock_fprog){ .len = 4097, .filter = &allow };
	check_refused_confinement((struct pidring_confinement){ .seccomp = &filter }, -E2BIG, "seccomp",
	                          "4097");
}
