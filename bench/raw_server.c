/* SPDX-License-Identifier: MIT */
#include "raw_server.h"

#include "harness.h"
#include "raw.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAMS = 3 };

/* What the caller asks, and what the server answers. */
struct request {
	int streams[STREAMS];
};

/* Of the server that is woken by a futex: in memory that both have. */
struct exchange {
	uint32_t asked, answered;
	struct request request;
	int pidfd;
};

struct server {
	int pidfd;
	int caller_end, server_end; /* of the socket */
	struct exchange *exchange;
};

static struct server servers[RAW_SERVER_KINDS];

/* --- the child --- */

/* The table is the servers', the caller's or its own; in any case it is its own from now on, and small. */
__attribute__((noreturn)) static void live_as_child(const int streams[STREAMS])
{
	unsigned highest = STDERR_FILENO;

	for (int stream = 0; stream < STREAMS; stream++)
		highest = streams[stream] > (int)highest ? (unsigned)streams[stream] : highest;
	(void)raw_call(SYS_close_range, highest + 1, ~0U, CLOSE_RANGE_UNSHARE, 0, 0);
	for (int stream = 0; stream < STREAMS; stream++)
		(void)raw_call(SYS_dup3, streams[stream], stream, 0, 0, 0);
	(void)raw_call(SYS_close_range, STREAMS, ~0U, 0, 0, 0);
	for (;;)
		(void)raw_call(SYS_exit_group, 0, 0, 0, 0, 0);
}

/* --- the server, which has no use of libc but for what is a system call --- */

static int clone_child(const int streams[STREAMS])
{
	int pidfd = -1;
	const struct raw_clone_arguments arguments = {
		/* A child that shares the table does not pay for its size, and gets one of its own at once. */
		.flags = CLONE_PARENT | CLONE_PIDFD | CLONE_FILES,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
	};
	long pid = raw_call(SYS_clone3, (long)&arguments, (long)sizeof(arguments), 0, 0, 0);

	if (pid == 0)
		live_as_child(streams);
	return pid < 0 ? (int)pid : pidfd;
}

static void wait_while(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		(void)raw_call(SYS_futex, (long)word, FUTEX_WAIT, value, 0, 0);
}

static void set_and_wake(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	(void)raw_call(SYS_futex, (long)word, FUTEX_WAKE, 1, 0, 0);
}

__attribute__((noreturn)) static void serve_futex(struct exchange *exchange)
{
	for (;;) {
		wait_while(&exchange->asked, 0);
		__atomic_store_n(&exchange->asked, 0, __ATOMIC_RELEASE);
		exchange->pidfd = clone_child(exchange->request.streams);
		set_and_wake(&exchange->answered, 1);
	}
}

__attribute__((noreturn)) static void serve_socket(int end)
{
	struct request request;

	while (read(end, &request, sizeof(request)) == sizeof(request)) {
		int pidfd = clone_child(request.streams);

		if (write(end, &pidfd, sizeof(pidfd)) != sizeof(pidfd))
			break;
	}
	for (;;)
		(void)raw_call(SYS_exit_group, 0, 0, 0, 0, 0);
}

/* A message of one byte with descriptors. */
struct rights {
	struct msghdr header;
	struct iovec part;
	char byte;
	union {
		struct cmsghdr alignment;
		char bytes[CMSG_SPACE(STREAMS * sizeof(int))];
	} control;
};

static void prepare_rights(struct rights *ret_rights, size_t count)
{
	memset(ret_rights, 0, sizeof(*ret_rights));
	ret_rights->part = (struct iovec){ &ret_rights->byte, 1 };
	ret_rights->header = (struct msghdr){
		.msg_iov = &ret_rights->part,
		.msg_iovlen = 1,
		.msg_control = ret_rights->control.bytes,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
}

static bool send_rights(int end, const int *descriptors, size_t count)
{
	struct rights rights;
	struct cmsghdr *message = NULL;

	prepare_rights(&rights, count);
	message = CMSG_FIRSTHDR(&rights.header);
	message->cmsg_level = SOL_SOCKET;
	message->cmsg_type = SCM_RIGHTS;
	message->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(message), descriptors, count * sizeof(int));
	return sendmsg(end, &rights.header, MSG_NOSIGNAL) == 1;
}

static bool receive_rights(int end, int *ret_descriptors, size_t count)
{
	struct rights rights;
	struct cmsghdr *message = NULL;

	prepare_rights(&rights, count);
	if (recvmsg(end, &rights.header, MSG_CMSG_CLOEXEC) != 1)
		return false;
	message = CMSG_FIRSTHDR(&rights.header);
	if (message == NULL || message->cmsg_len != CMSG_LEN(count * sizeof(int)))
		return false;
	memcpy(ret_descriptors, CMSG_DATA(message), count * sizeof(int));
	return true;
}

