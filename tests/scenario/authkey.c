/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenario.h"

#include <sys/mman.h>

static struct pidring *engine;

static void print_key(void)
{
	unsigned char key[32];

	check_int(pidring_process_authkey(pidring_current_process(), key, sizeof(key)), sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		printf("%02x", key[i]);
}

SUBPROGRAM(print_main_key)
{
	print_key();
	return 0;
}

/* A main process has 32 random bytes, its own. */
SCENARIO(authkey, is_random_in_each_main_process)
{
	char first[128];
	const char *output;

	check_int(run_subprogram("print_main_key", NULL, &output), 0);
	check_int(strlen(output), 64);
	strcpy(first, output);
	check_int(run_subprogram("print_main_key", NULL, &output), 0);
	check_int(strlen(output), 64);
	check(strcmp(first, output) != 0);
}

/* It stays the same, and a construction inherits it. */
SCENARIO(authkey, is_inherited_at_construction)
{
	unsigned char own[32], again[32], inherited[32];
	struct pidring_process *process;

	engine = open_engine();
	check_int(pidring_process_authkey(pidring_current_process(), own, 32), 32);
	check_int(pidring_process_authkey(pidring_current_process(), again, 32), 32);
	process = new_function(engine, return_zero, NULL);
	check_int(pidring_process_authkey(process, inherited, 32), 32);
	check_int(memcmp(own, again, 32), 0);
	check_int(memcmp(own, inherited, 32), 0);
	pidring_process_free(process);
	close_engine(engine);
}

/* Any length goes, also 0, up to 65,536 bytes. */
SCENARIO(authkey, may_have_any_length)
{
	static unsigned char key[65537], read_back[65537];
	struct pidring_process *current = pidring_current_process();

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (unsigned char)(i * 7 + 1);
	check_int(pidring_process_set_authkey(current, key, 65536), 0);
	check_int(pidring_process_authkey(current, read_back, sizeof(read_back)), 65536);
	check_int(memcmp(key, read_back, 65536), 0);
	check_int(pidring_process_set_authkey(current, key, 65537), -E2BIG);
	check_int(pidring_process_authkey(current, NULL, 0), 65536);
	check_int(pidring_process_set_authkey(current, "\0a\0", 3), 0);
	check_int(pidring_process_authkey(current, read_back, sizeof(read_back)), 3);
	check_int(memcmp(read_back, "\0a\0", 3), 0);
	check_int(pidring_process_set_authkey(current, NULL, 0), 0);
	check_int(pidring_process_authkey(current, read_back, sizeof(read_back)), 0);
}

/* Missing places and keys are refused. */
SCENARIO(authkey, needs_bytes)
{
	struct pidring_process *current = pidring_current_process();

	check_int(pidring_process_set_authkey(current, NULL, 5), -EINVAL);
	check_int(pidring_process_authkey(current, NULL, 5), -EINVAL);
	check_int(pidring_process_authkey(current, NULL, 0), 32);
}

/* A short place gets the beginning, and the full length is told. */
SCENARIO(authkey, room_may_be_short)
{
	struct pidring_process *current = pidring_current_process();
	char key[8] = "zzzzzzz";

	check_int(pidring_process_set_authkey(current, "secret", 6), 0);
	check_int(pidring_process_authkey(current, key, 3), 6);
	check_text(key, "seczzzz");
}

static int compare_key(void *expected)
{
	char key[64] = { 0 };

	check_int(pidring_process_authkey(pidring_current_process(), key, 63), strlen(expected));
	check_text(key, expected);
	return 0;
}

/* A child sees what was set before the start; it can be set at any time, also after the closing. */
SCENARIO(authkey, can_be_set_at_any_time)
{
	struct pidring_process *process;
	char key[8] = { 0 };

	engine = open_engine();
	process = new_function(engine, compare_key, "early");
	check_int(pidring_process_set_authkey(process, "early", 5), 0);
	check_int(pidring_process_start(process), 0);
	check_int(pidring_process_set_authkey(process, "late", 4), 0);
	check_int(join_code(process), 0);
	check_int(pidring_process_close(process), 0);
	check_int(pidring_process_authkey(process, key, 7), 4);
	check_text(key, "late");
	check_int(pidring_process_set_authkey(process, "last", 4), 0);
	pidring_process_free(process);
	close_engine(engine);
}

static void note_line(void *found, const char *line)
{
	if (strstr(line, "visible-secret") != NULL)
		*(bool *)found = true;
}

/* It is in no description and no log line. */
SCENARIO(authkey, is_shown_nowhere)
{
	struct pidring_process *process;
	bool found = false;

	engine = open_engine();
	check_int(pidring_set_log(note_line, &found), 0);
	check_int(pidring_process_set_authkey(pidring_current_process(), "visible-secret", 14), 0);
	process = start_function(engine, return_zero, NULL);
	check(strstr(describe(process), "visible-secret") == NULL);
	check(strstr(describe(pidring_current_process()), "visible-secret") == NULL);
	check_int(finish(process), 0);
	check(!found);
	check_int(pidring_set_log(NULL, NULL), 0);
	close_engine(engine);
}

/* --- programs --- */

SUBPROGRAM(receive_key)
{
	char key[64] = { 0 };

	check(descriptor_is_open(7));
	check_int(pidring_receive_authkey(7), 0);
	check(!descriptor_is_open(7));
	check_int(pidring_process_authkey(pidring_current_process(), key, 63), 6);
	check_text(key, "secret");
	check_int(pidring_receive_authkey(7), -EBADF);
	return 31;
}

/* A program finds the key under the number that was asked for, and takes it over. */
SCENARIO(authkey, program_receives_it)
{
	struct pidring_process *process;

	engine = open_engine();
	process =
		new_process(engine, (struct pidring_options){ .argv = (const char *[]){ own_path(), "--sub",
	                                                                                "receive_key", NULL },
	                                                      .authkey_descriptor = 7 });
	check_int(pidring_process_set_authkey(process, "secret", 6), 0);
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 31);
	close_engine(engine);
}

