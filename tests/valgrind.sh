#!/bin/sh
# SPDX-License-Identifier: MIT
# All scenarios under valgrind, which has neither io_uring nor clone3. Argument: the scenarios program.
#
# valgrind 3.19 (Debian 12) does not know pidfd_open either, without which no engine can be opened: scenarios that need one are
# counted as left out there.
set -eu
export PIDRING_BACKEND=epoll PIDRING_CLONE=fork PIDRING_TEST_TIMEOUT="${PIDRING_TEST_TIMEOUT:-300}"
failed=0
passed=0
left_out=0

command -v valgrind >/dev/null || { echo "valgrind is not installed" >&2; exit 1; }
for scenario in $("$1" --list); do
	status=0
	output=$(valgrind -q --error-exitcode=88 --leak-check=full --errors-for-leak-kinds=definite \
		--child-silent-after-fork=yes "$1" "$scenario" 2>&1 </dev/null) || status=$?
	case $status in
	0 | 77)
		passed=$((passed + 1))
		;;
	*)
		case $output in
		*"has no pidfds"*)
			left_out=$((left_out + 1))
			continue
			;;
		esac
		failed=$((failed + 1))
		echo "FAILED  $scenario (status $status)"
		echo "$output" | tail -30
		;;
	esac
done
[ "$left_out" -eq 0 ] || echo "$left_out left out: this valgrind ($(valgrind --version)) has no pidfd_open"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
