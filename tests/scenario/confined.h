/* SPDX-License-Identifier: MIT */
/* What the scenarios of confined processes share: targets that answer questions about themselves, refusals, failures. */
#ifndef PIDRING_TESTS_CONFINED_H
#define PIDRING_TESTS_CONFINED_H

#include "scenario.h"

/* --- targets --- */

enum target_kind {
	AS_PROGRAM,
	AS_PROGRAM_LATER, /* asynchronous */
	AS_FUNCTION,
	TARGET_KINDS,
};

const char *kind_name(enum target_kind kind);

/*
 * A target of each kind answers questions, a list of words that NULL ends, with a line "WORD=ANSWER" each:
 *
 *   status LABEL       what stands in /proc/self/status, with single blanks
 *   read PATH          what is in a file, or the name of an error
 *   link PATH          where a link leads
 *   list PATH          the names in a directory, sorted
 *   write PATH         OK if it can be written to (or made), or the name of an error
 *   run PATH           OK if it can be executed, or the name of an error
 *   flags PATH         of its mount: ro, nosuid, nodev, noexec
 *   limit NUMBER       soft/hard
 *   niceness, scheduler (class/priority), affinity (of the first 64, hexadecimal), io_priority (class/level), oom_score,
 *   slack, pid, parent, host, directory, monotonic, boottime (nanoseconds), interfaces, secure_bits, dumpable, death
 *   call NAME          OK or the name of an error: getsid, setresuid, unshare
 *   terminal           none, foreground or background
 *   linger             waits for the end of its stdin
 */
#define QUESTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* `options`, completed with a target of this kind. */
struct pidring_options asking(enum target_kind kind, const char *const *questions,
                              struct pidring_options options);
/* What the target says; it must end with 0. The text is in the buffer of read_all. */
const char *told(struct pidring *engine, struct pidring_options options);
/* All kinds say `expected`, and this process is as it was before. */
void check_told(struct pidring_confinement confinement, const char *const *questions, const char *expected);
void check_told_with(struct pidring_options options, struct pidring_confinement confinement,
                     const char *const *questions, const char *expected);
void check_told_as(enum target_kind kind, struct pidring_options options,
                   struct pidring_confinement confinement, const char *const *questions,
                   const char *expected);

/* A program that answers nothing and lingers, confined, until its input is closed. */
struct lingerer {
	struct pidring_process *process;
	int input;
};

struct lingerer start_lingerer(struct pidring *engine, struct pidring_confinement confinement);
/* Lets it end, which must be with 0. */
void end_lingerer(struct lingerer *lingerer);

/* --- refusals and failures --- */

/* pidring_process_new refuses it for a program; the sentence has both parts; nothing is created. */
void check_refused_confinement(struct pidring_confinement confinement, int error, const char *option,
                               const char *value);
/* Likewise for what is no matter of the confinement. `options` is complete. */
void check_refused_options(struct pidring_options options, int error, const char *option, const char *value);
/* A start of each kind fails at this step with this errno; the sentence has this part; nothing is left; it fails again in the
 * same way. */
void check_fails(struct pidring_confinement confinement, enum pidring_step step, int error, const char *part);
void check_fails_with(struct pidring_options options, struct pidring_confinement confinement,
                      enum pidring_step step, int error, const char *part);
void check_fails_as(enum target_kind kind, struct pidring_options options,
                    struct pidring_confinement confinement, enum pidring_step step, int error,
                    const char *part);
/* From now on the kernel refuses this system call with the errno, here and in children: if the argument of this index
 * has the value, or with any for index -1. Takes no power from this process, so it needs root. */
void forbid(long call, int index, uint32_t value, int error);

/* --- users --- */

enum { NOBODY = 65534 };

/* Ends the scenario as skipped for an ordinary user. */
void need_root(void);
/* Who is not root cannot go back to it. */
void need_no_niceness(void);
/* This process is an ordinary user's from now on. */
void become_ordinary(void);
/* Ends the scenario as skipped if an ordinary user may make no user namespaces. */
void need_user_namespaces(void);

/* --- files --- */

/* A directory with a static shell: bin/sh, bin/cat and so on are links to bin/busybox; etc, proc, tmp, data are empty. All may
 * enter it. Skips if there is no static busybox. */
struct small_root {
	char path[32];
};

struct small_root make_small_root(void);
void remove_small_root(struct small_root *root);
/* An empty directory that all may enter. */
struct small_root make_directory(void);
/* "ROOT/NAME", in one of eight buffers that are used by turns. */
const char *in_root(const struct small_root *root, const char *name);
void write_text(const char *path, const char *text);
/* The whole file, in a buffer of its own that the caller frees. */
char *text_of(const char *path);

#endif
