/* SPDX-License-Identifier: MIT */
/* Which ways of creating a child the kernel, the sandbox and the user leave open. */
#include "birth/birth.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Arguments of size 0 are refused with EINVAL by a kernel that has clone3; ENOSYS and EPERM are a sandbox's
 * or an old kernel's. */
static bool probe_clone3(void)
{
	return sys_clone3_probe() == -EINVAL;
}

/* No descriptor has this number, so nothing is closed. */
static bool probe_close_range(void)
{
	return sys_close_range(UINT_MAX, UINT_MAX, 0) == 0;
}

int birth_paths_probe(struct birth_paths *ret_paths)
{
	const char *forced = secure_getenv("PIDRING_CLONE");
	struct birth_paths paths = { .clone3 = probe_clone3(), .close_range = probe_close_range() };

	/* CLONE_CLEAR_SIGHAND (5.5) and CLOSE_RANGE_UNSHARE (5.9) are there whenever close_range is. */
	paths.program =
		paths.clone3 && paths.close_range ? PIDRING_BIRTH_CLONE_VM : PIDRING_BIRTH_CLONE_VFORK;
	if (!forced || !*forced) {
		*ret_paths = paths;
		return 0;
	}
	if (strcmp(forced, "vfork") == 0)
		paths.program = PIDRING_BIRTH_CLONE_VFORK;
	else if (strcmp(forced, "fork") == 0)
		paths.program = PIDRING_BIRTH_FORK_EXEC;
	else
		return -EINVAL;
	paths.clone3 = false;
	*ret_paths = paths;
	return 0;
}
