#!/bin/sh
# SPDX-License-Identifier: MIT
# The tests of the tools on both backends, with the best birth and the last fallback. Arguments: the paths of pidring-run and
# pidring-init, and of a static pidring-init.
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

# pidring-init takes epoll by itself.
for configuration in epoll::"$2" uring:fork:"$3"; do
	backend=${configuration%%:*}
	rest=${configuration#*:}
	clone=${rest%%:*}
	init=${rest#*:}
	echo "$(basename "$init"), $backend/${clone:-clone3}:"
	for part in test signals-test end-test place-test; do
		PIDRING_BACKEND=$backend PIDRING_CLONE=$clone sh "$here/pidring-init-$part.sh" "$init"
	done
done
