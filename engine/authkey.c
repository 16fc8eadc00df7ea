/* SPDX-License-Identifier: MIT */
#include "authkey.h"

#include "explain.h"
#include "pidring.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, LONGEST = 65536 };

int authkey_to_memfd(const void *key, size_t length)
{
	const char *name = "pidring-authkey";
	int memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* Before Linux 6.3. */
	if (memfd < 0 && errno == EINVAL)
		memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return -errno;
	ssize_t written = write(memfd, key, length);
	if (written == (ssize_t)length && fcntl(memfd, F_ADD_SEALS, SEALS) == 0)
		return memfd;
	int r = written < 0 || written == (ssize_t)length ? -errno : -ENOSPC;
	close(memfd);
	return r;
}

/* By position: the reading end may be shared with others that were started with the same key. */
static int read_key(int descriptor, unsigned char *ret_key, size_t length)
{
	for (size_t at = 0; at < length;) {
		ssize_t got = pread(descriptor, ret_key + at, length - at, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EINVAL;
		at += (size_t)got;
	}
	return 0;
}

static int receive(int descriptor)
{
	struct stat status;
	int seals = fcntl(descriptor, F_GET_SEALS);

	if (fstat(descriptor, &status) < 0)
		return explain(-errno, "pidring_receive_authkey: descriptor %d: %s", descriptor,
		               strerror(errno));
	/* The kernel may have added one against execution. */
	if (seals < 0 || (seals & SEALS) != SEALS || status.st_size > LONGEST)
		return explain(-EINVAL,
		               "pidring_receive_authkey: descriptor %d is no sealed memfd with an auth key",
		               descriptor);

	size_t length = (size_t)status.st_size;
	unsigned char *key = malloc(length + 1);
	if (!key)
		return explain(-ENOMEM, "no memory for an auth key");
	int r = read_key(descriptor, key, length);
	if (r == 0)
		r = pidring_process_set_authkey(pidring_current_process(), key, length);
	else
		explain(r, "pidring_receive_authkey: descriptor %d: %s", descriptor, strerror(-r));
	explicit_bzero(key, length);
	free(key);
	if (r == 0)
		close(descriptor);
	return r;
}

int pidring_receive_authkey(int descriptor)
{
	int cancelability;

	/* A thread that is cancelled in there would leave the key behind. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelability);
	int r = receive(descriptor);
	pthread_setcancelstate(cancelability, NULL);
	return r;
}
