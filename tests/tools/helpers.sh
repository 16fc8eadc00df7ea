# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What the tests of the tools share. Sourced with the path of one as the argument; leaves it in $run, goes to a directory of its own.

if [ $# -ne 1 ] || [ ! -x "$1" ]; then
	echo "usage: $0 PATH-OF-THE-TOOL" >&2
	exit 2
fi
case $1 in
/*) run=$1 ;;
*) run=$PWD/$1 ;;
esac

passed=0
failed=0
skipped=0
directory=$(mktemp -d) || exit 2
trap 'rm -rf "$directory"' EXIT
trap 'exit 2' HUP INT TERM
cd "$directory" || exit 2

# --- checking ---

# same WHAT EXPECTED GOT
same() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
}

# holds WHAT PATTERN TEXT: the shell pattern matches the text
holds() {
	case $3 in
	$2) passed=$((passed + 1)) ;;
	*)
		failed=$((failed + 1))
		printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
		;;
	esac
}

skip() {
	skipped=$((skipped + 1))
	printf 'skipped: %s\n' "$1"
}

# go ARGUMENT ...: runs it with a limit of time; leaves $status, $out and $err
go() {
	timeout -k 1 60 "$run" "$@" >out 2>err
	status=$?
	out=$(cat out)
	err=$(cat err)
}

# until_true COMMAND ...: at most ten seconds
until_true() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.05
	done
}

# A zombie that nobody has reaped yet has ended, too.
has_ended() {
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ] || [ "$state" = X ]
}

all_have_ended() {
	for one in "$@"; do
		has_ended "$one" || return 1
	done
}

# ended PID: waits for it, at most ten seconds, and leaves its $status; kills what does not end.
ended() {
	until_true has_ended "$1" || kill -s KILL "$1"
	wait "$1" 2>/dev/null
	status=$?
}

is_gone() {
	[ ! -e "/proc/$1" ]
}

has_lines() {
	[ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

nl='
'

# on_terminal COLUMNS SHELL-COMMAND: its output on a terminal, escape characters as ^[
on_terminal() {
	timeout 60 env SHELL=/bin/sh TERM="${terminal_type:-xterm}" script -qec "stty cols $1; $2" /dev/null </dev/null |
		tr -d '\n' | sed 's/\x1b/^[/g; s/\r/^M/g'
}

# Says how it went, and ends.
finish() {
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" -eq 0 ]
	exit
}
