/* SPDX-License-Identifier: MIT */
/* The child's life, from the clone to _exit. */
#ifndef PIDRING_BOOTSTRAP_H
#define PIDRING_BOOTSTRAP_H

#include "birth/child.h"
#include "birth/forkserver.h"
#include "process.h"

struct bootstrap {
	struct pidring_process *process;
	struct pidring_process *parent; /* made before the clone, its sentinel too */
	struct child_plan *plan;
	struct low_descriptors *low;     /* the start's */
	void (*preload)(void *argument); /* what a forkserver would have called; NULL: none */
	void *preload_argument;
};

/* The child function of birth_function. `bootstrap` is a struct bootstrap. */
void bootstrap_run(void *bootstrap) __attribute__((noreturn));
/* In a child of a forkserver that waits for its task: takes the page faults that can be had ahead. */
void bootstrap_rehearse(void);
/* As bootstrap_run, in a child of a forkserver. */
void bootstrap_serve(const struct forkserver_child *child) __attribute__((noreturn));

#endif
