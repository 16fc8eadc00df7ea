/* SPDX-License-Identifier: MIT */
/* How an exit code is put into words. */
#ifndef PIDRING_RUN_EXIT_H
#define PIDRING_RUN_EXIT_H

#include <stddef.h>

/* "SIGSEGV" for -11, "signal 99" where there is no name. */
void run_exit_signal_name(int code, char *buffer, size_t size);

#endif
