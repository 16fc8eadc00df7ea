/* SPDX-License-Identifier: MIT */
/* Options: checked and copied before anything is created. */
#ifndef PIDRING_OPTIONS_H
#define PIDRING_OPTIONS_H

#include "pidring.h"
#include "sys/sys.h"

struct confinement;

struct stream_setting {
	enum pidring_stream to;
	int descriptor;
	FILE *file;
	char *path; /* with flags and mode, no longer 0 */
	int flags;
	mode_t mode;
};

/* A process's own copy of what its options say of the start. */
struct settings {
	enum pidring_start_method start_method; /* no longer DEFAULT */
	int (*target)(void *argument);
	void *argument;         /* with argument_length: our copy */
	size_t argument_length; /* 0: it is handed on as it is */
	char *program;          /* NULL: the target is a function, or nothing */
	char **argv;
	char **environment;       /* NULL: the caller's */
	char **extra_environment; /* NULL: none */
	char *working_directory;  /* NULL: the caller's */
	struct stream_setting streams[3];
	unsigned short terminal_rows, terminal_columns; /* no longer 0 */
	struct pidring_descriptor *descriptors;         /* sorted by target, which is no longer 0 */
	size_t descriptor_count;
	int authkey_descriptor; /* 0: none */
	int death_signal;       /* as in the options */
	bool asynchronous, libc_fork;
	bool keep_descriptors, close_descriptors, keep_signals;
	bool given_mask, given_ignored; /* the next two are there */
	sys_signal_set signal_mask, ignored_signals;
	struct confinement *confinement; /* NULL: none */
	struct pidring_cgroup *cgroup;   /* likewise; the process has a reference */
	bool new_session, new_group, foreground;
	bool set_umask;
	mode_t umask;

	/* As in the options. */
	size_t input_limit;
	int64_t drain, deadline;
	struct pidring_stop_step *stop_steps;
	size_t stop_step_count;
	bool stop_group, stop_tree, report_stops, report_exec;
};

extern const char *const stream_names[3];

/* Copies the caller's struct, which may be older or newer than ours, into *ret_options; all defaults if NULL.
 */
int options_read(struct pidring_options *ret_options, const struct pidring_options *given);
int options_check(const struct pidring_options *options);
/* Whether the engine itself is at the other end of the stream. */
bool settings_engine_has(const struct settings *settings, int stream);
/* Whether a start has to open, or flush, anything for them. */
bool settings_open_streams(const struct settings *settings);
/* The first of the streams that go to a terminal; -1: none. */
int settings_terminal(const struct settings *settings);
/* Whether it sees other files under the same names than this process does. */
bool settings_live_elsewhere(const struct settings *settings);
int settings_new(struct settings **ret_settings, const struct pidring_options *options);
void settings_free(struct settings *settings);

/* --- for the files of options alone --- */

/* What the options say of one stream. */
struct stream_options {
	enum pidring_stream to;
	int descriptor;
	struct pidring_path path;
	FILE *file;
};

void options_read_streams(struct stream_options ret_streams[3], const struct pidring_options *options);
bool options_have_terminal(const struct pidring_options *options);
int options_check_streams(const struct pidring_options *options);
int options_check_descriptors(const struct pidring_options *options);
/* With all targets filled in, sorted by them. NULL: no memory. */
struct pidring_descriptor *options_copy_descriptors(const struct pidring_options *options);

/* --- other structs of options --- */

int engine_options_read(struct pidring_engine_options *ret_options,
                        const struct pidring_engine_options *given);

/* Reads and checks. */
int stop_options_read(struct pidring_stop_options *ret_options, const struct pidring_stop_options *given);

/* Reads and checks. */
int cgroup_options_read(struct pidring_cgroup_options *ret_options,
                        const struct pidring_cgroup_options *given);

int capture_options_read(struct pidring_capture_options *ret_options,
                         const struct pidring_capture_options *given);

/* The bytes of a struct that the caller's own version of it can hold: for structs that are filled. -EINVAL:
 * none. */
int options_fill(void *ret_struct, const void *ours, size_t our_size, size_t least_size);

#endif
