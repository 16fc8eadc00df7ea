/* SPDX-License-Identifier: MIT */
/* What the streams of a process are connected to: opened at its start, one end for the child, one for us. */
#ifndef PIDRING_STDIO_ENDS_H
#define PIDRING_STDIO_ENDS_H

#include "options.h"

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

/* Opens what the settings ask for, or nothing. Explains a failure. */
int stream_ends_open(struct stream_ends *ret_ends, const struct settings *settings);
void stream_ends_close_child(struct stream_ends *ends);
void stream_ends_close_own(struct stream_ends *ends);

#endif
