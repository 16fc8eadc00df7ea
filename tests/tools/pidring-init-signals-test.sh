#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of pidring-init, from outside: signals, where they go, what becomes of them; the terminal.
#
#     pidring-init-signals-test.sh PATH-OF-PIDRING-INIT
#
# One line for each check that failed, a count at the end, exit status 1 if any failed.

. "$(dirname "$0")/init-helpers.sh"

# --- every signal ---

# SIGTERM would begin the end.
listening --end-on none
expected=
for signal in $(seq 1 31) $(seq 34 64); do
	case $signal in
	9 | 17 | 19) continue ;;
	esac
	kill -$signal $pid
	until_true heard $signal
	expected="$expected$signal "
done
same 'every signal that can be sent reaches the program, once' "$expected" "$(all_heard)"
same 'the init has survived them' S "$(state $pid)"
stop_listening
same 'the program was killed: exit status' 137 $status

# What make runs ignores these two, and so would the program.
hidden='32 33'
if [ $((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status) & 0x180000000)) -ne 0 ]; then
	echo 'skipped: signals 32 and 33, which are ignored here'
	hidden=
fi
for signal in $hidden; do
	rm -f go
	begin --end-on none sh -c 'echo >go; exec sleep 1000'
	until_true test -e go
	until_true grep -qs sleep "/proc/$(cat "/proc/$pid/task/$pid/children" | tr -d ' ')/comm"
	kill -$signal $pid
	ended $pid
	same "signal $signal, which libc keeps for itself" $((128 + signal)) $status
done

# Several at once: none is lost, real-time signals are counted. (The listener's shell does not count.)
exec 7>status
listening --end-on none --status-fd 7
exec 7>&-
kill -STOP $pid
for signal in 1 2 10 12 34 34 34 35; do
	kill -$signal $pid
done
kill -CONT $pid
for signal in 1 2 10 12 34 35; do
	until_true heard $signal
done
same 'signals that came together' '1 1 1 1 3 1' \
	"$(for signal in 1 2 10 12 34 35; do grep -c "\"received\":$signal,\"sent\":$signal," status; done | tr '\n' ' ' | sed 's/ $//')"
stop_listening

# Sent before there is anybody to forward them to: a shell that has them pending becomes the init. They were blocked, so
# they are for the program, too, where they stay pending.
rm -f got
env --block-signal=USR1,RTMIN sh -c 'kill -USR1 $$; kill -34 $$; exec "$@"' sh "$run" ./listen &
pid=$!
until_true has_lines got 1
program=$(head -n 1 got)
has_pending() {
	[ "$(field ShdPnd "$program")" = "$1" ]
}
until_true has_pending 0000000200000200
same 'signals that are pending at the start are forwarded' 0000000200000200 "$(field ShdPnd "$program")"
stop_listening

# --- rewriting ---

listening --rewrite 'TERM:QUIT,HUP:0' -r 10:SIGUSR2 -r RTMIN+1:RTMAX-1 --end-on none
kill -TERM $pid
until_true heard 3
kill -HUP $pid
kill -USR1 $pid
until_true heard 12
kill -35 $pid
until_true heard 63
same 'rewritten, dropped, by name and by number' '3 12 63 ' "$(all_heard)"
stop_listening

listening -r TERM:INT -r term:quit --end-on none
kill -TERM $pid
until_true heard 3
same 'of two rules the later counts' '3 ' "$(all_heard)"
stop_listening

listening -r USR1:USR2+0.2 -r INT:HUP+3600 -r WINCH:RTMIN+2 --end-on none
kill -WINCH $pid
until_true heard 36
kill -INT $pid
kill -USR1 $pid
until_true heard 12
same 'a delay without a unit is one of seconds' '36 12 ' "$(all_heard)"
stop_listening

listening -r USR1:USR2+200ms -r INT:HUP+1h --end-on none
kill -INT $pid
kill -USR1 $pid
kill -QUIT $pid
until_true heard 12
same 'a delayed signal comes after one that came later' '3 12 ' "$(all_heard)"
stop_listening

# --- to whom ---

