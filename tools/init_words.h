/* SPDX-License-Identifier: MIT */
/* What the library says, in the words of the command line. */
#ifndef PIDRING_INIT_WORDS_H
#define PIDRING_INIT_WORDS_H

/* Its sentence with options instead of fields. Lasts until the next call. */
const char *init_words(const char *sentence);

#endif
