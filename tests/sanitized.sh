#!/bin/sh
# SPDX-License-Identifier: MIT
# All scenarios in the configurations that matter to a sanitizer. Arguments: the directory of the test programs, a list of
# scenarios that this sanitizer cannot follow, with the reasons.
#
# Children that share memory (clone3 with CLONE_VM, clone with CLONE_VFORK) are followed up to the clone: what runs in them
# is engine/birth/child.c and its stages, which are compiled without instrumentation.
set -eu
directory=$1
exceptions=$2
# Children of function targets end by _exit and leave their copies of the parent's memory unfreed, which is no leak.
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="die_after_fork=0:halt_on_error=1:report_thread_leaks=0:suppressions=$(cd "$(dirname "$0")" && pwd)/tsan.suppressions:${TSAN_OPTIONS:-}"
export PIDRING_TEST_TIMEOUT="${PIDRING_TEST_TIMEOUT:-120}"

output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=0
# The best paths, and the last fallbacks.
for configuration in uring: epoll:fork; do
	backend=${configuration%%:*}
	clone=${configuration#*:}
	echo "scenarios, $backend/${clone:-clone3}:"
	PIDRING_BACKEND=$backend PIDRING_CLONE=$clone "$directory/scenarios" --all --jobs 3 --except "$exceptions" \
		>"$output" 2>&1 </dev/null || failed=1
	grep -v '^passed  ' "$output"
done
exit $failed
