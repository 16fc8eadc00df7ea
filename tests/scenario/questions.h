/* SPDX-License-Identifier: MIT */
/* The questions that targets of confined processes answer: confined.h lists them. */
#ifndef PIDRING_TESTS_QUESTIONS_H
#define PIDRING_TESTS_QUESTIONS_H

#include "scenario.h"

/* Writes the answers to stdout. */
void answer_questions(const char *const *words);
/* A target; `argument` are the words. The program is "scenarios --sub questions WORD ...". */
int answer_as_function(void *argument);

#endif