SUBPROGRAM(look_at_sealed_key)
{
	int seals = fcntl(7, F_GET_SEALS);

	check(seals >= 0);
	check((seals & F_SEAL_WRITE) != 0);
	check((seals & F_SEAL_SHRINK) != 0);
	check((seals & F_SEAL_GROW) != 0);
	check((seals & F_SEAL_SEAL) != 0);
	check(!descriptor_is_open(3));
	return 0;
}

/* The descriptor is sealed: nobody can change the key under way. */
SCENARIO(authkey, descriptor_is_sealed)
{
	engine = open_engine();
	check_int(finish(start_process(
			  engine,
			  (struct pidring_options){
				  .argv = (const char *[]){ own_path(), "--sub", "look_at_sealed_key", NULL },
				  .authkey_descriptor = 7 })),
	          0);
	close_engine(engine);
}

SUBPROGRAM(receive_empty_key)
{
	check_int(pidring_receive_authkey(3), 0);
	check_int(pidring_process_authkey(pidring_current_process(), NULL, 0), 0);
	return 0;
}

/* An empty key arrives as an empty key. */
SCENARIO(authkey, program_receives_an_empty_one)
{
	struct pidring_process *process;

	engine = open_engine();
	process = new_process(engine,
	                      (struct pidring_options){ .argv = (const char *[]){ own_path(), "--sub",
	                                                                          "receive_empty_key", NULL },
	                                                .authkey_descriptor = 3 });
	check_int(pidring_process_set_authkey(process, NULL, 0), 0);
	check_int(pidring_process_start(process), 0);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* Descriptors that are not a key are refused and left open. */
SCENARIO(authkey, other_descriptors_are_refused)
{
	int unsealed = memfd_create("unsealed", MFD_CLOEXEC);
	int ends[2];

	check(unsealed >= 0);
	check_int(write(unsealed, "secret", 6), 6);
	open_pipe(ends);
	check_int(pidring_receive_authkey(-1), -EBADF);
	check_int(pidring_receive_authkey(900), -EBADF);
	check_int(pidring_receive_authkey(ends[0]), -EINVAL);
	check_int(pidring_receive_authkey(unsealed), -EINVAL);
	check(descriptor_is_open(ends[0]));
	check(descriptor_is_open(unsealed));
	check_int(pidring_process_authkey(pidring_current_process(), NULL, 0), 32);
	close(unsealed);
	close(ends[0]);
	close(ends[1]);
}