# A program with another one in its group, and one that left it, each with a file.
cat >family <<'EOF'
#!/bin/sh
"${0%/*}/listen" 15 got2 &
setsid "${0%/*}/listen" 15 got3 &
until [ -s got2 ] && [ -s got3 ]; do sleep 0.01; done
exec "${0%/*}/listen" 15 got
EOF
chmod 755 family
in_family() {
	rm -f got got2 got3
	begin "$@" ./family
	until_true has_lines got 1
	program=$(head -n 1 got)
}
end_family() {
	kill -s KILL "$(head -n 1 got)" "$(head -n 1 got2)" "$(head -n 1 got3)" $pid 2>/dev/null
	wait $pid 2>/dev/null
}
heard_by() {
	tail -n +2 "$1" | grep -qx 10 && echo "$1"
}

in_family
kill -USR1 $pid
until_true heard 10
same 'a signal goes to the program alone' 'got' "$(for one in got got2 got3; do heard_by $one; done | tr '\n' ' ' | sed 's/ $//')"
end_family
for option in -g --group --to=group; do
	in_family $option
	kill -USR1 $pid
	until_true heard_by got2 >/dev/null
	until_true heard 10
	same "$option: to its group" 'got got2' "$(for one in got got2 got3; do heard_by $one; done | tr '\n' ' ' | sed 's/ $//')"
	end_family
done
TINI_KILL_PROCESS_GROUP=
export TINI_KILL_PROCESS_GROUP
in_family
kill -USR1 $pid
until_true heard_by got2 >/dev/null
same 'TINI_KILL_PROCESS_GROUP: to its group' got2 "$(heard_by got2)"
end_family
unset TINI_KILL_PROCESS_GROUP
in_family --to-tree
kill -USR1 $pid
until_true heard_by got2 >/dev/null
until_true heard_by got3 >/dev/null
same '--to-tree: to all' 'got got2 got3' "$(until_true heard 10; for one in got got2 got3; do heard_by $one; done | tr '\n' ' ' | sed 's/ $//')"
end_family

# --- stopping ---

listening
kill -STOP $program
until_true is_stopped $program
kill -CONT $pid
until_true heard 18
same 'SIGCONT continues a program that was stopped' on "$(until_true is_not_stopped $program && echo on)"
stop_listening

for option in '' -c; do
	ln -sf "$run" dumb-init
	rm -f got
	# shellcheck disable=SC2086 # One word or none.
	env --default-signal ./dumb-init $option ./listen >out 2>err &
	pid=$!
	until_true has_lines got 1
	program=$(head -n 1 got)
	for signal in 20 21 22; do
		kill -$signal $pid
		until_true is_stopped $pid
		same "like dumb-init $option: signal $signal stops the init" T "$(state $pid)"
		if [ -z "$option" ]; then
			until_true is_stopped $program
			same "like dumb-init: signal $signal stops the program" T "$(state $program)"
		else
			until_true heard $signal
			same "like dumb-init -c: signal $signal reaches the program" 1 "$(tail -n +2 got | grep -cx $signal)"
		fi
		kill -CONT $pid
		until_true is_not_stopped $pid
		until_true is_not_stopped $program
		same "like dumb-init $option: both go on after signal $signal" on \
			"$(is_not_stopped $pid && is_not_stopped $program && echo on)"
	done
	kill -s KILL $program
	wait $pid 2>/dev/null
done

# --- its parent's end ---

rm -f got
sh -c '"$@" & wait' sh env --default-signal "$run" -p USR1 ./listen &
pid=$!
until_true has_lines got 1
program=$(head -n 1 got)
kill -s KILL $pid
wait $pid 2>/dev/null
until_true heard 10
same '-p: when its parent is killed the program gets the signal' '10 ' "$(all_heard)"
kill -s KILL "$program"
until_true has_ended "$program"

# --- its own end ---

listening
kill -s KILL $pid
wait $pid 2>/dev/null
until_true has_ended "$program"
same 'the init is killed, and so is the program' ended "$(has_ended "$program" && echo ended)"
listening --death-signal USR1
kill -s KILL $pid
wait $pid 2>/dev/null
until_true heard 10
same '--death-signal: that one instead' '10 ' "$(all_heard)"
kill -s KILL "$program"
for option in --no-death-signal --death-signal=none --like=tini; do
	listening $option
	kill -s KILL $pid
	wait $pid 2>/dev/null
	kill -USR1 "$program"
	until_true heard 10
	same "$option: the program goes on" '10 ' "$(all_heard)"
	kill -s KILL "$program"
