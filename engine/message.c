/* SPDX-License-Identifier: MIT */
#include "message.h"

#include "family.h"
#include "finalize.h"

#include <stdlib.h>
#include <string.h>

/* The parts that follow the head, in this order: the argument first, as it is to be aligned. */
enum part {
	PART_ARGUMENT,
	PART_IDENTITY,
	PART_AUTHKEY,
	PART_NAME,
	PART_TYPE_NAME,
	PART_PARENT_NAME,
	PARTS,
};

struct head {
	int64_t exit_grace;
	pid_t parent_pid;
	bool daemon;
	size_t length[PARTS];
};

/* Each begins at such a multiple. */
enum { ALIGNMENT = _Alignof(max_align_t) };

static size_t align(size_t length)
{
	return (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

struct parts {
	const void *bytes[PARTS];
};

/* Strings with their zero. */
static struct parts parts_of(const struct pidring_process *process, size_t ret_length[PARTS])
{
	const struct settings *settings = process->settings;

	ret_length[PART_ARGUMENT] = settings->argument_length;
	ret_length[PART_IDENTITY] = process->identity_length * sizeof *process->identity;
	ret_length[PART_AUTHKEY] = process->authkey_length;
	ret_length[PART_NAME] = strlen(process->name) + 1;
	ret_length[PART_TYPE_NAME] = strlen(process->type_name) + 1;
	ret_length[PART_PARENT_NAME] = strlen(process->parent_name) + 1;
	return (struct parts){ { settings->argument, process->identity, process->authkey, process->name,
		                 process->type_name, process->parent_name } };
}

void *message_new(const struct pidring_process *process, size_t *ret_length)
{
	struct head head = {
		.exit_grace = finalize_grace(),
		.parent_pid = process->parent_pid,
		.daemon = process->daemon,
	};
	struct parts parts = parts_of(process, head.length);
	size_t length = align(sizeof head);

	for (int i = 0; i < PARTS; i++)
		length += align(head.length[i]);
	unsigned char *message = calloc(1, length);
	if (!message)
		return NULL;
	memcpy(message, &head, sizeof head);
	unsigned char *at = message + align(sizeof head);
	for (int i = 0; i < PARTS; i++) {
		if (head.length[i] > 0)
			memcpy(at, parts.bytes[i], head.length[i]);
		at += align(head.length[i]);
	}
	*ret_length = length;
	return message;
}

void message_free(void *message, size_t length)
{
	if (message)
		explicit_bzero(message, length);
	free(message);
}

/* --- in the child --- */

static bool find_parts(const void *message, size_t length, struct head *ret_head, struct parts *ret_parts)
{
	const unsigned char *at = message;

	if (length < align(sizeof *ret_head))
		return false;
	memcpy(ret_head, message, sizeof *ret_head);
	at += align(sizeof *ret_head);
	length -= align(sizeof *ret_head);
	for (int i = 0; i < PARTS; i++) {
		size_t part = ret_head->length[i];

		if (part > length || align(part) > length)
			return false;
		ret_parts->bytes[i] = at;
		at += align(part);
		length -= align(part);
	}
	return true;
}

static void *copy(const struct head *head, const struct parts *parts, enum part part)
{
	size_t length = head->length[part];
	unsigned char *bytes = malloc(length + 1);

	if (!bytes)
		return NULL;
	memcpy(bytes, parts->bytes[part], length);
	bytes[length] = '\0';
	return bytes;
}

static bool fill(struct pidring_process *process, const struct head *head, const struct parts *parts)
{
	process->name = copy(head, parts, PART_NAME);
	process->type_name = copy(head, parts, PART_TYPE_NAME);
	process->parent_name = copy(head, parts, PART_PARENT_NAME);
	process->identity = copy(head, parts, PART_IDENTITY);
	process->authkey = copy(head, parts, PART_AUTHKEY);
	process->identity_length = head->length[PART_IDENTITY] / sizeof *process->identity;
	process->authkey_length = head->length[PART_AUTHKEY];
	process->parent_pid = head->parent_pid;
	process->daemon = head->daemon;

	struct settings *settings = calloc(1, sizeof *settings);
	process->settings = settings;
	if (!settings)
		return false;
	settings->start_method = PIDRING_FORKSERVER;
	settings->argument_length = head->length[PART_ARGUMENT];
	if (settings->argument_length > 0)
		settings->argument = copy(head, parts, PART_ARGUMENT);
	return process->name && process->type_name && process->parent_name && process->identity &&
	       process->authkey && (settings->argument_length == 0 || settings->argument);
}

struct pidring_process *message_read(const void *message, size_t length)
{
	struct head head;
	struct parts parts;

	if (!find_parts(message, length, &head, &parts))
		return NULL;
	struct pidring_process *process = process_new_child();
	if (!process || !fill(process, &head, &parts))
		return NULL;
	finalize_set_grace(head.exit_grace);
	return process;
}
