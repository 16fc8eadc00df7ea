/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include "explain.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
	size_t length = name_length(a);

	return length == name_length(b) && memcmp(a, b, length) == 0;
}

/* The last entry with this one's name counts: whether it is this one. */
static bool is_last_of_its_name(char *const *entries, size_t index)
{
	for (size_t i = index + 1; entries[i]; i++)
		if (same_name(entries[i], entries[index]))
			return false;
	return true;
}

static bool is_overridden(const char *entry, char *const *extra)
{
	for (size_t i = 0; extra && extra[i]; i++)
		if (same_name(entry, extra[i]))
			return true;
	return false;
}

static bool is_set(char *const *extra, size_t index)
{
	return strchr(extra[index], '=') && is_last_of_its_name(extra, index);
}

static char *const *base_environment(const struct settings *settings)
{
	static char *const nothing[] = { NULL };

	if (settings->environment)
		return settings->environment;
	return environ ? environ : nothing;
}

/* The value of a variable in what the program will get. */
static const char *look_up_variable(char *const *envp, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; envp[i]; i++)
		if (name_length(envp[i]) == length && memcmp(envp[i], name, length) == 0 &&
		    envp[i][length] == '=')
			return envp[i] + length + 1;
	return NULL;
}

/* What an environment takes: pointers and bytes. */
struct extent {
	size_t count, bytes;
};

static struct extent measure(char *const *entries)
{
	struct extent extent = { 0 };

	for (; entries && entries[extent.count]; extent.count++)
		extent.bytes += strlen(entries[extent.count]) + 1;
	return extent;
}

/* Bounded by what was measured: another thread may have changed the environment since. */
static void compose(struct launch *launch, const struct settings *settings, struct extent room)
{
	char *const *base = base_environment(settings);
	char *const *extra = settings->extra_environment;
	char *at = (char *)(launch->envp + room.count + 1);
	const char *end = at + room.bytes;
	size_t n = 0;

	for (size_t i = 0; base[i] && n < room.count; i++) {
		size_t size = strlen(base[i]) + 1;
		if (is_overridden(base[i], extra) || size > (size_t)(end - at))
			continue;
		launch->envp[n++] = memcpy(at, base[i], size);
		at += size;
	}
	for (size_t i = 0; extra && extra[i]; i++) {
		size_t size = strlen(extra[i]) + 1;
		if (!is_set(extra, i) || size > (size_t)(end - at) || n >= room.count)
			continue;
		launch->envp[n++] = memcpy(at, extra[i], size);
		at += size;
	}
	launch->envp[n] = NULL;
}

/* A snapshot, unless the environment can be handed on as it is: the settings' own, or the caller's if it
 * waits for the exec. */
static bool needs_snapshot(const struct settings *settings)
{
	if (settings->extra_environment)
		return true;
	return !settings->environment && settings->asynchronous;
}

static struct launch *new_with_environment(const struct settings *settings)
{
	bool snapshot = needs_snapshot(settings);
	struct extent room = { 0 };

	if (snapshot) {
		struct extent base = measure(base_environment(settings));
		struct extent extra = measure(settings->extra_environment);
		room = (struct extent){ base.count + extra.count, base.bytes + extra.bytes };
	}
	struct launch *launch = malloc(sizeof *launch + (room.count + 1) * sizeof(char *) + room.bytes);
	if (!launch)
		return NULL;
	launch->path = NULL;
	launch->candidates = NULL;
	launch->found = NULL;
	launch->envp = (char **)base_environment(settings);
	if (snapshot) {
		launch->envp = (char **)(launch + 1);
		compose(launch, settings, room);
	}
	return launch;
}

/* Where a relative name is looked for: from the child's working directory. False: the path is too long. */
static bool from_working_directory(char *ret_path, size_t size, const struct settings *settings,
                                   const char *path)
{
	const char *directory =
		*path != '/' && settings->working_directory ? settings->working_directory : "";
	int length = snprintf(ret_path, size, "%s%s%s", directory, *directory ? "/" : "", path);

	return length >= 0 && (size_t)length < size;
}

enum candidate { NOT_THERE, NOT_RUNNABLE, RUNNABLE };

/* A directory of PATH that may not be searched is passed over: what is in it is not known to be there. */
static enum candidate look_at_candidate(const struct settings *settings, const char *path)
{
	char seen[PATH_MAX];
	struct stat status;

	if (!from_working_directory(seen, sizeof seen, settings, path) || stat(seen, &status) < 0)
		return NOT_THERE;
	if (!S_ISREG(status.st_mode) || faccessat(AT_FDCWD, seen, X_OK, AT_EACCESS) < 0)
		return NOT_RUNNABLE;
	return RUNNABLE;
}

/* As execvp looks: the first that can be run; if there is none, EACCES if one was there all the same. */
static int search_path(const struct settings *settings, const char *search, char *ret_path, size_t size)
{
	int error = ENOENT;

	for (const char *element = search;; element++) {
		size_t length = strcspn(element, ":");
		int needed = length == 0 ? snprintf(ret_path, size, "./%s", settings->program)
		                         : snprintf(ret_path, size, "%.*s/%s", (int)length, element,
		                                    settings->program);

		if (needed > 0 && (size_t)needed < size) {
			enum candidate candidate = look_at_candidate(settings, ret_path);
			if (candidate == RUNNABLE)
				return 0;
			if (candidate == NOT_RUNNABLE)
				error = EACCES;
		}
		element += length;
		if (!*element)
			return -error;
	}
}

