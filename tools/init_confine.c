/* SPDX-License-Identifier: MIT */
#include "init_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST_INSTRUCTIONS 4096

int init_confine_keep(struct init_confine *confine, const char *text, struct init_error *error)
{
	(void)error;
	confine->made.keep_capabilities = text;
	confine->used = true;
	return 0;
}

int init_confine_drop(struct init_confine *confine, const char *text, struct init_error *error)
{
	(void)error;
	confine->made.drop_capabilities = text;
	confine->used = true;
	return 0;
}

int init_confine_capabilities(struct init_confine *confine, const char *text, struct init_error *error)
{
	(void)error;
	confine->made.capabilities = text;
	confine->used = true;
	return 0;
}

/* Sets a flag from the text; `used` and the namespaces only if it is on. */
static int set_flag(struct init_confine *confine, bool *flag, unsigned namespaces, const char *text,
                    struct init_error *error)
{
	int result = init_read_flag(text, flag, error);

	if (result < 0 || !*flag)
		return result;
	confine->made.namespaces |= namespaces;
	confine->used = true;
	return 0;
}

int init_confine_no_new_privileges(struct init_confine *confine, const char *text, struct init_error *error)
{
	return set_flag(confine, &confine->made.no_new_privileges, 0, text, error);
}

int init_confine_read_only(struct init_confine *confine, const char *text, struct init_error *error)
{
	return set_flag(confine, &confine->made.read_only_root, PIDRING_NAMESPACE_MOUNT, text, error);
}

int init_confine_private_proc(struct init_confine *confine, const char *text, struct init_error *error)
{
	return set_flag(confine, &confine->made.private_proc, PIDRING_NAMESPACE_MOUNT | PIDRING_NAMESPACE_PID,
	                text, error);
}

int init_confine_host_name(struct init_confine *confine, const char *text, struct init_error *error)
{
	(void)error;
	confine->made.host_name = text;
	confine->made.namespaces |= PIDRING_NAMESPACE_UTS;
	confine->used = true;
	return 0;
}

int init_confine_root(struct init_confine *confine, const char *text, struct init_error *error)
{
	if (text[0] != '/')
		return init_error_set(error, "'%.80s' does not begin at /", text);
	confine->made.root = text;
	confine->used = true;
	return 0;
}

/* --- namespaces --- */

static const struct init_word namespaces[] = {
	{ "user", PIDRING_NAMESPACE_USER },
	{ "mount", PIDRING_NAMESPACE_MOUNT },
	{ "pid", PIDRING_NAMESPACE_PID },
	{ "net", PIDRING_NAMESPACE_NETWORK },
	{ "uts", PIDRING_NAMESPACE_UTS },
	{ "ipc", PIDRING_NAMESPACE_IPC },
	{ "cgroup", PIDRING_NAMESPACE_CGROUP },
	{ "time", PIDRING_NAMESPACE_TIME },
	{ "mnt", PIDRING_NAMESPACE_MOUNT },
	{ "network", PIDRING_NAMESPACE_NETWORK },
	{ 0 },
};

static int add_namespace(void *context, const char *name, size_t length, struct init_error *error)
{
	struct init_confine *confine = context;
	int value;

	if (init_read_word(name, length, namespaces, "namespace", &value, error) < 0)
		return -EINVAL;
	confine->made.namespaces |= (unsigned)value;
	return 0;
}

int init_confine_namespaces(struct init_confine *confine, const char *text, struct init_error *error)
{
	confine->used = true;
	return init_read_list(text, add_namespace, confine, error);
}

/* --- limits and scheduling --- */

static int add_setting(struct init_confine *confine, struct pidring_setting setting, struct init_error *error)
{
	if (confine->made.setting_count == INIT_SETTINGS)
		return init_error_set(error, "that is one too many: there may be %d", INIT_SETTINGS);
	confine->settings[confine->made.setting_count++] = setting;
	confine->made.settings = confine->settings;
	confine->used = true;
	return 0;
}

int init_confine_nice(struct init_confine *confine, const char *text, struct init_error *error)
{
	int64_t number;

	if (init_read_number(text, strlen(text), -20, 19, &number, error) < 0)
		return -EINVAL;
	return add_setting(confine,
	                   (struct pidring_setting){ .kind = PIDRING_SETTING_NICE, .number = (int)number },
	                   error);
}

int init_confine_oom_score(struct init_confine *confine, const char *text, struct init_error *error)
{
	int64_t number;

	if (init_read_number(text, strlen(text), -1000, 1000, &number, error) < 0)
		return -EINVAL;
	return add_setting(
		confine, (struct pidring_setting){ .kind = PIDRING_SETTING_OOM_SCORE, .number = (int)number },
		error);
}

