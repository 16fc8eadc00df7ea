# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What the tests of pidring-init share, beside helpers.sh, which it sources with its argument.

. "$(dirname "$0")/helpers.sh"
unset TINI_SUBREAPER TINI_KILL_PROCESS_GROUP TINI_VERBOSITY DUMB_INIT_SETSID DUMB_INIT_DEBUG LISTEN_PID NOTIFY_SOCKET

# begin ARGUMENT ...: runs it beside the test, and leaves its pid in $pid. It begins with no signal ignored: a shell has its
# background jobs ignore two.
begin() {
	rm -f out err
	env --default-signal "$run" "$@" >out 2>err 9>&- &
	pid=$!
}

# A program that writes the number of each signal it gets into the file `got`, after `ready`; SIGCONT too. Ended by SIGKILL,
# or by the signal that its first argument names, with 40.
cat >listen <<'EOF'
#!/bin/sh
for one in $(seq 1 31) $(seq 34 64); do
	case $one in
	9 | 17 | 19) ;;
	"$1") trap "echo $one >>${2:-got}; kill -s KILL \$sleeper 2>/dev/null; exit 40" "$one" ;;
	*) trap "echo $one >>${2:-got}" "$one" ;;
	esac
done
setpriv --pdeathsig KILL sleep 1000 &
sleeper=$!
echo $$ >"${2:-got}"
while :; do wait; done
EOF
chmod 755 listen

# listening ARGUMENT ...: begins with `listen` as the program, whose arguments are in $listen_for, and waits for it.
# Leaves the program's pid in $program.
listening() {
	rm -f got
	# shellcheck disable=SC2086 # Two words, or none.
	begin "$@" ./listen $listen_for
	until_true has_lines got 1
	program=$(head -n 1 got)
}
listen_for=

# heard NUMBER: the listener has got it
heard() {
	tail -n +2 got | grep -qx "$1"
}

# What it has got, on one line.
all_heard() {
	tail -n +2 got | tr '\n' ' '
}

# stop_listening: ends what `listening` began
stop_listening() {
	kill -s KILL "$program" 2>/dev/null
	ended $pid
}

# state PID: its letter
state() {
	sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
}

is_stopped() {
	[ "$(state "$1")" = T ]
}

is_not_stopped() {
	case $(state "$1") in
	T | '') return 1 ;;
	esac
}

# field NAME PID: of its status
field() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$2/status"
}

# pid_in FILE: waits for the number in it
pid_in() {
	until_true has_lines "$1" 1
	cat "$1"
}

may_be_root() {
	[ "$(id -u)" -eq 0 ]
}
