/* SPDX-License-Identifier: MIT */
/* Why a start failed, in words. */
#include "confine/work.h"
#include "explain.h"
#include "start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const step_names[] = {
	[PIDRING_STEP_NONE] = "none",
	[PIDRING_STEP_STATE] = "state",
	[PIDRING_STEP_PREPARE] = "preparation",
	[PIDRING_STEP_LOOK_UP] = "look-up",
	[PIDRING_STEP_CLONE] = "clone",
	[PIDRING_STEP_SESSION] = "session",
	[PIDRING_STEP_GROUP] = "group",
	[PIDRING_STEP_WORKING_DIRECTORY] = "working directory",
	[PIDRING_STEP_LIMIT] = "limit",
	[PIDRING_STEP_DEATH_SIGNAL] = "death signal",
	[PIDRING_STEP_DESCRIPTORS] = "descriptors",
	[PIDRING_STEP_STREAM] = "stream",
	[PIDRING_STEP_SIGNALS] = "signals",
	[PIDRING_STEP_EXEC] = "exec",
	[PIDRING_STEP_INTERPRETER] = "interpreter",
	[PIDRING_STEP_TERMINAL] = "terminal",
	[PIDRING_STEP_FORKSERVER] = "forkserver",
	[PIDRING_STEP_CGROUP] = "control group",
	[PIDRING_STEP_NAMESPACE] = "namespace",
	[PIDRING_STEP_ID_MAP] = "id map",
	[PIDRING_STEP_SETTING] = "setting",
	[PIDRING_STEP_MOUNT] = "mount",
	[PIDRING_STEP_ROOT] = "root",
	[PIDRING_STEP_HOST_NAME] = "host name",
	[PIDRING_STEP_GROUPS] = "groups",
	[PIDRING_STEP_USER] = "user",
	[PIDRING_STEP_CAPABILITIES] = "capabilities",
	[PIDRING_STEP_SECURE_BITS] = "secure bits",
	[PIDRING_STEP_NO_NEW_PRIVILEGES] = "no new privileges",
	[PIDRING_STEP_SECCOMP] = "seccomp",
};

static const char *const birth_names[] = {
	[PIDRING_BIRTH_NONE] = "none",
	[PIDRING_BIRTH_CLONE_VM] = "clone with shared memory",
	[PIDRING_BIRTH_CLONE_VFORK] = "vfork",
	[PIDRING_BIRTH_FORK_EXEC] = "fork and exec",
	[PIDRING_BIRTH_CLONE] = "clone",
	[PIDRING_BIRTH_FORK] = "fork",
	[PIDRING_BIRTH_FORKSERVER] = "forkserver",
	[PIDRING_BIRTH_PARKED] = "parked",
};

const char *pidring_birth_name(enum pidring_birth birth)
{
	size_t count = sizeof birth_names / sizeof birth_names[0];

	return (size_t)birth < count ? birth_names[birth] : "unknown";
}

const char *pidring_step_name(enum pidring_step step)
{
	size_t count = sizeof step_names / sizeof step_names[0];

	return (size_t)step < count ? step_names[step] : "unknown";
}

int start_fail(struct pidring_failure *ret_failure, enum pidring_step step, int error)
{
	ret_failure->step = step;
	ret_failure->error = -error;
	snprintf(ret_failure->sentence, sizeof ret_failure->sentence, "%s", pidring_explain());
	return error;
}

/* What the kernel refuses for the sake of namespaces or the control group, not for want of something. */
static enum pidring_step step_of_birth(const struct start *start)
{
	const struct confinement *confinement = start->process->settings->confinement;
	int error = -start->result;
	bool refused = error == EPERM || error == EINVAL || error == ENOSPC || error == EUSERS ||
	               error == EOPNOTSUPP;

	if (start->failure.step != PIDRING_STEP_NONE)
		return start->failure.step;
	if (start->process->settings->cgroup &&
	    (error == EBUSY || error == EOPNOTSUPP || error == ENODEV || error == EACCES))
		return PIDRING_STEP_CGROUP;
	if (confinement && confinement->clone_flags && refused)
		return PIDRING_STEP_NAMESPACE;
	return PIDRING_STEP_CLONE;
}

int start_explain_birth(struct start *start)
{
	const struct pidring_process *process = start->process;
	const char *target = start_is_program(process) ? process->settings->program : "a function";
	enum pidring_step step = step_of_birth(start);
	int error = start->result;

	if (step != PIDRING_STEP_CLONE)
		explain(error, "cannot create a child for %s: its %s: %s", target, pidring_step_name(step),
		        strerror(-error));
	else
		explain(error, "cannot create a child for %s: %s", target, strerror(-error));
	return start_fail(&start->failure, step, error);
}

static int explain_exec(struct pidring_process *process, enum pidring_step *step, int error)
{
	const char *path = process->launch->path;
	char interpreter[128];

	/* What is there can only be seen from where the child was. */
	if (settings_live_elsewhere(process->settings))
		return explain(error, "cannot run '%s' where it lives: %s", path, strerror(-error));
	if (error == -ENOENT &&
	    launch_lacks_interpreter(process->launch, process->settings, interpreter, sizeof interpreter)) {
		*step = PIDRING_STEP_INTERPRETER;
		return explain(error, "cannot run '%s': its interpreter '%s' is missing", path, interpreter);
	}
	if (error == -EACCES && launch_is_directory(process->launch, process->settings))
		return explain(error, "cannot run '%s': it is a directory", path);
	if (error == -EACCES)
		return explain(error, "cannot run '%s': it may not be executed", path);
	if (error == -ENOEXEC)
		return explain(error,
		               "cannot run '%s': it is no program for this machine, and no script with #!",
		               path);
	return explain(error, "cannot run '%s': %s", path, strerror(-error));
}

static void explain_stage(const struct pidring_process *process, enum pidring_step step, int error)
{
	const struct confinement *confinement = process->settings->confinement;
	const char *target = process->launch ? process->launch->path : "a function";
	char what[256];

	snprintf(what, sizeof what, "%s", pidring_step_name(step));
	if (confinement)
		confine_describe(confinement, step, process->slot->plan->failed_culprit, what, sizeof what);
	explain(error, "cannot run '%s': its %s: %s", target, what, strerror(-error));
}

int start_explain_child(struct pidring_process *process, struct pidring_failure *ret_failure)
{
	enum { LARGEST_ERROR = 4095 };
	const struct child_plan *plan = process->slot->plan;
	enum pidring_step step = (enum pidring_step)plan->failed_step;
	bool sound = plan->failed_error > 0 && plan->failed_error <= LARGEST_ERROR;
	/* A plan may have stood in shared memory. */
	int error = sound ? -plan->failed_error : -EPROTO;
	const char *directory = process->settings->working_directory;
	const char *target = process->launch ? process->launch->path : "a function";

	if (!process->launch && step == PIDRING_STEP_EXEC)
		step = PIDRING_STEP_FORKSERVER;
	switch (step) {
	case PIDRING_STEP_EXEC:
		explain_exec(process, &step, error);
		break;
	case PIDRING_STEP_WORKING_DIRECTORY:
		explain(error, "cannot enter the working directory '%s' to run '%s': %s",
		        directory ? directory : ".", target, strerror(-error));
		break;
	default:
		explain_stage(process, step, error);
	}
	return start_fail(ret_failure, step, error);
}