static const struct init_word limits[] = {
	{ "as", RLIMIT_AS },
	{ "core", RLIMIT_CORE },
	{ "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },
	{ "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },
	{ "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE },
	{ "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },
	{ "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },
	{ "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },
	{ "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
	{ 0 },
};

static int read_limit(const char *text, size_t length, uint64_t *ret_limit, struct init_error *error)
{
	static const struct init_word none[] = { { "unlimited", 0 }, { "infinity", 0 }, { 0 } };
	struct init_error ignored = { 0 };
	int64_t number;
	int value;

	if (init_read_word(text, length, none, "limit", &value, &ignored) == 0) {
		*ret_limit = RLIM_INFINITY;
		return 0;
	}
	if (init_read_number(text, length, 0, INT64_MAX, &number, error) < 0)
		return init_error_set(error, "'%.*s' is no limit (a number, or unlimited)",
		                      (int)(length < 80 ? length : 80), text);
	*ret_limit = (uint64_t)number;
	return 0;
}

int init_confine_limit(struct init_confine *confine, const char *text, struct init_error *error)
{
	struct pidring_setting setting = { .kind = PIDRING_SETTING_LIMIT };
	const char *equals = strchr(text, '=');
	const char *colon;
	size_t length;

	if (!equals)
		return init_error_set(error, "'%.80s' is not like nofile=1024 or nofile=1024:4096", text);
	if (init_read_word(text, (size_t)(equals - text), limits, "limit", &setting.number, error) < 0)
		return -EINVAL;
	length = strcspn(equals + 1, ":");
	colon = equals + 1 + length;
	if (read_limit(equals + 1, length, &setting.value, error) < 0)
		return -EINVAL;
	setting.maximum = setting.value;
	if (*colon && read_limit(colon + 1, strlen(colon + 1), &setting.maximum, error) < 0)
		return -EINVAL;
	return add_setting(confine, setting, error);
}

/* --- files --- */

/* Takes the text up to the next colon, as a copy; *text is NULL after the last one. */
static const char *take_part(struct init_confine *confine, const char **text)
{
	size_t length = strcspn(*text, ":");
	char **copy = &confine->copies[confine->copy_count];

	if (confine->copy_count == INIT_COPIES)
		return NULL;
	*copy = strndup(*text, length);
	confine->copy_count++;
	*text = (*text)[length] ? *text + length + 1 : NULL;
	return *copy;
}

static int add_mount(struct init_confine *confine, struct pidring_mount mount, struct init_error *error)
{
	if (!mount.target || mount.target[0] != '/' ||
	    (!mount.type && (!mount.source || mount.source[0] != '/')))
		return init_error_set(error, "what is mounted, and where, must begin at /");
	if (confine->made.mount_count == INIT_MOUNTS)
		return init_error_set(error, "that is one too many: there may be %d", INIT_MOUNTS);
	confine->mounts[confine->made.mount_count++] = mount;
	confine->made.mounts = confine->mounts;
	confine->made.namespaces |= PIDRING_NAMESPACE_MOUNT;
	confine->used = true;
	return 0;
}

enum mount_flag {
	MOUNT_READ_ONLY,
	MOUNT_WRITABLE,
	MOUNT_RECURSIVE,
	MOUNT_NO_SET_USER_ID,
	MOUNT_NO_DEVICES,
	MOUNT_NO_EXEC,
	MOUNT_MAKE,
};

static const struct init_word mount_flags[] = {
	{ "ro", MOUNT_READ_ONLY },     { "rw", MOUNT_WRITABLE },
	{ "rec", MOUNT_RECURSIVE },    { "nosuid", MOUNT_NO_SET_USER_ID },
	{ "nodev", MOUNT_NO_DEVICES }, { "noexec", MOUNT_NO_EXEC },
	{ "make", MOUNT_MAKE },        { 0 },
};

static int add_mount_flag(void *context, const char *name, size_t length, struct init_error *error)
{
	struct pidring_mount *mount = context;
	bool *const places[] = {
		[MOUNT_READ_ONLY] = &mount->read_only,   [MOUNT_WRITABLE] = &mount->read_only,
		[MOUNT_RECURSIVE] = &mount->recursive,   [MOUNT_NO_SET_USER_ID] = &mount->no_set_user_id,
		[MOUNT_NO_DEVICES] = &mount->no_devices, [MOUNT_NO_EXEC] = &mount->no_exec,
		[MOUNT_MAKE] = &mount->make_target,
	};
	int value;

	if (init_read_word(name, length, mount_flags, "flag of a mount", &value, error) < 0)
		return -EINVAL;
	*places[value] = value != MOUNT_WRITABLE;
	return 0;
}

int init_confine_mount(struct init_confine *confine, const char *text, struct init_error *error)
{
	struct pidring_mount mount = { 0 };

	mount.source = take_part(confine, &text);
	if (!text)
		return init_error_set(error, "it is not like SOURCE:TARGET or SOURCE:TARGET:ro,nosuid");
	mount.target = take_part(confine, &text);
	if (text && init_read_list(text, add_mount_flag, &mount, error) < 0)
		return -EINVAL;
	return add_mount(confine, mount, error);
}

int init_confine_tmpfs(struct init_confine *confine, const char *text, struct init_error *error)
{
	struct pidring_mount mount = {
		.type = "tmpfs", .source = "tmpfs", .no_set_user_id = true, .no_devices = true
	};

	mount.target = take_part(confine, &text);
	mount.data = text;
	return add_mount(confine, mount, error);
}

int init_confine_seccomp(struct init_confine *confine, const char *text, struct init_error *error)
{
	/* One more than there may be, to notice it. */
	static struct sock_filter instructions[MOST_INSTRUCTIONS + 1];
	int descriptor = open(text, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (descriptor < 0)
		return init_error_set(error, "cannot open '%.80s': %s", text, strerror(errno));
	length = read(descriptor, instructions, sizeof(instructions));
	close(descriptor);
	if (length <= 0 || (size_t)length % sizeof(instructions[0]) != 0 ||
	    (size_t)length == sizeof(instructions))
		return init_error_set(error, "'%.80s' is no BPF program of 1 to %d instructions of %zu bytes",
		                      text, MOST_INSTRUCTIONS, sizeof(instructions[0]));
	confine->filter = (struct sock_fprog){ (unsigned short)((size_t)length / sizeof(instructions[0])),
		                               instructions };
	confine->made.seccomp = &confine->filter;
	confine->used = true;
	return 0;
}