done

# --- readers that have gone ---

mkfifo pipe
rm -f got
env --default-signal "$run" -vvv ./listen 2>pipe &
pid=$!
exec 8<pipe
until_true has_lines got 1
program=$(head -n 1 got)
exec 8<&-
kill -USR1 $pid
until_true heard 10
kill -USR2 $pid
until_true heard 12
same 'messages that nobody reads are no signals for the program' '10 12 ' "$(all_heard)"
stop_listening

rm -f got
env --default-signal "$run" -vvv ./listen 2>pipe &
pid=$!
exec 8<pipe
until_true has_lines got 1
program=$(head -n 1 got)
sent=0
while [ $sent -lt 1500 ]; do
	kill -WINCH $pid
	sent=$((sent + 1))
done
kill -USR2 $pid
until_true heard 12
same 'messages that nobody reads in time hold nothing up' 1 "$(tail -n +2 got | grep -cx 12)"
exec 8<&-
stop_listening

# --- the terminal ---

# on_keyboard COMMAND: runs it on a terminal, whose keyboard is descriptor 8; its screen goes to the file `screen`. What is to
# lead the session, and so may hand the terminal on to another one, begins with exec: not every shell does that by itself.
on_keyboard() {
	rm -f keys screen
	mkfifo keys
	timeout 60 env --default-signal SHELL=/bin/sh script -qec "$1" screen <keys >/dev/null &
	keyboard=$!
	exec 8>keys
}
off_keyboard() {
	exec 8>&-
	ended $keyboard
}
on_screen() {
	[ -e screen ] && grep -q "$1" screen
}

rm -f got
on_keyboard "$run -- ./listen"
until_true has_lines got 1
printf '\003' >&8
until_true heard 2
same '^C reaches the program, once' '2 ' "$(all_heard)"
printf '\034' >&8
until_true heard 3
same '^\ reaches the program' '2 3 ' "$(all_heard)"
kill -s KILL "$(head -n 1 got)"
off_keyboard

rm -f got
: >status
on_keyboard "exec $run --place same --status-fd 7 -- ./listen 7>status"
until_true has_lines got 1
printf '\003' >&8
until_true grep -q '"received":2' status
printf '\034' >&8
until_true grep -q '"received":3' status
until_true heard 3
same '--place=same: what the terminal has sent to the whole group is not forwarded' "terminal${nl}terminal" \
	"$(sed -n 's/.*"to":"\([a-z]*\)".*/\1/p' status)"
kill -INT "$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$(head -n 1 got)/status")"
until_true grep -q '"to":"child"' status
same '--place=same: what somebody has sent is' 1 "$(grep -c '"received":2,"sent":2,"to":"child"' status)"
kill -s KILL "$(head -n 1 got)"
off_keyboard

# type_line WORDS: and the return key
type_line() {
	printf '%s\n' "$1" >&8
}

# A program without any habit of its own, which says who it is.
cat >sleeper <<'EOF'
#!/bin/sh
echo $$ >sleeping
exec sleep 1000
EOF
chmod 755 sleeper

for like in pidring-init tini dumb-init; do
	rm -f sleeping
	on_keyboard "exec $run --like $like -s -- bash --norc --noprofile -i"
	type_line ./sleeper
	sleeper=$(pid_in sleeping)
	printf '\003' >&8
	until_true has_ended "$sleeper"
	same "a shell under it has ^C ($like)" ended "$(has_ended "$sleeper" && echo ended)"
	rm -f sleeping
	type_line ./sleeper
	sleeper=$(pid_in sleeping)
	printf '\032' >&8
	until_true is_stopped "$sleeper"
	same "a shell under it has ^Z ($like)" T "$(state "$sleeper")"
	type_line fg
	until_true is_not_stopped "$sleeper"
	printf '\003' >&8
	until_true has_ended "$sleeper"
	same "and fg ($like)" ended "$(has_ended "$sleeper" && echo ended)"
	type_line 'exit 3'
	off_keyboard
	same "its exit status ($like)" 3 $status