/* What the child will try: the pointers, and then the paths. */
static int list_candidates(struct launch *launch, const struct settings *settings, const char *search)
{
	size_t count = 1, room = strlen(search) + 1;

	for (const char *at = search; *at; at++)
		count += *at == ':';
	room += count * (strlen(settings->program) + sizeof "./");
	launch->candidates = malloc((count + 1) * sizeof(char *) + room);
	if (!launch->candidates)
		return explain(-ENOMEM, "no memory for the paths of '%s'", settings->program);
	char *text = (char *)(launch->candidates + count + 1);
	for (size_t i = 0; i < count; i++) {
		size_t length = strcspn(search, ":");

		launch->candidates[i] = text;
		text += sprintf(text, "%.*s/%s", length == 0 ? 1 : (int)length, length == 0 ? "." : search,
		                settings->program) +
		        1;
		search += length + (search[length] == ':');
	}
	launch->candidates[count] = NULL;
	launch->path = settings->program;
	return 0;
}

/* A sentence has room for so much of PATH. */
enum { LONGEST_SHOWN = 120 };

static int find_program(struct launch *launch, const struct settings *settings)
{
	char path[PATH_MAX];

	if (strchr(settings->program, '/')) {
		launch->path = settings->program;
		return 0;
	}
	const char *search = look_up_variable(launch->envp, "PATH");
	if (!search)
		search = "/bin:/usr/bin"; /* execvp(3) has the same */
	if (settings_live_elsewhere(settings))
		return list_candidates(launch, settings, search);
	int r = search_path(settings, search, path, sizeof path);
	if (r == -EACCES)
		return explain(r, "cannot run '%s': it is in PATH, but may not be executed",
		               settings->program);
	if (r < 0)
		return explain(r, "cannot run '%s': there is no such program in PATH (%s)", settings->program,
		               search);
	launch->path = launch->found = strdup(path);
	return launch->path ? 0 : explain(-ENOMEM, "no memory for the path of '%s'", settings->program);
}

int launch_new(struct launch **ret_launch, const struct settings *settings)
{
	struct launch *launch = new_with_environment(settings);

	if (!launch)
		return explain(-ENOMEM, "no memory for the environment of '%s'", settings->program);
	int r = find_program(launch, settings);
	if (r < 0) {
		launch_free(launch);
		return r;
	}
	*ret_launch = launch;
	return 0;
}

void launch_free(struct launch *launch)
{
	if (launch) {
		free(launch->found);
		free(launch->candidates);
	}
	free(launch);
}

static void read_script_interpreter(const char *head, size_t length, char *ret_interpreter, size_t size)
{
	const char *from = head + 2, *end = head + length;

	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	const char *to = from;
	while (to < end && *to != ' ' && *to != '\t' && *to != '\n')
		to++;
	snprintf(ret_interpreter, size, "%.*s", (int)(to - from), from);
}

static void read_elf_interpreter(int file, const char *head, size_t length, char *ret_interpreter,
                                 size_t size)
{
	const Elf64_Ehdr *header = (const void *)head;

	if (length < sizeof *header || header->e_ident[EI_CLASS] != ELFCLASS64)
		return;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;
		off_t at = (off_t)(header->e_phoff + i * sizeof segment);

		if (pread(file, &segment, sizeof segment, at) != (ssize_t)sizeof segment)
			return;
		if (segment.p_type != PT_INTERP)
			continue;
		size_t wanted = segment.p_filesz < size ? segment.p_filesz : size - 1;
		ssize_t got = pread(file, ret_interpreter, wanted, (off_t)segment.p_offset);
		ret_interpreter[got > 0 ? (size_t)got : 0] = '\0';
		return;
	}
}

bool launch_lacks_interpreter(const struct launch *launch, const struct settings *settings,
                              char *ret_interpreter, size_t size)
{
	char seen[PATH_MAX];
	_Alignas(Elf64_Ehdr) char head[256];

	*ret_interpreter = '\0';
	if (!from_working_directory(seen, sizeof seen, settings, launch->path) || access(seen, F_OK) < 0)
		return false;

	int file = open(seen, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0)
		return true;
	ssize_t length = read(file, head, sizeof head);
	if (length > 2 && memcmp(head, "#!", 2) == 0)
		read_script_interpreter(head, (size_t)length, ret_interpreter, size);
	else if (length > 4 && memcmp(head, ELFMAG, SELFMAG) == 0)
		read_elf_interpreter(file, head, (size_t)length, ret_interpreter, size);
	close(file);
	return true;
}

bool launch_is_directory(const struct launch *launch, const struct settings *settings)
{
	char seen[PATH_MAX];
	struct stat status;

	return from_working_directory(seen, sizeof seen, settings, launch->path) &&
	       stat(seen, &status) == 0 && S_ISDIR(status.st_mode);
}
