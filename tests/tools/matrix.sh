#!/bin/sh
# SPDX-License-Identifier: MIT
# The tests of the tools on both backends, with the best birth and the last fallback. Argument: the path of pidring-run.
set -eu
here=$(dirname "$0")

for configuration in uring: epoll:fork; do
	backend=${configuration%%:*}
	clone=${configuration#*:}
	echo "pidring-run, $backend/${clone:-clone3}:"
	for part in pidring-run-test.sh pidring-run-output-test.sh; do
		PIDRING_BACKEND=$backend PIDRING_CLONE=$clone sh "$here/$part" "$1"
	done
done
