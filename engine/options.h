/* SPDX-License-Identifier: MIT */
/* Options: checked and copied before anything is created. */
#ifndef PIDRING_OPTIONS_H
#define PIDRING_OPTIONS_H

#include "pidring.h"

struct stream_setting {
	enum pidring_stream to;
	int descriptor;
};

/* A process's own copy of what its options say of the start. */
struct settings {
	int (*target)(void *argument);
	void *argument;
	char *program; /* NULL: the target is a function, or nothing */
	char **argv;
	char **environment;       /* NULL: the caller's */
	char **extra_environment; /* NULL: none */
	char *working_directory;  /* NULL: the caller's */
	struct stream_setting streams[3];
	int authkey_descriptor; /* 0: none */
	int death_signal;       /* as in the options */
	bool asynchronous, libc_fork;
	bool keep_descriptors, keep_signals;
	bool new_session, new_group;
	bool set_umask;
	mode_t umask;
};

/* Copies the caller's struct, which may be older or newer than ours, into *ret_options; all defaults if NULL.
 */
int options_read(struct pidring_options *ret_options, const struct pidring_options *given);
int options_check(const struct pidring_options *options);
int settings_new(struct settings **ret_settings, const struct pidring_options *options);
void settings_free(struct settings *settings);

int engine_options_read(struct pidring_engine_options *ret_options,
                        const struct pidring_engine_options *given);

/* The bytes of a struct that the caller's own version of it can hold: for structs that are filled. -EINVAL:
 * none. */
int options_fill(void *ret_struct, const void *ours, size_t our_size, size_t least_size);

#endif
