/* SPDX-License-Identifier: MIT */
/* Capabilities of confined processes: all five sets, as the kernel shows them in the child. */
#define _GNU_SOURCE
#include "confined.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SETS                                                                                                \
	QUESTIONS("status", "CapInh", "status", "CapPrm", "status", "CapEff", "status", "CapBnd", "status", \
	          "CapAmb")

#define BIT(capability) (UINT64_C(1) << (capability))

struct sets {
	uint64_t inheritable, permitted, effective, bounding, ambient;
};

static const char *text_for(struct sets sets)
{
	static char text[256];

	snprintf(text, sizeof(text),
	         "CapInh=%016llx\nCapPrm=%016llx\nCapEff=%016llx\nCapBnd=%016llx\nCapAmb=%016llx\n",
	         (unsigned long long)sets.inheritable, (unsigned long long)sets.permitted,
	         (unsigned long long)sets.effective, (unsigned long long)sets.bounding,
	         (unsigned long long)sets.ambient);
	return text;
}

static uint64_t own_set(const char *label)
{
	char *text = text_of("/proc/self/status");
	const char *line = strstr(text, label);
	unsigned long long set;

	check(line != NULL);
	check_int(sscanf(line + strlen(label), ":%llx", &set), 1);
	free(text);
	return set;
}

static struct sets own_sets(void)
{
	return (struct sets){ own_set("CapInh"), own_set("CapPrm"), own_set("CapEff"), own_set("CapBnd"),
		              own_set("CapAmb") };
}

static struct sets all_are(uint64_t set)
{
	return (struct sets){ set, set, set, set, set };
}

/* Kept by name: as root, and as another user, over the exec. */
SCENARIO(confine_capabilities, keep)
{
	struct pidring_confinement confinement = { .keep_capabilities = "cap_net_bind_service,CAP_CHOWN" };
	uint64_t kept = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_CHOWN);

	need_root();
	check_told(confinement, SETS, text_for(all_are(kept)));
	confinement.set_user = true;
	confinement.user = NOBODY;
	confinement.set_group = true;
	confinement.group = NOBODY;
	confinement.set_groups = true;
	check_told(confinement, SETS, text_for(all_are(kept)));
	confinement.no_new_privileges = true;
	check_told(confinement, SETS, text_for(all_are(kept)));
}

SCENARIO(confine_capabilities, keep_none)
{
	struct pidring_confinement confinement = { .keep_capabilities = "" };

	need_root();
	check_told(confinement, SETS, text_for(all_are(0)));
	confinement.user_name = "nobody";
	check_told(confinement, SETS, text_for(all_are(0)));
}

/* All that there are here. */
SCENARIO(confine_capabilities, keep_all)
{
	need_root();
	check_told(
		(struct pidring_confinement){ .keep_capabilities = "all", .set_user = true, .user = NOBODY },
		SETS, text_for(all_are(own_sets().permitted)));
}

/* One that is needed for the step before: taken away last. */
SCENARIO(confine_capabilities, keep_without_what_it_takes)
{
	need_root();
	check_told((struct pidring_confinement){ .keep_capabilities = "cap_kill",
	                                         .set_secure_bits = true,
	                                         .secure_bits = SECBIT_NOROOT,
	                                         .user_name = "nobody" },
	           QUESTIONS("status", "CapEff", "secure_bits"), "CapEff=0000000000000020\nsecure_bits=1\n");
}

SCENARIO(confine_capabilities, drop)
{
	struct pidring_confinement confinement = { .drop_capabilities = "cap_sys_admin,cap_net_raw" };
	uint64_t dropped = BIT(CAP_SYS_ADMIN) | BIT(CAP_NET_RAW);
	struct sets sets = own_sets();

	need_root();
	sets.bounding &= ~dropped;
	sets.permitted &= ~dropped;
	sets.effective &= ~dropped;
	sets.inheritable &= ~dropped;
	check_told(confinement, SETS, text_for(sets));
	confinement.drop_capabilities = "all";
	check_told(confinement, SETS, text_for(all_are(0)));
}

