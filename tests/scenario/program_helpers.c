/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "program_helpers.h"

void check_output(struct pidring_options options, const char *expected)
{
	struct pidring *engine = open_engine();

	check_text(output_of(engine, options, NULL), expected);
	close_engine(engine);
}

void check_subprogram(const char *name, struct pidring_options options)
{
	const char *const argv[] = { own_path(), "--sub", name, NULL };
	struct pidring *engine = open_engine();

	options.argv = argv;
	check_int(finish(start_process(engine, options)), 0);
	close_engine(engine);
}
