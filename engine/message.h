/* SPDX-License-Identifier: MIT */
/* What a function's child of a forkserver must be told, as bytes: its process object, and what that inherits. */
#ifndef PIDRING_MESSAGE_H
#define PIDRING_MESSAGE_H

#include "process.h"

#include <stddef.h>

/* With the family's lock held. The message is to be freed; it holds the auth key. NULL: no memory. */
void *message_new(const struct pidring_process *process, size_t *ret_length);
void message_free(void *message, size_t length);
/* In the child, with the lock held: the object, and the exit grace and the parent's name. NULL: no memory, or no
 * message. */
struct pidring_process *message_read(const void *message, size_t length);

#endif
