/* SPDX-License-Identifier: MIT */
/* A confinement with something of everything, for scenarios that show by which path it comes. */
#ifndef PIDRING_TESTS_CONFINED_PLACE_H
#define PIDRING_TESTS_CONFINED_PLACE_H

#include "confined.h"

/* `confinement` points into it. */
struct place {
	struct pidring_mount mount;
	struct pidring_setting setting;
	struct pidring_confinement confinement;
	char host[32];
};

/* Needs root. */
void make_place(struct place *place, int number);

/* What is asked there, and what the one of this number answers. */
extern const char *const *const place_questions;
const char *place_text(int number, char *text, size_t size);

#endif
