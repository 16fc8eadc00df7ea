#!/bin/sh
# SPDX-License-Identifier: MIT
# The tests of the tools on both backends and both ends of the range of births. Argument: the path of pidring-run.
set -eu
here=$(dirname "$0")

for backend in uring epoll; do
	for clone in '' fork; do
		echo "pidring-run, $backend/${clone:-clone3}:"
		PIDRING_BACKEND=$backend PIDRING_CLONE=$clone sh "$here/pidring-run-test.sh" "$1"
	done
done
