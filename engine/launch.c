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

static struct launch *new_with_environment(const struct settings *settings, size_t path_size)
{
	char *const *base = base_environment(settings);
	char *const *extra = settings->extra_environment;
	size_t count = 0, bytes = 0;

	for (size_t i = 0; base[i]; i++, count++)
		bytes += strlen(base[i]) + 1;
	for (size_t i = 0; extra && extra[i]; i++, count++)
		bytes += strlen(extra[i]) + 1;

	struct launch *launch = malloc(sizeof *launch + (count + 1) * sizeof(char *) + bytes + path_size);
	if (!launch)
		return NULL;

	launch->envp = (char **)(launch + 1);
	char *at = (char *)(launch->envp + count + 1);
	char *end = at + bytes;
	size_t n = 0;
	for (size_t i = 0; base[i] && n < count; i++) {
		size_t size = strlen(base[i]) + 1;
		/* Another thread may have changed it since it was counted. */
		if (is_overridden(base[i], extra) || size > (size_t)(end - at))
			continue;
		launch->envp[n++] = memcpy(at, base[i], size);
		at += size;
	}
	for (size_t i = 0; extra && extra[i]; i++) {
		size_t size = strlen(extra[i]) + 1;
		if (!is_set(extra, i) || size > (size_t)(end - at))
			continue;
		launch->envp[n++] = memcpy(at, extra[i], size);
		at += size;
	}
	launch->envp[n] = NULL;
	launch->path = end;
	return launch;
}

/* Where a relative name is looked for: from the child's working directory. */
static void from_working_directory(char *ret_path, size_t size, const struct settings *settings,
                                   const char *path)
{
	if (*path == '/' || !settings->working_directory)
		snprintf(ret_path, size, "%s", path);
	else
		snprintf(ret_path, size, "%s/%s", settings->working_directory, path);
}

/* Returns 0, or the errno that says why it cannot be run. */
static int is_runnable(const struct settings *settings, const char *path)
{
	char seen[PATH_MAX];
	struct stat status;

	from_working_directory(seen, sizeof seen, settings, path);
	if (faccessat(AT_FDCWD, seen, X_OK, AT_EACCESS) < 0)
		return errno;
	if (stat(seen, &status) < 0)
		return errno;
	return S_ISREG(status.st_mode) ? 0 : EACCES;
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
			int r = is_runnable(settings, ret_path);
			if (r == 0)
				return 0;
			if (r == EACCES)
				error = EACCES;
		}
		element += length;
		if (!*element)
			return -error;
	}
}

int launch_new(struct launch **ret_launch, const struct settings *settings)
{
	struct launch *launch = new_with_environment(settings, PATH_MAX);

	if (!launch)
		return explain(-ENOMEM, "no memory for the environment of '%s'", settings->program);

	int r = 0;
	if (strchr(settings->program, '/')) {
		if (strlen(settings->program) >= PATH_MAX)
			r = explain(-ENAMETOOLONG, "cannot run a program with a path of %zu bytes",
			            strlen(settings->program));
		else
			strcpy(launch->path, settings->program);
	} else {
		const char *search = look_up_variable(launch->envp, "PATH");
		if (!search)
			search = "/bin:/usr/bin"; /* execvp(3) has the same */
		r = search_path(settings, search, launch->path, PATH_MAX);
		if (r == -EACCES)
			explain(r, "cannot run '%s': it is in PATH, but may not be executed",
			        settings->program);
		else if (r < 0)
			explain(r, "cannot run '%s': there is no such program in PATH (%s)",
			        settings->program, search);
	}
	if (r < 0) {
		free(launch);
		return r;
	}
	*ret_launch = launch;
	return 0;
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
	from_working_directory(seen, sizeof seen, settings, launch->path);
	if (access(seen, F_OK) < 0)
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