/* What it got and what it gave away is closed again: all of it is the child's, or the caller's. */
__attribute__((noreturn)) static void serve_rights(int end)
{
	int streams[STREAMS];

	while (receive_rights(end, streams, STREAMS)) {
		int pidfd = clone_child(streams);
		bool sent = pidfd >= 0 && send_rights(end, &pidfd, 1);

		(void)close(pidfd);
		for (int stream = 0; stream < STREAMS; stream++)
			(void)close(streams[stream]);
		if (!sent)
			break;
	}
	for (;;)
		(void)raw_call(SYS_exit_group, 1, 0, 0, 0, 0);
}

/* Of all that the caller had open, only the socket is left. */
static int keep_socket_only(int end)
{
	int kept = dup2(end, STDERR_FILENO + 1);

	(void)raw_call(SYS_close_range, (unsigned)kept + 1, ~0U, 0, 0, 0);
	return kept;
}

__attribute__((noreturn)) static void live_as_server(enum raw_server_kind kind, const struct server *server)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (kind == RAW_SERVER_FUTEX)
		serve_futex(server->exchange);
	if (kind == RAW_SERVER_SOCKET)
		serve_socket(server->server_end);
	serve_rights(keep_socket_only(server->server_end));
}

/* --- the caller --- */

/* The exit signal of its children is its own: none. */
static void open_server(enum raw_server_kind kind)
{
	struct server *server = &servers[kind];
	const struct raw_clone_arguments arguments = {
		.flags = CLONE_PIDFD | (kind == RAW_SERVER_RIGHTS ? 0 : CLONE_FILES | CLONE_FS),
		.pidfd = (uint64_t)(uintptr_t)&server->pidfd,
	};
	int ends[2];
	long pid = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("socketpair", errno);
	server->caller_end = ends[0];
	server->server_end = ends[1];
	server->exchange = mmap(NULL, sizeof(*server->exchange), PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (server->exchange == MAP_FAILED)
		bench_fail("mapping memory", errno);
	pid = raw_call(SYS_clone3, (long)&arguments, (long)sizeof(arguments), 0, 0, 0);
	if (pid < 0)
		bench_fail("clone3", (int)-pid);
	if (pid == 0)
		live_as_server(kind, server);
}

void raw_servers_open(void)
{
	for (unsigned kind = 0; kind < RAW_SERVER_KINDS; kind++)
		open_server((enum raw_server_kind)kind);
}

static void await(int pidfd, siginfo_t *ret_information)
{
	struct pollfd item = { .fd = pidfd, .events = POLLIN };

	if (poll(&item, 1, -1) != 1)
		bench_fail("poll", errno);
	if (waitid((idtype_t)RAW_P_PIDFD, (id_t)pidfd, ret_information, WEXITED | __WALL) < 0)
		bench_fail("waitid", errno);
	(void)close(pidfd);
}

void raw_servers_close(void)
{
	for (unsigned kind = 0; kind < RAW_SERVER_KINDS; kind++) {
		siginfo_t information;

		(void)raw_call(SYS_pidfd_send_signal, servers[kind].pidfd, SIGKILL, 0, 0, 0);
		await(servers[kind].pidfd, &information);
	}
}

static int ask_by_futex(struct exchange *exchange, const struct request *request)
{
	exchange->request = *request;
	set_and_wake(&exchange->asked, 1);
	wait_while(&exchange->answered, 0);
	__atomic_store_n(&exchange->answered, 0, __ATOMIC_RELEASE);
	return exchange->pidfd;
}

static int ask_by_socket(int end, const struct request *request)
{
	int pidfd = -1;

	if (write(end, request, sizeof(*request)) != sizeof(*request))
		bench_fail("asking a server", errno);
	if (read(end, &pidfd, sizeof(pidfd)) != sizeof(pidfd))
		bench_fail("a server has ended", 0);
	return pidfd;
}

static int ask_by_rights(int end, const struct request *request)
{
	int pidfd = -1;

	if (!send_rights(end, request->streams, STREAMS))
		bench_fail("asking a server", errno);
	if (!receive_rights(end, &pidfd, 1))
		bench_fail("a server has ended", 0);
	return pidfd;
}

int raw_server_start(enum raw_server_kind kind, const int streams[3])
{
	struct server *server = &servers[kind];
	struct request request;
	int pidfd = -1;

	memcpy(request.streams, streams, sizeof(request.streams));
	if (kind == RAW_SERVER_FUTEX)
		pidfd = ask_by_futex(server->exchange, &request);
	else if (kind == RAW_SERVER_SOCKET)
		pidfd = ask_by_socket(server->caller_end, &request);
	else
		pidfd = ask_by_rights(server->caller_end, &request);
	if (pidfd < 0)
		bench_fail("a server's clone3", -pidfd);
	return pidfd;
}

void raw_server_reap(int pidfd)
{
	siginfo_t information = { 0 };

	await(pidfd, &information);
	if (information.si_code != CLD_EXITED || information.si_status != 0)
		bench_fail("the child ended otherwise than it should", 0);
}