done

rm -f sleeping went
on_keyboard 'bash --norc --noprofile -i'
type_line "$run ./sleeper"
sleeper=$(pid_in sleeping)
init=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$sleeper/status")
printf '\032' >&8
until_true is_stopped "$init"
same 'under a shell, ^Z stops the program and its init' 'T T' "$(state "$sleeper") $(state "$init")"
type_line bg
until_true is_not_stopped "$sleeper"
same 'bg continues both' on "$(until_true is_not_stopped "$init" && is_not_stopped "$sleeper" && echo on)"
type_line fg
# The shell has let go of the keyboard when the job's group has it: as it was not stopped, nobody is told.
has_keyboard() {
	# shellcheck disable=SC2046 # A word a field.
	set -- "$1" $(sed 's/.*) //' "/proc/$1/stat")
	[ "$7" = "$1" ]
}
until_true has_keyboard "$init"
printf '\003' >&8
until_true has_ended "$sleeper"
same 'fg, and ^C reaches the program' ended "$(has_ended "$sleeper" && echo ended)"
type_line 'echo back >went'
until_true test -s went
same 'the shell has the keyboard back at the end' back "$(cat went)"
rm -f sleeping went ask
cat >reader <<'EOF'
#!/bin/sh
echo $$ >sleeping
until [ -e ask ]; do sleep 0.02; done
read -r word
echo "$word" >went
EOF
chmod 755 reader
type_line "$run ./reader &"
pid_in sleeping >/dev/null
type_line fg
: >ask
type_line word
until_true test -s went
same 'a program that began in the background reads in the foreground' word "$(cat went)"
type_line 'exit 0'
off_keyboard

# A script between the shell and the init, in the same group.
rm -f sleeping went
on_keyboard 'bash --norc --noprofile -i'
type_line "sh -c '$run ./sleeper; echo done >went'"
sleeper=$(pid_in sleeping)
init=$(field PPid "$sleeper")
printf '\032' >&8
until_true is_stopped "$init"
script=$(field PPid "$init")
until_true is_stopped "$script"
same 'in a script, ^Z stops the script, too' 'T T T' "$(state "$sleeper") $(state "$init") $(state "$script")"
type_line fg
until_true is_not_stopped "$sleeper"
until_true has_keyboard "$sleeper"
printf '\003' >&8
until_true has_lines went 1
same 'fg, and ^C ends the program' ended "$(has_ended "$sleeper" && echo ended)"

# Another part of its pipeline has the keyboard, until the program asks for it.
rm -f sleeping went got ask
type_line "$run ./sleeper </dev/null | sh -c 'until [ -s sleeping ]; do sleep 0.02; done; read -r word </dev/tty; echo \$word >went'"
sleeper=$(pid_in sleeping)
type_line word
until_true test -s went
same 'another part of its pipeline reads from the keyboard' word "$(cat went)"
kill -KILL "$sleeper"
rm -f sleeping went
cat >asker <<'EOF'
#!/bin/sh
echo $$ >sleeping
read -r word </dev/tty
echo "$word" >went
EOF
chmod 755 asker
type_line "true | $run ./asker"
pid_in sleeping >/dev/null
type_line word
until_true test -s went
same 'a program in a pipeline that asks for the keyboard gets it' word "$(cat went)"
type_line 'exit 0'
off_keyboard

rm -f sleeping
on_keyboard "exec $run ./sleeper"
sleeper=$(pid_in sleeping)
printf '\032' >&8
printf '\003' >&8
until_true has_ended "$sleeper"
same 'where nobody could continue it, ^Z stops nothing' ended "$(has_ended "$sleeper" && echo ended)"
off_keyboard
same 'where nobody could continue it: exit status' 130 $status

rm -f went
on_keyboard "$run true; read word; echo \$word >went"
type_line word
until_true test -s went
same 'a script reads from the terminal when the program has ended' word "$(cat went)"
off_keyboard

finish
