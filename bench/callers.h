/* SPDX-License-Identifier: MIT */
/* Two callers that work at the same time: this process and another one, or two threads of this one. */
#ifndef BENCH_CALLERS_H
#define BENCH_CALLERS_H

/* What a caller does; `share` is how much of it. */
typedef void (*caller_work)(unsigned share);

/* Makes a second process, in which `set_up` is called first and `tear_down` last; both may be NULL. Ends in
 * bench_fail, as the others do. */
void callers_make_process(void (*set_up)(void), void (*tear_down)(void));
void callers_end_process(void);
/* Both processes do such a share of the work; returns when both are done. */
void callers_work_as_processes(caller_work work, unsigned share);

void callers_make_thread(void);
void callers_end_thread(void);
void callers_work_as_threads(caller_work work, unsigned share);

#endif
