#!/bin/sh
# SPDX-License-Identifier: MIT
# What an init costs: the time from its start to its end around a no-op, and its memory while it sleeps, beside those that are
# installed.
#
#     init.sh BUILD-DIRECTORY [ROUNDS]
#
# The inits take turns, in an order that moves on from round to round. The median of each is printed, and what is left of it
# without the bare program. Memory is that of /proc/PID/smaps_rollup, in KiB.
set -u
build=${1:?usage: init.sh BUILD-DIRECTORY [ROUNDS]}
rounds=${2:-200}
directory=$(mktemp -d) || exit 2
trap 'rm -rf "$directory"' EXIT

cat >"$directory/inits" <<END
bare
tini -s --
tini-static -s --
dumb-init --
catatonit --
$build/pidring-init --
$build/pidring-init-static --
END
while read -r program rest; do
	[ "$program" = bare ] || command -v "$program" >/dev/null || continue
	echo "$program $rest"
done <"$directory/inits" >"$directory/there"

count=$(wc -l <"$directory/there")
round=0
while [ "$round" -lt "$rounds" ]; do
	turn=0
	while [ "$turn" -lt "$count" ]; do
		line=$(sed -n "$(((round + turn) % count + 1))p" "$directory/there")
		words=${line#bare}
		before=$(date +%s%N)
		# shellcheck disable=SC2086 # Its words.
		$words "$build/bench/noop" || exit 1
		echo "$(($(date +%s%N) - before)) ${line%% *}" >>"$directory/times"
		turn=$((turn + 1))
	done
	round=$((round + 1))
done

median() {
	grep " $1\$" "$directory/times" | sort -n | awk '{ time[NR] = $1 } END { printf "%d", time[int((NR + 1) / 2)] / 1000 }'
}

# memory LINE: starts it around a program that sleeps
memory() {
	# shellcheck disable=SC2086 # Its words.
	$1 sleep 1000 &
	pid=$!
	until grep -qs sleep "/proc/$(cut -d' ' -f1 "/proc/$pid/task/$pid/children")/comm"; do sleep 0.01; done
	sleep 0.1
	awk '/^Rss:/ { rss = $2 } /^Private_(Clean|Dirty):/ { private += $2 } /^Private_Dirty:/ { dirty = $2 }
		END { printf "%8d %8d %8d", rss, private, dirty }' "/proc/$pid/smaps_rollup"
	kill "$(cut -d' ' -f1 "/proc/$pid/task/$pid/children")"
	wait $pid
}

bare=$(median bare)
printf '%-40s %8s %8s %8s %8s %8s\n' init 'us' 'over' 'rss' 'private' 'dirty'
while read -r line; do
	name=${line%% *}
	time=$(median "$name")
	printf '%-40s %8d %8d ' "$name" "$time" $((time - bare))
	[ "$name" = bare ] || memory "$line" 2>/dev/null
	echo
done <"$directory/there"
