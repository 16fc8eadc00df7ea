/* SPDX-License-Identifier: MIT */
/* A child that uses all of its standard streams: see talkers.h. */
#define _GNU_SOURCE
#include "talkers.h"

#include <sys/stat.h>

int talk(void *argument)
{
	const char *input = read_all(STDIN_FILENO);

	(void)argument;
	check(dprintf(STDOUT_FILENO, "out:%s", input) > 0);
	check(dprintf(STDERR_FILENO, "err:%zu", strlen(input)) > 0);
	return 0;
}

SUBPROGRAM(places_talk)
{
	return talk(NULL);
}

void for_both(void (*show)(struct pidring *engine, struct pidring_options options))
{
	struct pidring *engine = open_engine();
	const char *const argv[] = { own_path(), "--sub", "places_talk", NULL };
	int descriptors = count_descriptors();

	show(engine, (struct pidring_options){ .argv = argv });
	check_int(count_descriptors(), descriptors);
	show(engine, (struct pidring_options){ .target = talk });
	check_int(count_descriptors(), descriptors);
	show(engine, (struct pidring_options){ .target = talk, .libc_fork = true });
	check_int(count_descriptors(), descriptors);
	close_engine(engine);
}

const char *memory_of(struct pidring_process *process, int stream)
{
	static char text[4096];
	struct stat status;
	int memfd = pidring_process_stream(process, stream);

	check(memfd >= 0);
	check_int(fstat(memfd, &status), 0);
	check(status.st_size < (off_t)sizeof(text));
	check_int(pread(memfd, text, sizeof(text), 0), status.st_size);
	text[status.st_size] = '\0';
	return text;
}
