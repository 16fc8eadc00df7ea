/* SPDX-License-Identifier: MIT */
#include "explain.h"

#include "pidring.h"

#include <stdarg.h>
#include <stdio.h>

static __thread char sentence[512];

int explain(int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	return error;
}

const char *pidring_explain(void)
{
	return sentence;
}