/* What an ordinary user loses is gone, with or without a list. */
SCENARIO(confine_capabilities, drop_of_another_user)
{
	struct pidring_confinement confinement = { .drop_capabilities = "cap_sys_admin",
		                                   .user_name = "nobody" };
	struct sets sets = { .bounding = own_sets().bounding & ~BIT(CAP_SYS_ADMIN) };

	need_root();
	check_told(confinement, SETS, text_for(sets));
}

SCENARIO(confine_capabilities, by_text)
{
	struct pidring_confinement confinement = { .capabilities = "^cap_net_raw,%cap_chown,!cap_sys_admin" };
	char expected[256];

	need_root();
	snprintf(expected, sizeof(expected),
	         "CapInh=0000000000002001\nCapBnd=%016llx\nCapAmb=0000000000002000\n",
	         (unsigned long long)(own_sets().bounding & ~BIT(CAP_SYS_ADMIN)));
	check_told(confinement, QUESTIONS("status", "CapInh", "status", "CapBnd", "status", "CapAmb"),
	           expected);
}

/* Ambient ones of another user are permitted and effective after the exec. */
SCENARIO(confine_capabilities, by_text_for_another_user)
{
	struct pidring_confinement confinement = { .capabilities = "^cap_net_raw", .user_name = "nobody" };
	uint64_t raised = BIT(CAP_NET_RAW);
	struct sets sets = { raised, raised, raised, own_sets().bounding, raised };

	need_root();
	check_told(confinement, SETS, text_for(sets));
}

/* An ordinary user has none to keep, but can promise that. */
SCENARIO(confine_capabilities, of_an_ordinary_user)
{
	struct sets sets = { 0 };

	become_ordinary();
	sets.bounding = own_sets().bounding;
	check_told((struct pidring_confinement){ .no_new_privileges = true }, SETS, text_for(sets));
	check_fails((struct pidring_confinement){ .keep_capabilities = "cap_chown" },
	            PIDRING_STEP_CAPABILITIES, EPERM, "cap");
	check_fails((struct pidring_confinement){ .capabilities = "^cap_chown" }, PIDRING_STEP_CAPABILITIES,
	            EPERM, "cap");
}

/* In a user namespace of its own it has all of them there. */
SCENARIO(confine_capabilities, in_a_user_namespace)
{
	need_user_namespaces();
	become_ordinary();
	check_told((struct pidring_confinement){ .namespaces = PIDRING_NAMESPACE_USER,
	                                         .keep_capabilities = "cap_chown" },
	           SETS, text_for(all_are(BIT(CAP_CHOWN))));
}

/* --- what this process has asked for itself does not come through --- */

static void set_own(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	check_int(syscall(SYS_capset, &header, data), 0);
}

SCENARIO(confine_capabilities, kept_by_this_process)
{
	struct pidring_confinement confinement = {
		.set_user = true, .user = NOBODY, .set_group = true, .group = NOBODY, .set_groups = true
	};
	struct sets sets = { 0 };

	need_root();
	sets.bounding = own_sets().bounding;
	check_int(prctl(PR_SET_KEEPCAPS, 1), 0);
	check_told(confinement, SETS, text_for(sets));
	confinement.drop_capabilities = "cap_chown";
	sets.bounding &= ~BIT(CAP_CHOWN);
	check_told(confinement, SETS, text_for(sets));
}

