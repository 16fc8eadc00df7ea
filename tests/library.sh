#!/bin/sh
# SPDX-License-Identifier: MIT
# What the built library looks like from outside. Arguments: build directory, compiler.
set -eu
build=$1
shift
failed=0

fail()
{
	echo "library: $*" >&2
	failed=$((failed + 1))
}

# The symbol map exports pidring_* alone, with a version.
exported=$(nm -D --defined-only "$build/libpidring.so" | awk '$2 != "A" { print $3 }')
[ -n "$exported" ] || fail "nothing is exported"
for symbol in $exported; do
	case $symbol in
	pidring_*@@PIDRING_*) ;;
	*) fail "exports $symbol" ;;
	esac
done

# Every function that the header declares is there.
for name in $(sed -n 's/^PIDRING_PUBLIC.*[ *]\(pidring_[a-z_]*\)(.*/\1/p' include/pidring.h); do
	echo "$exported" | grep -q "^$name@@" || fail "does not export $name"
done

readelf -d "$build/libpidring.so" | grep -q 'SONAME.*libpidring\.so\.0' || fail "has no SONAME libpidring.so.0"

# A child in shared memory may call nothing outside its own objects: not even memset.
child=$(mktemp)
ld -r -o "$child" "$build/engine/birth/child.o" "$build/engine/birth/child_placements.o" \
	"$build/engine/birth/child_close.o" "$build/engine/confine/place.o" "$build/engine/confine/power.o" \
	"$build/engine/confine/settings.o"
undefined=$(nm -u "$child" | grep -v _GLOBAL_OFFSET_TABLE_ || true)
rm -f "$child"
[ -z "$undefined" ] || fail "engine/birth/child.c, or what it calls, calls $undefined"

# Raw system calls and io_uring stay in their rooms.
if grep -nE '(^|[^a-z_])(syscall|raw_call[0-6]) *\(' engine/*.c engine/watch/*.c engine/stdio/*.c; then
	fail "a raw system call outside engine/sys and the child"
fi
if grep -ln 'io_uring' engine/*.[ch] engine/birth/* engine/stdio/* engine/sys/* | grep -v engine/engine.c; then
	fail "io_uring outside engine/watch"
fi

# Installing and taking away leaves nothing behind, and what is installed can be compiled against.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make -s BUILD="$build" DESTDIR="$root" PREFIX=/opt/pidring install >/dev/null
cat >"$root/program.c" <<'END'
#include <pidring.h>
#include <stdio.h>
int main(void)
{
	struct pidring *engine;
	int r = pidring_open(&engine, NULL);

	if (r < 0) {
		fprintf(stderr, "%s\n", pidring_explain());
		return 1;
	}
	return pidring_close(engine);
}
END
flags=$(PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root/opt/pidring/lib/pkgconfig \
	pkg-config --cflags --libs pidring)
# shellcheck disable=SC2086
if "${1:-cc}" -o "$root/program" "$root/program.c" $flags; then
	LD_LIBRARY_PATH=$root/opt/pidring/lib "$root/program" || fail "a program with the installed shared library fails"
else
	fail "the installed header and library do not compile"
fi
rm -f "$root/program" "$root/program.c"
make -s BUILD="$build" DESTDIR="$root" PREFIX=/opt/pidring uninstall
left=$(find "$root" -type f -o -type l)
[ -z "$left" ] || fail "uninstall leaves $left"

[ "$failed" -eq 0 ] && echo "library: passed"
exit $((failed > 0))
