/* SPDX-License-Identifier: MIT */
/* The signal mask and the ignored signals that a program is given, whatever those of its starter are. */
#define _GNU_SOURCE
#include "confined.h"

#include <pthread.h>

static const char *const *const signals = QUESTIONS("status", "SigBlk", "status", "SigIgn");

static sigset_t set_of(int first, int second)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, first);
	sigaddset(&set, second);
	return set;
}

/* As /proc writes it. */
static const char *text_for(uint64_t blocked, uint64_t ignored)
{
	static char text[128];

	snprintf(text, sizeof(text), "SigBlk=%016llx\nSigIgn=%016llx\n", (unsigned long long)blocked,
	         (unsigned long long)ignored);
	return text;
}

static uint64_t bits(int first, int second)
{
	return UINT64_C(1) << (first - 1) | UINT64_C(1) << (second - 1);
}

/* Who started the tests may ignore the two that libc hides, and no function of libc's can change that. */
static uint64_t hidden_and_ignored(void)
{
	char line[256];
	unsigned long long ignored = 0;
	FILE *file = fopen("/proc/self/status", "re");

	check(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SigIgn: %llx", &ignored) == 1)
			break;
	fclose(file);
	return ignored & bits(32, 33);
}

static const enum target_kind program_kinds[] = { AS_PROGRAM, AS_PROGRAM_LATER };

static void check_signals(struct pidring_options options, const char *expected)
{
	struct pidring *engine = open_engine();

	for (size_t i = 0; i < sizeof(program_kinds) / sizeof(program_kinds[0]); i++)
		check_text(told(engine, asking(program_kinds[i], signals, options)), expected);
	close_engine(engine);
}

/* This process blocks SIGALRM's neighbours and ignores two others: nothing of it is to be seen. */
static void take_other_habits(void)
{
	sigset_t mask = set_of(SIGUSR2, SIGRTMAX);

	check(signal(SIGQUIT, SIG_IGN) != SIG_ERR);
	check(signal(SIGTSTP, SIG_IGN) != SIG_ERR);
	check_int(sigprocmask(SIG_SETMASK, &mask, NULL), 0);
}

SCENARIO(signals_given, both)
{
	sigset_t mask = set_of(SIGUSR1, SIGRTMIN + 3), ignored = set_of(SIGHUP, SIGPIPE);
	struct pidring_options options = { .signal_mask = &mask, .ignored_signals = &ignored };
	const char *expected = text_for(bits(SIGUSR1, SIGRTMIN + 3), bits(SIGHUP, SIGPIPE));

	check_signals(options, expected);
	take_other_habits();
	check_signals(options, expected);
	options.keep_signals = true;
	check_signals(options, expected);
}

/* What is not given is as without it: empty, or kept. */
SCENARIO(signals_given, one_of_them)
{
	sigset_t mask = set_of(SIGUSR1, SIGTERM), ignored = set_of(SIGHUP, SIGRTMIN);

	take_other_habits();
	check_signals((struct pidring_options){ .signal_mask = &mask }, text_for(bits(SIGUSR1, SIGTERM), 0));
	check_signals((struct pidring_options){ .ignored_signals = &ignored },
	              text_for(0, bits(SIGHUP, SIGRTMIN)));
	check_signals((struct pidring_options){ .signal_mask = &mask, .keep_signals = true },
	              text_for(bits(SIGUSR1, SIGTERM), bits(SIGQUIT, SIGTSTP) | hidden_and_ignored()));
	check_signals((struct pidring_options){ .ignored_signals = &ignored, .keep_signals = true },
	              text_for(bits(SIGUSR2, SIGRTMAX), bits(SIGHUP, SIGRTMIN)));
}

/* Empty sets are given as well: nothing is kept then. */
SCENARIO(signals_given, empty_sets)
{
	sigset_t none;

	sigemptyset(&none);
	take_other_habits();
	check_signals((struct pidring_options){ .signal_mask = &none,
	                                        .ignored_signals = &none,
	                                        .keep_signals = true },
	              text_for(0, 0));
}

/* All but the two that nobody can ignore, and those of libc's own. The program is one without handlers of its own. */
SCENARIO(signals_given, all_ignored)
{
	static const char *const argv[] = { "cat", "/proc/self/status", NULL };
	struct pidring *engine = open_engine();
	struct pidring_options options = { .argv = argv };
	char expected[64];
	sigset_t all;

	sigfillset(&all);
	options.ignored_signals = &all;
	snprintf(expected, sizeof(expected), "SigIgn:\t%016llx\n",
	         (unsigned long long)~(bits(SIGKILL, SIGSTOP) | bits(32, 33)));
	for (int i = 0; i < 2; i++) {
		options.asynchronous = i == 1;
		check_contains(told(engine, options), expected);
	}
	close_engine(engine);
}

/* The sets are copied by pidring_process_new. */
SCENARIO(signals_given, sets_are_copied)
{
	struct pidring *engine = open_engine();
	sigset_t mask = set_of(SIGUSR1, SIGTERM), ignored = set_of(SIGHUP, SIGINT);
	int ends[2];
	struct pidring_process *process;

	open_pipe(ends);
	process = new_process(engine, asking(AS_PROGRAM, signals,
	                                     (struct pidring_options){ .signal_mask = &mask,
	                                                               .ignored_signals = &ignored,
	                                                               .stdout_to = PIDRING_STREAM_DESCRIPTOR,
	                                                               .stdout_descriptor = ends[1] }));
	sigfillset(&mask);
	sigfillset(&ignored);
	check_int(pidring_process_start(process), 0);
	close(ends[1]);
	check_text(read_all(ends[0]), text_for(bits(SIGUSR1, SIGTERM), bits(SIGHUP, SIGINT)));
	close(ends[0]);
	check_int(finish(process), 0);
	close_engine(engine);
}

/* Children of a server, parked or not, and those of one call have them, too. */
SCENARIO(signals_given, by_a_server)
{
	struct pidring *engine = NULL;
	sigset_t mask = set_of(SIGUSR1, SIGTERM), ignored = set_of(SIGHUP, SIGINT);
	struct pidring_options options = { .signal_mask = &mask,
		                           .ignored_signals = &ignored,
		                           .start_method = PIDRING_FORKSERVER };

	check_int(pidring_open(&engine,
	                       &(struct pidring_engine_options){
				       .size = sizeof(struct pidring_engine_options), .parked = 2 }),
	          0);
	take_other_habits();
	for (int i = 0; i < 6; i++)
		check_text(told(engine, asking(program_kinds[i % 2], signals, options)),
		           text_for(bits(SIGUSR1, SIGTERM), bits(SIGHUP, SIGINT)));
	close_engine(engine);
}

SCENARIO(signals_given, start_many)
{
	enum { COUNT = 20 };
	struct pidring *engine = open_engine();
	struct pidring_process *processes[COUNT];
	char text[65536];

	for (int i = 0; i < COUNT; i++) {
		sigset_t mask = set_of(SIGRTMIN + i, SIGUSR1), ignored = set_of(SIGRTMIN + i, SIGUSR2);

		processes[i] = new_process(
			engine, asking(AS_PROGRAM, signals,
		                       (struct pidring_options){ .signal_mask = &mask,
		                                                 .ignored_signals = &ignored,
		                                                 .stdout_to = PIDRING_STREAM_MEMORY }));
	}
	check_int(pidring_start_many(processes, COUNT), COUNT);
	for (int i = 0; i < COUNT; i++) {
		ssize_t length;

		check_int(join_code(processes[i]), 0);
		length =
			pread(pidring_process_stream(processes[i], STDOUT_FILENO), text, sizeof(text) - 1, 0);
		check(length >= 0);
		text[length] = '\0';
		check_text(text, text_for(bits(SIGRTMIN + i, SIGUSR1), bits(SIGRTMIN + i, SIGUSR2)));
		pidring_process_free(processes[i]);
	}
	close_engine(engine);
}

static void *check_in_thread(void *argument)
{
	const struct pidring_options *options = argument;

	take_other_habits();
	check_signals(*options, text_for(bits(SIGUSR1, SIGTERM), bits(SIGHUP, SIGINT)));
	return NULL;
}

/* With a death signal it is not even the caller's thread that creates the child. */
SCENARIO(signals_given, from_a_thread)
{
	sigset_t mask = set_of(SIGUSR1, SIGTERM), ignored = set_of(SIGHUP, SIGINT);
	struct pidring_options options = { .signal_mask = &mask, .ignored_signals = &ignored };
	pthread_t thread;

	for (int round = 0; round < 2; round++) {
		options.death_signal = round == 0 ? 0 : SIGKILL;
		check_int(pthread_create(&thread, NULL, check_in_thread, &options), 0);
		check_int(pthread_join(thread, NULL), 0);
	}
}

/* A signal that is blocked and sent before the program looks stays pending: it is the kernel's mask, not a memory of it. */
SCENARIO(signals_given, blocked_signals_wait)
{
	struct pidring *engine = open_engine();
	sigset_t mask = set_of(SIGTERM, SIGUSR1);
	struct pidring_process *process = start_process(
		engine, asking(AS_PROGRAM, QUESTIONS("linger", "status", "ShdPnd"),
	                       (struct pidring_options){ .signal_mask = &mask,
	                                                 .stdin_to = PIDRING_STREAM_RAW_PIPE,
	                                                 .stdout_to = PIDRING_STREAM_RAW_PIPE }));
	int input = pidring_process_take_stream(process, STDIN_FILENO);

	check_int(pidring_process_terminate(process), 0);
	close(input);
	check_text(read_all(pidring_process_stream(process, STDOUT_FILENO)),
	           "linger=over\nShdPnd=0000000000004000\n");
	check_int(finish(process), 0);
	close_engine(engine);
}

SCENARIO(signals_given, not_for_functions)
{
	sigset_t set = set_of(SIGTERM, SIGUSR1);

	check_refused_options((struct pidring_options){ .target = return_zero, .signal_mask = &set }, -EINVAL,
	                      "signal_mask", "");
	check_refused_options((struct pidring_options){ .target = return_zero, .ignored_signals = &set },
	                      -EINVAL, "ignored_signals", "");
}
