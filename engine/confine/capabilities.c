/* SPDX-License-Identifier: MIT */
/* Capabilities by name, and what becomes of the five sets. */
#include "confine/confinement.h"

#include "explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

enum { LONGEST_NAME = 64, MOST_CAPABILITIES = 64 };

static const uint64_t all_capabilities = ~(uint64_t)0;

static uint64_t bit(unsigned capability)
{
	return (uint64_t)1 << capability;
}

/* "all" is everything that there is; what is named must be there. */
struct name_list {
	uint64_t all, named;
};

static int read_name(struct name_list *list, const char *name, size_t length, const char *option)
{
	static const char prefix[] = "cap_";
	char text[sizeof prefix + LONGEST_NAME];
	char start[sizeof prefix];
	cap_value_t value;

	if (length == 0 || length >= LONGEST_NAME)
		return explain(-EINVAL, "%s: '%.*s' is no capability", option,
		               (int)(length < LONGEST_NAME ? length : LONGEST_NAME), name);
	/* People write NET_RAW as well. Without strncasecmp(3), which would add 24 KB to a static program. */
	snprintf(start, sizeof start, "%.*s", (int)length, name);
	bool prefixed = strcasecmp(start, prefix) == 0;
	snprintf(text, sizeof text, "%s%.*s", prefixed ? "" : prefix, (int)length, name);
	if (strcasecmp(text, "cap_all") == 0) {
		list->all = all_capabilities;
		return 0;
	}
	if (cap_from_name(text, &value) < 0 || value < 0 || value >= MOST_CAPABILITIES)
		return explain(-EINVAL, "%s: there is no capability '%.*s'", option, (int)length, name);
	list->named |= bit((unsigned)value);
	return 0;
}

/* An empty text names none. */
static int read_names(struct name_list *ret_list, const char *names, const char *option)
{
	int r = 0;

	*ret_list = (struct name_list){ 0 };
	while (*names && r == 0) {
		size_t length = strcspn(names, ",");

		r = read_name(ret_list, names, length, option);
		names += length;
		if (r == 0 && *names == ',' && !*++names)
			return explain(-EINVAL, "%s: there is nothing after the last comma", option);
	}
	return r;
}

static int check_text(const char *text)
{
	cap_iab_t iab = cap_iab_from_text(text);

	if (!iab)
		return explain(-EINVAL, "capabilities: '%s' is not as cap_iab_from_text(3) wants it", text);
	cap_free(iab);
	return 0;
}

int capabilities_check(const struct pidring_confinement *confinement)
{
	const char *keep = confinement->keep_capabilities, *drop = confinement->drop_capabilities;
	struct name_list list;
	int r = 0;

	if ((keep != NULL) + (drop != NULL) + (confinement->capabilities != NULL) > 1)
		return explain(-EINVAL,
		               "more than one of keep_capabilities, drop_capabilities and capabilities are "
		               "set: only one can decide");
	if (keep)
		r = read_names(&list, keep, "keep_capabilities");
	if (drop)
		r = read_names(&list, drop, "drop_capabilities");
	return r == 0 && confinement->capabilities ? check_text(confinement->capabilities) : r;
}

static struct confine_capabilities keep_only(const char *names)
{
	struct name_list list;

	read_names(&list, names, "keep_capabilities");
	uint64_t kept = list.all | list.named;
	return (struct confine_capabilities){
		.set = true,
		.required = list.named,
		.bounding_dropped = ~kept,
		.permitted_kept = kept,
		.inheritable_added = kept,
		.ambient_added = kept,
		.only_permitted = true,
	};
}

static struct confine_capabilities drop(const char *names)
{
	struct name_list list;

	read_names(&list, names, "drop_capabilities");
	uint64_t dropped = list.all | list.named;
	return (struct confine_capabilities){
		.set = true,
		.bounding_dropped = dropped,
		.permitted_kept = ~dropped,
		.inheritable_kept = ~dropped,
		.ambient_kept = ~dropped,
	};
}

static uint64_t vector(cap_iab_t iab, cap_iab_vector_t which)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < (unsigned)cap_max_bits() && i < MOST_CAPABILITIES; i++)
		if (cap_iab_get_vector(iab, which, (cap_value_t)i) == CAP_SET)
			found |= bit(i);
	return found;
}

static struct confine_capabilities from_text(const char *text)
{
	struct confine_capabilities capabilities = { .set = true, .permitted_kept = all_capabilities };
	cap_iab_t iab = cap_iab_from_text(text);

	if (!iab)
		return capabilities;
	capabilities.inheritable_added = vector(iab, CAP_IAB_INH);
	capabilities.ambient_added = capabilities.required = vector(iab, CAP_IAB_AMB);
	capabilities.bounding_dropped = vector(iab, CAP_IAB_BOUND);
	/* A program's exec sees to that; a function has none. */
	capabilities.permitted_kept = ~capabilities.bounding_dropped | capabilities.ambient_added;
	cap_free(iab);
	return capabilities;
}

void capabilities_read(struct confine_capabilities *ret_capabilities,
                       const struct pidring_confinement *confinement)
{
	*ret_capabilities = (struct confine_capabilities){ .permitted_kept = all_capabilities,
		                                           .inheritable_kept = all_capabilities,
		                                           .ambient_kept = all_capabilities };
	if (confinement->keep_capabilities)
		*ret_capabilities = keep_only(confinement->keep_capabilities);
	if (confinement->drop_capabilities)
		*ret_capabilities = drop(confinement->drop_capabilities);
	if (confinement->capabilities)
		*ret_capabilities = from_text(confinement->capabilities);
}
