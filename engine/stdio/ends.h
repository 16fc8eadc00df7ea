/* SPDX-License-Identifier: MIT */
/* What the streams of a process are connected to: opened at its start, one end for the child, one for us. */
#ifndef PIDRING_STDIO_ENDS_H
#define PIDRING_STDIO_ENDS_H

#include "options.h"

#include <stdbool.h>

/* -1 where there is none. All are close-on-exec and above 2. */
struct stream_ends {
	/* For the child, opened for this start: closed here once the child has them. A stream that goes where
	 * another goes has none of its own. */
	int child[3];
	/* Our side of a pipe, a memfd or a terminal. Of a terminal: [0] is a copy for writing, and its output is at
	 * the first stream of stdout and stderr that goes there. Blocking, but for those of terminals. */
	int own[3];
};

#define STREAM_ENDS_NONE ((struct stream_ends){ { -1, -1, -1 }, { -1, -1, -1 } })

/*
 * Opens what the settings ask for, in two steps. Each explains a failure; the caller closes what has been
 * opened so far. First what may block, and so without any lock: files that are flushed, and paths
 * (which a fork of another thread at that moment gets, too). It overwrites *ends.
 */
int stream_ends_open_paths(struct stream_ends *ends, const struct settings *settings);
/* Then the rest, with the family's lock held: a fork of another thread comes before it or knows of it. */
int stream_ends_open(struct stream_ends *ends, const struct settings *settings);
void stream_ends_close_child(struct stream_ends *ends);
void stream_ends_close_own(struct stream_ends *ends);
bool stream_ends_has_own(const struct stream_ends *ends);

#endif
