/* SPDX-License-Identifier: MIT */
/*
 * In the child: giving up power, from the bounding set to seccomp.
 *
 * The order is the kernel's. The bounding set and the secure bits want CAP_SETPCAP, and setgroups CAP_SETGID, so they
 * come while those are there; a change of the user takes permitted and effective capabilities away unless they are held
 * (PR_SET_KEEPCAPS), and effective ones in any case; ambient ones want to be permitted and inheritable.
 */
#include "confine/work.h"

#include "sys/raw.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

struct sets {
	uint64_t effective, permitted, inheritable;
};

static long control(long option, long argument)
{
	return raw_call5(SYS_prctl, option, argument, 0, 0, 0);
}

static long get_sets(struct sets *ret_sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	long r = raw_call2(SYS_capget, (long)&header, (long)data);

	ret_sets->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	ret_sets->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret_sets->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return r;
}

static long set_sets(const struct sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)sets->effective, (uint32_t)sets->permitted, (uint32_t)sets->inheritable },
		{ (uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32),
		  (uint32_t)(sets->inheritable >> 32) },
	};

	return raw_call2(SYS_capset, (long)&header, (long)data);
}

static uint64_t bit(int capability)
{
	return (uint64_t)1 << capability;
}

/* Without CAP_SETPCAP the bounding set stays as it is, which does no harm to one that can gain nothing. */
static long drop_bounding(const struct confinement *confinement)
{
	for (int i = 0; i < 64; i++) {
		long there = control(PR_CAPBSET_READ, i);

		if (there == -EINVAL)
			break;
		if (there < 0)
			return there;
		if (!there || !(confinement->capabilities.bounding_dropped & bit(i)))
			continue;
		long r = control(PR_CAPBSET_DROP, i);
		if (r == -EPERM && confinement->no_new_privileges)
			continue;
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_weighed(const struct confinement *confinement)
{
	return confinement->capabilities.set || confinement->set_secure_bits;
}

long confine_bounding(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;
	struct sets sets;

	if (!is_weighed(confinement))
		return 0;
	long r = get_sets(&sets);
	if (r < 0)
		return r;
	work->effective = sets.effective;
	if (confinement->capabilities.required & ~sets.permitted)
		return -EPERM;
	return confinement->capabilities.bounding_dropped ? drop_bounding(confinement) : 0;
}

long confine_groups(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	if (!confinement->set_groups)
		return 0;
	return raw_call2(SYS_setgroups, (long)confinement->group_count, (long)confinement->groups);
}

long confine_user(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;
	long r = confinement->keeps_power ? control(PR_SET_KEEPCAPS, 1) : 0;

	if (r == 0 && confinement->set_group)
		r = raw_call3(SYS_setresgid, confinement->group, confinement->group, confinement->group);
	if (r == 0 && confinement->set_user)
		r = raw_call3(SYS_setresuid, confinement->user, confinement->user, confinement->user);
	return r;
}

/* Before Linux 4.3 there are none. */
static long clear_ambient(void)
{
	long r = raw_call5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

	return r == -EINVAL ? 0 : r;
}

static long set_ambient(const struct confine_capabilities *capabilities, uint64_t permitted)
{
	if (!capabilities->ambient_kept && !capabilities->ambient_added)
		return clear_ambient();
	for (int i = 0; i < 64; i++) {
		long there = raw_call5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0);
		bool added = capabilities->ambient_added & permitted & bit(i);
		bool kept = there > 0 && (capabilities->ambient_kept & bit(i));
		long r = 0;

		if (there == -EINVAL)
			break;
		if (there < 0)
			return there;
		if (added && !there)
			r = raw_call5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
		else if (there && !added && !kept)
			r = raw_call5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, i, 0, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Makes effective for a moment what is still permitted, and inheritable and ambient what is to stay so. */
long confine_raise(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;
	const struct confine_capabilities *capabilities = &confinement->capabilities;
	struct sets sets;

	if (!is_weighed(confinement))
		return 0;
	long r = get_sets(&sets);
	if (r < 0)
		return r;
	sets.effective = sets.permitted;
	sets.inheritable |= capabilities->inheritable_added &
	                    (capabilities->only_permitted ? sets.permitted : ~(uint64_t)0);
	r = set_sets(&sets);
	return r == 0 && capabilities->set ? set_ambient(capabilities, sets.permitted) : r;
}

long confine_secure_bits(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	return confinement->set_secure_bits ? control(PR_SET_SECUREBITS, confinement->secure_bits) : 0;
}

long confine_capabilities(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;
	const struct confine_capabilities *capabilities = &confinement->capabilities;
	struct sets sets;

	if (!is_weighed(confinement))
		return 0;
	long r = get_sets(&sets);
	if (r < 0)
		return r;
	sets.permitted &= capabilities->permitted_kept;
	/* What was not effective does not become so, but what is to be kept. */
	sets.effective = (work->effective | capabilities->ambient_added) & sets.permitted;
	sets.inheritable &= capabilities->inheritable_kept | capabilities->inheritable_added;
	r = set_sets(&sets);
	/* Secure bits that were asked for stay as they were asked for. */
	if (r == 0 && confinement->keeps_power && !confinement->set_secure_bits)
		r = control(PR_SET_KEEPCAPS, 0);
	return r;
}

long confine_no_new_privileges(struct confine_work *work)
{
	return work->confinement->no_new_privileges ? control(PR_SET_NO_NEW_PRIVS, 1) : 0;
}

long confine_filter(struct confine_work *work)
{
	const struct confinement *confinement = work->confinement;

	if (!confinement->has_filter)
		return 0;
	return raw_call3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, confinement->filter_flags,
	                 (long)&confinement->filter);
}
