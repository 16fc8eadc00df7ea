#!/bin/sh
# SPDX-License-Identifier: MIT
# A real piece of work for pidring-run: compiles every source file of the engine and the tools by itself, as many at a
# time as there are processors, and shows what each of them cost.
#
#     demo.sh PATH-OF-PIDRING-RUN [COMPILER-FLAG ...]
#
# The object files go to a temporary directory, which is removed at the end.

if [ $# -lt 1 ] || [ ! -x "$1" ]; then
	echo "usage: demo.sh PATH-OF-PIDRING-RUN [COMPILER-FLAG ...]" >&2
	exit 2
fi
case $1 in
/*) run=$1 ;;
*) run=$PWD/$1 ;;
esac
shift
[ $# -gt 0 ] || set -- -std=gnu11 -D_GNU_SOURCE -Iinclude -Iengine -Wall -Wextra

cd "$(dirname "$0")/.." || exit 2
directory=$(mktemp -d) || exit 2
trap 'rm -rf "$directory"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

compiler=${CC:-cc}
find engine tools -name '*.c' | LC_ALL=C sort >"$directory/sources"
# The object files lie as the sources do.
find engine tools -type d -exec sh -c 'for one; do mkdir -p "$0/$one"; done' "$directory" {} + || exit 2

cat <<END
Every C file of engine/ and tools/, compiled by itself with $compiler -O2, a job a file:

    find engine tools -name '*.c' | pidring-run --costs $compiler FLAGS -O2 -c {} -o TEMPORARY/{}.o

END
# shellcheck disable=SC2086 # CC may have words of its own.
"$run" --costs="$directory/costs" $compiler "$@" -O2 -c {} -o "$directory/{}.o" <"$directory/sources"
status=$?

cat "$directory/costs" || exit 1
awk -v status=$status '
	# The heading is the first line, the sum the last; it alone has no exit code.
	NR > 1 && $1 + 0 > longest && $5 ~ /^[0-9]+$/ { longest = $1; which = $6 }
	{ wall = $1; work = $2 + $3 }
	END {
		printf "\n%d files with %.1f s of work in them were done in %.1f s; ", NR - 2, work, wall
		printf "%s took longest, %.2f s.\n", which, longest
		if (status != 0)
			printf "Not all went well: the messages above the table say which and why.\n"
	}' "$directory/costs"
exit $status
