/* SPDX-License-Identifier: MIT */
/* What one start needs of its own to confine its child. */
#include "confine/work.h"

#include "explain.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static bool has_reports(const struct confinement *confinement)
{
	for (size_t i = 0; i < confinement->setting_count; i++)
		if (confinement->settings[i].report)
			return true;
	return false;
}

static size_t results_size(const struct confinement *confinement)
{
	return confinement->setting_count * sizeof(int);
}

static int open_results(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	if (!has_reports(confinement))
		return 0;
	work->results = mmap(NULL, results_size(confinement), PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (work->results != MAP_FAILED)
		return 0;
	work->results = NULL;
	return -errno;
}

static int open_gate(struct confine_work *work)
{
	if (!work->confinement->new_user)
		return 0;
	int gate = eventfd(0, EFD_CLOEXEC);
	gate = sys_above_streams(gate < 0 ? -errno : gate);
	work->gate = gate < 0 ? -1 : gate;
	return gate < 0 ? gate : 0;
}

int confine_work_new(struct confine_work **ret_work, const struct confinement *confinement, int parent_pidfd)
{
	struct confine_work *work = malloc(sizeof *work + confinement->mount_count * sizeof(int));

	if (!work)
		return explain(-ENOMEM, "no memory to confine a process");
	*work = (struct confine_work){
		.confinement = confinement, .parent_pidfd = parent_pidfd, .gate = -1, .own_pid_namespace = -1
	};
	int r = open_results(work);
	if (r == 0)
		r = open_gate(work);
	if (r < 0) {
		confine_work_free(work);
		return explain(r, "cannot prepare the confinement of a process: %s", strerror(-r));
	}
	*ret_work = work;
	return 0;
}

void confine_work_forget(struct confine_work *work)
{
	sys_close(&work->gate);
	sys_close(&work->own_pid_namespace);
}

void confine_work_leave(struct confine_work *work)
{
	if (work->results)
		munmap(work->results, results_size(work->confinement));
	work->results = NULL;
}

void confine_work_free(struct confine_work *work)
{
	if (!work)
		return;
	confine_work_forget(work);
	confine_work_leave(work);
	free(work);
}

void confine_work_report(const struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	for (size_t i = 0; i < confinement->setting_count; i++)
		if (confinement->settings[i].report)
			*confinement->settings[i].report = work->results[i];
}

int confine_work_release(const struct confine_work *work, int pidfd)
{
	const uint64_t open = 1;

	if (work->gate < 0)
		return 0;
	int r = id_maps_write(work->confinement, pidfd);
	if (r < 0)
		return r;
	return write(work->gate, &open, sizeof open) < 0 ? -errno : 0;
}
