/* SPDX-License-Identifier: MIT */
/* Name, identity, daemon flag, auth key, user data of a process. */
#include "explain.h"
#include "family.h"
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_buffer(const void *buffer, size_t size, const char *function)
{
	if (buffer || size == 0)
		return 0;
	return explain(-EINVAL, "%s: the buffer is NULL, but its size is %zu", function, size);
}

int pidring_process_name(struct pidring_process *process, char *buffer, size_t size)
{
	if (!process)
		return explain_null("pidring_process_name");
	int r = check_buffer(buffer, size, "pidring_process_name");
	if (r < 0)
		return r;
	process_enter(process);
	r = snprintf(buffer, size, "%s", process->name);
	family_leave();
	return r;
}

int pidring_process_set_name(struct pidring_process *process, const char *name)
{
	if (!process)
		return explain_null("pidring_process_set_name");
	if (!name)
		return explain(-EINVAL, "pidring_process_set_name: name is NULL");
	char *copy = strdup(name);
	if (!copy)
		return explain(-ENOMEM, "no memory for a name");
	process_enter(process);
	char *old = process->name;
	process->name = copy;
	family_leave();
	free(old);
	return 0;
}

int pidring_process_identity(struct pidring_process *process, unsigned *ret_numbers, size_t capacity)
{
	if (!process)
		return explain_null("pidring_process_identity");
	int r = check_buffer(ret_numbers, capacity, "pidring_process_identity");
	if (r < 0)
		return r;
	/* Set at construction, for good: no lock needed. */
	for (size_t i = 0; i < process->identity_length && i < capacity; i++)
		ret_numbers[i] = process->identity[i];
	return (int)process->identity_length;
}

pid_t pidring_process_parent_pid(struct pidring_process *process)
{
	return process ? process->parent_pid : explain_null("pidring_process_parent_pid");
}

int pidring_process_daemon(struct pidring_process *process)
{
	if (!process)
		return explain_null("pidring_process_daemon");
	process_enter(process);
	int r = process->daemon;
	family_leave();
	return r;
}

int pidring_process_set_daemon(struct pidring_process *process, bool daemon)
{
	if (!process)
		return explain_null("pidring_process_set_daemon");
	if (process->kind == PROCESS_PARENT)
		return explain(-EPERM, "the parent process's daemon flag is its own");
	process_enter(process);
	int r = 0;
	if (process->closed)
		r = explain_closed(process);
	else if (process != family.current && process->state != PROCESS_INITIAL)
		r = explain(-EALREADY, "process '%s' has already been started", process->name);
	else
		process->daemon = daemon;
	family_leave();
	return r;
}

int pidring_process_authkey(struct pidring_process *process, void *ret_key, size_t capacity)
{
	if (!process)
		return explain_null("pidring_process_authkey");
	int r = check_buffer(ret_key, capacity, "pidring_process_authkey");
	if (r < 0)
		return r;
	if (process->kind == PROCESS_PARENT)
		return explain(-ENOKEY, "the parent process's auth key is not known here");
	process_enter(process);
	r = process == family.current ? family_ensure_authkey() : 0;
	size_t length = process->authkey_length;
	if (r == 0 && length > 0 && capacity > 0)
		memcpy(ret_key, process->authkey, length < capacity ? length : capacity);
	family_leave();
	return r < 0 ? r : (int)length;
}

enum { LONGEST_AUTHKEY = 65536 };

int pidring_process_set_authkey(struct pidring_process *process, const void *key, size_t length)
{
	if (!process)
		return explain_null("pidring_process_set_authkey");
	if (process->kind == PROCESS_PARENT)
		return explain(-EPERM, "the parent process's auth key cannot be set");
	int r = check_buffer(key, length, "pidring_process_set_authkey");
	if (r < 0)
		return r;
	if (length > LONGEST_AUTHKEY)
		return explain(-E2BIG, "an auth key of %zu bytes is longer than %d", length, LONGEST_AUTHKEY);
	unsigned char *copy = malloc(length + 1);
	if (!copy)
		return explain(-ENOMEM, "no memory for an auth key");
	if (length > 0)
		memcpy(copy, key, length);
	process_enter(process);
	process_wipe_authkey(process);
	process->authkey = copy;
	process->authkey_length = length;
	family_leave();
	return 0;
}

void *pidring_process_user_data(struct pidring_process *process)
{
	if (!process)
		return NULL;
	process_enter(process);
	void *user_data = process->user_data;
	family_leave();
	return user_data;
}

int pidring_process_set_user_data(struct pidring_process *process, void *user_data)
{
	if (!process)
		return explain_null("pidring_process_set_user_data");
	process_enter(process);
	process->user_data = user_data;
	family_leave();
	return 0;
}

size_t pidring_argument_length(void)
{
	family_enter();
	const struct settings *settings = family.is_child ? family.current->settings : NULL;
	size_t length = settings ? settings->argument_length : 0;
	family_leave();
	return length;
}
