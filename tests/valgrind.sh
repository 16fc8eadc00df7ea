#!/bin/sh
# SPDX-License-Identifier: MIT
# All scenarios under valgrind, which has neither io_uring nor clone3, as many at a time as there are processors. Argument:
# the scenarios program. With the name of one behind it: this one alone.
#
# valgrind 3.19 (Debian 12) does not know pidfd_open either, without which no engine can be opened: scenarios that need one are
# counted as left out there.
set -eu
export PIDRING_BACKEND=epoll PIDRING_CLONE=fork PIDRING_TEST_TIMEOUT="${PIDRING_TEST_TIMEOUT:-300}"

# Prints how it went, on a line that begins with it. By a file: children of one that fails may hold a pipe open.
run_one() {
	status=0
	file=$(mktemp)
	trap 'rm -f "$file"' EXIT
	valgrind -q --error-exitcode=88 --leak-check=full --errors-for-leak-kinds=definite \
		--child-silent-after-fork=yes "$1" "$2" >"$file" 2>&1 </dev/null || status=$?
	output=$(cat "$file")
	case $status:$output in
	0:* | 77:*) echo "passed  $2" ;;
	# Its own warning of a call that it does not know, pidfd_open.
	*"has no pidfds"* | *"unhandled amd64-linux syscall: 434"*) echo "LEFT OUT $2" ;;
	*) printf 'FAILED  %s (status %s)\n%s\n' "$2" "$status" "$(echo "$output" | tail -30)" ;;
	esac
}

if [ $# -eq 2 ]; then
	run_one "$1" "$2"
	exit
fi
command -v valgrind >/dev/null || { echo "valgrind is not installed" >&2; exit 1; }
results=$(mktemp)
trap 'rm -f "$results"' EXIT
"$1" --list | xargs -P "$(nproc)" -n 1 sh "$0" "$1" >"$results"
grep -v '^passed  \|^LEFT OUT ' "$results" || :
left_out=$(grep -c '^LEFT OUT ' "$results") || :
failed=$(grep -c '^FAILED  ' "$results") || :
[ "$left_out" -eq 0 ] || echo "$left_out left out: this valgrind ($(valgrind --version)) has no pidfd_open"
echo "$(grep -c '^passed  ' "$results" || :) passed, $failed failed"
[ "$failed" -eq 0 ]