/* As a user who is not root, with some power that goes over an exec. */
static void become_powerful(uint64_t power, const int *ambient, size_t count)
{
	enum { SOMEBODY = 1000 };

	check_int(prctl(PR_SET_KEEPCAPS, 1), 0);
	check_int(setresgid(SOMEBODY, SOMEBODY, SOMEBODY), 0);
	check_int(setresuid(SOMEBODY, SOMEBODY, SOMEBODY), 0);
	set_own(power, power, power);
	for (size_t i = 0; i < count; i++)
		check_int(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, ambient[i], 0, 0), 0);
	check_int(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* The kernel takes the power of root alone when the user changes. */
SCENARIO(confine_capabilities, of_a_powerful_user)
{
	static const int ambient[] = { CAP_SETUID, CAP_SYS_ADMIN };
	struct pidring_confinement confinement = { .set_user = true, .user = NOBODY };
	struct sets sets = { 0 };
	uint64_t kept = BIT(CAP_SETUID);

	need_root();
	sets.bounding = own_sets().bounding;
	become_powerful(BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_SYS_ADMIN), ambient,
	                2);
	check_told(confinement, SETS, text_for(sets));
	confinement.set_secure_bits = true;
	check_told(confinement, SETS, text_for(sets));
	confinement.set_secure_bits = false;
	confinement.drop_capabilities = "cap_setgid";
	check_told(confinement, SETS,
	           text_for((struct sets){ .bounding = sets.bounding & ~BIT(CAP_SETGID) }));
	confinement.drop_capabilities = NULL;
	confinement.capabilities = "^cap_setuid";
	check_told(confinement, SETS, text_for((struct sets){ kept, kept, kept, sets.bounding, kept }));
	confinement.capabilities = NULL;
	confinement.keep_capabilities = "cap_setuid";
	check_told(confinement, SETS, text_for(all_are(kept)));
	confinement.keep_capabilities = "";
	check_told(confinement, SETS, text_for(all_are(0)));
}

/* Dropping one makes no other effective: in a function, as no exec of root's follows. */
SCENARIO(confine_capabilities, not_effective)
{
	struct sets sets = own_sets();
	uint64_t effective = BIT(CAP_SETPCAP);

	need_root();
	set_own(sets.permitted, effective, sets.inheritable);
	sets.effective = effective;
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 },
	              (struct pidring_confinement){ .set_secure_bits = true, .secure_bits = SECBIT_NOROOT },
	              SETS, text_for(sets));
	sets.permitted &= ~BIT(CAP_SYS_ADMIN);
	sets.bounding &= ~BIT(CAP_SYS_ADMIN);
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 },
	              (struct pidring_confinement){ .capabilities = "!cap_sys_admin" }, SETS, text_for(sets));
	sets.inheritable &= ~BIT(CAP_SYS_ADMIN);
	check_told_as(AS_FUNCTION, (struct pidring_options){ 0 },
	              (struct pidring_confinement){ .drop_capabilities = "cap_sys_admin" }, SETS,
	              text_for(sets));
}

/* What leaves the bounding set is gone: for a function, too, whom no exec takes it from. */
SCENARIO(confine_capabilities, dropped_by_text)
{
	struct sets sets = own_sets();

	need_root();
	sets.bounding &= ~BIT(CAP_SYS_ADMIN);
	sets.permitted &= ~BIT(CAP_SYS_ADMIN);
	sets.effective &= ~BIT(CAP_SYS_ADMIN);
	check_told((struct pidring_confinement){ .capabilities = "!cap_sys_admin" }, SETS, text_for(sets));
}

/* These bits make the kernel leave the capabilities alone when the user changes. */
SCENARIO(confine_capabilities, secure_bits_that_hold_on)
{
	static const unsigned bits[] = { SECBIT_NO_SETUID_FIXUP, SECBIT_KEEP_CAPS,
		                         SECBIT_NO_SETUID_FIXUP | SECBIT_NOROOT };
	struct pidring_confinement confinement = { .set_user = true,
		                                   .user = NOBODY,
		                                   .set_secure_bits = true };
	uint64_t bounding = own_sets().bounding;

	need_root();
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		uint64_t raised = BIT(CAP_CHOWN);

		confinement.secure_bits = bits[i];
		check_told(confinement, SETS, text_for((struct sets){ .bounding = bounding }));
		confinement.drop_capabilities = "cap_sys_admin";
		check_told(confinement, SETS,
		           text_for((struct sets){ .bounding = bounding & ~BIT(CAP_SYS_ADMIN) }));
		confinement.drop_capabilities = NULL;
		confinement.capabilities = "^cap_chown";
		check_told(confinement, SETS,
		           text_for((struct sets){ raised, raised, raised, bounding, raised }));
		confinement.capabilities = NULL;
	}
}
