/* SPDX-License-Identifier: MIT */
/*
 * Children whose streams go to the engine, and what is known of them from events.
 *
 * They write a pattern in which each byte follows from the child's number, the stream and the position, so that a byte
 * that is lost, doubled or another's is seen at once.
 */
#ifndef PIDRING_TESTS_STREAMS_H
#define PIDRING_TESTS_STREAMS_H

#include "scenario.h"

enum { KIBIBYTE = 1024, MEBIBYTE = 1024 * 1024, INPUT_LIMIT = 100000 };

/* --- the pattern --- */

void fill_pattern(unsigned char *bytes, size_t length, uint64_t seed, uint64_t position);
bool is_pattern(const unsigned char *bytes, size_t length, uint64_t seed, uint64_t position);
/* Of one stream of a child; 0 is what it reads. */
uint64_t seed_of(uint64_t number, int stream);
/* Writes so many bytes of the stream's pattern, from `position` on, in pieces of at most `piece` bytes. */
void write_pattern(int descriptor, uint64_t seed, uint64_t position, uint64_t length, size_t piece);

/* --- a child, as the events tell it --- */

struct child {
	struct pidring_process *process;
	uint64_t number;
	bool is_unchecked; /* it writes something else than the pattern */
	bool is_echo;      /* what it writes is what it reads */
	char texts[2][24];
	const char *argv[8];

	uint64_t received[2]; /* bytes of stdout, stderr */
	int ended[2], end_codes[2];
	int started, failed, exited, last, drained, input_closed, stopped, continued;
	int code; /* its exit code */
	int stop_signal;
	size_t unwritten;
};

/* Options for the program below, with stdout in a pipe to the engine. */
struct pidring_options awkward(struct child *child, const char *kind, uint64_t number, uint64_t amount);
/* Constructs and starts it, so that its events come to `child`. */
void make_child(struct child *child, struct pidring *engine, struct pidring_options options);
void begin_child(struct child *child, struct pidring *engine, struct pidring_options options);

/* The same with stdin from the engine and a queue of INPUT_LIMIT. */
struct pidring_options with_input(struct child *child, const char *kind, uint64_t number, uint64_t amount);
/* Begins one whose descriptor 3 is at its end when the writer of the returned latch is closed. */
struct latch begin_latched(struct child *child, struct pidring *engine, struct pidring_options options);
/* Writes the pattern of its stdin from `position` on; returns what write returned. */
ssize_t write_input(struct child *child, uint64_t position, size_t length);

struct pidring *open_engine_with(struct pidring_engine_options options);

/* Notes an event, and checks that it may come. */
void take_event(const struct pidring_event *event);
/* One wait; returns the number of events, each of which is taken. */
int fetch(struct pidring *engine, size_t capacity, int64_t timeout);
/* Until *count has become `value`. */
void fetch_until(struct pidring *engine, const int *count, int value);
/* Until so many bytes of stdout have come. */
void fetch_bytes(struct pidring *engine, const struct child *child, uint64_t bytes);
/* Until nothing is outstanding. */
void fetch_all(struct pidring *engine, size_t capacity);
/* Whatever is there now, without waiting: several looks. */
void fetch_present(struct pidring *engine);
/* Everything has come to its end: so many bytes, this exit code, each end told once and without an error. Frees it. */
void end_child(struct child *child, uint64_t output, uint64_t errors, int code);

/*
 * The program "awkward KIND NUMBER AMOUNT", kinds:
 *
 *   silent       writes nothing
 *   amount       writes AMOUNT bytes
 *   endless      writes until it is ended
 *   bytes        AMOUNT bytes, one at a time
 *   pieces       AMOUNT bytes in pieces of all sizes
 *   alternate    AMOUNT bytes to stdout and as many to stderr, by turns
 *   closing      AMOUNT bytes, then closes stdout and waits for the end of its stdin
 *   background   AMOUNT bytes, and leaves a child behind that has stdout open until descriptor 3 is at its end; it
 *                writes AMOUNT bytes more then
 *   broken       AMOUNT bytes and kills itself
 *   nuls         AMOUNT zeros
 *   deaf         reads nothing until descriptor 3 is at its end
 *   unplugged    reads AMOUNT bytes, closes its stdin, writes one byte, and waits until descriptor 3 is
 *                at its end
 *   echo         copies stdin to stdout
 *   large        fills a pipe of AMOUNT bytes, otherwise as background
 *   stopping     stops itself AMOUNT times, and ends
 */

#endif
